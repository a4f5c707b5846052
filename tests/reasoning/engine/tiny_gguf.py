"""A real GGUF file of a few thousand weights, written by the `gguf` package as llama.cpp's converter would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, TokenType
from gguf.quants import quantize

WIDE, HEADS, KV_HEADS, INNER, LAYERS, CONTEXT = 64, 4, 2, 96, 2, 128
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


def _bytes() -> list[str]:
    """The characters that stand for the 256 bytes in byte-level BPE (GPT-2's table)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(b) if b in plain else chr(next(others)) for b in range(256)]


def write(
    path: Path,
    *,
    architecture: str = "qwen2",
    pre: str = "qwen2",
    tied: bool = False,
    kind: GGMLQuantizationType = GGMLQuantizationType.Q8_0,
    leave_out: str = "",
) -> None:
    """Write the file: all matrices quantised as `kind`, but for the embedding, which is F16; norms and biases F32."""
    merges = ["a b", "Ġ 1", "Ġ Ġ", "t h", "th e"]
    ordinary = [*_bytes(), *(m.replace(" ", "") for m in merges)]
    unused = [f"[PAD{i}]" for i in range(len(ordinary) + len(SPECIAL), 288)]
    tokens = [*ordinary, *SPECIAL, *unused]
    types = [TokenType.NORMAL] * len(ordinary) + [TokenType.CONTROL] * len(SPECIAL) + [TokenType.UNUSED] * len(unused)
    writer = GGUFWriter(path, architecture)
    writer.add_name("tiny")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDE)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_bos_token_id(tokens.index("<|endoftext|>"))
    writer.add_pad_token_id(tokens.index("<|endoftext|>"))
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)
    random = np.random.default_rng(0)

    def add(name: str, *shape: int, plain: Any = None) -> None:
        if name == leave_out:
            return
        values = (random.standard_normal(shape) * 0.3).astype(np.float32)
        if plain is not None:
            writer.add_tensor(name, values.astype(plain))
        else:
            writer.add_tensor(name, quantize(values, kind), raw_dtype=kind)

    add("token_embd.weight", len(tokens), WIDE, plain=np.float16)
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        inner = WIDE // HEADS * KV_HEADS
        for name, rows in (("q", WIDE), ("k", inner), ("v", inner)):
            add(f"{block}.attn_{name}.weight", rows, WIDE)
            if architecture == "qwen2":
                add(f"{block}.attn_{name}.bias", rows, plain=np.float32)
        add(f"{block}.attn_output.weight", WIDE, WIDE)
        add(f"{block}.ffn_gate.weight", INNER, WIDE)
        add(f"{block}.ffn_up.weight", INNER, WIDE)
        add(f"{block}.ffn_down.weight", WIDE, INNER)
        add(f"{block}.attn_norm.weight", WIDE, plain=np.float32)
        add(f"{block}.ffn_norm.weight", WIDE, plain=np.float32)
    add("output_norm.weight", WIDE, plain=np.float32)
    if not tied:
        add("output.weight", len(tokens), WIDE)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
