"""The files of a batch at rest: cut into parts, each sealed, since they hold account numbers in clear."""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from settlement.batches.batch import Batch
from settlement.formats.manifest import ListedFile
from tenants.kernel.errors import not_found
from tenants.kernel.sealing import Place, Sealer
from tenants.kernel.statements import insert_rows

PART_BYTES: Final = 2**20


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file of a batch; ``parts`` says in how many pieces it is kept, numbered from 1."""

    name: str
    media_type: str
    size_bytes: int
    sha256: str
    sm3: str

    @property
    def parts(self) -> int:
        """How many parts it was cut into."""
        return -(-self.size_bytes // PART_BYTES)


def store_files(
    connection: Connection, batch: Batch, folder: Path, files: Sequence[ListedFile], sealer: Sealer
) -> None:
    """Store the files that lie in the folder, one part in memory at a time."""
    insert_rows(
        connection,
        "batch_file",
        ("tenant", "batch_id", "name", "media_type", "size_bytes", "sha256", "sm3"),
        [(batch.tenant, batch.id, f.name, f.media_type, f.size_bytes, f.sha256, f.sm3) for f in files],
    )
    for file in files:
        with (folder / file.name).open("rb") as source:
            number = 0
            while content := source.read(PART_BYTES):
                number += 1
                sealed = sealer.seal(b64encode(content).decode("ascii"), _place(batch, file.name, number))
                connection.exec_driver_sql(  # as bytes, not as text: a million lines are gigabytes
                    "insert into batch_file_part (tenant, batch_id, name, part, sealed) values (%s, %s, %s, %s, %b)",
                    (batch.tenant, batch.id, file.name, number, sealed),
                )


def list_files(connection: Connection, tenant: str, batch_id: UUID) -> list[StoredFile]:
    """The batch's files by name; none before it is instructed."""
    rows = connection.exec_driver_sql(
        "select name, media_type, size_bytes, sha256, sm3 from batch_file where tenant = %s and batch_id = %s "
        "order by name",
        (tenant, batch_id),
    )
    return [StoredFile(*row) for row in rows]


def find_file(connection: Connection, tenant: str, batch_id: UUID, name: str) -> StoredFile:
    """The batch's file of this name.

    Raises:
        NotFound: there is none, or none yet.
    """
    for file in list_files(connection, tenant, batch_id):
        if file.name == name:
            return file
    raise not_found("文件", "file")


def read_part(connection: Connection, batch: Batch, name: str, part: int, sealer: Sealer) -> bytes:
    """One part of a file, opened.

    Raises:
        tenants.kernel.sealing.SealError: it was changed or moved in the database.
    """
    sealed = connection.exec_driver_sql(
        "select sealed from batch_file_part where tenant = %s and batch_id = %s and name = %s and part = %s",
        (batch.tenant, batch.id, name, part),
    ).scalar_one()
    return b64decode(sealer.unseal(bytes(sealed), _place(batch, name, part)))


def _place(batch: Batch, name: str, part: int) -> Place:
    return Place("batch_file_part", "sealed", batch.tenant, f"{batch.id}/{name}/{part}")
