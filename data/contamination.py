"""How much of a training set is in a test set: shared n-grams of words, and the same calculation with the same numbers.

    python -m data.contamination solutions.jsonl gsm8k/train --against gsm8k/test math500/test

Strict matches, which make the exit code 1, are questions that are equal but for case, punctuation and the writing of
numbers, and questions whose word 13-grams have a Jaccard index of at least 0.5. A shared 13-gram anywhere is what
GPT-3's authors called dirty (arXiv 2005.14165, appendix C); 8-grams catch more rewording, and more stock phrases.
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from data.arithmetic import format_number, number
from data.command import Parser, run_command
from data.errors import DataError, UserError
from data.mentions import MAX_FIGURES, mentions
from data.rows import read_rows
from data.solutions import equations
from data.sources import SOURCES, load_rows

__all__ = ["Index", "Overlap", "Question", "questions", "words"]

LONG: Final = 13
SHORT: Final = 8
STRICT: Final = 0.5  # Jaccard index of 13-grams from which two questions count as one

_WORD = re.compile(r"[0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?|\.[0-9]+|[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Question:
    """One question as it is compared: its words, its numbers, and the equation lists of its solutions."""

    id: str
    words: tuple[str, ...]
    numbers: frozenset[Fraction]
    equations: frozenset[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Overlap:
    """What a training question shares with a test question.

    `long` and `short` are the Jaccard indices of their 13-grams and 8-grams, in [0, 1]; `equations` says that a
    solution has the same equations in the same order and the question the same numbers.
    """

    train: str
    test: str
    equal: bool
    long: float
    short: float
    equations: bool

    @property
    def strict(self) -> bool:
        """Whether the two count as one question."""
        return self.equal or self.long >= STRICT


class Index:
    """Test questions by their n-grams, built once; a look-up costs what the question and its matches are long."""

    def __init__(self, tests: Sequence[Question]) -> None:
        self.tests = tests
        self._grams: dict[int, dict[tuple[str, ...], list[int]]] = {LONG: defaultdict(list), SHORT: defaultdict(list)}
        self._sizes: dict[int, list[int]] = {LONG: [], SHORT: []}
        self._equations: dict[tuple[object, object], list[int]] = defaultdict(list)
        for place, test in enumerate(tests):
            for n, index in self._grams.items():
                grams = _grams(test.words, n)
                self._sizes[n].append(len(grams))
                for gram in grams:
                    index[gram].append(place)
            for found in test.equations:
                self._equations[found, test.numbers].append(place)

    def overlaps(self, question: Question) -> list[Overlap]:
        """Every test question that shares an n-gram or a calculation with this one, the closest first."""
        long, short = self._jaccard(question, LONG), self._jaccard(question, SHORT)
        same = {place for found in question.equations for place in self._equations.get((found, question.numbers), ())}
        overlaps = [
            Overlap(
                question.id,
                self.tests[place].id,
                bool(question.words) and question.words == self.tests[place].words,
                long.get(place, 0.0),
                short.get(place, 0.0),
                place in same,
            )
            for place in {*long, *short, *same}
        ]
        return sorted(overlaps, key=lambda o: (-o.equal, -o.long, -o.short, -o.equations, o.test))

    def _jaccard(self, question: Question, n: int) -> dict[int, float]:
        grams = _grams(question.words, n)
        shared = Counter(place for gram in grams for place in self._grams[n].get(gram, ()))
        return {place: k / (len(grams) + self._sizes[n][place] - k) for place, k in shared.items()}


def words(text: str) -> tuple[str, ...]:
    """The words of a text without case, punctuation and accents; numbers in one writing (1,200.00 is 1200)."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    return tuple(_plain(word) for word in _WORD.findall(plain))


def questions(rows: Iterable[Mapping[str, Any]], name: str) -> list[Question]:
    """The distinct questions among rows of any kind, each with all its solutions' equation lists; `name` is for errors.

    A row is a Solution, a Preference or a plain question (`question` or `problem`; a solution in `solution` or
    `answer`). The lines a RowFile adds are passed over. Raises DataError where any other row has no question.
    """
    texts: dict[str, str] = {}
    lists: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for place, row in enumerate(rows):
        text = row.get("question", row.get("problem"))
        if text is None and ("settings" in row or "group" in row):
            continue
        if not isinstance(text, str):
            raise DataError(f"{name}: row {place + 1} has no text in 'question' (or 'problem')")
        texts.setdefault(text, str(row.get("id", row.get("unique_id", f"{name}:{place + 1}"))))
        steps = row.get("steps")
        solution = (
            "".join(map(str, steps)) if isinstance(steps, list) else str(row.get("solution") or row.get("answer"))
        )
        if found := equations(solution):
            lists[text].add(found)
    return [
        Question(key, words(text), frozenset(m.value for m in mentions(text)), frozenset(lists[text]))
        for text, key in texts.items()
    ]


