"""What every training job shares: its record of settings, the model and adapter it trains, what it writes.

A job's settings are one dataclass: a flat YAML file (`--config`) with command-line overrides, read by TRL's parser.

`python -m reasoning.train.sft ...` runs one process, `accelerate launch --config_file FILE -m reasoning.train.sft ...`
several (files in `recipes/accelerate/`; `per_device_train_batch_size` counts for each), of which the first alone
prints, writes and cleans up. Figures go to `output_dir/metrics.jsonl`, and with `report_to: tensorboard` to a
TensorBoard log in `output_dir/runs` as well (TENSORBOARD_LOGGING_DIR names another folder); neither needs a network.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import errno
import json
import logging
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import torch
from datasets import Dataset
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors import SafetensorError
from safetensors.torch import save_file
from transformers import (
    AutoModelForCausalLM,
    AutoModelForTokenClassification,
    AutoTokenizer,
    PreTrainedTokenizerBase,
    PrinterCallback,
    ProgressCallback,
    TrainerCallback,
)
from transformers.trainer_pt_utils import LengthGroupedSampler
from trl import TrlParser

from data.digest import file_digest
from data.errors import UserError, one_line
from data.records import Problem
from reasoning.adapters import label, shipped
from reasoning.cards import CARD
from reasoning.cli import duration
from reasoning.engine import adapters, models
from reasoning.engine.tokenizer import HFTokenizer
from reasoning.profiles import Profile, get_profile
from reasoning.tasks import Task, get_task
from reasoning.train.foreign import Encoder

__all__ = [
    "ExactOrder",
    "JobFields",
    "Policy",
    "load_policy",
    "make_trainer",
    "parse",
    "prepare_output",
    "save_adapter",
    "train",
    "train_and_save",
]

JOB = "job.json"
METRICS = "metrics.jsonl"
# What may differ between a job and its continuation: how it is watched, not what it computes.
_FREE = (
    "logging",
    "report_to",
    "save_",
    "disable_tqdm",
    "dataloader_num_workers",
    "eval_",
    "do_",
    "use_cpu",
    "overwrite",
)

J = TypeVar("J")


@dataclass
class JobFields:
    """Settings that all jobs have beside TRL's."""

    model: str = field(
        default="embedded", metadata={"help": "base model: one of the catalogue, a folder, a GGUF file or a hub name"}
    )
    adapter: str | None = field(
        default=None, metadata={"help": "LoRA folder to go on from, or shipped (default: a new adapter)"}
    )
    data: list[str] = field(default_factory=list, metadata={"help": "files of rows"})
    prepare: list[str] = field(
        default_factory=list, metadata={"help": "commands (after `python -m`) that make the data; run before, in order"}
    )
    task: str = field(default="gsm8k", metadata={"help": "the task whose questions these are"})
    profile: str = field(default="lines-zero-shot", metadata={"help": "prompt and step grammar; kept with the adapter"})
    lora_r: int = field(default=24, metadata={"help": "rank"})
    lora_alpha: int = field(default=48, metadata={"help": "scale times rank"})
    lora_dropout: float = field(default=0.0, metadata={"help": "dropout on the adapter's input"})
    lora_target_modules: str = field(default="all-linear", metadata={"help": "module names, comma-separated"})
    dtype: str = field(default="bfloat16", metadata={"help": "type of the frozen base weights"})
    attn_implementation: str = field(default="sdpa", metadata={"help": "eager is faster when training on a CPU"})
    use_cpu: bool = field(
        default=not torch.accelerator.is_available(), metadata={"help": "default: where there is nothing else"}
    )
    overwrite: bool = field(default=False, metadata={"help": "delete what output_dir holds and start anew"})


def parse(record: type[J], argv: Sequence[str] | None, doc: str) -> J:
    """The job that `--config FILE.yaml` and command-line options describe. Raises UserError for what does not fit."""
    parser = _Parser(record, description=doc.splitlines()[0], allow_abbrev=False)
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments and arguments[-1] == "--config":
        raise UserError("--config needs a file")
    try:
        (job,) = parser.parse_args_and_config(arguments)
    except (ValueError, TypeError, OSError) as error:
        raise UserError(f"cannot read the job's settings: {one_line(error)}") from None
    except Exception as error:
        if type(error).__module__.startswith("yaml"):
            raise UserError(f"--config is not YAML: {' '.join(str(error).split())[:200]}") from None
        raise
    if getattr(job, "adapter", None) == "shipped":
        found = shipped(models.named(job.model), job.task)
        if found is None:
            raise UserError("no adapter is shipped for this model and task: name a folder with --adapter")
        job.adapter = str(found)
    return job  # type: ignore[no-any-return]


