"""Log-probabilities of labelled tokens without the whole logits: memory is bounded by a tile, not by the vocabulary.

TRL's fused head serves accelerators; on a CPU it scores prompt tokens too, and takes 8 times as long on a
batch of short solutions (measured). This one computes only labelled positions, in tiles, everywhere.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint

from reasoning.train.branches import IGNORED

__all__ = ["install", "token_logprobs"]

# What architectures call a change of the logits after the head.
_SCALES = ("final_logit_softcapping", "logit_scale", "logits_scaling", "lm_head_multiplier", "output_multiplier")
TILE = 1024  # positions at once: 1024 x 150,000 logits in float32 are 600 MB


def token_logprobs(
    hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, targets: torch.Tensor
) -> torch.Tensor:
    """Natural-log probability of each of `targets` (N,) after `hidden` (N, width), in float32.

    With more than one tile the logits are computed again in the backward pass and never kept.
    """

    def tile(h: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return -F.cross_entropy(F.linear(h, weight, bias).float(), y, reduction="none")

    if len(targets) <= TILE:
        return tile(hidden, targets)
    parts = zip(hidden.split(TILE), targets.split(TILE), strict=True)
    return torch.cat([checkpoint(tile, h, y, use_reentrant=False) for h, y in parts])


def install(model: Any, value_ids: tuple[int, int] | None = None) -> None:
    """Let `model(..., labels=..., scored=True)` return log-probabilities instead of logits.

    They come as a dict: `log_probs`, (batch, length - 1) float32, position i for label i + 1, 0 where that is ignored;
    and with `value_ids` = (good, bad) also `values`, (batch, length) float32: the difference of the two tokens' logits
    after every position. Without `scored` the model is as before. It goes through the model's own call, as sharded
    training needs.
    """
    original = model.forward
    if any(getattr(model.config, name, None) not in (None, 1, 1.0) for name in _SCALES):
        raise ValueError(f"{model.config.model_type} scales or caps its logits, which this head does not")

    def forward(self: Any, *args: Any, scored: bool = False, labels: Any = None, **kwargs: Any) -> Any:
        if not scored:
            return original(*args, **kwargs) if labels is None else original(*args, labels=labels, **kwargs)
        whole = self.base_model(*args, **{**kwargs, "use_cache": False}).last_hidden_state
        hidden = whole[:, :-1]
        head = self.get_output_embeddings()
        weight = head.weight.full_tensor() if hasattr(head.weight, "full_tensor") else head.weight
        wanted = labels[:, 1:]
        chosen = wanted != IGNORED
        found = token_logprobs(hidden[chosen].to(weight.dtype), weight, head.bias, wanted[chosen])
        out = {"log_probs": hidden.new_zeros(wanted.shape, dtype=torch.float32).masked_scatter(chosen, found)}
        if value_ids is not None:
            direction = weight[value_ids[0]].float() - weight[value_ids[1]].float()
            with torch.autocast(whole.device.type, enabled=False):  # a value is a small difference of large numbers
                out["values"] = whole.float() @ direction
                if head.bias is not None:
                    out["values"] = out["values"] + (head.bias[value_ids[0]] - head.bias[value_ids[1]]).float()
        return out

    model.forward = MethodType(forward, model)
