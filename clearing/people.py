"""Accounts of people, as the operator makes and revokes them beside the running service."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from clearing.service import Service
from tenants.account_acts import Actor, revoke, set_roles
from tenants.account_proposals import OPERATOR, Proposal, approve, proposals_of
from tenants.accounts import NewAccount, create_account, find_by_login, new_credentials
from tenants.invitations import Issued, invite
from tenants.kernel.database import Scope, Work, run
from tenants.kernel.errors import Conflict
from tenants.passwords import new_password
from tenants.profile import tenant_codes
from tenants.sessions import end_sessions_of

MOST_PROPOSALS: Final = 500
"""How many are listed at the command line."""
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
        Conflict: ``tenant.not_seeded``.
    """
    new = NewAccount(login, person, display_name, tuple(tenants), tuple(roles), password)

    def use_case(work: Work) -> str:
        _require_seeded(work, tenants)
        return create_account(work, service.vault.sealer, new, OPERATOR, service.machine.now())[1]

    return run(service.engine, Scope(tuple(tenants)), service.machine, use_case)


def open_account(
    service: Service, login: str, person: str, display_name: str, tenants: Sequence[str], roles: Sequence[str]
) -> Issued:
    """Make an account that opens once its person has taken up the invitation, which is the answer.

    Raises:
        Invalid: the name is taken or malformed.
        Conflict: ``tenant.not_seeded``.
    """
    new = NewAccount(login, person, display_name, tuple(tenants), tuple(roles), new_password())

    def use_case(work: Work) -> Issued:
        _require_seeded(work, tenants)
        at = service.machine.now()
        account, _secret = create_account(work, service.vault.sealer, new, OPERATOR, at)
        return invite(work, service.vault.sealer, account, OPERATOR, at)

    return run(service.engine, Scope(tuple(tenants)), service.machine, use_case)


def list_proposals(service: Service, tenant: str) -> list[Proposal]:
    """The tenant's proposals that wait for a decision."""
    wanted = {"state": "proposed"}
    return run(
        service.engine, Scope((tenant,)), service.machine,
        lambda work: proposals_of(work.connection, tenant, wanted, None, MOST_PROPOSALS),
    )  # fmt: skip


def approve_proposal(service: Service, tenant: str, proposal_id: UUID) -> tuple[Proposal, Issued | None]:
    """Approve as the operator, who is nobody of the tenant's; the invitation where a person has to set proofs.

    Raises:
        NotFound: there is no such proposal, or no longer such an account.
        Conflict: it was decided, or cannot be done any more.
    """
    sealer, every_tenant = service.vault.sealer, tenant_codes()

    def use_case(work: Work) -> tuple[Proposal, Issued | None]:
        return approve(work, sealer, _BESIDE, tenant, proposal_id, service.machine.now())

    return run(service.engine, Scope(every_tenant), service.machine, use_case)


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


def reset(service: Service, login: str) -> Issued | None:
    """End what the account's person knew, and invite the person anew; ``None`` where there is no such live account."""
    made: list[Issued] = []

    def use_case(work: Work, at: datetime) -> None:
        account = find_by_login(work.connection, login)
        if account is not None:
            end_sessions_of(work, account, at)
            new_credentials(work, service.vault.sealer, account, new_password(), OPERATOR, at)
            made[:] = [invite(work, service.vault.sealer, account, OPERATOR, at)]

    return made[0] if _acted(service, login, use_case) else None


def _require_seeded(work: Work, tenants: Sequence[str]) -> None:
    known = set(work.connection.exec_driver_sql("select tenant from tenant").scalars())
    missing = ", ".join(sorted(set(tenants) - known))
    if missing:
        raise Conflict(
            "tenant.not_seeded",
            f"数据库中还没有区域 {missing}，请先运行 ./run seed。",
            f"The database does not hold the tenant {missing} yet: run ./run seed first.",
        )


def _acted(service: Service, login: str, use_case: Callable[[Work, datetime], Any]) -> bool:
    with service.engine.connect() as connection:
        account = find_by_login(connection, login)
    if account is None or account.revoked_at is not None:
        return False
    run(service.engine, Scope(account.tenants), service.machine, lambda work: use_case(work, service.machine.now()))
    return True
