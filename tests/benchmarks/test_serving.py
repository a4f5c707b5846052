"""The benchmark of the server, in miniature and for its ten minutes, on the toy engine."""

import asyncio
import json
import os

import httpx
import pytest

from benchmarks.serving import Ask, Setting, Target, endless, load, main, questions, serving

SUMS = Setting("toy", "beam", 2, {"error": "0"})


def asked(reply):
    """What the benchmark makes of a server's reply."""

    async def one():
        transport = httpx.MockTransport(lambda request: reply)
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            return await Target(client, None, SUMS).ask(Ask("1 + 1", seed=7, right="2"))

    return asyncio.run(one())


def answered(answer, seed):
    told = {"answer": answer, "seed": seed, "usage": {"completion_tokens": 5}}
    return httpx.Response(200, json={"stepsolver": told})


def test_an_answer_of_another_question_is_seen():
    assert asked(answered("2", 7)).own
    assert not asked(answered("2", 8)).own
    assert not asked(answered("3", 7)).own


def test_a_refusal_that_says_no_time_is_no_proper_one():
    assert asked(httpx.Response(429, headers={"retry-after": "1"})).status == 429
    assert asked(httpx.Response(429)).status == "429 without Retry-After"
    assert asked(httpx.Response(500)).status == 500


def test_every_request_has_a_seed_of_its_own():
    asks = questions(SUMS, 3)
    many = [ask for ask, _ in zip(endless(asks), range(10), strict=False)]
    assert len({ask.seed for ask in many}) == 10
    assert [ask.right for ask in many[:4]] == ["505", "506", "507", "505"]


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        (["--clients", "0"], "--clients is 0"),
        (["--limit", "-1"], "--limit is -1"),
        (["--policy", "toy", "--model", "embedded/beam"], "write toy/METHOD"),
        (["--policy", "toy", "--model", "toy/gpt"], "write toy/METHOD"),
        (["--policy", "toy", "--engine", "latency"], "KEY=VALUE"),
        (["--policy", "toy", "--engine", "speed=1"], "the server did not start: error: --engine speed"),
        (["--policy", "toy", "--minutes", "nan"], "--minutes is nan"),
    ],
)
def test_a_mistake_is_one_line(capsys, options, wrong):
    assert main(options) == 2
    told = capsys.readouterr().err
    assert wrong in told
    assert told.count("\n") == 1


def test_everything_is_measured_on_a_real_server(tmp_path, capsys):
    file = tmp_path / "serving.json"
    options = ["--policy", "toy", "--model", "toy/best-of-n", "--clients", "3", "--limit", "4", "--repeats", "2"]
    assert main([*options, "--minutes", "0.03", "--json", str(file)]) == 0
    found = json.loads(file.read_text())
    assert [row["first"] for row in found["rows"]] == ["in process", "server"]
    for row in found["rows"]:
        assert row["same answers"] == row["questions"] == 4
        assert row["tokens in process"] == row["tokens, server"] > 0
        assert row["not 200"] == 0
    assert found["ratio"] > 0
    assert [row["clients"] for row in found["latency"]] == [1, 2, 3]
    for row in found["latency"]:
        assert 0 < row["p50 s"] <= row["p95 s"]
        assert row["not 200"] == row["mixed up"] == 0
    borne(found["load"])
    out = capsys.readouterr().out
    assert "Overhead" in out
    assert "of the driver's tokens/s" in out


def borne(found):
    """Nothing was lost or mixed up, and the server counted what its clients counted."""
    assert found["200"] > 0
    assert found["other"] == found["mixed up"] == 0, found["which other"]
    assert found["requests"] == found["200"] + found["429"]
    assert found["counted by the server"]


@pytest.mark.full
def test_ten_minutes_at_twice_the_capacity_leave_nothing_behind():
    minutes = float(os.environ.get("STEPSOLVER_LOAD_MINUTES", "10"))
    setting = Setting("toy", "beam", 16, {"error": "0", "latency": "0.01"})

    async def measured():
        async with serving(setting) as target:
            return await load(target, endless(questions(setting, 100)), 60 * minutes)

    found = asyncio.run(measured())
    print(json.dumps(found, indent=2))
    borne(found)
    assert found["429"] > found["requests"] / 10
    assert found["MiB at end"] < 1.05 * found["MiB half-way"] + 4
