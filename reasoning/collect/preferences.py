"""Step preferences: pairs of steps that continue the same prefix, one better than the other.

Both sides carry the ids the policy wrote and share exactly `prompt_ids`. A step ends with the end-of-sequence token
only where the policy ended its solution with it.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.digest import file_digest
from data.errors import UserError
from data.labels import Sample, prefix_trie
from data.preferences import Pair, advantage_pairs, cpl_pairs, mcts_dpo_pair
from data.records import Problem
from data.rows import Preference, RowFile, Side, Solution
from reasoning.cli import duration
from reasoning.collect.corrected import add_correction_options, find_correction, labelled_solutions
from reasoning.collect.sampler import (
    Built,
    Sampler,
    add_policy_options,
    build_file,
    describe_policy,
    foreign_shown,
    grouped,
    notes,
    own_mask,
    policy_of,
    positive,
    training_task,
)
from reasoning.collect.trees import Grown, grow, open_trees
from reasoning.grading import Grader

__all__ = ["Siblings", "add_options", "correct", "of_solutions", "of_tree", "pairs", "run"]

HOW = ("step-dpo", "siblings-mcts-dpo", "siblings-cpl", "advantage")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `preferences`."""
    add = parser.add_argument
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--from", dest="file", type=Path, metavar="FILE.jsonl", help="sampled or labelled solutions")
    source.add_argument("--run", metavar="NAME", help="a stored run of mcts (for the sibling rules and advantage)")
    add("--out", type=Path, required=True, metavar="FILE.jsonl", help="goes on where an earlier call ended")
    add(
        "--how",
        choices=HOW,
        required=True,
        help="step-dpo: the first wrong step against a sampled correction; siblings-mcts-dpo: best against worst "
        "sibling by visits and value; siblings-cpl: all siblings with Q_w > 0 > Q_l; advantage: siblings above and "
        "below their parent's value",
    )
    add("--per-question", type=positive, metavar="N", help="pairs of a question at most, the widest apart first")
    add(
        "--min-visits",
        type=positive,
        default=2,
        metavar="N",
        help="siblings: visits of a step at least (default: 2)",
    )
    add("--task", default="gsm8k", help="the task that judges answers (default: gsm8k)")
    add_correction_options(parser)
    add_policy_options(parser)


def run(args: argparse.Namespace) -> int:
    """The command."""
    if args.run and args.how == "step-dpo":
        raise UserError("step-dpo corrects labelled solutions: give them with --from")
    seconds = asyncio.run(_from_run(args) if args.run else _from_file(args))
    total = notes(args.out)
    more = "".join(f", {total[k]} {k}" for k in ("wrong", "uncorrected", "sampled") if total[k])
    print(
        f"{total['kept']} pairs of {total['groups']} questions in {args.out}{more}; {duration(seconds)}"
        f"{foreign_shown(total)}"
    )
    return 0


async def _from_run(args: argparse.Namespace) -> float:
    view, task = open_trees(args.run)
    settings = {"rows": "preferences", "how": args.how, "run": view.name, "created": view.created, **_limits(args)}
    with RowFile(args.out, settings) as file:
        async with Grader(task) as grader:
            for result in view.results:
                if result.problem not in file.done and result.failed is None:
                    grown = await grow(view, result, grader)
                    rows = pairs(args.how, of_tree(grown, args.min_visits), {"run": view.name})
                    built = _built(rows, args.per_question)
                    file.add(result.problem, built.rows, kept=len(built.rows))
    return 0.0


