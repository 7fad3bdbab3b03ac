"""A fresh tenant for each test on the session's real PostgreSQL."""

from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import Engine

from clearing.app import create_app
from clearing.claims.vault import open_vault
from clearing.embedded import Addresses
from clearing.service import Service
from clearing.settings import Settings
from tenants.kernel.clock import FixedClock
from tenants.policy_document import load_shipped
from tests.settlement_service.bench import CUT, OFFICE, Bench, new_tenant
from tests.settlement_service.desk import MAKER_SCOPES, RELEASER_SCOPES, Desk


@pytest.fixture
def bench(app: Engine, owner: Engine) -> Bench:
    return Bench(app, new_tenant(owner))


@pytest.fixture
def desk(bench: Bench, owner: Engine, servers: Addresses, tmp_path: Path) -> Desk:
    """The HTTP interface at the moment of the cut; the tenant has the shipped policy of Jiangsu as its own."""
    with owner.begin() as connection:
        connection.exec_driver_sql("select * from bind_scope(%s, null)", (bench.tenant,))
        connection.exec_driver_sql("delete from service_clock")
    document = next(one for one in load_shipped() if one.policy.tenant == "jiangsu")
    bench.change(
        "insert into policy_version (tenant, scheme, version, effective_on, document, content_sha256, demonstration, "
        "kind, correction, state, author, approver, recorded_at, approved_at) values (%s, 'provincial', %s, "
        "'2024-01-01', %s, %s, false, 'shipped', 0, 'approved', 'shipped', 'b', now(), now())",
        bench.tenant,
        document.policy.version,
        document.text,
        document.digest,
    )
    settings = Settings(servers.app_url, servers.redis_url, tmp_path, demonstration=True)
    clock = FixedClock(CUT)
    queue = Redis.from_url(servers.redis_url)
    service = Service(settings, bench.app, queue, OFFICE.secrets, open_vault(OFFICE.secrets), clock)
    desk = Desk(create_app(service).test_client(), service, clock, bench.tenant)
    desk.hire("maker", *MAKER_SCOPES, person="li")
    desk.hire("releaser", *RELEASER_SCOPES, person="wang")
    return desk
