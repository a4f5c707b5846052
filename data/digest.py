"""What tells one file from another: its SHA-256."""

from __future__ import annotations

import hashlib
from pathlib import Path

from data.errors import DataError

__all__ = ["file_digest"]


def file_digest(path: Path, digits: int = 16) -> str:
    """The first `digits` of the 64 hexadecimal digits of a file's SHA-256. Raises DataError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:digits]
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
