"""Searches on the real embedded model in real vLLM: ids, counts, runs and budgets hold there too."""

import pytest

from reasoning import Problem, Solver
from reasoning.profiles import PROFILES
from reasoning.rewards.base import Partial
from reasoning.rewards.generative import GenerativeReward
from reasoning.runs import open_run, read_run, totals
from reasoning.tasks import get_task
from search.driver import replay
from search.types import Expanded, Segment, State, Step

pytestmark = pytest.mark.engine

PROBLEMS = [
    Problem("a", "A shelf holds 4 rows of 6 books, and 5 books are lent out. How many are left?", answer="19"),
    Problem("b", "Nora earns 12 dollars an hour and works 3 hours. How much does she earn?", answer="36"),
    Problem("c", "A rope of 20 metres is cut into 4 equal pieces. How long is a piece?", answer="5"),
]
METHODS = {
    "greedy": {},
    "best-of-n": {"n": 4, "vote": "weighted"},
    "beam": {"beam_width": 2, "expand": 2, "max_depth": 4},
    "dvts": {"n": 4, "expand": 2, "max_depth": 4},
    "mcts": {"iterations": 4, "expand": 2, "max_depth": 4},
}


@pytest.fixture(params=METHODS, scope="module")
def solved(request, loop, vllm_engine):
    """Every method's search of one problem."""
    solver = Solver(
        "gsm8k", request.param, vllm_engine, max_answer_tokens=96, profile="lines", **METHODS[request.param]
    )

    async def run():
        async with solver:
            (found,) = [s async for s in solver.stream(PROBLEMS[:1])]
            return found

    return solver, loop.run(run())


def test_the_search_ends_without_failures(solved):
    _, s = solved
    assert s.result.failed is None
    assert s.tree.failures == {}
    assert not s.tree.pending


def test_a_childs_prompt_is_its_parents_plus_its_own_ids(solved, vllm_engine):
    _, s = solved
    assert len(s.tree.nodes) > 1
    for node in s.tree.nodes[1:]:
        assert s.tree.ids(node.id) == s.tree.ids(node.parent) + node.step.ids
        assert vllm_engine.tokenizer.decode(node.step.ids) == node.step.text
        for segment in node.step.segments:
            assert (segment.logprobs is None) == (segment.source == "tool")
            assert all(x <= 0 for x in segment.logprobs or ())


def test_the_tree_is_the_fold_of_its_log_and_usage_its_sum(solved):
    solver, s = solved
    assert replay(solver.method, State("a", s.result.prompt_ids, s.result.seed), s.log) == s.tree
    expanded = [t.outcome.usage for t in s.log if isinstance(t.outcome, Expanded)]
    assert s.result.completion_tokens == sum(u.completion for u in expanded)
    assert s.result.prompt_tokens == sum(u.prompt for u in expanded)
    assert 0 <= s.result.cached_tokens < s.result.prompt_tokens


def test_samples_after_the_first_read_the_question_from_the_cache(solved):
    solver, s = solved
    if solver.config.method == "greedy":
        return
    _, *later = [t.outcome.usage for t in s.log if isinstance(t.outcome, Expanded)]
    assert max(u.cached for u in later) >= len(s.result.prompt_ids) // 32 * 32 - 32


def test_a_judge_with_its_own_prompt_agrees_where_the_tokens_are_the_same(loop, vllm_engine):
    task, profile = get_task("gsm8k"), PROFILES["lines"]
    encode = vllm_engine.tokenizer.encode
    texts = [" 4 * 6 = <<4*6=24>>24 books\n", " 24 - 5 = <<24-5=19>>19\n"]
    steps = tuple(Step((Segment(tuple(encode(t))),), t) for t in texts)
    partial = Partial(PROBLEMS[0], profile.prompt(task, PROBLEMS[0], vllm_engine.tokenizer), steps)

    async def values():
        own = GenerativeReward(vllm_engine)
        other = GenerativeReward(vllm_engine, same_ids=False, task=task, profile=profile)
        return await own.evaluate(partial), await other.evaluate(partial)

    own, other = loop.run(values())
    assert 0 < own.value < 1
    assert other.value == pytest.approx(own.value, abs=0.05)  # the second reads the first one's blocks
    assert other.usage.prompt == own.usage.prompt
    assert other.usage.cached > own.usage.cached


def test_a_budget_is_a_ceiling_on_the_real_engine(loop, vllm_engine):
    async def run():
        async with Solver(
            "gsm8k", "beam", vllm_engine, max_tokens_per_problem=150, profile="lines", **METHODS["beam"]
        ) as solver:
            return [s async for s in solver.stream(PROBLEMS)]

    for s in loop.run(run()):
        assert sum(t.outcome.usage.completion for t in s.log) <= 150


def test_a_run_in_two_parts_holds_every_problem_once_and_totals_are_sums(loop, vllm_engine, tmp_path):
    async def part(problems, resume):
        async with Solver("gsm8k", "beam", vllm_engine, profile="lines", **METHODS["beam"]) as solver:
            with open_run("r", solver.describe(), resume=resume, root=tmp_path) as run:
                return await solver.arun(problems, run=run)

    loop.run(part(PROBLEMS[:2], False))
    rows = loop.run(part(PROBLEMS, True))
    assert [r.problem for r in rows] == ["a", "b", "c"]
    assert rows == list(read_run("r", tmp_path).results)
    sums = totals(rows)
    assert sums.completion_tokens == sum(r.completion_tokens for r in rows) > 0
    assert sums.computed_tokens == sum(
        r.prompt_tokens - r.cached_tokens + r.completion_tokens + r.reward_tokens for r in rows
    )
