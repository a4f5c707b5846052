"""treequest: breadth-first tree of thoughts; it brings the rule, the adapter the steps and the threads."""

from concurrent.futures import ThreadPoolExecutor

from common import Job, Server, main
from treequest import TreeOfThoughtsBFSAlgo


def solve(job: Job, server: Server, mode: str) -> list[str]:
    """One question after the other, a depth's steps in threads."""
    # It wants at least as many samples per node as nodes kept: half the width and twice the samples, 8 of 4 x 2.
    width, samples = max(1, job.width // 2), job.expand * 2
    algorithm = TreeOfThoughtsBFSAlgo(breadth_limit=width, size_limit=samples)
    pool = ThreadPoolExecutor(width * samples)

    def grow(question: str, text: str | None) -> tuple[str, float]:
        if text and server.finished(text):
            return text, server.judge(question, text)  # an ended solution competes with its value
        text = (text or "") + server.step(question, text or "")
        return text, server.judge(question, text)

    def one(question: str) -> str:
        state = algorithm.init_tree()
        # The root gets one child, that one `samples` of its own; a batch must not be larger than what is queued.
        for batch in [1, samples, *[width * samples] * (job.depth - 2)]:
            state, trials = algorithm.ask_batch(state, batch_size=batch, actions=["step"])
            for trial, result in zip(trials, pool.map(lambda t: grow(question, t.parent_state), trials), strict=True):
                state = algorithm.tell(state, trial.trial_id, result)
        pairs = algorithm.get_state_score_pairs(state)
        return max(pairs, key=lambda p: ("####" in p[0], p[1]))[0]

    return [one(question) for question in job.questions]


if __name__ == "__main__":
    main(solve)
