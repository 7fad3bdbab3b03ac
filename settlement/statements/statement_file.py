"""The file of a bank's answer as it came: its digest, and its parts at rest."""

from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from settlement.office import Office
from settlement.statements.statement_records import BankStatement
from tenants.kernel.sealing import Place
from tenants.kernel.statements import Write, write_all

PART_BYTES: Final = 2**20
_COLUMNS: Final = ("tenant", "statement_id", "part", "sealed")
_KINDS: Final = ("text", "uuid", "integer", "bytea")


def digest_of(path: Path) -> str:
    """The file's SHA-256 in hexadecimal digits, by which the same file is known again."""
    digest = sha256()
    with path.open("rb") as source:
        while part := source.read(PART_BYTES):
            digest.update(part)
    return digest.hexdigest()


def keep_file(connection: Connection, statement: BankStatement, path: Path, office: Office) -> None:
    """Keep the file in parts, each sealed: it holds account numbers."""
    for number, content in enumerate(_parts(path), start=1):
        place = part_place(statement, number)
        sealed = office.sealer.seal(b64encode(content).decode("ascii"), place)
        row = (statement.tenant, statement.id, number, sealed)
        write_all(connection, [Write("bank_statement_part", _COLUMNS, [row], kinds=_KINDS)])


def _parts(path: Path) -> Iterable[bytes]:
    with path.open("rb") as source:
        while part := source.read(PART_BYTES):
            yield part


def part_place(statement: BankStatement, number: int) -> Place:
    """Where a part of a statement's file is sealed."""
    return Place("bank_statement_part", "sealed", statement.tenant, f"{statement.id}/{number}")
