"""Trained values as rewards: the policy's own while it writes, or one it gives when it is asked after a step."""

import asyncio
import json
from pathlib import Path

import pytest

from data.errors import UserError
from reasoning import Problem, Solver
from reasoning.cards import CARD
from reasoning.config import SolveConfig
from reasoning.engine.base import Capabilities
from reasoning.engine.models import named
from reasoning.engine.toy import ByteTokenizer, ToyEngine
from reasoning.policy import Policy
from reasoning.profiles import PROFILES
from reasoning.rewards import make_reward
from reasoning.rewards.base import Partial
from reasoning.rewards.generative import GenerativeReward, Judgement
from reasoning.runs import open_run, read_run
from reasoning.tasks import get_task
from search.types import Expanded, Finish, Segment, Step

from .scripted_engine import EOS, ScriptedEngine

PROBLEMS = [Problem(f"p{i}", f"What is {i} + 2 - 5 + 7?", answer=str(i + 4)) for i in range(3)]


def adapter(folder: Path, position: str | None, good: str = "+", bad: str = "-") -> str:
    """An adapter's folder, of which only the card is read here."""
    folder.mkdir(exist_ok=True)
    value = None if position is None else {"position": position, "good": good, "bad": bad}
    (folder / CARD).write_text(json.dumps({"profile": "lines-zero-shot", "value": value}))
    return str(folder)


def searched(engine, **settings):
    async def run():
        async with Solver("gsm8k", "beam", engine, beam_width=2, expand=3, **settings) as solver:
            return solver.describe(), [s async for s in solver.stream(PROBLEMS)]

    return asyncio.run(run())


@pytest.mark.parametrize(("position", "reward"), [("border", "own-value"), ("after", "generative"), (None, "logprob")])
def test_the_default_reward_is_what_the_policy_s_adapter_offers(tmp_path, position, reward):
    told, solved = searched(ToyEngine(0.5), adapter=adapter(tmp_path, position))
    assert told["reward"] == reward
    assert all(s.result.failed is None and s.tree.failures == {} for s in solved)
    assert all((s.result.reward_tokens > 0) == (reward == "generative") for s in solved)


def test_an_adapter_s_name_is_no_reason_to_change_a_reward_that_was_named(tmp_path):
    told, _ = searched(ToyEngine(0.5), adapter=adapter(tmp_path, "border"), reward="self-eval")
    assert told["reward"] == "self-eval"


def test_own_values_are_what_a_request_at_each_border_would_say(tmp_path):
    engine = ToyEngine(0.5)
    _, solved = searched(engine, adapter=adapter(tmp_path, "border"))
    judge = GenerativeReward(engine, Judgement("", "+", "-", "border"))
    seen = 0
    for s in solved:
        for node in s.tree.nodes[1:]:
            if node.value is not None:
                steps = tuple(n.step for n in s.tree.path(node.id) if n.step is not None)
                asked = asyncio.run(judge.evaluate(Partial(None, s.tree.root.prompt, steps)))
                assert node.value == node.step.value == pytest.approx(asked.value, abs=1e-6)
                seen += 1
    assert seen > 10


def test_an_adapter_that_judges_after_a_step_is_asked_nothing_more(tmp_path):
    engine = ToyEngine(0.5)
    _, solved = searched(engine, adapter=adapter(tmp_path, "after"))
    node = next(n for n in solved[0].tree.nodes[1:] if n.value is not None)
    (good, bad), _ = asyncio.run(engine.next_token_logprobs(solved[0].tree.ids(node.id), engine.tokenizer.encode("+-")))
    assert node.value == pytest.approx(2.718281828459**good / (2.718281828459**good + 2.718281828459**bad))
    assert node.step.value is None


def test_stored_runs_keep_the_policy_s_values(tmp_path):
    card = adapter(tmp_path / "adapter", "border")

    async def run():
        async with Solver("gsm8k", "best-of-n", ToyEngine(), n=3, adapter=card) as solver:
            with open_run("r", solver.describe(), resume=False, root=tmp_path) as run:
                await solver.arun(PROBLEMS, run=run)

    asyncio.run(run())
    view = read_run("r", tmp_path)
    steps = [s for r in view.results for t in view.tells(r.problem) for s in t["outcome"]["steps"]]
    assert steps
    assert all(0 < s["value"] < 1 for s in steps)


# ---- what is refused -------------------------------------------------------------------------------------------------


