"""``/v1/tenants/{tenant}/accounts``: the people who may sign in at the console, and what administrators do about it."""

from collections.abc import Callable
from typing import Any, Final

from flask import Response
from marshmallow import Schema, fields, validate

from clearing.api.batches import MAX_REASON_CHARACTERS
from clearing.api.frame import Answer, current, in_transaction, needs, principal
from clearing.api.noun import Noun, PageSchema, page, read_cursor
from connectors.leaf import TextField
from tenants.account_acts import Actor, SeenAccount, accounts_of, revoke, set_roles, unlock
from tenants.accounts import Account
from tenants.kernel.canonical import Json, plain
from tenants.kernel.database import Work
from tenants.principal import ROLES

blueprint = Noun("accounts", __name__, url_prefix="/v1/tenants/<tenant>/accounts", description="人员账号 / accounts")

ADMINISTRATORS: Final = ("policies:write", "clearing:operate")


class AccountReasonSchema(Schema):
    """Why it is done."""

    reason = TextField(MAX_REASON_CHARACTERS)


class RolesSchema(AccountReasonSchema):
    """The roles that are left, and why."""

    roles = fields.List(
        fields.String(validate=validate.Length(max=40)), required=True, validate=validate.Length(1, len(ROLES))
    )


@blueprint.get("")
@needs(*ADMINISTRATORS, "audit:read")
@blueprint.arguments(PageSchema, location="query")
def list_accounts(query: dict[str, Any], tenant: str) -> Response:
    """The accounts that serve the tenant, revoked ones too."""
    limit, after, at = query["limit"], read_cursor(query["cursor"]) or "", current().machine.now()

    def use_case(work: Work) -> Answer:
        rows = accounts_of(work.connection, tenant, after, limit + 1, at)
        return Answer(page(rows, limit, seen_json, lambda row: row.account.login))

    return in_transaction(use_case, (tenant,))


@blueprint.post("/<login>/roles")
@needs(*ADMINISTRATORS)
@blueprint.arguments(RolesSchema)
def put_roles(body: dict[str, Any], tenant: str, login: str) -> Response:
    """Take roles: those that are named are left. They are given at the operator's command line."""
    return _acted(lambda work: roles_set_by_caller(work, tenant, login, body["roles"], body["reason"]))


@blueprint.post("/<login>/revoke")
@needs(*ADMINISTRATORS)
@blueprint.arguments(AccountReasonSchema)
def revoke_account(body: dict[str, str], tenant: str, login: str) -> Response:
    """Revoke the account for good; its sessions end at once."""
    return _acted(lambda work: revoked_by_caller(work, tenant, login, body["reason"]))


@blueprint.post("/<login>/unlock")
@needs(*ADMINISTRATORS)
def unlock_account(tenant: str, login: str) -> Response:
    """Open the door that wrong tries closed for a while."""
    return _acted(lambda work: unlocked_by_caller(work, tenant, login))


def roles_set_by_caller(work: Work, tenant: str, login: str, roles: list[str], reason: str) -> Account:
    """Leave the account these roles, as the caller."""
    return set_roles(work, acting_for(tenant), login, roles, reason, current().machine.now())


def revoked_by_caller(work: Work, tenant: str, login: str, reason: str) -> Account:
    """Revoke the account, as the caller."""
    return revoke(work, acting_for(tenant), login, reason, current().machine.now())


def unlocked_by_caller(work: Work, tenant: str, login: str) -> Account:
    """Open the account's door, as the caller."""
    return unlock(work, acting_for(tenant), login)


def seen_json(seen: SeenAccount) -> dict[str, Json]:
    """The account in the form of the API: nothing of its password or authenticator."""
    return {**_json(seen.account), "closed_until": plain(seen.closed_until), "open_sessions": seen.sessions}


def _json(account: Account) -> dict[str, Json]:
    shown = ("login", "person", "display_name", "tenants", "roles", "created_at", "changed_at", "revoked_at")
    return {name: plain(getattr(account, name)) for name in shown}


def acting_for(tenant: str) -> Actor:
    """The caller as who acts in the tenant's list of accounts."""
    caller = principal()
    return Actor(caller.subject, caller.tenants, tenant)


def _acted(use_case: Callable[[Work], Account]) -> Response:
    return in_transaction(lambda work: Answer(_json(use_case(work))))
