"""Instructing (生成拨付指令): a released batch's instructions are signed, its files written, verified and stored.

Everything that anybody sees comes to be in one transaction. A worker killed at any moment leaves nothing but drafts
(``settlement.batches.drafts``); the outbox brings the job again, and it goes on behind the last whole section.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from settlement.bank.order_sending import bank_of_batch
from settlement.batches.batch import Batch, change_batch, lock_batch, next_number, record_step
from settlement.batches.batch_files import store_files
from settlement.batches.batch_states import INSTRUCT, require_start
from settlement.batches.drafts import (
    Draft,
    drop_drafts,
    files_of_drafts,
    find_drafts,
    follow_each_other,
    keep_draft,
    terms_of,
)
from settlement.batches.progress import Tell, teller
from settlement.batches.release_record import release_tokens
from settlement.batches.transit import pay_on
from settlement.cycles.clearing_order import make_pay_in
from settlement.formats.bank_table import PRESETS
from settlement.formats.folder import MANIFEST, SECTION_LINES, OpenFolder, fill
from settlement.formats.manifest import FIRST_PREVIOUS, Chain, ListedFile, manifest_hash
from settlement.formats.payout_batch import PayoutBatch, Tally
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
from settlement.signatures.signing import SigningKey
from tenants.kernel.errors import Conflict
from tenants.kernel.sealing import SealError

TOLD_EVERY: Final = 1_000
"""After how many instructions it is told again how far the files are."""
WORKER: Final = "system"
"""Who instructs: no person, the worker does what was released."""

Keep = Callable[[Callable[[Connection], None]], None]
"""Runs something in a transaction of its own, for the batch's tenant, and commits it."""


def instruct(
    connection: Connection,
    tenant: str,
    batch_id: UUID,
    office: Office,
    at: datetime,
    keep: Keep | None = None,
    section_lines: int = SECTION_LINES,
) -> Batch:
    """Sign and write what was released; a batch that is instructed already stays as it is.

    The key is the tenant's active one at this moment: a revoked key signs nothing (I25), whatever was released. Every
    ``section_lines`` instructions (whole pieces of ``settlement.formats.rendering``) the files so far are stored as a
    draft through ``keep``, which does it in a transaction of its own; without it nothing outlives this one.

    Raises:
        NotFound: the tenant has no such batch.
        Conflict: ``batch.state``, ``batch.root_differs``, ``batch.unsigned``, ``key.revoked``,
            ``payout_account.unset``, ``payout_account.demonstration``; nothing was stored but drafts.
        InstructionError: the items do not make valid instructions any more.
        RuntimeError: the files do not verify, or a helping process ended, and the work can be gone on with.
    """
    batch = lock_batch(connection, tenant, batch_id)
    if batch.instructed_at is not None:
        return batch
    require_start(batch, INSTRUCT)
    prepare_for_whole_batch(connection)
    tell = teller(connection, batch)
    tell("root", 0)
    root, _ = root_of(connection, batch, office, tell)
    if root != batch.merkle_root:
        raise _differs(batch)
    key = ensure_payout_key(connection, tenant, office, at)
    drafts = find_drafts(connection, batch, at)
    made_at = drafts[0].made_at if drafts else at
    signing = Signing(root, paying_account(connection, batch, office), made_at, key.kid)
    totals = payout_batch(connection, batch, signing, office)
    _require_released(connection, batch, totals)
    kept = keep or (lambda use: use(connection))
    writing = _Writing(connection, batch, signing, office, totals, key, section_lines, kept, tell)
    chain, manifest_sha256 = writing.stored(drafts)
    drop_drafts(connection, batch)
    _follow_up(connection, batch, signing, office)
    told = {"instructed_at": made_at, "manifest_no": chain.number, "manifest_sha256": manifest_sha256}
    instructed = change_batch(connection, batch, state=INSTRUCT.ends, state_by=WORKER, **told)
    record_step(connection, batch, instructed, "instructed", WORKER, at)
    refuse_revoked(connection, tenant, key.kid)
    return instructed


