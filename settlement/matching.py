"""Matching (联动配套): what linked regions owe enterprises on top of a province's awards, and when it is due.

A claim's matching is posted in the province's ledger when it is approved. Its payout makes it due some months later
(the policy says how many). Where the linked region is a tenant here, the obligation appears in its own books too, and
is paid by a batch of kind ``matching``; else the province's finance records the payment that the region reports.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import NAMESPACE_OID, UUID, uuid5

from sqlalchemy import Connection

from settlement import ledger
from settlement.batches.batch import Batch, lock_batch
from settlement.batches.obligation import Obligation, account_place, open_obligations
from settlement.office import Office
from settlement.payouts.instruction import Account
from settlement.payouts.payments import ROWS_AT_ONCE, stream
from tenants.kernel.canonical import plain
from tenants.kernel.change import Change, lock_chains, record
from tenants.kernel.clock import shanghai_day
from tenants.kernel.errors import Conflict, FieldError, Invalid, Text, not_found
from tenants.kernel.ids import new_id
from tenants.kernel.money import Money
from tenants.kernel.statements import insert_rows
from tenants.policy_store import approved_policies

MATCHING: Final = "matching"
DEFAULT_DUE_MONTHS: Final = 3
"""苏科统发〔2021〕1号 附件2 承诺1, where the policy does not say."""

_POSTED: Final = (
    "select i.claim_id, t.amount_fen, split_part(t.credit, '/', 4) as division, o.claim_no, o.platform, o.quota_year, "
    "o.mode, o.enterprise_name, o.provider_name, o.provider_uscc, o.provider_division, o.payee_name, o.account_name, "
    "o.account_sealed, o.payee_digest, o.bank_name, o.cnaps "
    "from batch_item i join obligation o on o.tenant = i.tenant and o.id = i.claim_id "
    "join ledger_transfer t on t.tenant = i.tenant and t.subject_id = i.claim_id and t.kind in ('post', 'posted') "
    "and starts_with(t.credit, 'matching-payable/') and t.reverses is null and not exists ("
    "select 1 from ledger_transfer r where r.tenant = t.tenant and r.reverses = t.id) "
    "where i.tenant = %s and i.batch_id = %s and i.removed_at is null order by i.line"
)


def make_due(connection: Connection, batch: Batch, office: Office, at: datetime, *, demonstration: bool) -> None:
    """Make the matching of every claim of the batch due, in the linked tenants' books too; again changes nothing.

    The transaction has to be bound to all tenants.
    """
    if batch.kind != batch.mode:
        return
    due_on = due_day(connection, batch, at, demonstration=demonstration)
    governed = [
        (division, side)
        for side, divisions in connection.exec_driver_sql("select tenant, divisions from tenant")
        for division in divisions
        if side != batch.tenant
    ]
    for rows in stream(connection, _POSTED, (batch.tenant, batch.id)).partitions(ROWS_AT_ONCE):
        made = [(row, _obligation(batch, row, governed, due_on, office)) for row in rows]
        _hand_on(connection, [each for each in made if each[1] is not None], office, at)
        insert_rows(
            connection,
            "matching_due",
            (
                "tenant", "claim_id", "batch_id", "division", "amount_fen", "due_on", "linked", "obligation_id",
                "made_at",
            ),
            [
                (
                    batch.tenant, row.claim_id, batch.id, row.division, row.amount_fen, due_on,
                    None if made_of is None else made_of[0], None if made_of is None else made_of[1].claim_id, at,
                )
                for row, made_of in made
            ],
        )  # fmt: skip


def make_overlooked_due(connection: Connection, office: Office) -> bool:
    """Make the matching of one instructed batch due that has none yet and ought to; whether there was one.

    It is due as if it had been made when the batch was instructed. The transaction has to be bound to all tenants.
    """
    row = connection.exec_driver_sql(
        "select b.tenant, b.id from batch b where b.instructed_at is not null and b.kind = b.mode "
        "and not exists (select 1 from matching_due d where d.tenant = b.tenant and d.batch_id = b.id) and exists ("
        "select 1 from batch_item i join ledger_transfer t on t.tenant = i.tenant and t.subject_id = i.claim_id "
        "and t.kind in ('post', 'posted') and starts_with(t.credit, 'matching-payable/') and t.reverses is null "
        "and not exists (select 1 from ledger_transfer r where r.tenant = t.tenant and r.reverses = t.id) "
        "where i.tenant = b.tenant and i.batch_id = b.id and i.removed_at is null) order by b.instructed_at limit 1"
    ).one_or_none()
    if row is None:
        return False
    batch = lock_batch(connection, row.tenant, row.id)
    if batch.instructed_at is None:
        raise ValueError("the batch is not instructed")
    if connection.exec_driver_sql(
        "select 1 from matching_due where tenant = %s and batch_id = %s limit 1", (batch.tenant, batch.id)
    ).first():
        return True  # somebody else just did it; there may be another batch
    make_due(connection, batch, office, batch.instructed_at, demonstration=office.demonstration)
    return True


Handed = tuple[str, Obligation]


def _hand_on(connection: Connection, made: Sequence[tuple[Any, Handed | None]], office: Office, at: datetime) -> None:
    """Open the obligations in the linked tenants' books, their money from what matching costs them."""
    by_tenant: dict[str, list[Obligation]] = {}
    for _, handed in made:
        if handed is not None:
            by_tenant.setdefault(handed[0], []).append(handed[1])
    for tenant, obligations in sorted(by_tenant.items()):
        transfers = [
            ledger.posted(
                ledger.matching_expense_account(o.scheme, o.quota_year),
                ledger.obligations_account(o.scheme, o.quota_year),
                o.amount, MATCHING, o.claim_id,
            )
            for o in obligations
        ]  # fmt: skip
        ledger.open_accounts(connection, tenant, {code: False for t in transfers for code in (t.debit, t.credit)})
        ledger.append(connection, tenant, transfers, at)
        open_obligations(connection, tenant, obligations, office.sealer, at)


