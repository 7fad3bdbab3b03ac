"""The chain checked from its first entry to its head, and the proof that one entry is in it.

The proof of an entry is the chain from it to the next signed checkpoint: whoever has the checkpoints' public key
recomputes the hashes, and needs nothing else of the database.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from sqlalchemy import Connection

from clearing.checkpoints import Checkpoints
from tenants.kernel.canonical import Json, plain
from tenants.kernel.change import CHAIN_PREFIX, GENESIS, chained
from tenants.kernel.database import Work
from tenants.kernel.errors import not_found

ROWS_AT_ONCE: Final = 5_000
PATH_ENTRIES: Final = 2_000
"""How long a proof may be; where no checkpoint was signed within so many entries, it ends without one."""

Result = TypeVar("Result")
Within = Callable[[Callable[[Work], Result]], Result]


@dataclass(frozen=True, slots=True)
class Checked:
    """How far the chain was recomputed, against how many checkpoints, and the first number at which it is wrong."""

    entries: int
    head_seq: int
    head_hash: str
    checkpoints: int
    wrong_at: int | None

    def json(self) -> dict[str, Json]:
        """In the form of the interface."""
        return {
            "sound": self.wrong_at is None,
            "entries": self.entries,
            "head": {"seq": self.head_seq, "hash": self.head_hash},
            "checkpoints": self.checkpoints,
            "wrong_at": self.wrong_at,
        }


def check_chain(
    within: Within[list[tuple[int, str, bytes]]], head: tuple[int, bytes], signed: dict[int, bytes]
) -> Checked:
    """Recompute the chain up to ``head`` as it was read first, part by part, each in a transaction of its own.

    ``within`` runs a reading; ``signed`` are the hashes of the tenant's checkpoints by number.
    """
    seq, previous, seen = 0, GENESIS, 0
    wrong: int | None = None
    while wrong is None and seq < head[0]:
        start = seq
        rows = within(lambda work, start=start: _part(work.connection, start, head[0]))  # type: ignore[misc]
        if not rows:
            wrong = seq + 1
        for number, body, stored in rows:
            computed = chained(previous, body.encode())
            if number != seq + 1 or computed != stored or signed.get(number, stored) != stored:
                wrong = seq + 1
                break
            seen += number in signed
            seq, previous = number, stored
    if wrong is None and (previous != head[1] or any(number > head[0] for number in signed)):
        wrong = head[0] + 1
    return Checked(seq, head[0], head[1].hex(), seen, wrong)


def chain_head(connection: Connection, tenant: str) -> tuple[int, bytes]:
    """Number and hash of the chain's last entry.

    Raises:
        NotFound: there is no such tenant.
    """
    row = connection.exec_driver_sql("select seq, hash from audit_head where tenant = %s", (tenant,)).one_or_none()
    if row is None:
        raise not_found("审计链", "audit chain")
    return row.seq, bytes(row.hash)


def prove(connection: Connection, checkpoints: Checkpoints, tenant: str, seq: int) -> dict[str, Json]:
    """The entry, the hash before it, every body from it to the next checkpoint, and that checkpoint as signed.

    Raises:
        NotFound: the tenant's chain has no such entry.
    """
    signed = checkpoints.signed_from(tenant, seq)
    last = seq if signed is None else min(signed[0].seq, seq + PATH_ENTRIES)
    rows = connection.exec_driver_sql(
        "select seq, body, hash from audit_entry where tenant = %s and seq between %s and %s order by seq",
        (tenant, max(1, seq - 1), last),
    ).all()
    path = [row for row in rows if row.seq >= seq]
    if not path or path[0].seq != seq:
        raise not_found("审计记录", "audit entry")
    reached = signed is not None and path[-1].seq == signed[0].seq
    return {
        "tenant": tenant,
        "entry": json.loads(path[0].body),
        "algorithm": "hash = SHA-256(prefix || previous_hash || body)",
        "prefix": CHAIN_PREFIX.decode(),
        "previous_hash": bytes(rows[0].hash).hex() if rows[0].seq < seq else GENESIS.hex(),
        "path": [{"seq": row.seq, "body": row.body, "hash": bytes(row.hash).hex()} for row in path],
        "checkpoint": {"seq": signed[0].seq, "at": plain(signed[0].at), "jws": signed[1]}
        if reached and signed
        else None,
        "checkpoint_keys": checkpoints.key_set(),
    }


def _part(connection: Connection, after: int, through: int) -> list[tuple[int, str, bytes]]:
    """The next entries of the one bound tenant."""
    rows = connection.exec_driver_sql(
        "select seq, body, hash from audit_entry where tenant = any((select bound_tenants())::text[]) "
        "and seq > %s and seq <= %s order by seq limit %s",
        (after, through, ROWS_AT_ONCE),
    )
    return [(seq, body, bytes(digest)) for seq, body, digest in rows]
