"""Units of measure as products of powers: "kg", "$/hour", "m^2", "1". No conversions: kg and g are different units."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema

__all__ = ["ONE", "Unit", "unit"]

_FACTOR: Final = re.compile(r"(?P<name>1|%|[^\W\d_]\w*|[$€£¥])(?:\^(?P<power>-?\d{1,2}))?")


class Unit:
    """A product of named units to whole powers. Units are equal when every power is."""

    __slots__ = ("_powers",)

    def __init__(self, powers: dict[str, int]) -> None:
        self._powers = tuple(sorted((name, power) for name, power in powers.items() if power))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unit) and self._powers == other._powers

    def __hash__(self) -> int:
        return hash(self._powers)

    def __mul__(self, other: Unit) -> Unit:
        powers = Counter(dict(self._powers))
        powers.update(dict(other._powers))
        return Unit(powers)

    def __truediv__(self, other: Unit) -> Unit:
        powers = Counter(dict(self._powers))
        powers.subtract(dict(other._powers))
        return Unit(powers)

    def __str__(self) -> str:
        def text(powers: list[tuple[str, int]]) -> str:
            return "*".join(name if power == 1 else f"{name}^{power}" for name, power in powers)

        above = [(name, power) for name, power in self._powers if power > 0]
        below = [(name, -power) for name, power in self._powers if power < 0]
        return (text(above) or "1") + "".join(f"/{text([factor])}" for factor in below)

    def __repr__(self) -> str:
        return f"Unit({str(self)!r})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            unit, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string"}


ONE: Final = Unit({})
"""The unit of pure numbers."""


def unit(given: Any) -> Unit:
    """A unit from text such as `kg`, `$/piece`, `sq_ft*day` or `kg/m^2/day`. Raises ValueError."""
    if isinstance(given, Unit):
        return given
    if not isinstance(given, str):
        raise ValueError(f"a unit is text such as 'kg' or '$/hour', not a {type(given).__name__}")
    if not given.strip() or len(given) > 100:
        raise ValueError("a unit is text such as 'kg' or '$/hour'; leave it out where there is none")
    powers: Counter[str] = Counter()
    sign = 1
    for i, part in enumerate(re.split(r"([*/])", given)):
        if i % 2:
            sign = 1 if part == "*" else -1
            continue
        found = _FACTOR.fullmatch(part.strip())
        if found is None:
            raise ValueError(f"'{given}' is no unit: write it like kg, $/hour, m^2 or sq_ft (no blanks, no brackets)")
        if found["name"] not in ("1", "%"):
            powers[found["name"]] += sign * int(found["power"] or 1)
    return Unit(powers)
