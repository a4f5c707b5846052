"""An engine that says what a test tells it to, over a tokenizer whose tokens may hold several characters."""

from collections.abc import Sequence

from reasoning.engine.base import Capabilities, Completion, EngineError, Sampling
from search.types import Usage

VOCABULARY = ["\n\n", "=-", ">>", "<<", "####", *(chr(c) for c in range(10, 127))]
EOS = len(VOCABULARY)


class GreedyTokenizer:
    """The longest vocabulary entry first; `=-` is one token, as in real vocabularies."""

    checksum = "9" * 16
    eos_ids = frozenset({EOS})
    bos_ids: tuple[int, ...] = ()

    def encode(self, text: str) -> list[int]:
        ids = []
        while text:
            index, piece = next((i, v) for i, v in enumerate(VOCABULARY) if text.startswith(v))
            ids.append(index)
            text = text[len(piece) :]
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(VOCABULARY[i] for i in ids if i != EOS)

    def chat(self, messages):
        raise EngineError("no chat template")


class ScriptedEngine:
    """Answers the k-th request with the k-th text; `<eos>` at its end is the end-of-sequence token.

    Of watched tokens the first has the log-probability 0 at every position, the others minus a tenth of the position.
    """

    name, device, max_context = "scripted", "none", 10_000
    capabilities = Capabilities(watch=True)

    def __init__(self, *texts: str) -> None:
        self.texts = list(texts)
        self.prompts: list[tuple[int, ...]] = []
        self.samplings: list[Sampling] = []
        self.tokenizer = GreedyTokenizer()

    async def complete(self, prompt_ids, sampling):
        self.prompts.append(tuple(prompt_ids))
        self.samplings.append(sampling)
        text = self.texts.pop(0)
        eos = text.endswith("<eos>")
        ids = self.tokenizer.encode(text.removesuffix("<eos>")) + [EOS] * eos
        finish = "eos" if eos else "stop" if any(s in text for s in sampling.stop) else "length"
        if len(ids) > sampling.max_tokens:
            ids, finish = ids[: sampling.max_tokens], "length"
        usage = Usage(len(prompt_ids), 0, len(ids))
        watched = tuple((0.0, *(-i / 10,) * (len(sampling.watch) - 1)) for i in range(len(ids)))
        return Completion(
            tuple(ids), self.tokenizer.decode(ids), (-0.5,) * len(ids), finish, usage,
            watched if sampling.watch else None,
        )  # fmt: skip

    async def next_token_logprobs(self, prompt_ids, token_ids):
        self.prompts.append(tuple(prompt_ids))
        return [-1.0 - i for i in range(len(token_ids))], Usage(len(prompt_ids), 0, 1)
