"""A tokenizer's checksum tells what ids mean, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from reasoning.engine.tokenizer import HFTokenizer
from reasoning.engine.toy import ByteTokenizer
from tests.reasoning.train import tiny


def changed(folder: Path, name: str, change: Mapping[str, object]) -> HFTokenizer:
    path = folder / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    return HFTokenizer(str(folder))


def test_it_is_16_hex_digits_and_the_same_for_the_same_table(tmp_path: Path) -> None:
    one = tiny.save_tokenizer(tiny.characters(), tmp_path / "one")
    assert len(one.checksum) == 16
    assert int(one.checksum, 16) >= 0
    assert tiny.save_tokenizer(tiny.characters(), tmp_path / "two").checksum == one.checksum


def test_chat_templates_and_padding_do_not_bear_on_it(tmp_path: Path) -> None:
    plain = tiny.save_tokenizer(tiny.characters(), tmp_path)
    config = {"chat_template": "{{ messages }}", "pad_token": tiny.END, "padding_side": "left"}
    assert changed(tmp_path, "tokenizer_config.json", config).checksum == plain.checksum


def test_an_added_token_and_two_ids_that_change_places_do(tmp_path: Path) -> None:
    found = {tiny.save_tokenizer(made(), tmp_path / name).checksum for name, made in tiny.FAMILIES.items()}
    more = tiny.characters()
    more.add_tokens(["<|step|>"])
    found.add(tiny.save_tokenizer(more, tmp_path / "more").checksum)
    model = json.loads((tmp_path / "characters" / "tokenizer.json").read_text())["model"]
    vocabulary = model["vocab"]
    vocabulary["a"], vocabulary["b"] = vocabulary["b"], vocabulary["a"]
    found.add(changed(tmp_path / "characters", "tokenizer.json", {"model": model}).checksum)
    found.add(ByteTokenizer.checksum)
    assert len(found) == len(tiny.FAMILIES) + 3


def test_ids_with_gaps_are_part_of_the_table(tmp_path: Path) -> None:
    dense = tiny.save_tokenizer(tiny.characters(), tmp_path)
    model = json.loads((tmp_path / "tokenizer.json").read_text())["model"]
    model["vocab"]["a"] = 5000
    assert changed(tmp_path, "tokenizer.json", {"model": model}).checksum != dense.checksum
