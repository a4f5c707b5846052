"""GPUs and hours: the arithmetic, what is measured and what is given, and mistakes in one line."""

import json
import math

import pytest

from reasoning.runs import ProblemResult, open_run
from reasoning.scale.sizing import kv_bytes_per_token, main

GIVEN = ["--trees", "10e6", "--tokens-per-tree", "3000", "--tokens-per-second", "2000"]


def sized(capsys, *arguments):
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def stored(folder, *rows, cached=100):
    with open_run("mine", {"task": "toy"}, resume=False, root=folder) as run:
        for i, (prefill, decode, reward) in enumerate(rows):
            run.record(
                ProblemResult(
                    f"p/{i}",
                    i,
                    "?",
                    prompt_tokens=prefill + 100,
                    cached_tokens=cached,
                    completion_tokens=decode,
                    reward_tokens=reward,
                )
            )
        run.record(ProblemResult("p/99", 99, "?", failed="lost", completion_tokens=10**9))
    return ["--run", "mine", "--runs-dir", str(folder)]


def test_hours_follow_from_gpus_and_gpus_from_hours(capsys):
    found = sized(capsys, *GIVEN, "--gpus", "100", "--efficiency", "1")
    assert found["GPU seconds of a tree"]["value"] == 1.5
    assert found["hours"]["value"] == pytest.approx(1.5e7 / 3600 / 100)
    found = sized(capsys, *GIVEN, "--hours", "24", "--efficiency", "0.5")
    assert found["GPUs"]["value"] == math.ceil(1.5e7 / 3600 / 0.5 / 24)


def test_prefill_decode_and_reward_are_added_each_at_its_speed(capsys):
    more = ["--prefill-tokens", "8000", "--reward-tokens", "4000", "--prefill-per-second", "16000", "--gpus", "1"]
    found = sized(capsys, *GIVEN, *more)
    assert found["GPU seconds of a tree"]["value"] == pytest.approx(1.5 + 0.5 + 0.25)
    assert found["reward tokens/s of a GPU"]["origin"] == "assumed: as prompt tokens"
    found = sized(capsys, *GIVEN, *more, "--reward-per-second", "4000")
    assert found["GPU seconds of a tree"]["value"] == pytest.approx(3.0)


def test_a_run_says_what_a_tree_takes_and_how_sure_that_is(tmp_path, capsys):
    run = stored(tmp_path, (1000, 200, 500), (1000, 400, 700), (1000, 600, 900))
    speeds = ["--tokens-per-second", "100", "--prefill-per-second", "1000", "--reward-per-second", "1000"]
    found = sized(capsys, "--trees", "3600", "--gpus", "1", "--efficiency", "1", *run, *speeds)
    assert found["decode tokens of a tree"]["value"] == 400
    assert found["decode tokens of a tree"]["origin"] == "measured: run mine, 3 trees"
    assert found["hours"]["value"] == pytest.approx(1 + 4 + 0.7)
    # Trees take 3.5, 5.7 and 7.9 seconds: tokens of a tree rise together.
    half = 1.959963984540054 * 2.2 / math.sqrt(3)
    assert found["hours"]["low"] == pytest.approx(5.7 - half)
    assert found["hours"]["high"] == pytest.approx(5.7 + half)
    assert main(["--trees", "3600", "--gpus", "1", *run, *speeds]) == 0
    assert "(measured: run mine, 3 trees)" in capsys.readouterr().out


def test_what_is_given_wins_over_the_run_and_has_no_interval(tmp_path, capsys):
    run = stored(tmp_path, (0, 200, 0), (0, 400, 0))
    more = ["--tokens-per-tree", "50", "--tokens-per-second", "100", "--gpus", "1", "--trees", "1"]
    found = sized(capsys, *run, *more)
    assert found["decode tokens of a tree"] == {"value": 50, "origin": "given", "low": None, "high": None}
    assert found["GPU seconds of a tree"]["value"] == 0.5


def test_the_cache_of_a_model_bounds_the_sequences(tmp_path, capsys):
    # Qwen2.5-7B: 28 layers, 4 key-value heads of 128 numbers.
    config = {"num_hidden_layers": 28, "num_attention_heads": 28, "num_key_value_heads": 4, "hidden_size": 3584}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert kv_bytes_per_token(tmp_path) == 57_344
    memory = ["--model", str(tmp_path), "--kv-gib", "40", "--context", "2048"]
    found = sized(capsys, *GIVEN, "--gpus", "1", *memory)
    assert found["sequences at a time"]["value"] == 40 * 2**30 // (57_344 * 2048)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--trees", "0", "--gpus", "1"], "must be a number above 0"),
        (["--trees", "nan", "--gpus", "1"], "must be a number above 0"),
        (["--trees", "many", "--gpus", "1"], "--trees"),
        (["--trees", "1", "--gpus", "1"], "--run NAME, or --tokens-per-tree"),
        (["--trees", "1", "--tokens-per-tree", "5", "--gpus", "1"], "--tokens-per-second"),
        ([*GIVEN, "--prefill-tokens", "5", "--gpus", "1"], "--prefill-per-second"),
        ([*GIVEN], "--gpus"),
        ([*GIVEN, "--gpus", "1", "--hours", "1"], "not allowed with"),
        ([*GIVEN, "--gpus", "1", "--efficiency", "1.5"], "at most 1"),
        ([*GIVEN, "--gpus", "1", "--kv-gib", "4"], "go together: give --model"),
        ([*GIVEN, "--gpus", "1", "--model", "/nowhere", "--kv-gib", "4", "--context", "9"], "config.json"),
        (["--trees", "1", "--gpus", "1", "--run", "../x"], "run name"),
    ],
)
def test_mistakes_are_one_line(capsys, arguments, said):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_run_that_does_not_know_its_tokens_is_refused(tmp_path, capsys):
    run = stored(tmp_path, (1, 2, None))
    assert main(["--trees", "1", "--gpus", "1", "--tokens-per-second", "1", "--prefill-per-second", "1", *run]) == 2
    assert "give --reward-tokens" in capsys.readouterr().err
