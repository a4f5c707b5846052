"""How published process reward models read a solution: token ids, and the positions at which steps are judged.

Everything here is a pure function of a tokenizer, a question and steps. Ids are joined step by step as in training,
never encoded from joined text: a merge across a border would be ids the model never met. What a model was shown after
its last step (an end of turn, say) is left out: a causal model's judgement cannot depend on it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from data.errors import UserError
from reasoning.engine.base import EngineError

if TYPE_CHECKING:
    from reasoning.engine.tokenizer import HFTokenizer

__all__ = ["LAYOUTS", "Layout", "Marked", "check", "judgement_ids", "lay_out", "step_ends", "whole_cut"]

_NUMBERED = re.compile(r"step\s*\d", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Layout:
    """How one family of process reward models reads a solution.

    `form` is what stands around the steps: `chat`, a system and a user message and then the steps as the assistant's;
    `turns`, one user message a step, each answered by the good judgement; `text`, one running text; `plain`, the
    question's ids and each step's, encoded alone. `mark` closes every step, and the step is judged at its last token;
    `piece` is the one entry of the vocabulary that it must be. `judged` are the vocabulary's entries (good, bad) whose
    probabilities as the next token are compared; without them a head on the model gives the score there.

    `system` is the chat's system message, `after_question` closes the question, `numbering` begins a step that has no
    number of its own, and with `lines` every line of a step is closed by the mark. `checkpoint` is a name on the hub
    whose model card shows the layout.
    """

    name: str
    form: Literal["chat", "turns", "text", "plain"]
    mark: str = ""
    piece: str = ""
    judged: tuple[str, str] | None = None
    system: str = ""
    after_question: str = ""
    numbering: str = ""
    lines: bool = False
    checkpoint: str = ""


LAYOUTS: Final = {
    layout.name: layout
    for layout in (
        # Model card: steps joined by the mark and one appended; two classes, softmax, the second is good.
        Layout(
            "qwen-prm",
            "chat",
            mark="<extra_0>",
            piece="<extra_0>",
            system="Please reason step by step, and put your final answer within \\boxed{}.",
            checkpoint="Qwen/Qwen2.5-Math-PRM-7B",
        ),
        # github.com/RLHFlow/RLHF-Reward-Modeling, math/: question and first step in one message, "+" after each.
        Layout("rlhflow-prm", "turns", judged=("+", "-"), checkpoint="RLHFlow/Llama3.1-8B-PRM-Deepseek-Data"),
        # Model card: "QUESTION Step 1: ... ки\nStep 2: ... ки". "▁+" and "▁-" are ids 648 and 387, "▁ки" is 12902.
        Layout(
            "math-shepherd",
            "text",
            mark=" ки",
            piece="▁ки",
            judged=("▁+", "▁-"),
            numbering="Step {}: ",
            checkpoint="peiyi9979/math-shepherd-mistral-7b-prm",
        ),
        # github.com/SkyworkAI/skywork-o1-prm-inference, prepare_input: every line encoded alone, then the newline's id.
        Layout(
            "skywork-prm",
            "plain",
            mark="\n",
            after_question="\n",
            lines=True,
            checkpoint="Skywork/Skywork-o1-Open-PRM-Qwen-2.5-7B",
        ),
        # The rows of TRL's PRMTrainer (its step_separator is a newline unless changed): label at each separator's end.
        Layout("token-classification", "plain", mark="\n"),
    )
}


@dataclass(frozen=True, slots=True)
class Marked:
    """Token ids, and for every step the index of the token after which it is judged; the last is the last step's."""

    ids: tuple[int, ...]
    positions: tuple[int, ...]


def lay_out(layout: Layout, tokenizer: HFTokenizer, question: str, steps: Sequence[str]) -> Marked:
    """The ids of `question` and `steps`, and where each step is judged.

    Space around a step, and marks that close it already, are dropped first, so that a finished, an unfinished and a
    marked step all end with exactly one mark. Text that spells a special token stays text. Raises ValueError where a
    step is empty, UserError where the tokenizer does not have the layout's tokens.
    """
    texts = [_bare(step, layout.mark) for step in steps]
    if empty := [number for number, text in enumerate(texts, 1) if not text]:
        raise ValueError(f"step {empty[0]} is empty: there is nothing to judge")
    return _FORMS[layout.form](layout, tokenizer, question.strip(), texts)


def check(layout: Layout, tokenizer: HFTokenizer, model: str) -> None:
    """Raise UserError in one line where `model`, which has this tokenizer, cannot be read by the layout."""
    try:
        one, two = (lay_out(layout, tokenizer, "1 + 1?", ["It is 2.", "So 2."][:count]) for count in (1, 2))
        if layout.judged:
            judgement_ids(layout, tokenizer)
    except (UserError, EngineError) as error:
        raise UserError(f"{model} is no model for --reward {layout.name}: {error}") from None
    if one.positions != two.positions[:1] or one.ids[: one.positions[0] + 1] != two.ids[: one.positions[0] + 1]:
        raise UserError(
            f"{model} is no model for --reward {layout.name}: its chat template changes a step when another follows"
        )


def judgement_ids(layout: Layout, tokenizer: HFTokenizer) -> tuple[int, int]:
    """The ids of the layout's two judgement tokens. Raises UserError where one is no single token."""
    assert layout.judged is not None
    good, bad = (_entry(tokenizer, piece, "judgement token") for piece in layout.judged)
    return good, bad