def refused(engine, **settings) -> str:
    with pytest.raises(UserError) as caught:
        searched(engine, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_policy_that_gives_no_value_is_refused_as_its_own_judge(tmp_path):
    assert "position border" in refused(ToyEngine(), reward="own-value")
    assert "position border" in refused(ToyEngine(), reward="own-value", adapter=adapter(tmp_path, "after"))
    blind = ToyEngine()
    blind.capabilities = Capabilities(score=False)
    assert "on an engine of this machine" in refused(blind, adapter=adapter(tmp_path, "border"))


def test_value_tokens_must_be_single_tokens_of_the_policy(tmp_path):
    assert "single one" in refused(ToyEngine(), adapter=adapter(tmp_path, "border", good=" yes"))
    assert "single one" in refused(ToyEngine(), adapter=adapter(tmp_path, "after", bad=" no"))


@pytest.mark.parametrize("setting", ["reward_good", "reward_bad", "reward_suffix"])
def test_a_reward_that_asks_nothing_takes_no_question(tmp_path, setting):
    said = refused(ToyEngine(), adapter=adapter(tmp_path, "border"), **{setting: "?"})
    assert setting.replace("_", "-") in said
    assert "own-value" in said


# ---- a judge of its own ----------------------------------------------------------------------------------------------


def judged(monkeypatch, partial: Partial, tokenizer=None, **settings):
    """The reward that the settings make and the prompt it sends to the engine that `open_engine` opens."""
    judge = ScriptedEngine()
    judge.tokenizer = tokenizer or judge.tokenizer
    opened = []

    async def open_engine(policy, **given):
        opened.append((policy, given["adapter"]))
        return judge

    async def close():
        return None

    judge.close = close
    monkeypatch.setattr("reasoning.engine.open_engine", open_engine)

    async def run():
        policy = Policy(ScriptedEngine(), get_task("gsm8k"), PROFILES["lines"])
        reward = await make_reward(SolveConfig.of({"reward": "generative", **settings}), policy)
        await reward.evaluate(partial)
        await reward.close()

    asyncio.run(run())
    return opened, judge.tokenizer.decode(judge.prompts[0]), judge.prompts[0]


# The first step's ids are not how its text is encoded: "=-" as two tokens, and the last one ends the sequence.
STEPS = (
    Step((Segment((*ScriptedEngine().tokenizer.encode("a="), *ScriptedEngine().tokenizer.encode("-1\n"))),), "a=-1\n"),
    Step((Segment((*ScriptedEngine().tokenizer.encode("#### 7"), EOS)),), "#### 7", Finish.ANSWER, "7"),
)
PARTIAL = Partial(PROBLEMS[0], (50, 51), STEPS)
QUESTION = f"Question: {PROBLEMS[0].question}\nAnswer:"


def test_a_reward_adapter_s_card_says_how_it_is_asked(monkeypatch, tmp_path):
    opened, text, ids = judged(monkeypatch, PARTIAL, reward_adapter=adapter(tmp_path, "after"))
    assert opened == [(named(None), str(tmp_path))]
    assert text == QUESTION + "a=-1\n#### 7"  # its own profile, and no question after the steps
    assert ids[-len(PARTIAL.ids) + 2 :] == PARTIAL.ids[2:]  # the same model: the policy's own ids
    _, _, at_border = judged(monkeypatch, PARTIAL, reward_adapter=adapter(tmp_path, "border"))
    assert at_border == ids[:-1]
    _, text, _ = judged(monkeypatch, PARTIAL, reward_adapter=adapter(tmp_path, "border"), reward_suffix="?")
    assert text.endswith("#### 7?")
    _, text, _ = judged(monkeypatch, PARTIAL, reward_adapter=adapter(tmp_path, None))
    assert text.endswith("The answer so far is (")


# Whatever the names say: a folder's content changes, and one model has many names.
@pytest.mark.parametrize("name", ["another", None])
def test_another_tokenizer_reads_the_text_and_sees_the_solution_end(monkeypatch, tmp_path, name):
    made = ByteTokenizer()
    given = {"reward_policy": name, "reward_adapter": adapter(tmp_path, "after"), "tokenizer": made}
    _, _, ids = judged(monkeypatch, PARTIAL, **given)
    assert ids == (*made.encode(f"{QUESTION}a=-1\n#### 7"), *made.eos_ids)
    _, _, ids = judged(monkeypatch, Partial(PROBLEMS[0], (50, 51), STEPS[:1]), **given)
    assert ids == tuple(made.encode(f"{QUESTION}a=-1\n"))


def test_another_model_with_the_policy_s_tokenizer_takes_the_policy_s_ids(monkeypatch, tmp_path):
    opened, _, ids = judged(monkeypatch, PARTIAL, reward_policy="another", reward_adapter=adapter(tmp_path, "after"))
    assert opened == [("another", str(tmp_path))]
    assert ids[-len(PARTIAL.ids) + 2 :] == PARTIAL.ids[2:]


def test_a_judge_of_one_s_own_that_would_read_foreign_ids_is_refused():
    judge = ScriptedEngine()
    assert "another tokenizer" in refused(ToyEngine(), reward=GenerativeReward(judge, Judgement("?", "B", "A")))
    text = GenerativeReward(judge, Judgement("?", "B", "A"), "judge", False, get_task("gsm8k"), PROFILES["lines"])
    searched(ToyEngine(), reward=text)
    assert all(f"Question: {PROBLEMS[0].question[:8]}" in judge.tokenizer.decode(ids) for ids in judge.prompts)


def test_the_policy_s_adapter_goes_to_its_own_model_only(monkeypatch, tmp_path):
    own = adapter(tmp_path, "after")
    opened, _, _ = judged(monkeypatch, PARTIAL, adapter=own, reward_engine={"max_num_seqs": "4"})
    assert opened == [(named(None), own)]
    opened, _, _ = judged(monkeypatch, PARTIAL, adapter=own, reward_policy="another")
    assert opened == [("another", None)]


def test_an_outcome_of_a_search_is_whole_where_values_come_with_it(tmp_path):
    _, solved = searched(ToyEngine(0.5), adapter=adapter(tmp_path, "border"))
    for s in solved:
        for tell in s.log:
            if isinstance(tell.outcome, Expanded):
                for step in tell.outcome.steps:
                    assert (step.value is None) == (step.finish in (Finish.CUT, Finish.INVALID))
