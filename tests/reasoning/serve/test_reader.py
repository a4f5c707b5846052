"""Descriptions that a language model reads: a server that is like vLLM's writes what a test scripts."""

import asyncio
import json
import socket
from contextlib import AsyncExitStack

import pytest
from transformers import AutoTokenizer

from reasoning.serve.__main__ import _config, main
from tests.reasoning.engine.web import bytewise, like_vllm, serving, sse

from .serving import served

TEXT = "A yard builds skiffs. A skiff earns 30 and takes 2 days. There are 14 days. How many should it build?"
CHAT = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
DOCUMENT = {
    "variables": {"skiffs": {"domain": "integer", "quote": "builds skiffs"}},
    "objective": {"kind": "optimize", "sense": "maximize", "terms": "30*skiffs", "quote": "A skiff earns 30"},
    "constraints": [{"kind": "linear", "row": "2*skiffs <= 14", "quote": "There are 14 days"}],
}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return bytewise(tmp_path_factory.mktemp("tokenizer"), CHAT)


def drafting(tokenizer, answer=None):
    """A server that is like vLLM's and writes the document, and the list that its requests go into."""
    known = AutoTokenizer.from_pretrained(tokenizer)
    draft = [*known.encode(json.dumps(DOCUMENT)), known.eos_token_id]
    written = []

    async def complete(exchange):
        written.append(exchange.body)
        await (answer(exchange) if answer else sse(exchange, draft, finish="stop", usage={"prompt_tokens": 9}))

    return serving(like_vllm(tokenizer, complete, max_model_len=100_000)), written


def asked(tokenizer, *bodies, answer=None):
    """What a server with a reader says to requests to formulate, and how many drafts it had its model write."""
    model, written = drafting(tokenizer, answer)

    async def main():
        async with AsyncExitStack() as stack:
            url = await stack.enter_async_context(model)
            client, _ = await stack.enter_async_context(served(reader=f"m@{url}"))
            found = [await client.post("/v1/formulate", json=body, timeout=120) for body in bodies]
            return found, (await client.get("/v1/config")).json()

    found, config = asyncio.run(main())
    assert config["reader"] == "m"
    return found, len(written)


def test_a_model_behind_a_server_reads_a_description_beside_the_rules(tokenizer):
    (read, ruled), drafts = asked(tokenizer, {"text": TEXT}, {"text": TEXT, "method": "rules"})
    assert (read.status_code, ruled.status_code) == (200, 200)
    found = read.json()
    assert drafts == 8
    assert (found["status"], found["objective"], found["values"]) == ("optimal", 210, {"skiffs": 7})
    assert 0 < found["confidence"] <= 1
    assert found["explanation"]["statements"][0]["algebra"] == ["2*skiffs <= 14"]
    assert ruled.json()["confidence"] is None


def test_a_model_that_does_not_answer_is_a_502_of_one_line(tokenizer):
    async def broken(exchange):
        await exchange.send(400, {"error": {"message": "the grammar is not supported"}})

    (refused,), _ = asked(tokenizer, {"text": TEXT}, answer=broken)
    assert (refused.status_code, refused.json()["error"]["code"]) == (502, "engine_error")
    assert "\n" not in refused.json()["error"]["message"]


def test_a_server_that_is_down_is_a_502_and_rules_still_read():
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"

    async def main():
        async with served(reader=f"m@{url}") as (client, _):
            return [
                await client.post("/v1/formulate", json={"text": TEXT, **more}, timeout=120)
                for more in ({}, {"method": "rules"})
            ]

    refused, ruled = asyncio.run(main())
    assert (refused.status_code, refused.json()["error"]["code"]) == (502, "engine_error")
    assert ruled.status_code == 200


def test_without_a_reader_rules_read_and_a_model_is_refused():
    async def main():
        async with served() as (client, _):
            found = [
                await client.post("/v1/formulate", json={"text": TEXT, "solve": False, **more}, timeout=120)
                for more in ({}, {"method": "model"})
            ]
            return found, (await client.get("/v1/config")).json()

    (ruled, refused), config = asyncio.run(main())
    assert (ruled.status_code, config["reader"]) == (200, None)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "method")


def test_a_folder_of_the_reader_is_found_from_anywhere(tmp_path, monkeypatch):
    (tmp_path / "vocabulary").mkdir()
    monkeypatch.chdir(tmp_path)
    given = {"reader": "m@http://there:1/v1", "reader_engine": ["tokenizer=vocabulary", "timeout=9"]}
    assert _config(given).reader_engine == {"tokenizer": str(tmp_path / "vocabulary"), "timeout": "9"}


@pytest.mark.parametrize(
    ("reader", "says"),
    [
        ("embedded", "--reader embedded: name a model behind a server, NAME@http://host:port/v1"),
        ("m@http://", "--reader m@http://: name a model behind a server, NAME@http://host:port/v1"),
        ("http://127.0.0.1:9/v1", "--reader http://127.0.0.1:9/v1: name a model behind a server"),
        ("m@http://127.0.0.1:{port}/v1", "is this server itself"),
    ],
)
def test_a_reader_is_a_model_behind_another_server(capsys, reader, says):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert main(["--policy", "toy", "--port", str(port), "--reader", reader.format(port=port)]) == 2
    assert says in capsys.readouterr().err
