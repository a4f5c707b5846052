"""What tests of several packages share: one event loop, one small model, and one vLLM start for the whole run."""

from __future__ import annotations

import asyncio
import faulthandler
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from reasoning.engine.vllm_engine import VllmEngine

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("STEPSOLVER_MODEL", "smollm2-135m")  # the default model of tests is small
pytest.register_assert_rewrite("tests.reasoning.engine.conformance")

FULL_SECONDS = 3600  # for one long test; `faulthandler_timeout` of pyproject.toml is for the others
STDERR = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--full", action="store_true", help="run the long tests too; benchmarks/results/full.json is what they came to"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[STDERR] = os.dup(2)  # before a test's output is captured


def pytest_unconfigure(config: pytest.Config) -> None:
    os.close(config.stash[STDERR])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--full"):
        return
    long = [item for item in items if item.get_closest_marker("full")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if not item.get_closest_marker("full")]


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("full"):
        faulthandler.dump_traceback_later(FULL_SECONDS, exit=True, file=item.config.stash[STDERR])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [
        (outcome, report)
        for outcome in ("passed", "failed", "error", "skipped")
        for report in terminalreporter.getreports(outcome)
        if isinstance(report, pytest.TestReport) and "full" in report.keywords  # a module left out has no keywords
    ]
    if reports:
        from benchmarks.common import write_result

        rows = [{"test": r.nodeid, "outcome": outcome, "seconds": round(r.duration, 1)} for outcome, r in reports]
        terminalreporter.write_line(f"the long tests' outcomes are in {write_result('full', rows)}")


# Small enough that a test can fill the context.
VLLM_OPTIONS = {"max_model_len": "1024", "max_num_seqs": "16"}


@pytest.fixture(scope="session")
def loop() -> Iterator[asyncio.Runner]:
    """The event loop that session-wide engines live on: `loop.run(coroutine)`."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="session")
def embedded_model() -> str:
    """The folder of smollm2-135m."""
    from reasoning.engine import models

    return str(models.folder(models.resolve("smollm2-135m")))


@pytest.fixture(scope="session")
def vllm_engine(loop: asyncio.Runner, embedded_model: str) -> Iterator[VllmEngine]:
    """The one in-process vLLM engine of the test run, on the embedded model."""
    pytest.importorskip("vllm")
    from reasoning.engine.vllm_engine import open_vllm

    engine = loop.run(open_vllm(embedded_model, name="embedded", options=VLLM_OPTIONS))
    yield engine
    loop.run(engine.close())
