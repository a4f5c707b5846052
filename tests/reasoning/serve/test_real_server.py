"""The command with the embedded model behind it, asked by the real OpenAI client."""

import openai
import pytest

from .serving import command

QUESTION = "Natalia sold 48 clips in April and half as many in May. How many clips did she sell altogether?"


@pytest.fixture(scope="module")
def address():
    with command("--engine", "max_model_len=1024", "--engine", "max_num_seqs=16") as address:
        yield address


@pytest.mark.engine
def test_the_embedded_model_answers_and_streams(address):
    more = {"stepsolver": {"task": "gsm8k", "beam_width": 2, "expand": 2, "seed": 1}}
    asked = {"model": "embedded/beam", "messages": [{"role": "user", "content": QUESTION}], "extra_body": more}
    with openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0, timeout=300) as client:
        answer = client.chat.completions.create(**asked)
        found = answer.model_extra["stepsolver"]
        assert answer.choices[0].message.content
        assert found["usage"]["completion_tokens"] > 0
        assert all(step["value"] is None or 0 <= step["value"] <= 1 for step in found["steps"])
        chunks = list(client.chat.completions.create(**asked, stream=True))
        assert "".join(c.choices[0].delta.content or "" for c in chunks)
        assert chunks[-1].model_extra["stepsolver"]["task"] == "gsm8k"
        free = client.chat.completions.create(
            model="embedded/greedy", messages=[{"role": "user", "content": "Say hello."}], max_tokens=20
        )
        assert free.choices[0].message.content
        with pytest.raises(openai.BadRequestError) as refused:
            client.chat.completions.create(
                model="embedded/greedy", messages=[{"role": "user", "content": "clips " * 2000}]
            )
        assert refused.value.code == "context_length_exceeded"
