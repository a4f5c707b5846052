"""Preference training on pairs of steps: python -m reasoning.train.step_dpo --config FILE.yaml

Rows are `data.rows.Preference`: a prefix as token ids, a better and a worse step that continue it. With log-ratios
r = log pi(step | prefix) - log pi_ref(step | prefix) over the tokens that the policy wrote, the loss of a pair is

    weight * ( -(1 - e) log s(h) - e log s(-h) + rpo_alpha * NLL(chosen) / tokens ),
    h = beta * (r_w - r_l) - apo_alpha * margin,

where s is the logistic function, margin = A_w - A_l and e the label noise of the row. Step-DPO (arXiv 2406.18629) is
apo_alpha 0, e 0; Step-APO (CPL, arXiv 2409.08642) apo_alpha 1, beta 0.3; the noise e from visit counts and log-probs
from the first differing token on are MCTS-DPO's (arXiv 2405.00451); the last term is RPO's (arXiv 2404.19733), against
the drift of small models. The papers train all weights at 5e-7 (Step-DPO, beta 0.4 to 0.5) and 1e-6 (CPL, MCTS-DPO);
LoRA on a small model wants about 1e-5 to 5e-5. The reference is the adapter that the job starts from, or else the base.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from accelerate.utils import broadcast_object_list
from datasets import Dataset
from torch.utils.data import DataLoader
from trl import DPOConfig, DPOTrainer
from trl.models import prepare_deepspeed
from trl.trainer.utils import hash_module

from data.errors import DataError, UserError
from data.rows import Preference, Side, read_rows
from reasoning.cards import read_card
from reasoning.train import head
from reasoning.train.branches import IGNORED, BranchCollator
from reasoning.train.foreign import Encoder
from reasoning.train.job import (
    ExactOrder,
    JobFields,
    Progress,
    load_policy,
    main,
    parse,
    prepare_output,
    save_adapter,
    train,
)

__all__ = ["PairCollator", "StepDPOJob", "StepDPOTrainer", "pair_loss", "rows_of", "run"]

# What TRL offers and this loss has no place for.
_NOT_HERE = (
    "loss_type",
    "loss_weights",
    "label_smoothing",
    "ld_alpha",
    "f_divergence_type",
    "use_weighting",
    "truncation_mode",
    "precompute_ref_log_probs",
    "sync_ref_model",
)
_PER_PAIR = ("margin", "smoothing", "weight", "ref_chosen_logps", "ref_rejected_logps")


@dataclass
class StepDPOJob(JobFields, DPOConfig):  # type: ignore[misc]
    """Settings of preference training: `JobFields`, these, and what of `trl.DPOConfig` is not about its losses."""

    learning_rate: float = field(default=2e-5, metadata={"help": "for LoRA; the papers' 5e-7 is for all weights"})
    beta: float = field(default=0.4, metadata={"help": "how strongly the policy is held to the reference"})
    apo_alpha: float = field(default=0.0, metadata={"help": "scale of a pair's margin (Step-APO: 1; Step-DPO: 0)"})
    rpo_alpha: float = field(default=0.0, metadata={"help": "scale of the chosen step's mean negative log-likelihood"})
    smoothing: bool = field(default=True, metadata={"help": "use the label noise that rows carry"})
    from_difference: bool = field(default=False, metadata={"help": "count from the first token in which sides differ"})
    eval_data: list[str] = field(default_factory=list, metadata={"help": "files of held-out pairs"})
    gradient_checkpointing: bool = field(default=False, metadata={"help": "less memory, a third more time"})


# ---- rows ------------------------------------------------------------------------------------------------------------


def preferences(names: Sequence[str]) -> list[Preference]:
    """The pairs of some files, in order. Raises DataError."""
    return [Preference.of(row) for name in names for row in read_rows(Path(name)) if "chosen" in row]


def rows_of(
    pairs: Iterable[Preference], max_length: int | None, vocabulary: int, *, from_difference: bool = False
) -> tuple[list[dict[str, Any]], Counter[str]]:
    """Rows for `PairCollator`, and how many pairs were left out, by reason.

    Branch 0 is the chosen step and branch 1 the rejected one, as ids, nothing added. With `from_difference` the tokens
    both begin with become part of the prompt; h stays as it is, since they cancel. A pair with a side that would need
    more than `max_length` tokens is left out whole: nothing is cut. Raises DataError where ids are not of this model.
    """
    rows: list[dict[str, Any]] = []
    left_out: Counter[str] = Counter()
    for pair in pairs:
        sides = (pair.chosen, pair.rejected)
        if not all(0 <= i < vocabulary for ids in (pair.prompt_ids, *(s.ids for s in sides)) for i in ids):
            raise DataError(f"the pair of {pair.id} has token ids that this model does not know: another model's data")
        shared = _common(*sides) if from_difference else 0
        prompt = [*pair.prompt_ids, *pair.chosen.ids[:shared]]
        branches = [list(side.ids[shared:]) for side in sides]
        labels = [
            [i if own else IGNORED for i, own in zip(side.ids[shared:], side.own[shared:], strict=True)]
            for side in sides
        ]
        if any(all(label == IGNORED for label in side) for side in labels):
            left_out["with a side that the policy did not write"] += 1
            continue
        if max_length is not None and len(prompt) + max(map(len, branches)) > max_length:
            left_out["longer than max_length"] += 1
            continue
        rows.append(
            {
                "prompt_ids": prompt,
                "branches": branches,
                "labels": labels,
                "margin": float(pair.margin),
                "smoothing": float(pair.smoothing),
                "weight": float(pair.weight),
                "length": len(prompt) + 1 + sum(map(len, branches)),
            }
        )
    return rows, left_out


def _common(chosen: Side, rejected: Side) -> int:
    """How many tokens two sides begin with together; each keeps one of its own."""
    shortest = min(len(chosen.ids), len(rejected.ids)) - 1
    pairs = zip(chosen.ids, rejected.ids, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b or n == shortest), shortest)


@dataclass
class PairCollator:
    """Batches of pairs: those of `BranchCollator` with `segments`, and a (batch,) tensor of each number of a pair."""

    pad_token_id: int
    dtype: torch.dtype = torch.float32

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """The batch."""
        batch = BranchCollator(self.pad_token_id, self.dtype, keep_segments=True)(rows)
        numbers = {k: torch.tensor([row[k] for row in rows], dtype=torch.float32) for k in _PER_PAIR if k in rows[0]}
        return {**batch, **numbers}


# ---- the trainer -----------------------------------------------------------------------------------------------------


def pair_loss(
    difference: torch.Tensor, margin: torch.Tensor, smoothing: torch.Tensor, beta: float, apo_alpha: float
) -> torch.Tensor:
    """The preference term of each pair, (batch,): `difference` is r_w - r_l of the module's formula, in nats."""
    h = beta * difference - apo_alpha * margin
    return -(1 - smoothing) * F.logsigmoid(h) - smoothing * F.logsigmoid(-h)


