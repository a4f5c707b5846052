"""What a run costs: operations from a model's shape, and engine seconds that add up."""

import asyncio
import json
import struct

import pytest

from reasoning import Problem, Solver
from reasoning.clock import EngineClock
from reasoning.engine.flops import ModelSize, flops, size_of, size_of_folder
from reasoning.engine.toy import ToyEngine
from reasoning.rewards.generative import GenerativeReward, Judgement
from reasoning.runs import totals
from search.codec import outcome_from_json, outcome_to_json
from search.types import Evaluated, Usage

SIZE = ModelSize(body=100, head=10, attention=4)


# ---- operations ------------------------------------------------------------------------------------------------------


def test_a_computed_token_attends_to_itself_and_to_all_before_it():
    assert Usage(3, 1, 2).attended == 2 + 3 + 4 + 5  # of 5 positions the first came from the cache
    assert Usage().attended == 0
    assert Usage(3, None, 2).attended is None


def test_attended_tokens_are_counted_request_by_request():
    once, twice = Usage(4, 0, 0), Usage(2, 0, 0) + Usage(2, 0, 0)
    assert once == twice
    assert (once.attended, twice.attended) == (10, 6)
    assert outcome_from_json(json.loads(json.dumps(outcome_to_json(Evaluated(0.5, twice))))).usage.attended == 6


def test_usages_of_runs_without_attended_tokens_are_read():
    stored = outcome_to_json(Evaluated(0.5))
    stored["usage"] = [3, 1, 2]
    assert outcome_from_json(stored).usage.attended == 14


def test_operations_by_hand():
    # Four tokens computed, two of them sampled; they attend to 2, 3, 4 and 5 tokens.
    assert flops(SIZE, Usage(3, 1, 2)) == 2 * 100 * 4 + 2 * 10 * 2 + 4 * 14
    assert flops(SIZE, Usage(3, None, 2)) is None
    assert flops(None, Usage(3, 1, 2)) is None
    assert flops(None, Usage()) == 0  # what no model did costs nothing


def write_model(folder, config, tensors, name="model.safetensors"):
    header = {n: {"dtype": kind, "shape": shape, "data_offsets": [0, 0]} for n, (kind, *shape) in tensors.items()}
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / name).write_bytes(struct.pack("<Q", len(text)) + text)


CONFIG = {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 32}
BODY = {"model.layers.0.mlp.up_proj.weight": ("BF16", 64, 32), "model.norm.weight": ("F32", 32)}
EMBEDDING = {"model.embed_tokens.weight": ("BF16", 100, 32)}


def test_the_size_of_a_model_leaves_out_what_is_only_looked_up(tmp_path):
    write_model(tmp_path / "tied", CONFIG, BODY | EMBEDDING)
    assert size_of_folder(tmp_path / "tied") == ModelSize(64 * 32 + 32, 100 * 32, 4 * 2 * 32)
    write_model(tmp_path / "own", CONFIG | {"head_dim": 16}, BODY | EMBEDDING | {"lm_head.weight": ("BF16", 96, 32)})
    assert size_of_folder(tmp_path / "own") == ModelSize(64 * 32 + 32, 96 * 32, 4 * 2 * 4 * 16)


def test_a_model_in_several_files_is_one(tmp_path):
    write_model(tmp_path / "m", CONFIG, BODY, "model-1.safetensors")
    write_model(tmp_path / "m", CONFIG, EMBEDDING, "model-2.safetensors")
    assert size_of_folder(tmp_path / "m") == ModelSize(64 * 32 + 32, 100 * 32, 256)


def test_of_a_mixture_those_experts_count_that_a_token_passes_through(tmp_path):
    experts = {f"model.layers.0.mlp.experts.{i}.up_proj.weight": ("BF16", 8, 32) for i in range(4)}
    write_model(tmp_path / "m", CONFIG | {"num_experts": 4, "num_experts_per_tok": 1}, EMBEDDING | experts)
    assert size_of_folder(tmp_path / "m").body == 8 * 32


@pytest.mark.parametrize("broken", ["no folder", "no weights", "no layers", "packed", "torn", "list"])
def test_a_size_that_cannot_be_read_is_unknown(tmp_path, broken):
    folder = tmp_path / "m"
    if broken != "no folder":
        config = {"no layers": {}, "list": []}.get(broken, CONFIG)
        packed = {"layers.0.qweight": ("I32", 1024, 1024)} if broken == "packed" else {}
        write_model(folder, config, BODY | packed)
    if broken == "no weights":
        (folder / "model.safetensors").unlink()
    if broken == "torn":
        (folder / "model.safetensors").write_bytes(b"\xff" * 12)
    assert size_of_folder(folder) is None


