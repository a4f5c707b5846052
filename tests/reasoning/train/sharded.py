"""Two processes that share one tiny model's weights (FSDP2): `torchrun --nproc_per_node 2 -m ... BASE OUT`.

Each checks that the loss's head gives what it gives on the whole model, and both together save the adapter.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import torch
import torch.distributed as dist
from peft import LoraConfig, get_peft_model
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from transformers import AutoModelForCausalLM

from reasoning.train import head
from reasoning.train.job import JobFields, save_adapter
from tests.reasoning.train import tiny


@dataclass
class Job(JobFields):
    """The settings that saving reads."""

    output_dir: str = ""
    process_index: int = 0


def main(base: str, out: str) -> None:
    """See the module."""
    dist.init_process_group("gloo")
    torch.manual_seed(0)
    inner = AutoModelForCausalLM.from_pretrained(base, attn_implementation="eager")
    model = get_peft_model(inner, LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:  # a new adapter's is 0, which would show nothing
            torch.nn.init.normal_(parameter, std=0.1)
    wanted = {
        name.replace(".default", ""): p.to(torch.bfloat16) for name, p in model.state_dict().items() if "lora_" in name
    }
    head.install(model.get_base_model(), (5, 6))
    ids = torch.arange(30, 50)[None]

    def scored() -> dict[str, torch.Tensor]:
        found: dict[str, torch.Tensor] = model(
            input_ids=ids, attention_mask=torch.ones_like(ids), labels=ids, scored=True
        )
        return found

    before = {name: values.detach() for name, values in scored().items()}
    mesh = init_device_mesh("cpu", (2,))
    for layer in model.base_model.model.model.layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    after = scored()
    sum(values.sum() for values in after.values()).backward()  # type: ignore[union-attr]
    assert all(torch.allclose(before[name], after[name], atol=1e-5) for name in before)
    assert all(p.grad is not None for name, p in model.named_parameters() if "lora_" in name)
    named = SimpleNamespace(name="any")
    policy = SimpleNamespace(model=model, base="tiny", task=named, profile=named)
    save_adapter(policy, Job(model=base, output_dir=out, process_index=dist.get_rank()), {"stage": "any"})  # type: ignore[arg-type]
    dist.barrier()
    found = tiny.adapter(Path(out))
    assert tiny.same(found, wanted)
    dist.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
