"""Clients of the interface: what each may do, its public keys and their rotation, and its last requests."""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from flask import Response, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.frame import principal
from clearing.api.noun import load, read_cursor
from clearing.api.operations import (
    ClientQuerySchema,
    PublicKeySchema,
    add_key_as_caller,
    request_log,
    requests_json,
    revoke_key_as_caller,
)
from clearing.console.batch import prove
from clearing.console.export import Column
from clearing.console.filters import platform_name
from clearing.console.lists import Figure, Listing, shown
from clearing.console.screen import act, as_api, screen, show, within
from clearing.operating.clients import ClientRow, client_totals, find_client_of, keys_of, list_clients
from tenants.kernel.canonical import plain
from tenants.kernel.database import Work
from tenants.kernel.errors import FieldError, Invalid, Problem, Text

blueprint = screen("clients", "/connectors/clients")


@blueprint.get("")
@as_api("operations.get_clients")
def list_page() -> Response:
    """One page of the clients that act for the person's regions only."""
    listing = _listing().page()
    names = [row.client_id for row in listing["items"] or ()]
    keys = within(lambda work: keys_of(work.connection, names))
    return shown("clients.html", listing, latest=request_log().latest(names), keys=keys)


@blueprint.get("/export.<any(csv,xlsx):form>")
@as_api("operations.get_clients")
def export(form: str) -> Response:
    """The clients that the address asks for, all of them, as a file."""
    return _listing().export(form)


def _listing() -> Listing[ClientRow, str]:
    tenants = principal().tenants
    return Listing(
        name="clients",
        schema=ClientQuerySchema,
        read=lambda work, query, after, limit: list_clients(work.connection, tenants, query["platform"], after, limit),
        totals=lambda work, query, most: client_totals(work.connection, tenants, query["platform"], most),
        key=lambda row: row.client_id,
        columns=_columns,
        figures=lambda: (Figure(_("其中有效"), lambda row: int(row.revoked_at is None)),),
        after=read_cursor,
    )


@blueprint.get("/<client_id>")
@as_api("operations.get_client", "operations.get_requests")
def client_page(client_id: str) -> Response:
    """One client with its keys and its last requests."""
    return _page(client_id)


@blueprint.post("/<client_id>/keys")
@as_api("operations.add_client_key")
def add_key(client_id: str) -> AnyResponse:
    """Add a public key, after proving once more who it is; the old one holds until it is revoked."""
    return _acted(client_id, lambda work: add_key_as_caller(work, client_id, _given_key()), "key-added")


@blueprint.post("/<client_id>/keys/<kid>/revoke")
@as_api("operations.revoke_client_key")
def revoke_key(client_id: str, kid: str) -> AnyResponse:
    """Revoke a key, after proving once more who it is."""
    return _acted(client_id, lambda work: revoke_key_as_caller(work, client_id, kid), "key-revoked")


def _given_key() -> dict[str, str]:
    """The key that was pasted.

    Raises:
        Invalid: it is no JSON object, or no public key.
    """
    try:
        pasted = json.loads(request.form.get("jwk", ""))
    except ValueError:
        pasted = None
    if not isinstance(pasted, dict) or "d" in pasted:
        said = Text(
            "请粘贴 P-256 公钥（JWK，JSON 对象）；不要粘贴私钥。",
            "Paste a public P-256 key (a JWK, a JSON object), and no private one.",
        )
        raise Invalid("key.malformed", said.zh, said.en, errors=(FieldError("/jwk", "key.malformed", said),))
    given: dict[str, str] = load(
        PublicKeySchema(), {name: pasted[name] for name in ("kty", "crv", "x", "y") if name in pasted}
    )
    return given


def _acted(client_id: str, use_case: Callable[[Work], Any], done: str) -> AnyResponse:
    def proved() -> None:
        prove()
        within(use_case)

    return act(
        proved, lambda problem: _page(client_id, problem), f"/console/connectors/clients/{client_id}?done={done}"
    )


def _page(client_id: str, problem: Problem | None = None) -> Response:
    def use_case(work: Work) -> tuple[ClientRow, list[Any]]:
        row = find_client_of(work.connection, principal().tenants, client_id)
        return row, keys_of(work.connection, [client_id])[client_id]

    row, keys = within(use_case)
    status = HTTPStatus.OK if problem is None else problem.status
    return show(
        "client.html", status, client=row, keys=keys, log=requests_json(client_id), problem=problem,
        given=request.form if problem is not None else {},
    )  # fmt: skip


def _columns() -> tuple[Column[ClientRow], ...]:
    return (
        Column(_("客户端"), lambda row: row.client_id),
        Column(_("平台"), lambda row: platform_name(row.platform or "")),
        Column(_("人员"), lambda row: row.person or ""),
        Column(_("区域"), lambda row: " ".join(row.tenants)),
        Column(_("权限"), lambda row: " ".join(row.scopes)),
        Column(_("开立时间"), lambda row: str(plain(row.created_at))),
        Column(_("吊销时间"), lambda row: str(plain(row.revoked_at) or "")),
    )
