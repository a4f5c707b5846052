import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from data.errors import DataError, UserError
from reasoning.runs import ProblemResult, open_run, read_run, run_names
from reasoning.runs.totals import totals

CONFIG = {"task": "toy", "method": "beam", "params": {"width": 4, "expand": 2}, "seed": 0, "limit": 8}
REPOSITORY = Path(__file__).parents[3]


def result(index: int, **changes: object) -> ProblemResult:
    values = {
        "problem": f"toy/test/{index}",
        "index": index,
        "question": f"What is {index} + 1?",
        "gold": str(index + 1),
    }
    return ProblemResult(**{**values, **changes})  # type: ignore[arg-type]


def tells(n: int) -> list[dict[str, object]]:
    return [{"seq": i, "request": {"id": i}, "outcome": {"text": f"step {i}"}} for i in range(n)]


FULL = result(
    3,
    answer="4",
    correct=True,
    prompt_tokens=100,
    cached_tokens=None,
    completion_tokens=20,
    reward_tokens=7,
    computed_tokens=None,
    seconds=1.5,
    nodes=9,
    requests_failed=1,
    answers=({"answer": "4", "score": 0.75, "votes": 3}, {"answer": "5", "score": 0.25, "votes": 1}),
    text="3 + 1 = 4\n#### 4 \ud800 \x1b[2J",  # what models write: a lone surrogate, a terminal command
    prompt_ids=(1, 2, 3),
    seed=17,
    extra={"note": "x"},
)


def test_what_is_recorded_is_read_back(tmp_path: Path) -> None:
    with open_run("a", CONFIG, resume=False, root=tmp_path) as run:
        run.record(FULL, tells(5))
        assert read_run("a", tmp_path).results == (FULL,)  # while it is being written
    view = read_run("a", tmp_path)
    assert view.results == (FULL,)
    assert view.tells(FULL.problem) == tells(5)
    assert view.config == CONFIG


def test_results_come_in_index_order(tmp_path: Path) -> None:
    with open_run("a", CONFIG, resume=False, root=tmp_path) as run:
        for i in (10, 2, 1):
            run.record(result(i))
        assert [r.index for r in run.view().results] == [1, 2, 10]


