"""What the schema promises of formulation and saved runs, asked by Schemathesis: no server error, no other answer."""

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from reasoning.processes import Workers
from reasoning.runs import ProblemResult, open_run
from reasoning.serve import errors, formulation, modelling, saved
from reasoning.serve.settings import ServeConfig

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
APP = FastAPI()
errors.install(APP)
APP.include_router(formulation.router)
APP.include_router(saved.router)
schema = schemathesis.openapi.from_asgi("/openapi.json", APP)


@pytest.fixture(scope="module", autouse=True)
def served(tmp_path_factory):
    """One process for all, and a run to find."""
    root = tmp_path_factory.mktemp("runs")
    with open_run("0", {"task": "gsm8k", "method": "beam", "params": {}}, resume=False, root=root) as run:
        run.record(ProblemResult("q", 0, "1 + 1?", "2", "2", True))
    APP.state.config = ServeConfig(runs=root)
    # A client of Schemathesis begins and ends the app with each request; the process stays.
    workers = Workers(1, warm=modelling.warm)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(formulation, "Workers", lambda **given: workers)
        patch.setattr(workers, "close", lambda: None)
        yield
    workers.close()


@seed(7)
@schema.parametrize()
@settings(
    max_examples=8,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_as_the_schema_says(case):
    case.call_and_validate(checks=CHECKS)
