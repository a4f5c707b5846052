"""One log says what its search would have answered at every moment, and what it had cost by then."""

import asyncio

import pytest

from search.anytime import moments
from search.beam import BeamSearch
from search.best_of_n import BestOfN
from search.driver import ReplayError, Tell, drive, replay
from search.mcts import MCTS
from search.toy import ToyWorker
from search.types import Expand, State, Usage

from .scripted import step


def test_three_samples_by_hand():
    texts = [("a", "1"), ("bcd", "2"), ("ef", "2")]
    log = [Tell(i, Expand(i, 0, i, unit="answer"), step(text, answer=a)) for i, (text, a) in enumerate(texts)]
    found = moments(BestOfN(3), State("p"), log)
    assert [m.answers for m in found] == [(), ("1",), ("1", "2"), ("2", "1")]  # a tie falls to the earlier sample
    assert [m.policy.completion for m in found] == [0, 1, 4, 6]
    assert {m.reward for m in found} == {Usage()}


@pytest.mark.parametrize("method", [BestOfN(6, "weighted"), BeamSearch(2, 3), MCTS(6, 3)], ids=repr)
def test_every_moment_is_the_fold_of_the_log_up_to_there(method):
    root = State("p", (1, 2), 3)
    tree, log = asyncio.run(drive(method, root, ToyWorker()))
    found = moments(method, root, log)
    assert len(found) == len(log) + 1
    for i, moment in enumerate(found):
        there = replay(method, root, log, i)
        assert moment.answers == tuple(a.answer for a in method.answers(there))
        assert (moment.policy, moment.reward) == (there.policy_usage, there.reward_usage)
    assert found[-1].answers == tuple(a.answer for a in method.answers(tree))


def test_a_log_of_another_method_is_refused():
    root = State("p")
    _, log = asyncio.run(drive(BeamSearch(2, 3), root, ToyWorker()))
    with pytest.raises(ReplayError):
        moments(BestOfN(2), root, log)
