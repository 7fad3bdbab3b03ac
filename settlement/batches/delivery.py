"""Instructing (生成拨付指令): a released batch's instructions are signed, its files written, verified and stored.

One transaction: a worker killed at any moment leaves nothing, and the outbox brings the job again.
"""

import tempfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy import Connection

from settlement.batches.batch import Batch, change_batch, lock_batch, next_number, record_step
from settlement.batches.batch_files import store_files
from settlement.batches.batch_states import INSTRUCT, require_start
from settlement.batches.progress import Tell, teller
from settlement.batches.release_record import release_tokens
from settlement.batches.transit import pay_on
from settlement.cycles.clearing_order import make_pay_in
from settlement.formats.bank_table import PRESETS
from settlement.formats.folder import MANIFEST, write_folder
from settlement.formats.manifest import FIRST_PREVIOUS, Chain, manifest_hash
from settlement.formats.payout_batch import PayoutBatch
from settlement.formats.rendering import FileChoices
from settlement.matching import MATCHING, make_due, settle_by_batch
from settlement.matching_back import make_due_again
from settlement.office import Office
from settlement.offline import verify_batch
from settlement.payouts.instruction import Instruction
from settlement.payouts.paying_account import paying_account
from settlement.payouts.payments import Signing, instructions, payout_batch, prepare_for_whole_batch
from settlement.payouts.sealed_items import root_of
from settlement.signatures.keys import ensure_payout_key, jwks, refuse_revoked
from tenants.kernel.errors import Conflict

TOLD_EVERY = 5_000
"""After how many lines it is told again how far the files are."""
WORKER = "system"
"""Who instructs: no person, the worker does what was released."""


def instruct(connection: Connection, tenant: str, batch_id: UUID, office: Office, at: datetime) -> Batch:
    """Sign and write what was released; a batch that is instructed already stays as it is.

    The key is the tenant's active one at this moment: a revoked key signs nothing (I25), whatever was released.

    Raises:
        NotFound: the tenant has no such batch.
        Conflict: ``batch.state``, ``batch.root_differs``, ``batch.unsigned``, ``key.revoked``,
            ``payout_account.unset``, ``payout_account.demonstration``; nothing was stored.
        settlement.payouts.instruction.InstructionError: the items do not make valid instructions any more.
        RuntimeError: the files do not verify.
    """
    batch = lock_batch(connection, tenant, batch_id)
    if batch.instructed_at is not None:
        return batch
    require_start(batch, INSTRUCT)
    prepare_for_whole_batch(connection)
    tell = teller(connection, batch)
    root, _ = root_of(connection, batch, office, tell)
    if root != batch.merkle_root:
        raise _differs(batch)
    key = ensure_payout_key(connection, tenant, office, at)
    signing = Signing(root, paying_account(connection, batch, office), at, key.kid)
    totals = payout_batch(connection, batch, signing)
    _require_released(connection, batch, totals)
    chain = _chain(connection, batch)
    with tempfile.TemporaryDirectory(prefix="batch-") as made:
        folder = Path(made)
        files = write_folder(
            folder, totals, lambda: _told(instructions(connection, batch, signing, office), tell), key, chain,
            _choices(office, tenant),
        )  # fmt: skip
        tell("verify", 0)
        _verify(connection, batch, folder, chain.previous)
        manifest_sha256 = manifest_hash((folder / MANIFEST).read_bytes())
        tell("store", batch.item_count)
        store_files(connection, batch, folder, files, office.sealer)
    _follow_up(connection, batch, signing, office)
    instructed = change_batch(
        connection,
        batch,
        state=INSTRUCT.ends,
        state_by=WORKER,
        instructed_at=at,
        manifest_no=chain.number,
        manifest_sha256=manifest_sha256,
    )
    record_step(connection, batch, instructed, "instructed", WORKER, at)
    refuse_revoked(connection, tenant, key.kid)
    return instructed


def _told(instructions: Iterable[Instruction], tell: Tell) -> Iterator[Instruction]:
    for number, instruction in enumerate(instructions, start=1):
        yield instruction
        if number % TOLD_EVERY == 0:
            tell("files", number)


def _follow_up(connection: Connection, batch: Batch, signing: Signing, office: Office) -> None:
    """What follows from the payment: an agent is paid in, matching falls due, or is paid by this very batch."""
    at = signing.created_at
    if batch.form == "agent":
        pay_on(connection, batch, at)
        make_pay_in(connection, batch, signing.debtor, office, at)
    make_due(connection, batch, office, at, demonstration=office.demonstration)
    make_due_again(connection, batch, office.sealer, at, demonstration=office.demonstration)
    if batch.kind == MATCHING:
        settle_by_batch(connection, batch, at)


def _choices(office: Office, tenant: str) -> FileChoices:
    """What the tenant's bank wants its files to be."""
    chosen = office.banks.get(tenant)
    if chosen is None:
        return FileChoices()
    return FileChoices(chosen.pain_version, PRESETS[chosen.table], chosen.csv_encoding)


def _require_released(connection: Connection, batch: Batch, totals: PayoutBatch) -> None:
    """Refuse to instruct anything but what was released (I12)."""
    made = connection.exec_driver_sql(
        "select count(*), coalesce(sum(claim_count), 0), coalesce(sum(amount_fen), 0)::bigint from instruction "
        "where tenant = %s and batch_id = %s",
        (batch.tenant, batch.id),
    ).one()
    if tuple(made) != (totals.count, totals.item_count, totals.total.fen) or totals.total != batch.total:
        raise _differs(batch)


def _verify(connection: Connection, batch: Batch, folder: Path, previous: str) -> None:
    """Verify every signature and every line as anybody will, with the published keys alone (I16).

    Raises:
        RuntimeError: the files are not what they should be, which is our fault; nothing is committed.
    """
    differences = verify_batch(folder, jwks(connection, batch.tenant), previous_manifest_sha256=previous)
    if differences:
        raise RuntimeError(f"the files of {batch.batch_no} do not verify: {differences[0]}")


def _chain(connection: Connection, batch: Batch) -> Chain:
    """Seal and releases, the tenant's latest manifest, and the next number; the series stays locked until the commit.

    Raises:
        Conflict: ``batch.unsigned``.
    """
    number = next_number(connection, batch.tenant, "manifest")
    previous = connection.exec_driver_sql(
        "select manifest_sha256 from batch where tenant = %s and manifest_no = %s", (batch.tenant, number - 1)
    ).scalar_one_or_none()
    return Chain(str(batch.seal_jws), release_tokens(connection, batch), previous or FIRST_PREVIOUS, number)


def _differs(batch: Batch) -> Conflict:
    return Conflict(
        "batch.root_differs",
        f"批次 {batch.batch_no} 的明细与封存时不同，已停止处理，请核查。",
        f"The items of batch {batch.batch_no} are not those that were sealed; nothing is instructed.",
    )
