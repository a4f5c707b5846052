"""What rules for linear problems in English cannot read: other languages, nonlinear terms, orders to the reader."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from formulation.reading.words import Text, table

__all__ = ["foreign", "nonlinear", "orders", "without"]

# Words that a text in English cannot do without, and that few other languages have.
_ENGLISH: Final = table(
    "the of and are to for each must at with be that how many has have by from it can their this there least most which"
    " needs takes should if than not more he she they on its does do"
)
_LANGUAGES: Final = {
    "German": table("der die das und ist ein eine einen für mit wird werden wie viele sollen nicht oder zu den dem im"),
    "Spanish": table("el los las un una de y que en cada por para con se es cuántas cuántos hay del debe deben como"),
    "French": table("le les un une des du et est pour chaque par avec dans au combien doit sont il sur pas plus"),
    "Italian": table("il lo gli un una di è per ogni con che del della quanti quante deve sono ha le più non"),
    "Portuguese": table("o os um uma de e é para cada por com que do da no na quantos quantas deve são não"),
    "Dutch": table("de het een en van voor met op elke hoeveel moet worden zijn niet er heeft te aan"),
}
_LETTERS: Final = re.compile(r"[^\W\d_]{2,}")
_LATIN: Final = 0x250  # Latin letters with all their accents lie below
_FEWEST: Final = 8  # words by which a language can be told
_LEAST: Final = 0.1  # share of English words; NL4Opt's texts have 0.2 and more
_LEAST_KNOWN: Final = 2  # words of a language that name it

_UNIT: Final = r"(?:m|cm|mm|km|dm|ft|feet|foot|in|inch|inches|yd|yards?|miles?|(?:centi|kilo|milli)?met(?:er|re)s?)"
_COUNTED: Final = r"(?:number|amount|quantity|count|length|width|height|depth|radius|side)"
_BEFORE_TIMES: Final = table("many several few more least most exactly of be is are")
_TIMES: Final = re.compile(
    rf"(?P<word>[\w.%]+) (?:times|multiplied (?:by|with)) (?:the |its |their )?{_COUNTED}\b"
    rf"|\bproduct of (?:the |its |their |both |two |these )*(?:{_COUNTED}|quantities|amounts|numbers|decisions)\b",
    re.I,
)
_POWER: Final = re.compile(
    rf"(?<!\w)(?!{_UNIT}\b)(?P<word>\w+) (?:squared|cubed)\b|\b(?:the )?(?:square|cube|square root|logarithm) of\b"
    r"|\bquadratic\w*|\bexponential\w*|\bnon-?linear\w*|\bto the power\b|\bsquare root\b"
    rf"|(?<![\w/])(?!{_UNIT}[\W²³])[^\W\d]\w*\)?\s?(?:\^\s?[2-9]|\*\*\s?[2-9]|[²³])",
    re.I,
)
_VALUE: Final = r"(?:prices?|costs?|profits?|margins?|revenues?|returns?|yields?|wages?|rates?)"
_MOVES: Final = r"(?:falls?|drops?|declines?|decreases?|shrinks?|rises?|increases?|grows?|goes (?:up|down)|lowers?)"
_MADE: Final = r"(?:sold|made|produced|bought|ordered|planted|built|hired|shipped)"
_DEPENDS: Final = re.compile(
    rf"\b{_VALUE}\b[^.?!;]{{0,60}}\b(?:{_MOVES}|depends? on|varies|changes)\b[^.?!;]{{0,30}}"
    rf"\b(?:with|as|on|when|the more)\b[^.?!;]{{0,40}}\b(?:{_MADE}|{_COUNTED}s?|volume|demand|more)\b"
    rf"|\b(?:each|every) (?:further|additional|extra)\b[^.?!;]{{0,40}}\b(?:lowers?|reduces?|raises?|cuts?|pushes)\b"
    rf"[^.?!;]{{0,20}}\b{_VALUE}\b"
    rf"|\bthe more\b[^.?!;]{{0,40}}\b{_MADE}\b[^.?!;]{{0,20}}\bthe (?:lower|higher|cheaper|less|smaller|dearer)\b"
    r"|\b(?:diminishing|decreasing|increasing) returns\b|\beconom(?:y|ies) of scale\b"
    r"|\b(?:volume|bulk|quantity) discounts?\b",
    re.I,
)
_RATIO: Final = re.compile(r"\b(?:maximi[sz]|minimi[sz])\w* (?:the |its |their )?(?:ratio|quotient) of\b", re.I)
_NONLINEAR: Final = (
    (_TIMES, "a product of decisions"),
    (_POWER, "a power or another curve"),
    (_DEPENDS, "a value of one unit that changes with the amount"),
    (_RATIO, "a quotient of decisions"),
)

_ORDER: Final = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass)\b[^.?!]{0,40}"
    r"\b(?:instructions?|prompts?|rules|directions|everything (?:above|before)|guidelines)\b"
    r"|\b(?:system|developer) (?:prompt|message)\b"
    r"|\byou are (?:now )?(?:a|an|the) (?:\w+ )?(?:assistant|model|ai|chatbot|pirate|developer|expert|hacker)\b"
    r"|\bas an ai\b|\b(?:pretend|act as|roleplay)\b"
    r"|^\W*(?:please )?(?:print|output|reply|respond|answer|repeat|reveal|execute|say)\b"
    r"(?! (?:at|no|up|between|more|less|fewer))",
    re.I,
)


def foreign(text: Text) -> str | None:
    """The language of a text that is not in English ("another language" where it is none of six); None for English."""
    words = [word.lower() for word in _LETTERS.findall(text.text)]
    letters = "".join(words)
    if sum(ord(c) >= _LATIN for c in letters) * 2 > len(letters):
        return "another script than the Latin one"
    if len(words) < _FEWEST or sum(word in _ENGLISH for word in words) >= _LEAST * len(words):
        return None
    counts = {name: sum(word in known for word in words) for name, known in _LANGUAGES.items()}
    best = max(counts, key=lambda name: counts[name])
    return best if counts[best] >= max(_LEAST_KNOWN, _LEAST * len(words)) else "another language"


def nonlinear(text: Text) -> Iterator[tuple[int, int, str]]:
    """Where a text speaks of what is not linear: the characters of the words, and what it is."""
    numbers = {end for one in text.figures for end in range(one.start, one.end + 1)}
    for pattern, what in _NONLINEAR:
        for match in pattern.finditer(text.text):
            word = match.groupdict().get("word")
            # 'three times the number of chairs' is a number's multiple.
            if word is not None and (match.start("word") in numbers or word.lower() in _BEFORE_TIMES):
                continue
            yield match.start(), match.end(), what


def orders(text: Text) -> list[tuple[int, int]]:
    """The sentences that tell the reader what to do or to print, and say nothing about a problem."""
    found = []
    for sentence in text.sentences:
        start, end = text.words[sentence.first].start, text.words[sentence.last - 1].end
        if _ORDER.search(text.text[start:end]):
            found.append((start, end))
    return found


def without(text: str, places: list[tuple[int, int]]) -> str:
    """The text with blanks for some places, so that all else keeps its own."""
    parts, at = [], 0
    for start, end in places:
        parts += [text[at:start], " " * (end - start)]
        at = end
    return "".join([*parts, text[at:]])
