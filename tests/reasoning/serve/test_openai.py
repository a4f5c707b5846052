"""The OpenAI endpoints: every parameter is honoured or refused, and every answer is its own question's."""

import asyncio
import json

import pytest

from reasoning.methods import load_method
from search.methods import METHODS

from .serving import ChatToy, chat, counted, served

PATH = "/v1/chat/completions"


def post(body, path=PATH, engine=None, **settings):
    """The answer to one request."""

    async def main():
        async with served(engine, **settings) as (client, _):
            content = body if isinstance(body, str | bytes) else json.dumps(body)
            return await client.post(path, content=content)

    return asyncio.run(main())


def error_of(answer):
    assert set(answer.json()) == {"error"}
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    return answer.json()["error"]


def test_a_question_with_a_task_is_searched_and_its_answer_extracted():
    answer = post(chat("3 + 4 - 2", "toy/greedy")).json()
    assert answer["choices"][0]["message"]["content"].endswith("#### 5")
    assert answer["choices"][0]["finish_reason"] == "stop"
    found = answer["stepsolver"]
    assert (found["task"], found["method"], found["answer"], found["failed"]) == ("gsm8k", "greedy", "5", None)
    assert "".join(step["text"] for step in found["steps"]).strip() == answer["choices"][0]["message"]["content"]


def test_usage_counts_every_token_of_policy_and_reward():
    answer = post(chat(model="toy/beam"), reward="self-eval").json()
    usage, own = answer["usage"], answer["stepsolver"]["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["total_tokens"] - usage["prompt_tokens_details"]["cached_tokens"] == own["computed_tokens"]
    assert own["computed_tokens"] == own["prompt_tokens"] + own["completion_tokens"] + own["reward_tokens"]
    assert own["reward_tokens"] > 0


def test_without_a_task_the_best_scored_text_is_the_answer():
    answer = post(chat(task=None, model="toy/best-of-n", stepsolver={"n": 4}), reward="self-eval").json()
    found = answer["stepsolver"]
    assert (found["task"], found["answer"]) == (None, answer["choices"][0]["message"]["content"])
    assert found["score"] == max(one["score"] for one in found["alternatives"])
    assert found["usage"]["reward_tokens"] > 0


def test_messages_go_through_the_chat_template():
    messages = [
        {"role": "system", "content": "Add."},
        {"role": "user", "content": "1 + 1"},
        {"role": "assistant", "content": "2"},
        {"role": "user", "content": [{"type": "text", "text": "5 "}, {"type": "text", "text": "+ 6"}]},
    ]
    answer = post({"model": "toy/greedy", "messages": messages}).json()
    assert answer["choices"][0]["message"]["content"].endswith("#### 11")


def test_a_policy_without_a_chat_template_takes_no_conversation():
    from reasoning.engine.toy import ToyEngine

    answer = post(chat(task=None), engine=ToyEngine())
    assert answer.status_code == 400
    assert "no chat template" in error_of(answer)["message"]


def test_a_text_is_continued_and_with_a_task_it_is_the_question():
    plain = post({"model": "toy/greedy", "prompt": "Question: 5 + 6\nAnswer:"}, "/v1/completions").json()
    assert plain["choices"][0]["text"].endswith("#### 11")
    body = {"model": "toy/greedy", "prompt": ["5 + 6"], "stepsolver": {"task": "gsm8k"}}
    assert post(body, "/v1/completions").json()["stepsolver"]["answer"] == "11"


def test_n_choices_are_the_best_distinct_answers():
    answer = post(chat(n=3, stepsolver={"n": 16, "seed": 1})).json()
    told = [one["answer"] for one in answer["stepsolver"]["alternatives"]]
    texts = [choice["message"]["content"] for choice in answer["choices"]]
    assert len(texts) == 3
    assert [text.rpartition("#### ")[2] for text in texts] == told[:3]
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]


