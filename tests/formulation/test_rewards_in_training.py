"""Rewards of drafts in TRL's trainer: one step of a tiny random model."""

import pytest

trl = pytest.importorskip("trl")
datasets = pytest.importorskip("datasets")

from transformers import PreTrainedTokenizerFast  # noqa: E402

from formulation.drafts import tagged  # noqa: E402
from formulation.rewards import equivalent_reward, executes_reward, format_reward  # noqa: E402
from tests.formulation.test_rewards import DRAFT, NUMBERS, TEXT, problem  # noqa: E402
from tests.reasoning.train import tiny  # noqa: E402


def test_a_step_of_the_trainer(tmp_path):
    made = tiny.byte_level()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, eos_token=tiny.END, pad_token=tiny.END)
    row = {"prompt": f"{tagged(TEXT, NUMBERS)[:60]}\n", "text": TEXT, "problem": problem(DRAFT)}
    trainer = trl.GRPOTrainer(
        tiny.model(made.get_vocab_size()),
        reward_funcs=[format_reward, executes_reward, equivalent_reward],
        args=trl.GRPOConfig(
            output_dir=str(tmp_path),
            per_device_train_batch_size=2,
            num_generations=2,
            max_completion_length=8,
            max_steps=1,
            logging_steps=1,
            use_cpu=True,
            bf16=False,
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
        ),
        train_dataset=datasets.Dataset.from_list([row, {**row, "problem": None}]),
        processing_class=tokenizer,
    )
    trainer.train()
    told = next(entry for entry in trainer.state.log_history if "reward" in entry)
    for name in ("format", "executes", "equivalent"):
        assert f"rewards/{name}_reward/mean" in told
    assert told["drafts/optimal"] == 0  # of a random model
