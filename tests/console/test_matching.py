"""Matching in the console: what is due, paid and to be recovered; payments and recoveries are recorded there."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from settlement.matching_back import CLAWED_BACK, Back, take_back
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Scope, transaction
from tenants.kernel.ids import new_id
from tenants.kernel.money import Money
from tests.console.world import World, approved, instructed, own_world, plain
from tests.verification.policy_story import link_regions
from tests.verification.story import Body


@dataclass(frozen=True)
class Matched:
    """A claim of Jiangsu's that a region matches which is no tenant here, and was paid out."""

    claim: Body
    amount: str
    place: str = "/console/matching/jiangsu"


def due_of(world: World) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = world.story.call(
        "maker", "GET", "/v1/tenants/jiangsu/matching?state=all&limit=500"
    ).get_json()["items"]
    return items


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A world of our own, in which regions add to Jiangsu's awards."""
    with own_world() as made:
        made.story.enrol("second administrator", person=True)
        link_regions(made.story)
        yield made


@pytest.fixture(scope="module")
def matched(world: World) -> Matched:
    claims = approved(world, 12)
    batch = world.story.cut("jiangsu", "provincial")
    world.story.step("maker", "jiangsu", batch, "publish")
    world.pass_the_notice("jiangsu", str(batch["id"]))
    for step, who in (("seal", "maker"), ("release", "releaser")):
        world.story.step(who, "jiangsu", batch, step)
    instructed(world)
    ours = {claim["id"]: claim for claim in claims}
    found = next(one for one in due_of(world) if one["claim_id"] in ours and one["linked_tenant"] is None)
    return Matched(ours[found["claim_id"]], found["amount"])


def ask_back(world: World, claim_id: str, keeps: str) -> None:
    service = world.service
    with transaction(service.engine, Scope(world.story.tenants), service.machine) as work:
        back = Back(CLAWED_BACK, new_id(), "赵", work.at)
        take_back(work.connection, "jiangsu", {UUID(claim_id): Money.parse(keeps)}, back, service.vault.sealer)


def test_a_payment_then_what_came_back_of_it_are_recorded_and_listed(world: World, matched: Matched) -> None:
    maker, place = world.visitor("finance-maker"), matched.place
    number, claim_id = str(matched.claim["claim_no"]), str(matched.claim["id"])
    assert number in plain(maker.see(f"{place}?limit=500"))
    everything = f"{place}?state=all&limit=500"
    now = world.story.do(lambda work: shanghai_day(work.at))
    today, tomorrow = now.isoformat(), (now + timedelta(days=1)).isoformat()
    ahead = maker.send(everything, f"{place}/{claim_id}/payment", paid_on=tomorrow, document="徐财1")
    assert ahead.status_code == 422
    assert "支付日不能晚于今天" in plain(ahead.get_data(as_text=True))
    paid = maker.send(everything, f"{place}/{claim_id}/payment", paid_on=today, document="徐财1")
    assert paid.headers["Location"].endswith("&done=matching-paid")
    assert number not in plain(maker.see(f"{place}?state=to_recover&limit=500"))
    ask_back(world, claim_id, "0.01")
    listed = f"{place}?state=to_recover&limit=500"
    assert "登记收回" in plain(maker.see(listed))
    too_much = maker.send(
        listed, f"{place}/{claim_id}/recovery", amount="99999999.00", recovered_on=today, document="收1"
    )  # fmt: skip
    assert too_much.status_code == 409
    left = str(Money.parse(matched.amount) - Money(1))
    came = maker.send(listed, f"{place}/{claim_id}/recovery", amount=left, recovered_on=today, document="收1")
    assert came.headers["Location"].endswith("&done=matching-recovered")
    assert number not in plain(maker.see(listed))
    file = maker.browser.get(f"{place}/export.csv?state=all").get_data(as_text=True).removeprefix("\ufeff")
    rows = [row for row in csv.reader(io.StringIO(file)) if claim_id in row]
    assert len(rows) == 1
    assert left in rows[0]
    assert date.fromisoformat(today).isoformat() in rows[0]


def test_who_may_only_read_gets_no_form(world: World, matched: Matched) -> None:
    auditor = world.visitor("auditor")
    page = plain(auditor.see(f"{matched.place}?state=all&limit=500"))
    assert str(matched.claim["claim_no"]) in page
    assert "登记支付" not in page
