"""What a policy and an adapter name, and what is said of those that name nothing."""

import asyncio
import shutil
from pathlib import Path

import pytest

from data.errors import UserError
from reasoning.engine import models, open_engine
from reasoning.engine.models import ModelRef, resolve


@pytest.mark.parametrize("policy", [None, "", "embedded"])
def test_no_policy_is_the_embedded_model(policy: str | None) -> None:
    assert resolve(policy) == ModelRef("smollm2-135m", "catalogue")
    assert resolve(policy, "none") == resolve(policy, "") == resolve(policy)


@pytest.mark.parametrize(
    ("policy", "name", "url"),
    [
        ("m@http://localhost:8000/v1", "m", "http://localhost:8000/v1"),
        ("m@http://localhost:8000", "m", "http://localhost:8000/v1"),
        ("m@http://localhost:8000/", "m", "http://localhost:8000/v1"),
        ("org/m@https://host/llm/v1/", "org/m", "https://host/llm/v1"),
        ("user@org@http://[::1]:1/v1", "user@org", "http://[::1]:1/v1"),
    ],
)
def test_a_server_is_a_name_at_an_address(policy: str, name: str, url: str) -> None:
    assert resolve(policy) == ModelRef(name, "server", url=url)


def test_a_folder_comes_before_a_hub_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve("org/model") == ModelRef("org/model", "hub")
    folder = tmp_path / "org" / "model"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    assert resolve("org/model") == ModelRef("org/model", "local", path=Path("org/model"))
    assert models.folder(resolve("org/model")) == Path("org/model")


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        ("gpt", "no such folder"),
        ("./no/such", "no such folder"),
        ("a/b/c", "no such folder"),
        ("../../no-such", "no such folder"),
        ("http://localhost:8000/v1", "write NAME@http://localhost:8000/v1"),
        ("@http://localhost:8000/v1", "written NAME@"),
        ("m@http://", "written NAME@"),
        ("m@http://host:99999/v1", "written NAME@"),
        ("m@httpx://host/v1", "written NAME@"),
        ("m@http://ho\x00st/v1", "written NAME@"),
    ],
)
def test_a_policy_that_names_nothing_is_one_line(policy: str, says: str) -> None:
    with pytest.raises(UserError, match=says) as caught:
        resolve(policy)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_no_model_says_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a model folder"):
        resolve(str(tmp_path))
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match=f"--adapter {tmp_path}"):
        resolve(str(tmp_path))


def test_an_adapter_goes_with_models_on_this_machine_only(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    (tmp_path / "adapter_model.safetensors").write_bytes(b"")
    assert resolve(None, str(tmp_path)).adapter == tmp_path
    for policy in ("toy", "m@http://localhost:8000/v1"):
        with pytest.raises(UserError, match="adapter"):
            resolve(policy, str(tmp_path))
    with pytest.raises(UserError, match="no adapter folder"):
        resolve(None, str(tmp_path / "nowhere"))


def test_a_hub_model_that_cannot_be_had_names_the_ways_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="no hub can be reached") as caught:
        models.folder(resolve("some-org/some-model"))
    assert "\n" not in str(caught.value)


def test_an_engine_opens_by_name_and_refuses_what_it_does_not_know() -> None:
    async def run() -> None:
        engine = await open_engine("toy")
        assert engine.name == "toy"
        await engine.close()
        with pytest.raises(UserError, match="choose one of auto, vllm, transformers"):
            await open_engine(backend="tensorrt")
        with pytest.raises(UserError, match="no option 'block_size'"):
            await open_engine(backend="transformers", options={"block_size": "32"})

    asyncio.run(run())


@pytest.mark.engine
def test_on_a_cpu_an_adapter_is_merged_and_then_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.reasoning.engine.test_adapters import lora

    base = models.folder(models.resolve("smollm2-135m"))
    adapter = lora(base, tmp_path / "adapter", scale=0.1)
    monkeypatch.setenv("STEPSOLVER_CACHE", str(tmp_path / "cache"))

    async def run() -> None:
        values = []
        for chosen in (None, str(adapter)):
            engine = await open_engine(
                str(base), adapter=chosen, backend="transformers", options={"device": "cpu", "dtype": "float32"}
            )
            assert engine.name == str(base)
            prompt = engine.tokenizer.encode("One, two, three,")
            (value,), _ = await engine.next_token_logprobs(prompt, engine.tokenizer.encode(" four")[:1])
            values.append(value)
            await engine.close()
        assert abs(values[0] - values[1]) > 0.1

    try:
        asyncio.run(run())
        assert list((tmp_path / "cache" / "merged").glob("[!.]*"))
    finally:
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)  # half a gigabyte that pytest would keep
