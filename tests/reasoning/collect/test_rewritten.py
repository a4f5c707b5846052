"""Synthetic problems told anew by an engine: kept, refined, refused with a reason, resumed to the same files."""

import asyncio
import json

import pytest

from data.rows import RowFile, read_rows
from data.synthesis.checks import faults
from reasoning.collect.__main__ import main
from reasoning.collect.rewritten import Writer, rewrite
from reasoning.collect.sampler import notes
from reasoning.engine.base import Capabilities, Completion, EngineError, Sampling
from reasoning.engine.toy import EOS, ByteTokenizer
from search.types import Usage
from tests.data.synthesis.told import ANEW, SHORT, row

SETTINGS = {"rows": "rewritten", "policy": "table"}


class ChatTokenizer(ByteTokenizer):
    """Bytes, and a chat template."""

    def chat(self, messages):
        return self.encode("".join(f"[{m['role']}] {m['content']}\n" for m in messages))


class TableEngine:
    """Answers a request by the first entry of a table whose key it holds; `ends_at` requests, the machine is gone."""

    name, device, max_context = "table", "none", 100_000
    capabilities = Capabilities()

    def __init__(self, table, ends_at=None, tokenizer=None):
        self.table, self.ends_at = table, ends_at
        self.tokenizer = tokenizer or ChatTokenizer()
        self.prompts = []
        self.seeds = []

    async def complete(self, prompt_ids, sampling):
        if len(self.prompts) == self.ends_at:
            raise EngineError("the machine is gone")
        prompt = self.tokenizer.decode(prompt_ids)
        self.prompts.append(prompt)
        self.seeds.append(sampling.seed)
        text = next(answer for key, answer in self.table.items() if key in prompt)
        ids = (*self.tokenizer.encode(text), EOS)
        return Completion(ids, text, None, "eos", Usage(len(prompt_ids), 0, len(ids)))


def rewritten(folder, engine, names=("0/0",), rounds=1, chat=True):
    """The rows that are kept and those that are refused."""
    writer = Writer(engine, chat, Sampling(1000), concurrency=1)
    folder.mkdir(exist_ok=True)
    with RowFile(folder / "rows.jsonl", SETTINGS) as file, RowFile(folder / "hard.jsonl", SETTINGS) as hard:
        asyncio.run(rewrite(writer, file, hard, {name: row(name) for name in names}, rounds, SETTINGS))
    return tuple([one for one in read_rows(folder / f"{name}.jsonl") if "text" in one] for name in ("rows", "hard"))


CRITIC = "Which statements does the description leave out"
REFINE = "Write it again without these faults"


def test_a_right_text_is_kept(tmp_path):
    engine = TableEngine({CRITIC: "OK", "": ANEW})
    kept, hard = rewritten(tmp_path, engine)
    assert [(one["id"], one["of"], one["text"], one["rounds"]) for one in kept] == [("0/0/rewritten", "0/0", ANEW, 0)]
    assert faults(kept[0]) == []
    assert kept[0]["provenance"] == {"policy": "table"}
    assert hard == []
    assert engine.prompts[0].startswith("[user] ")


def test_a_number_that_is_missing_is_asked_for(tmp_path):
    engine = TableEngine({CRITIC: "OK", REFINE: ANEW, "": SHORT})
    kept, hard = rewritten(tmp_path, engine)
    assert [(one["text"], one["rounds"]) for one in kept] == [(ANEW, 1)]
    assert hard == []
    assert "The number 240 is missing." in engine.prompts[1]


def test_what_is_never_right_is_a_hard_case_with_its_reason(tmp_path):
    kept, hard = rewritten(tmp_path, TableEngine({"": SHORT}), rounds=2)
    assert kept == []
    assert [(one["text"], one["rounds"], one["hard"]) for one in hard] == [
        (SHORT, 2, "text: The number 240 is missing.")
    ]


