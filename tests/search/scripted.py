"""Running an algorithm by hand: outcomes are chosen in the test, in the order the test wants."""

from collections.abc import Callable

from search.algorithm import Algorithm
from search.tree import Tree
from search.types import (
    Evaluate,
    Evaluated,
    Expand,
    Expanded,
    Failed,
    Finish,
    Outcome,
    Request,
    Segment,
    State,
    Step,
    Usage,
)


def step(text: str, *, prior: float = 1.0, answer: str | None = None, finish: Finish | None = None) -> Expanded:
    """One sampled step with the given prior (its tokens' geometric-mean probability)."""
    import math

    ends = finish or (Finish.ANSWER if answer is not None else Finish.STEP)
    ids = tuple(text.encode())
    segment = Segment(ids, (math.log(prior),) * len(ids))
    return Expanded((Step((segment,), text, ends, answer),), Usage(1, 0, len(ids)))


class Script:
    """Drives one tree; `expand` and `value` say what each request brings."""

    def __init__(
        self,
        algorithm: Algorithm,
        expand: Callable[[str, int], Outcome],
        value: Callable[[str], float | None] = lambda text: 0.5,
    ) -> None:
        self.algorithm, self.expand, self.value = algorithm, expand, value
        self.tree: Tree = algorithm.start(State("p"))
        self.waiting: list[Request] = list(algorithm.ask(self.tree))

    def outcome(self, request: Request) -> Outcome:
        if isinstance(request, Expand):
            return self.expand(self.tree.text(request.node), request.index)
        assert isinstance(request, Evaluate)
        value = self.value(self.tree.text(request.node))
        return Failed("no reward") if value is None else Evaluated(value)

    def tell_next(self, position: int = 0) -> Request:
        request = self.waiting.pop(position)
        self.algorithm.tell(self.tree, request, self.outcome(request))
        self.waiting += self.algorithm.ask(self.tree)
        return request

    def run(self) -> Tree:
        while self.waiting:
            self.tell_next()
        assert not self.tree.pending
        return self.tree

    def find(self, text: str):
        return next(n for n in self.tree.nodes if self.tree.text(n.id) == text and n.id)
