"""The tokenizer of a Hugging Face model, as `reasoning.engine.base.Tokenizer`."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from data.errors import one_line
from reasoning.engine.base import EngineError

__all__ = ["HFTokenizer"]

# Characters of a Unicode private-use area: they stand for a special token's spelling while a chat template is rendered.
_OPEN, _CLOSE = "\ue0f0", "\ue0f1"


class HFTokenizer:
    """`transformers.AutoTokenizer` of a local folder or hub name.

    Text never turns into control tokens: a question that spells `<|im_end|>` is encoded letter by letter, in `encode`
    and inside the messages of `chat` alike.
    """

    def __init__(self, model: str) -> None:
        from transformers import AutoTokenizer

        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(model)
        except (OSError, ValueError) as error:
            raise EngineError(f"cannot load the tokenizer of {model}: {one_line(error)}") from error
        self.eos_ids = frozenset(_eos_ids(model, self._tokenizer))
        self.bos_ids = _bos_ids(self._tokenizer)

    @property
    def pretrained(self) -> Any:
        """The transformers tokenizer itself."""
        return self._tokenizer

    @cached_property
    def checksum(self) -> str:
        """The first 16 hex digits of SHA-256 over the id → token table, added tokens included.

        It is what ids mean that is told by it: neither a chat template nor padding nor special roles bear on it.
        """
        count = max(self._tokenizer.get_vocab().values()) + 1  # ids may have gaps, and then are more than the tokens
        table = self._tokenizer.convert_ids_to_tokens(range(count))
        return hashlib.sha256(json.dumps(table).encode()).hexdigest()[:16]

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`, with no special tokens added; special tokens spelled in `text` stay plain text."""
        ids: list[int] = self._tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Text of `ids`, special tokens left out, spaces untouched."""
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    def spell(self, ids: Sequence[int]) -> str:
        """Text of `ids` with special tokens spelled out, for a server that takes its prompt as text."""
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text

    def chat(self, messages: Sequence[dict[str, str]]) -> list[int]:
        """Token ids of a conversation in the model's chat template, ready for the assistant's turn.

        Raises EngineError where the model has no chat template.
        """
        if not self._tokenizer.chat_template:
            raise EngineError("this model has no chat template: choose a completion-style prompt or a chat model")
        hidden = [{key: self._hide(value) for key, value in message.items()} for message in messages]
        text = self._tokenizer.apply_chat_template(hidden, add_generation_prompt=True, tokenize=False)
        ids: list[int] = []
        # Even pieces are the template and ordinary text, odd pieces the numbers of spelled special tokens.
        for position, piece in enumerate(re.split(f"{_OPEN}(\\d+){_CLOSE}", text)):
            if position % 2:
                ids += self.encode(self._special[int(piece)])
            elif piece:
                ids += self._tokenizer(piece, add_special_tokens=False)["input_ids"]
        return ids

    def ids_containing(self, text: str) -> list[int]:
        """All token ids whose own text contains `text`."""
        return [index for index, piece in enumerate(self._pieces) if text in piece]

    def _hide(self, text: str) -> str:
        text = text.replace(_OPEN, "").replace(_CLOSE, "")
        for number, special in enumerate(self._special):
            text = text.replace(special, f"{_OPEN}{number}{_CLOSE}")
        return text

    @cached_property
    def _special(self) -> list[str]:
        added = {token.content for token in self._tokenizer.added_tokens_decoder.values() if token.special}
        # Longest first, so that a special token that contains another is found whole.
        return sorted(added.union(self._tokenizer.all_special_tokens), key=len, reverse=True)

    @cached_property
    def _pieces(self) -> list[str]:
        return [self.decode([index]) for index in range(len(self._tokenizer))]


def _bos_ids(tokenizer: Any) -> tuple[int, ...]:
    """The beginning-of-sequence id, where the tokenizer puts one before plain text by itself."""
    first = tokenizer("")["input_ids"][:1]
    return tuple(first) if first == [tokenizer.bos_token_id] else ()


def _eos_ids(model: str, tokenizer: Any) -> set[int]:
    """End-of-sequence ids of the tokenizer and of the model's generation config, as vLLM and transformers use them."""
    from transformers import GenerationConfig

    found = {tokenizer.eos_token_id}
    try:
        eos = GenerationConfig.from_pretrained(model).eos_token_id
    except OSError:  # the file is optional
        eos = None
    found.update(eos if isinstance(eos, list) else [eos])
    return found - {None}
