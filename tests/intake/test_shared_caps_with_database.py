"""One annual cap over several channels, where the policy says so: taken and given back as one."""

from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import Engine

from clearing.tenancy import quotas
from settlement import ledger
from tenants.policy import Policy, Term
from tests.intake.bodies import JIANGSU, Programme, buyer, claim
from tests.intake.counter import Counter, assessed, award, codes
from tests.intake.own_tenant import own_programme, shipped, store_policy

CITE = "沪科合〔2020〕31号 二：可由试点区域科技部门自行决定"


def sharing(policy: Policy) -> Policy:
    return replace(policy, limits=replace(policy.limits, shared_cap=Term("annual", CITE)))


@pytest.fixture(scope="module")
def channels(owner: Engine, app: Engine) -> tuple[Programme, Programme]:
    """Two schemes of one tenant whose policies name the same cap of 100,000 yuan."""
    provincial = own_programme(owner, app, sharing)
    local = sharing(replace(shipped("jiangsu", "provincial"), tenant=provincial.tenant, scheme="local"))
    store_policy(app, local)
    return provincial, replace(provincial, scheme="local")


def test_what_one_channel_took_of_a_shared_cap_is_gone_for_the_other(
    counter: Counter, channels: tuple[Programme, Programme]
) -> None:
    provincial, local = channels
    party = buyer()
    first = counter.submit(claim(provincial, "320000.00", by=party), "jssic")
    second = counter.submit(claim(local, "320000.00", by=party), "jssic")
    third = counter.submit(claim(provincial, "320000.00", by=party), "jssic")
    assert [award(view) for view in (first, second, third)] == ["80000.00", "20000.00", "0.00"]
    assert (assessed(second)["cut"], codes(third)) == ({"annual_cap": "60000.00"}, {"quota.exhausted"})
    account = ledger.quota_account("annual", 2024, party.uscc)
    held = counter.do(lambda work: ledger.sums_of(work.connection, provincial.tenant, account), provincial.tenant)
    assert (str(held.taken), str(held.limit)) == ("100000.00", "100000.00")


def test_what_one_channel_gives_back_the_other_may_have(
    counter: Counter, channels: tuple[Programme, Programme]
) -> None:
    provincial, local = channels
    party = buyer()
    first = counter.submit(claim(provincial, "400000.00", by=party), "jssic")
    lowered = counter.review(first, award="70000.01", reason="部分不符")
    assert award(counter.submit(claim(local, "400000.00", by=party), "jssic")) == "29999.99"
    counter.withdraw(lowered)
    assert award(counter.submit(claim(local, "400000.00", by=party), "jssic")) == "70000.01"


def test_the_quota_that_people_read_is_the_shared_one_in_every_channel(
    counter: Counter, channels: tuple[Programme, Programme]
) -> None:
    provincial, local = channels
    own, party = provincial, buyer()
    counter.submit(claim(provincial, "100000.00", by=party), "jssic")
    for scheme in (provincial.scheme, local.scheme):
        read = counter.do(
            partial(quotas.read, tenant=own.tenant, scheme=scheme, uscc=party.uscc, year=2024, demonstration=False),
            own.tenant,
        )
        assert (read["cap"], read["left"]) == ("100000.00", "75000.00")


def test_schemes_that_share_nothing_have_a_cap_each(counter: Counter, owner: Engine, app: Engine) -> None:
    own = own_programme(owner, app, lambda policy: policy, JIANGSU)
    store_policy(app, replace(shipped("jiangsu", "provincial"), tenant=own.tenant, scheme="local"))
    party = buyer()
    for scheme in ("provincial", "local"):
        view = counter.submit(claim(replace(own, scheme=scheme), "400000.00", by=party), "jssic")
        assert award(view) == "100000.00"
