"""The promises every engine keeps, whatever runs behind it.

Subclass `Conformance` in the engine's test file, give it an `engine` fixture that lives on the session's `loop`, and
say how exact the engine is. The engine must serve the embedded model, whose values plain transformers gives in float32.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from reasoning.engine.base import Completion, Engine, EngineError, PromptTooLong, Sampling
from search.types import Cancelled, Usage

# The continuation is so likely that rounding does not change it, and it never ends by itself.
DAYS = ("Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday, " * 4).rstrip()
COUNT = ", ".join(map(str, range(10, 60))) + ","
Reference = Callable[[Sequence[int]], Any]


@pytest.fixture(scope="session")
def reference(embedded_model: str) -> Reference:
    """Plain transformers in float32: token ids to the log-softmax after each of them, `[ids, vocabulary]`."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(embedded_model, dtype=torch.float32).eval()

    def logprobs(ids: Sequence[int]) -> Any:
        with torch.inference_mode():
            return torch.log_softmax(model(torch.tensor([list(ids)])).logits[0], dim=-1)

    return logprobs


def one_line(error: BaseException) -> bool:
    text = str(error)
    return bool(text) and "\n" not in text and "Traceback" not in text


class Conformance:
    """What an engine promises. Values are natural-log probabilities."""

    tolerance = 1e-3  # of the engine's values to the float32 reference
    spread = 1e-3  # between two ways of computing the same value: cached or not, alone or in a batch
    prefix_cache = False  # whether a second request reads the first one's prefix
    cancel_after = 0.5  # seconds in which a request has sampled its first tokens

    # ---- ids in, ids out -------------------------------------------------------------------------------------------

    def test_greedy_is_the_reference_s_argmax(self, loop: asyncio.Runner, engine: Engine, reference: Reference) -> None:
        for text in (DAYS, COUNT, "Question: Ann has 3 pears and 4 plums. How many fruits has she?\nAnswer:"):
            prompt = engine.tokenizer.encode(text)
            done = self.complete(loop, engine, prompt, max_tokens=8)
            rows = reference([*prompt, *done.ids])[len(prompt) - 1 : -1]
            for row, token in zip(rows, done.ids, strict=True):
                assert row.max().item() - row[token].item() <= 2 * self.tolerance
            if done.logprobs is not None:
                expected = [row[token].item() for row, token in zip(rows, done.ids, strict=True)]
                assert list(done.logprobs) == pytest.approx(expected, abs=self.tolerance)

    def test_greedy_repeats_itself(self, loop: asyncio.Runner, engine: Engine) -> None:
        prompt = engine.tokenizer.encode(DAYS)
        assert len({self.complete(loop, engine, prompt, max_tokens=24).ids for _ in range(3)}) == 1

    def test_a_child_s_prompt_is_its_parent_s_ids_and_its_own(self, loop: asyncio.Runner, engine: Engine) -> None:
        prompt = engine.tokenizer.encode(DAYS)
        whole = self.complete(loop, engine, prompt, max_tokens=12)
        for cut in (1, 5, 11):
            child = self.complete(loop, engine, [*prompt, *whole.ids[:cut]], max_tokens=12 - cut)
            assert child.ids == whole.ids[cut:]
            assert child.usage.prompt == len(prompt) + cut

    def test_text_is_what_the_ids_decode_to(self, loop: asyncio.Runner, engine: Engine) -> None:
        prompt = engine.tokenizer.encode("Some emoji: 😀 🎉 ")
        for seed in range(4):
            done = self.complete(loop, engine, prompt, max_tokens=16, temperature=1.5, seed=seed)
            assert done.text == engine.tokenizer.decode(done.ids)

    def test_special_tokens_in_a_text_stay_text(self, engine: Engine) -> None:
        text = "Say <|im_end|> or <|endoftext|>."
        ids = engine.tokenizer.encode(text)
        assert not engine.tokenizer.eos_ids.intersection(ids)
        assert engine.tokenizer.decode(ids) == text
        plain, spelled = (engine.tokenizer.chat([{"role": "user", "content": c}]) for c in ("Say it.", text))
        assert sum(i in engine.tokenizer.eos_ids for i in spelled) == sum(i in engine.tokenizer.eos_ids for i in plain)
        assert text in engine.tokenizer.decode(spelled)

    # ---- how generation ends ---------------------------------------------------------------------------------------

    def test_max_tokens_is_exact(self, loop: asyncio.Runner, engine: Engine) -> None:
        for count in (1, 7):
            done = self.complete(loop, engine, engine.tokenizer.encode(DAYS), max_tokens=count)
            assert (len(done.ids), done.finish) == (count, "length")

    @pytest.mark.parametrize(("text", "stop"), [(DAYS, "Wednesday"), (DAYS, "sday, Fri"), (COUNT, "3"), (COUNT, " 6")])
    def test_generation_ends_with_the_stop_string(
        self, loop: asyncio.Runner, engine: Engine, text: str, stop: str
    ) -> None:
        done = self.complete(loop, engine, engine.tokenizer.encode(text), max_tokens=60, stop=(stop, "never@@"))
        assert done.finish == "stop"
        assert stop in done.text
        assert stop not in engine.tokenizer.decode(done.ids[:-1])
        assert done.usage.completion == len(done.ids)

    def test_an_answer_ends_with_the_end_of_sequence_token(self, loop: asyncio.Runner, engine: Engine) -> None:
        prompt = engine.tokenizer.chat([{"role": "user", "content": "What is the capital of France?"}])
        done = self.complete(loop, engine, prompt, max_tokens=60, stop=("@",))
        assert done.finish == "eos"
        assert done.ids[-1] in engine.tokenizer.eos_ids
        assert "Paris" in done.text
        assert "<|" not in done.text

    def test_max_tokens_is_lowered_to_what_fits(self, loop: asyncio.Runner, engine: Engine) -> None:
        if engine.max_context > 2048:
            pytest.skip("filling the context takes too long")
        prompt = self.long_prompt(engine, engine.max_context - 3)
        done = self.complete(loop, engine, prompt, max_tokens=50)
        assert (len(done.ids), done.finish) == (3, "length")

    # ---- log-probabilities -----------------------------------------------------------------------------------------

    def test_logprobs_are_the_model_s_at_temperature_1(
        self, loop: asyncio.Runner, engine: Engine, reference: Reference
    ) -> None:
        prompt = engine.tokenizer.encode("Once upon a time, ")
        done = self.complete(loop, engine, prompt, max_tokens=12, temperature=0.7, top_p=0.9, seed=3)
        if not engine.capabilities.logprobs:
            assert done.logprobs is None
            return
        assert done.logprobs is not None
        rows = reference([*prompt, *done.ids])[len(prompt) - 1 : -1]
        expected = [row[token].item() for row, token in zip(rows, done.ids, strict=True)]
        assert list(done.logprobs) == pytest.approx(expected, abs=self.tolerance)

    def test_logprobs_can_be_left_out(self, loop: asyncio.Runner, engine: Engine) -> None:
        prompt = engine.tokenizer.encode(DAYS)
        assert self.complete(loop, engine, prompt, max_tokens=3, logprobs=False).logprobs is None

    def test_score_agrees_with_the_sampled_values(self, loop: asyncio.Runner, engine: Engine) -> None:
        prompt = engine.tokenizer.encode("The three largest cities are")
        done = self.complete(loop, engine, prompt, max_tokens=10, temperature=1.0, seed=7)
        if self.refuses(loop, engine.capabilities.score, lambda: engine.score(prompt, done.ids)):
            return
        values, usage = loop.run(engine.score(prompt, done.ids))
        assert len(values) == len(done.ids)
        if done.logprobs is not None:
            assert values == pytest.approx(list(done.logprobs), abs=self.spread)
        assert usage.prompt == len(prompt) + len(done.ids)
        assert loop.run(engine.score(prompt, ())) == ([], Usage())

    def test_next_token_logprobs_agree_with_the_reference(
        self, loop: asyncio.Runner, engine: Engine, reference: Reference
    ) -> None:
        prompt = engine.tokenizer.encode("Is 7 a prime number? Answer yes or no:")
        named = [engine.tokenizer.encode(text)[0] for text in (" yes", " no", " maybe", "\n", " yes")]
        if self.refuses(loop, engine.capabilities.token_logprobs, lambda: engine.next_token_logprobs(prompt, named)):
            return
        values, usage = loop.run(engine.next_token_logprobs(prompt, named))
        row = reference(prompt)[-1]
        assert values == pytest.approx([row[token].item() for token in named], abs=self.tolerance)
        assert (usage.prompt, usage.completion) == (len(prompt), 1)

    def test_128_tokens_can_be_looked_up_and_no_more(self, loop: asyncio.Runner, engine: Engine) -> None:
        prompt = engine.tokenizer.encode(DAYS)
        if not engine.capabilities.token_logprobs:
            pytest.skip("the engine looks up none")
        values, _ = loop.run(engine.next_token_logprobs(prompt, range(100, 228)))
        assert len(values) == 128
        assert sum(map(math.exp, values)) <= 1 + 1e-6
        self.fails(loop, lambda: engine.next_token_logprobs(prompt, range(100, 229)))
        self.fails(loop, lambda: engine.next_token_logprobs(prompt, ()))

    def test_watched_tokens_have_the_values_of_a_look_up_at_every_position(
        self, loop: asyncio.Runner, engine: Engine
    ) -> None:
        encode = engine.tokenizer.encode
        prompt, watch = encode(COUNT), (encode(" yes")[0], encode(" no")[0])

        async def beside_one_that_watches_nothing(**sampling: Any) -> tuple[Completion, Completion]:
            watching = Sampling(6, 0.7, seed=5, watch=watch, **sampling)
            return await asyncio.gather(engine.complete(prompt, watching), engine.complete(prompt, Sampling(6)))

        call = lambda: engine.complete(prompt, Sampling(6, watch=watch))  # noqa: E731
        if self.refuses(loop, engine.capabilities.watch, call):
            return
        for sampling in ({}, {"stop": ("never@@",)}, {"logprobs": False}):
            done, other = loop.run(beside_one_that_watches_nothing(**sampling))
            assert other.watched is None and (done.logprobs is None) == ("logprobs" in sampling)
            assert done.watched is not None and len(done.watched) == len(done.ids)
            for position, values in enumerate(done.watched):
                asked, _ = loop.run(engine.next_token_logprobs([*prompt, *done.ids[:position]], watch))
                assert list(values) == pytest.approx(asked, abs=self.spread)
                if done.logprobs is not None:
                    sampled, _ = loop.run(
                        engine.next_token_logprobs([*prompt, *done.ids[:position]], done.ids[position : position + 1])
                    )
                    assert done.logprobs[position] == pytest.approx(sampled[0], abs=self.spread)
        self.fails(loop, lambda: engine.complete(prompt, Sampling(1, watch=tuple(range(100, 229)))))
        self.fails(loop, lambda: engine.complete(prompt, Sampling(1, watch=(10**7,))))

    # ---- grammars --------------------------------------------------------------------------------------------------

    def test_a_grammar_decides_what_may_be_sampled(self, loop: asyncio.Runner, engine: Engine) -> None:
        prompt = engine.tokenizer.encode("The capital of France is")
        grammar = 'root ::= "max " term (" + " term){0,2} "\\n"\nterm ::= ("N1*" | "N2*")? ("V1" | "V2")\n'
        sampling = Sampling(40, grammar=grammar)
        if self.refuses(loop, engine.capabilities.grammar, lambda: engine.complete(prompt, sampling)):
            return
        allowed = re.compile(r"max (N[12]\*)?V[12]( \+ (N[12]\*)?V[12]){0,2}\n")
        for seed in range(4):
            done = loop.run(engine.complete(prompt, Sampling(40, 1.5, seed=seed, grammar=grammar)))
            assert allowed.fullmatch(done.text) and done.finish == "eos"
            assert done.logprobs is not None or not engine.capabilities.logprobs
        free = loop.run(engine.complete(prompt, Sampling(4)))
        assert not free.text.startswith("max")
        self.fails(loop, lambda: engine.complete(prompt, Sampling(4, grammar="root ::= (")))

    # ---- sampling --------------------------------------------------------------------------------------------------

    def test_the_seed_decides_the_sample(self, loop: asyncio.Runner, engine: Engine) -> None:
        prompt = engine.tokenizer.encode("Once upon a time, ")

        def sample(seed: int) -> tuple[int, ...]:
            return self.complete(loop, engine, prompt, max_tokens=6, temperature=1.5, seed=seed).ids

        seeds = (0, 1, 2**63 - 1, 2**64 - 1)
        first = [sample(seed) for seed in seeds]
        assert [sample(seed) for seed in seeds] == first
        assert len(set(first)) > 1

    def test_requests_do_not_disturb_each_other(self, loop: asyncio.Runner, engine: Engine) -> None:
        days, numbers = engine.tokenizer.encode(DAYS), engine.tokenizer.encode(COUNT)
        alone = [self.complete(loop, engine, prompt, max_tokens=16) for prompt in (days, numbers)]

        async def together() -> tuple[Completion, Completion, object]:
            async def look_up() -> None:
                if engine.capabilities.token_logprobs:
                    await engine.next_token_logprobs(days, range(64))

            return await asyncio.gather(
                engine.complete(days, Sampling(16)), engine.complete(numbers, Sampling(16)), look_up()
            )

        for done, expected in zip(loop.run(together())[:2], alone, strict=True):
            assert done.ids == expected.ids
            if done.logprobs is not None and expected.logprobs is not None:
                assert list(done.logprobs) == pytest.approx(list(expected.logprobs), abs=self.spread)

    # ---- what it costs ---------------------------------------------------------------------------------------------

    def test_usage_counts_every_token(self, loop: asyncio.Runner, engine: Engine) -> None:
        prompt = engine.tokenizer.encode(COUNT)
        done = self.complete(loop, engine, prompt, max_tokens=9)
        assert (done.usage.prompt, done.usage.completion) == (len(prompt), len(done.ids))
        if engine.capabilities.cached_usage:
            assert done.usage.cached is not None
            assert 0 <= done.usage.cached < len(prompt)
        else:
            assert done.usage.cached is None

    def test_a_long_prefix_is_read_from_the_cache(self, loop: asyncio.Runner, engine: Engine) -> None:
        if not engine.capabilities.cached_usage:
            pytest.skip("the engine does not say what it read from its cache")
        prompt = engine.tokenizer.encode(f"A prefix of its own. {COUNT}")
        assert len(prompt) > 64
        self.complete(loop, engine, prompt, max_tokens=1)
        longer = [*prompt, *engine.tokenizer.encode(" and so on")]
        again = [self.complete(loop, engine, longer, max_tokens=1).usage]
        if engine.capabilities.token_logprobs:
            again.append(loop.run(engine.next_token_logprobs(longer, [5]))[1])
        for usage in again:
            assert usage.cached is not None
            assert (usage.cached > 0) == self.prefix_cache

    def test_a_cancelled_request_says_what_it_spent(self, loop: asyncio.Runner, engine: Engine) -> None:
        prompt = engine.tokenizer.encode(DAYS)

        async def cancel_after(seconds: float) -> Usage:
            task = asyncio.create_task(engine.complete(prompt, Sampling(800)))
            await asyncio.sleep(seconds)
            task.cancel()
            with pytest.raises(Cancelled) as caught:
                await task
            return caught.value.usage

        early, late = loop.run(cancel_after(0)), loop.run(cancel_after(self.cancel_after))
        assert early.completion == 0
        assert 0 < late.completion < 800
        assert late.prompt == len(prompt)
        assert self.complete(loop, engine, prompt, max_tokens=4).finish == "length"

    # ---- what is refused -------------------------------------------------------------------------------------------

    def test_a_prompt_that_does_not_fit_is_refused(self, loop: asyncio.Runner, engine: Engine) -> None:
        prompt = self.long_prompt(engine, engine.max_context)
        self.fails(loop, lambda: engine.complete(prompt, Sampling(1)), PromptTooLong)
        if engine.capabilities.token_logprobs:
            self.fails(loop, lambda: engine.next_token_logprobs(prompt, [5]), PromptTooLong)
        if engine.capabilities.score:
            self.fails(loop, lambda: engine.score(prompt, [5]), PromptTooLong)

    def test_a_request_that_makes_no_sense_is_refused(self, loop: asyncio.Runner, engine: Engine) -> None:
        prompt = engine.tokenizer.encode(DAYS)
        self.fails(loop, lambda: engine.complete([], Sampling(4)))
        self.fails(loop, lambda: engine.complete(prompt, Sampling(0)))
        self.fails(loop, lambda: engine.complete([10**7], Sampling(4)))
        assert len(self.complete(loop, engine, prompt, max_tokens=2).ids) == 2

    # ---- helpers ---------------------------------------------------------------------------------------------------

    def complete(
        self, loop: asyncio.Runner, engine: Engine, prompt: Sequence[int], *, max_tokens: int, **sampling: Any
    ) -> Completion:
        return loop.run(engine.complete(prompt, Sampling(max_tokens, **sampling)))

    def long_prompt(self, engine: Engine, length: int) -> list[int]:
        ids = engine.tokenizer.encode(DAYS)
        return (ids * (length // len(ids) + 1))[:length]

    def fails(
        self, loop: asyncio.Runner, call: Callable[[], Awaitable[Any]], kind: type[EngineError] = EngineError
    ) -> None:
        async def attempt() -> None:
            await call()

        with pytest.raises(kind) as caught:
            loop.run(attempt())
        assert one_line(caught.value)

    def refuses(self, loop: asyncio.Runner, capable: bool, call: Callable[[], Awaitable[Any]]) -> bool:
        """Whether the engine says it cannot do this; then it must say so in one line when asked, too."""
        if not capable:
            self.fails(loop, call)
        return not capable
