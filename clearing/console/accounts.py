"""People of a region: who may sign in with which roles; roles taken, a closed door opened, an account revoked."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from flask import Response, redirect, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.accounts import (
    AccountReasonSchema,
    RolesSchema,
    revoked_by_caller,
    roles_set_by_caller,
    unlocked_by_caller,
)
from clearing.api.frame import current, principal
from clearing.api.noun import PageSchema, load, read_cursor
from clearing.console.batch import prove
from clearing.console.export import Column
from clearing.console.forms import plain_form
from clearing.console.lists import Listing, shown
from clearing.console.screen import act, as_api, screen, within
from clearing.console.words import word
from tenants.account_acts import SeenAccount, account_total, accounts_of
from tenants.kernel.canonical import Json
from tenants.kernel.database import Work
from tenants.kernel.errors import Problem

blueprint = screen("accounts", "/accounts")


@blueprint.get("")
@as_api("accounts.list_accounts")
def choose() -> AnyResponse:
    """Lead to the person's first region."""
    return redirect(f"/console/accounts/{principal().tenants[0]}", HTTPStatus.SEE_OTHER)


@blueprint.get("/<tenant>")
@as_api("accounts.list_accounts")
def accounts_page(tenant: str) -> Response:
    """The region's accounts by their logins."""
    return _page(tenant)


@blueprint.get("/<tenant>/export.<any(csv,xlsx):form>")
@as_api("accounts.list_accounts")
def export(tenant: str, form: str) -> Response:
    """The region's accounts, as a file."""
    return _listing(tenant).export(form)


@blueprint.post("/<tenant>/<login>/roles")
@as_api("accounts.put_roles")
def take_roles(tenant: str, login: str) -> AnyResponse:
    """Leave the account the roles that are ticked, after proving once more who it is."""
    given: dict[str, Json] = plain_form("reason", required=("reason",))
    given["roles"] = [*request.form.getlist("roles")]

    def use_case(work: Work) -> Any:  # noqa: ANN401 - what came of it is read again
        body = load(RolesSchema(), given)
        return roles_set_by_caller(work, tenant, login, body["roles"], body["reason"])

    return _acted(tenant, use_case, "roles-taken")


@blueprint.post("/<tenant>/<login>/revoke")
@as_api("accounts.revoke_account")
def revoke(tenant: str, login: str) -> AnyResponse:
    """Revoke the account, after proving once more who it is."""

    def use_case(work: Work) -> Any:  # noqa: ANN401 - as above
        body = load(AccountReasonSchema(), plain_form("reason", required=("reason",)))
        return revoked_by_caller(work, tenant, login, body["reason"])

    return _acted(tenant, use_case, "account-revoked")


@blueprint.post("/<tenant>/<login>/unlock")
@as_api("accounts.unlock_account")
def unlock(tenant: str, login: str) -> AnyResponse:
    """Open the account's door, after proving once more who it is."""
    return _acted(tenant, lambda work: unlocked_by_caller(work, tenant, login), "account-unlocked")


def _acted(tenant: str, use_case: Callable[[Work], Any], done: str) -> AnyResponse:
    def proved() -> None:
        prove()
        within(use_case)

    return act(proved, lambda problem: _page(tenant, problem), f"/console/accounts/{tenant}?done={done}")


def _page(tenant: str, problem: Problem | None = None) -> Response:
    mine = principal()
    return shown(
        "accounts.html", _listing(tenant).page(), problem, tenant=tenant, tenants=mine.tenants, person=mine.subject,
        given=request.form, again=f"/console/accounts/{tenant}",
    )  # fmt: skip


def _listing(tenant: str) -> Listing[SeenAccount, str]:
    at = current().machine.now()
    return Listing(
        name=f"accounts-{tenant}",
        schema=PageSchema,
        read=lambda work, _query, after, limit: accounts_of(work.connection, tenant, after or "", limit, at),
        totals=lambda work, _query, most: (account_total(work.connection, tenant, most),),
        key=lambda seen: seen.account.login,
        columns=_columns,
        tenants=(tenant,),
        after=read_cursor,
    )


def _columns() -> tuple[Column[SeenAccount], ...]:
    return (
        Column(_("姓名"), lambda seen: seen.account.display_name),
        Column(_("人员"), lambda seen: seen.account.person),
        Column(_("登录名"), lambda seen: seen.account.login),
        Column(_("角色"), lambda seen: _("、").join(str(word("role", role)) for role in seen.account.roles)),
        Column(_("状态"), lambda seen: _("有效") if seen.account.revoked_at is None else _("已吊销")),
    )
