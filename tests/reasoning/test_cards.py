"""An adapter's card is read whole or refused in one line."""

import json
from pathlib import Path

import pytest

from data.errors import UserError
from reasoning.cards import CARD, Card, Value, card_of, read_card
from reasoning.profiles import PROFILES, choose_profile

from .scripted_engine import ScriptedEngine


def written(folder: Path, card: object) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / CARD).write_text(card if isinstance(card, str) else json.dumps(card))
    return folder


def test_a_card_says_what_the_adapter_is_and_more_for_people(tmp_path: Path) -> None:
    value = {"position": "after", "good": " yes", "bad": " no"}
    card = {"base": "b", "base_fingerprint": "0f", "task": "gsm8k", "profile": "lines", "value": value, "seconds": 9}
    assert read_card(written(tmp_path, card)) == Card("b", "0f", "gsm8k", "lines", Value("after", " yes", " no"))
    assert read_card(written(tmp_path, {})) == Card()


def test_an_adapter_without_a_card_has_none(tmp_path: Path) -> None:
    assert read_card(tmp_path) is None
    assert read_card(tmp_path / "nowhere") is None
    assert [card_of(adapter) for adapter in (None, "", "none")] == [None] * 3


@pytest.mark.parametrize(
    ("card", "says"),
    [
        ("{torn", "JSON"),
        ("\udcff".encode("utf-8", "surrogateescape").decode("latin-1"), "JSON"),
        ([1], "no JSON object"),
        ({"profile": 3}, "'profile' must be text"),
        ({"base_fingerprint": {}}, "'base_fingerprint' must be text"),
        ({"value": "yes"}, "position"),
        ({"value": {"good": "+", "bad": "-"}}, "position"),
        ({"value": {"position": ["border"], "good": "+", "bad": "-"}}, "position"),
        ({"value": {"position": "border", "good": "+"}}, "'bad'"),
        ({"value": {"position": "border", "good": "", "bad": "-"}}, "'good'"),
    ],
)
def test_a_malformed_card_is_one_line(tmp_path: Path, card: object, says: str) -> None:
    with pytest.raises(UserError, match=says) as caught:
        read_card(written(tmp_path, card))
    assert "\n" not in str(caught.value)
    assert CARD in str(caught.value)


def test_the_card_s_profile_is_the_policy_s(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    assert choose_profile(None, str(written(tmp_path, {"profile": "think"})), engine) is PROFILES["think"]
    assert choose_profile(None, str(written(tmp_path, {})), engine) is PROFILES["lines"]
    with pytest.raises(UserError, match=r"the card of the adapter .*unknown profile 'poem'"):
        choose_profile(None, str(written(tmp_path, {"profile": "poem"})), engine)
