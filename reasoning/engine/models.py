"""Which model a `--policy` and an `--adapter` name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from data.digest import file_digest
from data.errors import UserError
from reasoning.engine import adapters, checkpoints
from reasoning.models import CATALOGUE, default_model, pull

__all__ = ["ModelRef", "folder", "named", "resolve", "tokenizer_folder"]

_HUB = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_FORMS = f"{', '.join(CATALOGUE)}, a folder, a GGUF file, a hub name like org/model, NAME@http://host:port/v1, or toy"
_EXACT = 300_000_000  # parameters up to which a model is kept in float32, as its file has it to the last bit


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A model as the user named it, before anything is loaded.

    `name` is that of the catalogue, the folder, file or hub name, or the name a server serves it under. `path` is there
    for the kinds `local` and `gguf`, `url` (with its `/v1`) for kind `server`.
    """

    name: str
    kind: Literal["catalogue", "gguf", "local", "hub", "server", "toy"]
    path: Path | None = None
    url: str | None = None
    adapter: Path | None = None


def named(policy: str | None) -> str:
    """A `--policy` by a name that means the same on every machine: none and `embedded` are the default model's.

    Fetches the default model where it is not here (see `reasoning.models.default_model`).
    """
    return default_model() if policy in (None, "", "embedded") else str(policy)


def resolve(policy: str | None, adapter: str | None = None) -> ModelRef:
    """Read `--policy` and `--adapter`. Loads nothing, and fetches nothing but a default model (see `named`).

    Raises UserError where the policy names nothing, or the adapter is not one or cannot go with it.
    """
    model = _model(named(policy))
    if not adapter or adapter == "none":
        return model
    if model.kind == "server":
        raise UserError("--adapter cannot go with a server; serve the adapter there and name it: ADAPTER_NAME@URL")
    if model.kind == "toy":
        raise UserError("the toy policy takes no --adapter; leave one of them out")
    path = Path(adapter).expanduser()
    adapters.adapter_config(path)
    return ModelRef(model.name, model.kind, model.path, model.url, path)


def _model(policy: str) -> ModelRef:
    if policy in CATALOGUE:
        return ModelRef(policy, "catalogue")
    if policy == "toy":
        return ModelRef("toy", "toy")
    if policy.startswith(("http://", "https://")):
        raise UserError(f"--policy {policy} names no model; write NAME@{policy} with a name the server serves")
    name, at, rest = policy.partition("@http")
    if at:
        return ModelRef(name, "server", url=_server_url(policy, name, f"http{rest}"))
    path = Path(policy).expanduser()
    if path.is_dir():
        if (path / "config.json").is_file():
            return ModelRef(policy, "local", path=path)
        if (path / "adapter_config.json").is_file():
            raise UserError(f"{policy} is an adapter, not a model; pass it as --adapter {policy}")
        raise UserError(f"{policy} is not a model folder (no config.json); --policy takes {_FORMS}")
    if policy.endswith(".gguf") or path.is_file():
        if not path.is_file():
            raise UserError(f"there is no file {policy}; --policy takes {_FORMS}")
        return ModelRef(policy, "gguf", path=path)
    if _HUB.fullmatch(policy):
        return ModelRef(policy, "hub")
    raise UserError(f"no model {policy!r}: no such folder, and not a hub name; --policy takes {_FORMS}")


def _server_url(policy: str, name: str, url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # `port` raises ValueError where it is none
    except ValueError:
        host = None
    if not name or not host or not policy.isprintable() or parts.scheme not in ("http", "https"):
        raise UserError(f"cannot read --policy {policy}; a server is written NAME@http://host:port/v1")
    return url.rstrip("/") if parts.path.strip("/") else f"{url.rstrip('/')}/v1"


def folder(model: ModelRef, form: str | None = None) -> Path:
    """The local folder of a model that is no server's, fetched and converted at first use.

    `form` is how its weights are to lie there (`reasoning.engine.checkpoints.FORMS`); None leaves a folder's as they
    are and gives a GGUF's as floats. Raises UserError where it cannot be had.
    """
    if model.kind == "catalogue":
        entry = CATALOGUE[model.name]
        form = form or ("float32" if entry.parameters <= _EXACT else "bfloat16")
        return checkpoints.from_gguf(pull(entry), entry.sha256, form)
    if model.kind == "gguf":
        assert model.path is not None
        return checkpoints.from_gguf(model.path, file_digest(model.path, 64), form or "bfloat16")
    path = model.path or _from_hub(model.name, ["*.json", "*.safetensors", "*.txt", "*.jinja", "*.model"])
    if model.kind == "hub" and not any(path.glob("*.safetensors")):
        raise UserError(f"{model.name} has no safetensors weights; name a model that has")
    return path if form is None else checkpoints.from_folder(path, form)


def tokenizer_folder(name: str) -> Path:
    """The local folder with the tokenizer of a local folder or hub name. Raises UserError where there is none.

    Asking the hub here, once, spares transformers' minute of retries where there is no network.
    """
    if Path(name).expanduser().is_dir():
        return Path(name).expanduser()
    if not _HUB.fullmatch(name):
        raise UserError(f"no tokenizer {name!r}: no such folder, and not a hub name like org/model")
    return _from_hub(name, ["*.json", "*.txt", "*.jinja", "*.model"])


def _from_hub(name: str, patterns: list[str]) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    try:
        ignored = ["original/*", "consolidated*", "onnx/*"]  # second copies of the weights
        return Path(snapshot_download(name, allow_patterns=patterns, ignore_patterns=ignored))
    except GatedRepoError as error:
        raise UserError(f"{name} is gated on the hub; accept its licence there and set HF_TOKEN") from error
    except RepositoryNotFoundError as error:
        raise UserError(f"no model {name} on the hub; correct the name, or set HF_TOKEN if it is private") from error
    except (OSError, ValueError, HfHubHTTPError) as error:
        raise UserError(
            f"{name} is not in the local hub cache and no hub can be reached; name a local folder or "
            f"NAME@http://host:port/v1, or a model of the catalogue ({', '.join(CATALOGUE)})"
        ) from error
