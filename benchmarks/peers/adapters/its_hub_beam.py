"""its-hub: its beam search with its OpenAI client; the reward through its interface for process rewards."""

import asyncio

from common import Job, Server, main, run_async
from its_hub import AbstractProcessRewardModel, OpenAICompatibleLanguageModel, StepGeneration
from its_hub.core.algorithms.beam_search import BeamSearch


class Judge(AbstractProcessRewardModel):
    """Every candidate of a level at once, in threads."""

    def __init__(self, server: Server):
        self.server = server

    def score(self, prompt_or_messages, steps):
        return [self.server.judge(prompt_or_messages, f"{text}\n") for text in steps]

    async def ascore(self, prompt_or_messages, steps):
        # It gives the text without its last newline.
        calls = (asyncio.to_thread(self.server.judge, prompt_or_messages, f"{text}\n") for text in steps)
        return list(await asyncio.gather(*calls))


def solve(job: Job, server: Server, mode: str) -> list[str]:
    """Every question with the same search; `gathered` starts them all at once."""
    # A step separator excludes a token limit per step; its loop goes one step past `max_steps`.
    steps = StepGeneration(job.depth - 1, step_token="\n", stop_token="####", temperature=job.temperature)
    beam = BeamSearch(steps, Judge(server), job.width)

    async def everything() -> list[str]:
        model = OpenAICompatibleLanguageModel(endpoint=job.url, api_key="none", model_name=job.model)
        budget = job.width * job.expand
        if mode == "gathered":
            found = await asyncio.gather(*(beam.ainfer(model, q, budget) for q in job.questions))
        else:
            found = [await beam.ainfer(model, q, budget) for q in job.questions]
        await model.close()
        return [f["content"] for f in found]

    return run_async(everything())


if __name__ == "__main__":
    main(solve)
