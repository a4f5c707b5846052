"""What is stored of a step is read back whole, from older runs too."""

import json

from search.codec import outcome_from_json, outcome_to_json
from search.types import Expanded, Finish, Segment, Step, Usage

STEP = Step((Segment((5, 6), (-0.5, -1.0)), Segment((7,), None, "tool")), "a b\n", Finish.ANSWER, "7", value=0.25)


def test_a_step_keeps_its_value():
    outcome = Expanded((STEP,), Usage(3, None, 2))
    assert outcome_from_json(json.loads(json.dumps(outcome_to_json(outcome)))) == outcome


def test_a_step_stored_before_steps_had_values_is_read():
    stored = outcome_to_json(Expanded((STEP,)))
    del stored["steps"][0]["value"]
    (step,) = outcome_from_json(stored).steps
    assert step.value is None
    assert step.ids == STEP.ids
