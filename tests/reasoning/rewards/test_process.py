"""Process reward models: their numbers are those of a plain forward pass, their cost is counted."""

from __future__ import annotations

import asyncio
import json
import math
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file  # noqa: E402
from transformers import AutoModelForCausalLM, AutoModelForTokenClassification, Qwen2Model  # noqa: E402

from data.errors import UserError  # noqa: E402
from data.records import Problem  # noqa: E402
from reasoning import Solver  # noqa: E402
from reasoning.config import SolveConfig  # noqa: E402
from reasoning.engine import token_classifier  # noqa: E402
from reasoning.engine.base import EngineError, PromptTooLong  # noqa: E402
from reasoning.engine.toy import ToyEngine  # noqa: E402
from reasoning.policy import Policy  # noqa: E402
from reasoning.profiles import PROFILES  # noqa: E402
from reasoning.rewards import make_reward  # noqa: E402
from reasoning.rewards.base import Partial  # noqa: E402
from reasoning.rewards.layouts import LAYOUTS, lay_out  # noqa: E402
from reasoning.tasks import get_task  # noqa: E402
from search.types import Cancelled, Finish, Segment, Step, Usage  # noqa: E402
from tests.reasoning.engine.web import Exchange, serving  # noqa: E402
from tests.reasoning.rewards import small  # noqa: E402

QUESTION = "Nina has 48 beads and gives away half. How many are left?"
STEPS = ["She gives away 48/2 = <<48/2=24>>24.\n", "That leaves 24.\n", "The answer is: 24"]
PROBLEM = Problem("p", QUESTION, answer="24")


def partial(texts: Sequence[str], question: str = QUESTION) -> Partial:
    steps = tuple(Step((Segment(tuple(text.encode())),), text) for text in texts)
    return Partial(Problem("p", question), (1,), steps)


async def opened(reward: str, engine: ToyEngine | None = None, **settings: Any) -> Any:
    policy = Policy(engine or ToyEngine(), get_task("gsm8k"), PROFILES["lines"])
    return await make_reward(SolveConfig.of({"reward": reward, "backend": "transformers", **settings}), policy)


def values(
    reward: str, folder: Path, partials: Sequence[Partial], engine: ToyEngine | None = None, **settings: Any
) -> list[Any]:
    """What the reward says of each, all asked at the same time."""

    async def run() -> list[Any]:
        found = await opened(reward, engine, reward_policy=str(folder), reward_engine={"device": "cpu"}, **settings)
        try:
            return await asyncio.gather(*(found.evaluate(p) for p in partials))
        finally:
            await found.close()

    return asyncio.run(run())


# ---- numbers, against one plain forward pass of each text ------------------------------------------------------------


def hidden(folder: Path, ids: Sequence[int]) -> Any:
    """The last hidden states of the checkpoint's backbone, (length, width), one text and no mask."""
    with torch.no_grad():
        return Qwen2Model.from_pretrained(folder, dtype=torch.float32).eval()(torch.tensor([list(ids)]))[0][0]


def conversation(folder: Path, steps: Sequence[str]) -> list[int]:
    """The whole conversation of Qwen's model card, encoded at once."""
    made = small.HFTokenizer(str(folder)).pretrained
    content = "".join(f"{step.strip()}<extra_0>" for step in steps)
    roles = {"system": LAYOUTS["qwen-prm"].system, "user": QUESTION, "assistant": content}
    messages = [{"role": role, "content": text} for role, text in roles.items()]
    return list(made.encode(made.apply_chat_template(messages, tokenize=False)))