class _Parser(TrlParser):  # type: ignore[misc]
    """TRL's parser, with mistakes in one line, and with YAML values held to what the command line would take."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage."""
        raise UserError(f"{message} (see --help)")

    def set_defaults_with_config(self, **config: Any) -> list[str]:
        """Use a YAML file's values as defaults. argparse checks none that is not text, so it is done here."""
        known = {action.dest: action for action in reversed(self._actions)}
        for name, value in config.items():
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                raise UserError(f"--config: no setting '{name}'" + (f"; did you mean '{near[0]}'?" if near else ""))
            action, many = known[name], isinstance(value, list)
            if value is None or isinstance(value, dict):
                continue  # TRL's own fields say what they make of a mapping
            if many != (action.nargs in ("+", "*")):
                wanted = "one value, not a list" if many else f"a list: [{value}]"
                raise UserError(f"--config: {name} takes {wanted}")
            for part in value if many else [value]:
                try:
                    self._get_value(action, str(part))
                except argparse.ArgumentError as error:
                    raise UserError(f"--config: {name}: {error.message}") from None
        return super().set_defaults_with_config(**config)  # type: ignore[no-any-return]


# ---- the model -------------------------------------------------------------------------------------------------------


@dataclass
class Policy:
    """What a job trains: a PEFT model on its base, the tokenizers of trainer and project, task and profile."""

    model: Any
    processing: PreTrainedTokenizerBase
    tokenizer: HFTokenizer
    task: Task
    profile: Profile
    base: str

    @property
    def eos(self) -> int:
        """The token that ends a solution."""
        return int(self.processing.eos_token_id)

    @property
    def encoder(self) -> Encoder:
        """What makes ids of rows whose own are another tokenizer's."""
        return Encoder(self.tokenizer, self.prompt, self.eos)

    def prompt(self, problem: Problem) -> tuple[int, ...]:
        """Token ids of a question's prompt."""
        return self.profile.prompt(self.task, problem, self.tokenizer)


def load_policy(job: JobFields, *, classify: bool = False) -> Policy:
    """Base model, LoRA adapter (new, or the one to go on from), tokenizer, task and profile of a job.

    With `classify` a new head of two classes per token, saved with the adapter, takes the place of the vocabulary's.
    Raises UserError where the task is for evaluation only, or adapter and base do not belong together.
    """
    task = get_task(job.task)
    if task.evaluation_only:
        raise UserError(f"the task {task.name} is for evaluation only: train on another")
    profile = get_profile(job.profile)
    reference = models.resolve(job.model, job.adapter)
    if reference.kind in ("server", "toy"):
        raise UserError(f"--model {job.model} cannot be trained; name a model of the catalogue, a folder or a hub name")
    folder = models.folder(reference)
    if reference.adapter is not None:
        adapters.check_base(folder, reference.adapter)
        kind = adapters.adapter_config(reference.adapter).get("task_type")
        if (kind == "TOKEN_CLS") is not classify:
            raise UserError(f"the adapter {reference.adapter} is for another kind of model ({kind}): name another")
    form, extra = (AutoModelForTokenClassification, {"num_labels": 2}) if classify else (AutoModelForCausalLM, {})
    torch.manual_seed(getattr(job, "seed", 0))
    try:
        model = form.from_pretrained(
            folder,
            dtype=getattr(torch, job.dtype),
            attn_implementation=job.attn_implementation,
            local_files_only=True,
            **extra,
        )
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"cannot load {job.model} in {job.dtype}: {one_line(error)}") from None
    processing = AutoTokenizer.from_pretrained(folder)
    if processing.pad_token is None:
        processing.pad_token = processing.eos_token
    if reference.adapter is not None:
        try:
            model = PeftModel.from_pretrained(model, reference.adapter, is_trainable=True)
        except (RuntimeError, ValueError) as error:
            raise UserError(f"the adapter {reference.adapter} does not fit {job.model}: {one_line(error)}") from None
    else:
        targets = job.lora_target_modules
        heads = [n for n, m in model.named_children() if isinstance(m, torch.nn.Linear)] if classify else None
        config = LoraConfig(
            r=job.lora_r,
            lora_alpha=job.lora_alpha,
            lora_dropout=job.lora_dropout,
            target_modules=targets if targets == "all-linear" else targets.split(","),
            exclude_modules=heads,
            modules_to_save=heads,
            task_type="TOKEN_CLS" if classify else "CAUSAL_LM",
        )
        torch.manual_seed(getattr(job, "seed", 0))
        try:
            model = get_peft_model(model, config)
        except ValueError as error:
            raise UserError(f"--lora_target_modules {targets}: {one_line(error)}") from None
    # LoRA matrices stay in float32: steps of 1e-4 vanish in bfloat16.
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return Policy(model, processing, HFTokenizer(str(folder)), task, profile, reference.name)


