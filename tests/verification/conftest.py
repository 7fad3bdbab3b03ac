"""The story on servers of its own: other tests write into the shared database what no service would."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from clearing.embedded import EmbeddedServers
from tests.verification.story import Story, told
from tests.verification.tampering import Tamperer, tampering


@pytest.fixture(scope="session")
def story() -> Iterator[Story]:
    """A whole history, told once."""
    folder = Path(tempfile.mkdtemp(prefix="clearing-audit-"))
    try:
        with EmbeddedServers(folder) as addresses, told(addresses, folder) as whole:
            yield whole
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def tamperer(story: Story) -> Iterator[Tamperer]:
    """A database administrator without scruples; what it does is undone."""
    with tampering(story) as one:
        yield one