def test_qwen_s_score_is_the_softmax_of_its_head_at_the_separator(tmp_path: Path) -> None:
    folder = small.qwen_prm(tmp_path)
    found = values("qwen-prm", folder, [partial(STEPS[: n + 1]) for n in range(3)])
    weights = load_file(folder / "model.safetensors")
    ids = conversation(folder, STEPS)
    separator = small.HFTokenizer(str(folder)).pretrained.convert_tokens_to_ids("<extra_0>")
    expected = []
    for state, token in zip(hidden(folder, ids).double(), ids, strict=True):
        if token == separator:
            inner = (weights["score.0.weight"].double() @ state + weights["score.0.bias"].double()).clamp(min=0)
            bad, good = (weights["score.2.weight"].double() @ inner + weights["score.2.bias"].double()).tolist()
            expected.append(math.exp(good) / (math.exp(good) + math.exp(bad)))
    assert [x.value for x in found] == pytest.approx(expected, abs=1e-5)
    assert max(expected) - min(expected) > 0.01
    # Nothing is kept from one text to the next: what was read was computed.
    assert found[2].usage == Usage(prompt=len(ids) - 2, cached=0, completion=0)


def test_skywork_s_score_is_the_sigmoid_of_its_value_head_at_the_newline(tmp_path: Path) -> None:
    folder = small.skywork_prm(tmp_path)
    (found,) = values("skywork-prm", folder, [partial(STEPS)])
    made = small.HFTokenizer(str(folder))
    ids = made.encode(QUESTION + "\n")
    for step in STEPS:
        ids += made.encode(step.strip()) + made.encode("\n")
    head = load_file(folder / "model.safetensors")
    value = float(hidden(folder, ids)[-1] @ head["v_head.summary.weight"][0] + head["v_head.summary.bias"][0])
    assert found.value == pytest.approx(1 / (1 + math.exp(-value)), abs=1e-5)


@pytest.mark.parametrize("separator", [None, "\n\n", "<extra_0>"])
def test_a_token_classifier_is_read_at_the_separator_s_last_token(tmp_path: Path, separator: str | None) -> None:
    folder = small.classifier(tmp_path)
    (found,) = values("token-classification", folder, [partial(STEPS)], reward_suffix=separator)
    made = small.HFTokenizer(str(folder))
    ids = made.encode(QUESTION)
    for step in STEPS:
        ids += made.encode(step.strip()) + made.encode(separator or "\n")
    model = AutoModelForTokenClassification.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        expected = torch.softmax(model(torch.tensor([ids])).logits[0, -1], -1)[1]
    assert found.value == pytest.approx(float(expected), abs=1e-5)


def next_token(folder: Path, ids: Sequence[int], position: int, pair: Sequence[int]) -> float:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        logits = model(torch.tensor([list(ids)])).logits[0, position, list(pair)]
    return float(logits.softmax(-1)[0])


def test_rlhflow_s_score_is_plus_against_minus_before_the_turn_s_plus(tmp_path: Path) -> None:
    folder = small.rlhflow(tmp_path)
    (found,) = values("rlhflow-prm", folder, [partial(STEPS)])
    made = small.HFTokenizer(str(folder)).pretrained
    turns = []
    for content in (f"{QUESTION} {STEPS[0]}", *STEPS[1:]):
        turns += [{"role": "user", "content": content}, {"role": "assistant", "content": "+"}]
    ids = made.apply_chat_template(turns, tokenize=True, return_dict=False)
    pair = [made.encode("+", add_special_tokens=False)[-1], made.encode("-", add_special_tokens=False)[-1]]
    assert found.value == pytest.approx(next_token(folder, ids, -3, pair), abs=1e-5)
    assert (found.usage.prompt, found.usage.completion) == (len(ids) - 2, 1)


def test_math_shepherd_s_score_is_the_first_of_its_two_ids_at_the_tag(tmp_path: Path) -> None:
    pytest.importorskip("mistral_common")
    sentencepiece = pytest.importorskip("sentencepiece")
    folder = small.math_shepherd(tmp_path)
    (found,) = values("math-shepherd", folder, [partial(STEPS)])
    steps = "\n".join(f"Step {number}: {step.strip()} ки" for number, step in enumerate(STEPS, 1))
    own = sentencepiece.SentencePieceProcessor(str(folder / "tokenizer.model"))
    ids = [1, *own.encode(f"{QUESTION} {steps}")]
    assert ids[-1] == 12902
    assert found.value == pytest.approx(next_token(folder, ids, -1, (648, 387)), abs=1e-5)