async def _from_file(args: argparse.Namespace) -> float:
    rows = labelled_solutions(args.file)
    task = training_task(args.task, None, [row.id for row in rows])
    by_question = grouped(rows)
    settings = {"rows": "preferences", "how": args.how, "source": file_digest(args.file), **_limits(args)}
    if args.how == "siblings-mcts-dpo" and any("counts" in row.provenance.get("labels", {}) for row in rows):
        raise UserError(f"{args.file} is labelled by rollouts, which are no visits: take sampled solutions or a --run")
    if args.how != "step-dpo":
        with RowFile(args.out, settings) as file:
            for key, group in by_question.items():
                if key not in file.done:
                    # Steps of two tokenizers share no prefix, whatever they spell.
                    by_tokenizer: dict[str | None, list[Solution]] = {}
                    for row in group:
                        by_tokenizer.setdefault(row.tokenizer, []).append(row)
                    places = [p for part in by_tokenizer.values() for p in of_solutions(part, args.min_visits)]
                    found = pairs(args.how, places, policy_of(group[0].provenance))
                    built = _built(found, args.per_question)
                    file.add(key, built.rows, kept=len(built.rows))
        return 0.0
    settings |= {"task": args.task, "tries": args.tries, "wrong_at": args.wrong_at, **describe_policy(args)}
    told = policy_of(settings)

    async def one(sampler: Sampler, group: list[Solution]) -> Built:
        native = sampler.encoder.solutions(group, words="all")
        wrong = [row for row in native.rows if not row.correct]
        searches = (correct(row, native.rows, sampler, args.tries, args.wrong_at, told) for row in wrong)
        corrected = await asyncio.gather(*searches)
        found = [pair for pair, _ in corrected if pair is not None]
        counts = {
            "wrong": len(wrong),
            "uncorrected": len(wrong) - len(found),
            "sampled": sum(asked for _, asked in corrected),
            **native.counts,
        }
        return _built(found, args.per_question, counts)

    def shown(counts: Mapping[str, int]) -> str:
        return f"{counts['wrong'] - counts['uncorrected']} pairs"

    return await build_file(args, task, "correction", settings, by_question, one, shown)


def _limits(args: argparse.Namespace) -> dict[str, Any]:
    return {"per_question": args.per_question, "min_visits": args.min_visits}


def _built(found: Sequence[Preference], most: int | None, counts: Mapping[str, int] | None = None) -> Built:
    """The rows of a group: equal pairs once, the widest apart first where there are too many."""
    unlike = {(p.prompt_ids, p.chosen.ids, p.rejected.ids): p for p in reversed(found)}
    rows = list(reversed(unlike.values()))
    if most is not None:
        rows = sorted(rows, key=lambda p: p.rejected.value - p.chosen.value)[:most]
    return Built([row.to_json() for row in rows], counts or {})


# ---- siblings --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Siblings:
    """The steps that continue one prefix, and the prefix's own value, None where it is unknown.

    `on_best_path` says that every step of the prefix was the best of its siblings by (visits, value); `tokenizer` is
    the checksum of the one that made all ids, None where that is not known.
    """

    problem: Problem
    prompt_ids: tuple[int, ...]
    prefix: tuple[str, ...]
    sides: tuple[Side, ...]
    value: float | None
    on_best_path: bool
    tokenizer: str | None = None


def pairs(how: str, places: Sequence[Siblings], provenance: Mapping[str, Any]) -> list[Preference]:
    """The pairs that a rule finds among siblings."""
    found = []
    for place in places:
        rule: list[Pair] = []
        if how == "siblings-cpl":
            rule = cpl_pairs(place.sides)
        elif how == "advantage":
            rule = [] if place.value is None else advantage_pairs(place.sides, place.value)
        elif place.on_best_path and (best := mcts_dpo_pair(place.sides)) is not None:
            rule = [best]
        found += [
            _preference(place.problem, place.prompt_ids, place.prefix, pair, how, provenance, place.tokenizer)
            for pair in rule
        ]
    return found


def _preference(
    problem: Problem,
    prompt_ids: tuple[int, ...],
    prefix: tuple[str, ...],
    pair: Pair,
    rule: str,
    provenance: Mapping[str, Any],
    tokenizer: str | None,
) -> Preference:
    return Preference(
        problem.id,
        problem.question,
        problem.answer or "",
        prefix,
        prompt_ids,
        pair.chosen,
        pair.rejected,
        rule,
        pair.margin,
        pair.smoothing,
        pair.weight,
        provenance,
        tokenizer,
    )


def _rank(side: Side) -> tuple[int, float]:
    return side.visits, side.value