def settle_by_batch(connection: Connection, batch: Batch, at: datetime) -> None:
    """A linked tenant's matching batch is instructed: what it pays is due no more, in the provinces' books as well.

    The transaction has to be bound to all tenants.
    """
    rows = connection.exec_driver_sql(
        "select d.tenant, d.claim_id from matching_due d join batch_item i on i.tenant = d.linked "
        "and i.claim_id = d.obligation_id where i.tenant = %s and i.batch_id = %s and i.removed_at is null "
        "and d.paid_on is null order by d.tenant, d.claim_id",
        (batch.tenant, batch.id),
    ).all()
    changes: list[Change] = []
    for tenant in sorted({row.tenant for row in rows}):
        ids = [row.claim_id for row in rows if row.tenant == tenant]
        changes += _settled(connection, tenant, ids, shanghai_day(at), batch.batch_no, "system", at)
    lock_chains(connection, [batch.tenant, *(change.tenant for change in changes)])
    record(connection, changes, at)


def record_payment(
    connection: Connection, tenant: str, claim_id: UUID, paid_on: date, document: str, actor: str, at: datetime
) -> None:
    """Record that a linked region that is no tenant here has paid; the same again changes nothing.

    Raises:
        Invalid: it lies ahead.
        NotFound: no such matching is due.
        Conflict: ``matching.paid``: recorded otherwise before; ``matching.in_books``: a tenant pays it by its batch;
            ``matching.nothing``: it was taken back.
    """
    if paid_on > shanghai_day(at):
        said = Text("支付日不能晚于今天。", "The payment cannot lie ahead.")
        raise Invalid("input.invalid", said.zh, said.en, errors=(FieldError("/paid_on", "day.ahead", said),))
    row = connection.exec_driver_sql(
        "select linked, obligation_id, paid_on, paid_document, amount_fen - waiting_fen - freed_fen as owed_fen "
        "from matching_due where tenant = %s and claim_id = %s "
        "for no key update",
        (tenant, claim_id),
    ).one_or_none()
    if row is None:
        raise not_found("应付配套", "matching")
    if row.paid_on is not None:
        if (row.paid_on, row.paid_document) == (paid_on, document):
            return
        raise Conflict("matching.paid", "该笔配套已登记支付。", "The matching was recorded as paid already.")
    if row.obligation_id is not None:
        raise Conflict(
            "matching.in_books",
            "联动地区在本系统内，其配套批次发出后自动登记。",
            "The linked region is a tenant here: its own matching batch records the payment.",
        )
    if not row.owed_fen:
        raise Conflict("matching.nothing", "该笔配套已无须支付。", "Nothing of the matching is owed any more.")
    record(connection, _settled(connection, tenant, [claim_id], paid_on, document, actor, at), at)


