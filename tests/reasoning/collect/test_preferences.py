"""Pairs of steps: what the two sides share, which steps they are, and what a stored tree gives."""

import asyncio
import dataclasses
import json

import pytest

from data.preferences import same_step
from data.records import Problem
from data.rows import Preference, Solution
from reasoning.collect.__main__ import main
from reasoning.collect.audit import preference_text, solution_text
from reasoning.collect.labels import from_tree
from reasoning.collect.preferences import correct, of_solutions, of_tree, pairs
from reasoning.collect.trees import Grown
from reasoning.engine.toy import EOS, ByteTokenizer
from search.mcts import MCTS
from search.types import Finish, Segment, State, Step

from .toys import TERMS, TOY, data_dir, exact, question, rows, sampler, solutions

PROMPT = tuple(b"Q:")


def step(text: str, ended: bool = False) -> tuple[int, ...]:
    return (*text.encode(), *([EOS] if ended else []))


def row(*steps: str, correct: bool = True, values=None, times: int = 1) -> Solution:
    ids = tuple(step(text, k == len(steps) - 1) for k, text in enumerate(steps))
    own = tuple((1,) * len(i) for i in ids)
    about = {"times": times}
    return Solution("q/train/0", "Q", "4", steps, correct, "sampled", PROMPT, ids, own, values, about)


ONE, TWO, THREE = "<<1+1=2>>\n", "<<2+2=4>>\n", "<<5-1=4>>\n"
# Through ONE 3 of 4 samples are right, through THREE 1 of 3; all in all 4 of 7.
TRIE = [
    row(ONE, TWO, "#### 4", values=(0.75, 1.0, 1.0), times=3),
    row(ONE, "#### 2", correct=False, values=(0.75, 0.0)),
    row(THREE, "#### 4", values=(1 / 3, 1.0)),
    row(THREE, "#### 5", correct=False, values=(1 / 3, 0.0), times=2),
]


def told(found: list[Preference]) -> list[tuple]:
    return [(p.prefix, p.chosen.text, p.rejected.text) for p in found]


def test_siblings_of_sampled_solutions_by_hand():
    places = of_solutions(TRIE)
    assert [(p.prefix, p.value, p.on_best_path) for p in places] == [
        ((), 4 / 7, True),
        ((ONE,), 0.75, True),
        ((THREE,), 1 / 3, False),
    ]
    assert [(s.text, s.value, s.visits) for s in places[0].sides] == [(ONE, 0.75, 4), (THREE, 1 / 3, 3)]
    assert places[1].prompt_ids == PROMPT + step(ONE)
    assert places[0].sides[0].evidence == TWO + "#### 4"


def test_rules_on_sampled_solutions_by_hand():
    places = of_solutions(TRIE)
    mcts_dpo = pairs("siblings-mcts-dpo", places, {})
    assert told(mcts_dpo) == [((), ONE, THREE), ((ONE,), TWO, "#### 2")]
    assert [p.smoothing for p in mcts_dpo] == [3 / 7, 1 / 4]
    cpl = pairs("siblings-cpl", places, {})
    assert told(cpl) == [((), ONE, THREE), ((ONE,), TWO, "#### 2"), ((THREE,), "#### 4", "#### 5")]
    assert [p.margin for p in cpl] == pytest.approx([2 * (0.75 - 1 / 3), 2.0, 2.0])
    advantage = pairs("advantage", places, {})
    assert told(advantage) == told(cpl)
    assert [p.weight for p in advantage] == pytest.approx([0.75 - 1 / 3, 1.0, 1.0])


def test_the_best_path_does_not_come_back_below_a_worse_sibling():
    below = [
        row(THREE, TWO, "#### 4", values=(0.5, 0.5, 1.0)),
        row(THREE, TWO, "#### 6", correct=False, values=(0.5, 0.5, 0.0)),
        row(ONE, "#### 4", values=(1.0, 1.0), times=3),
    ]
    assert [(p.prefix, p.on_best_path) for p in of_solutions(below)] == [((), True), ((THREE, TWO), False)]


