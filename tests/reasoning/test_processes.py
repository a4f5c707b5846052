"""Processes that do one job at a time and are killed when time is up."""

import asyncio
import gc
import os

import pytest

from data.errors import UserError
from reasoning.grading import Grade
from reasoning.processes import Refused, Workers
from tests.reasoning.test_grading import Scripted, judged


def said(word: str) -> bytes:
    return word.encode()


def where() -> bytes:
    return str(os.getpid()).encode()


def stuck(file: str) -> bytes:
    with open(file, "w") as begun:  # noqa: PTH123
        begun.write("x")
    while True:
        pass


def large() -> bytes:
    return bytes(1 << 44)


def dying() -> bytes:
    os._exit(3)


def printing() -> bytes:
    os.write(1, b"noise")
    print("noise", flush=True)
    return b"heard"


def mistaken() -> bytes:
    raise UserError("change this\nor that")


def refusing() -> bytes:
    raise Refused(404, "there is none", "name", "gone")


def broken() -> bytes:
    raise ZeroDivisionError


def judging() -> bytes:
    return str(judged(Scripted(), "2")).encode()


@pytest.fixture(scope="module")
def workers():
    found = Workers(1, waiting=2)
    yield found
    found.close()


def run(workers, job, *given, seconds=60.0):
    return asyncio.run(workers.run(job, *given, seconds=seconds))


def test_a_job_answers_with_bytes_and_the_process_is_used_again(workers):
    assert run(workers, said, "ö") == "ö".encode()
    assert run(workers, where) == run(workers, where) != str(os.getpid()).encode()


def test_what_a_job_prints_is_no_answer(workers):
    assert run(workers, printing) == b"heard"


@pytest.mark.parametrize(
    ("job", "status", "message"), [(mistaken, 400, "change this"), (refusing, 404, "there is none")]
)
def test_a_refusal_comes_back_as_one(workers, job, status, message):
    with pytest.raises(Refused, match=message) as error:
        run(workers, job)
    assert error.value.status == status and "\n" not in error.value.message


def test_a_job_may_have_answers_judged_in_a_process(workers):
    assert run(workers, judging) == str([Grade(True)]).encode()


def test_a_mistake_of_the_server_is_told_apart(workers):
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        run(workers, broken)


def test_a_job_that_overruns_is_killed_and_the_next_one_is_done(workers, tmp_path):
    before = run(workers, where)
    with pytest.raises(Refused, match="this took more than") as error:
        run(workers, stuck, str(tmp_path / "begun"), seconds=0.2)
    assert (error.value.status, error.value.code) == (422, "time_limit")
    assert run(workers, where) != before


@pytest.mark.parametrize("job", [large, dying])
def test_a_job_that_needs_too_much_memory_is_refused(workers, job):
    with pytest.raises(Refused) as error:
        run(workers, job)
    assert (error.value.status, error.value.code) == (422, "memory_limit")
    assert run(workers, said, "next") == b"next"


async def _until(condition):
    while not condition():  # noqa: ASYNC110 - another process makes it true
        await asyncio.sleep(0.01)


def test_a_cancelled_caller_frees_the_process_and_leaves_no_complaint(workers, tmp_path, caplog):
    async def abandon():
        job = asyncio.create_task(workers.run(stuck, str(tmp_path / "begun"), seconds=600))
        await asyncio.wait_for(_until((tmp_path / "begun").exists), 120)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        return await asyncio.wait_for(workers.run(said, "free", seconds=60), 120)

    assert asyncio.run(abandon()) == b"free"
    gc.collect()
    assert not caplog.records


def test_only_so_many_jobs_wait(workers, tmp_path):
    async def crowd():
        first = [asyncio.create_task(workers.run(stuck, str(tmp_path / str(i)), seconds=600)) for i in range(3)]
        await asyncio.wait_for(_until(lambda: any(tmp_path.iterdir())), 120)
        try:
            with pytest.raises(Refused) as error:
                await workers.run(said, "one more", seconds=1)
            return error.value.status
        finally:
            for job in first:
                job.cancel()
            await asyncio.gather(*first, return_exceptions=True)

    assert asyncio.run(crowd()) == 429


def test_closing_ends_what_is_running(tmp_path):
    async def close():
        workers = Workers(1)
        job = asyncio.create_task(workers.run(stuck, str(tmp_path / "begun"), seconds=600))
        await asyncio.wait_for(_until((tmp_path / "begun").exists), 120)
        await asyncio.to_thread(workers.close)
        with pytest.raises(Refused):
            await job
        workers.close()

    asyncio.run(close())
