"""Step-wise deductive verification (arXiv 2306.03872): does a step follow from its premises, and from them alone?

The paper has a policy write *Natural Program*: numbered statements, each step with the numbers of those that it rests
on, and a judge that sees of the solution so far these premises only. Here any policy will do: the question's sentences
and the solution's steps are numbered, and where a step names no statements, code finds those it rests on by the numbers
that it uses. The paper samples verdicts and votes; here the verdict is the probability of one judgement token, which is
what the share of votes estimates. It calls a solution valid where every step is: `--aggregate min` or `product`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from data.arithmetic import NUMBER
from reasoning.engine.base import Engine
from reasoning.rewards.base import Partial
from reasoning.rewards.generative import Judgement, judged, judgement_tokens
from search.types import Evaluated

__all__ = ["VERIFICATION", "Deductive", "premises", "sentences"]

VERIFICATION: Final = Judgement(
    "\nDoes it follow from this information alone?\n(A) no\n(B) yes\nThe answer is (", good="B", bad="A"
)

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_ANNOTATION = re.compile(r"<<([^<>]*)>>")
_NUMBER = re.compile(NUMBER)
_RESULT = re.compile(rf"=[\s\\$£€({{]*-?(?:{NUMBER})")
_CITED = re.compile(r"(?:\b(?:by|from|using|per)\b|[(\[])\s*(#\d{1,3}(?:(?:\s|,|;|&|and)*#\d{1,3})*)", re.IGNORECASE)
_ANSWER_MARK = re.compile(r"^\s*####\s*")


@dataclass
class Deductive:
    """P(follows) / (P(follows) + P(does not)) of the last step, in [0, 1], from a prompt that shows its premises only.

    One request a step. `judgement.suffix` is asked after the statements, and the two judgement tokens are compared
    there. With `chat`, the statements are a user's turn in the model's chat template and the suffix opens the answer.
    `owned` engines are closed. Raises UserError where a judgement token is not one token of the engine's model.
    """

    engine: Engine
    chat: bool = False
    judgement: Judgement = VERIFICATION
    owned: bool = False
    name: str = "deductive"
    most_tokens: int = 1
    _tokens: tuple[int, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._tokens = judgement_tokens(self.engine, self.judgement, self.name)

    async def evaluate(self, partial: Partial) -> Evaluated:
        """One next-token request."""
        # A plan states nothing that a later step could rest on.
        steps = [s for s in partial.steps[:-1] if s.action != "plan"]
        asked = statement(partial.problem.question, [s.text for s in (*steps, partial.steps[-1])])
        tokenizer, suffix = self.engine.tokenizer, self.judgement.suffix
        if self.chat:
            ids = [*tokenizer.chat([{"role": "user", "content": asked}]), *tokenizer.encode(suffix.lstrip("\n"))]
        else:
            ids = [*tokenizer.bos_ids, *tokenizer.encode(asked + suffix)]
        return await judged(self.engine, ids, self._tokens)

    async def close(self) -> None:
        """Close the engine if it was opened for this reward."""
        if self.owned:
            await self.engine.close()


def statement(question: str, steps: Sequence[str]) -> str:
    """The premises of the last step and the step itself, as the judge reads them."""
    told = sentences(question)
    numbered = [*told, *(_plain(step) for step in steps)]
    shown = "".join(f"#{n}. {numbered[n - 1]}\n" for n in premises(told, steps))
    return f"Here is some information:\n{shown}\nA statement:\n#{len(numbered)}. {numbered[-1]}"


def sentences(question: str) -> list[str]:
    """The question's statements, one a sentence or line."""
    return [" ".join(part.split()) for part in _SENTENCE_END.split(question) if part.strip()]


def premises(told: Sequence[str], steps: Sequence[str]) -> list[int]:
    """The numbers, from 1, of the statements that the last of the steps rests on.

    The question's statements `told` are counted first, then the steps. A step that cites earlier statements ("by #2,
    #4", "(#2)") rests on those. Any other rests on the question and on the earlier steps that it uses: those with a
    result (what stands behind an equals sign; every number of a step without one) among the numbers that it uses (all
    but its own results). A step that uses no number may rest on every earlier one.
    """
    last = len(told) + len(steps)
    text = _plain(steps[-1])
    cited = {int(n) for group in _CITED.findall(text) for n in re.findall(r"\d+", group)}
    if found := sorted(n for n in cited if 1 <= n < last):
        return found
    question = list(range(1, len(told) + 1))
    used = _numbers(_RESULT.sub(" ", text))
    earlier = [
        number for number, step in enumerate(steps[:-1], len(told) + 1) if not used or used & _results(_plain(step))
    ]
    return question + earlier


def _results(text: str) -> set[str]:
    found = _RESULT.findall(text)
    return _numbers(" ".join(found)) if found else _numbers(text)


def _numbers(text: str) -> set[str]:
    """The numbers in a text, each in one form: without thousands' commas, zeros around it, or a sign."""
    found = set()
    for number in _NUMBER.findall(text):
        whole, _, decimals = number.replace(",", "").partition(".")
        found.add(f"{whole.lstrip('0') or '0'}.{decimals.rstrip('0')}")
    return found


def _plain(step: str) -> str:
    """A step without the marks that only code reads: calculator annotations, and the mark of a final answer."""
    bare = _ANNOTATION.sub("", step)
    # A step may be nothing but an annotation.
    text = bare if _NUMBER.search(bare) else _ANNOTATION.sub(r"\1", step)
    return " ".join(_ANSWER_MARK.sub("The answer is ", text).split())
