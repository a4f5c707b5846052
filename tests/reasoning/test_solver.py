"""`from reasoning import Solver`: names or objects, sync and async."""

import asyncio
import subprocess
import sys

import pytest

from data.errors import UserError
from reasoning import Problem, Solver
from reasoning.engine.base import Capabilities
from reasoning.engine.toy import ToyEngine
from reasoning.rewards.generative import GenerativeReward, Judgement
from reasoning.rewards.logprob import MeanLogprob
from search.beam import BeamSearch
from search.driver import replay
from search.types import Evaluated, State

from .scripted_engine import ScriptedEngine

PROBLEMS = [Problem(f"p{i}", f"What is {i} + 2?", answer=str(i + 2)) for i in range(5)]


def test_sync_use():
    with Solver(task="gsm8k", method="greedy", policy="toy") as solver:
        assert solver.solve("What is 3 + 4?").answer == "7"
        assert [r.correct for r in solver.run(PROBLEMS)] == [True] * 5


def test_async_use_with_objects_of_ones_own():
    class Shorter:
        name, most_tokens = "shorter", 0
        closed = False

        async def evaluate(self, partial):
            return Evaluated(1 / (1 + len(partial.steps[-1].text)))

        async def close(self):
            self.closed = True

    reward, engine = Shorter(), ToyEngine()

    async def main():
        async with Solver("gsm8k", BeamSearch(2, 3), engine, reward) as solver:
            seen = [s async for s in solver.stream(PROBLEMS)]
            told = solver.describe()
        return seen, told

    seen, told = asyncio.run(main())
    assert {s.result.problem for s in seen} == {p.id for p in PROBLEMS}
    assert all(s.result.answer is not None for s in seen)
    assert not reward.closed  # what was passed in is not closed
    assert (told["reward"], told["params"]["width"]) == ("shorter", 2)
    for s in seen:
        root = State(s.result.problem, s.result.prompt_ids, s.result.seed)
        assert replay(BeamSearch(2, 3), root, s.log) == s.tree


def test_the_same_seed_gives_the_same_run_and_another_seed_another():
    def answers(seed):
        with Solver(method="best-of-n", policy="toy", n=4, seed=seed, engine={"error": "0.5"}) as solver:
            return [r.answers for r in solver.run(PROBLEMS)]

    assert answers(1) == answers(1)
    assert answers(1) != answers(2)


def test_unknown_settings_are_named():
    with pytest.raises(UserError, match="no setting 'beamwidth'; did you mean 'beam_width'"):
        Solver(policy="toy", beamwidth=3)


@pytest.mark.parametrize("value", [float("nan"), 1.5, -0.1, float("inf")])
def test_a_reward_that_is_no_probability_fails_and_is_counted(value):
    class Bad(MeanLogprob):
        name = "bad"

        async def evaluate(self, partial):
            return Evaluated(value)

    with Solver("gsm8k", "beam", "toy", Bad()) as solver:
        (row,) = solver.run(PROBLEMS[:1])
    assert row.answer is None
    assert "not in [0, 1]" in row.failed
    assert row.requests_failed > 0


def test_a_method_refuses_an_engine_that_cannot_report_what_it_needs():
    engine = ToyEngine()
    engine.capabilities = Capabilities(logprobs=False, token_logprobs=False)
    for method, reward, said in [
        ("mcts", "self-eval", "prior"),
        ("beam", "self-eval", "named tokens"),
        ("beam", "logprob", "log-probabilities"),
    ]:
        with pytest.raises(UserError, match=said), Solver("gsm8k", method, engine, reward):
            pass


def test_a_task_that_breaks_fails_that_problem_only():
    from reasoning.tasks.gsm8k import Gsm8k

    class Fragile(Gsm8k):
        fast_judge = True

        def judge(self, problem, answer):
            if problem.id == "p1":
                raise RuntimeError("cannot judge this")
            return super().judge(problem, answer)

    with Solver(Fragile(), "greedy", "toy") as solver:
        rows = solver.run(PROBLEMS)
    assert [r.correct is True for r in rows] == [True, False, True, True, True]


