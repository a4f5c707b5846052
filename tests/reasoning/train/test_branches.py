"""Rows as ids: masks cover a step's own tokens, and packing changes no log-probability."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import DataError
from data.rows import Solution
from reasoning.engine.tokenizer import HFTokenizer
from reasoning.train import head
from reasoning.train.branches import IGNORED, BranchCollator, solution_ids
from tests.reasoning.train import tiny

STEPS = (" She sold 48/2 = <<48/2=24>>24.\n", "<<24+48=72>>\n", "#### 72")
IDS = st.lists(st.integers(1, 96), min_size=1, max_size=7)


@pytest.fixture(scope="module", params=tiny.FAMILIES)
def tokenizer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> HFTokenizer:
    return tiny.save_tokenizer(tiny.FAMILIES[request.param](), tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module", params=["eager", "sdpa"])
def network(request: pytest.FixtureRequest) -> object:
    made = tiny.model(attention=request.param)
    head.install(made)
    return made


def solution(*steps: str, **fields: object) -> Solution:
    return Solution("q/1", "How many?", "72", steps, **fields)


# ---- from text to ids ------------------------------------------------------------------------------------------------


def test_the_ids_of_a_solution_are_its_text_s_with_one_end_after_the_last_step(tokenizer: HFTokenizer) -> None:
    (end,) = tokenizer.eos_ids
    steps, own = solution_ids(solution(*STEPS), tokenizer, end)
    joined = [i for ids in steps for i in ids]
    assert joined == [*tokenizer.encode("".join(STEPS)), end]
    assert joined.count(end) == 1
    assert [len(mask) for mask in own] == [len(ids) for ids in steps]
    assert all(all(mask) for mask in own)


def test_each_step_s_ids_are_exactly_that_step_s_text(tokenizer: HFTokenizer) -> None:
    (end,) = tokenizer.eos_ids
    steps, _ = solution_ids(solution(*STEPS), tokenizer, end)
    before: list[int] = []
    for ids, text in zip(steps, STEPS, strict=True):
        # The decoder of SentencePiece drops the space of a text's first word, so texts are compared as differences.
        grown = tokenizer.decode([*before, *ids]).removeprefix(tokenizer.decode(before))
        assert grown.lstrip(" ") == text.lstrip(" ")
        before += ids


def test_a_border_across_which_the_tokenizer_merges_is_one_error(tmp_path: Path) -> None:
    merging = tiny.save_tokenizer(tiny.byte_level(), tmp_path)
    assert len(merging.encode("72")) == 1
    with pytest.raises(DataError, match=r"merges across a step border of q/1; end every step with a newline"):
        solution_ids(solution(" 48/2=7", "2\n", "#### 72"), merging, 0)


def test_an_empty_step_is_an_error(tokenizer: HFTokenizer) -> None:
    with pytest.raises(DataError, match="step border"):
        solution_ids(solution(" 1\n", "", "#### 72"), tokenizer, 0)


def test_ids_from_an_engine_are_kept_and_get_no_end(tokenizer: HFTokenizer) -> None:
    row = solution(*STEPS, prompt_ids=(1, 2), step_ids=((3, 4), (5,), (6, 7)), own=((1, 0), (1,), (1, 1)))
    assert solution_ids(row, tokenizer, 0) == ([[3, 4], [5], [6, 7]], [[1, 0], [1], [1, 1]])


# ---- from rows to batches --------------------------------------------------------------------------------------------


def row(prompt: list[int], *branches: list[int]) -> dict[str, object]:
    return {"prompt_ids": prompt, "branches": list(branches), "labels": [list(b) for b in branches]}


@settings(max_examples=15, deadline=None)
@given(rows=st.lists(st.tuples(IDS, st.lists(IDS, min_size=1, max_size=3)), min_size=1, max_size=3))
def test_packed_branches_have_the_log_probabilities_of_rows_of_their_own(
    network: object, rows: list[tuple[list[int], list[list[int]]]]
) -> None:
    batch = BranchCollator(0, keep_segments=True)([row(prompt, *branches) for prompt, branches in rows])
    segments = batch.pop("segments")
    with torch.no_grad():
        found = network(**batch, scored=True)["log_probs"]
        for r, (prompt, branches) in enumerate(rows):
            for number, branch in enumerate(branches, start=1):
                mine = (segments[r, 1:] == number) & (batch["labels"][r, 1:] != IGNORED)
                expected = tiny.log_probs(network, prompt, branch)
                torch.testing.assert_close(found[r][mine], expected, rtol=1e-4, atol=1e-4)


def test_gradients_of_packed_branches_are_those_of_rows_of_their_own() -> None:
    network = tiny.model()
    head.install(network)
    prompt, branches = [5, 6, 7], [[8, 9], [10, 11, 12], [8, 13]]
    packed = BranchCollator(0)([row(prompt, *branches), row(prompt, branches[0])])
    parameters = [p for p in network.parameters() if p.requires_grad]
    found = torch.autograd.grad(network(**packed, scored=True)["log_probs"].sum(), parameters)
    plain = sum(tiny.log_probs(network, prompt, b).sum() for b in [*branches, branches[0]])
    for a, b in zip(found, torch.autograd.grad(plain, parameters), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_labels_are_ignored_on_prompts_on_tokens_of_tools_and_on_padding() -> None:
    short = {"prompt_ids": [1, 2], "branches": [[3]], "labels": [[3]]}
    tool = {"prompt_ids": [1, 2], "branches": [[3, 4, 5], [6]], "labels": [[3, IGNORED, 5], [6]]}
    batch = BranchCollator(0, keep_segments=True)([short, tool])
    i = IGNORED
    assert batch["input_ids"].tolist() == [[1, 2, 3, 0, 0, 0, 0], [1, 2, 3, 4, 5, 2, 6]]
    assert batch["labels"].tolist() == [[i, i, 3, i, i, i, i], [i, i, 3, i, 5, i, 6]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 0, 0, 0, 0], [0, 1, 2, 3, 4, 1, 2]]
    assert batch["segments"].tolist() == [[0, 1, 1, -1, -1, -1, -1], [0, 1, 1, 1, 1, 2, 2]]


def test_a_branch_sees_the_prompt_and_itself_and_padding_only_itself() -> None:
    batch = BranchCollator(0)([row([1, 2], [3], [4]), row([1], [3])])
    seen = (batch["attention_mask"][:, 0] == 0).int().tolist()
    # Columns: prompt 1; branch one: 2 3; branch two: 2 4.
    assert seen[0] == [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [1, 0, 0, 1, 0], [1, 0, 0, 1, 1]]
    # A prompt of one token is the branch's own first token.
    assert seen[1] == [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1]]


def test_single_branches_need_no_mask_of_their_own() -> None:
    batch = BranchCollator(0)([row([1, 2], [3, 4]), row([1], [3])])
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]
