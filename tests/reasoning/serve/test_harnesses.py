"""lm-evaluation-harness and Inspect, the real packages, asking the embedded model through the running server.

The commands are those of docs/integrations.md, on fewer questions. The packages come in an environment of their own,
which stands on this one; the tests of `reasoning.integrations`, left out where they are missing, run in it too.
"""

import json
import os
import site
import subprocess
import venv
from pathlib import Path

import httpx
import pytest

from reasoning.integrations.lm_eval import TASKS
from reasoning.tasks.gsm8k import Gsm8k
from reasoning.tasks.rg import GsmSymbolic

from .serving import command

pytestmark = [pytest.mark.full, pytest.mark.engine]

ROOT = Path(__file__).resolve().parents[3]
QUESTIONS = 8
SAMPLED = {"temperature": 0.7, "do_sample": True, "stepsolver": {"n": 4}}


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """The folder of the programs of an environment with both harnesses."""
    folder = tmp_path_factory.mktemp("harnesses")
    venv.create(folder, with_pip=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "below.pth").write_text(
        "".join(f"import site; site.addsitedir({p!r})\n" for p in site.getsitepackages())
    )
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "lm_eval[api]>=0.4.13", "inspect-ai>=0.3.285"], check=True, timeout=900)
    return folder / "bin"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data directory with questions of reasoning-gym in GSM8K's form, and the questions."""
    folder = tmp_path_factory.mktemp("data")
    problems = GsmSymbolic().load("test", data_dir=None, limit=QUESTIONS, offset=0)
    (folder / "gsm8k").mkdir()
    rows = [json.dumps({"question": p.question, "answer": f"#### {p.answer}"}) for p in problems]
    (folder / "gsm8k" / "test.jsonl").write_text("\n".join(rows) + "\n")
    return folder, problems


@pytest.fixture(scope="module")
def address():
    with command() as address:
        yield address


def run(*arguments, **environment):
    done = subprocess.run(
        [str(a) for a in arguments],
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1", **environment},
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def searches(address):
    """How many searches came to an answer, or to none."""
    lines = httpx.get(f"{address}/metrics").text.splitlines()
    counts = {line.split("{")[1].split("}")[0]: float(line.split()[-1]) for line in lines if "searches_total{" in line}
    assert not counts.get('outcome="failed"') and not counts.get('outcome="cancelled"')
    return sum(counts.values())


def right(text, problem):
    marked = text.rpartition("####")[2].strip()
    return "####" in text and Gsm8k().canonical(marked.splitlines()[0] if marked else "") == Gsm8k().canonical(
        problem.answer
    )


@pytest.mark.parametrize(
    ("path", "kind", "more"),
    [
        ("completions", "local-completions", ["--gen_kwargs", json.dumps(SAMPLED)]),
        ("chat/completions", "local-chat-completions", ["--gen_kwargs", json.dumps(SAMPLED), "--apply_chat_template"]),
    ],
)
def test_the_harness_reads_texts_and_chats_of_the_server(programs, data, address, tmp_path, path, kind, more):
    folder, problems = data
    before = searches(address)
    model = (
        f"base_url={address}/v1/{path},model=embedded/best-of-n,tokenizer_backend=none,tokenized_requests=False,"
        "num_concurrent=8,max_retries=1"
    )
    run(
        *(programs / "lm_eval", "run", "--model", kind, "--model_args", model, *more),
        *("--include_path", TASKS, "--tasks", "stepsolver_gsm8k", "--log_samples", "--output_path", tmp_path),
        STEPSOLVER_DATA=str(folder),
    )
    (told,) = tmp_path.rglob("results_*.json")
    results = json.loads(told.read_text())
    (log,) = tmp_path.rglob("samples_*.jsonl")
    samples = sorted((json.loads(line) for line in log.read_text().splitlines()), key=lambda s: s["doc_id"])
    assert [s["doc"]["question"] for s in samples] == [p.question for p in problems]
    texts = [s["resps"][0][0] for s in samples]
    assert all(texts)
    assert not any("\n\n" in text or "\nQuestion:" in text for text in texts)  # the harness's `until`
    share = sum(right(text, p) for text, p in zip(texts, problems, strict=True)) / QUESTIONS
    assert results["results"]["stepsolver_gsm8k"]["exact_match,none"] == share
    assert searches(address) - before == QUESTIONS


def test_inspect_asks_the_server_questions_of_a_task(programs, data, address, tmp_path):
    folder, problems = data
    before = searches(address)
    environment = {"STEPSOLVER_BASE_URL": f"{address}/v1", "STEPSOLVER_API_KEY": "none", "STEPSOLVER_DATA": str(folder)}
    options = {"stepsolver": {"task": "gsm8k", "beam_width": 2, "expand": 2}}
    run(
        *(programs / "inspect", "eval", "stepsolver/gsm8k", "--model", "openai-api/stepsolver/embedded/beam"),
        *("--extra-body", json.dumps(options), "--display", "none", "--log-dir", tmp_path, "--log-format", "json"),
        **environment,
    )
    (path,) = tmp_path.glob("*.json")
    log = json.loads(path.read_text())
    assert log["status"] == "success"
    samples = {s["id"]: s for s in log["samples"]}
    texts = [samples[f"gsm8k/test/{i}"]["output"]["choices"][0]["message"]["content"] for i in range(QUESTIONS)]
    share = sum(right(text, p) for text, p in zip(texts, problems, strict=True)) / QUESTIONS
    (score,) = log["results"]["scores"]
    assert score["metrics"]["accuracy"]["value"] == share
    usage = log["stats"]["model_usage"]["openai-api/stepsolver/embedded/beam"]
    assert usage["output_tokens"] > QUESTIONS
    assert searches(address) - before == QUESTIONS


def test_the_adapters_of_the_harnesses_pass_their_tests(programs):
    said = run(programs / "python", "-m", "pytest", "-p", "no:cacheprovider", "tests/reasoning/integrations", "-rs")
    assert " passed" in said
    assert "skipped" not in said
