"""Batches with their files, each in a folder of its own."""

from functools import partial
from pathlib import Path

import pytest

from tests.settlement.making import Made, Make, made


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make a batch; see :func:`tests.settlement.making.made`."""
    return partial(made, tmp_path / "batch")


@pytest.fixture
def written(make: Make) -> Made:
    """A batch of twelve with all its files."""
    batch = make()
    batch.write()
    return batch