def test_what_the_project_trains_needs_no_options(tmp_path: Path) -> None:
    pytest.importorskip("trl")
    from peft import PeftModel

    from data.rows import RowFile, Solution
    from reasoning.train import prm
    from tests.reasoning.train import tiny

    base, out = tmp_path / "base", tmp_path / "out"
    base.mkdir()
    tiny.save(base)
    right = Solution("q/1", QUESTION, "24", (" <<48/2=24>>\n", "#### 24"), True, values=(0.5, 1.0))
    with RowFile(tmp_path / "rows.jsonl", {}) as file:
        file.add("q/1", [right.to_json()])
    data = ["--data", str(tmp_path / "rows.jsonl"), "--model", str(base), "--output_dir", str(out)]
    prm.run([*tiny.options(max_steps=3, save_strategy="no"), *data, "--kind", "token-classification"])

    last = Step((Segment((7,)),), right.steps[1], Finish.ANSWER, "24")
    asked = Partial(PROBLEM, (1,), (Step((Segment((5, 6)),), right.steps[0]), last))
    (found,) = values("token-classification", base, [asked], reward_adapter=str(out))
    plain = AutoModelForTokenClassification.from_pretrained(base, num_labels=2, dtype=torch.float32)
    model = PeftModel.from_pretrained(plain, str(out)).eval()
    made = small.HFTokenizer(str(base))
    ids = made.encode(f"Question: {QUESTION}\nAnswer:") + made.encode("".join(right.steps)) + sorted(made.eos_ids)[:1]
    with torch.no_grad():
        expected = model(torch.tensor([ids])).logits[0, -1].softmax(-1)[1]
    assert found.value == pytest.approx(float(expected), abs=1e-5)

    # A policy under the classifier's name with another tokenizer: its ids would be read as they are, were names asked.
    renamed = ToyEngine()
    renamed.name = str(base)
    (same,) = values("token-classification", base, [asked], renamed, policy=str(base), reward_adapter=str(out))
    assert same == found


# ---- many at once ----------------------------------------------------------------------------------------------------


def test_evaluations_that_wait_share_a_batch_and_change_no_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = small.qwen_prm(tmp_path)
    asked = [partial(STEPS[: 1 + n % 3], QUESTION + " Why?" * n) for n in range(12)]
    alone = [values("qwen-prm", folder, [p])[0] for p in asked[:4]]
    sizes: list[int] = []
    compute = token_classifier.TokenClassifier._compute
    monkeypatch.setattr(
        token_classifier.TokenClassifier,
        "_compute",
        lambda self, batch: sizes.append(len(batch)) or compute(self, batch),
    )
    monkeypatch.setattr(token_classifier, "MAX_TEXTS", 5)
    together = values("qwen-prm", folder, asked)
    assert sizes == [5, 5, 2]
    assert [x.value for x in together[:4]] == pytest.approx([x.value for x in alone], abs=1e-5)
    sizes.clear()
    monkeypatch.setattr(token_classifier, "MAX_TOKENS", 1)  # every text is longer, and goes alone
    assert [x.value for x in values("qwen-prm", folder, asked)] == pytest.approx([x.value for x in together], abs=1e-5)
    assert sizes == [1] * 12


def test_a_cancelled_evaluation_costs_what_was_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = small.qwen_prm(tmp_path)
    begun, go_on = threading.Event(), threading.Event()
    compute = token_classifier.TokenClassifier._compute

    def slow(self: Any, batch: Any) -> Any:
        begun.set()
        go_on.wait(30)
        return compute(self, batch)

    monkeypatch.setattr(token_classifier.TokenClassifier, "_compute", slow)

    async def run() -> tuple[list[Usage], Any]:
        reward = await opened("qwen-prm", reward_policy=str(folder), reward_engine={"device": "cpu"})
        first = asyncio.create_task(reward.evaluate(partial(STEPS)))
        await asyncio.to_thread(begun.wait, 30)
        second = asyncio.create_task(reward.evaluate(partial(STEPS)))  # waits for the first
        await asyncio.sleep(0)
        spent = []
        for task in (second, first):
            task.cancel()
            with pytest.raises(Cancelled) as caught:
                await task
            spent.append(caught.value.usage)
        go_on.set()
        after = await reward.evaluate(partial(STEPS))
        await reward.close()
        return spent, after

    spent, after = asyncio.run(run())
    assert spent == [Usage(), after.usage]
    assert after.usage.computed == after.usage.prompt > 0


