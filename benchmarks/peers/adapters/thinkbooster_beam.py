"""thinkbooster: its beam search through its API generator, all questions together; perplexity as the step's score."""

from common import Job, Server, main
from lm_polygraph.estimators import Perplexity
from lm_polygraph.stat_calculators import VLLMLogprobsExtractionCalculator
from lm_polygraph.utils import APIWithUncertainty
from thinkbooster.generators.api import StepCandidateGeneratorThroughAPI
from thinkbooster.generators.base import convert_trajectory_to_string
from thinkbooster.models.blackboxmodel_with_streaming import BlackboxModelWithStreaming
from thinkbooster.scorers import StepScorerConfidence
from thinkbooster.step_boundary_detectors import ThinkingMarkerDetector
from thinkbooster.strategies import StrategyBeamSearch

_KINDS = ("sequence", "conclusion", "thinking", "verification", "reasoning", "correction", "structure")


def solve(job: Job, server: Server, mode: str) -> list[str]:
    """All questions in one call."""
    model = BlackboxModelWithStreaming("none", job.model, supports_logprobs=True, base_url=job.url)
    scored = APIWithUncertainty(
        model=model, stat_calculators=[VLLMLogprobsExtractionCalculator()], estimator=Perplexity()
    )
    lines = ThinkingMarkerDetector(**{f"use_{kind}": False for kind in _KINDS}, custom_markers=["\n"])
    lines.min_step_tokens, lines.max_step_tokens = 1, job.step_tokens
    generator = StepCandidateGeneratorThroughAPI(
        scored,
        detector=lines,
        answer_patterns=["####"],
        max_new_tokens=job.step_tokens,
        temperature=job.temperature,
        top_p=1.0,
        prefill_mode=True,
    )
    strategy = StrategyBeamSearch(
        generator, StepScorerConfidence(), job.width, job.expand, job.depth, aggregation="mean", prompt_buffer=100
    )
    requests = [[{"role": "user", "content": question}] for question in job.questions]
    found = strategy.generate_trajectories_batch(requests)
    return [convert_trajectory_to_string(f["steps"]) for f in found]


if __name__ == "__main__":
    main(solve)
