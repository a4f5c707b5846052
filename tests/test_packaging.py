"""The wheel holds what it needs and nothing else, works away from the checkout, and its requirements agree."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
PACKAGES = ("search", "reasoning", "formulation", "data")


def pins() -> dict[str, Version]:
    """All pinned distributions."""
    found: dict[str, Version] = {}
    for name in ("cpu", "dev"):
        for line in (ROOT / "requirements" / f"{name}.txt").read_text().splitlines():
            if line and not line.startswith("#"):
                match = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.+!]+)", line)
                assert match, f"{line}: a pin is name==version, so that tools can read the set"
                assert canonicalize_name(match[1]) not in found, f"{line}: pinned twice"
                found[canonicalize_name(match[1])] = Version(match[2])
    return found


def requirements() -> Iterator[tuple[str, Requirement]]:
    for text in PROJECT["dependencies"]:
        yield "dependencies", Requirement(text)
    for extra, texts in EXTRAS.items():
        for text in texts:
            yield extra, Requirement(text)


def test_the_pinned_sets_satisfy_what_the_package_asks_for() -> None:
    pinned = pins()
    for where, wanted in requirements():
        version = pinned.get(canonicalize_name(wanted.name))
        if version is not None:
            assert wanted.specifier.contains(version, prereleases=True), f"{where}: {wanted} against {version}"
        elif wanted.name != PROJECT["name"]:
            # What is not pinned is for other machines, or for an environment of its own.
            assert where in ("cuda", "inspect", "lm-eval", "train", "eval"), f"{where}: {wanted} is pinned nowhere"


def test_extras_of_extras_are_there() -> None:
    for where, wanted in requirements():
        if wanted.name == PROJECT["name"]:
            assert set(wanted.extras) <= EXTRAS.keys(), f"{where}: {wanted}"


def test_an_extra_that_a_message_names_is_there() -> None:
    named = {
        (extra, path.name)
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for given in re.findall(r"stepsolver\[([a-z,-]+)\]", path.read_text())
        for extra in given.split(",")
    }
    assert len(named) >= 5
    assert {(extra, path) for extra, path in named if extra not in EXTRAS} == set()


def test_versions_agree_with_the_changelog() -> None:
    headings = re.findall(r"^## \[(\S+)\](.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    released = [Version(name) for name, _ in headings if name != "Unreleased"]
    assert str(released[0]) == PROJECT["version"]
    assert released == sorted(released, reverse=True)
    assert all(
        re.fullmatch(r" - (unreleased|\d{4}-\d\d-\d\d)", rest) for name, rest in headings if name != "Unreleased"
    )


# ---- the wheel -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    # What `pip wheel --no-deps --no-build-isolation .` runs.
    code = f"import hatchling.build as b; b.build_wheel({str(folder)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=300, capture_output=True)
    (found,) = folder.glob("*.whl")
    return found


def test_the_wheel_holds_every_file_of_the_packages_and_no_others(wheel: Path) -> None:
    listed = subprocess.run(["git", "ls-files", *PACKAGES], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("no git checkout")
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    # A file may have been deleted and not yet committed.
    wanted = {name for name in listed.stdout.splitlines() if (ROOT / name).is_file()}
    assert wanted - held == set()
    assert {name.split("/")[0] for name in held} == set(PACKAGES)
    assert {f"{package}/py.typed" for package in PACKAGES} <= held
    assert not [name for name in held if "__pycache__" in name]


def test_it_says_its_version_licence_and_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (about,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = archive.read(about).decode()
        scripts = archive.read(about.replace("METADATA", "entry_points.txt")).decode()
        assert about.replace("METADATA", "licenses/LICENSE") in archive.namelist()
    assert f"\nVersion: {PROJECT['version']}\n" in metadata
    assert "stepsolver = reasoning.console:main" in scripts


@pytest.fixture(scope="module")
def elsewhere(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that holds the wheel, and its requirements from this one, but not the checkout."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True, timeout=120)
    python = folder / "venv" / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "install"]
    subprocess.run([*command, "--quiet", "--no-deps", "--no-index", str(wheel)], check=True, timeout=300)
    inside = Path(
        subprocess.run(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            capture_output=True, text=True, check=True,
        ).stdout.strip()
    )  # fmt: skip
    # As a folder on the path this environment's own .pth files, the editable checkout's among them, are not read.
    (inside / "requirements.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def there(python: Path, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "STEPSOLVER_DATA", "STEPSOLVER_RUNS")}
    return subprocess.run(
        [str(python.parent / command[0]), *command[1:]],
        cwd=folder, capture_output=True, text=True, timeout=300, check=False,
        env=environment | {"HF_HUB_OFFLINE": "1"},
    )  # fmt: skip


def test_it_works_away_from_the_checkout(elsewhere: Path, tmp_path: Path) -> None:
    where = there(elsewhere, tmp_path, "python", "-c", "import formulation, search; print(formulation.__file__)")
    assert not Path(where.stdout.strip()).is_relative_to(ROOT / "formulation"), where.stdout + where.stderr

    helped = there(elsewhere, tmp_path, "stepsolver", "solve", "--help")
    assert helped.returncode == 0, helped.stderr
    assert "--method" in helped.stdout

    doctor = there(elsewhere, tmp_path, "stepsolver", "doctor", "--json")
    assert doctor.returncode in (0, 1), doctor.stderr
    assert json.loads(doctor.stdout)["findings"]

    example = Path(where.stdout.strip()).parent / "examples" / "furniture.json"
    solved = there(elsewhere, tmp_path, "python", "-m", "formulation", "solve", str(example), "--json")
    assert solved.returncode == 0, solved.stderr
    assert json.loads(solved.stdout)["status"] == "optimal"

    (tmp_path / "one.jsonl").write_text('{"question": "4 + 3?", "answer": "7"}\n')
    (tmp_path / "toy.yaml").write_text("task: one.jsonl\npolicy: toy\nmethod: greedy\n")
    answered = there(elsewhere, tmp_path, "stepsolver", "solve", "--recipe", "toy.yaml")
    assert answered.returncode == 0, answered.stderr
    assert re.search(r"correct +1\n", answered.stdout), answered.stdout
