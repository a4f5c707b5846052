"""What comes with the package: the embedded model's adapter."""

import json

import pytest

from data.contamination import main as contamination
from data.sources import data_dir
from reasoning.adapters import EMBEDDED, shipped
from reasoning.cards import read_card


def test_the_adapter_is_small_and_says_what_it_is():
    assert shipped("smollm2-135m", "gsm8k") == EMBEDDED
    assert (EMBEDDED / "adapter_model.safetensors").stat().st_size <= 16 * 2**20
    card = read_card(EMBEDDED)
    assert card is not None
    assert card.profile == "lines-zero-shot"
    assert card.value is not None
    assert "seconds" in (EMBEDDED / "README.md").read_text(encoding="utf-8")


def test_its_files_name_no_folder_of_the_machine_that_made_it():
    for file in EMBEDDED.glob("*.json"):
        texts = [x for x in json.loads(file.read_text(encoding="utf-8")).values() if isinstance(x, str)]
        assert not any(text.startswith("/") for text in texts), file


@pytest.mark.skipif(data_dir() is None, reason="needs the data directory")
def test_no_test_question_is_among_the_questions_it_was_trained_on(capsys):
    status = contamination(["gsm8k/train", "--limit", "7000", "--against", "gsm8k/test", "math500/test"])
    assert status == 0, capsys.readouterr().out