def step_ends(prompt: Sequence[int], steps: Sequence[Sequence[int]]) -> Marked:
    """A prompt and steps that are judged at their own last tokens, as `reasoning.train.prm` trains a classifier."""
    ids, positions = list(prompt), []
    for number, step in enumerate(steps, 1):
        if not step:
            raise ValueError(f"step {number} is empty: there is nothing to judge")
        ids += step
        positions.append(len(ids) - 1)
    return Marked(tuple(ids), tuple(positions))


def whole_cut(tokenizer: HFTokenizer, steps: Sequence[str]) -> list[list[int]]:
    """The ids of each step, cut from the ids of all, as training rows without ids are.

    Encoded alone, a step would get the space that SentencePiece puts before a text. Where the tokenizer merges across
    a border there is no cut, and the step's own ids are taken.
    """
    found: list[list[int]] = []
    before: list[int] = []
    text = ""
    for step in steps:
        text += step
        ids = tokenizer.encode(text)
        clean = ids[: len(before)] == before
        found.append(ids[len(before) :] if clean else tokenizer.encode(step))
        before = ids if clean else before + found[-1]
    return found


# ---- the forms -------------------------------------------------------------------------------------------------------


def _chat(layout: Layout, tokenizer: HFTokenizer, question: str, texts: Sequence[str]) -> Marked:
    messages = [{"role": "system", "content": layout.system}, {"role": "user", "content": question}]
    # The assistant's turn begins where a template ends that asks for it.
    mark = _mark(layout, tokenizer)
    return step_ends(tokenizer.chat(messages), [[*tokenizer.encode(text), *mark] for text in texts])


def _plain(layout: Layout, tokenizer: HFTokenizer, question: str, texts: Sequence[str]) -> Marked:
    mark = _mark(layout, tokenizer)
    first = tokenizer.pretrained.bos_token_id
    ids = [*([] if first is None else [first]), *tokenizer.encode(question + layout.after_question)]
    steps = []
    for text in texts:
        lines = [line for line in text.splitlines() if line.strip()] if layout.lines else [text]
        steps.append([i for line in lines for i in (*tokenizer.encode(line), *mark)])
    return step_ends(ids, steps)


def _text(layout: Layout, tokenizer: HFTokenizer, question: str, texts: Sequence[str]) -> Marked:
    mark = _mark(layout, tokenizer)
    newline = tokenizer.encode("\n")[-1]
    numbered = [
        text if _NUMBERED.match(text) else layout.numbering.format(number) + text
        for number, text in enumerate(texts, 1)
    ]
    first, *others = numbered
    # The space that SentencePiece puts before a text is written out: transformers loads some tokenizers without it.
    steps = [[*_after(tokenizer, newline, text), *mark] for text in (f" {question} {first}", *others)]
    bos = tokenizer.pretrained.bos_token_id
    return step_ends([] if bos is None else [bos], [steps[0], *([newline, *ids] for ids in steps[1:])])


def _turns(layout: Layout, tokenizer: HFTokenizer, question: str, texts: Sequence[str]) -> Marked:
    assert layout.judged is not None
    good, _ = judgement_ids(layout, tokenizer)
    messages: list[dict[str, str]] = []
    for text in (f"{question} {texts[0]}", *texts[1:]):
        messages += [{"role": "user", "content": text}, {"role": "assistant", "content": layout.judged[0]}]
    ids = tokenizer.chat(messages[:-1])
    # What asks for an answer is what two short conversations end with alike; no user can write its special tokens.
    short, other = (tokenizer.chat([{"role": "user", "content": digit}]) for digit in "01")
    size = next((n for n, (a, b) in enumerate(zip(short[::-1], other[::-1], strict=False)) if a != b), len(short))
    asking = short[len(short) - size :]
    ends = [i for i in range(size - 1, len(ids)) if ids[i + 1 - size : i + 1] == asking]
    positions = [i for i in ends if i + 1 == len(ids) or ids[i + 1] == good]
    if not size or len(positions) != len(texts):
        raise UserError("its chat template does not ask for an answer in the same way after every step")
    return Marked(tuple(ids), tuple(positions))


_FORMS: Final[dict[str, Callable[[Layout, HFTokenizer, str, Sequence[str]], Marked]]] = {
    "chat": _chat,
    "plain": _plain,
    "text": _text,
    "turns": _turns,
}


def _bare(step: str, mark: str) -> str:
    """A step without the space around it and without marks at its end."""
    text, closing = step.strip(), mark.rstrip()
    while closing and text.endswith(closing):
        text = text[: -len(closing)].rstrip()
    return "" if text == closing.strip() else text


def _mark(layout: Layout, tokenizer: HFTokenizer) -> list[int]:
    """The ids that close a step."""
    if layout.piece:
        return [_entry(tokenizer, layout.piece, "step separator")]
    ids = tokenizer.encode(layout.mark)
    if not ids:
        raise UserError(f"its tokenizer has no token for the step separator {layout.mark!r}")
    return ids


def _entry(tokenizer: HFTokenizer, piece: str, what: str) -> int:
    """The id of one entry of the vocabulary."""
    found: int | None = tokenizer.pretrained.convert_tokens_to_ids(piece)
    # An unknown piece gives the id of the unknown token, where there is one.
    if found is None or tokenizer.pretrained.convert_ids_to_tokens(found) != piece:
        raise UserError(f"the {what} {piece!r} is no single token of its tokenizer")
    return found


def _after(tokenizer: HFTokenizer, newline: int, text: str) -> list[int]:
    """The ids of `text` where it stands behind a newline, in the middle of a longer text."""
    ids = tokenizer.encode("\n" + text)
    if newline not in ids:
        raise UserError("its tokenizer has no newline token of its own")
    return ids[ids.index(newline) + 1 :]
