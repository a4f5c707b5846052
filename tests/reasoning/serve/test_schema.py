"""The published schema is true: whatever it allows is answered, and whatever comes back is as it says."""

import json

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from reasoning.serve.app import create_app
from reasoning.serve.settings import ServeConfig

from .serving import ChatToy

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)
APP = create_app(ServeConfig(policy="toy", max_tokens_per_request=400), ChatToy())
schema = schemathesis.openapi.from_asgi("/openapi.json", APP)


@schema.include(path_regex=r"^/(health|metrics|v1/(models|config|chat|completions|runs))").parametrize()
@settings(
    max_examples=8,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_as_the_schema_says(case):
    case.call_and_validate(checks=list(CHECKS))


@pytest.fixture(scope="module")
def client():
    app = create_app(ServeConfig(policy="toy", max_tokens_per_request=400), ChatToy())
    with TestClient(app, raise_server_exceptions=False) as found:
        yield found


HOSTILE = [None, True, -1, 0, 10**30, 1e308, "", "x" * 3000, "\x00", "<b>", [], [[]], {}, {"a": None}, "../..", "NaN"]


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: str(value)[:12])
def test_no_value_of_any_field_is_a_500(client, value):
    body = {"model": "toy/greedy", "messages": [{"role": "user", "content": "1 + 2"}], "stepsolver": {"task": "gsm8k"}}
    fields = client.get("/openapi.json").json()["components"]["schemas"]
    for field in fields["ChatRequest"]["properties"]:
        answer = client.post("/v1/chat/completions", content=json.dumps({**body, field: value}))
        assert answer.status_code < 500, (field, answer.text)
    for field in fields["Options"]["properties"]:
        options = {"task": "gsm8k", "n": 2, field: value}
        answer = client.post("/v1/chat/completions", content=json.dumps({**body, "stepsolver": options}))
        assert answer.status_code < 500, (field, answer.text)