# ---- a server --------------------------------------------------------------------------------------------------------


class Pooling:
    """Answers as vLLM's `/pooling` does, with rows that `rows(ids)` gives."""

    def __init__(self, root: Path, rows: Any) -> None:
        self.root, self.rows = root, rows
        self.bodies: list[Any] = []

    async def __call__(self, exchange: Exchange) -> None:
        if exchange.path == "/v1/models":
            card = {"id": "prm", "root": str(self.root), "max_model_len": 200}
            await exchange.send(200, {"data": [card]})
            return
        assert exchange.path == "/pooling"
        self.bodies.append(exchange.body)
        ids = exchange.body["input"]
        usage = {"prompt_tokens": len(ids), "total_tokens": len(ids)}
        await exchange.send(200, json.dumps({"data": [{"index": 0, "data": self.rows(ids)}], "usage": usage}).encode())


def served(reward: str, pooling: Pooling, asked: Partial) -> Any:
    async def run() -> Any:
        async with serving(pooling) as url:
            found = await opened(reward, reward_policy=f"prm@{url}")
            try:
                return await found.evaluate(asked)
            finally:
                await found.close()

    return asyncio.run(run())


def test_a_server_s_rows_are_read_whether_of_separators_or_of_all_tokens(tmp_path: Path) -> None:
    made = small.qwen_tokenizer(tmp_path)
    separator = made.pretrained.convert_tokens_to_ids("<extra_0>")

    def of_steps(ids: Sequence[int]) -> Any:
        return [[1 - n / 10, n / 10] for n in range(1, 1 + list(ids).count(separator))]

    def of_all(ids: Sequence[int]) -> Any:
        return [[0.25, 0.75] if i == len(ids) - 1 else [1.0, 0.0] for i in range(len(ids))]

    pooling = Pooling(tmp_path, of_steps)
    found = served("qwen-prm", pooling, partial(STEPS))
    ids = lay_out(LAYOUTS["qwen-prm"], made, QUESTION, STEPS).ids
    assert found.value == pytest.approx(0.3)
    assert found.usage == Usage(prompt=len(ids), cached=0, completion=0)
    assert pooling.bodies[0]["input"] == list(ids)
    assert pooling.bodies[0]["task"] == "token_classify"
    assert served("qwen-prm", Pooling(tmp_path, of_all), partial(STEPS)).value == pytest.approx(0.75)
    # One output a token, and newlines in the question that step pooling returns as well.
    (newline,) = made.encode("\n")
    numbered = Pooling(tmp_path, lambda ids: [[n / 10] for n in range(list(ids).count(newline))])
    assert served("skywork-prm", numbered, partial(STEPS, "How\nmany?")).value == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([[0.5, 0.5]], "gave 1 rows"),
        ([[-3.0, 2.0]] * 3, "no probabilities"),
        ([[0.9, 0.9]] * 3, "no probabilities"),
        ([[0.2, 0.3, 0.5]] * 3, "no probabilities"),
        ([0.1, 0.2, 0.3], "no OpenAI completion"),
    ],
)
def test_a_server_that_answers_something_else_is_named(tmp_path: Path, rows: Any, said: str) -> None:
    small.qwen_tokenizer(tmp_path)
    with pytest.raises(EngineError, match=said) as caught:
        served("qwen-prm", Pooling(tmp_path, lambda ids: rows), partial(STEPS))
    assert "\n" not in str(caught.value)


def test_a_served_score_that_is_no_number_and_a_text_too_long_fail(tmp_path: Path) -> None:
    small.qwen_tokenizer(tmp_path)
    with pytest.raises(ValueError, match="gives no number"):
        served("qwen-prm", Pooling(tmp_path, lambda ids: [[math.nan, math.nan]] * 3), partial(STEPS))
    with pytest.raises(PromptTooLong, match="does not fit the 200"):
        served("qwen-prm", Pooling(tmp_path, lambda ids: []), partial(["long " * 300]))


