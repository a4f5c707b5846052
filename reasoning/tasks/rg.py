"""Every reasoning-gym generator (arXiv 2505.24760) as a task `rg:NAME`: problems that need no data.

Split and index fix a problem: the seeds and sizes below never change. reasoning-gym seeds problem k with seed + k, so
the splits' seeds lie far apart.
"""

from __future__ import annotations

import difflib
import functools
import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar, Final

from data.errors import UserError
from data.records import Problem
from reasoning.tasks import gsm8k
from reasoning.tasks.answers import MAX_ANSWER, canonical_number
from reasoning.tasks.base import Example

__all__ = ["Generator", "GsmSymbolic", "generator", "names"]

SPLITS: Final = {"test": (0, 1_000), "train": (1_000_000_000, 10_000)}  # seed and size
EXAMPLES: Final = (2_000_000_000, 2)

Entry = Mapping[str, Any]


def names() -> tuple[str, ...]:
    """The generators' names. Raises UserError where reasoning-gym is not installed."""
    try:
        from reasoning_gym.factory import DATASETS
    except ImportError:
        raise UserError("the rg: tasks need reasoning-gym: pip install 'stepsolver[eval]'") from None
    # `composite` mixes generators that a configuration names; it is none itself.
    return tuple(sorted(name for name in DATASETS if name != "composite"))


def generator(name: str) -> Generator | GsmSymbolic:
    """The task `rg:NAME`. Raises UserError for an unknown name."""
    known = names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or list(known[:3])
        raise UserError(
            f"reasoning-gym has no generator {name!r}; did you mean {' or '.join('rg:' + n for n in near)}?"
        )
    return GsmSymbolic() if name == "gsm_symbolic" else Generator(f"rg:{name}")


@dataclass(frozen=True, slots=True)
class Generator:
    """One generator, judged by its own scorer: an answer is right where it scores 1.

    An answer of several lines is written on one, with `\\n` for the line breaks. `boxnet` and `rush_hour` know no
    answer of their own. A few reference answers are not accepted here: an empty one (in `ab`), and an integral that
    `intermediate_integration` leaves unsolved.
    """

    name: str
    evaluation_only: bool = False
    default_split: str = "test"
    instruction: str = (
        "Give only the final answer, in the form the question asks for, in \\boxed{}; write a line break in it as \\n."
    )

    @property
    def examples(self) -> tuple[Example, ...]:
        """Problems of the same generator under a seed of their own; none where it knows no answer itself."""
        return _examples(self.name)

    def load(self, split: str, *, data_dir: Path | None, limit: int | None, offset: int) -> Sequence[Problem]:
        """Problems of `test` (1,000) or `train` (10,000); metadata is the generator's."""
        return _load(self.name, split, limit, offset)

    def canonical(self, answer: str) -> str | None:
        """The answer on one line, without outer spaces."""
        text = answer.strip()
        return text.replace("\n", "\\n") if text and len(text) <= MAX_ANSWER else None

    def judge(self, problem: Problem, answer: str) -> bool:
        """Whether the generator's scorer gives 1. It may be slow, hang or raise on odd input."""
        return (text := self.canonical(answer)) is not None and _score(self.name, problem, text.replace("\\n", "\n"))

    def prepare(self) -> None:
        """Import what `judge` needs."""
        _dataset(_plain(self.name))


@dataclass(frozen=True, slots=True)
class GsmSymbolic:
    """`rg:gsm_symbolic`: the stand-in for GSM8K where there is no data.

    Its templates come from GSM8K's test questions, so it is for evaluation only. Answers compare as numbers, as in
    GSM8K: reasoning-gym's scorer reads the first number of the text and loses its minus sign.
    """

    fast_judge: ClassVar[bool] = True
    arithmetic: ClassVar[bool] = True
    name: str = "rg:gsm_symbolic"
    evaluation_only: bool = True
    default_split: str = "test"
    instruction: str = gsm8k.INSTRUCTION
    examples: tuple[Example, ...] = gsm8k.EXAMPLES

    def load(self, split: str, *, data_dir: Path | None, limit: int | None, offset: int) -> Sequence[Problem]:
        """Problems of `test` (1,000) or `train` (10,000)."""
        return _load(self.name, split, limit, offset)

    def canonical(self, answer: str) -> str | None:
        """The answer as an exact number."""
        return canonical_number(answer)

    def judge(self, problem: Problem, answer: str) -> bool:
        """Whether the two numbers are equal."""
        return gsm8k.Gsm8k().judge(problem, answer)


# ---- problems --------------------------------------------------------------------------------------------------------


