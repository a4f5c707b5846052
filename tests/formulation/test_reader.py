"""Texts read by a model, on an engine whose samples are known."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from data.errors import UserError
from formulation.pipeline import Formulation, formulate
from formulation.ranker import FEATURES, Ranker
from formulation.reader import METHODS, Reader
from reasoning.engine.base import Capabilities, Completion, EngineError, Sampling, Usage
from reasoning.engine.toy import EOS, ByteTokenizer
from tests.formulation.test_votes import NO_BOUND, RIGHT, TEXT, WRONG_GOAL

AGREEING = Ranker({name: 4.0 if name in ("share", "rules_rows") else 0.0 for name in FEATURES}, -2.0)


class Written:
    """An engine that continues every prompt to one of a few texts, the number of the sample says which."""

    name, device, max_context = "written", "none", 2000
    capabilities = Capabilities(score=False)

    def __init__(self, *texts: str) -> None:
        self.tokenizer = ByteTokenizer()
        self.texts = texts
        self.asked: list[str] = []

    async def complete(self, prompt_ids: Sequence[int], sampling: Sampling) -> Completion:
        before = self.tokenizer.decode(prompt_ids).rpartition("Answer:")[2]
        self.asked.append(before)
        fitting = [text for text in self.texts if text.startswith(before)] or [before]
        text = fitting[(sampling.seed or 0) % len(fitting)][len(before) :]
        ids = (*self.tokenizer.encode(text), EOS)
        return Completion(ids, text, tuple(-0.1 for _ in ids), "eos", Usage(len(prompt_ids), 0, len(ids)))

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("method", METHODS)
def test_every_method_reads_what_all_samples_say(method: str) -> None:
    reader = Reader(Written(RIGHT), method=method, samples=4, ranker=AGREEING)
    reading = reader.read(TEXT)
    assert reading.problem is not None and len(reading.problem.constraints) == 2
    assert reading.models[0].found.share == 1 and reading.failed == 0
    assert reading.samples == (1 if method == "one-step" else 4)
    assert reading.usage.completion == reading.samples * (len(RIGHT) + 1)
    reader.close()


def test_votes_find_the_majority_and_search_reads_again() -> None:
    engine = Written(RIGHT, NO_BOUND, WRONG_GOAL)
    with Reader(engine, method="vote", samples=12) as reader:
        shares = [one.found.share for one in reader.read(TEXT).models]
        assert shares == sorted(shares, reverse=True) and len(shares) > 1
    with Reader(engine, method="search", samples=12, ranker=AGREEING) as reader:
        reading = reader.read(TEXT)
    assert [one.confidence for one in reading.models] == sorted((x.confidence for x in reading.models), reverse=True)
    assert any(one.found.of("rules") for one in reading.models)
    assert any(before.startswith("var") for before in engine.asked)  # a phase, or a line read again


def test_the_seed_and_the_name_fix_the_reading() -> None:
    async def read(name: str, seed: int) -> list[float]:
        engine = Written(RIGHT, NO_BOUND, WRONG_GOAL)
        async with Reader(engine, method="vote", samples=8, seed=seed) as reader:
            return [one.found.share for one in (await reader.aread(TEXT, name)).models]

    async def all_of(*given: tuple[str, int]) -> list[list[float]]:
        return list(await asyncio.gather(*(read(*one) for one in given)))

    first, again, *others = asyncio.run(all_of(("a", 0), ("a", 0), *(("a", seed) for seed in range(1, 9))))
    assert first == again
    assert any(one != first for one in others)


@pytest.mark.parametrize("junk", ["", "no draft at all", "var int desks\nmax V7\n", "\x00" * 50, "var int x\n" * 300])
def test_what_is_no_draft_gives_no_model(junk: str) -> None:
    with Reader(Written(junk), method="vote", samples=3) as reader:
        reading = reader.read(TEXT)
    assert reading.problem is None and reading.models == () and reading.failed == reading.samples
    with Reader(Written(junk), method="search", samples=3, ranker=AGREEING) as reader:
        (of_rules,) = reader.read(TEXT).models
    assert of_rules.found.of("rules") and of_rules.found.share == 0


def test_a_text_that_does_not_fit_is_refused_in_one_line() -> None:
    with Reader(Written(RIGHT)) as reader, pytest.raises(UserError, match=r"^the text takes \d+ tokens and the model"):
        reader.read(TEXT * 20)


class Broken(Written):
    """Answers the first requests only."""

    async def complete(self, prompt_ids: Sequence[int], sampling: Sampling) -> Completion:
        if len(self.asked) >= int(self.texts[1]):
            raise EngineError("the server at http://m answered 500")
        return await super().complete(prompt_ids, sampling)


def test_a_model_that_never_answers_is_an_error_and_not_a_reading_by_rules() -> None:
    with (
        Reader(Broken(RIGHT, "0"), ranker=AGREEING, samples=3) as reader,
        pytest.raises(EngineError, match=r"^the model wrote no draft: the server at http://m answered 500$"),
    ):
        reader.read(TEXT)


def test_a_model_that_answers_once_has_read_the_text() -> None:
    with Reader(Broken(RIGHT, "1"), ranker=AGREEING, samples=3) as reader:
        found = reader.read(TEXT)
    assert found.samples == 1 and found.problem is not None


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"method": "guess"}, "no method 'guess'"),
        ({"samples": 0}, "samples must be at least 1"),
        ({"temperature": -1}, "temperature must be from 0 to 2"),
        ({"format": "xml"}, "no format 'xml'"),
    ],
)
def test_mistakes_are_told_at_once(wrong: dict, told: str) -> None:
    with pytest.raises(UserError, match=told):
        Reader(Written(RIGHT), **wrong)


# ---- the whole pipeline ----------------------------------------------------------------------------------------------


def read(engine: Written, text: str = TEXT, **settings: object) -> Formulation:
    with Reader(engine, ranker=AGREEING, samples=6, **settings) as reader:
        return formulate(text, reader=reader)


def test_a_text_read_by_a_model_is_solved_and_explained() -> None:
    found = read(Written(RIGHT))
    assert found.complete and found.confidence > 0.5
    assert found.solve().objective == 1350
    report = found.report
    assert "How sure" in report and "4*desks + 3*chairs <= 120" in report
    plain = found.plain(found.solve())
    assert plain["confidence"] == found.confidence and plain["status"] == "optimal"


def test_what_a_model_left_out_is_told() -> None:
    found = read(Written(NO_BOUND), method="vote")
    assert not found.complete
    assert [one.sentence for one in found.notes if one.topic == "number"] == ["no statement uses '5'"]


def test_rivals_are_told_apart_in_words() -> None:
    found = read(Written(RIGHT, NO_BOUND), method="vote")
    told = [one.sentence for one in found.rivals]
    assert len(told) == 1 and told[0].startswith("only the ") and "desks >= 5" in told[0]


def test_a_doubtful_reading_is_not_complete() -> None:
    unsure = Ranker(dict.fromkeys(FEATURES, 0.0), -3.0)
    with Reader(Written(RIGHT), ranker=unsure, samples=2) as reader:
        found = formulate(TEXT, reader=reader)
    assert not found.complete and any(one.topic == "reading" and "doubtful" in one.sentence for one in found.notes)


def test_another_language_gives_no_model_whatever_was_written() -> None:
    german = (
        "Eine Werkstatt baut Tische und Stühle. Ein Tisch braucht 4 Stunden und ein Stuhl 3 Stunden, und es gibt 120 "
        "Stunden. Es müssen mindestens 5 Tische gebaut werden. Ein Tisch bringt 45 und ein Stuhl 30 Euro ein."
    )
    found = read(Written(RIGHT), german, method="vote")
    assert found.obstacle and found.alternatives == ()


def test_without_any_model_the_rules_say_why() -> None:
    found = read(Written("nothing"), method="vote")
    assert found.reading is found.by_model.rules
