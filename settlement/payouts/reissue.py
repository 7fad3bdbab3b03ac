"""What came back is issued again: the payee's account corrected by two people, cooled off, then owed once more.

The new obligation names the one that came back; the database lets each be taken up once, so that whatever comes back
and goes out again, there is one net subsidy, in the quota year of the first.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from settlement import ledger
from settlement.batches.obligation import account_place
from settlement.batches.publicity import calendar_of
from settlement.batches.settling import hold_batches
from settlement.office import Office
from settlement.payouts.instruction import Account
from settlement.payouts.outcomes import SURPLUS
from settlement.payouts.telling import tell_reissued
from settlement.second_person import APPROVE, require_second_person
from tenants.kernel.canonical import Json, plain
from tenants.kernel.change import Change, record
from tenants.kernel.clock import shanghai_day
from tenants.kernel.errors import Conflict, Text, not_found
from tenants.kernel.ids import new_id
from tenants.kernel.money import Money
from tenants.kernel.sealing import Place, mask_account
from tenants.kernel.statements import insert_rows
from tenants.kernel.workdays import publicity_through

COOLING_WORKING_DAYS: Final = 3
"""How long a corrected account waits before anything is paid to it."""
REISSUE: Final = "reissue"
"""The kind of an obligation that takes a returned one up, and of the batch that pays it."""


@dataclass(frozen=True, slots=True)
class Correction:
    """A proposed account for what came back, with its decision where there is one; the number is masked."""

    id: UUID
    obligation_id: UUID
    account_name: str
    account_tail: str
    bank_name: str
    cnaps: str
    reason: str
    proposed_by: str
    proposed_at: datetime
    outcome: str | None
    decided_by: str | None
    decided_at: datetime | None
    decision_reason: str | None
    cooling_through_on: date | None

    def json(self) -> dict[str, Json]:
        """The correction in the form of the API."""
        return {
            "id": str(self.id),
            "account_name": self.account_name,
            "account_number": self.account_tail,
            "bank_name": self.bank_name,
            "cnaps": self.cnaps,
            "reason": self.reason,
            "proposed_by": self.proposed_by,
            "proposed_at": plain(self.proposed_at),
            "outcome": self.outcome,
            "decided_by": self.decided_by,
            "decided_at": plain(self.decided_at),
            "decision_reason": self.decision_reason,
            "cooling_through": plain(self.cooling_through_on),
        }


@dataclass(frozen=True, slots=True)
class Proposal:
    """The account to be paid instead, its keyed digest (32 bytes, as ``settlement.batches.obligation``), and why."""

    account: Account
    payee_digest: bytes
    reason: str


def propose(
    connection: Connection, tenant: str, claim_id: UUID, proposal: Proposal, office: Office, actor: str, at: datetime
) -> Correction:
    """Propose the account to which what came back is to be paid.

    Raises:
        NotFound: the claim was never owed.
        Conflict: ``claim.not_returned``: its latest payment did not come back, or is issued again already.
    """
    back = _came_back(connection, tenant, claim_id)
    correction_id, account = new_id(), proposal.account
    tail = mask_account(account.account_number)
    insert_rows(
        connection,
        "account_correction",
        (
            "tenant", "id", "obligation_id", "instruction_id", "came_back", "account_name", "account_sealed",
            "account_tail", "payee_digest", "bank_name", "cnaps", "reason", "proposed_by", "proposed_at",
        ),
        [(
            tenant, correction_id, back.obligation_id, back.instruction_id, back.outcome, account.account_name,
            office.sealer.seal(account.account_number, correction_place(tenant, correction_id)), tail,
            proposal.payee_digest, account.bank_name, account.cnaps, proposal.reason, actor, at,
        )],
    )  # fmt: skip
    details: dict[str, Json] = {
        "claim_no": back.claim_no, "obligation": str(back.obligation_id), "instruction": str(back.instruction_id),
        "came_back": back.outcome, "account_name": account.account_name, "account_number": tail,
        "bank_name": account.bank_name, "cnaps": account.cnaps,
    }  # fmt: skip
    change = Change(
        tenant, actor, "correction.proposed", correction_id, None, "proposed", proposal.reason, details=details
    )
    record(connection, [change], at)
    return find_correction(connection, tenant, correction_id)


def decide(
    connection: Connection, tenant: str, correction_id: UUID, outcome: str, reason: str | None, actor: str, at: datetime
) -> Correction:
    """Approve or refuse a proposed account, by somebody else than who proposed it; the same again changes nothing.

    Raises:
        NotFound: there is no such correction.
        Forbidden: ``correction.four_eyes``.
        Conflict: ``correction.decided``.
        Invalid: ``correction.reason``: a refusal says why.
    """
    found = find_correction(connection, tenant, correction_id)
    _lock(connection, tenant)
    found = find_correction(connection, tenant, correction_id)
    if (found.outcome, found.decided_by) == (outcome, actor):
        return found
    if found.outcome is not None:
        raise Conflict("correction.decided", "该账户更正已有决定。", "The correction is decided already.")
    said = Text("账户更正须由另一人复核。", "Somebody else has to decide on the correction.")
    require_second_person("correction", said, found.proposed_by, actor, outcome, reason)
    through_on = None
    if outcome == APPROVE:
        calendar = calendar_of(connection, tenant)
        through_on = publicity_through(shanghai_day(at), COOLING_WORKING_DAYS, calendar).through_on
    insert_rows(
        connection,
        "account_correction_decision",
        (
            "tenant", "correction_id", "proposed_by", "outcome", "reason", "cooling_through_on", "decided_by",
            "decided_at",
        ),
        [(tenant, correction_id, found.proposed_by, outcome, reason, through_on, actor, at)],
    )  # fmt: skip
    after = "approved" if outcome == APPROVE else "refused"
    details: dict[str, Json] = {"cooling_through": plain(through_on)}
    change = Change(tenant, actor, f"correction.{after}", correction_id, "proposed", after, reason, details=details)
    record(connection, [change], at)
    return find_correction(connection, tenant, correction_id)


def reissue(connection: Connection, tenant: str, claim_id: UUID, office: Office, actor: str, at: datetime) -> UUID:
    """Owe again what came back, to the corrected account; a batch of kind ``reissue`` of its scheme and mode pays it.

    The id of the new obligation; doing it again is a conflict, since nothing has come back then.

    Raises:
        NotFound: the claim was never owed.
        Conflict: ``claim.not_returned``, ``claim.paid_twice``, ``correction.none``, ``correction.cooling_off``.
        tenants.kernel.database.StartAgainError: a statement of its batch was made meanwhile.
    """
    _lock(connection, tenant)
    back = _came_back(connection, tenant, claim_id)
    hold_batches(connection, tenant, [back.batch_id], at)
    _require_no_surplus(connection, tenant, back)
    approved = _approved(connection, tenant, back.obligation_id)
    if shanghai_day(at) <= approved.cooling_through_on:
        raise Conflict(
            "correction.cooling_off",
            f"更正后的账户冷静期至 {approved.cooling_through_on}，次日起才能重新拨付。",
            f"The corrected account cools off through {approved.cooling_through_on}; it is paid from the next day on.",
        )
    made = _owe_again(connection, tenant, back.obligation_id, approved, office, at)
    connection.exec_driver_sql(
        "insert into reissue "
        "(tenant, obligation_id, of_obligation, attempt, correction_id, cooling_through_on, made_by, made_at) "
        "select %s, %s, %s, count(*) + 1, %s, %s, %s, %s from reissue where tenant = %s and of_obligation = %s",
        (
            tenant, made, back.obligation_id, approved.id, approved.cooling_through_on, actor, at, tenant,
            back.obligation_id,
        ),
    )  # fmt: skip
    _move(connection, tenant, back, made, at)
    tell_reissued(connection, tenant, made, at)
    details: dict[str, Json] = {
        "claim_no": back.claim_no, "of": str(back.obligation_id), "correction": str(approved.id),
        "amount": str(Money(back.amount_fen)), "kind": REISSUE,
    }  # fmt: skip
    record(connection, [Change(tenant, actor, "reissue.made", made, None, "owed", details=details)], at)
    return made


def list_corrections(connection: Connection, tenant: str, claim_id: UUID) -> list[Correction]:
    """Every correction of the claim's payments, the oldest first."""
    return [
        Correction(*row)
        for row in connection.exec_driver_sql(
            f"{_CHAIN} {_CORRECTIONS} where c.tenant = %s and c.obligation_id in (select id from chain) "  # noqa: S608
            "order by c.proposed_at, c.id",
            (tenant, claim_id, tenant, tenant),
        )
    ]


