"""Files that are mapped to be read once."""

import hashlib
from pathlib import Path

import psutil
import pytest

from tenants.kernel.mapped import mapped

LARGE = 2**28


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file larger than what may stay in memory."""
    path = tmp_path / "large"
    with path.open("wb") as file:
        for number in range(LARGE // 2**20):
            file.write(number.to_bytes(4) * 2**18)
    return path


def test_a_large_file_is_read_whole_and_does_not_stay_in_memory(large: Path) -> None:
    process = psutil.Process()
    before, most, read = process.memory_info().rss, 0, hashlib.sha256()
    with large.open("rb") as file, mapped(file) as content:
        assert len(content) == LARGE
        for start in range(0, LARGE, 2**20):
            read.update(content[start : start + 2**20])
            most = max(most, process.memory_info().rss)
    assert read.digest() == hashlib.sha256(large.read_bytes()).digest()
    assert most - before < LARGE // 2


def test_a_short_file_is_read_as_it_is_and_an_empty_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "short"
    path.write_bytes(b"content")
    with path.open("rb") as file, mapped(file) as content:
        assert bytes(content) == b"content"
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="empty"), path.open("rb") as file, mapped(file):
        pass
