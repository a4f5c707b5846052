"""The in-process vLLM engine keeps every engine's promises, starts and dies in one line, and leaves no process."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import make_dataclass
from pathlib import Path

import pytest

from data.errors import UserError
from reasoning.engine import vllm_engine as module
from reasoning.engine.base import EngineError, Sampling
from reasoning.engine.vllm_engine import VllmEngine, open_vllm
from search.types import Usage
from tests.reasoning.engine.conformance import DAYS, Conformance, one_line, reference

__all__ = ["reference"]

ROOT = Path(__file__).parents[3]


@pytest.mark.engine
class TestVllm(Conformance):
    tolerance = 0.25  # bfloat16 weights and activations against float32
    spread = 0.15
    prefix_cache = True

    @pytest.fixture
    def engine(self, vllm_engine: VllmEngine) -> VllmEngine:
        return vllm_engine


@pytest.mark.engine
def test_many_requests_share_their_prompt(loop: asyncio.Runner, vllm_engine: VllmEngine) -> None:
    prompt = vllm_engine.tokenizer.encode(f"Another prefix. {DAYS}")

    async def samples() -> list[Usage]:
        await vllm_engine.complete(prompt, Sampling(1))
        done = [vllm_engine.complete(prompt, Sampling(8, temperature=1.0, seed=seed)) for seed in range(40)]
        return [completion.usage for completion in await asyncio.gather(*done)]

    # Whole blocks of 32 tokens, and at least the last token is computed.
    assert {usage.cached for usage in loop.run(samples())} == {(len(prompt) - 1) // 32 * 32}


@pytest.mark.engine
def test_more_seeded_prompts_at_once_than_fit_one_step(loop: asyncio.Runner, vllm_engine: VllmEngine) -> None:
    """A prompt that vLLM computed in two parts would end the engine."""
    encode = vllm_engine.tokenizer.encode
    prompts = [
        encode(f"{number} and again {number}; " * 200)[:900] for number in range(10)
    ]  # 9,000 tokens, none shared

    async def samples() -> list[int]:
        done = [vllm_engine.complete(p, Sampling(2, temperature=1.0, seed=i)) for i, p in enumerate(prompts)]
        return [len(completion.ids) for completion in await asyncio.gather(*done)]

    assert loop.run(samples()) == [2] * 10


@pytest.mark.engine
@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"max_nun_seqs": "4"}, UserError, "max_num_seqs"),
        ({"model": "other"}, UserError, "--policy"),
        ({"compilation_config": "{mode"}, UserError, "JSON"),
        ({"max_model_len": "99999999"}, EngineError, "max_model_len"),
        ({"dtype": "float99"}, EngineError, "dtype: .*bfloat16"),
    ],
)
def test_an_option_that_cannot_be_is_one_line(
    loop: asyncio.Runner, embedded_model: str, options: dict[str, str], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says) as caught:
        loop.run(open_vllm(embedded_model, options=options))
    assert one_line(caught.value)


@pytest.mark.engine
def test_vllm_leaves_nothing_when_its_parent_is_killed(embedded_model: str) -> None:
    script = """
        engine = await open_vllm(model, options={"max_model_len": "256"})
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        say("ready", *(p.pid for p in multiprocessing.active_children()))
        await asyncio.to_thread(sys.stdin.readline)
        say("alive", len((await engine.complete([5], Sampling(4, stop=("@@",)))).ids))
        await asyncio.sleep(60)
    """
    with running(script, embedded_model) as process:
        processes = descendants(process.pid)
        assert set(map(int, answer(process, "ready"))) <= (processes := descendants(process.pid))
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does; vLLM's processes leave it to us
        time.sleep(1)
        say(process)
        assert answer(process, "alive")
        process.kill()
        assert gone(processes)
        assert process.communicate(timeout=20)[1] == ""  # nothing was ever printed


@pytest.mark.engine
def test_vllm_that_fails_dies_or_is_interrupted_says_so_in_one_line(embedded_model: str, tmp_path: Path) -> None:
    for file in Path(embedded_model).iterdir():
        if file.suffix != ".safetensors":
            (tmp_path / file.name).symlink_to(file)
    with (Path(embedded_model) / "model.safetensors").open("rb") as weights:
        (tmp_path / "model.safetensors").write_bytes(weights.read(1 << 20))
    script = f"""
        async def fails(call):
            try:
                await call
            except EngineError as error:
                return str(error)

        say("torn", await fails(open_vllm({str(tmp_path)!r})))
        engine = await open_vllm(model, options={{"max_model_len": "256"}})
        request = asyncio.create_task(fails(engine.complete([5], Sampling(200))))
        await asyncio.sleep(1)
        for child in multiprocessing.active_children():
            child.kill()
        say("killed", await request)
        say("after", await fails(engine.complete([5], Sampling(4))))
        await engine.close()
        await engine.close()
        say("closed", await fails(engine.complete([5], Sampling(4))))
        asyncio.get_running_loop().call_later(6, say, "starting")
        await open_vllm(model)
    """
    with running(script, embedded_model) as process:
        torn = " ".join(answer(process, "torn"))
        assert "SafetensorError" in torn
        log = re.search(r"log: (\S+)\)", torn)
        assert log is not None
        assert "Traceback" in Path(log[1]).read_text()
        Path(log[1]).unlink()
        assert "vLLM died" in " ".join(answer(process, "killed"))
        assert "vLLM died" in " ".join(answer(process, "after"))
        assert "closed" in " ".join(answer(process, "closed"))
        assert answer(process, "starting") == []
        processes = descendants(process.pid)
        assert len(processes) > 1
        os.killpg(process.pid, signal.SIGINT)
        # Python itself may note a semaphore of the process that was killed above.
        assert "Traceback" not in process.communicate(timeout=30)[1]
        assert process.returncode == 130
        assert gone(processes)


# ---- pure parts ----------------------------------------------------------------------------------------------------


def test_options_are_typed() -> None:
    text = {"max-num-seqs": "8", "enforce_eager": "True", "revision": "17", "hf_overrides": '{"layers": 2}'}
    expected = {"max_num_seqs": 8, "enforce_eager": True, "revision": "17", "hf_overrides": {"layers": 2}}
    fields = [
        ("max_num_seqs", int),
        ("enforce_eager", bool),
        ("revision", str | None),
        ("hf_overrides", dict[str, int]),
    ]
    assert module._parse_options(text, make_dataclass("Arguments", fields)) == expected


def test_the_root_cause_is_the_first_exception(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(
        "Something harmless: it was slow\n"
        "(EngineCore pid=7) ERROR 01-01 00:00:00 [core.py:1] Traceback (most recent call last):\n"
        "(EngineCore pid=7) ERROR 01-01 00:00:00 [core.py:1] ValueError: the cache is too small\n"
        "Traceback (most recent call last):\n"
        "RuntimeError: Engine core initialization failed.\n"
    )
    assert module._root_cause(log) == f"ValueError: the cache is too small (log: {log})"
    log.write_text("torch.OutOfMemoryError: no memory\n")
    assert module._root_cause(log) == f"OutOfMemoryError: no memory (log: {log})"
    log.write_text("all well\n")
    assert module._root_cause(log) is None


def test_a_process_started_by_another_thread_is_left_alone() -> None:
    import pickle
    import threading

    kept: list[object] = []
    setup = module._ChildSetup(None, {}, threading.get_ident())
    thread = threading.Thread(target=lambda: kept.append(pickle.loads(pickle.dumps(setup))))
    thread.start()
    thread.join()
    assert kept == [None]


# ---- helpers -------------------------------------------------------------------------------------------------------

# No main guard: vLLM's processes must not import the script.
PROGRAM = """
import asyncio, multiprocessing, signal, sys
from reasoning.engine.base import EngineError, Sampling
from reasoning.engine.vllm_engine import open_vllm

