"""The toy engine's made-up values agree with each other, as a real engine's do."""

import asyncio

from reasoning.engine.base import Sampling
from reasoning.engine.toy import ToyEngine


def test_watched_tokens_have_the_values_of_a_look_up_at_every_position():
    engine, watch = ToyEngine(), (43, 45)

    async def run():
        prompt = engine.tokenizer.encode("Question: What is 3 + 4?\nAnswer:")
        done = await engine.complete(prompt, Sampling(60, 0.7, seed=1, watch=watch))
        asked = [(await engine.next_token_logprobs([*prompt, *done.ids[:i]], watch))[0] for i in range(len(done.ids))]
        plain = await engine.complete(prompt, Sampling(60, 0.7, seed=1))
        return done, asked, plain

    done, asked, plain = asyncio.run(run())
    assert [list(values) for values in done.watched] == asked
    assert len(set(done.watched)) > 1
    assert (plain.ids, plain.watched) == (done.ids, None)
