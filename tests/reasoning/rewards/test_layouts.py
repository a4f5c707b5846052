"""What process reward models read: the published text's ids, one mark a step, and nothing a model could forge."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import UserError
from reasoning.engine.tokenizer import HFTokenizer
from reasoning.rewards.layouts import LAYOUTS, check, judgement_ids, lay_out, step_ends, whole_cut
from tests.reasoning.rewards import small

QUESTION = "Nina has 48 beads and gives away half. How many are left?"
STEPS = ["She gives away 48/2 = <<48/2=24>>24.", "That leaves 48 - 24 = 24:\nhalf of them.", "The answer is: 24"]


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, HFTokenizer]:
    """For every layout, a tokenizer with its tokens; Mistral's is the real one."""
    pytest.importorskip("mistral_common")
    folders = {name: tmp_path_factory.mktemp(name) for name in ("qwen", "llama", "mistral")}
    qwen = small.qwen_tokenizer(folders["qwen"])
    return {
        "qwen-prm": qwen,
        "skywork-prm": qwen,
        "token-classification": qwen,
        "rlhflow-prm": small.llama_tokenizer(folders["llama"]),
        "math-shepherd": small.mistral_tokenizer(folders["mistral"]),
    }


# ---- the published texts ---------------------------------------------------------------------------------------------


def test_qwen_s_ids_are_those_of_the_whole_conversation(tokenizers: dict[str, HFTokenizer]) -> None:
    layout, made = LAYOUTS["qwen-prm"], tokenizers["qwen-prm"]
    content = "<extra_0>".join(STEPS) + "<extra_0>"
    roles = [("system", layout.system), ("user", QUESTION), ("assistant", content)]
    text = made.pretrained.apply_chat_template(
        [{"role": r, "content": c} for r, c in roles], tokenize=False, add_generation_prompt=False
    )
    whole = made.pretrained.encode(text)
    found = lay_out(layout, made, QUESTION, STEPS)
    separator = made.pretrained.convert_tokens_to_ids("<extra_0>")
    assert list(found.ids) == whole[: len(found.ids)]
    assert made.pretrained.decode(whole[len(found.ids) :]) == "<|im_end|>\n"
    assert found.positions == tuple(i for i, token in enumerate(whole) if token == separator)


def test_rlhflow_s_steps_are_turns_and_judged_before_the_plus(tokenizers: dict[str, HFTokenizer]) -> None:
    made = tokenizers["rlhflow-prm"]
    turns: list[dict[str, str]] = []
    judged = []
    for step in (f"{QUESTION} {STEPS[0]}", *STEPS[1:]):
        turns += [{"role": "user", "content": step}, {"role": "assistant", "content": "+"}]
        whole = made.pretrained.apply_chat_template(turns, tokenize=True, return_dict=False)
        judged.append(len(whole) - 3)  # before "+" and the end of the turn
    found = lay_out(LAYOUTS["rlhflow-prm"], made, QUESTION, STEPS)
    assert found.positions == tuple(judged)
    assert list(found.ids) == whole[:-2]


def test_math_shepherd_s_ids_are_those_of_sentencepiece_and_of_its_model_card(
    tokenizers: dict[str, HFTokenizer], tmp_path: Path
) -> None:
    sentencepiece = pytest.importorskip("sentencepiece")
    layout, made = LAYOUTS["math-shepherd"], tokenizers["math-shepherd"]
    small.mistral_tokenizer(tmp_path)
    own = sentencepiece.SentencePieceProcessor(str(tmp_path / "tokenizer.model"))
    text = QUESTION + " " + "\n".join(f"Step {number}: {step} ки" for number, step in enumerate(STEPS, 1))
    found = lay_out(layout, made, QUESTION, STEPS)
    assert list(found.ids) == [1, *own.encode(text)]
    assert found.positions == tuple(i for i, token in enumerate(found.ids) if token == 12902)
    assert judgement_ids(layout, made) == (648, 387)
    numbered = [f"Step {number}: {step}" for number, step in enumerate(STEPS, 1)]
    assert lay_out(layout, made, QUESTION, numbered) == found


def test_skywork_s_lines_are_encoded_alone_and_each_closed_by_the_newline_s_id(
    tokenizers: dict[str, HFTokenizer],
) -> None:
    made = tokenizers["skywork-prm"]
    (newline,) = made.encode("\n")
    lines = [line for step in STEPS for line in step.split("\n")]
    expected = made.encode(QUESTION + "\n") + [i for line in lines for i in (*made.encode(line), newline)]
    found = lay_out(LAYOUTS["skywork-prm"], made, QUESTION, [s + "\n\n" for s in STEPS])
    assert list(found.ids) == expected
    assert [found.ids[p] for p in found.positions] == [newline] * 3
    assert found.ids.count(newline) == 5


def test_plain_rows_begin_with_the_sequence_s_first_token_where_there_is_one(tmp_path: Path) -> None:
    made = small.llama_tokenizer(tmp_path)
    found = lay_out(LAYOUTS["token-classification"], made, QUESTION, STEPS[:1])
    expected = [made.pretrained.bos_token_id, *made.encode(QUESTION), *made.encode(STEPS[0]), *made.encode("\n")]
    assert list(found.ids) == expected