def _plain(task: str) -> str:
    return task.removeprefix("rg:")


def _load(task: str, split: str, limit: int | None, offset: int) -> list[Problem]:
    if split not in SPLITS:
        raise UserError(f"{task} has no split {split!r}; choose one of: {', '.join(SPLITS)}")
    seed, size = SPLITS[split]
    stop = size if limit is None else min(offset + limit, size)
    [entries] = generate([(_plain(task), seed, size, offset, stop)])
    return [
        Problem(f"{task}/{split}/{index}", entry["question"], entry["reference"], metadata=entry["metadata"])
        for index, entry in enumerate(entries, offset)
    ]


@functools.cache
def _examples(task: str) -> tuple[Example, ...]:
    seed, size = EXAMPLES
    [entries] = generate([(_plain(task), seed, size, 0, size)])
    return tuple(
        Example(entry["question"], f"#### {entry['reference'].strip()}".replace("\n", "\\n"))
        for entry in entries
        if entry["reference"] is not None
    )


def generate(requests: Sequence[tuple[str, int, int, int, int]]) -> list[list[Entry]]:
    """Entries for each (name, seed, size, start, stop), made in a process of their own. Raises UserError."""
    script = Path(__file__).with_name("rg_generate.py")
    done = subprocess.run(
        [sys.executable, "-P", str(script)],
        input=json.dumps(requests).encode(),
        capture_output=True,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        check=False,
    )
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip().rpartition("\n")[2] or f"exit code {done.returncode}"
        raise UserError(f"reasoning-gym failed to generate {', '.join(request[0] for request in requests)}: {reason}")
    entries: list[list[Entry]] = pickle.loads(done.stdout)
    return entries


# ---- judging ---------------------------------------------------------------------------------------------------------

# Scorers that hand the answer to Python's eval, directly or through sympy, and what an answer to them may consist of.
# Anything else is wrong without being scored. The first four give 1 to the exact text only. `Integral` is left out on
# purpose: the integration scorers would accept the question itself, unintegrated.
_ARITHMETIC: Final = re.compile(r"(?:[0-9+\-/()\s]|\*(?!\*))+")
_FORMULA: Final = re.compile(
    r"(?:\b(?:sin|cos|tan|asin|acos|atan|sinh|cosh|tanh|exp|log|sqrt|pi)\b|\b[A-Za-z]\b|[0-9]+(?:\.[0-9]+)?|[+\-*/()\s])+"
)
_EVALUATED: Final = {
    "binary_matrix": re.compile(r"[0-9\s]+"),
    "n_queens": re.compile(r"[_Q\s]+"),
    "spiral_matrix": re.compile(r"[0-9\s-]+"),
    "string_insertion": re.compile(r"[A-Z]+"),
    "countdown": _ARITHMETIC,
    "puzzle24": _ARITHMETIC,
    "polynomial_multiplication": _FORMULA,
    "simple_integration": _FORMULA,
    "intermediate_integration": _FORMULA,
}


def _same_probability(problem: Problem, answer: str) -> bool:
    given, reference = _probability(answer), _probability(problem.answer or "")
    return given is not None and reference is not None and abs(given - reference) <= 1e-4


def _probability(text: str) -> float | None:
    number = canonical_number(text)
    try:
        return float(text if number is None else Fraction(number))
    except (ValueError, OverflowError):
        return None


def _same_word(problem: Problem, answer: str) -> bool:
    return answer.casefold() == (problem.answer or "").casefold()


def _same_numbers(problem: Problem, answer: str) -> bool:
    return sorted(map(int, re.findall(r"[0-9]+", answer))) == sorted(problem.metadata["numbers"])


# Scorers of reasoning-gym 0.1.25 that give 1 to wrong answers: coin_flip to any prefix of the decimal number,
# game_of_life_halting to any text at all, puzzle24 to numbers other than the given ones.
_ALSO: Final[Mapping[str, Callable[[Problem, str], bool]]] = {
    "coin_flip": _same_probability,
    "game_of_life_halting": _same_word,
    "puzzle24": _same_numbers,
}


@functools.cache
def _dataset(name: str) -> Any:
    import reasoning_gym

    return reasoning_gym.create_dataset(name, seed=0, size=1)


def _score(task: str, problem: Problem, answer: str) -> bool:
    name = _plain(task)
    if name in _EVALUATED and not _EVALUATED[name].fullmatch(answer):
        return False
    if name in _ALSO and not _ALSO[name](problem, answer):
        return False
    entry = {"question": problem.question, "answer": problem.answer, "metadata": dict(problem.metadata)}
    return bool(_dataset(name).score_answer(answer, entry) == 1.0)