# ---- bad input -------------------------------------------------------------------------------------------------------


def test_nan_weights_fail_the_node_with_a_reason_and_the_run_goes_on(tmp_path: Path) -> None:
    folder = small.qwen_prm(tmp_path)
    small.add(folder, {"score.2.bias": torch.tensor([math.nan, 0.0])})

    async def run() -> Any:
        settings = {"reward_policy": str(folder), "reward_engine": {"device": "cpu"}, "beam_width": 1, "expand": 2}
        async with Solver("gsm8k", "beam", ToyEngine(0.2), "qwen-prm", **settings) as solver:
            return await solver.asolve(Problem("p", "What is 1 + 2?", answer="3"))

    solved = asyncio.run(run())
    assert len(solved.tree.failures) == 1
    assert "the reward 'qwen-prm' gives no number for a step (nan)" in next(iter(solved.tree.failures))


def test_empty_steps_and_plans(tmp_path: Path) -> None:
    folder = small.qwen_prm(tmp_path)
    blank = Step((Segment((10,)),), "\n")
    plan = Step((Segment((10,)),), "1. Find half.\n", action="plan")
    with pytest.raises(ValueError, match="is empty: there is nothing to judge"):
        values("qwen-prm", folder, [partial([STEPS[0], "\n"])])
    whole = partial(STEPS)
    between = Partial(whole.problem, whole.prompt, (plan, whole.steps[0], blank, *whole.steps[1:]))
    first, second = values("qwen-prm", folder, [whole, between])
    assert first.value == pytest.approx(second.value, abs=1e-6)
    assert first.usage == second.usage


def test_a_text_longer_than_the_model_fails_alone(tmp_path: Path) -> None:
    folder = small.qwen_prm(tmp_path)
    with pytest.raises(PromptTooLong, match="does not fit the 512"):
        values("qwen-prm", folder, [partial(["long " * 600])])


def refused(reward: str, **settings: Any) -> str:
    with pytest.raises((UserError, EngineError)) as caught:
        asyncio.run(opened(reward, **settings))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_checkpoints_that_do_not_fit_are_refused_in_one_line(tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("plain", "bare", "classes", "cut")}
    for folder in folders.values():
        folder.mkdir()
    small.rlhflow(folders["plain"])
    assert "no process-reward head (score.0.weight" in refused("qwen-prm", reward_policy=str(folders["plain"]))
    assert "v_head.summary.weight" in refused("skywork-prm", reward_policy=str(folders["plain"]))
    assert "is missing" in refused("token-classification", reward_policy=str(folders["plain"]))
    assert "3 classes" in refused("token-classification", reward_policy=str(small.classifier(folders["classes"], 3)))
    small.qwen_prm(folders["bare"])
    small.qwen_tokenizer(folders["bare"], [*small.QWEN_SPECIAL[:-1], "<|other|>"])
    said = refused("qwen-prm", reward_policy=str(folders["bare"]))
    assert "the step separator '<extra_0>' is no single token" in said
    small.qwen_prm(folders["cut"])
    small.add(folders["cut"], {"score.0.weight": torch.zeros(32, 16)})
    assert "another width" in refused("qwen-prm", reward_policy=str(folders["cut"]))
    assert "'▁ки' is no single token" in refused("math-shepherd", reward_policy=str(folders["plain"]))


def test_settings_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    for name, layout in LAYOUTS.items():
        assert (layout.checkpoint or "--reward-policy") in refused(name)
    assert "--reward-good" in refused("qwen-prm", reward_policy="x", reward_good="+")
    assert "--reward-suffix" in refused("qwen-prm", reward_policy="x", reward_suffix="\n")
    assert "toy policy" in refused("token-classification", reward_policy="toy")
    assert "name its checkpoint" in refused("rlhflow-prm", reward_policy="toy")
    folder = small.classifier(tmp_path)
    assert "no option 'batch'" in refused(
        "token-classification", reward_policy=str(folder), reward_engine={"batch": "3"}
    )
    assert "no dtype float99" in refused(
        "token-classification", reward_policy=str(folder), reward_engine={"dtype": "float99"}
    )
