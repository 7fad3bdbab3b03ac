"""Clawback (追回): money that was paid is asked back, comes back in parts or whole, and may ban the enterprise.

What is recovered goes back to the budget and the quota of the year that it was paid from. A claim that is asked back
whole frees its identities: its spending was, in the end, not subsidised.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from clearing.claims import registry
from clearing.claims.lowered import lowered_matching
from clearing.claims.quota import returned_quota
from clearing.claims.records import ClaimRow, lock_claim
from clearing.claims.vault import Vault
from settlement import ledger
from settlement.matching_back import CLAWED_BACK, Back, reach_linked, take_back
from tenants.kernel.canonical import Json, plain
from tenants.kernel.change import Change, Job, record
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work, broken_constraint
from tenants.kernel.errors import Conflict, FieldError, Invalid, Text, not_found
from tenants.kernel.ids import new_id
from tenants.kernel.money import Money
from tenants.kernel.statements import insert_rows
from tenants.policy_store import approved_policies

NOTICE: Final = "payout.clawed_back"
"""The kind of the notice to the claim's platform."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked back of a claim, why, and through which day its enterprise is banned, where it is."""

    amount: Money
    reason: str
    sanction_until: date | None = None


@dataclass(frozen=True, slots=True)
class Clawback:
    """What was asked back, and what has come back of it."""

    id: UUID
    claim_id: UUID
    amount_fen: int
    recovered_fen: int
    reason: str
    sanction_until: date | None
    made_by: str
    made_at: datetime

    def json(self) -> dict[str, Json]:
        """The clawback in the form of the API."""
        return {
            "id": str(self.id),
            "claim_id": str(self.claim_id),
            "amount": str(Money(self.amount_fen)),
            "recovered": str(Money(self.recovered_fen)),
            "outstanding": str(Money(self.amount_fen - self.recovered_fen)),
            "reason": self.reason,
            "sanction_until": plain(self.sanction_until),
            "made_by": self.made_by,
            "made_at": plain(self.made_at),
        }


def claw_back(work: Work, vault: Vault, claim_id: UUID, order: Order, actor: str) -> Clawback:
    """Ask back what was paid of a claim, whole or in part, and ban its enterprise where the order says so.

    Its matching is taken back with it, out of the books of linked tenants too.

    Raises:
        NotFound: there is no such claim.
        Conflict: ``claim.not_paid``, ``clawback.too_much``.
        Invalid: the ban would be over already.
    """
    row, made = lock_claim(work.connection, claim_id), new_id()
    if row.quota_year is None:
        raise _not_paid(row)
    reach_linked(work, row.tenant)
    ban = None if order.sanction_until is None else _ban(work, row, order.sanction_until, order.reason, actor)
    sanction_id = None if ban is None else ban.subject_id
    try:
        with work.connection.begin_nested():
            insert_rows(
                work.connection,
                "clawback",
                ("tenant", "id", "claim_id", "amount_fen", "reason", "sanction_id", "made_by", "made_at"),
                [(row.tenant, made, row.id, order.amount.fen, order.reason, sanction_id, actor, work.at)],
            )
    except IntegrityError as error:
        raise _refusal(row, error) from error
    debit = ledger.paid_account(row.scheme, row.quota_year)
    credit = ledger.clawback_account(row.scheme, row.quota_year)
    ledger.open_accounts(work.connection, row.tenant, {credit: False})
    ledger.append(work.connection, row.tenant, [ledger.posted(debit, credit, order.amount, "clawback", made)], work.at)
    asked_fen = asked_of(work.connection, row)
    whole = asked_fen == row.award_fen
    if row.matching_fen:
        keeps = {row.id: _matching_left(work, row, Money(row.award_fen - asked_fen))}
        take_back(work.connection, row.tenant, keeps, Back(CLAWED_BACK, made, actor, work.at), vault.sealer)
    if whole:
        registry.release(work.connection, [row.id])
    details: dict[str, Json] = {
        "claim_no": row.claim_no, "claim": str(row.id), "amount": str(order.amount), "whole": whole,
        "sanction": None if sanction_id is None else str(sanction_id),
    }  # fmt: skip
    change = Change(
        row.tenant, actor, "clawback.made", made, None, "asked", order.reason, details=details,
        jobs=(_notice(row, order.amount, whole=whole),),
    )  # fmt: skip
    record(work.connection, [change] if ban is None else [ban, change], work.at)
    return find_clawback(work.connection, row.id, made)


