"""A running service of each test's own, to be hurt."""

from collections.abc import Iterator

import pytest

from tests.service.conftest import own, place, started_once
from tests.service.running import RunningService

__all__ = ["hurt", "own", "place", "started_once"]


@pytest.fixture
def hurt(own: RunningService) -> Iterator[RunningService]:
    """The service, running."""
    own.start()
    yield own
    own.end()
