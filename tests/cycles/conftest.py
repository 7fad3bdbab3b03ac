"""Regions that owe each other, on the session's database: fresh tenants with divisions of their own."""

import pytest
from sqlalchemy import Engine

from tests.cycles.regions import Regions, new_regions


@pytest.fixture
def regions(app: Engine, owner: Engine) -> Regions:
    """Three regions, none of which has agreed anything with another."""
    return new_regions(app, owner, 3)
