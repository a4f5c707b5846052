"""Work spread over processes and machines: jobs pulled by workers that may die, on Ray where it is asked for.

`spreading` decides who does what and what happens to a lost worker's jobs, and knows no runtime; `on_ray` makes workers
Ray actors; `options` are the command line's.
"""

from data.scale.options import SCALE_NAMES, Scale, add_scale_options
from data.scale.spreading import Limits, Lost, Worker, WorkerLost, spread

__all__ = ["SCALE_NAMES", "Limits", "Lost", "Scale", "Worker", "WorkerLost", "add_scale_options", "spread"]
