"""Who does which job, and what becomes of a lost worker's, with workers that live and die on one event loop."""

import asyncio
from collections import Counter

import pytest

from data.errors import UserError
from data.scale import Limits, Lost, WorkerLost, spread


class Office:
    """Workers that double numbers, and a record of who did what. `deadly` jobs end the worker that has them."""

    def __init__(self, deadly=(), dies_after=None, hires_fail=0):
        self.deadly, self.dies_after, self.hires_fail = set(deadly), dies_after or {}, hires_fail
        self.workers: list[Worker] = []
        self.begun: Counter[int] = Counter()
        self.beside: dict[int, list[int]] = {}

    async def hire(self):
        await asyncio.sleep(0)
        if self.hires_fail:
            self.hires_fail -= 1
            raise WorkerLost("no such machine")
        self.workers.append(Worker(self, self.dies_after.get(len(self.workers))))
        return self.workers[-1]


class Worker:
    def __init__(self, office, dies_after):
        self.office, self.dies_after = office, dies_after
        self.held, self.most, self.did, self.ended = 0, 0, 0, False
        self.dead = asyncio.Event()

    async def do(self, job):
        self.office.begun[job] += 1
        self.held += 1
        self.most = max(self.most, self.held)
        try:
            for _ in range(3):
                await asyncio.sleep(0)
                self.office.beside.setdefault(job, []).append(self.held)
                if self.dead.is_set():
                    raise WorkerLost("killed")
                if job in self.office.deadly or self.did == self.dies_after:
                    self.dead.set()
            self.did += 1
            return 2 * job
        finally:
            self.held -= 1

    async def end(self):
        self.ended = True


def run(jobs, office, **limits):
    async def collect():
        return [pair async for pair in spread(jobs, office.hire, Limits(**limits))]

    return asyncio.run(collect())


@pytest.mark.parametrize("workers", [1, 2, 7, 50])
@pytest.mark.parametrize("ahead", [1, 4])
def test_every_job_is_done_exactly_once(workers, ahead):
    office = Office()
    assert sorted(run(range(20), office, workers=workers, ahead=ahead)) == [(i, 2 * i) for i in range(20)]
    assert set(office.begun.values()) == {1}
    assert all(w.ended for w in office.workers)
    assert len(office.workers) == min(workers, 20)
    assert max(w.most for w in office.workers) <= ahead


def test_no_jobs_need_no_worker():
    office = Office()
    assert run([], office, workers=3) == []
    assert office.workers == []


def test_no_worker_holds_more_than_its_share_of_what_is_left():
    office = Office()
    run(range(12), office, workers=4, ahead=64)
    assert max(w.most for w in office.workers) == 3


def test_a_slow_worker_holds_up_nobody():
    class Slow(Worker):
        async def do(self, job):
            await nine.wait()
            return await super().do(job)

    class Quick(Worker):
        async def do(self, job):
            result = await super().do(job)
            if self.did == 9:
                nine.set()
            return result

    office, nine = Office(), asyncio.Event()

    async def hire():
        office.workers.append((Slow if not office.workers else Quick)(office, None))
        return office.workers[-1]

    office.hire = hire
    assert len(run(range(10), office, workers=2)) == 10
    assert [w.did for w in office.workers] == [1, 9]


@pytest.mark.parametrize("dies_after", [0, 1, 5])
@pytest.mark.parametrize("ahead", [1, 3, 8])
def test_a_lost_workers_jobs_are_done_by_another(dies_after, ahead):
    office = Office(dies_after={0: dies_after})
    assert sorted(run(range(20), office, workers=2, ahead=ahead)) == [(i, 2 * i) for i in range(20)]
    assert len(office.workers) == 3
    assert 20 < sum(office.begun.values()) <= 20 + ahead
    assert all(w.ended for w in office.workers)


@pytest.mark.parametrize(("workers", "ahead"), [(1, 1), (2, 1), (1, 8), (3, 8)])
def test_a_job_that_kills_its_workers_is_given_up_and_no_other(workers, ahead):
    office = Office(deadly={7})
    found = dict(run(range(20), office, workers=workers, ahead=ahead, attempts=3))
    assert isinstance(found.pop(7), Lost)
    assert found == {i: 2 * i for i in range(20) if i != 7}
    assert office.begun[7] == 3
    assert office.beside[7][-1] == 1  # nobody else was suspected with it


def test_two_deadly_jobs_are_both_found():
    office = Office(deadly={3, 4})
    found = dict(run(range(10), office, workers=2, ahead=4))
    assert {job for job, result in found.items() if isinstance(result, Lost)} == {3, 4}
    assert "killed" in found[3].reason


def test_too_many_losses_end_the_work_in_one_line():
    office = Office(dies_after=dict.fromkeys(range(99), 0))
    # Two workers may be lost in the same turn: one more than is allowed, or two.
    with pytest.raises(UserError, match=r"lost [56] times, the last one to: killed; .*--max-restarts") as raised:
        run(range(20), office, workers=2, attempts=99, restarts=4)
    assert "\n" not in str(raised.value)
    assert all(w.ended for w in office.workers)


def test_a_worker_that_is_lost_as_it_starts_counts_too():
    assert len(run(range(4), Office(hires_fail=3), workers=2, restarts=3)) == 4
    with pytest.raises(UserError, match="no such machine"):
        run(range(4), Office(hires_fail=4), workers=2, restarts=3)


def test_what_a_job_raises_ends_the_work_and_all_workers():
    class Broken(Worker):
        async def do(self, job):
            if job == 3:
                raise ValueError("no such thing")
            return await super().do(job)

    office = Office()

    async def hire():
        office.workers.append(Broken(office, None))
        return office.workers[-1]

    office.hire = hire
    with pytest.raises(ValueError, match="no such thing"):
        run(range(10), office, workers=2, ahead=2)
    assert all(w.ended for w in office.workers)


def test_leaving_the_loop_ends_all_workers():
    office = Office()

    async def leave():
        found = spread(range(100), office.hire, Limits(3, 2))
        async for _ in found:
            break
        await found.aclose()

    asyncio.run(leave())
    assert sum(office.begun.values()) < 100
    assert office.workers
    assert all(w.ended for w in office.workers)
