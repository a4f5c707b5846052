"""What one worker does and writes, in this process."""

import asyncio
from functools import partial

import pytest

from data.errors import UserError
from data.records import Problem
from reasoning.config import SolveConfig
from reasoning.runs import open_run, read_run
from reasoning.scale.searching import PartOf, Searching
from reasoning.solver import Solver

TOY = SolveConfig.of({"policy": "toy", "method": "best-of-n", "n": 2}).model_dump()
PROBLEM = Problem("sums/7", "What is 1 + 2?", "3")


def begun(folder, **changes):
    """The command's own part, as `reasoning.solve` opens it."""
    return open_run("mine", Solver(**TOY | changes).describe(), resume=False, root=folder)


async def work(folder, *jobs, distant=False, **settings):
    worker = Searching(TOY | settings, PartOf("mine", frozenset(), distant, folder))
    try:
        await worker.start()
        return [await worker.do(job) for job in jobs]
    finally:
        await worker.aclose()


@pytest.mark.parametrize("distant", [False, True])
def test_a_result_is_in_the_workers_own_part_with_its_index_and_log(tmp_path, distant):
    with begun(tmp_path) as run:
        (result,) = asyncio.run(work(tmp_path, (7, PROBLEM), distant=distant))
        view = read_run("mine", tmp_path)
        assert view.results == (result,)
        assert result.index == 7
        assert len(view.tells("sums/7")) == 2
        assert view.sources["sums/7"] != run.part


def test_a_part_that_machines_share_has_no_files_in_memory_beside_it(tmp_path):
    begun(tmp_path).close()
    opened = partial(open_run, "mine", Solver(**TOY).describe(), resume=True, root=tmp_path)
    beside = {}
    for wal in (True, False):
        with opened(wal=wal) as run:
            run.record(asyncio.run(Solver(**TOY).asolve(PROBLEM)).result)
            assert len(read_run("mine", tmp_path).results) == 1
            beside[wal] = sorted(p.suffix for p in tmp_path.glob(f"mine/{run.part.name}-*"))
    assert beside == {True: [".sqlite-shm", ".sqlite-wal"], False: []}


def test_a_worker_without_work_leaves_no_part(tmp_path):
    with begun(tmp_path) as run:
        assert asyncio.run(work(tmp_path)) == []
        assert list(tmp_path.glob("mine/*.sqlite")) == [run.part]


def test_a_worker_with_other_settings_than_the_runs_is_refused(tmp_path):
    with begun(tmp_path), pytest.raises(UserError, match=r"another configuration: params\.n was 2, now 3"):
        asyncio.run(work(tmp_path, (7, PROBLEM), n=3))