def test_a_reward_has_the_size_of_the_engine_it_asks():
    engine = ToyEngine()
    assert size_of(GenerativeReward(engine, Judgement("?", "B", "A"))) == engine.size
    assert size_of(None) is None

    class Scoring:
        scorer = engine

    assert size_of(Scoring()) == engine.size


# ---- engine seconds --------------------------------------------------------------------------------------------------


def test_requests_share_the_engines_time_and_their_parts_add_up_to_it():
    moments = iter([0, 1, 3, 6, 10, 11])
    clock = EngineClock(lambda: float(next(moments)))
    a = clock.begin()  # at 0: alone until 1
    b = clock.begin()  # at 1: both until 3
    assert clock.end(a) == 1 + 2 / 2
    assert clock.end(b) == 2 / 2 + 3  # alone from 3 to 6
    c = clock.begin()  # nothing was in flight from 6 to 10
    assert clock.end(c) == 1


# ---- of a run --------------------------------------------------------------------------------------------------------


PROBLEMS = [Problem(f"p{i}", f"What is {i} + 2?", answer=str(i + 2)) for i in range(4)]


def test_a_run_counts_policy_and_reward_apart():
    engine = ToyEngine()
    solved = []
    with Solver("gsm8k", "beam", engine, "self-eval", profile="lines") as solver:
        rows = solver.run(PROBLEMS, on_solved=solved.append)
    sums = totals(rows)
    asked = [t for s in solved for t in s.log]
    policy = [t.outcome.usage for t in asked if not isinstance(t.outcome, Evaluated)]
    reward = [t.outcome.usage for t in asked if isinstance(t.outcome, Evaluated)]
    assert sums.reward_prompt_tokens == sum(u.prompt for u in reward) > 0
    assert (sums.hit_rate, sums.reward_hit_rate) == (0, 0)  # the toy caches nothing
    assert sums.flops == pytest.approx(sum(flops(engine.size, u) for u in policy + reward), rel=1e-12)
    assert sums.engine_seconds == pytest.approx(sum(u.seconds for u in policy + reward), abs=1e-4)
    assert rows[0].extra["sizes"] == {"policy": [1_000_000, 1_000, 100], "reward": [1_000_000, 1_000, 100]}


def test_engine_seconds_add_up_to_the_time_the_engine_was_busy():
    async def run():
        async with Solver("gsm8k", "best-of-n", ToyEngine(latency=1e-4), n=4) as solver:
            begun = asyncio.get_running_loop().time()
            rows = await solver.arun(PROBLEMS)
            return rows, asyncio.get_running_loop().time() - begun

    rows, wall = asyncio.run(run())
    assert 0 < totals(rows).engine_seconds <= wall


def test_without_a_size_operations_are_unknown():
    engine = ToyEngine()
    engine.size = None
    with Solver("gsm8k", "greedy", engine) as solver:
        assert totals(solver.run(PROBLEMS)).flops is None


def test_a_problem_that_never_reached_the_model_leaves_the_sums_known():
    with Solver("gsm8k", "greedy", "toy") as solver:
        rows = solver.run([*PROBLEMS, Problem("long", "1 + " * 9000)])
    assert rows[-1].failed is not None
    assert totals(rows).flops > 0


def test_the_commands_tell_what_a_run_cost(tmp_path, monkeypatch, capsys):
    from reasoning.runs.__main__ import main as runs
    from reasoning.solve import main as solve

    monkeypatch.setenv("STEPSOLVER_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("STEPSOLVER_DATA", str(tmp_path / "data"))
    (tmp_path / "data" / "gsm8k").mkdir(parents=True)
    (tmp_path / "data" / "gsm8k" / "test.jsonl").write_text('{"question": "What is 1 + 2?", "answer": "#### 3"}\n')
    summary = tmp_path / "s.json"
    search = ["gsm8k", "--policy", "toy", "--method", "beam", "--reward", "self-eval"]
    assert solve([*search, "--run", "a", "--json", str(summary)]) == 0
    told = json.loads(summary.read_text())
    assert (told["hit_rate"], told["reward_hit_rate"]) == (0, 0)
    assert told["flops"] > 2 * 1_000_000 * told["computed_tokens"]
    assert 0 < told["engine_s"] <= told["wall_s"]
    assert "cache hits        policy 0.0%, reward 0.0%" in capsys.readouterr().out
    assert runs(["show", "a"]) == 0
    assert f"FLOPs           {told['flops']:.3g} (forward passes, estimated)" in capsys.readouterr().out
    assert runs(["list", "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert entry["flops"] == told["flops"]