def test_the_same_seed_repeats_a_search_and_the_answer_tells_the_seed():
    first = post(chat(model="toy/beam")).json()["stepsolver"]
    again = post(chat(model="toy/beam", seed=first["seed"])).json()["stepsolver"]
    keys = ("answer", "score", "steps", "alternatives", "usage", "seed")
    assert [first[key] for key in keys] == [again[key] for key in keys]
    seeds = {post(chat(model="toy/greedy")).json()["stepsolver"]["seed"] for _ in range(3)}
    assert len(seeds) == 3


def test_stop_ends_free_text_and_is_left_out():
    engine = ChatToy(error=0.0)
    for model in ("toy/greedy", "toy/beam"):
        answer = post(chat("3 + 4", model, task=None, stop=["####"], max_tokens=200), engine=engine).json()
        assert answer["choices"][0]["message"]["content"] == "<<0+3=3>>\n<<3+4=7>>"
        assert answer["choices"][0]["finish_reason"] == "stop"
    assert all("####" in sampling.stop for sampling in engine.samplings)


@pytest.mark.parametrize("model", ["toy/greedy", "toy/beam", "toy/mcts"])
def test_max_tokens_bounds_one_solution(model):
    answer = post(chat("3 + 4 - 2", model, max_tokens=15)).json()
    assert answer["choices"][0]["finish_reason"] == "length"
    assert 0 < len("".join(step["text"] for step in answer["stepsolver"]["steps"])) <= 15  # the toy's tokens are bytes
    assert (answer["stepsolver"]["answer"], bool(answer["stepsolver"]["failed"])) == (None, True)


def test_temperature_and_top_p_reach_the_engine():
    engine = ChatToy()
    post(chat(model="toy/greedy", temperature=1.5, top_p=0.5), engine=engine)
    assert {(s.temperature, s.top_p) for s in engine.samplings} == {(1.5, 0.5)}


def test_a_request_may_change_the_presets_parameters_and_its_method():
    assert post(chat(stepsolver={"n": 3})).json()["stepsolver"]["alternatives"][0]["votes"] <= 3
    answer = post(chat(model="toy/best-of-n", stepsolver={"method": "beam", "param": {"width": 1}, "expand": 1})).json()
    assert (answer["stepsolver"]["method"], answer["stepsolver"]["nodes"]) == ("beam", 5)


