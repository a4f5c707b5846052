"""The model and the task of lm-evaluation-harness, by the harness itself."""

import json
import math
from pathlib import Path

import pytest

pytest.importorskip("lm_eval", reason="pip install 'stepsolver[lm-eval]'")

from lm_eval import simple_evaluate
from lm_eval.api.instance import Instance
from lm_eval.tasks import TaskManager

from data.errors import UserError
from data.records import Problem
from reasoning.engine.base import Capabilities, Completion
from reasoning.engine.toy import ByteTokenizer, ToyEngine
from reasoning.integrations.lm_eval import TASKS
from reasoning.integrations.lm_eval.__main__ import main
from reasoning.integrations.lm_eval.model import StepsolverLM
from reasoning.profiles import get_profile
from reasoning.tasks.gsm8k import Gsm8k
from search.types import Usage
from tests.reasoning.scripted_engine import ScriptedEngine

QUESTIONS = [("There are 4 birds and 7 more come.", 11), ("Add 12 and 30 and 8.", 50), ("From 20 take -5", 15)]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory with a GSM8K of our own: the toy policy adds up the numbers of a question."""
    folder = tmp_path / "gsm8k"
    folder.mkdir()
    rows = [json.dumps({"question": q, "answer": f"It is {a}.\n#### {a}"}) for q, a in QUESTIONS]
    (folder / "test.jsonl").write_text("\n".join(rows) + "\n")
    monkeypatch.setenv("STEPSOLVER_DATA", str(tmp_path))
    return tmp_path


def ask(context: str, **arguments: object) -> Instance:
    return Instance("generate_until", {}, (context, arguments), 0, ("t", 0, 1))


def score(context: str, continuation: str) -> Instance:
    return Instance("loglikelihood", {}, (context, continuation), 0, ("t", 0, 1))


@pytest.mark.parametrize(
    "strategy",
    ["method=greedy", "method=best-of-n,n=3", "method=beam,beam_width=2,expand=2,reward=logprob,max_depth=5"],
)
def test_the_harness_evaluates_any_strategy(data: Path, strategy: str) -> None:
    results = simple_evaluate(
        model="stepsolver",
        model_args=f"policy=toy,engine.error=0,{strategy}",
        tasks=["stepsolver_gsm8k"],
        task_manager=TaskManager(include_path=str(TASKS), include_defaults=False),
        bootstrap_iters=0,
    )
    assert results is not None
    assert results["results"]["stepsolver_gsm8k"]["exact_match,none"] == 1.0
    assert results["n-samples"]["stepsolver_gsm8k"]["effective"] == len(QUESTIONS)
    config = results["config"]
    assert config["searches"] == len(QUESTIONS)
    assert config["completion_tokens"] > 0
    assert strategy.startswith(f"method={config['strategy']['method']}")


def test_few_shot_contexts_are_the_prompts_of_the_profile_lines(data: Path) -> None:
    results = simple_evaluate(
        model=StepsolverLM(policy="toy", method="greedy"),
        tasks=["stepsolver_gsm8k"],
        num_fewshot=4,
        task_manager=TaskManager(include_path=str(TASKS), include_defaults=False),
        bootstrap_iters=0,
    )
    assert results is not None
    profile, task = get_profile("lines"), Gsm8k()
    for sample, (question, _) in zip(results["samples"]["stepsolver_gsm8k"], QUESTIONS, strict=True):
        prompt = profile.prompt(task, Problem("p", question), ByteTokenizer())
        assert bytes(prompt).decode() == sample["arguments"][0][0]


def test_a_context_is_the_root_and_until_ends_the_text() -> None:
    engine = ScriptedEngine(" one\ntwo. Three\n\nQuestion:")
    model = StepsolverLM(policy=engine, method="greedy", profile="lines")
    assert model.generate_until([ask("Q: x\nA:", until=["."], max_gen_toks=50)], disable_tqdm=True) == [" one\ntwo"]
    assert engine.prompts == [tuple(engine.tokenizer.encode("Q: x\nA:"))]
    assert (engine.samplings[0].stop, engine.samplings[0].max_tokens) == ((".",), 50)


def test_until_may_be_one_string() -> None:
    model = StepsolverLM(policy=ScriptedEngine(" one; two"), method="greedy", profile="lines")
    assert model.generate_until([ask("x", until=";")], disable_tqdm=True) == [" one"]


def test_repeats_of_a_request_are_different_samples() -> None:
    model = StepsolverLM(policy="toy", method="best-of-n", n=1, **{"engine.error": 0.5})
    request = ask("Question: 1 and 2 and 3 and 4 and 5 and 6\nAnswer:", until=["\n\n"], max_gen_toks=400)
    texts = model.generate_until([request] * 6, disable_tqdm=True)
    assert len(set(texts)) > 1
    assert model.generate_until([request] * 6, disable_tqdm=True) == texts


def test_results_are_in_the_order_of_the_requests() -> None:
    model = StepsolverLM(policy="toy", method="greedy", concurrency=3)
    questions = [f"Question: {n} and 1\nAnswer:" for n in range(8)]
    texts = model.generate_until([ask(q, until=["\n\n"]) for q in questions], disable_tqdm=True)
    assert [int(t.rpartition("####")[2]) for t in texts] == [n + 1 for n in range(8)]


def test_one_failed_search_is_an_empty_text_and_only_failures_are_an_error(caplog: pytest.LogCaptureFixture) -> None:
    model = StepsolverLM(policy="toy", method="greedy")
    long = ask("x" * 9000, until=["\n\n"])
    texts = model.generate_until([long, ask("Question: 1 and 1\nAnswer:", until=["\n\n"])], disable_tqdm=True)
    assert texts[0] == ""
    assert texts[1].endswith("#### 2\n") or texts[1].endswith("#### 2")
    assert "9000 tokens" in caplog.text
    with pytest.raises(UserError, match="all 1 searches failed: the prompt has 9000 tokens"):
        model.generate_until([long], disable_tqdm=True)


class Bigrams(ToyEngine):
    """Bytes whose next byte is the following letter with probability 3/4, else the one after that."""

    capabilities = Capabilities(score=True)
    max_context = 16

    def __init__(self) -> None:
        super().__init__()
        self.completions = 0

    async def score(self, prompt_ids, continuation_ids):
        assert prompt_ids and len(prompt_ids) + len(continuation_ids) < self.max_context + 1
        text = [*prompt_ids, *continuation_ids]
        steps = [text[i + 1] - text[i] for i in range(len(prompt_ids) - 1, len(text) - 1)]
        return [math.log({1: 0.75, 2: 0.25}.get(s, 1e-9)) for s in steps], Usage(len(text), 0, 1)

    async def complete(self, prompt_ids, sampling):
        self.completions += 1
        ids = tuple(prompt_ids[-1] + 1 + i for i in range(sampling.max_tokens))
        return Completion(ids, bytes(ids).decode(), None, "length", Usage(len(prompt_ids), 0, len(ids)))


def test_loglikelihood_is_the_engines_score_with_its_greedy_flag() -> None:
    engine = Bigrams()
    model = StepsolverLM(policy=engine, method="greedy", profile="lines")
    requests = [score("xyab", "cd"), score("ab", "ce"), score("ab", "df")]
    (likely, greedy), (slip, slip_greedy), (wrong, wrong_greedy) = model.loglikelihood(requests, disable_tqdm=True)
    assert likely == pytest.approx(2 * math.log(0.75))
    assert slip == pytest.approx(math.log(0.75) + math.log(0.25))
    assert wrong == pytest.approx(2 * math.log(0.25))
    assert (greedy, slip_greedy, wrong_greedy) == (True, False, False)
    assert engine.completions == 2  # what is likelier than one half is not asked


def test_a_context_that_is_too_long_loses_its_beginning() -> None:
    model = StepsolverLM(policy=Bigrams(), method="greedy", profile="lines")
    ((value, _),) = model.loglikelihood([score("a" * 40 + "b", "c")], disable_tqdm=True)
    assert value == pytest.approx(math.log(0.75))


def test_rolling_loglikelihood_counts_every_token_once() -> None:
    model = StepsolverLM(policy=Bigrams(), method="greedy", profile="lines")
    text = "".join(chr(40 + i) for i in range(30))  # more than one window of the context
    request = Instance("loglikelihood_rolling", {}, (text,), 0, ("t", 0, 1))
    (value,) = model.loglikelihood_rolling([request], disable_tqdm=True)
    assert value == pytest.approx(29 * math.log(0.75) + math.log(1e-9))  # nothing goes before the first character


def test_an_engine_without_scores_says_so_in_one_line() -> None:
    with pytest.raises(UserError, match="log-likelihoods need an engine that scores given text, and toy does not"):
        StepsolverLM(policy="toy").loglikelihood([score("a", "b")], disable_tqdm=True)


def test_chat_templates_are_refused() -> None:
    with pytest.raises(UserError, match="raw prompts: leave out --apply_chat_template"):
        StepsolverLM(policy="toy").apply_chat_template([])


def test_the_word_none_as_an_adapter_is_the_bare_model() -> None:
    assert StepsolverLM(policy="toy", adapter=None)._solver.config.adapter == "none"


def test_the_command_runs_the_harness(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = "policy=toy,engine.error=0,method=best-of-n,n=2"
    assert main(["--tasks", "stepsolver_gsm8k", "--limit", "2", "--model_args", arguments]) == 0
    out = capsys.readouterr().out
    assert "exact_match" in out
    assert "|stepsolver_gsm8k|" in out


def test_a_model_may_be_closed_twice() -> None:
    model = StepsolverLM(policy="toy", method="greedy")
    model.close()
    model.close()


def test_a_mistake_is_one_line(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--tasks", "stepsolver_gsm8k", "--limit", "1", "--model_args", "policy=toy,beamwidth=2"]) == 2
    assert "error: no setting 'beamwidth'; did you mean 'beam_width'?" in capsys.readouterr().err
