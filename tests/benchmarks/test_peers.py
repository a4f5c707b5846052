"""The comparison with other systems: the same requests for the baselines, one judgement for all, errors as rows."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

import pytest

from benchmarks.peers.__main__ import ADAPTERS, correct, main, measure, report, row, run_system
from benchmarks.peers.adapters.common import Job, Server
from benchmarks.peers.adapters.stepsolver_beam import Plain, best, lockstep, together
from benchmarks.peers.environments import InstallError, environment
from benchmarks.peers.server import CHAT, ServerError, Tokens, forget, read, serving
from benchmarks.peers.systems import SYSTEMS, System
from data.records import Problem

PROBLEMS = [Problem(str(i), f"{i} and 3 and 4 and 5", answer=str(i + 12)) for i in range(5)]


def job(url: str = "http://127.0.0.1:1/v1") -> Job:
    return Job(url, "model", "", ["2 and 3"], 4, 2, 6, 8, 80, 480, 0.7, "\nRight? (", 7, 5)


# ---- the baselines ---------------------------------------------------------------------------------------------------


def test_lockstep_and_one_by_one_do_the_same_work_as_together() -> None:
    async def searches() -> list[list[tuple[str, int, int]]]:
        async with Plain(
            method="beam",
            policy="toy",
            reward="self-eval",
            beam_width=3,
            expand=2,
            max_depth=6,
            profile="lines-zero-shot",
        ) as solver:
            ways = [
                await together(solver, PROBLEMS, 5),
                await together(solver, PROBLEMS, 1),
                await lockstep(solver, PROBLEMS),
            ]
            return [
                [(best(solver, t), t.policy_usage.completion, t.reward_usage.completion) for t in trees]
                for trees in ways
            ]

    first, second, third = asyncio.run(searches())
    assert first == second == third
    assert any("####" in text for text, _, _ in first)


def test_lockstep_waits_for_the_slowest_of_a_batch() -> None:
    from reasoning.engine.toy import ToyEngine

    class Counting(ToyEngine):
        def __init__(self) -> None:
            super().__init__(error=0.25, latency=0.0002)
            self.now, self.peaks, self.waves = 0, [], 0

        async def complete(self, prompt_ids, sampling):
            self.waves += self.now == 0
            self.now += 1
            try:
                return await super().complete(prompt_ids, sampling)
            finally:
                self.now -= 1

    async def waves() -> tuple[int, int]:
        engine = Counting()
        settings = {
            "method": "beam",
            "reward": "logprob",
            "beam_width": 2,
            "expand": 2,
            "max_depth": 5,
            "profile": "lines-zero-shot",
        }
        async with Plain(policy=engine, **settings) as solver:
            trees = await lockstep(solver, PROBLEMS)
            depth = max(t.memo["depth"] for t in trees)
        return engine.waves, depth

    assert len(set(asyncio.run(waves()))) == 1  # one wave of samples per depth, over all questions


# ---- what the adapters share -----------------------------------------------------------------------------------------


@contextmanager
def scripted(answers: list[dict], *, closing: bool = False) -> Iterator[tuple[str, list[dict]]]:
    """A server that gives these answers in turn, and what it was asked; `closing` ends each connection unsaid."""
    asked: list[dict] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["content-length"])) or "null"))
            data = json.dumps(answers[len(asked) - 1]).encode()
            self.send_response(200 if "choices" in answers[len(asked) - 1] else 400)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            self.close_connection = closing

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
    finally:
        server.shutdown()
        server.server_close()


def test_the_shared_client_samples_steps_and_judges() -> None:
    top = {"token_id:7": -1.0, "token_id:5": -1.0986122886681098}  # e^-1 against e^-1.0986
    judged = {"choices": [{"logprobs": {"top_logprobs": [top]}}]}
    with scripted([{"choices": [{"text": " a\n"}]}, judged, {"message": "no"}]) as (url, asked):
        server = Server(job(url))
        assert server.step("2 and 3", "") == " a\n"
        value = server.judge("2 and 3", " a\n")
        with pytest.raises(RuntimeError, match="HTTP 400"):
            server.step("2 and 3", "")
    assert value == pytest.approx(0.524633, abs=1e-6)
    assert asked[0]["prompt"] == "Question: 2 and 3\nAnswer:"
    assert (asked[0]["stop"], asked[0]["max_tokens"], asked[0]["temperature"]) == (["\n"], 80, 0.7)
    assert asked[1]["prompt"] == "Question: 2 and 3\nAnswer: a\n\nRight? ("
    assert asked[1]["logprob_token_ids"] == [5, 7]


def test_what_is_too_long_to_be_judged_is_worth_nothing() -> None:
    refused = {"error": {"message": "This model's maximum context length is 2048 tokens."}}
    with scripted([refused, {"message": "no"}]) as (url, _):
        server = Server(job(url))
        assert server.judge("2 and 3", " and so on" * 1000) == 0.0
        with pytest.raises(RuntimeError, match="HTTP 400"):
            server.judge("2 and 3", "")


def test_a_connection_that_the_server_closed_while_it_was_idle_is_made_anew() -> None:
    with scripted([{"choices": [{"text": " a\n"}]}, {"choices": [{"text": " b\n"}]}], closing=True) as (url, asked):
        server = Server(job(url))
        assert [server.step("2 and 3", ""), server.step("2 and 3", " a\n")] == [" a\n", " b\n"]
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("text", "ended"), [(" a\n", False), (" a\n#### 5\n", True), (" a\n\n", True), (" a\nand so on", True)]
)
def test_a_solution_ends_with_its_answer_an_empty_line_or_the_models_end(text: str, ended: bool) -> None:
    assert Server.finished(text) is ended


def test_chat_systems_ask_in_the_same_words_as_the_others() -> None:
    jinja2 = pytest.importorskip("jinja2")
    from reasoning.profiles import get_profile
    from reasoning.tasks.gsm8k import Gsm8k
    from tests.reasoning.scripted_engine import GreedyTokenizer

    tokenizer = GreedyTokenizer()
    prompt = tokenizer.decode(
        get_profile("lines-zero-shot").prompt(Gsm8k(), Problem("p", "2 and 3?"), tokenizer)  # type: ignore[arg-type]
    )
    template = jinja2.Environment().from_string(CHAT.read_text())
    system, user = {"role": "system", "content": "Be kind."}, {"role": "user", "content": "2 and 3?"}
    assert template.render(messages=[user]) == template.render(messages=[system, user]) == prompt
    so_far = {"role": "assistant", "content": " It is\n"}
    assert template.render(messages=[user, so_far]) == f"{prompt} It is\n"
    assert template.render(messages=[user, so_far, user]).count("Question:") == 2


# ---- rows ------------------------------------------------------------------------------------------------------------


def test_tokens_are_the_servers_counters() -> None:
    text = """# HELP vllm:prompt_tokens_total Number of prefill tokens processed.
