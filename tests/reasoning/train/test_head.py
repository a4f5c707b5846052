"""The head that scores labelled tokens: it equals the whole logits' log-softmax, and so do its gradients."""

from __future__ import annotations

import pytest
import torch
from transformers import Gemma2Config, Gemma2ForCausalLM, GraniteConfig, GraniteForCausalLM, PhiConfig, PhiForCausalLM

from reasoning.train import head
from reasoning.train.branches import IGNORED
from tests.reasoning.train import tiny

SMALL = {"vocab_size": 50, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}


@pytest.mark.parametrize("count", [1, 7, head.TILE, 2 * head.TILE + 5], ids=lambda n: f"{n} positions")
@pytest.mark.parametrize("biased", [False, True], ids=["plain", "bias"])
def test_log_probabilities_and_gradients_are_those_of_the_whole_log_softmax(count: int, biased: bool) -> None:
    torch.manual_seed(0)
    hidden = torch.randn(count, 8, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(40, 8, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(40, dtype=torch.float64, requires_grad=True) if biased else None
    leaves = [x for x in (hidden, weight, bias) if x is not None]
    targets = torch.randint(40, (count,))
    upstream = torch.randn(count)

    logits = torch.nn.functional.linear(hidden, weight, bias)
    expected = logits.log_softmax(-1)[torch.arange(count), targets]
    wanted = torch.autograd.grad((expected * upstream).sum(), leaves)
    found = head.token_logprobs(hidden, weight, bias, targets)
    got = torch.autograd.grad((found * upstream).sum(), leaves)

    torch.testing.assert_close(found, expected.float(), rtol=1e-5, atol=1e-5)
    for a, b in zip(got, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_scored_calls_return_the_log_probability_of_each_label_and_zero_elsewhere() -> None:
    network = tiny.model()
    ids = torch.randint(97, (3, 11))
    labels = ids.clone()
    labels[:, :4] = IGNORED
    labels[1, 7] = IGNORED
    logits = network(input_ids=ids).logits
    head.install(network)
    found = network(input_ids=ids, labels=labels, scored=True)["log_probs"]

    every = logits[:, :-1].log_softmax(-1).gather(2, ids[:, 1:, None])[..., 0]
    torch.testing.assert_close(found, every.masked_fill(labels[:, 1:] == IGNORED, 0.0), rtol=1e-5, atol=1e-5)
    assert (found != 0).sum() == (labels[:, 1:] != IGNORED).sum()


def test_without_scored_the_model_is_as_before() -> None:
    network = tiny.model()
    ids = torch.randint(97, (2, 6))
    before = network(input_ids=ids, labels=ids)
    head.install(network)
    after = network(input_ids=ids, labels=ids)
    assert torch.equal(before.logits, after.logits)
    assert torch.equal(before.loss, after.loss)


@pytest.mark.parametrize("biased", [False, True], ids=["plain", "bias"])
def test_values_are_the_difference_of_two_logits_after_every_position(biased: bool) -> None:
    torch.manual_seed(0)
    network = PhiForCausalLM(PhiConfig(**SMALL, num_attention_heads=2)).eval() if biased else tiny.model(50)
    if biased:
        torch.nn.init.normal_(network.lm_head.bias)
    ids = torch.randint(50, (2, 6))
    logits = network(input_ids=ids).logits
    head.install(network, value_ids=(7, 30))
    found = network(input_ids=ids, labels=ids, scored=True)["values"]
    torch.testing.assert_close(found, logits[..., 7] - logits[..., 30], rtol=1e-4, atol=1e-5)


def test_a_row_without_labels_scores_zero_and_has_a_gradient_of_zero() -> None:
    network = tiny.model()
    head.install(network)
    ids = torch.randint(97, (1, 5))
    found = network(input_ids=ids, labels=torch.full_like(ids, IGNORED), scored=True)["log_probs"]
    assert torch.equal(found, torch.zeros(1, 4))


def test_models_that_change_their_logits_after_the_head_are_refused() -> None:
    capped = Gemma2ForCausalLM(Gemma2Config(**SMALL, num_attention_heads=2, num_key_value_heads=1, head_dim=8))
    scaled = GraniteForCausalLM(
        GraniteConfig(**SMALL, num_attention_heads=2, num_key_value_heads=1, logits_scaling=8.0)
    )
    for network in (capped, scaled):
        with pytest.raises(ValueError, match="scales or caps"):
            head.install(network)