def find_correction(connection: Connection, tenant: str, correction_id: UUID) -> Correction:
    """One correction.

    Raises:
        NotFound: the tenant has none with this id.
    """
    row = connection.exec_driver_sql(
        f"{_CORRECTIONS} where c.tenant = %s and c.id = %s",
        (tenant, correction_id),
    ).one_or_none()
    if row is None:
        raise not_found("账户更正", "correction")
    return Correction(*row)


def correction_place(tenant: str, correction_id: UUID) -> Place:
    """Where a corrected account number is sealed."""
    return Place("account_correction", "account_sealed", tenant, str(correction_id))


UNDONE: Final = (
    "exists (select 1 from reissue_undone e where e.tenant = r.tenant and e.obligation_id = r.obligation_id)"
)
"""That an upheld objection has undone the re-issue ``r``, so that what came back may be issued again once more."""
_CORRECTIONS: Final = (
    "select c.id, c.obligation_id, c.account_name, c.account_tail, c.bank_name, c.cnaps, c.reason, c.proposed_by, "
    "c.proposed_at, d.outcome, d.decided_by, d.decided_at, d.reason, d.cooling_through_on from account_correction c "
    "left join account_correction_decision d on d.tenant = c.tenant and d.correction_id = c.id"
)
_CHAIN: Final = (
    "with recursive chain (id, step) as ("  # noqa: S608 - our own
    "select id, 0 from obligation where tenant = %s and id = %s union all "
    "select r.obligation_id, c.step + 1 from chain c join reissue r on r.tenant = %s and r.of_obligation = c.id "
    f"and not {UNDONE})"
)
"""The claim's obligation, and those that took it up again and stand, in order."""
_LATEST: Final = (
    f"{_CHAIN} select o.id as obligation_id, o.claim_no, o.scheme, o.quota_year, o.amount_fen, "  # noqa: S608 - ours
    "o.batch_id, i.instruction_id, "
    "(select max(x.outcome) from instruction_outcome x where x.tenant = o.tenant "
    "and x.instruction_id = i.instruction_id and x.outcome in ('returned', 'rejected')) as outcome "
    "from chain c join obligation o on o.tenant = %s and o.id = c.id "
    "left join instruction_claim i on i.tenant = o.tenant and i.claim_id = o.id order by c.step desc limit 1"
)


