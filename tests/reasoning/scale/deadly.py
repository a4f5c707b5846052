"""A method that kills the process that searches certain problems with it, as a crash or a full memory would."""

import os
import signal

from search.best_of_n import BestOfN


class Deadly(BestOfN):
    def start(self, root):
        if root.problem.endswith("3"):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().start(root)
