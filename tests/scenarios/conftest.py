"""A running service of these tests' own, its books, and callers of every kind."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from clearing.embedded import addresses_of
from tenants.kernel.database import open_engine
from tests.scenarios.callers import Callers
from tests.service.running import Api, RunningService, running

NOW = "2024-10-08T12:00:00+08:00"
"""Late enough for every worked case of the specification."""


@pytest.fixture(scope="session")
def service() -> Iterator[RunningService]:
    folder = Path(tempfile.mkdtemp(prefix="scenario-"))
    with running(folder / "data", "--demo-clock", NOW) as started:
        yield started
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def callers(service: RunningService) -> Iterator[Callers]:
    addresses = addresses_of(service.data_dir)
    assert addresses is not None
    engine = open_engine(addresses.app_url)
    yield Callers(service.address, engine)
    engine.dispose()


@pytest.fixture(scope="session")
def auditor(service: RunningService) -> Iterator[Engine]:
    addresses = addresses_of(service.data_dir)
    assert addresses is not None
    engine = open_engine(addresses.auditor_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def jssic(callers: Callers) -> Api:
    return callers.platform("jssic", "jiangsu")


@pytest.fixture(scope="session")
def delta(callers: Callers) -> Api:
    return callers.platform("delta", "qingpu", "wujiang", "jiashan", "maanshan")


@pytest.fixture(scope="session")
def center(callers: Callers) -> Api:
    return callers.person("李审", "reviews:write", "claims:read")


@pytest.fixture(scope="session")
def authority(callers: Callers) -> Api:
    return callers.person("王批", "reviews:write", "claims:read")


@pytest.fixture(scope="session")
def approver(callers: Callers) -> Api:
    return callers.person("钱准", "policies:approve", "claims:read")


@pytest.fixture(scope="session")
def admin(callers: Callers) -> Api:
    return callers.person("赵管", "policies:write", "claims:read")
