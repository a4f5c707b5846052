"""Texts that speak of tables: given ones are read from, those that are not given or not used are said to be so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import networkx
import pandas
import pytest

from data.errors import DataError, UserError
from formulation import Reader, formulate
from formulation.__main__ import main
from formulation.documents import document_prompt, problem_of_document
from formulation.pipeline import Formulation
from formulation.ranker import FEATURES, Ranker
from formulation.tables import given_tables, references
from reasoning.engine.base import Capabilities, Completion, Sampling, Usage
from reasoning.engine.toy import EOS, ByteTokenizer

TEXT = (
    "A company ships grain from 3 plants to 4 markets. What a ton costs on each route is in costs.csv, and what a "
    "plant can send is in supply.csv. Every market needs 20 tons. No plant sends more than it has. Minimize the total "
    "cost of the shipments."
)
PLANTS = {"north": 30, "south": 25, "west": 35}
MARKETS = ("Ash", "Elm", "Fir", "Oak")
COSTS = dict(zip(product(PLANTS, MARKETS), (4, 6, 9, 5, 7, 3, 8, 6, 5, 8, 2, 7), strict=True))
BEST = 290  # 30 of Ash's and Oak's tons from the north, 10 of Ash's from the west; Elm from the south, Fir the west
DOCUMENT = {
    "sets": {
        "PLANTS": {"table": {"name": "supply", "keys": ["plant"]}},
        "MARKETS": {"table": {"name": "costs", "keys": ["market"]}},
    },
    "parameters": {
        "cost": {
            "index": ["PLANTS", "MARKETS"],
            "table": {"name": "costs", "keys": ["plant", "market"], "value": "cost"},
            "quote": "What a ton costs on each route",
        },
        "supply": {"index": ["PLANTS"], "table": {"name": "supply", "keys": ["plant"], "value": "tons"}},
    },
    "variables": {"ship": {"over": "i in PLANTS, j in MARKETS", "quote": "ships grain"}},
    "objective": {
        "kind": "optimize",
        "sense": "minimize",
        "terms": "sum(cost[i, j]*ship[i, j] for i in PLANTS for j in MARKETS)",
        "quote": "Minimize the total cost of the shipments",
    },
    "constraints": [
        {
            "kind": "sum_bound",
            "variables": "ship[i, j]",
            "over": "i in PLANTS",
            "sense": ">=",
            "limit": 20,
            "forall": "j in MARKETS",
            "quote": "Every market needs 20 tons",
        },
        {
            "kind": "capacity",
            "each": "i in PLANTS",
            "over": "j in MARKETS",
            "amount": "ship[i, j]",
            "capacity": "supply[i]",
            "quote": "No plant sends more than it has",
        },
    ],
}
SURE = Ranker(dict.fromkeys(FEATURES, 0.0), 3.0)


class Chat:
    """An engine that answers every question with one document."""

    name, device, max_context = "chat", "none", 100_000
    capabilities = Capabilities(score=False)

    def __init__(self, document: object) -> None:
        self.written = json.dumps(document)
        self.tokenizer = self
        self.eos_ids, self.bos_ids, self.checksum = frozenset({EOS}), (), ByteTokenizer.checksum
        self.asked = ""

    def encode(self, text: str) -> list[int]:
        return ByteTokenizer().encode(text)

    def decode(self, ids: Sequence[int]) -> str:
        return ByteTokenizer().decode(ids)

    def chat(self, messages: Sequence[dict[str, str]]) -> list[int]:
        self.asked = messages[0]["content"]
        return self.encode(self.asked)

    async def complete(self, prompt_ids: Sequence[int], sampling: Sampling) -> Completion:
        ids = (*self.encode(self.written), EOS)
        return Completion(ids, self.written, None, "eos", Usage(len(prompt_ids), 0, len(ids)))

    async def close(self) -> None:
        pass


@pytest.fixture
def data(tmp_path: Path) -> dict[str, str]:
    costs, supply = tmp_path / "costs.csv", tmp_path / "supply.csv"
    costs.write_text("plant,market,cost\n" + "".join(f"{i},{j},{cost}\n" for (i, j), cost in COSTS.items()))
    supply.write_text("plant,tons\n" + "".join(f"{i},{tons}\n" for i, tons in PLANTS.items()))
    return {"costs": str(costs), "supply": str(supply)}


def read(chat: Chat, data: object, method: str = "search", **settings: object) -> Formulation:
    with Reader(chat, method=method, samples=2, ranker=SURE, **{"format": "json", **settings}) as reader:
        return formulate(TEXT, reader=reader, data=data)


def changed(old: str, new: str) -> object:
    text = json.dumps(DOCUMENT)
    assert old in text
    return json.loads(text.replace(old, new))


@pytest.mark.parametrize("method", ["one-step", "vote", "phased", "search"])
def test_a_model_reads_from_the_tables_that_are_given(data: dict[str, str], method: str) -> None:
    chat = Chat(DOCUMENT)
    found = read(chat, data, method)
    assert "Tables given: costs (columns plant, market, cost; first row north, Ash, 4); supply (columns" in chat.asked
    assert [one for one in found.notes if one.topic != "assumption"] == [] and found.complete
    solution = found.solve()
    assert solution.objective == BEST == transport()
    for (plant, tons), market in product(PLANTS.items(), MARKETS):
        assert sum(solution.value("ship", plant, one) for one in MARKETS) <= tons
        assert sum(solution.value("ship", one, market) for one in PLANTS) >= 20
    assert '"Every market needs 20 tons."' in found.report


def transport() -> float:
    """The least cost, as a flow."""
    graph = networkx.DiGraph()
    for plant, tons in PLANTS.items():
        graph.add_edge("all", plant, capacity=tons, weight=0)
    for market in MARKETS:
        graph.add_node(market, demand=20)
    graph.add_node("all", demand=-20 * len(MARKETS))
    graph.add_weighted_edges_from((*route, cost) for route, cost in COSTS.items())
    return networkx.min_cost_flow_cost(graph)


def test_frames_and_records_are_tables_too(data: dict[str, str]) -> None:
    frames = {"costs": pandas.read_csv(data["costs"]), "supply": [{"plant": i, "tons": t} for i, t in PLANTS.items()]}
    found = read(Chat(DOCUMENT), frames)
    assert found.complete and found.solve().objective == BEST


def test_the_model_is_used_with_its_tables_later(data: dict[str, str]) -> None:
    from formulation import load

    plain = read(Chat(DOCUMENT), data).plain()["model"]
    assert load(plain).with_data(data).solve().objective == BEST


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (changed('"value": "cost"', '"value": "costs"'), "no column 'costs'; did you mean \"cost\"?"),
        (changed('"keys": ["market"]', '"keys": ["markt"]'), "no column 'markt'; did you mean \"market\"?"),
        (changed('"name": "supply"', '"name": "suply"'), "no table 'suply' is given; did you mean \"supply\"?"),
        (changed('"name": "supply"', '"file": "/etc/hostname"'), "a document opens no file"),
        (changed('"keys": ["plant"], "value": "tons"', '"keys": ["tons"], "value": "tons"'), "is not in 'PLANTS'"),
    ],
)
@pytest.mark.parametrize("method", ["vote", "search"])
def test_a_document_that_reads_what_is_not_there_is_refused_in_one_line(
    data: dict[str, str], document: object, told: str, method: str
) -> None:
    found = read(Chat(document), data, method)
    assert not found.complete
    (said,) = {one.sentence for one in found.notes if one.topic == "data"}
    assert told in said and "\n" not in said
    with pytest.raises(UserError):
        found.solve()


@pytest.mark.parametrize(
    "sets",
    [
        {"PLANTS": {"range": [1, 10**9]}},
        {name: {"range": [1, 9000]} for name in ("PLANTS", "MARKETS")},
    ],
)
def test_a_document_cannot_ask_for_more_than_a_machine_holds(data: dict[str, str], sets: object) -> None:
    huge = {
        "sets": sets,
        "variables": {"x": {"over": ", ".join(f"{s.lower()} in {s}" for s in sets)}},
        "constraints": [],
    }
    with pytest.raises(DataError, match=r"more than 10,000 members|up to 81,000,001 terms"):
        problem_of_document(json.dumps(huge), TEXT, given_tables(data))


def test_the_example_that_a_model_is_told_is_right(tmp_path: Path) -> None:
    told = document_prompt(tables=True)
    example = told.rpartition("open):\n")[2]
    given = {
        "time": [{"tool": t, "job": j, "hours": 2} for t in "ab" for j in "xyz"],
        "tools": [{"tool": t, "open": 4} for t in "ab"],
    }
    assert "open" in problem_of_document(example, "", given_tables(given)).parameters
    assert told.startswith(document_prompt())


def test_the_command_takes_tables(data: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    given = [f"--data={name}={file}" for name, file in data.items()]
    assert main([TEXT, *given, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["status"] == "not solved" and not told["complete"]
    assert any("'costs', 'supply' are not used" in one["sentence"] for one in told["findings"])
    assert main([TEXT, "--data", "costs"]) == 2
    assert capsys.readouterr().err == "error: --data: write 'costs' as NAME=FILE\n"
    assert main([TEXT, "--data", "costs=nowhere.csv"]) == 2
    assert capsys.readouterr().err == "error: data 'costs': nowhere.csv does not exist\n"


# ---- tables that nothing reads ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        "The costs are in costs.csv.",
        "The costs are as given in Table 2.",
        "See the table below for the hours.",
        "The attached spreadsheet holds what each of them costs.",
        "All demands are listed in the appendix.",
        "The table shows what each route costs.",
    ],
)
def test_data_that_a_text_does_not_hold_is_asked_for(said: str) -> None:
    shop = (
        "A joiner makes stools and shelves. Each stool takes 3 hours of work and each shelf takes 5 hours of work. "
        "There are 60 hours of work available. Each stool brings a profit of $30 and each shelf brings a profit of "
        "$55. How many of each should be made to maximize the profit?"
    )
    assert formulate(shop).complete
    found = formulate(f"{shop} {said}")
    assert not found.complete
    (note,) = [one for one in found.notes if one.topic == "data"]
    assert "--data" in note.sentence and "\n" not in note.sentence
    assert found.text[slice(*note.span)] in said


@pytest.mark.parametrize(
    "text",
    [
        "We make tables and chairs. Each table takes 4 hours, and the tables in the shop take room. It sells well.",
        "The tables below 3 kg are cheap. A data centre needs 4 servers from the list.",
        "The table below gives the hours: desks take 4, chairs 5 and beds 6.",
        "The following table gives the costs.\n\n| plant | a | b |\n|---|---|---|\n| n | 3 | 4 |\n| s | 5 | 6 |\n",
        "Hours are given in the following table.\ndesk 3\nchair 5\n",
    ],
)
def test_furniture_and_tables_that_stand_in_the_text_are_no_missing_data(text: str) -> None:
    assert references(text) == ()


def test_rules_say_that_they_read_no_tables(data: dict[str, str]) -> None:
    found = formulate(TEXT, data=data)
    (note,) = [one for one in found.notes if one.topic == "data"]
    assert note.sentence.startswith("the tables 'costs', 'supply' are not used: rules read no tables")
    assert not found.complete


def test_the_compact_format_says_so_too(data: dict[str, str]) -> None:
    found = read(Chat(DOCUMENT), data, format="lines")
    assert any("the compact format has no tables" in one.sentence for one in found.notes) and not found.complete


def test_a_table_that_a_model_leaves_out_is_told(data: dict[str, str]) -> None:
    more = {**data, "roads": [{"road": "a", "length": 3}]}
    (note,) = [one for one in read(Chat(DOCUMENT), more).notes if one.topic == "data"]
    assert note.sentence == "the table 'roads' is not used: no set and no parameter of the model is read from it"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"costs": "nowhere.csv"}, "data 'costs': nowhere.csv does not exist"),
        ({"costs": 5}, "a int is no table"),
        ({"costs": []}, "is no table"),
        ({"": "costs.csv"}, "name a table by a word"),
    ],
)
def test_tables_that_cannot_be_read_are_one_line(wrong: dict, told: str) -> None:
    with pytest.raises(UserError) as caught:
        formulate(TEXT, data=wrong)
    assert told in str(caught.value) and "\n" not in str(caught.value)
