"""Final answers in text: finding them, and the forms in which equal answers are the same string.

Everything here reads a language model's text: total, linear in its length, and bounded.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

__all__ = ["canonical_math", "canonical_number", "final_answer"]

MAX_ANSWER: Final = 8_000  # characters; longer text is no answer

_MARK = re.compile(
    r"^[ \t]*####[ \t]*(?P<line>\S[^\n]*)|(?P<box>\\boxed\s*\{)|\\[{}\\]|(?P<open>\{)|(?P<close>\})", re.M
)


def final_answer(text: str) -> str | None:
    r"""The answer a solution ends with, or None.

    That is the last `#### answer` line or the last `\boxed{answer}`, whichever comes later: a chat model's `####`
    may be a heading above its box. A box holds balanced braces; boxes inside a box belong to it.
    """
    found: str | None = None
    opened: list[int] = []  # where each open brace's content starts; negative for a box
    for mark in _MARK.finditer(text):
        if mark["line"] is not None:
            line = mark["line"].strip()
            found = (final_answer(line) if "\\boxed" in line else None) or line
        elif mark["box"] is not None:
            opened.append(-mark.end())
        elif mark["open"] is not None:
            opened.append(mark.end())
        elif mark["close"] is not None and opened:
            start = opened.pop()
            content = text[-start : mark.start()].strip() if start < 0 and mark.start() + start <= MAX_ANSWER else ""
            if content:
                found = content
    return found if found is not None and len(found) <= MAX_ANSWER else None


# ---- numbers ---------------------------------------------------------------------------------------------------------

_LONGEST_NUMBER: Final = 200  # characters of an answer that is read as a number
_FRAC = re.compile(r"\\[dt]?frac\s*\{\s*([0-9]+)\s*\}\s*\{\s*([0-9]+)\s*\}")
_THOUSANDS = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
_NUMBER = re.compile(r"(?P<sign>(?<![\w.)])-\s?)?(?P<top>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:\s?/\s?(?P<bottom>[0-9]+))?")
_ALONE = re.compile(rf"{_NUMBER.pattern}\s*%?")


def canonical_number(answer: str, *, alone: bool = False) -> str | None:
    r"""An exact number as `72`, `-3` or `1/2`, or None.

    Text that holds exactly one number is that number: `$1,200.`, `72 eggs`, `72.0`, `1/2`, `\frac{1}{2}`, `20%`
    (which is 20). Two numbers are none: neither `2 1/2` nor `3 to 5` nor `1e9` is read. With `alone`, nothing but
    currency, percent and a final full stop may stand beside the number.
    """
    if len(answer) > _LONGEST_NUMBER:
        return None
    text = answer.replace("−", "-").replace("{,}", ",").replace("\\,", "").replace("\\!", "")
    text = _FRAC.sub(r" \1/\2", text.replace("\\$", "").replace("$", "").replace("\\%", "%"))
    text = _THOUSANDS.sub("", text).strip().rstrip(".")
    found = _NUMBER.search(text)
    if found is None or _NUMBER.search(text, found.end()):
        return None
    if alone and not _ALONE.fullmatch(text):
        return None
    bottom = int(found["bottom"] or 1)
    if bottom == 0:
        return None
    whole, _, decimals = found["top"].partition(".")
    value = Fraction(int(whole + decimals), bottom * 10 ** len(decimals))
    return str(-value if found["sign"] else value)


# ---- mathematics -----------------------------------------------------------------------------------------------------

_LONGEST_MATH: Final = 1_000  # characters of an answer that is read as mathematics

_REWRITES: Final = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\(?:left|right)(?![A-Za-z])", ""),
        (r"(?<!\\)\\[!,;:]|\\quad(?![A-Za-z])", ""),
        (r"(?<!\\)\\ |~", " "),
        (r"\\[dtc]frac(?![A-Za-z])", r"\\frac"),
        (r"\^\s*(?:\\circ|\{\s*\\circ\s*\})", ""),
        (r"\\?[$%]", ""),
        # A unit after a number: 5\text{ cm}, 24\mathrm{m}^2.
        (r"(?<=[0-9})])\s*\\(?:text|textrm|mbox|mathrm)\s*\{[^{}0-9]*\}(?:\^\{?[23]\}?)?\s*\.?$", ""),
        (r"\\(?:text|textrm|textbf|mbox|mathrm|mathbf)\s*\{([^{}]*)\}", r"\1"),
        (r"\\frac\s*([0-9])\s*([0-9])", r"\\frac{\1}{\2}"),
        (r"\\sqrt\s*([0-9])", r"\\sqrt{\1}"),
    )
)
# A space ends a control word before a letter (`\pi r`) and parts two numbers (`2 1/2`); elsewhere it means nothing.
_SPACE = re.compile(r"(?P<word>\\[A-Za-z]+|[0-9])\s+(?=(?P<letter>[A-Za-z])|[0-9])|\s+")


def canonical_math(answer: str) -> str | None:
    r"""A cheap normal form of a LaTeX answer for grouping votes, or None where there is no answer.

    Plain numbers become exact numbers (`0.5`, `\frac12` and `1/2` are `1/2`); otherwise spacing, `\left`, `\dfrac`,
    `\text`, units after a number, degree, percent and dollar signs go. Equal answers in other forms stay apart.
    """
    text = answer.strip()
    if not text or len(text) > _LONGEST_MATH:
        return None
    for opening, closing in (("\\(", "\\)"), ("\\[", "\\]")):
        if text.startswith(opening) and text.endswith(closing):
            text = text[2:-2]
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    text = _SPACE.sub(_space, text.strip())
    text = text.rstrip(".")
    return canonical_number(text, alone=True) or text or None


def _space(space: re.Match[str]) -> str:
    word = space["word"] or ""
    parts = word.startswith("\\") if space["letter"] else word.isdigit()
    return f"{word} " if parts else word
