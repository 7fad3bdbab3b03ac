"""A region's signing keys: which signs payouts now, its rotation, and the revocation of one that is lost."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from flask import Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.frame import principal
from clearing.api.noun import load
from clearing.api.signing_keys import RevocationSchema, key_json, rotated_by_caller
from clearing.console.batch import prove
from clearing.console.forms import plain_form
from clearing.console.screen import act, as_api, screen, show, within
from settlement.signatures.keys import public_keys, revoke_key
from tenants.kernel.database import Work
from tenants.kernel.errors import Problem

blueprint = screen("keys", "/connectors/keys")


@blueprint.get("")
@as_api("signing_keys.get_keys")
def choose() -> AnyResponse:
    """Lead to the person's first region."""
    return redirect(f"/console/connectors/keys/{principal().tenants[0]}", HTTPStatus.SEE_OTHER)


@blueprint.get("/<tenant>")
@as_api("signing_keys.get_keys")
def keys_page(tenant: str) -> Response:
    """The region's keys, the newest first."""
    return _page(tenant)


@blueprint.post("/<tenant>/rotate")
@as_api("signing_keys.rotate_key")
def rotate(tenant: str) -> AnyResponse:
    """Make the next key, after proving once more who it is."""
    return _acted(tenant, lambda work: rotated_by_caller(work, tenant), "key-rotated")


@blueprint.post("/<tenant>/<kid>/revoke")
@as_api("signing_keys.revoke_key")
def revoke(tenant: str, kid: str) -> AnyResponse:
    """Refuse a key's signatures from now on, after proving once more who it is."""

    def use_case(work: Work) -> Any:  # noqa: ANN401 - what came of it is read again
        reason = load(RevocationSchema(), plain_form("reason", required=("reason",)))["reason"]
        return revoke_key(work.connection, tenant, kid, principal().subject, reason, work.at)

    return _acted(tenant, use_case, "key-revoked")


def _acted(tenant: str, use_case: Callable[[Work], Any], done: str) -> AnyResponse:
    def proved() -> None:
        prove()
        within(use_case, (tenant,))

    return act(proved, lambda problem: _page(tenant, problem), f"/console/connectors/keys/{tenant}?done={done}")


def _page(tenant: str, problem: Problem | None = None) -> Response:
    found = within(lambda work: public_keys(work.connection, tenant), (tenant,))
    keys = [key_json(key) for key in reversed(found.values())]
    status = HTTPStatus.OK if problem is None else problem.status
    return show(
        "keys.html", status, tenant=tenant, tenants=principal().tenants, keys=keys, problem=problem,
        given=request.form if problem is not None else {},
    )  # fmt: skip
