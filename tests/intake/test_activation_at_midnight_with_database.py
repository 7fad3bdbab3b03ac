"""A version that was approved for a later day begins at midnight: who waited is assessed before who comes then."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine

from clearing.tenancy.budgets import appropriate
from tenants.kernel.money import Money
from tenants.policy import UNSET, Policy, Term
from tests.intake.bodies import Body, Programme, claim
from tests.intake.counter import Counter, award, open_holds
from tests.intake.own_tenant import own_programme, shipped, store_policy

BEGINS = date(2024, 9, 28)
MIDNIGHT = datetime(2024, 9, 27, 16, tzinfo=UTC)
"""In Shanghai."""


def without_rate(policy: Policy) -> Policy:
    return replace(policy, zones=tuple(replace(zone, rate=Term(UNSET, "测试")) for zone in policy.zones))


@pytest.fixture
def programme(owner: Engine, app: Engine) -> Programme:
    """A scheme whose rate is unset until a version approved for 28 September."""
    own = own_programme(owner, app, without_rate)
    whole = replace(shipped("jiangsu", "provincial"), tenant=own.tenant)
    store_policy(app, replace(whole, effective=Term(BEGINS, "测试")))
    return own


def submitted(programme: Programme, at: datetime) -> Body:
    stated = (at + timedelta(hours=8)).strftime("%Y-%m-%dT%H:%M:%S+08:00")
    return claim(programme, on=date(2024, 9, 27)) | {"submitted_at": stated}


def test_a_claim_of_the_first_minute_does_not_pass_those_that_waited(counter: Counter, programme: Programme) -> None:
    tenant, budget = programme.tenant, Money.parse("3000.00")
    counter.do(lambda work: appropriate(work.connection, tenant, "provincial", 2024, budget, work.at), tenant)
    waited = []
    for before in (30, 20, 1):
        at = MIDNIGHT - timedelta(seconds=before)
        waited.append(replace(counter, at=at).submit(submitted(programme, at), "jssic"))
    assert [open_holds(one) for one in waited] == [{"policy.incomplete"}] * 3
    first_minute = replace(counter, at=MIDNIGHT)
    newcomer = first_minute.submit(submitted(programme, MIDNIGHT), "jssic")
    assessed = [first_minute.view(one) for one in waited]
    assert [(one.row.state, award(one)) for one in assessed] == [
        ("in_review", "2500.00"), ("on_hold", "0.00"), ("on_hold", "0.00"),
    ]  # fmt: skip
    assert [open_holds(one) for one in (*assessed[1:], newcomer)] == [{"award.budget"}] * 3
    assert award(newcomer) == "0.00"
