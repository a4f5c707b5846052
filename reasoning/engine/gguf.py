"""GGUF files (llama.cpp's format) as transformers models: configuration, tokenizer, and tensors one at a time.

Names, shapes and permutations are transformers' own tables, and the dequantisation is that of the `gguf` package; what
transformers leaves out of a GGUF's tokenizer is put back here. Nothing is held in memory but the tensor at hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from data.errors import UserError, one_line

__all__ = ["Gguf"]

_MAGIC: Final = b"GGUF"
# Tokens that end a turn or a text in one of the chat formats; a GGUF names one of them only.
_ENDS: Final = ("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "<|end|>", "<end_of_turn>", "</s>")
_PART: Final = 1 << 24  # numbers of a tensor that are dequantised at a time
_UNUSED: Final = 5  # a token type: entries that only fill the vocabulary up to the embedding's rows
_GPT4_WORDS: Final = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}DIGITS"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


class Gguf:
    """One file, opened. Raises UserError where it is no GGUF, is cut, or holds what is not known here."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                magic = file.read(4)
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror or error}") from None
        if magic != _MAGIC:
            raise UserError(
                f"{path} is not a GGUF file: name a .gguf file, a model folder, or a model of the catalogue"
            )
        try:
            from gguf import GGUFReader
        except ImportError:
            raise UserError("GGUF files are read with the package gguf; run `pip install gguf`") from None
        try:
            self._reader: Any = GGUFReader(path)
            ends = [tensor.data_offset + tensor.n_bytes for tensor in self._reader.tensors]
        except Exception as error:  # the reader raises whatever a broken file leads it to
            raise UserError(f"{path} is cut or damaged ({one_line(error)[:120]}); download it again") from None
        if not ends or max(ends) > path.stat().st_size:
            raise UserError(f"{path} is cut: its tensors end beyond the file; download it again")
        # The reader keeps an object for every token of the vocabulary: a gigabyte for a file of half of one.
        self._fields = {
            name: field.contents()
            for name, field in self._reader.fields.items()
            if not name.endswith((".merges", ".scores", ".chat_template"))
        }
        self._reader.fields.clear()
        self.architecture = str(self._field("general.architecture"))
        self._check_known()

    def _field(self, name: str) -> Any:
        return self._fields.get(name)

    def _check_known(self) -> None:
        from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

        if self.architecture not in GGUF_SUPPORTED_ARCHITECTURES:
            raise UserError(
                f"{self.path} holds a model of the architecture {self.architecture!r}, which transformers cannot read "
                "from GGUF; name its safetensors folder or hub name instead"
            )
        model, pre = self._field("tokenizer.ggml.model"), self._field("tokenizer.ggml.pre")
        if model not in ("gpt2", "llama") or (model == "gpt2" and pre not in _PRE):
            raise UserError(
                f"{self.path} splits text in a way that is not known here (tokenizer {model!r}, {pre!r}); name the "
                "model's safetensors folder or hub name instead"
            )

    # ---- the tokenizer -----------------------------------------------------------------------------------------------

    def tokenizer(self) -> Any:
        """The transformers tokenizer as its publisher has it: pre-tokenizer, normaliser, vocabulary, special tokens."""
        from transformers import AutoTokenizer

        tokenizer: Any = AutoTokenizer.from_pretrained(self.path.parent, gguf_file=self.path.name)
        if self._field("tokenizer.ggml.model") == "gpt2":
            normaliser, words = _PRE[self._field("tokenizer.ggml.pre")]
            backend = tokenizer.backend_tokenizer
            backend.pre_tokenizer = _pre_tokenizer(words)
            if normaliser is not None:
                from tokenizers import normalizers

                backend.normalizer = getattr(normalizers, normaliser)()
            tokenizer = self._without_unused(tokenizer)
        if self._field("tokenizer.ggml.add_bos_token") is False:
            tokenizer.add_bos_token = False
        if length := self._field(f"{self.architecture}.context_length"):
            tokenizer.model_max_length = int(length)
        return tokenizer

    def _without_unused(self, tokenizer: Any) -> Any:
        """The tokenizer less the entries that fill up its vocabulary, which the publisher's does not have."""
        import json

        from tokenizers import Tokenizer

        types = self._field("tokenizer.ggml.token_type") or []
        tokens = self._field("tokenizer.ggml.tokens")
        unused = {token for token, kind in zip(tokens, types, strict=False) if kind == _UNUSED}
        if unused:
            content = json.loads(tokenizer.backend_tokenizer.to_str())
            vocabulary = content["model"]["vocab"]
            content["model"]["vocab"] = {token: i for token, i in vocabulary.items() if token not in unused}
            content["added_tokens"] = [token for token in content["added_tokens"] if token["content"] not in unused]
            tokenizer._tokenizer = Tokenizer.from_str(json.dumps(content))
        return tokenizer

    def end_ids(self) -> list[int]:
        """Ids that end a turn or a text: the file's own first, then those of the chat formats that it holds."""
        tokens: list[str] = self._field("tokenizer.ggml.tokens")
        types = self._field("tokenizer.ggml.token_type") or [3] * len(tokens)
        named = [self._field(f"tokenizer.ggml.{name}_token_id") for name in ("eos", "eot")]
        known = {token: i for i, token in enumerate(tokens) if token in _ENDS and types[i] == 3}
        found = [*(int(i) for i in named if i is not None), *(known[token] for token in _ENDS if token in known)]
        return list(dict.fromkeys(found))

    # ---- the model ---------------------------------------------------------------------------------------------------

    def config(self) -> Any:
        """The transformers configuration."""
        from transformers import AutoConfig

        config = AutoConfig.from_pretrained(self.path.parent, gguf_file=self.path.name)
        if hasattr(config, "quantization_config"):
            del config.quantization_config
        return config

    @property
    def parameters(self) -> int:
        """How many numbers the tensors hold."""
        return sum(int(tensor.n_elements) for tensor in self._reader.tensors)

    def tensors(self, model: Any) -> Iterator[tuple[str, Any]]:
        """Every tensor of `model` (which may lie on torch's meta device) by its name there, as float32.

        Raises UserError where one is missing or has another shape.
        """
        import numpy as np
        import torch
        from gguf import dequantize
        from transformers.modeling_gguf_pytorch_utils import (
            TENSOR_PROCESSORS,
            TensorProcessor,
            get_gguf_hf_weights_map,
        )

        processor = TENSOR_PROCESSORS.get(self.architecture, TensorProcessor)(config=model.config.to_dict())
        names = get_gguf_hf_weights_map(model, processor)
        shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
        gathered: dict[str, Any] = {"tensors": {}}  # of processors that make one tensor of several
        missing = set(shapes)

        def checked(name: str, value: Any) -> tuple[str, Any]:
            if name in shapes and tuple(value.shape) != shapes[name]:
                raise UserError(
                    f"{self.path}: {name} has the shape {tuple(value.shape)}, the configuration says {shapes[name]}"
                )
            missing.discard(name)
            return name, value

        for tensor in self._reader.tensors:
            rows = tensor.data if tensor.data.ndim > 1 else tensor.data[np.newaxis]
            # A part of the rows at a time: dequantising takes several times the memory of what it returns.
            size = max(1, _PART // max(1, int(tensor.n_elements) // len(rows)))
            parts = [dequantize(rows[i : i + size], tensor.tensor_type) for i in range(0, len(rows), size)]
            weights = np.concatenate(parts) if len(parts) > 1 else parts[0]
            del parts
            found = processor.process(
                weights=weights if tensor.data.ndim > 1 else weights[0],
                name=tensor.name,
                tensor_key_mapping=names,
                parsed_parameters=gathered,
            )
            if found.name in names:
                yield checked(names[found.name], torch.from_numpy(np.require(found.weights, requirements=["C", "W"])))
        for name, value in gathered["tensors"].items():
            yield checked(name, value.float())
        # What the configuration ties to the embedding, or is computed at start, is in no file.
        tied = {"lm_head.weight"} if model.config.tie_word_embeddings else set()
        if missing := {name for name in missing - tied if not name.endswith("inv_freq")}:
            raise UserError(f"{self.path} holds no tensor for {min(missing)} ({len(missing)} missing)")


def _pre_tokenizer(words: str) -> Any:
    """How text is cut before byte-pair merges: at digits, then as GPT-2 does; or by a pattern of GPT-4's kind."""
    from tokenizers import Regex
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence, Split

    if words == "gpt2":
        return ByteLevel(add_prefix_space=False, use_regex=True)
    if words == "digits":
        return Sequence([Digits(individual_digits=True), ByteLevel(add_prefix_space=False, use_regex=True)])
    pattern = Regex(_GPT4_WORDS.replace("DIGITS", words))
    return Sequence([Split(pattern, "isolated"), ByteLevel(add_prefix_space=False, use_regex=False)])


# The names that GGUF files give to pre-tokenizers (llama.cpp, src/llama-vocab.cpp): normaliser, and how words are cut.
_PRE: Final[dict[str | None, tuple[str | None, str]]] = {
    "gpt-2": (None, "gpt2"),
    "smollm": (None, "digits"),
    "qwen2": ("NFC", ""),  # one digit a word
    "llama-bpe": (None, "{1,3}"),
}
