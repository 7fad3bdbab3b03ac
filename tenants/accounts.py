"""Accounts of people: made, opened with password and code, changed, revoked; each change is told to the audit chain.

Instants of accounts and sessions are the machine's, like those of clients and tokens: the demonstration clock moves
business time only. The audit entries repeat them in their details.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from tenants.kernel.canonical import Json, plain, sha256
from tenants.kernel.change import Change, record
from tenants.kernel.database import Work
from tenants.kernel.errors import FieldError, Invalid, Text
from tenants.kernel.ids import new_id
from tenants.kernel.sealing import Place, Sealer
from tenants.passwords import (
    hash_password,
    new_totp_secret,
    password_fits,
    require_good_password,
    step_of_code,
)

FAILURES_BEFORE_PAUSE: Final = 8
PAUSE: Final = timedelta(minutes=10)
"""How long the door stays closed after so many wrong tries in a row; a right one then begins anew."""
LOGIN: Final = re.compile(r"[a-z][a-z0-9._-]{1,39}", re.ASCII)
SEALED_FOR: Final = "console"
"""Stands in the tenant's place where an account's secret is sealed: an account may serve several."""


@dataclass(frozen=True, slots=True)
class Account:
    """One row of ``console_account``; the field names are the columns'."""

    id: UUID
    login: str
    person: str
    display_name: str
    tenants: tuple[str, ...]
    roles: tuple[str, ...]
    password_hash: str
    totp_sealed: bytes
    created_at: datetime
    changed_at: datetime
    credentials_at: datetime
    """When password or authenticator were last set."""
    roles_set_by: str
    """Who last said which roles it has."""
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewAccount:
    """Who shall get an account."""

    login: str
    person: str
    display_name: str
    tenants: tuple[str, ...]
    roles: tuple[str, ...]
    password: str


_LIST: Final = ", ".join(field.name for field in fields(Account))


def create_account(work: Work, sealer: Sealer, new: NewAccount, actor: str, at: datetime) -> tuple[Account, str]:
    """Store the account; the answer holds the secret of its authenticator, which is shown once.

    Raises:
        Invalid: the name is malformed or taken, or the password is weak.
    """
    if not LOGIN.fullmatch(new.login):
        raise malformed_login()
    require_good_password(new.password, new.login)
    if find_by_login(work.connection, new.login) is not None:
        raise taken_login()
    account_id, secret = new_id(), new_totp_secret()
    account = Account(
        account_id, new.login, new.person, new.display_name, tuple(sorted(set(new.tenants))),
        tuple(sorted(set(new.roles))), hash_password(new.password), sealer.seal(secret, _place(account_id)),
        at, at, at, actor,
    )  # fmt: skip
    places = ", ".join(["%s"] * len(fields(Account)))
    work.connection.exec_driver_sql(
        f"insert into console_account ({_LIST}) values ({places})",  # noqa: S608 - our own columns
        tuple(_plain_lists(getattr(account, field.name)) for field in fields(Account)),
    )
    work.connection.exec_driver_sql("insert into console_attempt (account_id) values (%s)", (account_id,))
    tell(work, account, "account.created", actor)
    return account, secret


def malformed_login() -> Invalid:
    """The answer to a name that no account may have."""
    said = Text(
        "登录名须以小写字母开头，由 2 至 40 个小写字母、数字、点、横线或下划线组成。",
        "A login name begins with a small letter and has 2 to 40 small letters, digits, dots, hyphens or underscores.",
    )
    return Invalid("input.invalid", said.zh, said.en, errors=(FieldError("/login", "login.malformed", said),))


def taken_login() -> Invalid:
    """The answer to a name that another account has."""
    said = Text("登录名已被使用。", "The login name is taken.")
    return Invalid("input.invalid", said.zh, said.en, errors=(FieldError("/login", "login.taken", said),))


def find_by_logins(connection: Connection, logins: Sequence[str]) -> dict[str, Account]:
    """The accounts of these names, those that there are."""
    rows = connection.exec_driver_sql(
        f"select {_LIST} from console_account where login = any(%s)",  # noqa: S608 - our own columns
        (list(logins),),
    )
    return {account.login: account for account in map(_account, rows)}


