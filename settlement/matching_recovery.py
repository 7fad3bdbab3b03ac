"""Recovering matching (追回配套): what a linked region paid on an award that was asked back since comes back to it.

From the moment on in which the award is asked back it is a receivable in the linked tenant's books; what comes back is
recorded by its voucher, in the province's books too, where it frees the enterprise's cap. A region that is no tenant
here reports to the province, which records it.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from settlement import ledger
from settlement.matching import matching_subject
from settlement.matching_back import LOCKED
from tenants.kernel.canonical import Json, plain
from tenants.kernel.change import Change, lock_chains, record
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work, reach
from tenants.kernel.errors import Conflict, FieldError, Invalid, Text, not_found
from tenants.kernel.ids import new_id
from tenants.kernel.money import Money
from tenants.kernel.statements import insert_rows

RECOVERED: Final = "matching.recovered"


@dataclass(frozen=True, slots=True)
class Recovery:
    """What came back: how much, when, and the number of its voucher."""

    amount: Money
    recovered_on: date
    document: str


@dataclass(frozen=True, slots=True)
class Recovered:
    """How a matching stands: what was to be recovered of it, and what came back."""

    province: str
    claim_id: UUID
    claim_no: str
    to_recover: Money
    recovered: Money

    def json(self) -> dict[str, Json]:
        """In the form of the API."""
        return {
            "province": self.province,
            "claim_id": str(self.claim_id),
            "claim_no": self.claim_no,
            "asked_back": str(self.to_recover),
            "recovered": str(self.recovered),
            "to_recover": str(self.to_recover - self.recovered),
        }


def recover(work: Work, tenant: str, claim_id: UUID, recovery: Recovery, actor: str) -> Recovered:
    """Record what came back, as the linked tenant, or as the province for a region that is none.

    The same voucher with the same amount and day again changes nothing.

    Raises:
        NotFound: the tenant is no side of such a matching.
        Conflict: ``matching.in_books``: its linked tenant records it; ``matching.not_paid``; ``matching.recovered``:
            the voucher came before with another amount or day, or more than is to be recovered.
        Invalid: it lies ahead.
    """
    if recovery.recovered_on > shanghai_day(work.at):
        said = Text("收回日不能晚于今天。", "It cannot lie ahead.")
        raise Invalid("input.invalid", said.zh, said.en, errors=(FieldError("/recovered_on", "day.ahead", said),))
    sides = work.connection.exec_driver_sql(
        "select tenant, linked from matching_due where claim_id = %s and (tenant = %s or linked = %s)",
        (claim_id, tenant, tenant),
    ).one_or_none()
    if sides is None:
        raise not_found("应付配套", "matching")
    if tenant != (sides.linked or sides.tenant):
        raise Conflict(
            "matching.in_books",
            "联动地区在本系统内，由其登记收回。",
            "The linked region is a tenant here: it records what comes back to it.",
        )
    reach(work, {side for side in sides if side is not None})
    (row,) = work.connection.exec_driver_sql(LOCKED, (sides.tenant, [claim_id])).all()
    came = _came(work.connection, row)
    known = came.get(recovery.document)
    before = Money(sum(amount.fen for amount, _ in came.values()))
    if known is not None:
        if known != (recovery.amount, recovery.recovered_on):
            raise _refused("该凭证已登记，金额或日期不同。", "The voucher came before with another amount or day.")
        return Recovered(row.tenant, claim_id, row.claim_no, Money(row.recover_fen), before)
    if row.paid_on is None:
        raise Conflict("matching.not_paid", "该笔配套尚未支付。", "The matching is not paid yet.")
    if not recovery.amount or (before + recovery.amount).fen > row.recover_fen:
        left = Money(row.recover_fen) - before
        raise _refused(f"尚可收回 {left:,} 元。", f"{left:,} is left to be recovered.")
    _store(work, row, recovery, before, actor)
    return Recovered(row.tenant, claim_id, row.claim_no, Money(row.recover_fen), before + recovery.amount)


def _came(connection: Connection, row: Any) -> dict[str, tuple[Money, date]]:  # noqa: ANN401 - a row of LOCKED
    found = connection.exec_driver_sql(
        "select document, amount_fen, recovered_on from matching_recovery where tenant = %s and claim_id = %s",
        (row.tenant, row.claim_id),
    )
    return {document: (Money(fen), on) for document, fen, on in found}


def _store(
    work: Work,
    row: Any,  # noqa: ANN401 - a row of LOCKED
    recovery: Recovery,
    before: Money,
    actor: str,
) -> None:
    """The row, both books and both chains."""
    made, subject = new_id(), matching_subject(row.tenant, row.claim_id)
    insert_rows(
        work.connection,
        "matching_recovery",
        (
            "tenant", "id", "claim_id", "linked", "amount_fen", "recovered_on", "document", "recorded_by",
            "recorded_at",
        ),
        [
            (
                row.tenant, made, row.claim_id, row.linked, recovery.amount.fen, recovery.recovered_on,
                recovery.document, actor, work.at,
            )
        ],
    )  # fmt: skip
    paid = ledger.matching_paid_account(row.scheme, row.quota_year, row.division)
    books = [(row.tenant, paid, row.cap)]
    if row.linked is not None:
        back = ledger.matching_recovered_account(row.scheme, row.quota_year)
        books.append((row.linked, back, _receivable(work.connection, row, before + recovery.amount)))
    for tenant, debit, credit in books:
        ledger.open_accounts(
            work.connection, tenant, {debit: False} if credit == row.cap else dict.fromkeys((debit, credit), False)
        )
        ledger.lock_accounts(work.connection, tenant, [credit])
        transfer = ledger.posted(debit, credit, recovery.amount, recovery.document, subject)
        ledger.append(work.connection, tenant, [transfer], work.at)
    details: dict[str, Json] = {
        "claim_id": str(row.claim_id), "claim_no": row.claim_no, "recovery": str(made), "amount": str(recovery.amount),
        "recovered_on": plain(recovery.recovered_on), "document": recovery.document,
    }  # fmt: skip
    tenants = sorted(tenant for tenant, _, _ in books)
    lock_chains(work.connection, tenants)
    record(work.connection, [Change(tenant, actor, RECOVERED, subject, details=details) for tenant in tenants], work.at)


def _receivable(connection: Connection, row: Any, came: Money) -> str:  # noqa: ANN401 - a row of LOCKED
    """The account that it comes out of: the expense, where it was asked back before that booked a receivable."""
    receivable = ledger.matching_recoverable_account(row.scheme, row.quota_year)
    booked_fen: int = connection.exec_driver_sql(
        "select coalesce(sum(amount_fen), 0)::bigint from ledger_transfer where tenant = %s and subject_id = %s "
        "and debit = %s",
        (row.linked, matching_subject(row.tenant, row.claim_id), receivable),
    ).scalar_one()
    return receivable if came.fen <= booked_fen else ledger.matching_expense_account(row.scheme, row.quota_year)


def _refused(zh: str, en: str) -> Conflict:
    return Conflict(RECOVERED, zh, en)