@dataclass(frozen=True, slots=True)
class _Writing:
    """What it takes to write a batch's files, to keep what is whole of them, and to tell how far they are."""

    connection: Connection
    batch: Batch
    signing: Signing
    office: Office
    totals: PayoutBatch
    key: SigningKey
    section_lines: int
    keep: Keep
    tell: Tell

    def stored(self, drafts: Sequence[Draft]) -> tuple[Chain, str]:
        """Write, verify and store all files; where the manifest stands in its chain, and its hash."""
        batch, keep = self.batch, self.keep
        with _own_folder(batch) as folder:
            try:
                chain, listed = self.into(folder, drafts)
            except SealError:  # a draft was changed where it lay: nothing of it is used
                chain, listed = self.into(folder, [])
            self.tell("verify", batch.item_count)
            _verify(self.connection, batch, folder, chain.previous, keep)
            manifest_sha256 = manifest_hash((folder / MANIFEST).read_bytes())
            self.tell("store", batch.item_count)
            store_files(self.connection, batch, folder, listed, self.office.sealer)
        return chain, manifest_sha256

    def into(self, folder: Path, drafts: Sequence[Draft]) -> tuple[Chain, list[ListedFile]]:
        """Write all files, behind what the drafts hold of them; each section is kept as soon as it is whole.

        Raises:
            tenants.kernel.sealing.SealError: a draft was changed in the database.
        """
        choices = _choices(self.connection, self.batch, self.office)
        terms = terms_of(self.totals, self.key.kid, choices, self.section_lines)
        with OpenFolder(folder, self.totals, self.key, choices) as files:
            if drafts and follow_each_other(drafts, terms):
                contents = files_of_drafts(self.connection, self.batch, self.office.sealer)
                files.go_on([draft.mark for draft in drafts], contents)
                begun = len(drafts)
            else:
                self.keep(lambda own: drop_drafts(own, self.batch))
                begun = 0
            for section, mark in enumerate(fill(files, self._lines(files.tally), self.section_lines), start=begun + 1):
                self._keep(Draft(section, self.signing.created_at, terms, mark), files)
            chain = _chain(self.connection, self.batch)
            return chain, files.close(chain)

    def _keep(self, draft: Draft, files: OpenFolder) -> None:
        self.keep(lambda own: keep_draft(own, self.batch, draft, files.grown(), self.office.sealer))

    def _lines(self, tally: Tally) -> Iterator[Instruction]:
        lines = instructions(self.connection, self.batch, self.signing, self.office, tally.position)
        return _told(lines, tally, self.tell)


@contextmanager
def _own_folder(batch: Batch) -> Iterator[Path]:
    """A folder for the files while they are made; what a killed worker left of the batch's here goes first.

    The batch is locked, so that nobody else is at it.
    """
    prefix = f"batch-{batch.id}-"
    for left in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=prefix) as made:
        yield Path(made)


def _told(instructions: Iterable[Instruction], tally: Tally, tell: Tell) -> Iterator[Instruction]:
    tell("files", tally.items)
    for number, instruction in enumerate(instructions, start=1):
        yield instruction
        if number % TOLD_EVERY == 0:
            tell("files", instruction.items[-1].position)


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


def _choices(connection: Connection, batch: Batch, office: Office) -> FileChoices:
    """What the bank that pays the batch wants its files to be."""
    chosen = bank_of_batch(connection, batch, office.banks)
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


def _verify(connection: Connection, batch: Batch, folder: Path, previous: str, keep: Keep) -> None:
    """Verify every signature and every line as anybody will, with the published keys alone (I16).

    Raises:
        RuntimeError: the files are not what they should be, which is our fault; nothing is committed, and the drafts
            that they came of are thrown away.
    """
    differences = verify_batch(folder, jwks(connection, batch.tenant), previous_manifest_sha256=previous)
    if differences:
        keep(lambda own: drop_drafts(own, batch))
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
