"""The catalogue of models that a `--policy` names: what they are, where their files come from, which is the default."""

from __future__ import annotations

from reasoning.models.catalogue import CATALOGUE, CatalogueModel, Hub, Installed, Source, Wheels, catalogue_model
from reasoning.models.default import default_model
from reasoning.models.store import pull, pulled, remove

__all__ = [
    "CATALOGUE",
    "CatalogueModel",
    "Hub",
    "Installed",
    "Source",
    "Wheels",
    "catalogue_model",
    "default_model",
    "pull",
    "pulled",
    "remove",
]