def test_a_closed_part_is_one_plain_file(tmp_path: Path) -> None:
    """WAL would keep a reader without write permission out."""
    with open_run("a", CONFIG, resume=False, root=tmp_path) as run:
        run.record(result(0))
    run.close()
    (part,) = (tmp_path / "a").iterdir()
    assert part == run.part
    with sqlite3.connect(part) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_closing_under_a_reader_loses_nothing(tmp_path: Path) -> None:
    run = open_run("a", CONFIG, resume=False, root=tmp_path)
    run.record(result(0))
    reader = sqlite3.connect(run.part, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM results").fetchone() == (1,)
    run.record(result(1))
    run.close()
    reader.close()
    assert len(read_run("a", tmp_path).results) == 2


# ---- begin and resume ----------------------------------------------------------------------------------------------


def test_an_existing_run_needs_resume(tmp_path: Path) -> None:
    open_run("a", CONFIG, resume=False, root=tmp_path).close()
    with pytest.raises(UserError, match=r"^run 'a' exists .*--resume.*another name$"):
        open_run("a", CONFIG, resume=False, root=tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_missing_run_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no run 'a' .*leave out --resume"):
        open_run("a", CONFIG, resume=True, root=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_two_processes_cannot_both_begin_a_run(tmp_path: Path) -> None:
    barrier, won, lost = threading.Barrier(8), [], []

    def begin(seed: int) -> None:
        barrier.wait()
        try:
            won.append(open_run("a", {"seed": seed}, resume=False, root=tmp_path))
        except UserError as e:
            lost.append(str(e))

    threads = [threading.Thread(target=begin, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(won) == 1
    assert len(lost) == 7
    won[0].close()
    assert len(list((tmp_path / "a").iterdir())) == 1


def test_a_changed_configuration_names_each_field(tmp_path: Path) -> None:
    open_run("a", CONFIG, resume=False, root=tmp_path).close()
    changed = {**CONFIG, "method": "mcts", "params": {"width": 4, "c": 1.25}}
    with pytest.raises(UserError) as e:
        open_run("a", changed, resume=True, root=tmp_path)
    message = str(e.value)
    assert 'method was "beam", now "mcts"' in message
    assert "params.c was absent, now 1.25" in message
    assert "params.expand was 2, now absent" in message
    assert "width" not in message
    assert "\n" not in message


def test_exempt_fields_may_change(tmp_path: Path) -> None:
    open_run("a", CONFIG, resume=False, root=tmp_path).close()
    changed = {**CONFIG, "limit": 16, "params": {"width": 8}}
    open_run("a", changed, resume=True, root=tmp_path, exempt={"limit", "params"}).close()
    assert read_run("a", tmp_path).config == changed
    with pytest.raises(UserError, match="limit was 16, now 8"):
        open_run("a", CONFIG, resume=True, root=tmp_path, exempt={"params"})


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "/etc", "a\\b", "a b", "a\n", "a\0", "é", "x" * 101])
def test_a_name_is_never_a_path(tmp_path: Path, name: str) -> None:
    for use in (
        lambda: open_run(name, CONFIG, resume=False, root=tmp_path),
        lambda: open_run(name, CONFIG, resume=True, root=tmp_path),
        lambda: read_run(name, tmp_path),
    ):
        with pytest.raises(UserError, match="not usable"):
            use()
    assert list(tmp_path.iterdir()) == []


def test_the_root_is_the_argument_then_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPSOLVER_RUNS", str(tmp_path / "env"))
    open_run("a", CONFIG, resume=False).close()
    open_run("b", CONFIG, resume=False, root=tmp_path / "arg").close()
    assert run_names() == ["a"]
    assert run_names(tmp_path / "arg") == ["b"]
    assert run_names(tmp_path / "none") == []


def test_a_root_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"^cannot write .*file"):
        open_run("a", CONFIG, resume=False, root=tmp_path / "file")


# ---- union ---------------------------------------------------------------------------------------------------------


def test_two_writers_at_once_are_unioned(tmp_path: Path) -> None:
    with (
        open_run("a", CONFIG, resume=False, root=tmp_path) as one,
        open_run("a", CONFIG, resume=True, root=tmp_path) as two,
    ):
        for i in range(10):
            (one, two)[i % 2].record(result(i), tells(i))
        assert one.done() == two.done() == {f"toy/test/{i}" for i in range(10)}
    view = read_run("a", tmp_path)
    assert [len(view.tells(r.problem)) for r in view.results] == list(range(10))


OK, LATER, FAIL = {"answer": "1"}, {"answer": "2"}, {"failed": "server down"}


@pytest.mark.parametrize("same_part", [True, False])
@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [(FAIL, OK, OK), (OK, FAIL, OK), (OK, LATER, LATER), (FAIL, {"failed": "later"}, {"failed": "later"})],
)
def test_a_result_beats_a_failure_and_otherwise_the_later_counts(
    tmp_path: Path, same_part: bool, first: dict[str, str], second: dict[str, str], kept: dict[str, str]
) -> None:
    run = open_run("a", CONFIG, resume=False, root=tmp_path)
    run.record(result(0, **first), tells(1))
    if not same_part:
        run.close()
        run = open_run("a", CONFIG, resume=True, root=tmp_path)
    run.record(result(0, **second), tells(2))
    assert run.done() == (set() if "failed" in kept else {"toy/test/0"})
    run.close()
    view = read_run("a", tmp_path)
    assert view.results == (result(0, **kept),)
    assert len(view.tells("toy/test/0")) == (1 if kept == first else 2)


def test_totals_are_sums_and_a_failure_counts_as_wrong() -> None:
    rows = [
        result(0, correct=True, prompt_tokens=5, computed_tokens=3, reward_tokens=1),
        result(1, correct=False, prompt_tokens=6, computed_tokens=None, reward_tokens=2),
        result(2, failed="too long"),
        result(3, gold=None),
    ]
    t = totals(rows)
    assert (t.problems, t.judged, t.correct, t.failed) == (4, 3, 1, 1)
    assert (t.prompt_tokens, t.computed_tokens, t.reward_tokens) == (11, None, 3)
    assert t.accuracy == pytest.approx(1 / 3)
    assert totals([]).accuracy is None


# ---- damage --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"not a database, whatever its name says" * 50], ids=["empty", "foreign"])
def test_a_foreign_part_is_named(tmp_path: Path, content: bytes) -> None:
    open_run("a", CONFIG, resume=False, root=tmp_path).close()
    (tmp_path / "a" / "part-x.sqlite").write_bytes(content)
    with pytest.raises(DataError, match=r"^[^\n]*part-x\.sqlite is not a whole run file[^\n]*$"):
        read_run("a", tmp_path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_torn_part_is_named(tmp_path: Path, share: float) -> None:
    with open_run("a", CONFIG, resume=False, root=tmp_path) as run:
        for i in range(50):
            run.record(result(i), tells(50))
    whole = run.part.read_bytes()
    run.part.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DataError, match=rf"^[^\n]*{run.part.name} is not a whole run file[^\n]*$"):
        read_run("a", tmp_path)


def test_a_damaged_log_is_named(tmp_path: Path) -> None:
    with open_run("a", CONFIG, resume=False, root=tmp_path) as run:
        run.record(result(0), tells(3))
    with sqlite3.connect(run.part) as db:
        db.execute("UPDATE results SET tells = x'00'")
    with pytest.raises(DataError, match=run.part.name):
        read_run("a", tmp_path).tells("toy/test/0")


def test_a_newer_schema_says_upgrade(tmp_path: Path) -> None:
    open_run("a", CONFIG, resume=False, root=tmp_path).close()
    (part,) = (tmp_path / "a").iterdir()
    with sqlite3.connect(part) as db:
        db.execute("UPDATE meta SET value = '2' WHERE key = 'schema_version'")
    for use in (lambda: read_run("a", tmp_path), lambda: open_run("a", CONFIG, resume=True, root=tmp_path)):
        with pytest.raises(DataError, match=r"schema version 2.*reads up to 1: upgrade"):
            use()


# ---- kills and full disks, in real processes -----------------------------------------------------------------------

WRITER = """
import sys
from pathlib import Path
from reasoning.runs import ProblemResult, open_run
root, resume, prefix = Path(sys.argv[1]), sys.argv[2] == "resume", sys.argv[3]
with open_run("a", {"seed": 0}, resume=resume, root=root) as run:
    done = run.done()
    for i in range(int(sys.argv[4])):
        problem = f"{prefix}/{i}"
        if problem not in done:
            tells = [{"seq": s, "request": {}, "outcome": {"text": f"{i} {s} " * 50}} for s in range(20 + i % 7)]
            run.record(ProblemResult(problem, i, "q", nodes=len(tells)), tells)
            print(problem, flush=True)
"""


def writer(root: Path, resume: bool, prefix: str, n: int, before: str = "") -> subprocess.Popen[str]:
    argv = [
        sys.executable,
        "-c",
        textwrap.dedent(before) + WRITER,
        str(root),
        "resume" if resume else "new",
        prefix,
        str(n),
    ]
    return subprocess.Popen(argv, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def check_whole(root: Path) -> set[str]:
    """Ids of the recorded problems, after checking that each is there once and whole."""
    view = read_run("a", root)
    ids = [r.problem for r in view.results]
    assert len(ids) == len(set(ids))
    for r in view.results:
        assert [t["seq"] for t in view.tells(r.problem)] == list(range(r.nodes))
    return set(ids)


def test_a_killed_run_keeps_every_record_and_resumes(tmp_path: Path) -> None:
    said: list[str] = []
    for kills, resume in enumerate((False, True), 1):  # killed twice, each time in the middle of recording
        process = writer(tmp_path, resume, "p", 100_000)
        assert process.stdout is not None
        for _ in range(40):
            said.append(process.stdout.readline().strip())
        os.kill(process.pid, signal.SIGKILL)
        # Not `communicate`, which would lose what `readline` has read ahead.
        said += process.stdout.read().split("\n")[:-1]
        process.communicate()
        ids = check_whole(tmp_path)
        assert set(said) <= ids  # what record() returned from is there
        assert len(ids - set(said)) <= kills  # at each kill one may be recorded that could not be said any more
    n = max(int(p.split("/")[1]) for p in ids) + 20
    process = writer(tmp_path, True, "p", n)
    added = process.communicate()[0].split()
    assert process.returncode == 0
    assert not set(added) & ids
    assert check_whole(tmp_path) == {f"p/{i}" for i in range(n)}


def test_processes_write_while_another_reads(tmp_path: Path) -> None:
    open_run("a", {"seed": 0}, resume=False, root=tmp_path).close()
    processes = [writer(tmp_path, True, prefix, 60) for prefix in "xy"]
    while any(p.poll() is None for p in processes):
        check_whole(tmp_path)
    for p in processes:
        p.communicate()
        assert p.returncode == 0
    assert len(check_whole(tmp_path)) == 120


def test_a_full_disk_is_one_line_and_what_was_recorded_stays(tmp_path: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
    process = writer(tmp_path, False, "p", 100_000, before=limit)
    out, err = process.communicate()
    assert process.returncode == 1
    last = err.strip().split("\n")[-1]
    assert last.startswith("data.errors.UserError: cannot write ")
    assert last.endswith("go on with --resume")
    assert check_whole(tmp_path) == set(out.split())
    assert out


def test_importing_runs_is_cheap() -> None:
    code = "import sys, reasoning.runs, reasoning.runs.__main__; print(json.dumps([m for m in sys.modules]))"
    out = subprocess.run([sys.executable, "-c", f"import json; {code}"], cwd=REPOSITORY, capture_output=True, text=True)
    assert not {"torch", "vllm", "transformers", "pyarrow", "rich"} & set(json.loads(out.stdout))
