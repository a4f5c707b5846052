"""The registry of methods: what it says of each, and what each refuses however it is made."""

import re
from itertools import takewhile
from pathlib import Path

import pytest

from search.adaptive import AdaptiveBestOfN
from search.adaptive_consistency import AdaptiveConsistency
from search.beam import BeamSearch
from search.best_of_n import BestOfN
from search.dvts import DVTS
from search.mcts import MCTS, VARIANTS
from search.mcts_dpo import MCTSDPO
from search.methods import METHODS, make_method, method_params, parameter_choices, parameters
from search.particles import ParticleSearch
from search.plans import PlanSearch
from search.refinement import Refinement

DOCS = Path(__file__).parents[2] / "docs" / "solve.md"


def table(heading: str) -> list[str]:
    """The names in the first column of the first table below a heading of docs/solve.md."""
    below = DOCS.read_text(encoding="utf-8").partition(f"\n{heading}\n")[2]
    rows = takewhile(lambda line: line.startswith("| "), below.partition("| --- |\n")[2].splitlines())
    return [row.split("`")[1] for row in rows]


def test_the_docs_list_every_method_and_every_variant():
    assert sorted(table("## Methods")) == sorted(METHODS)
    assert sorted(table("### Variants of MCTS")) == sorted(VARIANTS)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_has_one_line_and_defaults_that_make_it(name):
    assert METHODS[name].summary
    assert "\n" not in METHODS[name].summary
    made = make_method(name, parameters(name))
    assert made == make_method(name)
    if name != "greedy":  # which has no parameters to tell
        assert method_params(made) == parameters(name)


@pytest.mark.parametrize("name", METHODS)
def test_every_choice_of_a_parameter_is_taken_and_the_default_is_one(name):
    defaults = parameters(name)
    named = parameter_choices(name)
    # What is a word by default has choices, so that nobody has to guess it.
    assert set(named) == {key for key, value in defaults.items() if isinstance(value, str)}
    for key, values in named.items():
        assert defaults[key] in values
        for value in values:
            told = method_params(make_method(name, {key: value}))[key]
            assert told == ("best-of-n" if value == "greedy" else value)  # greedy is one sample
        with pytest.raises(ValueError, match="unknown"):
            make_method(name, {key: "no such"})


def test_choices_are_told_of_unions_and_of_the_search_within():
    assert sorted(parameter_choices("mcts")["vote"]) == ["best", "descend", "majority", "weighted"]
    assert parameter_choices("adaptive-consistency") == {"rule": ("beta", "window")}
    assert "beam" in parameter_choices("plan")["rollout"]
    assert not {"plan", "refine"} & set(parameter_choices("plan")["rollout"])
    assert parameter_choices("greedy") == {}


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: BestOfN(0), "n must be a whole number of at least 1, not 0"),
        (lambda: BestOfN(True), "n must be a whole number of at least 1, not True"),
        (lambda: BestOfN(vote="descend"), "unknown vote 'descend': choose one of majority, weighted, best"),
        (lambda: BeamSearch(aggregate="max"), "unknown aggregation 'max': choose one of last, min, product, mean"),
        (lambda: BeamSearch(2.0), "width must be a whole number of at least 1, not 2.0"),
        (lambda: DVTS(7, 4), "dvts splits n samples into n / expand subtrees: 7 is no multiple of 4"),
        (lambda: MCTS(c=float("inf")), "c must be a number of at least 0, not inf"),
        (lambda: MCTS(vote="first"), "unknown vote 'first': choose one of majority, weighted, best, descend"),
        (lambda: MCTSDPO(iterations=0), "iterations must be a whole number of at least 1, not 0"),
        (lambda: ParticleSearch(alpha="cold"), "alpha must be a number of at least 0, not cold"),
        (lambda: PlanSearch(c=-1), "c must be a number of at least 0, not -1"),
        (lambda: Refinement(anew=-1), "anew must be a whole number of at least 0, not -1"),
        (lambda: AdaptiveBestOfN(keep=2), "keep must be a number from 0 to 1, not 2"),
        (lambda: AdaptiveConsistency(confidence=0.5), "confidence must be a number above 0.5 and at most 1, not 0.5"),
    ],
)
def test_a_class_refuses_impossible_parameters_by_itself(make, says):
    with pytest.raises(ValueError, match=f"^{re.escape(says)}$"):
        make()
