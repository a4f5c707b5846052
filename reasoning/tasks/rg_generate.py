"""Generate reasoning-gym problems: run as a script, JSON request on stdin, pickled entries on stdout.

Some generators iterate over sets, so their problems depend on Python's hash seed; some print, and one executes
programs of its data file. A process of its own with a fixed hash seed makes the problems the same everywhere, and
keeps the rest away from the caller. This file imports nothing of the project.
"""

import contextlib
import json
import os
import pickle
import random
import sys
from typing import Any


def generate(name: str, seed: int, size: int, start: int, stop: int) -> list[dict[str, Any]]:
    """Entries `start` to `stop` of a generator, each with a reference answer its own scorer accepts, or None.

    Where any valid answer will do, the reference is the example that some generators keep in the metadata.
    """
    import reasoning_gym

    dataset = reasoning_gym.create_dataset(name, seed=seed, size=size)
    entries = []
    for index in range(start, min(stop, size)):
        random.seed(seed + index)
        entry = dict(dataset[index])
        metadata = entry["metadata"]
        known = (entry["answer"], metadata.get("example_correct_answer"), metadata.get("example_answer"))
        coloring = metadata.get("possible_answer")
        answers = [answer for answer in known if isinstance(answer, str)]
        if coloring is not None:
            answers.append(json.dumps(coloring))
        entry["reference"] = next((answer for answer in answers if dataset.score_answer(answer, entry) == 1.0), None)
        entries.append(entry)
    return entries


def main() -> None:
    """Answer one request: a list of [name, seed, size, start, stop]."""
    result = os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # noqa: PTH123
        pickle.dump([generate(*request) for request in json.load(sys.stdin)], result)
    result.close()


if __name__ == "__main__":
    main()
