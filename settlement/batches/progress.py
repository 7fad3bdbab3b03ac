"""How far a long step over a batch is, told while its one transaction still runs: a cut, a seal, a release, its files.

What a transaction writes nobody sees before its commit; the name of its connection is seen at once, and is gone with
it, however the step ends.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from settlement.batches.batch import Batch
from tenants.kernel.canonical import Json

Tell = Callable[[str, int], None]
"""Takes what is being done, one of ``DOING``, and how many of the batch's claims are through it."""

DOING: Final = ("cut", "seal", "release", "ledger", "root", "files", "verify", "store")
"""Taking claims in; looking at the items of a seal; making instructions and their transfers; looking at the items once
more, writing and signing all files, verifying them, and storing them."""

AT_WORK: Final = frozenset({"in_publicity", "sealed", "released"})
"""The states in which somebody may be at a long step: sealing, releasing, instructing."""
_SUBJECT = re.compile(r"[0-9a-z-]{1,36}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Progress:
    """What is being done, and how many of the batch's claims at most are through it."""

    doing: str
    done: int

    def json(self, of: int) -> dict[str, Json]:
        """In the form of the API; ``of`` is the batch's count."""
        return {"doing": self.doing, "done": self.done, "of": of}


def teller(connection: Connection, batch: Batch) -> Tell:
    """What tells how far this transaction is with the batch."""
    return _teller(connection, str(batch.id))


def cut_teller(connection: Connection, tenant: str) -> Tell:
    """What tells that this transaction cuts a batch of the tenant's, which nobody else knows yet."""
    return _teller(connection, tenant)


def progress_of(connection: Connection, batch_id: UUID) -> Progress | None:
    """How far somebody is with the batch now; ``None`` where nobody is at it."""
    return _progress(connection, str(batch_id))


def cut_progress(connection: Connection, tenant: str) -> Progress | None:
    """Whether a batch of the tenant's is being cut now."""
    return _progress(connection, tenant)


def _teller(connection: Connection, subject: str) -> Tell:
    if _SUBJECT.fullmatch(subject) is None:
        raise ValueError("progress is told of a batch or a tenant")

    def tell(doing: str, done: int) -> None:
        # our own words only: an id, what is done and a number, within the 63 characters that a name has
        connection.exec_driver_sql(f"set local application_name = '{subject} {doing} {done:d}'")

    return tell


def _progress(connection: Connection, subject: str) -> Progress | None:
    name = connection.exec_driver_sql(
        "select application_name from pg_stat_activity where starts_with(application_name, %s)", (f"{subject} ",)
    ).scalar()
    if name is None:
        return None
    _, doing, done = str(name).split(" ")
    return Progress(doing, int(done))