# ---- what a job writes -----------------------------------------------------------------------------------------------


def prepare_output(job: Any) -> str | None:
    """Make `output_dir` ready; the checkpoint to go on from where this very job was begun before.

    Raises UserError where the folder holds something else that would be written over.
    """
    with job.main_process_first(local=False):
        if job.process_index == 0:
            _make_data(job.prepare)
        return _prepare_output(job, writes=job.process_index == 0)


def _make_data(commands: Sequence[str]) -> None:
    """Run the commands that make a job's data. Each goes on where it was stopped, and ends at once where it is done."""
    for command in commands:
        print(f"python -m {command}", flush=True)
        code = subprocess.run([sys.executable, "-m", *shlex.split(command)], check=False).returncode
        if code:
            raise UserError(f"the data could not be made (exit code {code}): python -m {command}")


def _prepare_output(job: Any, *, writes: bool) -> str | None:
    folder = Path(job.output_dir)
    if job.overwrite and writes and folder.is_dir():
        # Only what a job has written is ever deleted, whatever folder is named by mistake.
        if any(folder.iterdir()) and not any((folder / name).exists() for name in (JOB, "adapter_config.json")):
            raise UserError(f"{folder} holds something that no job wrote: name another --output_dir")
        with _on_disk(folder):
            shutil.rmtree(folder)
    # Through JSON and back, so that tuples are lists on both sides.
    settings = json.loads(json.dumps(_settings(job), sort_keys=True, default=str))
    if (folder / "adapter_model.safetensors").exists():
        raise UserError(f"{folder} holds a finished adapter: name another --output_dir, or pass --overwrite true")
    record = folder / JOB
    checkpoints = [p for p in folder.glob("checkpoint-*") if (p / "trainer_state.json").is_file()]
    # Without a checkpoint there is nothing to lose: a job whose settings were mistaken is corrected in place.
    if checkpoints and record.exists():
        begun = json.loads(record.read_text())
        differing = sorted(k for k in {*begun, *settings} if begun.get(k) != settings.get(k))
        if differing:
            raise UserError(
                f"{folder} holds a job with other settings ({', '.join(differing[:4])}): "
                "name another --output_dir, or pass --overwrite true"
            )
    if writes:
        with _on_disk(folder):
            folder.mkdir(parents=True, exist_ok=True)
            record.write_text(json.dumps(settings, indent=1))
            if not checkpoints:
                (folder / METRICS).unlink(missing_ok=True)
    newest = max(checkpoints, key=lambda p: int(p.name.rpartition("-")[2]), default=None)
    return str(newest) if newest else None


def _settings(job: Any) -> dict[str, Any]:
    names = {f.name: f.default for f in dataclasses.fields(job)}
    values = {name: getattr(job, name) for name in names if not name.startswith(_FREE) and name != "output_dir"}
    plain = {k: v for k, v in values.items() if isinstance(v, str | int | float | bool | list | dict | None)}
    weights = [str(Path(job.adapter) / adapters.WEIGHTS)] if job.adapter else []
    files = {path: file_digest(Path(path)) for path in [*job.data, *weights] if Path(path).is_file()}
    # Where TRL or transformers computes a value from the folder or the machine, it is no setting.
    return {
        **{k: v for k, v in plain.items() if k not in ("logging_dir", "run_name", "distributed_state")},
        "files": files,
    }


