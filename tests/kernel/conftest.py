"""The session's database, migrated, and a fresh tenant for each test that wants one."""

import pytest
from sqlalchemy import Engine

from tests.settlement_service.bench import new_tenant


@pytest.fixture
def tenant(owner: Engine) -> str:
    return new_tenant(owner)
