"""What every command shares: options that are pairs."""

import pytest

from data.errors import UserError
from reasoning.cli import key_value


@pytest.mark.parametrize(
    ("text", "pair"),
    [("speed=9", ("speed", "9")), ("device=", ("device", "")), ("filter=a=b", ("filter", "a=b"))],
)
def test_the_first_equals_sign_ends_the_key(text, pair):
    assert key_value("--engine", text) == pair


@pytest.mark.parametrize("text", ["speed", "=9", "=", ""])
def test_anything_else_is_one_line_that_names_the_option(text):
    with pytest.raises(UserError) as error:
        key_value("--engine", text)
    assert str(error.value) == f"--engine: write {text!r} as KEY=VALUE"
