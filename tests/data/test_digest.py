"""The digest of a file is its SHA-256, and a file that cannot be read is one line."""

import pytest

from data.digest import file_digest
from data.errors import DataError


def test_the_digest_is_the_sha_256_of_the_content(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    # FIPS 180-4, the example of one block.
    whole = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_digest(tmp_path / "abc", 64) == whole
    assert file_digest(tmp_path / "abc") == whole[:16]


def test_a_file_that_cannot_be_read_is_one_line(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*absent: No such file") as error:
        file_digest(tmp_path / "absent")
    assert "\n" not in str(error.value)
