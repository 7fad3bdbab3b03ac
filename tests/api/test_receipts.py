"""Nightly receipts: what was submitted in a day, counted once the day has ended, and told to its platform."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, cast
from uuid import uuid4

from sqlalchemy import Engine

from clearing.app import create_app
from clearing.receipts import issue_receipts
from clearing.workers import deliver_notices
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import Scope, run
from tests.api.door import Door
from tests.intake.bodies import WUJIANG, claim

ON = date(2024, 8, 28)
DAY = date(2024, 8, 29)
EVENING = datetime.fromisoformat("2024-08-29T23:30:00+08:00")
TENANTS = ("jiangsu", "wujiang")


def issue(door: Door, at: datetime) -> None:
    cast("FixedClock", door.service.machine).move_to(at)
    run(door.service.engine, Scope(TENANTS), door.service.machine, issue_receipts)
    deliver_notices(door.service)


def receipts(owner: Engine, platform: str) -> list[Any]:
    with owner.begin() as connection:
        connection.exec_driver_sql("select bind_scope('jiangsu,wujiang', null)")
        found = connection.exec_driver_sql(
            "select tenant, day_on, submissions, claimed_fen, support_records from receipt where platform = %s "
            "order by tenant",
            (platform,),
        )
        return [tuple(row) for row in found]


def support(client_id: str, number: str) -> dict[str, Any]:
    return {
        "platform": client_id.rpartition("-")[0], "external_id": f"{client_id}-{number}", "tenant": "wujiang",
        "enterprise_uscc": "91320509MA1WQ2X82Q", "supported_on": "2024-08-01",
        "keys": [{"kind": "invoice", "value": f"{uuid4().int % 10**19:020}", "amount": "10.00"}],
    }  # fmt: skip


def test_a_day_that_has_ended_is_told_once_with_its_count_and_sum(door: Door, owner: Engine) -> None:
    """In the evening before the other tests' morning, so that their chains lie behind."""
    service = replace(door.service, machine=FixedClock(EVENING))
    evening, code = Door(create_app(service), service), f"night-{uuid4().hex[:8]}"
    platform = evening.hire("claims:write", "claims:read", "support:write", platform=code, tenants=TENANTS)
    bodies = [claim(amount="10000.00", on=ON), claim(amount="2500.55", on=ON), claim(WUJIANG, "77.00", on=ON)]
    bodies[0]["invoices"][0]["claimed_amount"] = "9999.99"
    for body in (*bodies, bodies[1], bodies[1] | {"mode": "free"}):
        assert platform.post("/v1/claims", json=body).status_code in {200, 201, 422}
    local = evening.hire("support:write", platform=f"{code}-local", tenants=("wujiang",))
    records = [
        support(caller.client.client_id, number) for caller, number in ((platform, "1"), (local, "2"), (local, "3"))
    ]
    for caller, record in zip((platform, local, local, local), (*records, records[-1]), strict=True):
        assert caller.post("/v1/support-records", json=record).status_code < 300
    issue(evening, EVENING + timedelta(minutes=35))
    assert receipts(owner, code) == []  # 00:05: what came just before midnight may still be on its way
    issue(evening, EVENING + timedelta(minutes=41))
    made = receipts(owner, code)
    assert made == [("jiangsu", DAY, 2, 1_250_054, 0), ("wujiang", DAY, 1, 7_700, 1)]
    assert receipts(owner, f"{code}-local") == [("wujiang", DAY, 0, 0, 2)]
    issue(evening, EVENING + timedelta(minutes=50))
    assert receipts(owner, code) == made
    told = [one for one in platform.get("/v1/events").get_json()["items"] if one["type"] == "receipt.issued"]
    figures = [tuple(one["data"][name] for name in ("submissions", "claimed", "support_records")) for one in told]
    assert figures == [(2, "12500.54", 0), (1, "77.00", 1)]
    assert [one["tenant"] for one in told] == list(TENANTS)
    assert {one["data"]["day"] for one in told} == {"2024-08-29"}
