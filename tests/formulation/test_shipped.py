"""What comes with the package for texts: the embedded model's adapter, which reads one end to end."""

from __future__ import annotations

import json

import pytest

from formulation import formulate
from formulation.reader import Reader
from reasoning.adapters import shipped
from reasoning.cards import read_card

FOLDER = shipped("smollm2-135m", "formulation.task:Drafts")
TEXT = (
    "A bakery makes rolls and cakes. Each roll takes 2 minutes of baking and each cake takes 25 minutes of baking. "
    "There are 480 minutes of baking available. At least 30 rolls must be made. The profit is $1 per roll and $15 per "
    "cake. How many of each should be made to maximize profit?"
)


def test_the_adapter_is_small_and_says_what_it_is():
    assert FOLDER is not None
    assert (FOLDER / "adapter_model.safetensors").stat().st_size <= 16 * 2**20
    card = read_card(FOLDER)
    assert card is not None
    assert (card.task, card.profile) == ("formulation.task:Drafts", "draft")
    assert "seconds" in (FOLDER / "README.md").read_text(encoding="utf-8")


def test_its_files_name_no_folder_of_the_machine_that_made_it():
    assert FOLDER is not None
    for file in FOLDER.glob("*.json"):
        texts = [x for x in json.loads(file.read_text(encoding="utf-8")).values() if isinstance(x, str)]
        assert not any(text.startswith("/") for text in texts), file


@pytest.mark.engine
def test_the_embedded_model_reads_a_text_by_itself():
    with Reader("embedded", backend="transformers", method="vote", samples=3, temperature=0.3) as reader:
        found = formulate(TEXT, reader=reader)
    assert found.solve().objective == 280
    assert found.confidence is not None and found.confidence >= 1 / 3
