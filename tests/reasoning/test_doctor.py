"""The doctor's report: what is there, what is missing, and whether the main job could run."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from reasoning import doctor


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "gsm8k").mkdir()
    (tmp_path / "gsm8k" / "test.jsonl").write_text('{"question": "1+1?", "answer": "#### 2"}\n')
    return tmp_path


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("STEPSOLVER_DATA", raising=False)


def report(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    code = doctor.main([*arguments, "--json"])
    said = json.loads(capsys.readouterr().out)
    assert said["ready"] == (code == 0)
    return code, said


def missing(said: dict[str, Any], topic: str) -> list[dict[str, Any]]:
    return [f for f in said["findings"] if f["topic"] == topic and not f["ok"]]


def test_with_a_model_and_data_the_main_job_could_run(capsys: pytest.CaptureFixture[str], data: Path) -> None:
    code, said = report(capsys, "--policy", "toy", "--data-dir", str(data))
    assert code == 0
    assert {f["topic"] for f in said["findings"]} == {"python", "packages", "device", "model", "data"}
    assert any(f["text"] == "gsm8k: test" for f in said["findings"])
    (other,) = missing(said, "data")
    assert "math500" in other["text"] and not other["needed"]


def test_what_is_missing_says_what_to_do(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, said = report(capsys, "--policy", "toy", "--data-dir", str(tmp_path))
    assert code == 1
    gsm8k = missing(said, "data")[0]
    assert gsm8k["needed"] and "STEPSOLVER_DATA" in gsm8k["todo"] and "rg:gsm_symbolic" in gsm8k["todo"]
    code, said = report(capsys, "--data-dir", str(tmp_path / "nowhere"))
    assert code == 1 and "not a directory" in missing(said, "data")[0]["todo"]


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        ("nonsense", "no such folder"),
        ("some-org/some-model", "let the hub be reached"),
        ("m@http://127.0.0.1:1/v1", "start the server"),
    ],
)
def test_a_model_that_cannot_be_had_is_not_ready(
    capsys: pytest.CaptureFixture[str], data: Path, policy: str, says: str
) -> None:
    code, said = report(capsys, "--policy", policy, "--data-dir", str(data))
    assert code == 1
    (model,) = missing(said, "model")
    assert says in model["todo"]


def test_the_report_is_text_with_a_verdict(capsys: pytest.CaptureFixture[str], data: Path) -> None:
    assert doctor.main(["--policy", "nonsense", "--data-dir", str(data)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("not ready")
    assert any(line.startswith("model     NO") for line in lines)


def test_it_is_quick_and_imports_nothing_heavy(data: Path) -> None:
    code = (
        f"import sys; from reasoning import doctor; doctor.main(['--data-dir', {str(data)!r}]); "
        "print(sorted({'torch', 'transformers', 'vllm', 'datasets'} & set(sys.modules)), file=sys.stderr)"
    )
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    assert done.stderr.strip() == "[]"
    assert time.monotonic() - begin < 10