def test_importing_the_package_is_cheap():
    code = (
        "import sys, reasoning, reasoning.solve, reasoning.runs.__main__, search.methods\n"
        "heavy = {'torch', 'vllm', 'transformers', 'trl', 'peft', 'datasets', 'sympy', 'math_verify'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_search_imports_nothing_but_the_standard_library():
    code = (
        "import sys\nbefore = set(sys.modules)\nimport search.methods, search.driver, search.codec, search.toy\n"
        "new = {m.split('.')[0] for m in set(sys.modules) - before}\n"
        "print(sorted(m for m in new if m not in sys.stdlib_module_names and m != 'search'))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


# ---- rewards ---------------------------------------------------------------------------------------------------------


def partial(engine, *texts):
    from reasoning.rewards.base import Partial
    from search.types import Segment, Step

    steps = tuple(Step((Segment(tuple(engine.tokenizer.encode(t)), (-0.5,) * len(t)),), t) for t in texts)
    return Partial(PROBLEMS[0], (50, 51), steps)


def test_a_judgement_reads_question_and_steps_by_the_policys_ids():
    engine = ScriptedEngine()
    reward = GenerativeReward(engine, Judgement("?", "B", "A"))
    outcome = asyncio.run(reward.evaluate(partial(engine, "one\n", "two\n")))
    # The scripted log-probabilities are -1 for the good and -2 for the bad token.
    assert outcome.value == pytest.approx(1 / (1 + 2.718281828**-1))
    assert engine.tokenizer.decode(engine.prompts[0][2:]) == "one\ntwo\n?"
    assert outcome.usage.completion == 1


def test_another_judge_gets_steps_encoded_one_by_one():
    from reasoning.profiles import PROFILES
    from reasoning.tasks import get_task

    engine = ScriptedEngine()
    task, profile = get_task("gsm8k"), PROFILES["lines-zero-shot"]
    reward = GenerativeReward(engine, Judgement("?", "B", "A"), "generative", False, task, profile)
    asyncio.run(reward.evaluate(partial(engine, "a\n", "\nb")))
    # Joined as text first, the two line ends would have become one token.
    assert engine.prompts[0][-5:] == tuple(engine.tokenizer.encode(x)[0] for x in ("a", "\n", "\n", "b", "?"))


@pytest.mark.parametrize(("good", "bad", "said"), [("no", "A", "2 tokens"), ("", "A", "0 tokens"), ("A", "A", "same")])
def test_judgement_tokens_must_be_two_single_tokens(good, bad, said):
    with pytest.raises(UserError, match=said):
        GenerativeReward(ScriptedEngine(), Judgement("?", good, bad))


def test_the_log_probability_reward_is_the_geometric_mean_of_the_last_step():
    outcome = asyncio.run(MeanLogprob().evaluate(partial(ScriptedEngine(), "abc\n", "de\n")))
    assert outcome.value == pytest.approx(2.718281828**-0.5)
    assert outcome.usage.computed == 0


def test_where_no_method_is_named_eight_solutions_vote_by_their_rewards():
    told = Solver("gsm8k", policy="toy").describe()
    assert (told["method"], told["params"]["n"], told["params"]["vote"]) == ("best-of-n", 8, "weighted")
    told = Solver("gsm8k", policy="toy", n=3).describe()
    assert (told["method"], told["params"]["n"], told["params"]["vote"]) == ("best-of-n", 3, "weighted")
    told = Solver("gsm8k", "best-of-n", "toy").describe()
    assert (told["params"]["n"], told["params"]["vote"]) == (16, "majority")
    with pytest.raises(UserError, match=r"best-of-n.*width"):
        Solver("gsm8k", policy="toy", beam_width=2)