model = sys.argv[1]

def say(*words):
    print(*words, flush=True)

async def main():
{body}

try:
    asyncio.run(main())
except KeyboardInterrupt:
    sys.exit(130)
"""


@contextmanager
def running(script: str, model: str) -> Iterator[subprocess.Popen[str]]:
    """A program in its own process group; nothing of it is left afterwards."""
    body = "\n".join(line[4:] for line in script.splitlines())
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("VLLM_", "OMP_"))} | {
        "PYTHONPATH": str(ROOT),
        "HF_HUB_OFFLINE": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(body=body), model],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        left = descendants(process.pid)
        process.kill()
        for pid in left:
            kill(pid)
        process.wait()


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def say(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def answer(process: subprocess.Popen[str], word: str) -> list[str]:
    """The rest of the next line the program prints, which starts with `word`."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.split()[:1] == [word], line + (process.communicate()[1] if not line else "")
    return line.split()[1:]


def descendants(pid: int) -> set[int]:
    """Living processes below `pid`."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if state != "Z":
                parents[int(entry.name)] = int(parent)
    found: set[int] = set()
    frontier = {pid}
    while frontier:
        frontier = {child for child, parent in parents.items() if parent in frontier} - found
        found |= frontier
    return found


def gone(pids: set[int], seconds: float = 10.0) -> bool:
    """Whether all of them end in time (a zombie has ended)."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(alive(pid) for pid in pids):
            return True
        time.sleep(0.1)
    return False


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
