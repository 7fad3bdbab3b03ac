"""A batch whose providers their home region pays: its release makes debts of the one and obligations of the other.

Everything is one transaction over both tenants' books: in the funder's the obligation becomes a debt, in the home
tenant's the claim on the funder becomes an obligation to its own provider, which goes into a batch of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from settlement import ledger
from settlement.agreements.agreement import find_agreement
from settlement.batches.batch import Batch, change_batch, record_step
from settlement.batches.batch_states import CLOSE_SETTLED, RELEASE, already_done, require_start
from settlement.batches.obligation import Obligation, account_place, open_obligations
from settlement.batches.two_releasers import sign_as_last
from settlement.cycles.cycle import hold_open
from settlement.cycles.exposure import held_at_limit
from settlement.office import Office
from settlement.payouts.instruction import Account
from settlement.payouts.payments import ROWS_AT_ONCE, stream
from tenants.kernel.change import Change, lock_chains, record
from tenants.kernel.errors import Conflict
from tenants.kernel.ids import new_id
from tenants.kernel.money import Money
from tenants.kernel.statements import insert_rows

HOME_REGION: Final = "home_region"


@dataclass(frozen=True, slots=True)
class _Window:
    """Where the debts fall, and how they are netted there."""

    cycle_id: UUID
    netting: str


_ITEMS: Final = (
    "select i.claim_id, o.claim_no, o.platform, o.quota_year, o.enterprise_name, o.provider_name, o.provider_uscc, "
    "o.payee_name, o.account_name, o.account_sealed, o.payee_digest, o.bank_name, o.cnaps, o.amount_fen, "
    "o.provider_division from batch_item i join obligation o on o.tenant = i.tenant and o.id = i.claim_id "
    "where i.tenant = %s and i.batch_id = %s and i.removed_at is null order by i.line"
)


def release_to_home_region(connection: Connection, batch: Batch, office: Office, actor: str, at: datetime) -> Batch:
    """Release the locked, sealed batch to the home region; above the exposure limit it is held and stays sealed.

    The transaction has to be bound to both tenants.

    Raises:
        Conflict: ``cycle.none_open``.
    """
    if batch.agreement_id is None or batch.counterparty is None:
        raise ValueError("the batch goes by no agreement")
    # locked: of two batches that together pass the limit, the second sees what the first made the tenant owe
    agreement = find_agreement(connection, batch.tenant, batch.agreement_id, lock=True)
    window = _Window(hold_open(connection, agreement.agreement_set), agreement.netting)
    if held_at_limit(connection, batch, agreement, actor, at):
        return batch
    for rows in stream(connection, _ITEMS, (batch.tenant, batch.id)).partitions(ROWS_AT_ONCE):
        _hand_on(connection, batch, batch.counterparty, window, rows, office, at)
    lock_chains(connection, (batch.tenant, batch.counterparty))  # a releaser's first signature makes a key, and tells
    sign_as_last(connection, batch, office, actor, at)
    released = change_batch(connection, batch, state=RELEASE.ends, state_by=actor, released_by=actor, released_at=at)
    received = Change(
        batch.counterparty, actor, "obligations.received", batch.id,
        details={"funder": batch.tenant, "batch_no": batch.batch_no, "count": batch.item_count,
                 "total": str(batch.total)},
    )  # fmt: skip
    record_step(connection, batch, released, "released", actor, at)
    record(connection, [received], at)
    return released


def close_settled(connection: Connection, batch: Batch, actor: str, at: datetime) -> Batch:
    """Close the locked batch once every debt that it made is settled.

    Raises:
        Conflict: ``batch.state``, ``batch.unsettled``.
    """
    if already_done(batch, CLOSE_SETTLED, actor):
        return batch
    require_start(batch, CLOSE_SETTLED)
    if connection.exec_driver_sql(
        "select 1 from clearing_debt d join clearing_cycle c on c.id = d.cycle_id "
        "where d.tenant = %s and d.batch_id = %s and c.state <> 'settled' limit 1",
        (batch.tenant, batch.id),
    ).first():
        raise Conflict(
            "batch.unsettled",
            f"批次 {batch.batch_no} 形成的区域间债务尚未清算完毕，不能关闭。",
            f"What batch {batch.batch_no} made the tenant owe is not settled yet.",
        )
    closed = change_batch(connection, batch, state=CLOSE_SETTLED.ends, state_by=actor)
    record_step(connection, batch, closed, "closed", actor, at)
    return closed


def _hand_on(
    connection: Connection, batch: Batch, home: str, window: _Window, rows: Sequence[Any], office: Office, at: datetime
) -> None:
    """Some items: the debt in the funder's books, its mirror and the obligation in the home tenant's."""
    handed = [(row, _obligation(batch, row, office)) for row in rows]
    owing: list[ledger.Transfer] = []
    owed: list[ledger.Transfer] = []
    for row, obligation in handed:
        year, scheme = row.quota_year, batch.scheme
        obligations = ledger.obligations_account(scheme, year)
        debt, mirror = (ledger.clearing_account(scheme, year, side) for side in (home, batch.tenant))
        owing.append(ledger.posted(obligations, debt, obligation.amount, batch.batch_no, row.claim_id))
        owed.append(ledger.posted(mirror, obligations, obligation.amount, batch.batch_no, obligation.claim_id))
    for tenant, transfers in ((batch.tenant, owing), (home, owed)):
        ledger.open_accounts(connection, tenant, {code: False for t in transfers for code in (t.debit, t.credit)})
        ledger.append(connection, tenant, transfers, at)
    open_obligations(connection, home, [obligation for _, obligation in handed], office.sealer, at)
    insert_rows(
        connection,
        "clearing_debt",
        (
            "tenant", "claim_id", "creditor", "obligation_id", "batch_id", "cycle_id", "netting", "scheme",
            "quota_year", "amount_fen", "transfer_id", "creditor_transfer_id", "posted_at",
        ),
        [
            (
                batch.tenant, row.claim_id, home, obligation.claim_id, batch.id, window.cycle_id, window.netting,
                batch.scheme, row.quota_year, obligation.amount.fen, debt.transfer_id, mirror.transfer_id, at,
            )
            for (row, obligation), debt, mirror in zip(handed, owing, owed, strict=True)
        ],
    )  # fmt: skip


def _obligation(batch: Batch, row: Any, office: Office) -> Obligation:  # noqa: ANN401 - a row of _ITEMS
    number = office.sealer.unseal(bytes(row.account_sealed), account_place(batch.tenant, row.claim_id))
    return Obligation(
        claim_id=new_id(),
        claim_no=row.claim_no,
        platform=row.platform,
        scheme=batch.scheme,
        mode=batch.mode,
        quota_year=row.quota_year,
        enterprise_name=row.enterprise_name,
        provider_name=row.provider_name,
        provider_uscc=row.provider_uscc,
        payee_name=row.payee_name,
        payee=Account(row.account_name, number, row.bank_name, row.cnaps),
        payee_digest=bytes(row.payee_digest),
        amount=Money(row.amount_fen),
        provider_division=row.provider_division,
        kind=HOME_REGION,
        funder=batch.tenant,
        origin_id=row.claim_id,
    )
