"""What every kind of statement shares: its fields, its meaning at a point, and how it becomes primitives."""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, NamedTuple, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator

from formulation.expressions import NAME, Element, Quantifier
from formulation.numbers import Rational

if TYPE_CHECKING:
    from formulation.meaning import World
    from formulation.primitives import Goal, Primitive
    from formulation.schema import Problem

__all__ = [
    "CONSTRAINTS",
    "OBJECTIVES",
    "Binding",
    "Constraint",
    "Env",
    "Mention",
    "Objective",
    "Origin",
    "Record",
    "Statement",
]

Origin = Literal["text", "derived", "assumed", "user"]


class Binding(NamedTuple):
    """The element that a symbol stands for, and the set it runs through (None: a place of tuples of no named set)."""

    element: Element
    set: str | None


Env = Mapping[str, Binding]
"""What bound symbols stand for."""

CONSTRAINTS: Final[dict[str, type[Constraint]]] = {}
OBJECTIVES: Final[dict[str, type[Objective]]] = {}


class Record(BaseModel):
    """A strict, frozen piece of a model."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Mention(Record):
    """Where a statement or one of its fields comes from: characters [start, end) of the problem's text."""

    span: tuple[int, int] | None = None
    text: str | None = None
    origin: Origin = "text"

    @field_validator("span")
    @classmethod
    def _ordered(cls, span: tuple[int, int] | None) -> tuple[int, int] | None:
        if span is not None and not 0 <= span[0] <= span[1]:
            raise ValueError("a span is [start, end] with 0 <= start <= end")
        return span


def check_id(given: str) -> str:
    """An id as it was given. Raises ValueError unless it is empty (one is chosen then) or a name."""
    if given and not NAME.fullmatch(given):
        raise ValueError(f"'{given}' cannot be an id: use letters, digits and _, and put words into the label")
    return given


class Statement(Record):
    """One statement of a problem. `sources` says where its fields come from; the key "" stands for the whole."""

    id: str = ""
    label: str | None = None
    sources: dict[str, Mention] = Field(default_factory=dict)

    cues: ClassVar[tuple[str, ...]] = ()
    """Phrases that announce this kind in a text."""

    _id = field_validator("id")(check_id)

    @classmethod
    @abstractmethod
    def generate(cls, rng: random.Random) -> Problem:
        """A small random problem whose first constraint (or whose objective) is of this kind, with its data inline.

        It is feasible or not; its variables have finite bounds, so that its points can be enumerated.
        """

    @classmethod
    def _kind(cls) -> str:
        (name,) = get_args(cls.model_fields["kind"].annotation)
        return str(name)


class Constraint(Statement):
    """A statement that a point satisfies or does not.

    A kind is a subclass in a file of its own with a field `kind: Literal["its_name"] = "its_name"`; that registers it.
    """

    forall: Quantifier | None = None
    hard: bool = Field(default=False, description="never given up when an infeasible problem is relaxed")

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if "kind" in cls.model_fields:
            CONSTRAINTS[cls._kind()] = cls

    @abstractmethod
    def holds(self, world: World, env: Env) -> bool:
        """Whether it holds at the world's point, by exact arithmetic, for one binding of the symbols of `forall`."""

    def cost(self, world: World, env: Env) -> Rational:
        """What it adds to a minimised objective (or takes from a maximised one) at the world's point."""
        return 0

    @abstractmethod
    def lower(self) -> tuple[Primitive, ...]:
        """The same as primitives, which stand under the quantifier `forall`."""


class Objective(Statement):
    """What is minimised or maximised: one goal or several."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if "kind" in cls.model_fields:
            OBJECTIVES[cls._kind()] = cls

    @abstractmethod
    def values(self, world: World) -> tuple[Rational, ...]:
        """The value of each goal of `goals()` at the world's point, in the problem's units, costs left out."""

    @abstractmethod
    def goals(self) -> tuple[Goal, ...]:
        """Its goals, the most important first."""
