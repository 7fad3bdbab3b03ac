"""The database: engines, and the one place where a transaction begins, is bound, and commits."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from select import POLLIN, poll
from typing import Any, Final, TypeVar

import psycopg
from psycopg import errors as pg
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from tenants.kernel.arrays import register_columns
from tenants.kernel.clock import Clock, OffsetClock
from tenants.kernel.errors import RETRY_AFTER_SECONDS, Unavailable
from tenants.kernel.statements import Query, read

POOL_SIZE: Final = 8
POOL_OVERFLOW: Final = 8
POOL_WAIT_SECONDS: Final = 10
ATTEMPTS: Final = 5
"""How often a transaction is tried again after a deadlock or serialisation failure."""

STARTS: Final = 20
"""How often a use case may find that more is concerned than it has locked: others come while it looks."""

_TRANSIENT: Final = (pg.DeadlockDetected, pg.SerializationFailure)
_AWAY: Final = (
    pg.AdminShutdown,
    pg.CannotConnectNow,
    pg.CrashShutdown,
    pg.DiskFull,
    pg.InsufficientResources,
    pg.IoError,
    pg.LockNotAvailable,
    pg.OutOfMemory,
    pg.QueryCanceled,
    pg.ReadOnlySqlTransaction,
    pg.TooManyConnections,
)


Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Scope:
    """What a transaction may touch: these tenants; of their claims only the named platform's.

    The divisions that bind the ``person`` within a tenant bind the transaction too.
    """

    tenants: tuple[str, ...]
    platform: str | None = None
    person: str | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """One running transaction: its connection, the business time at which it began, and what it may touch.

    ``done``: what was done before it because it asked for that, see :func:`have_done`.
    """

    connection: Connection
    at: datetime
    scope: Scope
    done: frozenset[str] = frozenset()


Transact = Callable[[Callable[[Work], Any]], Any]
"""Runs a use case in a transaction of its own."""


@dataclass(frozen=True, slots=True)
class Before:
    """What a use case wants to be done before it: its name, what that may touch, and how it is done."""

    name: str
    scope: Scope
    do: Callable[[Transact], object]


class StartAgainError(Exception):
    """The use case found more to be concerned than it may touch, or has locked: it is run again from the start.

    ``tenants``: whose things it has to touch as well; ``before``: what has to be done first.
    """

    def __init__(self, tenants: frozenset[str] = frozenset(), before: Before | None = None) -> None:
        super().__init__(", ".join(sorted(tenants)) if before is None else before.name)
        self.tenants = tenants
        self.before = before


def reach(work: Work, tenants: Iterable[str], *, every_platform: bool = False) -> None:
    """Make sure that the transaction may touch what belongs to the tenants, if need be every platform's claims.

    A use case calls it once it knows that other tenants are concerned; whom it acts for, and that they may, it has
    checked within its first, narrow scope.

    Raises:
        StartAgainError: it may not; :func:`run` then runs the use case again where it may.
    """
    wanted = frozenset(tenants)
    blinkered = every_platform and bool(wanted) and work.scope.platform is not None
    if blinkered or not wanted <= set(work.scope.tenants):
        raise StartAgainError(wanted)


def have_done(work: Work, before: Before) -> None:
    """Make sure that this was done, and committed, before the transaction began.

    A use case calls it before it changes or locks anything. What it asks for is done at most once a :func:`run`; should
    the process die after it, it stays done.

    Raises:
        StartAgainError: it was not; :func:`run` then does it and runs the use case again.
    """
    if before.name not in work.done:
        raise StartAgainError(before=before)


def open_engine(url: str) -> Engine:
    """An engine whose every statement is prepared, so that the server refuses stacked statements."""
    register_columns(psycopg.adapters)  # SQLAlchemy's connections begin with these
    engine = create_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=POOL_OVERFLOW,
        pool_timeout=POOL_WAIT_SECONDS,
        pool_pre_ping=False,
        pool_use_lifo=True,
        connect_args={"prepare_threshold": 0},
        query_cache_size=1200,
    )
    event.listen(engine, "checkout", _refuse_dead)
    return engine


def _refuse_dead(driver: DBAPIConnection, _record: object, _proxy: object) -> None:
    """Have a connection whose server went dropped with the pool's others, and a new one taken in its place.

    A server that goes leaves word or closes: of one that was not asked anything, that is found without a round trip.
    """
    waiting = poll()
    waiting.register(driver.fileno(), POLLIN)
    if waiting.poll(0):
        raise InvalidatePoolError


@contextmanager
def transaction(engine: Engine, scope: Scope, machine: Clock, done: frozenset[str] = frozenset()) -> Iterator[Work]:
    """Begin, bind the scope, hand out the work, and commit; roll back on any exception.

    The business time is the machine's, or the demonstration clock's where one is stored.

    Raises:
        Unavailable: the database is away, full or out of connections; nothing was stored.
    """
    try:
        with engine.begin() as connection:
            yield begin(connection, scope, machine, done)
    except (DBAPIError, PoolTimeout) as error:
        if is_away(error):
            raise database_away() from error
        raise


def begin(connection: Connection, scope: Scope, machine: Clock, done: frozenset[str] = frozenset()) -> Work:
    """Bind the scope in a transaction that has begun elsewhere; a transaction is bound once."""
    anchor = read(connection, _bind(scope))
    clock = machine if anchor is None else OffsetClock(lambda: anchor, machine)
    return Work(connection, clock.now(), scope, done)


def _bind(scope: Scope) -> Query[tuple[datetime, datetime] | None]:
    """Bind the scope; the answer is the demonstration clock's anchor, where there is one."""
    bound = (",".join(scope.tenants), scope.platform)
    return Query(
        f"select demonstration_at, set_at from bind_scope(%s, %s{'' if scope.person is None else ', %s'})",  # noqa: S608
        bound if scope.person is None else (*bound, scope.person),
        lambda rows: None if rows[0][0] is None else (rows[0][0], rows[0][1]),
    )