def find_by_login(connection: Connection, login: str) -> Account | None:
    """The account with this name, revoked or not."""
    return _one(connection, "login = %s", login)


def find_account(connection: Connection, account_id: UUID) -> Account | None:
    """The account with this id, revoked or not."""
    return _one(connection, "id = %s", account_id)


def list_accounts(connection: Connection) -> Sequence[Account]:
    """Every account, by its name."""
    rows = connection.exec_driver_sql(f"select {_LIST} from console_account order by login")  # noqa: S608 - ours
    return [_account(row) for row in rows]


def opens(work: Work, sealer: Sealer, login: str, password: str, code: str, at: datetime) -> Account | None:
    """The account, where name, password and a code not used before are right; the try is counted either way.

    The caller commits whatever the answer is. While the door is closed after too many wrong tries nothing opens it, and
    nothing tells that from a wrong password.
    """
    account = find_by_login(work.connection, login) if login.isascii() and "\0" not in login else None
    if account is None or account.revoked_at is not None:
        password_fits(None, password)
        return None
    return account if _passes(work, sealer, account, (password, code), "sign_in_step", at) else None


def opens_vouched(work: Work, sealer: Sealer, account: Account, code: str | None, at: datetime) -> bool:
    """Whether an account that a provider vouches for opens with this code; ``None`` where none is asked for.

    The try is counted as at :func:`opens`, and a closed door stays closed.
    """
    return account.revoked_at is None and _passes(work, sealer, account, (None, code), "sign_in_step", at)


def confirms(work: Work, sealer: Sealer, account: Account, password: str, code: str, at: datetime) -> bool:
    """Whether a person who is signed in proves once more who it is; a code confirms one step only."""
    return account.revoked_at is None and _passes(work, sealer, account, (password, code), "confirm_step", at)


def set_password(work: Work, account: Account, password: str, at: datetime) -> Account:
    """Give the account another password.

    Raises:
        Invalid: ``password.weak``.
    """
    require_good_password(password, account.login)
    changed = replace(account, password_hash=hash_password(password), changed_at=at, credentials_at=at)
    work.connection.exec_driver_sql(
        "update console_account set password_hash = %s, changed_at = %s, credentials_at = %s where id = %s",
        (changed.password_hash, at, at, account.id),
    )
    tell(work, changed, "account.password_set", account.person)
    return changed


def new_credentials(work: Work, sealer: Sealer, account: Account, password: str, actor: str, at: datetime) -> str:
    """Give the account another password and authenticator, whose secret is the answer; its door is open again."""
    require_good_password(password, account.login)
    secret = new_totp_secret()
    changed = _with_proofs(work, sealer, account, password, secret, at)
    open_door(work, account)
    tell(work, changed, "account.credentials_set", actor)
    return secret


def set_proofs(work: Work, sealer: Sealer, account: Account, password: str, secret: str, at: datetime) -> Account:
    """Give the account the password that its person chose, and the authenticator that the person proved."""
    changed = _with_proofs(work, sealer, account, password, secret, at)
    tell(work, changed, "account.credentials_set", account.person)
    return changed


def _with_proofs(work: Work, sealer: Sealer, account: Account, password: str, secret: str, at: datetime) -> Account:
    sealed = sealer.seal(secret, _place(account.id))
    changed = replace(
        account, password_hash=hash_password(password), totp_sealed=sealed, changed_at=at, credentials_at=at
    )
    work.connection.exec_driver_sql(
        "update console_account set password_hash = %s, totp_sealed = %s, changed_at = %s, credentials_at = %s "
        "where id = %s",
        (changed.password_hash, sealed, at, at, account.id),
    )
    return changed


def open_door(work: Work, account: Account) -> None:
    """Forget the wrong tries that closed the account's door."""
    work.connection.exec_driver_sql("update console_attempt set failures = 0 where account_id = %s", (account.id,))


