"""The embedded model's default adapter: when it is used, and how a run tells of it."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from data.errors import UserError
from reasoning import Solver, adapters
from reasoning.adapters import label, shipped
from reasoning.engine import open_engine
from reasoning.engine.adapters import check_base, fingerprint
from reasoning.engine.toy import ToyEngine
from reasoning.solve import _policy


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shipped adapter that gives its value at each step's border."""
    folder = tmp_path / "adapters" / "small-math"
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    value = {"position": "border", "good": " yes", "bad": " no"}
    (folder / "stepsolver.json").write_text(json.dumps({"profile": "lines-zero-shot", "value": value}))
    monkeypatch.setattr(adapters, "EMBEDDED", folder)
    return folder


def test_the_embedded_model_has_one_for_all_tasks_with_numbers(there: Path) -> None:
    small = "smollm2-135m"
    assert shipped(small, "gsm8k") == shipped(small, "rg:gsm_symbolic") == shipped(small, "sums.jsonl") == there
    assert shipped(small, "math500") is None
    for policy in ("toy", "org/model", "m@http://localhost:8000/v1", "qwen2.5-coder-1.5b"):
        assert shipped(policy, "gsm8k") is None
    (there / "adapter_model.safetensors").unlink()
    assert shipped(small, "gsm8k") is None


def test_a_solver_takes_it_unless_told_otherwise(there: Path, tmp_path: Path) -> None:
    told = Solver("gsm8k").describe()
    assert told["adapter"].startswith("shipped adapter small-math (")
    assert told["reward"] == "own-value"
    assert _policy(told) == f"smollm2-135m + {told['adapter']}"
    for settings in ({"adapter": "none"}, {"task": "math500"}, {"policy": "toy"}, {"policy": ToyEngine()}):
        told = Solver(**{"task": "gsm8k", **settings}).describe()
        assert told["adapter"] is None
        assert told["reward"] == "logprob"
        assert _policy(told) == told["policy"]
    other = shutil.copytree(there, tmp_path / "other")
    told = Solver("gsm8k", adapter=str(other), reward="logprob").describe()
    assert (told["adapter"], told["reward"]) == (str(other), "logprob")
    assert _policy(told) == f"smollm2-135m + adapter {other}"


def test_a_run_is_not_continued_with_another_version_s_adapter(there: Path) -> None:
    first = label(str(there))
    assert label(str(there)) == first
    (there / "adapter_model.safetensors").write_bytes(b"other weights")
    assert label(str(there)) != first


def test_an_engine_takes_no_adapter_by_itself(there: Path) -> None:
    from reasoning.engine.models import resolve

    assert resolve(None).adapter is None


def test_an_adapter_of_another_base_is_refused_when_the_engine_opens(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    base, lora = tmp_path / "base", tmp_path / "lora"
    base.mkdir()
    lora.mkdir()
    (base / "config.json").write_text('{"model_type": "llama", "hidden_size": 2}')
    save_file({"w": torch.ones(2, 2)}, base / "model.safetensors")
    (lora / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    (lora / "adapter_model.safetensors").write_bytes(b"")
    (lora / "stepsolver.json").write_text(json.dumps({"base": "its own", "base_fingerprint": "0" * 16}))
    call = open_engine(str(base), adapter=str(lora), backend="transformers", options={"device": "cpu"})
    with pytest.raises(UserError, match="was trained on its own, not on") as caught:
        asyncio.run(call)
    assert "\n" not in str(caught.value)
    (lora / "stepsolver.json").write_text(json.dumps({"base": "its own", "base_fingerprint": fingerprint(base)}))
    check_base(base, lora)
