"""llm-reasoners: its beam search over a world model of partial solutions."""

from concurrent.futures import ThreadPoolExecutor

from common import Job, Server, main
from reasoners import Reasoner, SearchConfig, WorldModel
from reasoners.algorithm import BeamSearch


class Solution(WorldModel):
    """A state is the text so far."""

    def init_state(self):
        return ""

    def step(self, state, action):
        return state + action, {}

    def is_terminal(self, state):
        return bool(state) and Server.finished(state)


class Steps(SearchConfig):
    """A node's steps are sampled together; its loop asks for their rewards one after the other."""

    def __init__(self, job: Job, server: Server):
        super().__init__()
        self.job, self.server = job, server
        self.pool = ThreadPoolExecutor(job.width * job.expand)

    def get_actions(self, state):
        samples = self.job.expand * (1 if state else self.job.width)
        return list(self.pool.map(lambda _: self.server.step(self.example, state), range(samples)))

    def reward(self, state, action, **_):
        return self.server.judge(self.example, state + action), {}


def solve(job: Job, server: Server, mode: str) -> list[str]:
    """One question after the other."""
    algorithm = BeamSearch(beam_size=job.width, max_depth=job.depth)
    reasoner = Reasoner(Solution(), Steps(job, server), algorithm)
    return [reasoner(question).terminal_state or "" for question in job.questions]


if __name__ == "__main__":
    main(solve)
