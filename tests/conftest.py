"""What tests of several packages share: one event loop, one embedded model, and one vLLM start for the whole run."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from reasoning.engine.vllm_engine import VllmEngine

os.environ.setdefault("HF_HUB_OFFLINE", "1")
pytest.register_assert_rewrite("tests.reasoning.engine.conformance")

# Small enough that a test can fill the context.
VLLM_OPTIONS = {"max_model_len": "1024", "max_num_seqs": "16"}


@pytest.fixture(scope="session")
def loop() -> Iterator[asyncio.Runner]:
    """The event loop that session-wide engines live on: `loop.run(coroutine)`."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="session")
def embedded_model() -> str:
    """The folder of the embedded model."""
    from reasoning.engine import embedded

    return str(embedded.snapshot())


@pytest.fixture(scope="session")
def vllm_engine(loop: asyncio.Runner, embedded_model: str) -> Iterator[VllmEngine]:
    """The one in-process vLLM engine of the test run, on the embedded model."""
    pytest.importorskip("vllm")
    from reasoning.engine.vllm_engine import open_vllm

    engine = loop.run(open_vllm(embedded_model, name="embedded", options=VLLM_OPTIONS))
    yield engine
    loop.run(engine.close())
