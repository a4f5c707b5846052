"""Models with a head over tokens instead of a vocabulary, in plain transformers: a probability at given positions.

Three heads are known by the names of their tensors: the two-layer one of Qwen's process reward models (`score.0`,
`score.2`; their own class is remote code, which is never run), the value head of Skywork's (`v_head.summary`), and
transformers' token classification. Two outputs are the logits of (bad, good), one is the logit of good.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from data.errors import UserError, one_line
from reasoning.engine import adapters
from reasoning.engine.base import EngineError, PromptTooLong
from reasoning.engine.flops import ModelSize, size_of_folder
from reasoning.engine.tokenizer import HFTokenizer
from search.types import Cancelled, Usage

__all__ = ["Head", "TokenClassifier", "open_token_classifier"]

Head = Literal["score-mlp", "value-head", "token-classification"]

_TENSORS: Mapping[str, tuple[str, ...]] = {
    "score-mlp": ("score.0.weight", "score.0.bias", "score.2.weight", "score.2.bias"),
    "value-head": ("v_head.summary.weight", "v_head.summary.bias"),
}
# One batch: so many texts, and so many tokens with padding. A longer text goes alone.
MAX_TEXTS = 16
MAX_TOKENS = 16384

# (ids, attention mask) of shape (texts, tokens), rows and columns of the wanted outputs -> logits (wanted, 1 or 2)
Network = Callable[[Any, Any, Any, Any], Any]


def open_token_classifier(
    folder: Path,
    head: Head,
    *,
    name: str,
    adapter: Path | None = None,
    options: Mapping[str, str] | None = None,
) -> TokenClassifier:
    """Load the model in `folder`, with the LoRA folder `adapter` (token classification only) on top where given.

    Options: `device` (a torch device; cuda where there is one, else cpu) and `dtype` (float32 on a CPU, the
    checkpoint's own elsewhere). The head is computed in float32. Raises EngineError or UserError in one line.
    """
    import torch

    options = options or {}
    if unknown := set(options) - {"device", "dtype"}:
        raise UserError(f"a process reward on this machine has no option {min(unknown)!r}; it takes device and dtype")
    device = options.get("device") or ("cuda" if torch.cuda.is_available() else "cpu")
    dtype: Any = options.get("dtype") or ("float32" if device == "cpu" else "auto")
    if dtype != "auto":
        dtype = getattr(torch, dtype, None)
        if not isinstance(dtype, torch.dtype):
            raise UserError(f"torch has no dtype {options['dtype']}: use float32, bfloat16 or float16")
    tokenizer = HFTokenizer(str(folder))
    load = _classifier if head == "token-classification" else _headed
    try:
        network, config = load(folder, head, adapter, device, dtype)
    except (EngineError, UserError):
        raise
    except Exception as error:  # a missing file, a torn file, an unknown architecture, too little memory
        raise EngineError(f"transformers cannot load {name}: {one_line(error)}") from error
    context, size = config.max_position_embeddings, size_of_folder(folder)
    return TokenClassifier(network, tokenizer, name=name, device=device, max_context=context, size=size)


@dataclass(slots=True, eq=False)
class _Job:
    ids: Sequence[int]
    positions: Sequence[int]
    result: asyncio.Future[list[float]]
    begun: bool = False


class TokenClassifier:
    """One model and one worker thread; made by `open_token_classifier`.

    Texts that wait while a batch is computed share the next one. Nothing is kept from one text to the next, so every
    token of a text is computed and `Usage.cached` is always 0.
    """

    def __init__(
        self,
        network: Network,
        tokenizer: HFTokenizer,
        *,
        name: str,
        device: str,
        max_context: int,
        size: ModelSize | None = None,
    ) -> None:
        self.name = name
        self.device = device
        self.tokenizer = tokenizer
        self.max_context = max_context
        self.size = size  # what a token costs, where its folder tells
        self._network: Network | None = network
        self._waiting: deque[_Job] = deque()
        self._serving: asyncio.Task[None] | None = None
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="process-reward")

    async def score(self, ids: Sequence[int], positions: Sequence[int]) -> tuple[list[float], Usage]:
        """The probability of "good" after each of `positions` of `ids`, and the cost.

        Raises PromptTooLong or EngineError; Cancelled with what a text had cost.
        """
        if self._network is None:
            raise EngineError("this process reward is closed: open a new one")
        if len(ids) > self.max_context:
            raise PromptTooLong(
                f"a solution of {len(ids)} tokens does not fit the {self.max_context} of {self.name}: shorten it"
            )
        job = _Job(ids, positions, asyncio.get_running_loop().create_future())
        self._waiting.append(job)
        if self._serving is None or self._serving.done():
            self._serving = asyncio.create_task(self._serve())
        try:
            return await job.result, Usage(prompt=len(ids))
        except asyncio.CancelledError:
            raise Cancelled(Usage(prompt=len(ids) if job.begun else 0)) from None

    async def close(self) -> None:
        """Free the model. May be called twice."""
        self._network = None  # what still waits is told so
        self._worker.shutdown(wait=False)

    async def _serve(self) -> None:
        """Compute batch after batch until nothing waits."""
        await asyncio.sleep(0)  # all who ask in this turn of the loop share the first batch
        while batch := self._take():
            try:
                found = await asyncio.get_running_loop().run_in_executor(self._worker, self._compute, batch)
            except Exception as error:  # too little memory, an id outside the vocabulary
                for job in batch:
                    if not job.result.done():
                        job.result.set_exception(EngineError(f"{self.name} could not judge: {one_line(error)}"))
                continue
            for job, scores in zip(batch, found, strict=True):
                if not job.result.done():
                    job.result.set_result(scores)

    def _take(self) -> list[_Job]:
        """The texts that waited longest, as many as one batch may hold; withdrawn ones are dropped."""
        batch: list[_Job] = []
        longest = 0
        while self._waiting and len(batch) < MAX_TEXTS:
            job = self._waiting[0]
            if job.result.cancelled():
                self._waiting.popleft()
                continue
            longest = max(longest, len(job.ids))
            if batch and longest * (len(batch) + 1) > MAX_TOKENS:
                break
            self._waiting.popleft()
            job.begun = True
            batch.append(job)
        return batch

    def _compute(self, batch: Sequence[_Job]) -> list[list[float]]:
        """The scores of each text of a batch. Padding stands on the right, where no causal model looks."""
        import torch

        network = self._network
        if network is None:
            raise RuntimeError("it was closed")
        length = max(len(job.ids) for job in batch)
        ids = torch.zeros(len(batch), length, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, job in enumerate(batch):
            ids[row, : len(job.ids)] = torch.tensor(list(job.ids))
            mask[row, : len(job.ids)] = 1
        rows = [row for row, job in enumerate(batch) for _ in job.positions]
        columns = [position for job in batch for position in job.positions]
        with torch.inference_mode():
            logits = network(*(t.to(self.device) for t in (ids, mask, torch.tensor(rows), torch.tensor(columns))))
            logits = logits.float()
            good = logits[:, 0] if logits.shape[1] == 1 else logits[:, 1] - logits[:, 0]
            flat = iter(torch.sigmoid(good).tolist())
        return [[next(flat) for _ in job.positions] for job in batch]


# ---- loading ---------------------------------------------------------------------------------------------------------


def _headed(folder: Path, head: Head, adapter: Path | None, device: str, dtype: Any) -> tuple[Network, Any]:
    """A backbone with a head of its own kind beside it."""
    import torch
    from transformers import AutoModel

    if adapter is not None:
        raise UserError("a LoRA adapter goes with a process reward for token classification only: leave it out")
    names = _TENSORS[head]
    tensors = _read(folder, names)
    if missing := [name for name in names if name not in tensors]:
        raise EngineError(f"{folder} has no process-reward head ({missing[0]} is missing): name another checkpoint")
    model, info = AutoModel.from_pretrained(
        folder, dtype=dtype, local_files_only=True, trust_remote_code=False, output_loading_info=True
    )
    _whole(folder, info)
    model = model.to(device).eval()
    layers = [tensors[name].to(device, torch.float32) for name in names]
    width = model.config.hidden_size
    for weight, bias in zip(layers[::2], layers[1::2], strict=True):
        if weight.shape[1:] != (width,) or bias.shape != weight.shape[:1]:
            raise EngineError(f"{folder} has a process-reward head of another width than its model: copy it again")
    if len(layers[-1]) not in (1, 2):
        raise EngineError(f"{folder} has a process-reward head with {len(layers[-1])} outputs, not 1 or 2")

    def network(ids: Any, mask: Any, rows: Any, columns: Any) -> Any:
        hidden = model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state[rows, columns].float()
        for number, (weight, bias) in enumerate(zip(layers[::2], layers[1::2], strict=True)):
            hidden = torch.nn.functional.linear(torch.relu(hidden) if number else hidden, weight, bias)
        return hidden

    return network, model.config.get_text_config()


def _classifier(folder: Path, head: Head, adapter: Path | None, device: str, dtype: Any) -> tuple[Network, Any]:
    """transformers' own token classification: a whole checkpoint, or an adapter with its head on a base model."""
    from transformers import AutoModelForTokenClassification

    form: Any = AutoModelForTokenClassification
    common = {"dtype": dtype, "local_files_only": True, "trust_remote_code": False}
    if adapter is None:
        model, info = form.from_pretrained(folder, output_loading_info=True, **common)
        _whole(folder, info)
    else:
        from peft import PeftModel

        kind = adapters.adapter_config(adapter).get("task_type")
        if kind != "TOKEN_CLS":
            raise UserError(f"the adapter {adapter} is for another kind of model ({kind}): name a token classifier's")
        adapters.check_base(folder, adapter)
        model = PeftModel.from_pretrained(form.from_pretrained(folder, num_labels=2, **common), str(adapter))
    if model.config.num_labels not in (1, 2):
        raise EngineError(f"{folder} tells {model.config.num_labels} classes apart: a process reward has 1 or 2")
    model = model.to(device).eval()

    def network(ids: Any, mask: Any, rows: Any, columns: Any) -> Any:
        return model(input_ids=ids, attention_mask=mask).logits[rows, columns]

    return network, model.config.get_text_config()


def _whole(folder: Path, info: Mapping[str, Any]) -> None:
    """Raise EngineError where transformers had to make weights up."""
    if missing := sorted(info["missing_keys"]):
        raise EngineError(f"{folder} is no such checkpoint ({missing[0]} is missing): name another")


def _read(folder: Path, names: Sequence[str]) -> dict[str, Any]:
    """Those of the named tensors that the weight files of a folder hold."""
    import torch
    from safetensors import safe_open

    found: dict[str, Any] = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            found |= {name: file.get_tensor(name) for name in set(names) & set(file.keys())}
    for path in [] if found else sorted(folder.glob("pytorch_model*.bin")):
        held = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        found |= {name: held[name] for name in names if name in held}
    return found
