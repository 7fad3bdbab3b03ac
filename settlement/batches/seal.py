"""The seal of a batch (封存): its items can never change again; root, totals and the seal before it are signed."""

from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from settlement.batches.batch import Batch, change_batch, control_totals, lock_batch, next_number, record_step
from settlement.batches.batch_states import SEAL, already_done, require_start
from settlement.batches.progress import Tell, teller
from settlement.batches.publicity import calendar_of, require_publicity_over
from settlement.formats.pain001 import VERSIONS
from settlement.office import Office
from settlement.payouts.instruction import InstructionError
from settlement.payouts.judged_items import Rehearsal
from settlement.payouts.paying_account import paying_account
from settlement.payouts.payments import Signing, prepare_for_whole_batch, purpose_of, rehearsed_batch
from settlement.payouts.sealed_items import root_of
from settlement.signatures.keys import ensure_payout_key, public_keys, refuse_revoked
from settlement.signatures.merkle import EMPTY_ROOT
from settlement.signatures.signing import SEAL as SEAL_TYPE
from settlement.signatures.signing import SigningKey, compact_signer, verify_compact
from tenants.kernel.canonical import canonical_bytes, sha256
from tenants.kernel.clock import shanghai_day
from tenants.kernel.errors import Conflict
from tenants.kernel.workdays import publicity_through

FIRST_SEAL: Final = "0" * 64
"""What stands in place of the previous seal in a tenant's first."""


def seal(connection: Connection, tenant: str, batch_id: UUID, office: Office, actor: str, at: datetime) -> Batch:
    """Seal the batch from the day after its publicity on, when its payment file would be valid.

    A provisional last day is counted again by the calendar as it is now.

    Raises:
        NotFound: the tenant has no such batch.
        Conflict: ``batch.state``, ``publicity.provisional``, ``publicity.running``, ``payout_account.unset``,
            ``payout_account.demonstration``, ``key.revoked``, ``batch.unpayable``.
    """
    batch = lock_batch(connection, tenant, batch_id)
    if already_done(batch, SEAL, actor):
        return batch
    require_start(batch, SEAL)
    counted = _count_again(connection, batch)
    require_publicity_over(counted, shanghai_day(at))
    tell = teller(connection, batch)
    tell("seal", 0)  # the crew that looks at the items takes a second to be there
    require_totals(connection, batch)
    prepare_for_whole_batch(connection)
    key = ensure_payout_key(connection, tenant, office, at)
    root = _payable_root(connection, batch, key, office, at, tell)
    previous, number = _previous(connection, tenant)
    record = {
        "tenant": tenant, "batch": batch.batch_no, "batch_id": batch.id, "seal_no": number, "scheme": batch.scheme,
        "mode": batch.mode, "kind": batch.kind, "cut_off_at": batch.cut_off_at,
        "published_on": counted.published_on, "publicity_through_on": counted.publicity_through_on,
        "calendar_version": counted.calendar_version, "count": batch.item_count, "total": batch.total,
        "merkle_root": root, "previous_seal": previous, "sealed_by": actor, "sealed_at": at, "kid": key.kid,
    }  # fmt: skip
    token = _signed(connection, canonical_bytes(record), key, at)
    sealed = change_batch(
        connection,
        batch,
        state=SEAL.ends,
        state_by=actor,
        publicity_through_on=counted.publicity_through_on,
        publicity_provisional=counted.publicity_provisional,
        calendar_version=counted.calendar_version,
        sealed_by=actor,
        sealed_at=at,
        seal_no=number,
        merkle_root=root,
        previous_seal=previous,
        seal_jws=token,
        seal_sha256=sha256(token.encode()).hex(),
    )
    record_step(connection, batch, sealed, "sealed", actor, at)
    refuse_revoked(connection, tenant, key.kid)
    return sealed


def require_totals(connection: Connection, batch: Batch) -> None:
    """Refuse to go on with a batch whose items do not add up to its control totals (I12).

    Raises:
        Conflict: ``batch.totals_differ``; somebody changed rows by hand.
    """
    if control_totals(connection, batch) != (batch.item_count, batch.total_fen):
        raise Conflict(
            "batch.totals_differ",
            f"批次 {batch.batch_no} 的明细与控制总数不符，已停止处理，请核查。",
            f"The items of batch {batch.batch_no} do not add up to its control totals; it goes no further.",
        )


def _count_again(connection: Connection, batch: Batch) -> Batch:
    """The batch with its last day of publicity as the calendar has it now, where that was provisional."""
    if not batch.publicity_provisional or batch.published_on is None or batch.working_days is None:
        return batch
    publicity = publicity_through(batch.published_on, batch.working_days, calendar_of(connection, batch.tenant))
    return replace(
        batch,
        publicity_through_on=publicity.through_on,
        publicity_provisional=publicity.provisional,
        calendar_version=publicity.calendar_version,
    )


def _payable_root(
    connection: Connection, batch: Batch, key: SigningKey, office: Office, at: datetime, tell: Tell
) -> str:
    """The Merkle root over the items, once the payment message they would make is valid by the official schema."""
    try:
        rehearsal = _rehearsal(connection, batch, key, office, at) if batch.item_count else None
        root, faults = root_of(connection, batch, office, tell, rehearsal)
    except InstructionError as error:
        raise _unpayable(batch, str(error)) from error
    if faults:
        raise _unpayable(batch, faults[0])
    return root


def _rehearsal(connection: Connection, batch: Batch, key: SigningKey, office: Office, at: datetime) -> Rehearsal:
    chosen = office.banks.get(batch.tenant)
    no_root_yet = EMPTY_ROOT.hex()  # no message shows it
    signing = Signing(no_root_yet, paying_account(connection, batch, office), at, key.kid)
    version = VERSIONS[0] if chosen is None else chosen.pain_version
    return Rehearsal(rehearsed_batch(connection, batch, signing, office), version, purpose_of(batch, office))


def _previous(connection: Connection, tenant: str) -> tuple[str, int]:
    """The hash of the tenant's latest seal and the next number; the series stays locked until the commit."""
    number = next_number(connection, tenant, "seal")
    row = connection.exec_driver_sql(
        "select seal_sha256 from batch where tenant = %s and seal_no = %s", (tenant, number - 1)
    ).one_or_none()
    return (FIRST_SEAL if row is None else row.seal_sha256), number


def _signed(connection: Connection, payload: bytes, key: SigningKey, at: datetime) -> str:
    """The seal as a compact JWS, verified with the public key as it is published (I16)."""
    token = compact_signer(key, SEAL_TYPE)(payload)
    verified, public = verify_compact(token, SEAL_TYPE, public_keys(connection, key.tenant))
    public.require_valid_at(at)
    if verified != payload:
        raise RuntimeError("the seal does not verify")
    return token


def _unpayable(batch: Batch, fault: str) -> Conflict:
    return Conflict(
        "batch.unpayable",
        f"批次 {batch.batch_no} 试生成的 pain.001 未通过官方格式校验，不能封存：{fault}",
        f"The rehearsed pain.001 of batch {batch.batch_no} is not valid, so it cannot be sealed: {fault}",
    )