def test_too_few_visits_are_no_evidence_but_for_a_last_step():
    places = of_solutions(TRIE, min_visits=4)
    assert told(pairs("siblings-cpl", places, {})) == [((THREE,), "#### 4", "#### 5")]


# ---- stored trees ----------------------------------------------------------------------------------------------------


def grown() -> Grown:
    """Two steps below the root, visited 3 and 1 times, and a right and a wrong answer below the first."""
    algorithm = MCTS()
    tree = algorithm.start(State("q/train/0", PROMPT))

    def child(parent: int, text: str, visits: int, total: float, answer: str | None = None) -> int:
        ids = step(text, answer is not None)
        made = Step((Segment(ids),), text, Finish.STEP if answer is None else Finish.ANSWER, answer)
        node, _ = tree.add(parent, made, 0)
        node.visits, node.total = visits, total
        return node.id

    a = child(0, ONE, 3, 1.5)
    child(0, THREE, 1, -0.5)
    good, bad = child(a, "#### 4", 1, -0.2, "4"), child(a, "#### 5", 1, 0.9, "5")
    tree.nodes[0].visits, tree.nodes[0].total = 4, 1.0
    return Grown(Problem("q/train/0", "Q", "4"), tree, {good: True, bad: False})


def test_a_tree_gives_its_values_and_the_truth_where_it_is_known():
    found = from_tree(grown(), "run")
    assert [(r.steps, r.correct, r.values) for r in found] == [
        ((ONE, "#### 4"), True, (0.75, 1.0)),
        ((ONE, "#### 5"), False, (0.75, 0.0)),
    ]


def test_rules_on_a_tree_by_hand():
    places = of_tree(grown())
    assert [(p.prefix, p.value, p.on_best_path) for p in places] == [((), 0.625, True), ((ONE,), 0.75, True)]
    mcts_dpo = pairs("siblings-mcts-dpo", places, {})
    assert told(mcts_dpo) == [((), ONE, THREE), ((ONE,), "#### 4", "#### 5")]
    assert [p.smoothing for p in mcts_dpo] == [0.25, 0.5]
    assert [p.margin for p in pairs("siblings-cpl", places, {})] == pytest.approx([1.0, 2.0])
    assert mcts_dpo[0].chosen.evidence == "#### 4"


def test_a_stored_run_gives_labels_and_pairs(tmp_path, monkeypatch):
    from reasoning.solve import main as solve

    monkeypatch.setenv("STEPSOLVER_RUNS", str(tmp_path / "runs"))
    search = ["gsm8k", "--data-dir", str(data_dir(tmp_path)), *TOY, "--method", "mcts", "--iterations", "12"]
    assert solve([*search, "--reward", "self-eval", "--split", "train", "--run", "trees"]) == 0
    out = tmp_path / "labels.jsonl"
    assert main(["labels", "trees", "--how", "tree", "--out", str(out)]) == 0
    found = [Solution.of(r) for r in rows(out)]
    assert found
    for r in found:
        assert r.correct == (int(r.steps[-1].removeprefix("#### ")) == sum(TERMS[int(r.id[-1])]))
        assert r.values[-1] == float(r.correct)
    for how in ("siblings-mcts-dpo", "siblings-cpl", "advantage"):
        out = tmp_path / f"{how}.jsonl"
        assert main(["preferences", "--run", "trees", "--how", how, "--out", str(out)]) == 0
        check([Preference.of(r) for r in rows(out)])


def test_runs_over_test_questions_are_refused(tmp_path, monkeypatch, capsys):
    from reasoning.solve import main as solve

    monkeypatch.setenv("STEPSOLVER_RUNS", str(tmp_path / "runs"))
    search = ["gsm8k", "--data-dir", str(data_dir(tmp_path)), *TOY, "--method", "mcts", "--iterations", "2"]
    assert solve([*search, "--split", "test", "--run", "trees"]) == 0
    capsys.readouterr()
    for command in (["labels", "trees", "--how", "tree"], ["preferences", "--run", "trees", "--how", "advantage"]):
        assert main([*command, "--out", str(tmp_path / "x.jsonl")]) == 2
        assert "for measuring only" in capsys.readouterr().err