def give_roles(work: Work, account: Account, roles: Sequence[str], actor: str, reason: str, at: datetime) -> Account:
    """Let the account have these roles from now on, as ``actor`` said; who may say so, the caller has checked."""
    changed = replace(account, roles=tuple(roles), roles_set_by=actor, changed_at=at)
    work.connection.exec_driver_sql(
        "update console_account set roles = %s, roles_set_by = %s, changed_at = %s where id = %s",
        (list(roles), actor, at, account.id),
    )
    tell(work, changed, "account.roles_set", actor, reason)
    return changed


def revoke_account(work: Work, account: Account, actor: str, at: datetime, reason: str | None = None) -> Account:
    """Revoke the account for good; its sessions open nothing from now on."""
    revoked = replace(account, changed_at=at, revoked_at=at)
    work.connection.exec_driver_sql(
        "update console_account set revoked_at = %s, changed_at = %s where id = %s", (at, at, account.id)
    )
    tell(work, revoked, "account.revoked", actor, reason)
    return revoked


def _passes(
    work: Work, sealer: Sealer, account: Account, proof: tuple[str | None, str | None], column: str, at: datetime
) -> bool:
    """Count one try; ``column`` keeps the time step of the last code that was right. One try at a time.

    ``proof`` is password and code; either is ``None`` where a provider's word stands for it.
    """
    after, failures, failed_at = work.connection.exec_driver_sql(
        f"select {column}, failures, last_failed_at from console_attempt "  # noqa: S608 - our own columns
        "where account_id = %s for no key update",
        (account.id,),
    ).one()
    closed = failures >= FAILURES_BEFORE_PAUSE and failed_at + PAUSE > at
    fits = proof[0] is None or password_fits(account.password_hash, proof[0])
    secret = sealer.unseal(account.totp_sealed, _place(account.id))
    step = after if proof[1] is None else step_of_code(secret, proof[1], at, after)
    if closed or not fits or step is None:
        kept = failures if closed else failures % FAILURES_BEFORE_PAUSE + 1
        work.connection.exec_driver_sql(
            "update console_attempt set failures = %s, last_failed_at = %s where account_id = %s",
            (kept, failed_at if closed else at, account.id),
        )
        return False
    work.connection.exec_driver_sql(
        f"update console_attempt set failures = 0, {column} = %s where account_id = %s",  # noqa: S608 - our own columns
        (step, account.id),
    )
    return True


def tell(work: Work, account: Account, action: str, actor: str, reason: str | None = None) -> None:
    """Tell the chains of the account's tenants how it stands after the act."""
    details: dict[str, Json] = {
        "login": account.login,
        "person": account.person,
        "display_name": account.display_name,
        "tenants": [*account.tenants],
        "roles": [*account.roles],
        "credentials_sha256": sha256(account.password_hash.encode() + b"\n" + account.totp_sealed).hex(),
        "created_at": plain(account.created_at),
        "changed_at": plain(account.changed_at),
        "credentials_at": plain(account.credentials_at),
        "roles_set_by": account.roles_set_by,
        "revoked_at": plain(account.revoked_at),
    }
    changes = [Change(tenant, actor, action, account.id, reason=reason, details=details) for tenant in account.tenants]
    record(work.connection, changes, work.at)


def _place(account_id: UUID) -> Place:
    return Place("console_account", "totp_sealed", SEALED_FOR, str(account_id))


def _one(connection: Connection, where: str, value: object) -> Account | None:
    row = connection.exec_driver_sql(
        f"select {_LIST} from console_account where {where}",  # noqa: S608 - our own columns
        (value,),
    ).one_or_none()
    return None if row is None else _account(row)


def _account(row: Sequence[Any]) -> Account:
    values = dict(zip((field.name for field in fields(Account)), row, strict=True))
    exact = {
        "tenants": tuple(values["tenants"]),
        "roles": tuple(values["roles"]),
        "totp_sealed": bytes(values["totp_sealed"]),
    }
    return Account(**values | exact)


def _plain_lists(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
