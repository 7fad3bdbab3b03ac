"""Accounts of people, as the operator makes and revokes them beside the running service."""

from collections.abc import Sequence
from typing import Final

from clearing.service import Service
from tenants.accounts import NewAccount, create_account, find_by_login, revoke_account
from tenants.kernel.database import Scope, Work, run

OPERATOR: Final = "operator"
"""Who acts at the command line."""


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
    """Revoke the account; ``False`` where there is no such live account."""
    with service.engine.connect() as connection:
        account = find_by_login(connection, login)
    if account is None or account.revoked_at is not None:
        return False

    def use_case(work: Work) -> None:
        revoke_account(work, account, OPERATOR, service.machine.now())

    run(service.engine, Scope(account.tenants), service.machine, use_case)
    return True
