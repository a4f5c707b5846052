"""Step labels against the exact probabilities of a toy policy."""

import asyncio
import json
import math

import pytest

from data.records import Problem
from data.rows import Solution
from reasoning.collect.__main__ import main
from reasoning.collect.labels import Rollouts, by_bisection, by_reach, by_rollouts
from reasoning.collect.sampler import own_mask

from .toys import TERMS, TOY, exact, question, rows, sampler, solutions

BOUND = 4.0  # standard deviations: one estimate in 16,000 falls outside


def sampled(s, terms, index: int) -> Solution:
    """One sample of the toy as a row."""
    problem = Problem("toy/train/0", question(terms), str(sum(terms)))
    prompt = s.policy.prompt(problem)
    found = asyncio.run(s.sample(problem, prompt, "", index))
    return Solution(
        problem.id,
        problem.question,
        problem.answer,
        tuple(step.text for step in found.steps),
        found.right,
        "sampled",
        prompt,
        tuple(step.ids for step in found.steps),
        tuple(own_mask(step) for step in found.steps),
        (None,) * len(found.steps),
    )


def near(value: float, p: float, n: int) -> bool:
    return abs(value - p) <= BOUND * math.sqrt(p * (1 - p) / n) + 1e-12


@pytest.mark.parametrize("index", [0, 1, 2])
def test_rollout_labels_are_the_policys_chance_of_a_right_answer(index):
    s, terms, n = sampler(), TERMS[0], 300
    row = sampled(s, terms, index)
    labelled = asyncio.run(by_rollouts(row, Rollouts(s, n)))
    chances = [exact(row.steps[: k + 1], terms) for k in range(len(terms))]
    assert all(near(v, p, n) for v, p in zip(labelled.values, chances, strict=False)), (labelled.values, chances)
    assert labelled.values[-1] == float(row.correct)
    assert labelled.provenance["labels"]["counts"][0][1] == n


def test_the_bound_would_catch_a_wrong_estimate():
    chances = [exact(("<<0+3=3>>\n",), TERMS[0]), exact(("<<0-3=-3>>\n",), TERMS[0])]
    assert not near(chances[0], chances[1], 300)


def test_outcome_labels_of_samples_estimate_the_same_chances(tmp_path):
    n = 600
    found = [Solution.of(row) for row in rows(solutions(tmp_path, "--samples", str(n), "--limit", "1"))]
    for row in found:
        p = exact(row.steps[:1], TERMS[0])
        through = sum(r.provenance["times"] for r in found if r.step_ids[0] == row.step_ids[0])
        assert near(row.values[0], p, through)


def test_a_hard_label_is_1_where_any_rollout_was_right(tmp_path):
    source = solutions(tmp_path)
    soft, hard = tmp_path / "soft.jsonl", tmp_path / "hard.jsonl"
    assert main(["labels", str(source), *TOY, "--out", str(soft)]) == 0
    assert main(["labels", str(source), *TOY, "--label", "hard", "--out", str(hard)]) == 0
    found = {(r["id"], str(r["step_ids"])): r["values"] for r in rows(soft)}
    assert len(found) == len(rows(source))
    for row in rows(hard):
        assert row["values"] == [float(v > 0) for v in found[row["id"], str(row["step_ids"])]]


def wrong_rows(s, terms, count: int) -> list[Solution]:
    found = (sampled(s, terms, index) for index in range(100))
    return [row for row, _ in zip((r for r in found if not r.correct), range(count), strict=False)]


def first_hopeless(row: Solution, terms) -> int:
    """The first step from which no right answer can be reached any more."""
    return next(k for k in range(len(row.steps)) if k == len(terms) or exact(row.steps[: k + 1], terms) == 0.0)


@pytest.mark.parametrize("label", [by_bisection, by_reach])
@pytest.mark.parametrize("terms", TERMS[:4])
def test_the_first_error_is_where_the_right_answer_gets_out_of_reach(label, terms):
    s = sampler()
    for row in wrong_rows(s, terms, 4):
        rollouts = Rollouts(s, 64)
        labelled = asyncio.run(label(row, rollouts))
        wrong = first_hopeless(row, terms)
        assert labelled.values == tuple(float(k < wrong) for k in range(len(row.steps)))
        about = labelled.provenance["labels"]
        assert about["first_error"] == wrong
        asked = [count for count in about["counts"] if count is not None]
        assert sum(n for _, n in asked) == rollouts.asked
        if label is by_bisection:
            assert len(asked) <= math.ceil(math.log2(len(row.steps))) + 1


def test_the_evidence_is_a_continuation_that_reaches_the_answer():
    s, terms = sampler(), TERMS[0]
    row = wrong_rows(s, terms, 1)[0]
    about = asyncio.run(by_rollouts(row, Rollouts(s, 64))).provenance["labels"]
    assert about["counts"][about["reached"]][0] > 0
    assert about["continuation"].endswith(f"#### {sum(terms)}")


@pytest.mark.parametrize("label", [by_bisection, by_reach])
def test_a_right_solution_has_no_error_and_costs_nothing(label):
    s = sampler(error=0.0)
    row, rollouts = sampled(s, TERMS[0], 0), Rollouts(s, 8)
    assert set(asyncio.run(label(row, rollouts)).values) == {1.0}
    assert rollouts.asked == 0


def test_solutions_with_a_common_prefix_share_its_rollouts():
    s = sampler(error=0.0)
    row, rollouts = sampled(s, TERMS[0], 0), Rollouts(s, 5)

    async def both():
        return await asyncio.gather(by_rollouts(row, rollouts), by_rollouts(row, rollouts))

    first, second = asyncio.run(both())
    assert first == second
    assert rollouts.asked == 5 * len(TERMS[0])


def test_a_cut_file_of_labels_is_completed_to_the_same_rows(tmp_path):
    source, out = solutions(tmp_path), tmp_path / "labels.jsonl"
    command = ["labels", str(source), *TOY, "--per-question", "2", "--out", str(out)]
    assert main(command) == 0
    wanted = sorted(out.read_bytes().splitlines())
    out.write_bytes(out.read_bytes()[: out.stat().st_size // 2])
    assert main(command) == 0
    assert sorted(out.read_bytes().splitlines()) == wanted


def test_test_questions_and_rows_without_ids_are_refused(tmp_path, capsys):
    for row, line in (
        ({"id": "gsm8k/test/3", "question": "q", "answer": "1", "steps": ["#### 1"]}, "a question of a test split"),
        ({"id": "gsm8k/train/3", "question": "q", "answer": "1", "steps": ["#### 1"]}, "without token ids"),
        ({"settings": {}}, "holds no solutions"),
    ):
        source = tmp_path / "x.jsonl"
        source.write_text(json.dumps(row) + "\n")
        assert main(["labels", str(source), *TOY, "--out", str(tmp_path / "out.jsonl")]) == 2
        assert line in capsys.readouterr().err
