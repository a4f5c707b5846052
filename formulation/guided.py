"""The rules, told by drafts what is decided about: variables from a language model, statements from the rules.

Rules go wrong most often at the names of the variables; a small model finds those well, and goes wrong at putting
numbers together. So a text is read by rules again for each set of variables that drafts declare.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from formulation.quantities import Figure
from formulation.reading.numbers import Role
from formulation.reading.variables import naming
from formulation.reading.words import Text
from formulation.rules import Reading, assemble
from formulation.votes import Candidate
from formulation.wire import Draft

__all__ = ["guided", "readings"]

_MOST: Final = 3  # sets of variables that are tried, the most frequent first


def readings(drafts: Sequence[Candidate], text: str, figures: Sequence[Figure]) -> Iterator[Reading]:
    """The readings by rules under the variables that drafts declare most often; those that find nothing are left out.

    Under each set the rules read twice: with the roles that its drafts give to most numbers, and with their own.
    """
    sets: Counter[tuple[str, ...]] = Counter()
    roles: dict[tuple[str, ...], dict[int, Counter[Role]]] = {}
    for one in drafts:
        if one.draft is None:
            continue
        names = tuple(variable.words.lower() for variable in one.draft.variables)
        sets[names] += one.samples
        of = roles.setdefault(names, {})
        for at, role in _roles(one.draft, figures).items():
            of.setdefault(at, Counter())[role] += one.samples
    for names, _ in sets.most_common(_MOST):
        most = {at: counts.most_common(1)[0][0] for at, counts in roles[names].items()}
        for given in (most, None):
            found = guided(names, text, given)
            if found is not None:
                yield found


def guided(names: Sequence[str], text: str, roles: Mapping[int, Role] | None = None) -> Reading | None:
    """The reading by rules of a text whose variables have these names; None where one of them is not in the text.

    `roles` as in `formulation.reading.numbers.amounts`.
    """
    parsed = Text(text)
    phrases = [tuple(word.stem for word in Text(name).words) for name in names]
    if not phrases or not all(phrases) or len(set(phrases)) < len(phrases):
        return None
    found = naming(parsed, phrases)
    if {one.variable for one in found.mentions} != set(range(len(phrases))):
        return None
    reading = assemble(found, roles)
    return reading if reading.problem is not None and reading.problem.objective is not None else None


def _roles(draft: Draft, figures: Sequence[Figure]) -> dict[int, Role]:
    """The first characters of the numbers that a draft uses, and whether as a coefficient or as a limit."""
    found: dict[int, Role] = {}
    for line in (row for one in draft.lines for row in (one, *one.rows)):
        for term in (term for side in line.sides for term in side if term.tag):
            found[figures[term.tag - 1].start] = "use"
        for amount in line.amounts:
            if amount.tag:
                found[figures[amount.tag - 1].start] = "limit"
    return found