class StepDPOTrainer(ExactOrder, DPOTrainer):  # type: ignore[misc]
    """TRL's trainer on rows of `rows_of`: no text, no end-of-sequence token, no cutting, the loss of this module.

    The two steps of a pair share the computation of their prefix. The reference's log-probabilities are computed once,
    before training, and kept in `output_dir`, so that a job that goes on does not compute them again.
    """

    train_dataset: Any
    eval_dataset: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        model = self.accelerator.unwrap_model(self.model)
        # TRL's copy of the starting adapter: only its log-probabilities are needed, and those are taken now.
        model.delete_adapter("ref")
        head.install(model.get_base_model())
        self._start = hash_module(model)
        size = self.args.precompute_ref_batch_size
        self.train_dataset = self._precompute_ref_logps(
            self.train_dataset, "train", size or self.args.per_device_train_batch_size
        )
        if self.eval_dataset is not None:
            self.eval_dataset = self._precompute_ref_logps(
                self.eval_dataset, "eval", size or self.args.per_device_eval_batch_size
            )

    def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
        return dataset  # ids already, exactly as the policy saw and wrote them

    def _set_signature_columns_if_needed(self) -> None:
        self._signature_columns = ["prompt_ids", "branches", "labels", "length", *_PER_PAIR]

    def _precompute_ref_logps(self, dataset: Any, name: str, batch_size: int) -> Any:
        """`dataset` with the reference's log-probabilities of both sides, from `output_dir` or from the model as is."""
        path = Path(self.args.output_dir) / f"reference-{name}.json"
        rows = json.dumps([dataset[column] for column in ("prompt_ids", "branches", "labels")], default=list)
        # The type of the arithmetic matters as much as the weights: a log-ratio is a small difference.
        state = [self._start, self.args.bf16, self.args.fp16, self.model.config._attn_implementation]
        shared: list[Any] = [hashlib.sha256(f"{json.dumps(state)}{rows}".encode()).hexdigest(), None]
        if self.accelerator.is_main_process and path.is_file():
            kept = json.loads(path.read_text())
            shared[1] = kept["log_probs"] if kept["of"] == shared[0] else None
        broadcast_object_list(shared)
        found = shared[1]
        if found is None:
            found = self._reference(dataset, batch_size)
            if self.accelerator.is_main_process:
                path.parent.mkdir(parents=True, exist_ok=True)
                partial = path.with_suffix(".partial")
                partial.write_text(json.dumps({"of": shared[0], "log_probs": found}))
                partial.replace(path)
        for column, values in zip(("ref_chosen_logps", "ref_rejected_logps"), found, strict=True):
            dataset = dataset.add_column(column, values)
        return dataset

    def _reference(self, dataset: Any, batch_size: int) -> list[list[float]]:
        """Log-probabilities of the chosen and of the rejected step of every row, under the model as it is."""
        loader = self.accelerator.prepare(DataLoader(dataset, batch_size, collate_fn=self.data_collator))
        model, home = self.model, next(self.model.parameters()).device
        if self.is_deepspeed_enabled:
            model = prepare_deepspeed(model, self.accelerator)
        else:
            model.to(self.accelerator.device)  # under FSDP it gets there only when training begins
        model.eval()
        parts = [self.accelerator.gather_for_metrics(self.compute_ref_log_probs(model, batch)) for batch in loader]
        if not self.is_deepspeed_enabled:
            model.to(home)
        return [torch.cat(side).tolist() for side in zip(*parts, strict=True)]

    def compute_ref_log_probs(self, model: Any, inputs: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-probabilities of chosen and rejected steps, (batch,) each, without a gradient."""
        with torch.no_grad(), self.accelerator.autocast():
            return self._log_probs(model, inputs)

    @staticmethod
    def _log_probs(model: Any, inputs: Any) -> tuple[torch.Tensor, torch.Tensor]:
        names = ("input_ids", "attention_mask", "position_ids", "labels")
        found = model(**{name: inputs[name] for name in names}, scored=True)["log_probs"]
        branch = inputs["segments"][:, 1:]
        return (found * (branch == 1)).sum(dim=1), (found * (branch == 2)).sum(dim=1)

    def _compute_loss(self, model: Any, inputs: Any, return_outputs: bool) -> Any:
        """The mean over the batch of the loss in this module's head; metrics as TRL names them, one value a pair."""
        chosen, rejected = self._log_probs(model, inputs)
        rewards = [
            self.beta * (side - inputs[name]).detach()
            for side, name in ((chosen, "ref_chosen_logps"), (rejected, "ref_rejected_logps"))
        ]
        difference = (chosen - inputs["ref_chosen_logps"]) - (rejected - inputs["ref_rejected_logps"])
        smoothing = inputs["smoothing"] if self.args.smoothing else torch.zeros_like(difference)
        losses = pair_loss(difference, inputs["margin"], smoothing, self.beta, self.args.apo_alpha)
        own = (inputs["labels"] != IGNORED) & (inputs["segments"] == 1)
        nll = -chosen / own.sum(dim=1)
        loss = (inputs["weight"] * (losses + self.args.rpo_alpha * nll)).mean()
        metrics = {
            "rewards/chosen": rewards[0],
            "rewards/rejected": rewards[1],
            "rewards/accuracies": (rewards[0] > rewards[1]).float(),
            "rewards/margins": rewards[0] - rewards[1],
            "logps/chosen": chosen.detach(),
            "logps/rejected": rejected.detach(),
            # Whether the policy itself, without the reference, ranks the pair rightly.
            "logps/accuracies": (chosen > rejected).float(),
            "nll": nll.detach(),
        }
        kept = self._metrics["train" if self.model.training else "eval"]
        for name, values in metrics.items():
            kept[name] += self.accelerator.gather_for_metrics(values).tolist()
        return (loss, {}) if return_outputs else loss


# ---- the command -----------------------------------------------------------------------------------------------------


def _check(job: StepDPOJob) -> None:
    """Raise UserError for settings that would not do what they say."""
    if not job.data:
        raise UserError("no data: name files of step preferences with --data")
    for name in _NOT_HERE:
        known = DPOConfig.__dataclass_fields__[name]
        default = known.default if known.default is not MISSING else known.default_factory()
        if getattr(job, name) != default:
            raise UserError(f"step_dpo has a loss of its own and takes no --{name}: leave it out (see --help)")
    if "flash" in job.attn_implementation:
        raise UserError("pairs are packed with a mask that flash attention cannot use: set attn_implementation to sdpa")


def _held_out(
    job: StepDPOJob, trained_on: Sequence[Preference], encoder: Encoder, vocabulary: int
) -> list[dict[str, Any]]:
    pairs = encoder.preferences(preferences(job.eval_data)).report("held-out pairs")
    shared = {pair.id for pair in trained_on} & {pair.id for pair in pairs}
    if shared:
        raise UserError(f"{len(shared)} questions are in data and in eval_data: keep those in one of them")
    rows, _ = rows_of(pairs, job.max_length, vocabulary, from_difference=job.from_difference)
    if not rows:
        raise UserError("eval_data holds no pair that can be measured")
    return rows


def run(argv: Sequence[str] | None = None) -> int:
    """The command."""
    job = parse(StepDPOJob, argv, __doc__ or "")
    _check(job)
    checkpoint = prepare_output(job)
    policy = load_policy(job)
    vocabulary = policy.model.get_input_embeddings().num_embeddings
    pairs = policy.encoder.preferences(preferences(job.data)).report("pairs")
    rows, left_out = rows_of(pairs, job.max_length, vocabulary, from_difference=job.from_difference)
    if not rows:
        raise UserError(f"no pair is left to train on ({dict(left_out)})")
    print(f"{len(rows)} pairs" + "".join(f"; {n} left out, {why}" for why, n in left_out.items()), flush=True)
    held_out = _held_out(job, pairs, policy.encoder, vocabulary) if job.eval_data else None
    trainer = StepDPOTrainer(
        model=policy.model,
        args=job,
        train_dataset=Dataset.from_list(rows),
        eval_dataset=None if held_out is None else Dataset.from_list(held_out),
        processing_class=policy.processing,
        data_collator=PairCollator(policy.processing.pad_token_id, torch.bfloat16 if job.bf16 else torch.float32),
        callbacks=[Progress()],
    )
    seconds = train(trainer, checkpoint)
    card = {"stage": "step_dpo", "pairs": len(rows), "steps": trainer.state.global_step, "seconds": round(seconds)}
    start = read_card(Path(job.adapter)) if job.adapter else None
    if start is not None and start.value is not None:
        # Pairs move the policy little, and teach nothing about its value: where it is read stays as it was.
        card["value"] = asdict(start.value)
    if held_out is not None:
        card["held_out"] = _measure(trainer)
    save_adapter(policy, job, card)
    print(f"adapter in {job.output_dir}")
    return 0


def _measure(trainer: StepDPOTrainer) -> dict[str, Any]:
    """Held-out pairs that are ranked rightly, as shares: by the policy before and after, by the implicit reward.

    The reward is 0 for both sides before training, so it has no share then.
    """
    data = trainer.eval_dataset
    before = [good > bad for good, bad in zip(data["ref_chosen_logps"], data["ref_rejected_logps"], strict=True)]
    after = trainer.evaluate()
    found = {
        "pairs": len(data),
        "policy_before": round(sum(before) / len(before), 4),
        "policy_after": round(after["eval_logps/accuracies"], 4),
        "reward_after": round(after["eval_rewards/accuracies"], 4),
    }
    print(
        f"{found['pairs']} held-out pairs: the policy prefers the better step in {found['policy_before']:.1%} before, "
        f"{found['policy_after']:.1%} after; its reward ranks {found['reward_after']:.1%} rightly",
        flush=True,
    )
    return found


if __name__ == "__main__":
    main(run)