# ---- files -----------------------------------------------------------------------------------------------------------


def check(found: list[Preference]) -> None:
    """What holds for every pair, whatever the rule."""
    assert found
    decode = ByteTokenizer().decode
    for p in found:
        assert decode(p.prompt_ids).endswith(f"Question: {p.question}\nAnswer:{''.join(p.prefix)}")
        assert p.chosen.ids != p.rejected.ids
        assert p.chosen.value > p.rejected.value
        assert not same_step(p.chosen.text, p.rejected.text)
        for side in (p.chosen, p.rejected):
            assert decode(side.ids) == side.text
            assert len(side.own) == len(side.ids)
            assert (EOS in side.ids) == side.text.startswith("####")


@pytest.mark.parametrize("how", ["step-dpo", "siblings-mcts-dpo", "siblings-cpl", "advantage"])
def test_both_sides_of_every_pair_continue_the_same_ids(tmp_path, how):
    source, out = solutions(tmp_path, "--samples", "16"), tmp_path / "pairs.jsonl"
    command = ["preferences", "--from", str(source), *TOY, "--how", how, "--out", str(out)]
    assert main(command) == 0
    found = [Preference.of(r) for r in rows(out)]
    check(found)
    assert {p.rule for p in found} == {how}
    wanted = sorted(out.read_bytes().splitlines())
    out.write_bytes(out.read_bytes()[: out.stat().st_size // 2])
    assert main(command) == 0
    assert sorted(out.read_bytes().splitlines()) == wanted


def test_a_correction_goes_on_to_the_right_answer_and_the_wrong_step_cannot(tmp_path):
    source, labels, out = (tmp_path / f"{name}.jsonl" for name in ("solutions", "labels", "pairs"))
    solutions(tmp_path)
    assert main(["labels", str(source), *TOY, "--how", "bisect", "--rollouts", "32", "--out", str(labels)]) == 0
    command = ["preferences", "--from", str(labels), *TOY, "--how", "step-dpo", "--tries", "64", "--out", str(out)]
    assert main(command) == 0
    found = [Preference.of(r) for r in rows(out)]
    check(found)
    for p in found:
        terms = next(t for t in TERMS if question(t) == p.question)
        steps = (*p.prefix, p.chosen.text)
        assert (steps[-1] + p.chosen.evidence).endswith(f"#### {sum(terms)}")
        if not p.rejected.text.startswith("####"):
            assert exact((*p.prefix, p.rejected.text), terms) == 0.0


def sample_row(s, index: int) -> Solution:
    problem = Problem("q/train/0", question(TERMS[0]), str(sum(TERMS[0])))
    prompt = s.policy.prompt(problem)
    found = asyncio.run(s.sample(problem, prompt, "", index))
    ids = tuple(x.ids for x in found.steps)
    own = tuple((1,) * len(i) for i in ids)
    texts = tuple(x.text for x in found.steps)
    none = (0.0,) * len(ids)
    return Solution(problem.id, problem.question, problem.answer, texts, found.right, "sampled", prompt, ids, own, none)


def test_a_step_that_a_correction_shares_was_not_wrong():
    """With every label 0, the pair is at the first step that the correction does differently."""
    s = sampler()
    wrong = next(r for i in range(50) if not (r := sample_row(s, i)).correct and r.steps[0] == "<<0+3=3>>\n")
    pair, _ = asyncio.run(correct(wrong, [], s, 64, 0.0, {}))
    assert pair is not None
    assert not same_step(pair.chosen.text, pair.rejected.text)
    assert pair.rejected.text == wrong.steps[len(pair.prefix)]
    assert pair.prefix == wrong.steps[: len(pair.prefix)]


def test_a_right_solution_at_hand_serves_without_sampling():
    wrong = row(ONE, "<<2-2=0>>\n", "#### 0", correct=False, values=(0.5, 0.0, 0.0))
    pair, asked = asyncio.run(correct(wrong, TRIE, sampler(), 8, 0.0, {}))
    assert asked == 0
    assert (pair.prefix, pair.chosen.text, pair.rejected.text) == ((ONE,), TWO, "<<2-2=0>>\n")
    assert pair.chosen.evidence == "#### 4"


def test_no_wrong_step_or_no_correction_is_no_pair():
    s = sampler()
    fine = row(ONE, "#### 0", correct=False, values=(0.5, 0.5))
    assert asyncio.run(correct(fine, [], s, 8, 0.0, {})) == (None, 0)
    hopeless = dataclasses.replace(fine, values=(0.0, 0.0), question="Add 1", answer="77")
    assert asyncio.run(correct(hopeless, [], s, 3, 0.0, {})) == (None, 3)


def test_the_widest_pairs_come_first_where_there_are_too_many(tmp_path):
    source = solutions(tmp_path, "--samples", "24")
    everything, few = tmp_path / "all.jsonl", tmp_path / "few.jsonl"
    command = ["preferences", "--from", str(source), "--how", "advantage", "--out"]
    assert main([*command, str(everything)]) == 0
    assert main([*command, str(few), "--per-question", "1"]) == 0
    widest: dict[str, float] = {}
    for r in rows(everything):
        widest[r["id"]] = max(widest.get(r["id"], 0.0), r["weight"])
    assert {r["id"]: r["weight"] for r in rows(few)} == widest


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--run", "x", "--how", "step-dpo"], "--from"),
        (["--from", "FILE", "--how", "siblings-mcts-dpo"], "are no visits"),
        (["--from", "GOLD", "--how", "siblings-cpl"], "without token ids or values"),
        (["--how", "siblings-cpl"], "one of the arguments"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, capsys, options, line):
    labels, gold = tmp_path / "labels.jsonl", tmp_path / "gold.jsonl"
    if "FILE" in options:
        assert main(["labels", str(solutions(tmp_path)), *TOY, "--out", str(labels)]) == 0
        capsys.readouterr()
    gold.write_text(json.dumps({"id": "q/train/0", "question": "q", "answer": "1", "steps": ["#### 1"]}) + "\n")
    named = [{"FILE": str(labels), "GOLD": str(gold)}.get(o, o) for o in options]
    assert main(["preferences", *named, "--out", str(tmp_path / "x.jsonl")]) == 2
    error = capsys.readouterr().err.strip()
    assert line in error
    assert len(error.splitlines()) == 1


# ---- audit -----------------------------------------------------------------------------------------------------------


def test_an_audit_shows_both_sides_with_what_they_rest_on():
    text = preference_text(pairs("siblings-cpl", of_solutions(TRIE), {})[0])
    assert "siblings-cpl, margin 0.833" in text
    assert [line.split() for line in text.splitlines()[2:5]] == [
        ["+", "<<1+1=2>>", "value", "0.75", "of", "4"],
        ["|", "<<2+2=4>>"],
        ["|", "####", "4"],
    ]


def test_an_audit_of_a_solution_shows_its_labels_and_no_control_characters():
    labels = {"how": "bisect", "counts": [[1, 3], None], "reached": 0, "continuation": "<<4-0=4>>\n#### 4"}
    shown = dataclasses.replace(
        row("<<1+\x1b[31m1=2>>\n", "#### 5", correct=False, values=(1.0, 0.0)), provenance={"labels": labels}
    )
    text = solution_text(shown)
    assert "\x1b" not in text
    assert "value 1.00 (1 of 3 right)" in text
    assert text.endswith("| #### 4")


def test_the_audit_command_stops_at_its_limit(tmp_path, capsys):
    source = solutions(tmp_path)
    capsys.readouterr()
    assert main(["audit", str(source), "--limit", "2"]) == 0
    assert capsys.readouterr().out.count("--- gsm8k/train/") == 2
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")
    assert main(["audit", str(empty)]) == 2