def save_adapter(policy: Policy, job: Any, card: Mapping[str, Any], adapter_name: str = "default") -> None:
    """Write the adapter to `output_dir`, in bfloat16, with its card `stepsolver.json`.

    The card holds the profile the adapter was trained under and what identifies its base, so that `--adapter` alone
    is enough to use it.
    """
    # Where weights are sharded every process takes part in gathering them, and one writes.
    state = {
        name: tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
        for name, tensor in policy.model.state_dict().items()
        if "lora_" in name or "modules_to_save" in name
    }
    if job.process_index == 0:
        with _on_disk(Path(job.output_dir)):
            _save_adapter(policy, job, card, adapter_name, state)


def _save_adapter(
    policy: Policy, job: Any, card: Mapping[str, Any], adapter_name: str, state: Mapping[str, torch.Tensor]
) -> None:
    folder = Path(job.output_dir)
    scratch = folder / "adapter.partial"
    base = models.folder(models.resolve(job.model))
    policy.model.save_pretrained(scratch, selected_adapters=[adapter_name], state_dict=state)
    inner = scratch if adapter_name == "default" else scratch / adapter_name
    weights = adapters.load_weights(inner)
    config = json.loads((inner / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = policy.base
    config["inference_mode"] = True
    if isinstance(config.get("target_modules"), list):
        config["target_modules"].sort()  # a set in PEFT, in another order every time
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
    about = {
        "base": policy.base,
        "base_fingerprint": adapters.fingerprint(base),
        "task": policy.task.name,
        "profile": policy.profile.name,
        **card,
    }
    (folder / CARD).write_text(json.dumps(about, indent=1) + "\n")
    (folder / "README.md").write_text(_model_card(about, job))
    new = scratch / "new.safetensors"
    save_file({k: v.to(torch.bfloat16).contiguous() for k, v in weights.items()}, new, {"format": "pt"})
    new.replace(folder / "adapter_model.safetensors")  # last: its presence says "finished"
    shutil.rmtree(scratch)


def _model_card(about: Mapping[str, Any], job: Any) -> str:
    """What a person needs to know of an adapter, as Markdown: where it comes from, and how to make it again."""
    module = getattr(sys.modules["__main__"], "__spec__", None)
    name = module.name if module else f"reasoning.train.{about['stage']}"
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{os.cpu_count()} CPU cores"
    files = _settings(job)["files"]
    told = ("base", "base_fingerprint", "task", "profile")
    facts = {
        "base model": f"{about['base']} (fingerprint {about['base_fingerprint']})",
        "task and profile": f"{about['task']}, {about['profile']}",
        "began from": label(job.adapter) or "a new adapter",
        "data": "; ".join(f"{file} ({files.get(file, 'reference solutions')})" for file in job.data),
        **{k.replace("_", " "): v for k, v in about.items() if k not in told},
        "hardware": device,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }
    lines = "".join(f"| {fact} | {value} |\n" for fact, value in facts.items())
    return f"""# LoRA adapter: {about["stage"]} of {about["base"]}

| | |
| --- | --- |
{lines}
```
python -m {name} {shlex.join(sys.argv[1:])}
```

The adapter is a change of its base model and shares the base's licence; its data keep theirs (GSM8K: MIT).
"""


@contextmanager
def _on_disk(folder: Path) -> Iterator[None]:
    """Say in one line that the disk refuses to write."""
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        # safetensors and torch report a full disk as errors of their own, torch without saying so.
        text = str(error)
        if getattr(error, "errno", None) == errno.ENOSPC or "No space left" in text or "PytorchStreamWriter" in text:
            raise UserError(
                f"no space left on the disk of {folder}: make room and run the same command again"
            ) from None
        if isinstance(error, OSError) and error.filename is not None:
            raise UserError(f"cannot write {error.filename}: {error.strerror}") from None
        raise


# ---- running ---------------------------------------------------------------------------------------------------------


class Progress(TrainerCallback):  # type: ignore[misc]
    """One line a logging step, and the same numbers as JSON lines in `output_dir/metrics.jsonl`."""

    def __init__(self) -> None:
        self.begun = time.monotonic()
        self.first: int | None = None

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        """Print and keep what the trainer logs."""
        if not state.is_world_process_zero or not logs:
            return
        seconds = time.monotonic() - self.begun
        if self.first is None:
            self.first = max(0, state.global_step - args.logging_steps)
        done = state.global_step - self.first
        left = seconds / done * (state.max_steps - state.global_step) if done else 0.0
        numbers = {k: v for k, v in logs.items() if isinstance(v, int | float)}
        row = {"step": state.global_step, "seconds": round(seconds, 1), **numbers}
        with (Path(args.output_dir) / METRICS).open("a") as file:
            file.write(json.dumps(row) + "\n")
        shown = " ".join(f"{k} {v:.4g}" for k, v in numbers.items() if k not in ("epoch", "total_flos"))
        print(f"step {state.global_step}/{state.max_steps} {shown} ({duration(left)} left)", flush=True)


class _Grouped(LengthGroupedSampler):  # type: ignore[misc]
    """Indices of rows of about the same length, in an order of its own for every epoch."""

    def __init__(self, trainer: Any, like: LengthGroupedSampler) -> None:
        super().__init__(like.batch_size, lengths=like.lengths)
        self.trainer = trainer

    def __iter__(self) -> Iterator[int]:
        # The trainer's epoch, as a sampler inside the wrappers of a job that goes on is not always told.
        epoch = int(self.trainer.state.epoch or 0)
        self.generator = torch.Generator().manual_seed(self.trainer.args.seed * 1000 + epoch)
        return iter(super().__iter__())


class ExactOrder:
    """For trainers: grouped by length, the order of rows follows from seed and epoch alone.

    transformers draws it from the global random state, which a job that goes on in its second epoch does not have.
    """

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        found = super()._get_train_sampler(train_dataset)  # type: ignore[misc]
        return _Grouped(self, found) if isinstance(found, LengthGroupedSampler) else found


def make_trainer(
    kind: Any, job: Any, policy: Policy, rows: Sequence[Mapping[str, Any]], collator: Any, **more: Any
) -> Any:
    """A trainer of class `kind` over rows that `collator` takes as they are; `more` goes to the class."""
    job.remove_unused_columns = False
    job.dataset_kwargs = {"skip_prepare_dataset": True}
    dtype = torch.bfloat16 if job.bf16 else torch.float32
    return kind(
        model=policy.model,
        args=job,
        train_dataset=Dataset.from_list(list(rows)),
        processing_class=policy.processing,
        data_collator=collator(policy.processing.pad_token_id, dtype),
        callbacks=[Progress()],
        **more,
    )


def train_and_save(trainer: Any, policy: Policy, job: Any, checkpoint: str | None, card: Mapping[str, Any]) -> None:
    """Train to the end and save the adapter; its card says how many steps and seconds that took."""
    seconds = train(trainer, checkpoint)
    save_adapter(policy, job, {**card, "steps": trainer.state.global_step, "seconds": round(seconds)})
    print(f"adapter in {job.output_dir}")


def train(trainer: Any, checkpoint: str | None) -> float:
    """Run a trainer to its end, from `checkpoint` where one is given; seconds it took."""
    logging.getLogger("transformers.trainer").setLevel(logging.WARNING)
    for other in (PrinterCallback, ProgressCallback):  # they print what `Progress` prints
        trainer.remove_callback(other)
    if checkpoint:
        print(f"going on from {checkpoint}", flush=True)
    begun = time.monotonic()
    with _on_disk(Path(trainer.args.output_dir)):
        trainer.train(resume_from_checkpoint=checkpoint)
    return time.monotonic() - begun


def main(run: Callable[[], int]) -> None:
    """Exit with a command's status. Of a launcher's processes the first speaks for all."""
    from reasoning.cli import run_command

    if int(os.environ.get("RANK", "0")):
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115
    try:
        status = run() if int(os.environ.get("LOCAL_RANK", "0")) else run_command(run)
    except UserError:
        status = 2  # its machine's first process says so
    sys.exit(status)
