"""What others do to a person's account: take roles, give them, open its door, revoke it; never the person itself.

A tenant's administrators act on accounts that serve no tenant but theirs, and alone they only take: whoever gave rights
alone could be maker and releaser in two names. Rights are given by two of them, see :mod:`tenants.account_proposals`,
or at the operator's command line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from tenants.accounts import (
    FAILURES_BEFORE_PAUSE,
    PAUSE,
    Account,
    find_by_login,
    find_by_logins,
    give_roles,
    open_door,
    revoke_account,
    tell,
)
from tenants.kernel.database import Work
from tenants.kernel.errors import Conflict, FieldError, Forbidden, Invalid, Text, not_found
from tenants.principal import ROLES
from tenants.sessions import end_sessions_of

ADMINISTRATOR: Final = "tenant_admin"
"""The role that a tenant is never left without by an act of its people."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, for which tenants, and in which one's list the account stands.

    Both are ``None`` for the operator beside the database, who serves all.
    """

    person: str
    tenants: tuple[str, ...] | None
    tenant: str | None


@dataclass(frozen=True, slots=True)
class SeenAccount:
    """An account as its administrators see it: with until when its door is closed, and how many sessions are open."""

    account: Account
    closed_until: datetime | None
    sessions: int


def accounts_of(connection: Connection, tenant: str, after: str, limit: int, at: datetime) -> list[SeenAccount]:
    """The accounts that serve the tenant behind the one of this login, by their logins."""
    rows = connection.exec_driver_sql(
        "select a.login, t.failures, t.last_failed_at, "
        "(select count(*) from console_session s where s.account_id = a.id and s.ended_at is null "
        "and s.expires_at > %s) as sessions "
        "from console_account a join console_attempt t on t.account_id = a.id "
        "where a.tenants @> array[%s] and a.login > %s order by a.login limit %s",
        (at, tenant, after, limit),
    ).all()
    accounts = find_by_logins(connection, [row.login for row in rows])
    found = []
    for row in rows:
        ends = None if row.failures < FAILURES_BEFORE_PAUSE else row.last_failed_at + PAUSE
        closed_until = ends if ends is not None and ends > at else None
        found.append(SeenAccount(accounts[row.login], closed_until, row.sessions))
    return found


def account_total(connection: Connection, tenant: str, most: int | None) -> int:
    """How many accounts :func:`accounts_of` lists in all; of the first ``most``, where that is given."""
    count: int = connection.exec_driver_sql(
        "select count(*) from (select 1 from console_account a where a.tenants @> array[%s] limit %s) found",
        (tenant, most),
    ).scalar_one()
    return count


def set_roles(work: Work, actor: Actor, login: str, roles: Sequence[str], reason: str, at: datetime) -> Account:
    """Let the account have these roles from now on; only the operator's may be others than it has.

    Raises:
        NotFound: the actor's tenants know no live account of this name.
        Forbidden: it is the actor's own, serves other tenants too, or would get a role.
        Invalid: no role, or one that there is not.
        Conflict: a tenant would be left without an administrator.
    """
    account = live_account(work, actor, login)
    given = tuple(sorted(set(roles)))
    if not given or not set(given) <= ROLES.keys():
        said = Text("须为至少一个已有的角色；全部收回请吊销账号。", "One known role at least; to take all, revoke it.")
        raise Invalid("input.invalid", said.zh, said.en, errors=(FieldError("/roles", "roles.unknown", said),))
    if actor.tenants is not None and not set(given) <= set(account.roles):
        raise Forbidden(
            "account.gives",
            "一位管理员只能收回角色；增加角色须提出后由另一人批准。",
            "One administrator only takes roles: propose further ones, and have another person approve.",
        )
    if ADMINISTRATOR not in given:
        _require_another_administrator(work, account)
    return give_roles(work, account, given, actor.person, reason, at)


def revoke(work: Work, actor: Actor, login: str, reason: str, at: datetime) -> Account:
    """Revoke the account for good and end its sessions.

    Raises:
        NotFound: as at :func:`set_roles`.
        Forbidden: it is the actor's own, or serves other tenants too.
        Conflict: a tenant would be left without an administrator.
    """
    account = live_account(work, actor, login)
    _require_another_administrator(work, account)
    end_sessions_of(work, account, at)
    return revoke_account(work, account, actor.person, at, reason)


def unlock(work: Work, actor: Actor, login: str) -> Account:
    """Open the account's door, closed by wrong tries, at once.

    Raises:
        NotFound: as at :func:`set_roles`.
        Forbidden: as at :func:`revoke`.
    """
    account = live_account(work, actor, login)
    open_door(work, account)
    tell(work, account, "account.unlocked", actor.person)
    return account


def live_account(work: Work, actor: Actor, login: str) -> Account:
    """The live account, while nobody else changes it or another of its tenants' administrators.

    Raises:
        NotFound: the actor's tenant knows no live account of this name.
        Forbidden: it is the actor's own, or serves other tenants too.
    """
    work.connection.exec_driver_sql(
        "select 1 from console_account where login = %s or %s = any(roles) order by id for no key update",
        (login, ADMINISTRATOR),
    )
    account = find_by_login(work.connection, login) if login.isascii() and "\0" not in login else None
    seen = account is not None and (actor.tenant is None or actor.tenant in account.tenants)
    if account is None or not seen or account.revoked_at is not None:
        raise not_found("账号", "account")
    if account.person == actor.person:
        raise Forbidden(
            "account.own",
            "不能改动自己的账号权限，请由另一位管理员办理。",
            "Nobody acts on an account of their own: ask another administrator.",
        )
    if actor.tenants is not None and not set(account.tenants) <= set(actor.tenants):
        raise Forbidden(
            "account.serves_others",
            "该账号还服务其他区域，请由运维人员办理。",
            "The account serves other regions too: ask the operator.",
        )
    return account


def _require_another_administrator(work: Work, account: Account) -> None:
    if ADMINISTRATOR not in account.roles:
        return
    left: set[str] = set(
        work.connection.exec_driver_sql(
            "select distinct unnest(tenants) from console_account where %s = any(roles) and revoked_at is null "
            "and id <> %s",
            (ADMINISTRATOR, account.id),
        ).scalars()
    )
    if not set(account.tenants) <= left:
        raise Conflict(
            "account.last_administrator",
            "这是区域的最后一位管理员，请先由运维人员为另一人开立管理员账号。",
            "It is a region's last administrator: have the operator make another one first.",
        )
