"""The demonstration clock (演示时钟): one stored anchor from which business time runs, and never back.

While an anchor is stored the service is in demonstration mode.
"""

from datetime import datetime

from sqlalchemy import Connection

from tenants.kernel.clock import Clock, OffsetClock
from tenants.kernel.errors import Conflict


def demonstration_time(connection: Connection, machine: Clock) -> datetime | None:
    """The demonstration time now; ``None`` where none was ever set."""
    row = connection.exec_driver_sql("select demonstration_at, set_at from service_clock").one_or_none()
    return None if row is None else OffsetClock(lambda: (row[0], row[1]), machine).now()


def keep_later(connection: Connection, wanted: datetime, machine: Clock) -> datetime:
    """Let the later of the running demonstration time and ``wanted`` hold; which one holds."""
    return _set(connection, wanted, machine, strict=False)


def move_forward(connection: Connection, wanted: datetime, machine: Clock) -> datetime:
    """Move the demonstration time to ``wanted``.

    Raises:
        Conflict: ``clock.backwards``: it is later already.
    """
    return _set(connection, wanted, machine, strict=True)


def _set(connection: Connection, wanted: datetime, machine: Clock, *, strict: bool) -> datetime:
    first = connection.exec_driver_sql(
        "insert into service_clock (demonstration_at, set_at) values (%s, %s) on conflict do nothing",
        (wanted, machine.now()),
    )
    if first.rowcount == 1:
        return wanted
    row = connection.exec_driver_sql("select demonstration_at, set_at from service_clock for update").one()
    running = OffsetClock(lambda: (row[0], row[1]), machine).now()
    if wanted < running:
        if strict:
            raise Conflict("clock.backwards", "演示时钟只能向前拨。", "The demonstration clock only moves forward.")
        return running
    connection.exec_driver_sql("update service_clock set demonstration_at = %s, set_at = %s", (wanted, machine.now()))
    return wanted
