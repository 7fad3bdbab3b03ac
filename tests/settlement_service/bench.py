"""A fresh tenant on the real database, and the steps of its batches as short calls."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from string import ascii_uppercase
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Engine

from settlement import ledger
from settlement.batches import batch_steps
from settlement.batches.batch import Batch, find_batch
from settlement.batches.batch_steps import CutOrder
from settlement.batches.delivery import instruct
from settlement.batches.obligation import Obligation, open_obligations
from settlement.batches.publicity import PublicityTerms
from settlement.batches.release import release
from settlement.batches.seal import seal
from settlement.office import Office
from settlement.payouts.instruction import Account
from settlement.payouts.payout_account import set_payout_account
from tenants.kernel.canonical import sha256
from tenants.kernel.clock import SHANGHAI, FixedClock
from tenants.kernel.database import Scope, transaction
from tenants.kernel.ids import new_id
from tenants.kernel.money import Money
from tenants.kernel.secrets import Secrets
from tenants.kernel.workdays import official_calendar

T = TypeVar("T")

OFFICE = Office(Secrets(bytes(range(32)), ((1, bytes(32)),)), demonstration=True)
MAKER, SECOND_MAKER, RELEASER = "maker-li", "maker-sun", "releaser-wang"
WORKING_DAYS = 5


def shanghai(day: str, hour: int = 9) -> datetime:
    return datetime.combine(date.fromisoformat(day), datetime.min.time(), SHANGHAI).astimezone(UTC) + timedelta(
        hours=hour
    )


APPROVED = shanghai("2024-09-20")
CUT = shanghai("2024-09-26")
PUBLISHED = shanghai("2024-09-27")
OVER = shanghai("2024-10-11")
"""The first morning after five working days of publicity from 2024-09-27."""
DEBTOR = Account("测试财政专户", "3200001234567890", "国家金库测试支库", "102301000017")


def account(number: int) -> Account:
    return Account(f"测试企业{number}有限公司", f"62220000{number:08d}", "中国工商银行测试支行", "102301000017")


@dataclass
class Bench:
    """One tenant; every call is one transaction of the application's role."""

    app: Engine
    tenant: str
    scheme: str = "provincial"
    claims: list[UUID] = field(default_factory=list)
    provider_division: str | None = None

    def do(self, use_case: Callable[[Connection], T], at: datetime = CUT) -> T:
        with transaction(self.app, Scope((self.tenant,)), FixedClock(at)) as work:
            return use_case(work.connection)

    def approve(
        self,
        *amounts: str,
        payee: int | None = None,
        mode: str = "common_use",
        at: datetime = APPROVED,
        year: int = 2024,
    ) -> list[UUID]:
        made = []
        for amount in amounts:
            number = len(self.claims) + 1
            made.append(self.obligation(new_id(), number, amount, payee or number, mode, year))
            self.claims.append(made[-1].claim_id)

        def hand_over(connection: Connection) -> None:
            accounts = (ledger.budget_account(self.scheme, year), ledger.obligations_account(self.scheme, year))
            ledger.open_accounts(connection, self.tenant, {accounts[0]: True, accounts[1]: False})
            transfers = [ledger.posted(*accounts, o.amount, "award", o.claim_id) for o in made]
            ledger.append(connection, self.tenant, transfers, at)
            open_obligations(connection, self.tenant, made, OFFICE.sealer, at)

        self.do(hand_over, at)
        return [obligation.claim_id for obligation in made]

    def obligation(
        self, claim_id: UUID, number: int, amount: str, payee: int, mode: str = "common_use", year: int = 2024
    ) -> Obligation:
        name = f"测试企业{payee}有限公司"
        return Obligation(
            claim_id, f"CL-{self.tenant[-4:].upper()}-{year}-{number:06d}", "jssic", self.scheme, mode, year, name,
            "测试大学", "12100000400000000A", name, account(payee), sha256(str(payee).encode()), Money.parse(amount),
            provider_division=self.provider_division,
        )  # fmt: skip

    def cut(
        self, mode: str = "common_use", cut_off_at: datetime = CUT, at: datetime = CUT, kind: str | None = None
    ) -> Batch:
        order = CutOrder(self.tenant, self.scheme, mode, cut_off_at, kind)
        return self.do(lambda c: batch_steps.cut(c, order, MAKER, at), at)

    def publish(self, batch: Batch, at: datetime = PUBLISHED, actor: str = MAKER) -> Batch:
        terms = PublicityTerms(WORKING_DAYS, official_calendar())
        return self.do(lambda c: batch_steps.publish(c, self.tenant, batch.id, terms, actor, at), at)

    def take_out(self, claim_id: UUID, at: datetime = PUBLISHED) -> Batch:
        return self.do(lambda c: batch_steps.take_out(c, self.tenant, claim_id, "金额有误", "reviewer", at), at)

    def cancel(self, batch: Batch, actor: str = MAKER, at: datetime = PUBLISHED) -> Batch:
        return self.do(lambda c: batch_steps.cancel(c, self.tenant, batch.id, None, actor, at), at)

    def close(self, batch: Batch, at: datetime = PUBLISHED) -> Batch:
        return self.do(lambda c: batch_steps.close(c, self.tenant, batch.id, MAKER, at), at)

    def set_account(self) -> None:
        self.do(lambda c: set_payout_account(c, self.tenant, DEBTOR, OFFICE, "admin", CUT))

    def seal(self, batch: Batch, at: datetime = OVER, actor: str = MAKER) -> Batch:
        return self.do(lambda c: seal(c, self.tenant, batch.id, OFFICE, actor, at), at)

    def release(self, batch: Batch, actor: str = RELEASER, at: datetime = OVER) -> Batch:
        return self.do(lambda c: release(c, self.tenant, batch.id, OFFICE, actor, at), at)

    def instruct(self, batch: Batch, at: datetime = OVER) -> Batch:
        return self.instruct_by_id(batch.id, at)

    def instruct_by_id(self, batch_id: UUID, at: datetime = OVER) -> Batch:
        return self.do(lambda c: instruct(c, self.tenant, batch_id, OFFICE, at), at)

    def sealed(self, *amounts: str, **how: Any) -> Batch:
        """A batch of new claims, sealed."""
        self.approve(*amounts, **how)
        self.set_account()
        return self.seal(self.publish(self.cut()))

    def released(self, *amounts: str, **how: Any) -> Batch:
        """A batch of new claims, released."""
        return self.release(self.sealed(*amounts, **how))

    def payout_kid(self) -> str:
        """The only payout key that the tenant has had."""
        [row] = self.rows("select kid from signing_key where tenant = %s and purpose = 'payout'", self.tenant)
        return str(row.kid)

    def read(self, batch: Batch) -> Batch:
        return self.do(lambda c: find_batch(c, self.tenant, batch.id))

    def rows(self, statement: str, *values: Any) -> list[Any]:
        return self.do(lambda c: list(c.exec_driver_sql(statement, values)))

    def change(self, statement: str, *values: Any) -> int:
        return self.do(lambda c: c.exec_driver_sql(statement, values).rowcount)


_CODES: Final = count(secrets.randbelow(26**5))
"""Drawn anew for each of thousands of tenants, two would once be the same."""


def new_tenant(owner: Engine) -> str:
    """A tenant of its own for each test, so that tests share one database."""
    tenant = f"t-{secrets.token_hex(4)}"
    number = next(_CODES)
    code = "".join(ascii_uppercase[number // 26**place % 26] for place in range(5))
    with owner.begin() as connection:
        connection.exec_driver_sql("select * from bind_scope(%s, null)", (tenant,))
        connection.exec_driver_sql(
            "insert into tenant (tenant, code, name_zh, name_en, divisions, created_at) "
            "values (%s, %s, '测试省', 'Test Province', '{}', now())",
            (tenant, code),
        )
        connection.exec_driver_sql(
            "insert into audit_head (tenant, seq, hash, at) values (%s, 0, %s, '2024-01-01Z')", (tenant, bytes(32))
        )
    return tenant
