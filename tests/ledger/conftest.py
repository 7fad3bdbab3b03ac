"""The session's database, migrated, and a fresh tenant for each test."""

import pytest
from sqlalchemy import Engine

from tests.settlement_service.bench import Bench, new_tenant


@pytest.fixture
def bench(app: Engine, owner: Engine) -> Bench:
    return Bench(app, new_tenant(owner))
