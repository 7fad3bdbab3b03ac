"""Some regions at once: agreements between them, batches of one for providers of another, windows."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Engine

from settlement.agreements import agreement_steps
from settlement.agreements.agreement import Agreement
from settlement.agreements.agreement_steps import Proposal
from settlement.batches import batch_steps
from settlement.batches.batch import Batch
from settlement.batches.batch_steps import CutOrder
from settlement.batches.publicity import PublicityTerms
from settlement.batches.release import release
from settlement.cycles import cycle_steps
from settlement.cycles.cycle import Cycle, StoredPosition, find_cycle, hold_open
from settlement.payouts.instruction import Account
from tenants.kernel.clock import FixedClock, shanghai_day
from tenants.kernel.database import Scope, transaction
from tenants.kernel.money import Money
from tenants.kernel.workdays import official_calendar
from tests.settlement_service.bench import APPROVED, CUT, MAKER, OFFICE, OVER, RELEASER, Bench, new_tenant

T = TypeVar("T")
AGENT = Account("长三角结算代理（测试）", "95580000111122223333", "测试结算银行", "102301000017")
AGREED = APPROVED
"""When agreements are made: before anything is cut."""
OPERATOR = "operator-zhao"
_DIVISIONS = count(800_000)
"""Six digits that no real region and no other test has."""


@dataclass
class Regions:
    """Fresh tenants; ``divisions`` are where their providers are registered; one agreement set of their own."""

    app: Engine
    tenants: tuple[str, ...]
    divisions: dict[str, str]
    agreement_set: str

    def bench(self, tenant: str) -> Bench:
        return Bench(self.app, tenant)

    def do(self, use_case: Callable[[Connection], T], at: datetime = OVER, tenants: tuple[str, ...] | None = None) -> T:
        scope = Scope(self.tenants if tenants is None else tenants)
        with transaction(self.app, scope, FixedClock(at)) as work:
            return use_case(work.connection)

    def propose(self, one: str, other: str, form: str = "home_region", **how: Any) -> Agreement:
        at = how.pop("at", AGREED)
        proposal = Proposal(
            counterparty=other, form=form, netting=how.pop("netting", "multilateral"),
            agreement_set=self.agreement_set, effective_on=shanghai_day(at), document="测试〔2024〕1号",
            agent=AGENT if form == "agent" else None,
        )  # fmt: skip
        proposal = replace(proposal, **how)
        return self.do(lambda c: agreement_steps.propose(c, one, proposal, OFFICE, "proposer", at), at)

    def agree(self, tenant: str, agreement_id: UUID, actor: str, at: datetime = AGREED) -> Agreement:
        return self.do(lambda c: agreement_steps.agree(c, tenant, agreement_id, actor, at), at)

    def agreed(self, one: str, other: str, form: str = "home_region", **how: Any) -> Agreement:
        """An agreement that both sides have approved."""
        at = how.get("at", AGREED)
        made = self.propose(one, other, form, **how)
        made = self.agree(one, made.id, "approver", at)
        return made if other.isdecimal() else self.agree(other, made.id, "accepter", at)

    def sealed(self, funder: str, home: str, *amounts: str, cut_at: datetime = CUT) -> Batch:
        """A sealed cross-redemption batch of the funder for the home region's providers, by their agreement."""
        bench = self.bench(funder)
        bench.provider_division = self.divisions[home]
        bench.approve(*amounts, mode="cross_redemption")
        bench.set_account()
        order = CutOrder(funder, bench.scheme, "cross_redemption", cut_at, counterparty=home)
        batch = bench.do(lambda c: batch_steps.cut(c, order, MAKER, cut_at), cut_at)
        return bench.seal(bench.publish(batch))

    def release(self, batch: Batch, at: datetime = OVER, actor: str = RELEASER) -> Batch:
        return self.do(lambda c: release(c, batch.tenant, batch.id, OFFICE, actor, at), at)

    def owe(self, funder: str, home: str, *amounts: str) -> Batch:
        """Debts of the funder to the home region, posted to the open window."""
        return self.release(self.sealed(funder, home, *amounts))

    def open_window(self) -> UUID:
        return self.do(lambda c: hold_open(c, self.agreement_set))

    def close(self, cycle_id: UUID | None = None, actor: str = OPERATOR, at: datetime = OVER) -> Cycle:
        wanted = cycle_id or self.open_window()
        return self.do(lambda c: cycle_steps.close(c, wanted, self.tenants, actor, at), at)

    def confirm(
        self, cycle: Cycle, tenant: str, net: str, actor: str | None = None, at: datetime = OVER
    ) -> StoredPosition:
        fen = Money(-Money.parse(net[1:]).fen) if net.startswith("-") else Money.parse(net)
        person = actor or f"finance of {tenant}"
        return self.do(lambda c: cycle_steps.confirm(c, cycle.id, tenant, fen, self.tenants, OFFICE, person, at), at)

    def read(self, cycle: Cycle) -> Cycle:
        return self.do(lambda c: find_cycle(c, cycle.id))

    def rows(self, statement: str, *values: Any) -> list[Any]:
        return self.do(lambda c: list(c.exec_driver_sql(statement, values)))

    def balances(self, tenant: str) -> dict[str, int]:
        """Credits less debits of each of the tenant's accounts, those at zero left out."""
        rows = self.rows(
            "select code, sum(fen)::bigint as sum from (select credit as code, amount_fen as fen from ledger_transfer "
            "where tenant = %s and kind in ('post', 'posted') union all select debit, -amount_fen from ledger_transfer "
            "where tenant = %s and kind in ('post', 'posted')) l group by code having sum(fen) <> 0",
            tenant,
            tenant,
        )
        return {row.code: row.sum for row in rows}


def pay_home(regions: Regions, home: str, scheme: str = "provincial", at: datetime = OVER) -> Batch:
    """The home region's own batch of what it pays for others, published."""
    order = CutOrder(home, scheme, "cross_redemption", at, kind="home_region")
    batch = regions.do(lambda c: batch_steps.cut(c, order, MAKER, at), at)
    terms = PublicityTerms(1, official_calendar())
    return regions.do(lambda c: batch_steps.publish(c, home, batch.id, terms, MAKER, at), at)


def new_regions(app: Engine, owner: Engine, number: int) -> Regions:
    """So many tenants, with divisions that no other test uses."""
    tenants = tuple(sorted(new_tenant(owner) for _ in range(number)))
    divisions = {tenant: str(next(_DIVISIONS)) for tenant in tenants}
    with owner.begin() as connection:
        for tenant, division in divisions.items():
            connection.exec_driver_sql("update tenant set divisions = %s where tenant = %s", ([division], tenant))
    return Regions(app, tenants, divisions, f"set-{secrets.token_hex(4)}")