vllm:prompt_tokens_total{engine="0",model_name="model"} 1000.0
vllm:prompt_tokens_cached_total{engine="0",model_name="model"} 600.0
vllm:prompt_tokens_cached_by_source_total{source="x"} 600.0
vllm:generation_tokens_total{engine="0",model_name="model"} 1.5e+03
vllm:generation_tokens_total{engine="1",model_name="model"} 10
vllm:generation_tokens_created{engine="0"} 1.7e+09
"""
    assert read(text) == Tokens(1000, 600, 1510)
    assert (read(text) - Tokens(100, 50, 10)).computed == 900 - 550 + 1500


def test_a_server_without_these_counters_is_refused() -> None:
    with pytest.raises(ServerError, match="no counter 'prompt_tokens_cached'"):
        read('vllm:prompt_tokens_total{engine="0"} 1\n')


def test_the_prefix_cache_is_emptied_as_soon_as_no_request_is_running() -> None:
    with scripted([{"choices": [], "success": False}, {"choices": [], "success": True}]) as (url, asked):
        forget(url)
        assert len(asked) == 2


def test_a_server_that_has_ended_is_the_systems_error() -> None:
    result, spent = measure(SYSTEMS[0], Path(sys.executable), job(), 60)
    assert result == {"error": "the server does not answer /reset_prefix_cache (ConnectError)"}
    assert spent == Tokens(0, 0, 0)


def test_a_port_that_is_taken_is_not_another_servers(tmp_path: Path) -> None:
    with (
        scripted([]) as (url, _),
        pytest.raises(ServerError, match="is taken: choose another with --port"),
        serving(tmp_path, "model", int(url.split(":")[2].removesuffix("/v1")), tmp_path / "log", []),
    ):
        pass


def test_systems_that_there_are_not_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--systems", "its-hubb"]) == 2
    assert "--systems its-hubb: take some of its-hub, its_hub_beam" in capsys.readouterr().err


def test_the_same_judgement_for_every_system() -> None:
    problem = Problem("p", "?", answer="1200")
    assert correct(problem, " so\n#### $1,200\n")
    assert not correct(problem, " so\n#### 1201\n")
    assert not correct(problem, " it is 1200\n")
    assert not correct(problem, "")


def test_a_row_tells_what_a_system_did_and_spent() -> None:
    told = row(SYSTEMS[0], PROBLEMS[:2], {"texts": ["#### 12\n", "#### 5\n"], "seconds": 2.0, "peak_mib": 50.4},
               Tokens(100, 60, 40))  # fmt: skip
    assert (told["right"], told["seconds"], told["peak MiB"], told["error"]) == ("1 of 2", 2.0, 50, None)
    assert (told["computed"], told["completion/s"], told["computed/s"]) == (80, 20.0, 40.0)


def test_a_system_that_fails_is_a_row_with_its_error(capsys: pytest.CaptureFixture[str]) -> None:
    failed = row(SYSTEMS[-1], PROBLEMS, {"error": "not installed: no wheel"}, Tokens(0, 0, 0))
    assert failed["right"] is None
    report([failed])
    out = capsys.readouterr().out
    assert "error: not installed: no wheel" in out
    assert SYSTEMS[-1].lacks in out


def test_an_adapter_that_cannot_run_gives_its_last_line() -> None:
    missing = System("missing", "its_hub_beam", environment="elsewhere")
    result = run_system(missing, Path(sys.executable), job(), 60)
    assert result == {"error": "ModuleNotFoundError: No module named 'its_hub'"}


@pytest.mark.parametrize(
    ("does", "error"),
    [
        (
            """echo '{"texts": ["a", "b"], "seconds": 1}' > $3""",
            "gave 2 results that are not one text for each question",
        ),
        ("""echo '{"texts": [null], "seconds": 1}' > $3""", "gave 1 results that are not one text for each question"),
        ("echo peer.Error: no model; echo bye; exit 1", "peer.Error: no model"),
        ("echo usage; exit 3", "usage"),
        ("exit 3", "ended with 3"),
        ("echo 5 of 9; kill -9 $$", "ended by signal 9"),
    ],
)
def test_what_a_system_did_wrong_is_its_error(tmp_path: Path, does: str, error: str) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{does}\n")
    python.chmod(0o755)
    assert run_system(System("peer", "x", environment="peer"), python, job(), 60) == {"error": error}


def test_the_peak_memory_is_the_systems_own() -> None:
    ballast = b"x" * (200 << 20)  # of the process that starts it
    says = "from common import peak_mib; print(peak_mib())"
    out = subprocess.run([sys.executable, "-c", says], cwd=ADAPTERS, capture_output=True, text=True, check=True).stdout
    assert 1 < float(out) < 100 < len(ballast) >> 20


def test_an_adapter_that_takes_too_long_is_ended() -> None:
    slow = System("slow", "stepsolver_beam", "together")
    assert run_system(slow, Path(sys.executable), job(), 0.01) == {"error": "not finished after 0 s"}


def test_an_environment_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    wheel = tmp_path / "no_such_wheel-1.0-py3-none-any.whl"
    system = System("peer", "x", environment="peer", install=(("--no-index", str(wheel)),))
    with pytest.raises(InstallError, match="no_such_wheel"):
        environment(system, tmp_path, 120)
    # torch, where a peer needs it, is the build that is here.
    assert (tmp_path / "peer" / "constraints.txt").read_text() == f"torch=={version('torch')}\n"
    with pytest.raises(InstallError, match="not installed within the time limit"):
        environment(system, tmp_path, 0)


def test_a_system_without_an_environment_runs_here(tmp_path: Path) -> None:
    assert environment(SYSTEMS[0], tmp_path, 1) == Path(sys.executable)


def test_adapters_of_peers_are_short_and_all_there() -> None:
    assert {s.environment for s in SYSTEMS if s.environment} == {
        "its-hub",
        "optillm",
        "treequest",
        "llm-reasoners",
        "thinkbooster",
    }
    for system in SYSTEMS:
        script = ADAPTERS / f"{system.script}.py"
        assert script.is_file()
        if system.environment:
            assert len(script.read_text().splitlines()) <= 50


def test_a_job_survives_its_file() -> None:
    assert Job(**json.loads(json.dumps(asdict(job())))) == job()
