"""Judging never raises, never blocks the loop and never outlives its time limit."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from data.errors import UserError
from data.records import Problem
from reasoning.grading import Grade, Grader, grade
from reasoning.tasks import get_task

PROBLEM = Problem("p", "1+1?", "2")


@dataclass(frozen=True)
class Scripted:
    """A task whose judge does what the answer says."""

    name: str = "scripted"

    def judge(self, problem, answer):
        if answer == "hang":
            while True:
                time.sleep(60)
        if answer == "spin":
            return 9 ** (10**9) > 0  # holds the interpreter: no signal handler would run
        if answer == "raise":
            raise ValueError("no\nsense")
        if answer == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if answer == "swell":
            return bool(bytearray(64 << 30))
        if answer == "pid":
            raise ValueError(os.getpid())
        print("noise")
        return answer == problem.answer


@dataclass(frozen=True)
class Fast(Scripted):
    fast_judge = True


@dataclass(frozen=True)
class Unprepared(Scripted):
    def prepare(self):
        raise ImportError("no judge here")


def judged(task, *answers, timeout=10.0, workers=1):
    """Grades of several answers, asked for at the same time."""

    async def run():
        async with Grader(task, workers, timeout) as grader:
            return await asyncio.gather(*(grader.judge(PROBLEM, answer) for answer in answers))

    return asyncio.run(run())


def exists(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_fast_judges_run_in_place():
    here = f"ValueError: {os.getpid()}"
    assert judged(Fast(), "2", "3", "raise", "pid") == [
        Grade(True),
        Grade(False),
        Grade(False, "ValueError: no sense"),
        Grade(False, here),
    ]
    assert grade(Fast(), PROBLEM, "2") == Grade(True)


def test_slow_judges_run_in_one_process_of_their_own():
    first, second = judged(Scripted(), "pid", "pid")
    assert first == second
    assert first != Grade(False, f"ValueError: {os.getpid()}")


def test_a_hundred_judgements_flow_at_once_while_the_loop_stays_free():
    async def run():
        late = 0.0
        async with Grader(Scripted()) as grader:
            work = asyncio.gather(*(grader.judge(PROBLEM, str(i)) for i in range(100)))
            while not work.done():
                before = time.monotonic()
                await asyncio.sleep(0.01)
                late = max(late, time.monotonic() - before)
            return await work, late

    grades, late = asyncio.run(run())
    assert [i for i, found in enumerate(grades) if found.correct] == [2]
    assert not any(found.error for found in grades)
    assert late < 1.0


def test_what_a_judge_does_wrong_is_one_wrong_answer():
    asked = ("hang", "2", "spin", "raise", "die", "swell", "2")
    assert judged(Scripted(), *asked, timeout=1.0) == [
        Grade(False, "grading timed out"),
        Grade(True),
        Grade(False, "grading timed out"),
        Grade(False, "ValueError: no sense"),
        Grade(False, "the grading process died"),
        Grade(False, "MemoryError"),
        Grade(True),
    ]


def test_a_hanging_judgement_holds_up_only_its_own_worker():
    async def run():
        async with Grader(Scripted(), workers=2, timeout=60.0) as grader:
            hanging = asyncio.create_task(grader.judge(PROBLEM, "hang"))
            await asyncio.sleep(0)
            assert [await grader.judge(PROBLEM, "2") for _ in range(3)] == [Grade(True)] * 3
            assert not hanging.done()
        return await hanging

    started = time.monotonic()
    assert asyncio.run(run()) == Grade(False, "the grader is closed")
    assert time.monotonic() - started < 30


def test_closing_kills_the_workers_and_ends_later_judgements():
    async def run():
        grader = Grader(Scripted())
        pid = int((await grader.judge(PROBLEM, "pid")).error.removeprefix("ValueError: "))
        assert exists(pid)
        await grader.close()
        await grader.close()
        return pid, await grader.judge(PROBLEM, "2")

    pid, after = asyncio.run(run())
    assert after == Grade(False, "the grader is closed")
    for _ in range(100):
        if not exists(pid) or Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
            break
        time.sleep(0.05)
    else:
        pytest.fail("the worker is still there")


def ran(script, text):
    """What became of a script in a process of its own."""
    script.write_text(text)
    return subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        timeout=120,
        check=False,
    )


def test_a_killed_parent_leaves_no_judging_process_behind(tmp_path):
    done = ran(
        tmp_path / "parent.py",
        "import asyncio, os\n"
        "from reasoning.grading import Grader\n"
        "from tests.reasoning.test_grading import PROBLEM, Scripted\n"
        "async def main():\n"
        "    grader = Grader(Scripted(), timeout=1.0)\n"
        "    print((await grader.judge(PROBLEM, 'pid')).error, flush=True)\n"
        "    asyncio.get_running_loop().call_later(0.3, os.kill, os.getpid(), 9)\n"
        "    await grader.judge(PROBLEM, 'hang')\n"
        "if __name__ == '__main__':\n"
        "    asyncio.run(main())\n",
    )
    assert done.returncode == -signal.SIGKILL
    pid = int(done.stdout.removeprefix("ValueError: "))
    for _ in range(100):
        if not exists(pid):
            break
        time.sleep(0.1)
    else:
        pytest.fail("the worker outlived its parent and its time limit")


def test_a_script_judges_with_a_task_of_its_own(tmp_path):
    done = ran(
        tmp_path / "own.py",
        "import asyncio, os\n"
        "from reasoning.grading import Grader\n"
        "from tests.reasoning.test_grading import PROBLEM\n"
        "class Own:\n"
        "    name = 'own'\n"
        "    def judge(self, problem, answer):\n"
        "        os.system('echo noise')\n"
        "        return answer == problem.answer\n"
        "async def main():\n"
        "    async with Grader(Own()) as grader:\n"
        "        print([(await grader.judge(PROBLEM, answer)).correct for answer in '23'])\n"
        "if __name__ == '__main__':\n"
        "    asyncio.run(main())\n",
    )
    assert (done.stdout, done.stderr) == ("[True, False]\n", "")


def test_a_script_without_a_guard_starts_no_process_after_process(tmp_path):
    begun = tmp_path / "begun"
    done = ran(
        tmp_path / "bare.py",
        "import asyncio\n"
        "from reasoning.processes import Workers\n"
        f"with open({str(begun)!r}, 'a') as file:\n"
        "    print(__name__, file=file)\n"
        "workers = Workers()\n"
        "try:\n"
        "    asyncio.run(workers.run(bytes, seconds=60))\n"
        "finally:\n"
        "    workers.close()\n",
    )
    assert done.returncode == 1
    assert "the process could not be started" in done.stderr
    assert begun.read_text().split() == ["__main__", "__mp_main__"]


def test_a_task_that_cannot_be_prepared_says_so():
    assert judged(Unprepared(), "2") == [Grade(False, "the grading process did not start: ImportError: no judge here")]


def test_a_task_that_cannot_be_sent_is_the_users_mistake():
    class Local(Scripted):
        pass

    with pytest.raises(UserError, match="'scripted' cannot be sent to a grading process"):
        Grader(Local())


def test_a_problem_that_cannot_be_sent_is_one_wrong_answer():
    async def run():
        async with Grader(Scripted()) as grader:
            odd = await grader.judge(Problem("p", "?", "2", metadata={"f": lambda: 0}), "2")
            return odd, await grader.judge(PROBLEM, "2")

    odd, fine = asyncio.run(run())
    assert not odd.correct
    assert odd.error.startswith("the problem cannot be sent to a grading process")
    assert fine == Grade(True)


def test_mathematics_is_judged_in_a_worker():
    async def run():
        async with Grader(get_task("math500")) as grader:
            problem = Problem("p", "?", r"\frac{\sqrt{2}}{2}")
            return [await grader.judge(problem, answer) for answer in (r"\frac{1}{\sqrt{2}}", "1")]

    assert asyncio.run(run()) == [Grade(True), Grade(False)]