def _settled(
    connection: Connection, tenant: str, ids: Sequence[UUID], paid_on: date, document: str, actor: str, at: datetime
) -> list[Change]:
    """Book the payment of the matchings; what the tenant's chain has to say of it."""
    rows = connection.exec_driver_sql(
        "select d.claim_id, d.division, d.amount_fen - d.waiting_fen - d.freed_fen as amount_fen, o.scheme, "
        "o.quota_year from matching_due d "
        "join obligation o on o.tenant = d.tenant and o.id = d.claim_id where d.tenant = %s and d.claim_id = any(%s) "
        "order by d.claim_id",
        (tenant, list(ids)),
    ).all()
    transfers = [
        ledger.posted(
            ledger.matching_payable_account(row.scheme, row.quota_year, row.division),
            ledger.matching_paid_account(row.scheme, row.quota_year, row.division),
            Money(row.amount_fen), document, matching_subject(tenant, row.claim_id),
        )
        for row in rows
    ]  # fmt: skip
    ledger.open_accounts(connection, tenant, {code: False for t in transfers for code in (t.debit, t.credit)})
    ledger.append(connection, tenant, transfers, at)
    connection.exec_driver_sql(
        "update matching_due set paid_on = %s, paid_document = %s, paid_by = %s, paid_at = %s "
        "where tenant = %s and claim_id = any(%s)",
        (paid_on, document, actor, at, tenant, list(ids)),
    )
    return [
        Change(
            tenant, actor, "matching.paid", matching_subject(tenant, row.claim_id),
            details={
                "claim_id": str(row.claim_id), "amount": str(Money(row.amount_fen)), "paid_on": plain(paid_on),
                "document": document,
            },
        )
        for row in rows
    ]  # fmt: skip


def matching_subject(tenant: str, claim_id: UUID) -> UUID:
    """The id under which ledger and audit chain speak of a claim's matching once it is paid."""
    return uuid5(NAMESPACE_OID, f"matching/{tenant}/{claim_id}")


def months_after(day: date, months: int) -> date:
    """The same day of a later month, or that month's last."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    for last in range(day.day, 27, -1):
        try:
            return date(year, month + 1, last)
        except ValueError:
            continue
    return date(year, month + 1, day.day)


def due_day(connection: Connection, batch: Batch, at: datetime, *, demonstration: bool) -> date:
    """The day until which the matching of what the batch pays is due."""
    return months_after(shanghai_day(at), _due_months(connection, batch, at, demonstration=demonstration))


def _due_months(connection: Connection, batch: Batch, at: datetime, *, demonstration: bool) -> int:
    policies = approved_policies(connection, batch.tenant, [batch.scheme], demonstration=demonstration)
    policy = policies.in_force(batch.scheme, shanghai_day(at))
    term = None if policy is None else policy.payout.matching_due_months
    return DEFAULT_DUE_MONTHS if term is None else term.value


def _obligation(
    batch: Batch,
    row: Any,  # noqa: ANN401 - a row of _POSTED
    governed: Sequence[tuple[str, str]],
    due_on: date,
    office: Office,
) -> Handed | None:
    """The linked tenant and its obligation; ``None`` where it is no tenant, or the enterprise's account is unknown."""
    holding = [(prefix, side) for prefix, side in governed if row.division.startswith(prefix)]
    if not holding or row.mode != "common_use":
        return None
    _, linked = max(holding, key=lambda each: len(each[0]))
    number = office.sealer.unseal(bytes(row.account_sealed), account_place(batch.tenant, row.claim_id))
    obligation = Obligation(
        claim_id=new_id(), claim_no=row.claim_no, platform=row.platform, scheme=batch.scheme, mode=row.mode,
        quota_year=row.quota_year, enterprise_name=row.enterprise_name, provider_name=row.provider_name,
        provider_uscc=row.provider_uscc, payee_name=row.payee_name,
        payee=Account(row.account_name, number, row.bank_name, row.cnaps), payee_digest=bytes(row.payee_digest),
        amount=Money(row.amount_fen), provider_division=row.provider_division, kind=MATCHING, funder=batch.tenant,
        origin_id=row.claim_id, due_on=due_on,
    )  # fmt: skip
    return linked, obligation
