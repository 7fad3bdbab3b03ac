"""Drafts: what a worker has written of a batch's files so far, section by section, each committed as it is made.

A worker that is killed, or whose machine is lost, leaves the sections that were whole; the next one goes on behind
them. Nobody but workers reads a draft: finance sees files only once all of them are whole and verified. A draft is good
for the terms it was made under (totals, key, day, choices of the bank), and is thrown away under others.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import Connection

from settlement.batches.batch import Batch
from settlement.formats.folder import GROWING, Mark
from settlement.formats.long_archive import Packed
from settlement.formats.payout_batch import PayoutBatch, Tally
from settlement.formats.rendering import FileChoices
from tenants.kernel.canonical import canonical_bytes, sha256
from tenants.kernel.clock import shanghai_day
from tenants.kernel.sealing import Place, Sealer

FORMAT: Final = 2
"""Counted up whenever the files of a batch are written in another way: what was begun before is then begun anew."""


@dataclass(frozen=True, slots=True)
class Draft:
    """One section: its number from 1, when the instructions of its batch were made, by which terms, and its mark."""

    section: int
    made_at: datetime
    terms: bytes
    mark: Mark


def find_drafts(connection: Connection, batch: Batch, at: datetime) -> list[Draft]:
    """The sections that are there, in their order; none of those that were begun on another day than that of ``at``.

    A bank acts on the day that its message names, so that a message is not gone on with on a later one.
    """
    rows = connection.exec_driver_sql(
        "select section, made_at, terms, mark from batch_draft where tenant = %s and batch_id = %s order by section",
        (batch.tenant, batch.id),
    )
    found = [Draft(section, made_at, bytes(terms), _mark(mark)) for section, made_at, terms, mark in rows]
    return found if found and shanghai_day(found[0].made_at) == shanghai_day(at) else []


def terms_of(totals: PayoutBatch, key_id: str, choices: FileChoices, section_lines: int) -> bytes:
    """A digest of everything that the files' bytes follow from, but the instructions themselves."""
    return sha256(
        canonical_bytes(
            {"choices": choices, "format": FORMAT, "kid": key_id, "section_lines": section_lines, "totals": totals}
        )
    )


def keep_draft(
    connection: Connection, batch: Batch, draft: Draft, grown: Iterable[tuple[str, bytes]], sealer: Sealer
) -> None:
    """Store a section and what each file has grown by, piece by piece, sealed like the files themselves."""
    connection.exec_driver_sql(
        "insert into batch_draft (tenant, batch_id, section, made_at, terms, mark) values (%s, %s, %s, %s, %s, %s)",
        (
            batch.tenant, batch.id, draft.section, draft.made_at, draft.terms,
            orjson.dumps(asdict(draft.mark)).decode(),
        ),
    )  # fmt: skip
    for part, (name, content) in enumerate(grown, start=1):
        sealed = sealer.seal_bytes(content, _place(batch, draft.section, part))
        connection.exec_driver_sql(
            "insert into batch_draft_part (tenant, batch_id, section, part, name, sealed) "
            "values (%s, %s, %s, %s, %s, %b)",
            (batch.tenant, batch.id, draft.section, part, name, sealed),
        )


def read_drafts(connection: Connection, batch: Batch, name: str, sealer: Sealer) -> Iterator[bytes]:
    """What one file was at the end of the last section, piece by piece.

    Raises:
        tenants.kernel.sealing.SealError: a piece was changed or moved in the database.
    """
    numbers = connection.exec_driver_sql(
        "select section, part from batch_draft_part where tenant = %s and batch_id = %s and name = %s "
        "order by section, part",
        (batch.tenant, batch.id, name),
    ).all()
    for section, part in numbers:
        sealed = connection.exec_driver_sql(
            "select sealed from batch_draft_part where tenant = %s and batch_id = %s and section = %s and part = %s",
            (batch.tenant, batch.id, section, part),
        ).scalar_one()
        yield sealer.unseal_bytes(bytes(sealed), _place(batch, section, part))


def drop_drafts(connection: Connection, batch: Batch) -> None:
    """Throw away what there is of a batch's drafts."""
    for table in ("batch_draft_part", "batch_draft"):
        connection.exec_driver_sql(
            f"delete from {table} where tenant = %s and batch_id = %s",  # noqa: S608 - our own names
            (batch.tenant, batch.id),
        )


def follow_each_other(drafts: Sequence[Draft], terms: bytes) -> bool:
    """Whether the sections were all made under these terms, and none is missing."""
    return all(draft.terms == terms and draft.section == place for place, draft in enumerate(drafts, start=1))


def files_of_drafts(connection: Connection, batch: Batch, sealer: Sealer) -> dict[str, Iterator[bytes]]:
    """What each growing file was at the end of the last section."""
    return {name: read_drafts(connection, batch, name, sealer) for name in GROWING}


def _mark(text: str) -> Mark:
    said: dict[str, Any] = orjson.loads(text)
    return Mark(Tally(**said["tally"]), Packed(**said["sheet"]), tuple(said["pages"]))


def _place(batch: Batch, section: int, part: int) -> Place:
    return Place("batch_draft_part", "sealed", batch.tenant, f"{batch.id}/{section}/{part}")