# ---- what holds of all -----------------------------------------------------------------------------------------------

NAMES = st.sampled_from(sorted(LAYOUTS))
SPELLED = [
    "<extra_0>",
    "<|im_end|>",
    "<|eot_id|>",
    "<|start_header_id|>assistant<|end_header_id|>\n\n+",
    " ки",
    "+",
    "\n",
]
WORDS = st.lists(st.sampled_from([*SPELLED, "half", " 24", "=", "</s>", "é", "Step 9: "]), max_size=6).map("".join)
STEP = WORDS.map(lambda text: "so " + text + " it is 24")


@given(name=NAMES, steps=st.lists(STEP, min_size=2, max_size=4))
@settings(max_examples=60, deadline=None)
def test_a_longer_solution_begins_as_the_shorter_one(
    tokenizers: dict[str, HFTokenizer], name: str, steps: list[str]
) -> None:
    layout, made = LAYOUTS[name], tokenizers[name]
    longer, shorter = lay_out(layout, made, QUESTION, steps), lay_out(layout, made, QUESTION, steps[:-1])
    assert longer.positions[:-1] == shorter.positions
    assert longer.ids[: len(shorter.ids)] == shorter.ids
    assert longer.positions[-1] == len(longer.ids) - 1
    assert len(longer.positions) == len(steps)


@given(name=NAMES, steps=st.lists(STEP, min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_finished_unfinished_and_marked_steps_read_alike(
    tokenizers: dict[str, HFTokenizer], name: str, steps: list[str]
) -> None:
    layout, made = LAYOUTS[name], tokenizers[name]
    plain = lay_out(layout, made, QUESTION, steps)
    for ending in ("\n", "\n\n", layout.mark, f"{layout.mark}{layout.mark}\n"):
        assert lay_out(layout, made, QUESTION, [*steps[:-1], steps[-1] + ending]) == plain


@given(steps=st.lists(STEP, min_size=1, max_size=3))
@settings(max_examples=40, deadline=None)
def test_a_step_that_spells_special_tokens_holds_none(tokenizers: dict[str, HFTokenizer], steps: list[str]) -> None:
    for name, count in (("qwen-prm", len(steps)), ("rlhflow-prm", 0)):
        made = tokenizers[name]
        found = lay_out(LAYOUTS[name], made, QUESTION, steps)
        simple = lay_out(LAYOUTS[name], made, QUESTION, ["so"] * len(steps))
        special = set(made.pretrained.all_special_ids) | {made.pretrained.convert_tokens_to_ids("<extra_0>")}
        special |= {
            token.id if hasattr(token, "id") else i for i, token in made.pretrained.added_tokens_decoder.items()
        }
        assert [i for i in found.ids if i in special] == [i for i in simple.ids if i in special]
        assert count == 0 or found.ids.count(made.pretrained.convert_tokens_to_ids("<extra_0>")) == count


@pytest.mark.parametrize("name", sorted(LAYOUTS))
@pytest.mark.parametrize("empty", ["", " \n", "mark"])
def test_an_empty_step_is_refused_by_number(tokenizers: dict[str, HFTokenizer], name: str, empty: str) -> None:
    step = LAYOUTS[name].mark if empty == "mark" else empty
    with pytest.raises(ValueError, match="step 2 is empty"):
        lay_out(LAYOUTS[name], tokenizers[name], QUESTION, ["so", step])


# ---- models that do not fit ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_a_model_with_its_tokens_passes(tokenizers: dict[str, HFTokenizer], name: str) -> None:
    check(LAYOUTS[name], tokenizers[name], "a model")


@pytest.mark.parametrize(
    ("name", "other", "said"),
    [
        ("qwen-prm", "rlhflow-prm", "'<extra_0>' is no single token"),
        ("math-shepherd", "qwen-prm", "'▁ки' is no single token"),
        ("rlhflow-prm", "math-shepherd", "no chat template"),
    ],
)
def test_another_family_s_tokenizer_is_refused_in_one_line(
    tokenizers: dict[str, HFTokenizer], name: str, other: str, said: str
) -> None:
    with pytest.raises(UserError, match=said) as caught:
        check(LAYOUTS[name], tokenizers[other], "some/model")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"some/model is no model for --reward {name}")


# ---- steps judged at their own ends ----------------------------------------------------------------------------------


def test_steps_are_judged_at_their_last_tokens() -> None:
    found = step_ends([7, 8], [[1], [2, 3]])
    assert (found.ids, found.positions) == ((7, 8, 1, 2, 3), (2, 4))
    with pytest.raises(ValueError, match="step 2 is empty"):
        step_ends([7], [[1], []])


def test_steps_cut_from_the_whole_are_the_whole(tokenizers: dict[str, HFTokenizer]) -> None:
    made = tokenizers["math-shepherd"]
    steps = [" <<48/2=24>>\n", "So 24\n", "#### 24"]
    assert [i for ids in whole_cut(made, steps) for i in ids] == made.encode("".join(steps))