def run(
    engine: Engine,
    scope: Scope,
    machine: Clock,
    use_case: Callable[[Work], Result],
    raced: frozenset[str] = frozenset(),
) -> Result:
    """Run a use case in one transaction, again from the start after a deadlock, at most ``ATTEMPTS`` times.

    ``raced`` names constraints that only a race can break: the use case looked before another transaction committed.
    A use case that finds other tenants concerned (:func:`reach`) starts again in the wider scope; one that needs
    something done first (:func:`have_done`), after that.

    Raises:
        Unavailable: the database is away or the conflict did not clear.
        sqlalchemy.exc.IntegrityError: a constraint is broken, each time anew if it is one of ``raced``.
    """
    attempt = again = 0
    done: frozenset[str] = frozenset()
    while attempt < ATTEMPTS and again < STARTS:
        try:
            with transaction(engine, scope, machine, done) as work:
                return use_case(work)
        except StartAgainError as found:
            again += 1
            if found.before is not None:
                found.before.do(partial(run, engine, found.before.scope, machine))
                done |= {found.before.name}
            if found.tenants:
                scope = Scope(tuple(sorted(found.tenants.union(scope.tenants))))
        except DBAPIError as error:
            attempt += 1
            transient = isinstance(error.orig, _TRANSIENT) or _made_anew(error)
            if not transient and (attempt == ATTEMPTS or broken_constraint(error) not in raced):
                raise
    raise database_away()


def is_away(error: Exception) -> bool:
    """Whether the error says that the database cannot serve just now, and that the same call may be made again."""
    if isinstance(error, PoolTimeout):
        return True
    if not isinstance(error, DBAPIError) or isinstance(error.orig, _TRANSIENT):
        return False
    return error.connection_invalidated or isinstance(error.orig, _AWAY) or _lost(error)


def broken_constraint(error: DBAPIError) -> str | None:
    """The name of the constraint that the error says is broken."""
    return error.orig.diag.constraint_name if isinstance(error.orig, pg.IntegrityError) else None


def _made_anew(error: DBAPIError) -> bool:
    """Whether a sandbox's reset made the schema anew while the statement waited for it within one of its functions."""
    return isinstance(error.orig, pg.InternalError_) and str(error.orig).startswith("cache lookup failed for function")


def _lost(error: DBAPIError) -> bool:
    """A connection that could not be made or broke has no error code from the server."""
    return isinstance(error, OperationalError) and getattr(error.orig, "sqlstate", None) is None


def database_away() -> Unavailable:
    """The one answer while the database cannot serve."""
    return Unavailable(
        "database.unavailable",
        "数据库暂时不可用，未保存任何内容，请稍后重试。",
        "The database is not available; nothing was stored. Please try again.",
        retry_after_seconds=RETRY_AFTER_SECONDS,
    )
