"""Small random process reward models with the architectures, tensor names and special tokens of published ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2ForTokenClassification,
)

from reasoning.engine.tokenizer import HFTokenizer

SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "initializer_range": 0.3,  # far from uniform, so that a wrong mask or position shows
}
CORPUS = ["Nina has 48 beads and gives away half: 48/2 = <<48/2=24>>24.\nThe answer is: 24", "+ - * step Step yes no ."]
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA = (
    "<|begin_of_text|>{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
    "{{ m.content | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
# The pre-tokenization that Llama 3 and Qwen share, but for how many digits stay together.
SPLIT = r"(?i:'s|'t)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN_SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<extra_0>"]
LLAMA_SPECIAL = ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]


def tokenizer(folder: Path, special: list[str], template: str | None, **named: str) -> HFTokenizer:
    """A byte-level tokenizer with these special tokens, written to `folder`."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        CORPUS * 4, trainers.BpeTrainer(vocab_size=320, initial_alphabet=alphabet, special_tokens=special)
    )
    PreTrainedTokenizerFast(tokenizer_object=made, **named).save_pretrained(folder)
    if template is not None:
        path = folder / "tokenizer_config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "chat_template": template}))
    return HFTokenizer(str(folder))


def qwen_tokenizer(folder: Path, special: list[str] | None = None) -> HFTokenizer:
    return tokenizer(folder, special or QWEN_SPECIAL, CHATML, eos_token="<|im_end|>", pad_token="<|endoftext|>")


def llama_tokenizer(folder: Path) -> HFTokenizer:
    return tokenizer(folder, LLAMA_SPECIAL, LLAMA, bos_token="<|begin_of_text|>", eos_token="<|eot_id|>")


def mistral_tokenizer(folder: Path) -> HFTokenizer:
    """Mistral's own, which mistral-common carries; the class is what makes transformers read it as it is published."""
    import mistral_common

    data = Path(mistral_common.__file__).parent / "data" / "tokenizer.model.v1"
    (folder / "tokenizer.model").write_bytes(data.read_bytes())
    settings = {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "legacy": True, "add_bos_token": True}))
    if not (folder / "config.json").exists():
        (folder / "config.json").write_text('{"model_type": "mistral"}')
    return HFTokenizer(str(folder))


def qwen_prm(folder: Path, seed: int = 0) -> Path:
    """A checkpoint as Qwen2.5-Math-PRM's: `model.*`, and a head `score.0`, `score.2` of a class that is remote code."""
    made = qwen_tokenizer(folder)
    torch.manual_seed(seed)
    Qwen2ForCausalLM(Qwen2Config(vocab_size=len(made.pretrained), **SIZES)).save_pretrained(folder)
    head = torch.nn.Sequential(torch.nn.Linear(32, 32), torch.nn.ReLU(), torch.nn.Linear(32, 2))
    add(folder, {f"score.{name}": 3 * tensor for name, tensor in head.state_dict().items()})
    remote = {"AutoModel": "modeling_qwen2_rm.Qwen2ForProcessRewardModel"}
    change(folder, architectures=["Qwen2ForProcessRewardModel"], auto_map=remote)
    return folder


def skywork_prm(folder: Path) -> Path:
    """A checkpoint as Skywork's: a causal model with `v_head.summary` beside it."""
    made = qwen_tokenizer(folder)
    torch.manual_seed(1)
    Qwen2ForCausalLM(Qwen2Config(vocab_size=len(made.pretrained), **SIZES)).save_pretrained(folder)
    add(folder, {"v_head.summary.weight": torch.randn(1, 32), "v_head.summary.bias": torch.randn(1)})
    change(folder, architectures=["Qwen2ForPrmModel"])
    return folder


def classifier(folder: Path, classes: int = 2) -> Path:
    """A checkpoint of transformers' own token classification."""
    made = qwen_tokenizer(folder)
    torch.manual_seed(2)
    config = Qwen2Config(vocab_size=len(made.pretrained), num_labels=classes, **SIZES)
    Qwen2ForTokenClassification(config).save_pretrained(folder)
    return folder


def rlhflow(folder: Path) -> Path:
    """A Llama that answers with its next token."""
    made = llama_tokenizer(folder)
    torch.manual_seed(3)
    LlamaForCausalLM(LlamaConfig(vocab_size=len(made.pretrained), **SIZES)).save_pretrained(folder)
    return folder


def math_shepherd(folder: Path) -> Path:
    """A Mistral that answers with its next token, with Mistral's own vocabulary."""
    torch.manual_seed(4)
    MistralForCausalLM(MistralConfig(vocab_size=32000, **SIZES)).save_pretrained(folder)
    mistral_tokenizer(folder)
    return folder


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def add(folder: Path, more: dict[str, torch.Tensor]) -> None:
    """Put tensors into a checkpoint."""
    save_file(
        {k: v.contiguous() for k, v in (tensors(folder) | more).items()}, folder / "model.safetensors", {"format": "pt"}
    )


def change(folder: Path, **settings: Any) -> None:
    """Change a checkpoint's configuration."""
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))
