"""Runs as text for a terminal: aligned tables, and a search tree with one line per node, at most 100 columns wide.

Model text is untrusted: control characters never reach the terminal.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.cells import cell_len, set_cell_size

from data.errors import UserError
from data.stats import mcnemar_exact
from reasoning.methods import load_method
from reasoning.runs.store import ProblemResult, RunView, flatten
from reasoning.runs.totals import Totals, judged, totals
from search.codec import outcome_from_json, request_from_json
from search.driver import ReplayError, Tell, replay
from search.tree import ROOT, Node, Tree
from search.types import Finish

__all__ = ["WIDTH", "clean", "clip", "diff_page", "percent", "problem_page", "rebuild", "run_page", "table"]

WIDTH = 100
_RATES = {"policy": "hit_rate", "reward": "reward_hit_rate"}
_MOST_INDENT = 40  # columns; deeper nodes are told by the depth in front of their text


def clean(text: str) -> str:
    """`text` without control, format and surrogate characters, except line ends and tabs."""
    return "".join(c if c in "\n\t" or unicodedata.category(c) not in {"Cc", "Cf", "Cs"} else "\ufffd" for c in text)


def clip(text: str, width: int) -> str:
    """`text` on one line of at most `width` terminal cells."""
    line = " ".join(clean(text).split())
    return line if cell_len(line) <= width else set_cell_size(line, max(0, width - 1)).rstrip() + "…"


def table(rows: Sequence[Sequence[str]], right: str = "") -> str:
    """Aligned columns, the first row their heads; `right` has an `r` for each column set to the right, else another."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    align = right.ljust(len(widths), "l")
    lines = []
    for row in rows:
        cells = [
            " " * (w - cell_len(c)) + c if a == "r" else c + " " * (w - cell_len(c))
            for c, w, a in zip(row, widths, align, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def count(value: int | None) -> str:
    """A token count; `?` where it is unknown."""
    return "?" if value is None else f"{value:,}"


def rate(share: float | None) -> str:
    """A share in per cent; `?` where it is unknown."""
    return "?" if share is None else f"{100 * share:.1f}%"


def percent(t: Totals) -> str:
    """Accuracy with its 95% interval, in per cent; `-` where nothing was judged."""
    if t.accuracy is None or t.ci95 is None:
        return "-"
    return f"{100 * t.accuracy:.1f} [{100 * t.ci95[0]:.1f}, {100 * t.ci95[1]:.1f}]"


# ---- a run ---------------------------------------------------------------------------------------------------------


def run_page(view: RunView) -> str:
    """Configuration, a line per problem, and the totals."""
    config = [[clip(k, 40), clip(str(v), WIDTH - 44)] for k, v in flatten(view.config)]
    rows = [["index", "problem", "gold", "answer", "", "nodes", "tokens", "seconds"]]
    for r in view.results:
        answer = f"failed: {r.failed}" if r.failed is not None else r.answer or "-"
        rows.append(
            [
                str(r.index),
                clip(r.problem, 28),
                clip("-" if r.gold is None else r.gold, 14),
                clip(answer, 22 if r.failed is None else 36),
                _mark(r),
                count(r.nodes),
                count(r.computed_tokens),
                f"{r.seconds:.1f}",
            ]
        )
    began = datetime.fromtimestamp(view.created).strftime("%Y-%m-%d %H:%M")
    parts = [f"run {view.name}, begun {began}", table(config), table(rows, "rllllrrr"), _summary(totals(view.results))]
    return "\n\n".join(p for p in parts if p)


def _mark(r: ProblemResult) -> str:
    return "failed" if r.failed is not None else {True: "right", False: "wrong", None: ""}[r.correct]


def _summary(t: Totals) -> str:
    return table(
        [
            ["problems", f"{t.problems:,} ({t.failed:,} failed)"],
            ["accuracy %", f"{percent(t)} of {t.judged:,} judged"],
            ["tokens", "  ".join(f"{name} {count(n)}" for name, n in _tokens(t).items())],
            ["cache hits", f"policy {rate(t.hit_rate)}  reward {rate(t.reward_hit_rate)}"],
            ["FLOPs", "?" if t.flops is None else f"{t.flops:.3g} (forward passes, estimated)"],
            ["engine seconds", "?" if t.engine_seconds is None else f"{t.engine_seconds:,.1f}"],
        ]
    )


def _tokens(t: Totals) -> dict[str, int | None]:
    return {
        "prompt": t.prompt_tokens,
        "cached": t.cached_tokens,
        "completion": t.completion_tokens,
        "reward": t.reward_tokens,
        "computed": t.computed_tokens,
    }


# ---- one problem ---------------------------------------------------------------------------------------------------


def problem_page(view: RunView, result: ProblemResult, *, full: bool = False) -> str:
    """A problem's question, search tree and ranked answers. `full` prints whole texts instead of one line each."""
    head = [
        [f"problem {result.index}", clip(result.problem, WIDTH - 20)],
        ["gold", clip("-" if result.gold is None else result.gold, WIDTH - 20)],
        ["answer", clip(f"{result.answer or '-'}  {_mark(result)}", WIDTH - 20)],
        ["tokens", f"computed {count(result.computed_tokens)}, completion {count(result.completion_tokens)}"],
        ["seconds", f"{result.seconds:.1f}"],
    ]
    if result.failed is not None:
        head.append(["failed", clip(result.failed, 10_000 if full else WIDTH - 20)])
    parts = [table(head), clean(result.question).strip()]
    tells = view.tells(result.problem)
    if tells:
        tree = rebuild(view, result, tells)
        parts.append(_tree_text(tree, result.answer, list(result.extra.get("prompts", ())), full=full))
        if tree.failures:
            parts.append("\n".join(f"{n} failed: {clip(why, WIDTH - 20)}" for why, n in tree.failures.items()))
    if result.answers:
        rows = [["rank", "score", "votes", "answer"]]
        for rank, a in enumerate(result.answers, 1):
            rows.append([str(rank), f"{a['score']:.4g}", str(a["votes"]), clip(str(a["answer"]), WIDTH - 30)])
        parts.append(table(rows, "rrr"))
    if full and result.text:
        parts.append(f"best solution:\n{clean(result.text).strip()}")
    return "\n\n".join(parts)


def rebuild(view: RunView, result: ProblemResult, tells: Sequence[Mapping[str, Any]]) -> Tree:
    """The search tree, folded from its log by the method the run used."""
    try:
        method = load_method(view.config["method"], view.config.get("params", {}))
        log = [Tell(t["seq"], request_from_json(t["request"]), outcome_from_json(t["outcome"])) for t in tells]
        return replay(method, result.root, log)
    except (ReplayError, KeyError, TypeError, ValueError, AttributeError, ImportError) as e:
        why = clip(f"{type(e).__name__}: {e}", 200)
        raise UserError(f"the tree of {result.problem!r} cannot be rebuilt from its log ({why})") from e


def _tree_text(tree: Tree, chosen: str | None, prompts: Sequence[str], *, full: bool) -> str:
    """One line per node, depth first in sample order; first steps say which of several `prompts` they follow."""
    mcts = any(n.visits for n in tree.nodes)
    visits = [n.visits for n in tree.nodes] if mcts else _samples_below(tree)
    lines = [f"{'node':>5} {'visits':>6} {'value':>6} {'Q':>6}  step"]
    stack = [ROOT]
    while stack:
        node = tree.nodes[stack.pop()]
        stack += sorted(node.children, key=lambda i: (tree.nodes[i].index, i), reverse=True)
        value = "" if node.value is None else f"{node.value:.3f}"
        q = f"{node.q:+.3f}" if node.visits else ""
        front = f"{node.id:>5} {visits[node.id]:>6} {value:>6} {q:>6}  " + _indent(node.depth)
        if node.depth == 1 and len(prompts) > 1:
            front += f"[{clip(prompts[tree.prompt_number(node.id)], 20)}] "
        end = _ending(node, chosen)
        if node.step is None:
            lines.append(front + "(question)")
        elif full:
            first, *rest = clean(node.step.text).strip().splitlines() or [""]
            lines += [f"{front}{first}", *(" " * len(front) + line for line in rest)]
            lines[-1] += end
        else:
            end = end and f" {clip(end, 40)}"
            lines.append(front + clip(node.step.text, WIDTH - len(front) - cell_len(end)) + end)
    if not mcts:
        lines.append("visits: samples that ended at or below the node")
    return "\n".join(lines)


def _samples_below(tree: Tree) -> list[int]:
    """Samples that landed at or below each node. Children come after their parents in `tree.nodes`."""
    below = [n.samples for n in tree.nodes]
    for node in reversed(tree.nodes[1:]):
        below[node.parent] += below[node.id]
    return below


def _indent(depth: int) -> str:
    columns = 2 * depth
    return " " * columns if columns <= _MOST_INDENT else f"{' ' * _MOST_INDENT}({depth}) "


def _ending(node: Node, chosen: str | None) -> str:
    """What a reader should know about how the step ended; `*` marks the run's answer."""
    step = node.step
    if step is None or step.finish is Finish.STEP:
        return ""
    if step.finish is Finish.ANSWER:
        return f" -> {step.answer}{' *' if step.answer == chosen else ''}"
    if step.finish is Finish.INVALID:
        return f" [invalid: {step.note}]" if step.note else " [invalid]"
    return " [cut]" if step.finish is Finish.CUT else " [no answer]"


# ---- two runs ------------------------------------------------------------------------------------------------------


def diff_page(a: RunView, b: RunView) -> str:
    """Two runs compared on the problems they share. Raises UserError where there is nothing to compare."""
    ours, theirs = ({r.problem: r for r in view.results} for view in (a, b))
    shared = [r.problem for r in a.results if r.problem in theirs]
    if not shared:
        raise UserError(f"runs {a.name!r} and {b.name!r} have no problem in common: compare runs of one task and split")
    for p in shared:
        if ours[p].question != theirs[p].question:
            raise UserError(f"{p!r} is another question in {a.name!r} than in {b.name!r}: their data differ")
    pairs = [(ours[p], theirs[p]) for p in shared if judged(ours[p]) and judged(theirs[p])]
    cells = [(x.correct is True, y.correct is True) for x, y in pairs]
    only_a, only_b = cells.count((True, False)), cells.count((False, True))

    flat_a, flat_b = dict(flatten(a.config)), dict(flatten(b.config))
    differing = [k for k in {**flat_a, **flat_b} if flat_a.get(k) != flat_b.get(k)]
    ta, tb = totals([ours[p] for p in shared]), totals([theirs[p] for p in shared])
    rows = [["", clip(a.name, 30), clip(b.name, 30)]]
    rows += [[clip(k, 30), clip(str(flat_a.get(k, "-")), 30), clip(str(flat_b.get(k, "-")), 30)] for k in differing]
    rows.append(["accuracy %", percent(ta), percent(tb)])
    rows.append(["failed", count(ta.failed), count(tb.failed)])
    rows += [[f"{k} tokens", count(v), count(_tokens(tb)[k])] for k, v in _tokens(ta).items()]
    rows += [[f"{k} cache hits", rate(getattr(ta, v)), rate(getattr(tb, v))] for k, v in _RATES.items()]
    rows.append(["FLOPs", *("?" if t.flops is None else f"{t.flops:.3g}" for t in (ta, tb))])
    rows.append(["engine seconds", *("?" if t.engine_seconds is None else f"{t.engine_seconds:.1f}" for t in (ta, tb))])
    rows.append(["seconds", f"{ta.seconds:.1f}", f"{tb.seconds:.1f}"])
    paired = [
        ["both right", str(cells.count((True, True)))],
        [f"only {clip(a.name, 30)}", str(only_a)],
        [f"only {clip(b.name, 30)}", str(only_b)],
        ["neither", str(cells.count((False, False)))],
        ["exact McNemar p", f"{mcnemar_exact(only_a, only_b):.4g}"],
    ]
    left_out = f"{len(ours) - len(shared):,} only in {a.name}, {len(theirs) - len(shared):,} only in {b.name}"
    return "\n\n".join([f"{len(shared):,} shared problems ({left_out})", table(rows, "lrr"), table(paired, "lr")])
