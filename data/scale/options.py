"""`--scale ray` and what belongs to it: options that many commands have, and that bear on no result."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from data.errors import UserError

__all__ = ["SCALE_NAMES", "Scale", "add_scale_options"]

SCALE_NAMES = ("scale", "workers", "cpus_per_worker", "gpus_per_worker", "ray_address", "max_restarts")
"""What of a command's settings belongs to its scale."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How many Ray actors do the work, and where. None: chosen by who asks for it (see `data.scale.on_ray`).

    `address` is a running cluster's; without one Ray is started on this machine for the work's duration.
    """

    workers: int = 2
    cpus_per_worker: float | None = None
    gpus_per_worker: float | None = None
    address: str | None = None
    max_restarts: int | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Scale | None:
        """What the settings named in SCALE_NAMES ask for, None where not for scale. Raises UserError."""
        given = {name: values[name] for name in SCALE_NAMES if values.get(name) is not None}
        kind = given.pop("scale", None)
        if kind is None:
            if given:
                raise UserError(f"--{min(given).replace('_', '-')} goes with --scale ray")
            return None
        if kind != "ray":
            raise UserError(f"--scale is {kind!r}: the one kind there is, is ray")
        for name, least in (("workers", 1), ("max_restarts", 0)):
            value = given.get(name, least)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise UserError(f"--{name.replace('_', '-')} is {value!r}: give a whole number of at least {least}")
        for name in ("cpus_per_worker", "gpus_per_worker"):
            value = given.get(name, 0.0)
            if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
                raise UserError(f"--{name.replace('_', '-')} is {value!r}: give a number of at least 0")
            if value > 1 and value != int(value):
                raise UserError(f"--{name.replace('_', '-')} is {value!r}: above 1, Ray gives whole ones only")
        address = given.pop("ray_address", None)
        if address is not None and (not isinstance(address, str) or not address or "://" in address):
            raise UserError(f"--ray-address is {address!r}: give HOST:PORT of the cluster's head, or auto")
        return cls(address=address, **given)

    @property
    def restarts(self) -> int:
        """Lost workers that are replaced, in all."""
        return 10 * self.workers if self.max_restarts is None else self.max_restarts


def add_scale_options(parser: argparse.ArgumentParser) -> None:
    """The options, which `Scale.of` reads and checks."""
    add = parser.add_argument_group("scale").add_argument
    add("--scale", metavar="ray", help="spread the work over Ray actors (pip install 'stepsolver[ray]')")
    add("--workers", type=int, metavar="N", help="actors (default: 2)")
    add("--cpus-per-worker", type=float, metavar="C", help="cores of an actor (default: its part of this machine's; 1)")
    add("--gpus-per-worker", type=float, metavar="G", help="GPUs of an actor (default: what its engine options need)")
    add("--ray-address", metavar="HOST:PORT", help="a running cluster, or auto (default: start Ray here, then end it)")
    add("--max-restarts", type=int, metavar="N", help="lost actors that are replaced (default: 10 for each worker)")
