"""A toy policy whose chance of a right answer is known exactly, and files of questions for it."""

import itertools
import json
import math
import re
from pathlib import Path

from data.rows import read_rows
from reasoning.collect.__main__ import main
from reasoning.collect.sampler import Sampler
from reasoning.engine.toy import ToyEngine
from reasoning.grading import Grader
from reasoning.policy import Policy
from reasoning.profiles import PROFILES
from reasoning.tasks.gsm8k import Gsm8k

TERMS = [(3, 5, -8), (2, 7, 1), (-4, 6, 3), (9, -2, -5), (1, 1, 8), (7, -7, 4)]
TOY = ["--policy", "toy", "--profile", "lines-zero-shot"]


def question(terms) -> str:
    return "Add " + " ".join(f"{t:+d}" for t in terms)


def data_dir(folder: Path) -> Path:
    for split in ("train", "test"):
        file = folder / "data" / "gsm8k" / f"{split}.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        rows = [{"question": question(t), "answer": f"#### {sum(t)}"} for t in TERMS]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "data"


def sampler(error: float = 0.25, concurrency: int = 64) -> Sampler:
    policy = Policy(ToyEngine(error), Gsm8k(), PROFILES["lines-zero-shot"], 1.0)
    return Sampler(policy, Grader(Gsm8k()), "test", concurrency)


def exact(steps, terms, error: float = 0.25) -> float:
    """P(right | steps): the toy flips the sign of each term that is left with probability `error`.

    Its slips in sums are mended by the calculator.
    """
    results = re.findall(r"=(-?\d+)>>", "".join(steps))
    total, left = int(results[-1]) if results else 0, terms[len(results) :]
    signs = itertools.product((1, -1), repeat=len(left))
    return math.fsum(
        math.prod(error if s < 0 else 1 - error for s in flips)
        for flips in signs
        if total + sum(s * t for s, t in zip(flips, left, strict=True)) == sum(terms)
    )


def solutions(folder: Path, *options: str) -> Path:
    out = folder / "solutions.jsonl"
    assert main(["solutions", *TOY, "--data-dir", str(data_dir(folder)), "--out", str(out), *options]) == 0
    return out


def rows(path: Path) -> list[dict]:
    return [row for row in read_rows(path) if "group" not in row and "settings" not in row]