def _came_back(connection: Connection, tenant: str, claim_id: UUID) -> Any:  # noqa: ANN401 - a row of _LATEST
    """The claim's latest payment, which came back."""
    row = connection.exec_driver_sql(_LATEST, (tenant, claim_id, tenant, tenant)).one_or_none()
    if row is None:
        raise not_found("应付款", "obligation")
    if row.outcome is None:
        raise Conflict(
            "claim.not_returned",
            f"申请 {row.claim_no} 的最近一次拨付没有退汇或被拒绝。",
            f"The latest payment of claim {row.claim_no} was neither returned nor rejected.",
        )
    return row


def _approved(connection: Connection, tenant: str, obligation_id: UUID) -> Any:  # noqa: ANN401 - a row
    """The correction by two people that nothing was issued to yet."""
    approved = connection.exec_driver_sql(
        "select c.id, c.account_name, c.account_sealed, c.payee_digest, c.bank_name, c.cnaps, d.cooling_through_on "
        "from account_correction c "
        "join account_correction_decision d on d.tenant = c.tenant and d.correction_id = c.id "
        "where c.tenant = %s and c.obligation_id = %s and d.outcome = 'approve' and not exists ("
        "select 1 from reissue r where r.tenant = c.tenant and r.correction_id = c.id) "
        "order by d.decided_at desc limit 1",
        (tenant, obligation_id),
    ).one_or_none()
    if approved is None:
        raise Conflict(
            "correction.none",
            "收款账户尚未经两人更正，不能重新拨付。",
            "The payee's account has not been corrected by two people yet; nothing is issued again.",
        )
    return approved


def _require_no_surplus(connection: Connection, tenant: str, back: Any) -> None:  # noqa: ANN401 - a row of _LATEST
    """Refuse to pay again what the bank paid more often than it came back: the payee still has it."""
    surplus = connection.exec_driver_sql(
        f"select {SURPLUS} from instruction i where i.tenant = %s and i.id = %s",  # noqa: S608 - our own
        (tenant, back.instruction_id),
    ).scalar_one()
    if surplus > 0:
        raise Conflict(
            "claim.paid_twice",
            f"申请 {back.claim_no} 的拨付被银行重复执行，尚有一笔未退回，不能重新拨付。",
            f"The bank paid claim {back.claim_no} twice, and only one payment came back: it is not issued again.",
        )


def _owe_again(
    connection: Connection,
    tenant: str,
    of_obligation: UUID,
    approved: Any,  # noqa: ANN401 - the row of the approved correction
    office: Office,
    at: datetime,
) -> UUID:
    """The same obligation under a new id, to the corrected account."""
    made = new_id()
    number = office.sealer.unseal(bytes(approved.account_sealed), correction_place(tenant, approved.id))
    connection.exec_driver_sql(
        "insert into obligation (tenant, id, claim_no, platform, scheme, mode, quota_year, enterprise_name, "
        "provider_name, provider_uscc, payee_name, account_name, account_sealed, payee_digest, bank_name, cnaps, "
        "amount_fen, approved_at, kind) "
        "select tenant, %s, claim_no, platform, scheme, mode, quota_year, enterprise_name, "
        "provider_name, provider_uscc, payee_name, %s, %s, %s, %s, %s, amount_fen, %s, %s from obligation "
        "where tenant = %s and id = %s",
        (
            made, approved.account_name, office.sealer.seal(number, account_place(tenant, made)),
            bytes(approved.payee_digest), approved.bank_name, approved.cnaps, at, REISSUE, tenant,
            of_obligation,
        ),
    )  # fmt: skip
    return made


def _move(connection: Connection, tenant: str, back: Any, made: UUID, at: datetime) -> None:  # noqa: ANN401 - a row
    """From what came back to what is owed, in the quota year of the first."""
    debit = ledger.returned_account(back.scheme, back.quota_year)
    credit = ledger.obligations_account(back.scheme, back.quota_year)
    ledger.append(connection, tenant, [ledger.posted(debit, credit, Money(back.amount_fen), "reissue", made)], at)


def _lock(connection: Connection, tenant: str) -> None:
    """One at a time for a tenant: these are rare, and two people may click at once."""
    connection.exec_driver_sql("select 1 from payout_account where tenant = %s for no key update", (tenant,))