def test_the_budget_of_a_request_is_a_ceiling():
    answer = post(chat(model="toy/best-of-n", stepsolver={"max_tokens_per_problem": 30})).json()
    assert answer["stepsolver"]["usage"]["completion_tokens"] <= 30
    assert "budget" in answer["stepsolver"]["failed"]
    assert post(chat(), max_tokens_per_request=40).json()["stepsolver"]["usage"]["completion_tokens"] <= 40


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"temperature": float("nan")}, "temperature"),
        ({"temperature": -1}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"n": 0}, "n"),
        ({"n": 10**9}, "n"),
        ({"n": 2, "model": "toy/greedy"}, "n"),
        ({"seed": -1}, "seed"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 10**8}, "max_tokens"),
        ({"max_tokens": 5, "max_completion_tokens": 6}, "max_tokens"),
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"functions": [{}]}, "functions"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"frequency_penalty": False}, "frequency_penalty"),
        ({"logit_bias": {"5": 1}}, "logit_bias"),
        ({"stop": "x"}, "stop"),
        ({"stop": [""]}, "stop"),
        ({"best_of": 3}, "best_of"),
        ({"echo": True}, "echo"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"unheard_of": 1}, "unheard_of"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "wizard", "content": "1"}]}, "messages.0.role"),
        ({"messages": [{"role": "tool", "content": "1"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": "1"}] * 2}, "messages"),
        ({"messages": [{"role": "system", "content": "1"}]}, "messages"),
        ({"stepsolver": {"task": "no-such"}}, "stepsolver.task"),
        ({"stepsolver": {"task": "/etc/passwd.jsonl"}}, "stepsolver.task"),
        ({"stepsolver": {"task": "os:system"}}, "stepsolver.task"),
        ({"stepsolver": {"method": "os:system"}}, "stepsolver.method"),
        ({"stepsolver": {"method": "mtcs"}}, "stepsolver.method"),
        ({"stepsolver": {"n": 10**9}}, "stepsolver.n"),
        ({"stepsolver": {"param": {"n": 10**9}}}, None),
        ({"stepsolver": {"method": "beam", "beam_width": 1000, "expand": 1000}}, "stepsolver"),
        ({"stepsolver": {"iterations": 3}}, "stepsolver"),
        ({"stepsolver": {"vote": "loud"}}, "stepsolver"),
        ({"stepsolver": {"nn": 3}}, "stepsolver.nn"),
        ({"stepsolver": {"max_tokens_per_problem": 10**8}}, "stepsolver.max_tokens_per_problem"),
        ({"stepsolver": {"events": True}}, "stepsolver.events"),
        ({"seed": 1, "stepsolver": {"seed": 2}}, "seed"),
    ],
    ids=str,
)
def test_what_cannot_be_honoured_is_a_400_that_names_it(change, param):
    body = chat() | change
    if "stepsolver" in change:
        body["stepsolver"] = {"task": "gsm8k"} | change["stepsolver"]
    answer = post(body)
    error = error_of(answer)
    assert (answer.status_code, error["type"]) == (400, "invalid_request_error")
    assert error["message"] and "\n" not in error["message"]
    if param is not None:
        assert error["param"] == param or error["param"].startswith(f"{param}.")


def test_parts_of_a_message_that_are_no_text_are_refused():
    part = {"type": "image_url", "image_url": {"url": "http://example.com/x.png"}}
    answer = post({"model": "toy/greedy", "messages": [{"role": "user", "content": [part]}]})
    assert answer.status_code == 400
    assert error_of(answer)["param"].startswith("messages.0")


@pytest.mark.parametrize("model", ["toy/none", "beam", "", "../../etc/passwd", "toy/../beam", "other/beam", "toy/"])
def test_an_unknown_model_is_a_404(model):
    answer = post(chat(model=model))
    assert (answer.status_code, error_of(answer)["code"]) == (404, "model_not_found")


@pytest.mark.parametrize("body", ["{", "", "[]", "null", '"x"', '{"model": ' * 5000, b"\xff\xfe", "1" * 5000])
def test_broken_json_is_a_400(body):
    assert post(body).status_code == 400


@pytest.mark.parametrize("task", [None, "gsm8k"])
@pytest.mark.parametrize("length", [8192, 10**6 - 1000])
def test_a_prompt_beyond_the_context_is_a_400(task, length):
    answer = post(chat("7" * length, task=task))
    assert (answer.status_code, error_of(answer)["code"]) == (400, "context_length_exceeded")


def test_half_a_character_is_a_400():
    assert post('{"model":"toy/greedy","messages":[{"role":"user","content":"\\ud800"}]}').status_code == 400


def test_a_reward_that_breaks_is_a_502_that_says_so():
    class Broken(ChatToy):
        async def complete(self, prompt_ids, sampling):
            raise RuntimeError("the engine is on fire")

    answer = post(chat(), engine=Broken())
    assert (answer.status_code, error_of(answer)["code"]) == (502, "search_failed")
    assert "on fire" in error_of(answer)["message"]


def test_every_method_is_a_model_and_answers():
    async def main():
        async with served() as (client, _):
            listed = (await client.get("/v1/models")).json()["data"]
            assert [model["id"] for model in listed] == [f"toy/{name}" for name in METHODS]
            one = (await client.get("/v1/models/toy/mcts")).json()
            assert one == next(model for model in listed if model["id"] == "toy/mcts")
            assert (await client.get("/v1/models/toy/nope")).status_code == 404
            for model in listed:
                assert load_method(model["stepsolver"]["method"], model["stepsolver"]["params"])
                answer = await client.post(PATH, json=chat("1 + 2", model["id"]))
                assert answer.status_code == 200, answer.text
                assert answer.json()["stepsolver"]["method"] == model["stepsolver"]["method"]

    asyncio.run(main())


def test_config_tells_a_page_what_there_is():
    async def main():
        async with served() as (client, _):
            return (await client.get("/v1/config")).json(), (await client.get("/v1/models")).json()["data"]

    config, models = asyncio.run(main())
    assert config["models"] == models
    assert {"gsm8k", "math500"} <= set(config["tasks"])
    assert [method["name"] for method in config["methods"]] == list(METHODS)
    named = {method["name"]: method["choices"] for method in config["methods"]}
    assert named["beam"]["vote"] == ["majority", "weighted", "best"]
    assert (config["runs"], config["key_needed"]) == (False, False)
    assert config["version"]


def events_of(text):
    lines = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def test_a_streamed_search_tells_progress_then_the_answer_then_how_it_came():
    body = chat(model="toy/beam", stream=True, stream_options={"include_usage": True}, seed=3)
    *chunks, last, usage, done = events_of(post(body).text)
    whole = post(chat(model="toy/beam", seed=3)).json()
    assert done == "[DONE]"
    assert usage["choices"] == [] and usage["usage"] == whole["usage"]
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert text == whole["choices"][0]["message"]["content"]
    assert last["choices"][0]["finish_reason"] == "stop"
    told = last["stepsolver"] | {"seconds": whole["stepsolver"]["seconds"]}
    assert told == whole["stepsolver"]
    progress = [c["stepsolver"]["event"] for c in chunks if "stepsolver" in c]
    assert progress and {event["type"] for event in progress} == {"progress"}
    assert progress[-1]["completion_tokens"] == whole["stepsolver"]["usage"]["completion_tokens"]
    assert len({chunk["id"] for chunk in [*chunks, last, usage]}) == 1


def test_streamed_events_are_the_tree():
    chunks = events_of(post(chat(model="toy/mcts", stream=True, events=True, stepsolver={"iterations": 6})).text)
    *events, final = [chunk["stepsolver"] for chunk in chunks if "stepsolver" in chunk]
    nodes, values = {}, {}
    for event in (one["event"] for one in events):
        for node in event.get("nodes", []) if event["type"] == "nodes" else []:
            assert node["parent"] in nodes or (node["id"], node["parent"], node["text"]) == (0, None, "")
            nodes[node["id"]] = node
        for number, value, visits in event.get("values", []):
            values[number] = (value, visits)
    assert list(nodes) == list(range(final["nodes"]))
    assert all(value is None or 0 <= value <= 1 for value, _ in values.values())
    texts = {node["text"] for node in nodes.values()}
    assert all(step["text"] in texts for step in final["steps"])
    assert final["answer"] in {node["answer"] for node in nodes.values()}


def test_what_is_wrong_before_a_stream_begins_is_a_plain_error():
    answer = post(chat(stream=True, temperature=9))
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/json")


def test_what_goes_wrong_in_a_stream_is_its_last_event():
    class Broken(ChatToy):
        async def complete(self, prompt_ids, sampling):
            raise RuntimeError("the engine is on fire")

    *_, last = events_of(post(chat(stream=True), engine=Broken()).text)
    assert last["error"]["code"] == "search_failed"


def test_a_completion_streams_text():
    body = {"model": "toy/greedy", "prompt": "Question: 5 + 6\nAnswer:", "stream": True}
    *chunks, done = events_of(post(body, "/v1/completions").text)
    assert done == "[DONE]"
    assert {chunk["object"] for chunk in chunks} == {"text_completion"}
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks).endswith("#### 11")


def test_searches_that_run_together_each_give_their_own_answer():
    async def main():
        async with served(ChatToy(error=0.0, latency=0.0002), max_running=16) as (client, app):

            async def one(i):
                model = ("toy/greedy", "toy/beam", "toy/best-of-n", "toy/mcts")[i % 4]
                answer = await client.post(PATH, json=chat(f"{i} + 1000", model, stream=i % 3 == 0))
                text = answer.text if i % 3 == 0 else answer.json()["choices"][0]["message"]["content"]
                return f"#### {i + 1000}" in text

            assert all(await asyncio.gather(*(one(i) for i in range(60))))
            assert counted(app, "stepsolver_searches_total", outcome="answered") == 60
            assert counted(app, "stepsolver_searches_running") == counted(app, "stepsolver_searches_queued") == 0

    asyncio.run(main())