def recover(work: Work, claim_id: UUID, clawback_id: UUID, amount: Money, bank_reference: str, actor: str) -> Clawback:
    """Record what came back, by the bank's reference: it goes to the budget and the quota of the year it came from.

    Raises:
        NotFound: there is no such claim or clawback.
        Conflict: ``clawback.recovered``: more than is outstanding, or the same reference again.
    """
    row = lock_claim(work.connection, claim_id)
    found, recovery_id = find_clawback(work.connection, row.id, clawback_id), new_id()
    try:
        with work.connection.begin_nested():
            insert_rows(
                work.connection,
                "clawback_recovery",
                ("tenant", "id", "clawback_id", "amount_fen", "bank_reference", "recorded_by", "recorded_at"),
                [(row.tenant, recovery_id, found.id, amount.fen, bank_reference, actor, work.at)],
            )
    except IntegrityError as error:
        raise Conflict(
            "clawback.recovered",
            f"该笔收回已登记，或超过尚未收回的 {Money(found.amount_fen - found.recovered_fen):,} 元。",
            f"This was recorded before, or it is more than the outstanding "
            f"{Money(found.amount_fen - found.recovered_fen):,}.",
        ) from error
    if row.quota_year is None:
        raise _not_paid(row)
    scheme, year = row.scheme, row.quota_year
    budget = ledger.budget_account(scheme, year)
    transfers = [
        ledger.posted(ledger.clawback_account(scheme, year), budget, amount, "recovery", found.id),
        *returned_quota(work.connection, row.tenant, row.id, amount, "recovery", found.id),
    ]
    ledger.lock_accounts(work.connection, row.tenant, [each.credit for each in transfers])
    ledger.append(work.connection, row.tenant, transfers, work.at)
    details: dict[str, Json] = {
        "claim_no": row.claim_no, "recovery": str(recovery_id), "amount": str(amount), "bank_reference": bank_reference,
    }  # fmt: skip
    change = Change(row.tenant, actor, "clawback.recovered", found.id, "asked", "asked", details=details)
    record(work.connection, [change], work.at)
    return find_clawback(work.connection, row.id, clawback_id)


def list_clawbacks(connection: Connection, claim_id: UUID) -> list[Clawback]:
    """The claim's clawbacks, the oldest first."""
    rows = connection.exec_driver_sql(f"{_SELECT} where k.claim_id = %s order by k.made_at, k.id", (claim_id,))
    return [Clawback(*row) for row in rows]


def find_clawback(connection: Connection, claim_id: UUID, clawback_id: UUID) -> Clawback:
    """One clawback of the claim.

    Raises:
        NotFound: there is none.
    """
    row = connection.exec_driver_sql(
        f"{_SELECT} where k.claim_id = %s and k.id = %s",
        (claim_id, clawback_id),
    ).one_or_none()
    if row is None:
        raise not_found("追回记录", "clawback")
    return Clawback(*row)


_SELECT: Final = (
    "select k.id, k.claim_id, k.amount_fen, (select coalesce(sum(r.amount_fen), 0)::bigint from clawback_recovery r "
    "where r.tenant = k.tenant and r.clawback_id = k.id), k.reason, s.through_on, k.made_by, k.made_at "
    "from clawback k left join standing s on s.tenant = k.tenant and s.id = k.sanction_id"
)


def _ban(work: Work, row: ClaimRow, until: date, reason: str, actor: str) -> Change:
    """Store the enterprise's sanction (失信惩戒), from today through the day; its entry is still to be recorded."""
    today = shanghai_day(work.at)
    if until < today:
        said = Text("惩戒截止日已过。", "The last day of the sanction is over already.")
        raise Invalid("input.invalid", said.zh, said.en, errors=(FieldError("/sanction_until", "day.past", said),))
    sanction_id = new_id()
    insert_rows(
        work.connection,
        "standing",
        ("tenant", "id", "kind", "uscc", "from_on", "through_on", "cite", "set_by", "set_at"),
        [(row.tenant, sanction_id, "sanction", row.enterprise_uscc, today, until, reason, actor, work.at)],
    )
    details: dict[str, Json] = {
        "kind": "sanction", "uscc": row.enterprise_uscc, "from_on": today.isoformat(), "through_on": until.isoformat(),
        "claim_no": row.claim_no,
    }  # fmt: skip
    return Change(row.tenant, actor, "standing.sanctioned", sanction_id, None, "sanctioned", reason, details=details)


def _matching_left(work: Work, row: ClaimRow, left: Money) -> Money:
    """The matching of what is not asked back, by the version that the claim was assessed by."""
    policies = approved_policies(work.connection, row.tenant, [row.scheme], demonstration=True)
    return lowered_matching(work, policies.version(row.scheme, str(row.policy_version)), row, left)


def asked_of(connection: Connection, row: ClaimRow) -> int:
    """What was asked back of the claim already, in fen."""
    fen: int = connection.exec_driver_sql(
        "select coalesce(sum(amount_fen), 0)::bigint from clawback where tenant = %s and claim_id = %s",
        (row.tenant, row.id),
    ).scalar_one()
    return fen


def _notice(row: ClaimRow, amount: Money, *, whole: bool) -> Job:
    payload: dict[str, Json] = {
        "claim_id": str(row.id), "claim_no": row.claim_no, "external_id": row.external_id, "tenant": row.tenant,
        "amount": str(amount), "whole": whole,
    }  # fmt: skip
    return Job(NOTICE, payload, row.platform)


def _refusal(row: ClaimRow, error: IntegrityError) -> Conflict:
    if broken_constraint(error) == "clawback_within_paid":
        return Conflict(
            "clawback.too_much",
            f"追回金额超过申请 {row.claim_no} 尚未追回的已付金额。",
            f"More is asked back than is left of what claim {row.claim_no} was paid.",
        )
    return _not_paid(row)


def _not_paid(row: ClaimRow) -> Conflict:
    return Conflict(
        "claim.not_paid",
        f"申请 {row.claim_no} 没有已到账的拨付，不能追回。",
        f"Claim {row.claim_no} was not paid, so nothing can be asked back.",
    )
