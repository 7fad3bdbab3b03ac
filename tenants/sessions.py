"""Sessions of people at the console: begun at the door, ended by the person, by time, or with the account."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from tenants.accounts import Account, find_account
from tenants.instance import is_sandbox, marked
from tenants.kernel.canonical import Json, plain, sha256
from tenants.kernel.change import Change, record
from tenants.kernel.database import Work
from tenants.kernel.ids import new_id

TOKEN_BYTES: Final = 32
SESSION_LIFE: Final = timedelta(hours=10)
IDLE_LIFE: Final = timedelta(minutes=30)
"""How long a session lives without a request."""
SEEN_EVERY: Final = timedelta(minutes=1)
"""How exactly it is kept when a session was last used."""


@dataclass(frozen=True, slots=True)
class Method:
    """What opened the door: password and code, or a provider (``issuer``, and its own name of the person)."""

    name: str
    issuer: str | None = None
    subject: str | None = None


PASSWORD: Final = Method("password")


@dataclass(frozen=True, slots=True)
class Session:
    """A session that is open."""

    id: UUID
    account: Account
    seen_at: datetime
    expires_at: datetime
    method: Method = PASSWORD


def start_session(work: Work, account: Account, at: datetime, method: Method = PASSWORD) -> str:
    """Begin a session and answer its token, which is stored as a digest only."""
    token = marked(secrets.token_urlsafe(TOKEN_BYTES), sandbox=is_sandbox(work.connection))
    session_id = new_id()
    digest = sha256(token.encode())
    work.connection.exec_driver_sql(
        "insert into console_session (id, token_sha256, account_id, started_at, seen_at, expires_at, method, issuer, "
        "subject) values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            session_id, digest, account.id, at, at, at + SESSION_LIFE,
            method.name, method.issuer, method.subject,
        ),
    )  # fmt: skip
    details: dict[str, Json] = {
        "login": account.login,
        "account": str(account.id),
        "token_sha256": digest.hex(),
        "started_at": plain(at),
        "expires_at": plain(at + SESSION_LIFE),
        "method": method.name,
        "issuer": method.issuer,
        "subject": method.subject,
    }
    _tell(work, account, "session.started", session_id, details)
    return token


def subject_of(connection: Connection, account: Account, issuer: str) -> str | None:
    """By which name of its own the provider last opened this account, since its own proofs were last set."""
    found: str | None = connection.exec_driver_sql(
        "select subject from console_session where account_id = %s and issuer = %s and started_at >= %s "
        "order by started_at desc limit 1",
        (account.id, issuer, account.credentials_at),
    ).scalar_one_or_none()
    return found


def find_session(connection: Connection, token: str, at: datetime) -> Session | None:
    """The open session of this token; ``None`` where it is unknown, ended, idle too long, or its account is revoked."""
    row = connection.exec_driver_sql(
        "select id, account_id, seen_at, expires_at, method, issuer, subject from console_session "
        "where token_sha256 = %s and ended_at is null and expires_at > %s and seen_at > %s",
        (sha256(token.encode()), at, at - IDLE_LIFE),
    ).one_or_none()
    if row is None:
        return None
    account = find_account(connection, row.account_id)
    if account is None or account.revoked_at is not None:
        return None
    return Session(row.id, account, row.seen_at, row.expires_at, Method(row.method, row.issuer, row.subject))


def see(connection: Connection, session: Session, at: datetime) -> None:
    """Keep that the session is in use, at most once a minute."""
    if at >= session.seen_at + SEEN_EVERY:
        connection.exec_driver_sql(
            "update console_session set seen_at = greatest(seen_at, least(%s, expires_at)) "
            "where id = %s and ended_at is null",
            (at, session.id),
        )


def end_session(work: Work, session: Session, at: datetime) -> None:
    """End the session."""
    _end(work, session.account, at, "id = %s", session.id)


def end_other_sessions(work: Work, session: Session, at: datetime) -> int:
    """End every other open session of the account; how many there were."""
    return _end(work, session.account, at, "id <> %s", session.id)


def _end(work: Work, account: Account, at: datetime, which: str, session_id: UUID) -> int:
    ended = work.connection.exec_driver_sql(
        "update console_session set ended_at = %s "  # noqa: S608 - our own condition
        f"where account_id = %s and ended_at is null and expires_at > %s and {which} returning id",
        (at, account.id, at, session_id),
    ).scalars()
    found = list(ended)
    for each in found:
        _tell(work, account, "session.ended", each, {"login": account.login, "ended_at": plain(at)})
    return len(found)


def _tell(work: Work, account: Account, action: str, session_id: UUID, details: dict[str, Json]) -> None:
    changes = [Change(tenant, account.person, action, session_id, details=details) for tenant in account.tenants]
    record(work.connection, changes, work.at)
