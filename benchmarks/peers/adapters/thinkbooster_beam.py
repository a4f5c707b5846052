"""thinkbooster: its beam search through its API generator, all questions together; perplexity as the step's score."""

from common import Job, Server, main
from lm_polygraph.estimators import Perplexity
from lm_polygraph.stat_calculators import VLLMLogprobsExtractionCalculator
from lm_polygraph.utils import APIWithUncertainty
from thinkbooster.generators.api import StepCandidateGeneratorThroughAPI
from thinkbooster.generators.base import convert_trajectory_to_string
from thinkbooster.models.blackboxmodel_with_streaming import BlackboxModelWithStreaming
from thinkbooster.scorers import StepScorerConfidence
from thinkbooster.step_boundary_detectors.base import StepBoundaryDetectorBase
from thinkbooster.strategies import StrategyBeamSearch


class Lines(StepBoundaryDetectorBase):
    """Lines as steps. Its own detectors want 200 characters and a full stop, and cut an answer at its first sign."""

    def __init__(self, tokens):
        self.min_step_tokens, self.max_step_tokens = 1, tokens

    def detect_steps(self, text, **_):
        return text.splitlines(keepends=True)

    def get_vllm_stop_tokens(self):
        return ["\n"]

    def is_step_complete(self, text, tokens=None):
        return "\n" in text

    def is_trajectory_complete(self, text, reached_eos=False):
        return reached_eos or "####" in text or not text.strip()

    def extract_step_text(self, text):
        return "".join(self.detect_steps(text)[:1])


def solve(job: Job, server: Server, mode: str) -> list[str]:
    """All questions in one call."""
    model = BlackboxModelWithStreaming("none", job.model, supports_logprobs=True, base_url=job.url)
    scored = APIWithUncertainty(model, [VLLMLogprobsExtractionCalculator()], Perplexity())
    settings = {"max_new_tokens": job.step_tokens, "temperature": job.temperature, "top_p": 1.0, "prefill_mode": True}
    generator = StepCandidateGeneratorThroughAPI(scored, detector=Lines(job.step_tokens), **settings)
    how = {"aggregation": "mean", "prompt_buffer": 100}
    strategy = StrategyBeamSearch(generator, StepScorerConfidence(), job.width, job.expand, job.depth, **how)
    found = strategy.generate_trajectories_batch([[{"role": "user", "content": q}] for q in job.questions])
    return [convert_trajectory_to_string(f["steps"]) for f in found]


if __name__ == "__main__":
    main(solve)
