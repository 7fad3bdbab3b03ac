"""A version that was approved for a later day begins at midnight: who waited is assessed before who comes then."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine

from clearing.claims import intake
from clearing.claims.case import Desk
from clearing.claims.records import ClaimView
from clearing.tenancy.budgets import appropriate
from connectors.reading import read_submission
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import Scope, Work, run
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


def waiting(counter: Counter, programme: Programme) -> list[ClaimView]:
    """Three claims of the last half minute of the day before, which wait for the rate."""
    made = []
    for before in (30, 20, 1):
        at = MIDNIGHT - timedelta(seconds=before)
        made.append(replace(counter, at=at).submit(submitted(programme, at), "jssic"))
    return made


def written_by(counter: Counter, view: ClaimView) -> str:
    """The transaction that wrote the claim last."""
    statement = "select xmin::text from claim where id = %s"
    by = counter.do(
        lambda work: work.connection.exec_driver_sql(statement, (view.row.id,)).scalar_one(), view.row.tenant
    )
    return str(by)


def test_who_waited_is_assessed_in_a_transaction_before_the_newcomers(counter: Counter, programme: Programme) -> None:
    waited = waiting(counter, programme)
    first_minute = replace(counter, at=MIDNIGHT)
    newcomer = first_minute.submit(submitted(programme, MIDNIGHT), "jssic")
    assert [first_minute.view(one).row.state for one in waited] == ["in_review"] * 3
    [of_waiting] = {written_by(first_minute, one) for one in waited}
    assert int(of_waiting) < int(written_by(first_minute, newcomer))


def test_what_was_done_for_a_newcomer_that_then_failed_is_done_and_is_not_done_twice(
    counter: Counter, programme: Programme
) -> None:
    waited = waiting(counter, programme)
    first_minute = replace(counter, at=MIDNIGHT)
    body = submitted(programme, MIDNIGHT)
    desk = Desk(programme.tenant, "jssic", "test-client", "test-client", may_import=False, demonstration=True)

    def killed(work: Work) -> None:
        intake.submit(work, counter.vault, desk, [read_submission(body)])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(counter.app, Scope((programme.tenant,), "jssic"), FixedClock(MIDNIGHT), killed)
    assert [first_minute.view(one).row.state for one in waited] == ["in_review"] * 3
    by = [written_by(first_minute, one) for one in waited]
    assert first_minute.submit(body, "jssic").row.state == "in_review"
    assert [written_by(first_minute, one) for one in waited] == by


def test_newcomers_of_the_same_instant_find_all_who_waited_assessed_once_before_them(
    counter: Counter, programme: Programme
) -> None:
    tenant, budget = programme.tenant, Money.parse("10000.00")
    counter.do(lambda work: appropriate(work.connection, tenant, "provincial", 2024, budget, work.at), tenant)
    waited = waiting(counter, programme)
    first_minute = replace(counter, at=MIDNIGHT)
    bodies = [submitted(programme, MIDNIGHT) for _ in range(6)]
    with ThreadPoolExecutor(6) as crowd:
        came = list(crowd.map(lambda body: first_minute.submit(body, "jssic"), bodies))
    assert [award(first_minute.view(one)) for one in waited] == ["2500.00"] * 3
    assert sorted(award(one) for one in came) == ["0.00"] * 5 + ["2500.00"]
    assessed = counter.do(
        lambda work: work.connection.exec_driver_sql(
            "select count(*) from assessment where claim_id = any(%s)", ([one.row.id for one in waited],)
        ).scalar_one(),
        tenant,
    )
    assert assessed == 2 * len(waited)


def test_a_claim_of_the_first_minute_does_not_pass_those_that_waited(counter: Counter, programme: Programme) -> None:
    tenant, budget = programme.tenant, Money.parse("3000.00")
    counter.do(lambda work: appropriate(work.connection, tenant, "provincial", 2024, budget, work.at), tenant)
    waited = waiting(counter, programme)
    assert [open_holds(one) for one in waited] == [{"policy.incomplete"}] * 3
    first_minute = replace(counter, at=MIDNIGHT)
    newcomer = first_minute.submit(submitted(programme, MIDNIGHT), "jssic")
    assessed = [first_minute.view(one) for one in waited]
    assert [(one.row.state, award(one)) for one in assessed] == [
        ("in_review", "2500.00"), ("on_hold", "0.00"), ("on_hold", "0.00"),
    ]  # fmt: skip
    assert [open_holds(one) for one in (*assessed[1:], newcomer)] == [{"award.budget"}] * 3
    assert award(newcomer) == "0.00"
