"""The plain transformers engine keeps every engine's promises, exactly."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from reasoning.engine.base import EngineError, Sampling
from reasoning.engine.transformers_engine import TransformersEngine, open_transformers
from tests.reasoning.engine.conformance import DAYS, Conformance, one_line, reference

__all__ = ["reference"]

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def transformers_engine(loop: asyncio.Runner, embedded_model: str) -> Iterator[TransformersEngine]:
    engine = open_transformers(embedded_model, device="cpu")
    yield engine
    loop.run(engine.close())


class TestTransformers(Conformance):
    cancel_after = 1.5

    @pytest.fixture
    def engine(self, transformers_engine: TransformersEngine) -> TransformersEngine:
        return transformers_engine


def test_top_p_keeps_the_smallest_set_that_holds_it(
    loop: asyncio.Runner, transformers_engine: TransformersEngine
) -> None:
    prompt = transformers_engine.tokenizer.encode("Once upon a time, ")
    greedy = loop.run(transformers_engine.complete(prompt, Sampling(8)))
    narrow = loop.run(transformers_engine.complete(prompt, Sampling(8, temperature=1.0, top_p=1e-6, seed=1)))
    assert narrow.ids == greedy.ids


def test_an_adapter_that_changes_nothing_changes_nothing(
    loop: asyncio.Runner, embedded_model: str, tmp_path: Path, transformers_engine: TransformersEngine
) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = get_peft_model(AutoModelForCausalLM.from_pretrained(embedded_model), LoraConfig(r=2, task_type="CAUSAL_LM"))
    model.save_pretrained(tmp_path)
    engine = open_transformers(embedded_model, adapter=tmp_path, device="cpu")
    prompt = engine.tokenizer.encode(DAYS)
    plain, adapted = (loop.run(e.complete(prompt, Sampling(4))) for e in (transformers_engine, engine))
    assert adapted.ids == plain.ids
    loop.run(engine.close())


def test_a_closed_engine_says_so(loop: asyncio.Runner, embedded_model: str) -> None:
    engine = open_transformers(embedded_model, device="cpu")
    loop.run(engine.close())
    loop.run(engine.close())
    with pytest.raises(EngineError, match="closed"):
        loop.run(engine.complete([5], Sampling(1)))


def test_a_model_that_cannot_be_loaded_is_one_line(tmp_path: Path, embedded_model: str) -> None:
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((Path(embedded_model) / name).read_bytes())
    for model, options in ((str(tmp_path), {}), (str(tmp_path / "none"), {}), (embedded_model, {"dtype": "float3"})):
        with pytest.raises(EngineError) as caught:
            open_transformers(model, device="cpu", **options)
        assert one_line(caught.value)
