"""How far the worker is with a batch's files, told while its one transaction still runs.

What a transaction writes nobody sees before its commit; the name of its connection is seen at once, and is gone with
it, however the worker ends.
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from settlement.batches.batch import Batch
from tenants.kernel.canonical import Json

Tell = Callable[[str, int], None]
"""Takes what is being done (a file's name, ``verify`` or ``store``) and how many lines of it are."""


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

    def tell(doing: str, done: int) -> None:
        # our own words only: the id, a file's name and a number, within the 63 characters that a name has
        connection.exec_driver_sql(f"set local application_name = '{batch.id} {doing} {done:d}'")

    return tell


def progress_of(connection: Connection, batch_id: UUID) -> Progress | None:
    """How far a worker is with the batch now; ``None`` where none is at it."""
    name = connection.exec_driver_sql(
        "select application_name from pg_stat_activity where starts_with(application_name, %s)", (f"{batch_id} ",)
    ).scalar()
    if name is None:
        return None
    _, doing, done = str(name).split(" ")
    return Progress(doing, int(done))