def of_solutions(rows: Sequence[Solution], min_visits: int = 1) -> list[Siblings]:
    """Every branching of the solutions of one question, as a trie of their steps' ids.

    A side's value is its step's label. Its visits are the samples that pass through it, or, in a labelled file, the
    rollouts its label rests on; sides of less than `min_visits` are left out, but for last steps, whose value is known.
    """
    # A row stands for as many samples as gave it.
    numbers = [n for n, row in enumerate(rows) for _ in range(row.provenance.get("times", 1))]
    nodes, paths = prefix_trie([Sample(rows[n].step_ids or (), rows[n].correct) for n in numbers])
    # Where a right solution passes through a node, its continuation is the evidence.
    order = sorted(zip(numbers, paths, strict=True), key=lambda both: rows[both[0]].correct)
    where = {node: (rows[n], k) for n, path in order for k, node in enumerate(path)}
    problem = Problem(rows[0].id, rows[0].question, rows[0].answer)

    def side(node: int) -> Side | None:
        row, k = where[node]
        assert row.values is not None
        assert row.own is not None
        value = row.values[k]
        if value is None:
            return None
        visits = _visits(row, k, rows)
        if visits < min_visits and k < len(row.steps) - 1:
            return None
        return Side(row.steps[k], nodes[node].ids, row.own[k], value, visits, "".join(row.steps[k + 1 :]))

    sides = {node: side(node) for node in where}
    best: dict[int, bool] = {0: True}
    found = []
    for number, node in enumerate(nodes):
        children = {child: s for child in node.children if (s := sides[child]) is not None}
        ranked = max(children, key=lambda child: _rank(children[child]), default=None)
        best.update({child: best[number] and child == ranked for child in node.children})
        if len(children) > 1:
            row, k = where[number] if number else (rows[0], -1)
            prefix_ids = tuple(i for ids in (row.step_ids or ())[: k + 1] for i in ids)
            here = sides[number] if number else None
            value = node.value if number == 0 else None if here is None else here.value
            found.append(
                Siblings(
                    problem,
                    (row.prompt_ids or ()) + prefix_ids,
                    row.steps[: k + 1],
                    tuple(children.values()),
                    value,
                    best[number],
                    rows[0].tokenizer,
                )
            )
    return found


def of_tree(grown: Grown, min_visits: int = 1) -> list[Siblings]:
    """Every branching of a stored tree; `min_visits` as in `of_solutions`."""
    tree = grown.tree
    best = {0}
    found = []
    for node in tree.nodes:
        children = [n for n in grown.siblings(node) if n.visits >= min_visits or n.id in grown.right]
        sides = []
        for child in children:
            value = grown.value(child)
            assert child.step is not None
            assert value is not None
            step = child.step
            sides.append(Side(step.text, step.ids, own_mask(step), value, child.visits, grown.below(child)))
        if children and node.id in best:
            best.add(max(zip(children, sides, strict=True), key=lambda both: _rank(both[1]))[0].id)
        if len(children) > 1:
            prefix = tuple(n.step.text for n in tree.path(node.id) if n.step is not None)
            found.append(
                Siblings(
                    grown.problem,
                    tree.ids(node.id),
                    prefix,
                    tuple(sides),
                    grown.value(node),
                    node.id in best,
                    grown.tokenizer,
                )
            )
    return found


# ---- Step-DPO --------------------------------------------------------------------------------------------------------


async def correct(
    row: Solution,
    others: Sequence[Solution],
    sampler: Sampler,
    tries: int,
    wrong_at: float,
    provenance: Mapping[str, Any],
) -> tuple[Preference | None, int]:
    """The first wrong step of a wrong solution against a step that leads on to the right answer, and samples asked.

    Step-DPO (arXiv 2406.18629): the correction comes from the same policy and prefix (see `find_correction`).
    """
    found, asked = await find_correction(row, others, sampler, tries, wrong_at)
    if found is None:
        return None, asked
    assert row.prompt_ids is not None
    assert row.step_ids is not None
    step = found.step
    prefix = row.prompt_ids + tuple(i for ids in row.step_ids[:step] for i in ids)
    pair = Pair(_side(found.right[0], step, others, 1.0), _side(row, step, others, 0.0))
    told = {**provenance, "step": step, "tried": found.tried}
    problem = Problem(row.id, row.question, row.answer)
    return _preference(problem, prefix, row.steps[:step], pair, "step-dpo", told, row.tokenizer), asked


def _side(row: Solution, step: int, rows: Sequence[Solution], known: float) -> Side:
    """A step of a solution whose outcome is `known`, with its label where it has one."""
    assert row.step_ids is not None
    assert row.own is not None
    # Where all rollouts after a right solution's step failed there is still that solution.
    value = (row.values[step] if row.values else None) or known
    rest = "".join(row.steps[step + 1 :])
    return Side(row.steps[step], row.step_ids[step], row.own[step], value, max(1, _visits(row, step, rows)), rest)


def _visits(row: Solution, step: int, rows: Sequence[Solution]) -> int:
    """What a step's value rests on: the rollouts of its label, or the samples that pass through it."""
    if (about := row.provenance.get("labels")) is not None:
        counts = about.get("counts") or [None] * len(row.steps)
        visits = about.get("visits")
        return int(visits[step] if visits else counts[step][1] if counts[step] is not None else 0)
    assert row.step_ids is not None
    path = row.step_ids[: step + 1]
    return sum(other.provenance.get("times", 1) for other in rows if (other.step_ids or ())[: step + 1] == path)
