"""Recipes as models, and what the command refuses before it loads a model."""

import asyncio
import socket

import pytest

from data.errors import UserError
from reasoning.serve.__main__ import main
from reasoning.serve.presets import policy_name, presets
from reasoning.serve.settings import ServeConfig

from .serving import chat, served


@pytest.fixture
def recipe(tmp_path):
    def write(text, name="mine.yaml"):
        file = tmp_path / name
        file.write_text(text)
        return file

    return write


def test_a_recipe_is_a_model_with_its_task_and_settings(recipe):
    file = recipe("task: gsm8k\nmethod: best-of-n\nn: 3\nseed: 5\nreward: logprob\npolicy: toy\nlimit: 7\nrun: x\n")

    async def requests():
        async with served(recipes=(file,)) as (client, _):
            listed = (await client.get("/v1/models/toy/mine")).json()["stepsolver"]
            body = chat("3 + 4", "toy/mine")
            del body["stepsolver"]
            return listed, [(await client.post("/v1/chat/completions", json=body)).json() for _ in range(2)]

    listed, (first, second) = asyncio.run(requests())
    assert (listed["task"], listed["method"], listed["params"]["n"]) == ("gsm8k", "best-of-n", 3)
    assert sum(one["votes"] for one in first["stepsolver"]["alternatives"]) == 3
    assert first["stepsolver"]["seed"] == second["stepsolver"]["seed"] == 5
    assert first["stepsolver"]["steps"] == second["stepsolver"]["steps"]


def test_a_request_that_changes_the_method_leaves_the_recipes_parameters_behind(recipe):
    preset = presets(ServeConfig(recipes=(recipe("method: best-of-n\nn: 3\nparam: {aggregate: min}\n"),)))["mine"]
    assert preset.changed({"method": "greedy"}) == {"method": "greedy", "reward": "auto"}
    assert preset.changed({"param": {"vote": "best"}})["param"] == {"aggregate": "min", "vote": "best"}


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("nn: 3", "mine.yaml", "no setting 'nn'"),
        ("method: mtcs", "mine.yaml", "mtcs"),
        ("method: greedy\nn: 3", "mine.yaml", "no parameter 'n'"),
        ("policy: other", "mine.yaml", "start the server with that --policy"),
        ("- a", "mine.yaml", "flat list"),
        ("n: 3", "beam.yaml", "there is a preset 'beam' already"),
        ("n: 3", "my recipe.yaml", "call the file by letters"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused_in_one_line(recipe, text, name, message):
    with pytest.raises(UserError, match=message) as raised:
        presets(ServeConfig(policy="toy", recipes=(recipe(text, name),)))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("policy", "name"),
    [
        (None, "embedded"),
        ("toy", "toy"),
        ("Qwen/Qwen3-8B", "Qwen3-8B"),
        ("/models/my model/", "my-model"),
        ("a/b@http://localhost:8000/v1", "b"),
    ],
)
def test_a_policy_is_called_by_the_last_part_of_its_name(policy, name):
    assert policy_name(policy) == name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--host", "0.0.0.0"], "give --api-key-file"),
        (["--host", "::"], "give --api-key-file"),
        (["--port", "99999"], "--port is 99999"),
        (["--policy", "m@http://127.0.0.1:{port}/v1", "--port", "{port}"], "is this server itself"),
        (["--policy", "m@http://localhost:{port}/v1", "--port", "{port}"], "is this server itself"),
        (["--policy", "m@http://0.0.0.0:{port}/v1", "--port", "{port}"], "is this server itself"),
        (["--task", "no-such"], "no-such"),
        (["--max-running", "0"], "--max-running is 0"),
        (["--client-timeout", "nan"], "--client-timeout is nan"),
        (["--recipe", "nowhere.yaml"], "cannot read the recipe"),
        (["--runs", "/no/such/folder"], "there is no such folder"),
        (["--engine", "latency"], "KEY=VALUE"),
        (["--method", "beam"], "unrecognized"),
    ],
)
def test_the_command_refuses_in_one_line(options, message, capsys, monkeypatch):
    monkeypatch.delenv("STEPSOLVER_API_KEY", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    base = ["--policy", "toy", "--port", "0"]
    assert main([*base, *(option.format(port=port) for option in options)]) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1


def test_a_port_that_is_taken_is_told_before_the_model_is_loaded(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["--policy", "toy", "--port", str(taken.getsockname()[1])]) == 2
    assert "cannot listen" in capsys.readouterr().err