def _plain(word: str) -> str:
    # Python refuses to read integers of thousands of digits; no question has them.
    return format_number(number(word)) if word[0] in ".0123456789" and len(word) <= MAX_FIGURES else word


def _grams(text: Sequence[str], n: int) -> set[tuple[str, ...]]:
    """The n-grams; a shorter text is one gram, so that short questions are compared whole."""
    return {tuple(text[i : i + n]) for i in range(max(1, len(text) - n + 1))} if text else set()


@dataclass(frozen=True, slots=True)
class _Count:
    """How many training questions match some question of one test split, in each of the ways."""

    train: str
    test: str
    questions: int
    equal: int
    strict: int
    long: int
    short: int
    equations: int


def _counted(train: str, test: str, overlaps: Sequence[Sequence[Overlap]]) -> _Count:
    def some(names: str) -> int:
        return sum(any(getattr(o, names) for o in found) for found in overlaps)

    return _Count(train, test, len(overlaps), *map(some, ("equal", "strict", "long", "short", "equations")))


def _named(name: str, folder: Path | None, offset: int, limit: int | None) -> list[Question]:
    """The questions of NAME/SPLIT."""
    source, _, split = name.partition("/")
    rows = load_rows(source, split, directory=folder, offset=offset, limit=limit)
    return questions(({"id": f"{name}/{i}", **row} for i, row in enumerate(rows, offset)), name)


def _is_split(name: str) -> bool:
    return name.partition("/")[0] in SOURCES and not Path(name).is_file()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; see the module's text."""
    parser = Parser(prog="python -m data.contamination", description="Overlap of training data with test questions.")
    parser.add_argument("train", nargs="+", help="files of rows (JSON lines), or NAME/SPLIT such as gsm8k/train")
    parser.add_argument("--against", nargs="+", default=["gsm8k/test", "math500/test"], help="test splits, NAME/SPLIT")
    parser.add_argument("--offset", type=int, default=0, help="first question of a named training split (default: 0)")
    parser.add_argument("--limit", type=int, help="questions of a named training split (default: all)")
    parser.add_argument("--data-dir", type=Path, help="folder that holds NAME/SPLIT.jsonl")
    parser.add_argument("--json", type=Path, help="write counts and every match that is strict or equal in equations")
    args = parser.parse_args(arguments)
    if args.offset < 0 or (args.limit is not None and args.limit < 1):
        raise UserError("--offset must be at least 0 and --limit at least 1")
    for name in args.against:
        if not _is_split(name):
            raise UserError(f"--against {name!r} is no NAME/SPLIT of: {', '.join(SOURCES)}")
    indices = {name: Index(_named(name, args.data_dir, 0, None)) for name in args.against}
    counts: list[_Count] = []
    matches: list[Overlap] = []
    for name in args.train:
        if _is_split(name):
            asked = _named(name, args.data_dir, args.offset, args.limit)
        else:
            asked = questions(read_rows(Path(name)), name)
        if not asked:
            raise DataError(f"{name} holds no questions")
        for test, index in indices.items():
            overlaps = [index.overlaps(question) for question in asked]
            counts.append(_counted(name, test, overlaps))
            matches += [o for found in overlaps for o in found if o.strict or o.equations]
    for line in _table(counts):
        print(line)
    strict = [o for o in matches if o.strict]
    for o in strict[:20]:
        print(f"strict: {o.train} is {o.test} ({'equal' if o.equal else f'13-gram Jaccard {o.long:.2f}'})")
    if len(strict) > 20:
        print(f"... and {len(strict) - 20} more strict matches")
    if args.json is not None:
        _write(args.json, {"counts": [asdict(c) for c in counts], "matches": [asdict(o) for o in matches]})
    return 1 if strict else 0


def _table(counts: Sequence[_Count]) -> Iterator[str]:
    head = ("training data", "test split", "questions", "equal", "strict", "13-gram", "8-gram", "equations")
    rows = [head, *(tuple(map(str, asdict(c).values())) for c in counts)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    for row in rows:
        yield "  ".join(x.ljust(w) if i < 2 else x.rjust(w) for i, (x, w) in enumerate(zip(row, widths, strict=True)))


def _write(path: Path, content: Mapping[str, object]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from None


if __name__ == "__main__":
    sys.exit(run_command(main))
