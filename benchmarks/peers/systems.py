"""The systems of the comparison: what to install for each, what to run, and what each could not do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["SYSTEMS", "System"]


@dataclass(frozen=True, slots=True)
class System:
    """One row.

    `script` lies in `adapters/`; `mode` is given to it. `install` are the arguments of `pip install`, one command
    after the other, for an environment named `environment`; without one the script runs in this environment.
    `reward` is what it ranks by, `lacks` what it could not do of the common task.
    """

    name: str
    script: str
    mode: str = ""
    environment: str | None = None
    install: tuple[tuple[str, ...], ...] = ()
    reward: str = "judgement"
    lacks: str = "-"


# What optillm, llm-reasoners and thinkbooster name as dependencies includes CUDA builds, vLLM 0.12 and browser drivers.
# Only what their adapters import is installed, so that ten minutes are enough.
_ITS = (("its-hub[lm]==1.2.0",),)
_ITS_LACKS = "a token limit per step; all candidates from the first step on (2, 4, then 8); merging equal steps"

SYSTEMS: Final = (
    System("stepsolver", "stepsolver_beam", "together"),
    System(
        "lockstep over the batch", "stepsolver_beam", "lockstep", lacks="going on before the slowest of a batch is back"
    ),
    System("one question at a time", "stepsolver_beam", "one-by-one", lacks="batches over questions"),
    System("its-hub", "its_hub_beam", "one-by-one", "its-hub", _ITS, lacks=f"batches over questions; {_ITS_LACKS}"),
    System("its-hub, gathered", "its_hub_beam", "gathered", "its-hub", _ITS, lacks=_ITS_LACKS),
    System(
        "optillm",
        "optillm_bon",
        environment="optillm",
        install=(
            ("--no-deps", "optillm==0.4.0"),
            (
                *("openai", "numpy", "networkx", "flask", "cerebras_cloud_sdk", "z3-solver<=4.15.4.0", "aiohttp"),
                *("sympy", "PyYAML", "math-verify[antlr4_13_2]"),
            ),
        ),
        reward="its own rating, 0 to 10",
        lacks="steps; a reward of one's own; batches over questions",
    ),
    System(
        "treequest",
        "treequest_tot",
        environment="treequest",
        install=(("treequest==0.3.3",),),
        lacks="4 beams of 2 samples (it wants samples >= beams: 2 of 4); more than one first step; an engine; "
        "batches over questions",
    ),
    System(
        "llm-reasoners",
        "llm_reasoners_beam",
        environment="llm-reasoners",
        install=(("--no-deps", "llm-reasoners==1.0.2"), ("torch", "transformers", "numpy", "tqdm")),
        lacks="rewards of a depth together; batches over questions",
    ),
    System(
        "thinkbooster",
        "thinkbooster_beam",
        environment="thinkbooster",
        install=(
            ("--no-deps", "thinkbooster==0.1.1", "lm-polygraph==0.7.0"),
            (
                *("torch", "transformers", "datasets", "sentence-transformers", "scikit-learn", "scipy", "pandas"),
                *("numpy", "spacy", "nltk", "bert-score", "rouge-score", "sacrebleu", "boostedprob", "absl-py"),
                *("pillow", "openai", "diskcache", "omegaconf", "requests", "tqdm"),
                *("parse", "pylatexenc", "regex", "sympy", "word2number", "antlr4-python3-runtime==4.9.3"),
            ),
        ),
        reward="perplexity of the step",
        lacks="a reward of one's own without a local model; many first steps (2 instead of 8)",
    ),
)
