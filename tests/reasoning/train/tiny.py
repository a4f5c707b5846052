"""Random models of some 30,000 weights, and tokenizers of three families, for tests of training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, TrainerCallback

from reasoning.engine.tokenizer import HFTokenizer

END = "<|end|>"
CORPUS = [
    "Question: Nina has 48 beads and gives away half of them. How many beads are left?\nAnswer:",
    " <<48/2=24>>\n<<48+24=72>>\n#### 72",
    " She sold 48/2 = <<48/2=24>>24 clips.\nThat makes 48+24 = <<48+24=72>>72.\n#### 72",
    "0123456789 + - * / = ( ) . , ; : ! ? $ % abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ",
]


def byte_level() -> Tokenizer:
    """Byte-level BPE, as GPT-2's and SmolLM2's. The words of a judgement, " yes" and " no", are single tokens."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        [*CORPUS * 3, " yes no" * 9],
        trainers.BpeTrainer(vocab_size=330, initial_alphabet=alphabet, special_tokens=[END]),
    )
    return made


def sentencepiece() -> Tokenizer:
    """A unigram model over pieces with a visible space that it puts before a text's first word, as Llama 2's."""
    made = Tokenizer(models.Unigram())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex("\n"), "isolated"), pre_tokenizers.Metaspace(prepend_scheme="first")]
    )
    made.decoder = decoders.Metaspace(prepend_scheme="first")
    pieces = sorted({c for text in CORPUS for c in text if c != " "} | {"▁"})
    made.train_from_iterator(
        CORPUS * 3,
        trainers.UnigramTrainer(vocab_size=180, initial_alphabet=pieces, special_tokens=[END], max_piece_length=3),
    )
    return made


def characters() -> Tokenizer:
    """A token for each character."""
    known = sorted({c for text in CORPUS for c in text} | {chr(i) for i in range(32, 127)})
    made = Tokenizer(models.WordLevel({END: 0, "?": 1} | {c: i + 2 for i, c in enumerate(known)}, unk_token="?"))
    made.pre_tokenizer = pre_tokenizers.Split(Regex("[\\s\\S]"), "isolated")
    made.decoder = decoders.Fuse()
    made.add_special_tokens([END])
    return made


FAMILIES = {"byte-level": byte_level, "sentencepiece": sentencepiece, "characters": characters}


def model(vocabulary: int = 97, seed: int = 0, attention: str = "eager", **settings: Any) -> LlamaForCausalLM:
    """A Llama of two layers and width 32, in float32."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        **{
            "vocab_size": vocabulary,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 512,
            "initializer_range": 0.3,  # far from uniform, so that a wrong mask shows
            "attn_implementation": attention,
            **settings,
        }
    )
    return LlamaForCausalLM(config).eval()


def save_tokenizer(made: Tokenizer, folder: Path) -> HFTokenizer:
    """Write a tokenizer to `folder`, and read it as the project does."""
    PreTrainedTokenizerFast(tokenizer_object=made, eos_token=END).save_pretrained(folder)
    return HFTokenizer(str(folder))


def save(folder: Path, seed: int = 0) -> Path:
    """A model folder: a tiny model and a byte-level tokenizer."""
    made = byte_level()
    model(made.get_vocab_size(), seed).save_pretrained(folder)
    save_tokenizer(made, folder)
    return folder


def log_probs(network: Any, prompt: list[int], continuation: list[int]) -> torch.Tensor:
    """Log-probability of each token of `continuation`, by a plain forward of one unpacked row."""
    logits = network(input_ids=torch.tensor([[*prompt, *continuation]])).logits[0].float()
    after = logits.log_softmax(-1)[len(prompt) - 1 : -1]
    return after.gather(1, torch.tensor(continuation)[:, None])[:, 0]


# What makes a job small, and exact enough to be compared bit for bit.
SETTINGS = {
    "dtype": "float32",
    "bf16": "false",
    "use_cpu": "true",
    "attn_implementation": "eager",
    "lora_r": "4",
    "report_to": "none",
    "logging_steps": "1",
    "learning_rate": "1e-2",
    "per_device_train_batch_size": "4",
}


def options(**settings: object) -> list[str]:
    """Command-line arguments of a small job; a list becomes several values."""
    found: list[str] = []
    for name, value in {**SETTINGS, **settings}.items():
        found += [f"--{name}", *(map(str, value) if isinstance(value, list) else [str(value)])]
    return found


class Killed(Exception):
    """Raised inside a training step, as a stand-in for a signal."""


class KilledAt(TrainerCallback):
    """Ends a job abruptly when it begins its step `step` (from 0), after the checkpoints before that."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == self.step:
            raise Killed


def adapter(folder: Path) -> dict[str, torch.Tensor]:
    """The tensors of an adapter folder."""
    return load_file(folder / "adapter_model.safetensors")


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    """Whether two adapters are alike bit for bit."""
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)
