"""optillm: best of N, the model's own rating from 0 to 10; it has no steps and takes no reward."""

from common import Job, Server, main
from openai import OpenAI
from optillm.bon import best_of_n_sampling


def solve(job: Job, server: Server, mode: str) -> list[str]:
    """One question after the other; the samples of one come from one request."""
    client = OpenAI(base_url=job.url, api_key="none")
    settings = {"max_tokens": job.answer_tokens}
    return [
        best_of_n_sampling("", question, client, job.model, n=job.samples, request_config=settings)[0]
        for question in job.questions
    ]


if __name__ == "__main__":
    main(solve)
