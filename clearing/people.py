"""Accounts of people, as the operator makes and revokes them beside the running service."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from clearing.service import Service
from tenants.account_acts import Actor, revoke, set_roles
from tenants.accounts import NewAccount, create_account, find_by_login, new_credentials
from tenants.kernel.database import Scope, Work, run
from tenants.sessions import end_sessions_of

OPERATOR: Final = "operator"
"""Who acts at the command line."""
_BESIDE: Final = Actor(OPERATOR, None, None)


def enrol(
    service: Service,
    login: str,
    person: str,
    display_name: str,
    tenants: Sequence[str],
    roles: Sequence[str],
    password: str,
) -> str:
    """Make an account; the answer is the secret of its authenticator.

    Raises:
        Invalid: the name is taken or malformed, or the password is weak.
    """
    new = NewAccount(login, person, display_name, tuple(tenants), tuple(roles), password)

    def use_case(work: Work) -> str:
        return create_account(work, service.vault.sealer, new, OPERATOR, service.machine.now())[1]

    return run(service.engine, Scope(tuple(tenants)), service.machine, use_case)


def dismiss(service: Service, login: str) -> bool:
    """Revoke the account and end its sessions; ``False`` where there is no such live account.

    Raises:
        Conflict: a tenant would be left without an administrator.
    """
    return _acted(service, login, lambda work, at: revoke(work, _BESIDE, login, "operator", at))


def change_roles(service: Service, login: str, roles: Sequence[str], reason: str) -> bool:
    """Give the account these roles and no others; ``False`` where there is no such live account.

    Raises:
        Conflict: a tenant would be left without an administrator.
    """
    return _acted(service, login, lambda work, at: set_roles(work, _BESIDE, login, roles, reason, at))


def reset(service: Service, login: str, password: str) -> str | None:
    """Another password and authenticator, whose secret is the answer; ``None`` where there is no such live account."""
    made: list[str] = []

    def use_case(work: Work, at: datetime) -> None:
        account = find_by_login(work.connection, login)
        if account is not None:
            end_sessions_of(work, account, at)
            made[:] = [new_credentials(work, service.vault.sealer, account, password, OPERATOR, at)]

    return made[0] if _acted(service, login, use_case) else None


def _acted(service: Service, login: str, use_case: Callable[[Work, datetime], Any]) -> bool:
    with service.engine.connect() as connection:
        account = find_by_login(connection, login)
    if account is None or account.revoked_at is not None:
        return False
    run(service.engine, Scope(account.tenants), service.machine, lambda work: use_case(work, service.machine.now()))
    return True
