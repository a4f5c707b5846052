"""What of the Ray runner needs no Ray; with one it is tried in tests/reasoning/scale/test_ray.py."""

import pickle
from itertools import permutations

import pytest

from data.errors import UserError
from data.scale.on_ray import _portable, in_order


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_numbered_results_come_in_their_order(order):
    async def found():
        for number in order:
            yield number, f"row {number}"

    assert list(in_order(found())) == [f"row {i}" for i in range(4)]


def test_a_result_comes_as_soon_as_all_before_it_are_there():
    begun = []

    async def found():
        for number in range(3):
            begun.append(number)
            yield number, number

    rows = in_order(found())
    assert next(rows) == 0
    assert begun == [0]


def test_leaving_ends_the_work():
    ended = []

    async def found():
        try:
            for number in range(9):
                yield number, number
        finally:
            ended.append(True)

    rows = in_order(found())
    next(rows)
    rows.close()
    assert ended == [True]


def test_an_error_goes_home_as_itself_where_it_can():
    class Local(Exception):
        """Nobody elsewhere knows it."""

    for raised, kind, text in [
        (UserError("mend it"), UserError, "mend it"),
        (Local("odd"), RuntimeError, "Local: odd"),
    ]:
        try:
            raise raised
        except Exception as error:
            home = pickle.loads(pickle.dumps(_portable(error)))
        assert type(home) is kind
        assert str(home) == text
