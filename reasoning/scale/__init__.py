"""Searches and data building on many machines: the same solver and samplers, each in a Ray actor with its own engine.

`data.scale` hands out the work; here is what a worker does, and `sizing`, how many GPUs and hours a job takes.
"""

from reasoning.scale.searching import Searching, gpus_needed, search_scaled

__all__ = ["Searching", "gpus_needed", "search_scaled"]