def test_a_model_without_a_chat_template_continues_a_text_and_criticises_none(tmp_path):
    engine = TableEngine({"": f" {ANEW}\n"}, tokenizer=ByteTokenizer())
    kept, _ = rewritten(tmp_path, engine, chat=False)
    assert [one["text"] for one in kept] == [ANEW]
    assert len(engine.prompts) == 1
    assert engine.prompts[0].endswith("The description:")


def test_every_request_of_every_row_has_its_own_seed(tmp_path):
    engine = TableEngine({"": SHORT})
    rewritten(tmp_path, engine, ("0/0", "0/1"), rounds=2)
    assert len(set(engine.seeds)) == 6


NAMES = ("0/0", "0/1", "0/2", "0/3")


@pytest.mark.parametrize("chat", [True, False])
@pytest.mark.parametrize("ends_at", [0, 1, 3, 5])
def test_killed_in_the_middle_it_goes_on_to_the_same_files(tmp_path, chat, ends_at):
    table = {CRITIC: "OK", REFINE: ANEW, "": SHORT} if chat else {"": SHORT}
    rewritten(tmp_path / "whole", TableEngine(table), NAMES, chat=chat)
    with pytest.raises(EngineError):
        rewritten(tmp_path / "killed", TableEngine(table, ends_at), NAMES, chat=chat)
    rewritten(tmp_path / "killed", TableEngine(table), NAMES, chat=chat)
    for name in ("rows.jsonl", "hard.jsonl"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert notes(tmp_path / "whole" / "rows.jsonl")["groups"] == len(NAMES)


def test_a_verdict_that_only_the_hard_file_has_is_not_asked_for_again(tmp_path):
    rewritten(tmp_path, TableEngine({"": SHORT}), NAMES)
    whole = (tmp_path / "rows.jsonl").read_bytes()
    lines = whole.splitlines(keepends=True)
    (tmp_path / "rows.jsonl").write_bytes(b"".join(lines[:-1]))
    engine = TableEngine({"": ANEW})
    rewritten(tmp_path, engine, NAMES)
    assert engine.prompts == []
    assert (tmp_path / "rows.jsonl").read_bytes() == whole


# ---- the command ----


def synthesis(folder):
    path = folder / "synthesis.jsonl"
    lines = [{"settings": {}}, row("0/0"), {"group": "0/0"}, row("0/1"), {"group": "0/1"}]
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    return path


def command(folder, *options):
    paths = ["--synthesis", str(synthesis(folder)), "--out", str(folder / "new.jsonl")]
    return main(["rewritten", *paths, "--policy", "toy", *options])


def test_a_policy_that_writes_no_description_gives_hard_cases_only(tmp_path, capsys):
    assert command(tmp_path, "--rounds", "1") == 0
    hard = [one for one in read_rows(tmp_path / "new-hard.jsonl") if "text" in one]
    assert [one["of"] for one in hard] == ["0/0", "0/1"]
    assert all(one["hard"].startswith("text: ") for one in hard)
    assert "0 of 2 rows told anew" in capsys.readouterr().out
    assert command(tmp_path, "--rounds", "1") == 0  # nothing is left to do


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--offset", "9"], "no rows at offset 9"),
        (["--rounds", "-1"], "must be at least 0"),
        (["--temperature", "-1"], "must not be negative"),
        (["--profile", "nice"], "unknown profile"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, capsys, options, line):
    assert command(tmp_path, *options) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert line in error


def test_one_file_for_both_is_refused(tmp_path, capsys):
    assert command(tmp_path, "--hard", str(tmp_path / "new.jsonl")) == 2
    assert "name two files" in capsys.readouterr().err


def test_a_file_of_other_rows_is_refused(tmp_path, capsys):
    path = tmp_path / "other.jsonl"
    path.write_text('{"id": "0", "text": "a"}\n')
    assert main(["rewritten", "--synthesis", str(path), "--out", str(tmp_path / "x.jsonl"), "--policy", "toy"]) == 2
    assert "name a file of python -m data.synthesis" in capsys.readouterr().err
