"""One version of a policy: form and document side by side, what it changes, and its way to an approver."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote

from flask import Response, request
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.frame import current, principal
from clearing.api.noun import load
from clearing.api.policies import DRAFT_READERS, MAX_REASON, RejectionSchema
from clearing.console.batch import prove
from clearing.console.forms import plain_form
from clearing.console.policies import short_name
from clearing.console.policy_terms import terms_of
from clearing.console.screen import act, as_api, screen, show, within
from clearing.tenancy import policy_life
from clearing.tenancy.approving import approve_version
from clearing.tenancy.policies import diff, list_versions, read_version
from clearing.tenancy.policy_life import WRITABLE, Place
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.errors import NotFound, Problem

blueprint = screen("policy", "/policies/<tenant>/<scheme>")

DIFFERENCES_SHOWN: Final = 500


@blueprint.get("/<path:version>")
@as_api("policies.get_policy")
def version_page(tenant: str, scheme: str, version: str) -> Response:
    """The version; ``version`` is its whole name or what follows ``tenant/scheme/``."""
    return _page(tenant, scheme, unquote(version))


@blueprint.get("/<version>/differences")
@as_api("policies.get_policy", "policies.get_diff")
def differences_page(tenant: str, scheme: str, version: str) -> Response:
    """What the version says otherwise than another (``against``), or than the approved one before it, in words."""
    against = request.args.get("against") or None
    unapproved = principal().may(*DRAFT_READERS)

    def use_case(work: Work) -> dict[str, Any]:
        stored = read_version(work.connection, tenant, scheme, version, unapproved=unapproved)
        versions: list[Any] = list_versions(work.connection, tenant, scheme, unapproved=unapproved)
        found: dict[str, Any] | None = None
        try:
            found = diff(work.connection, tenant, scheme, version, against, unapproved=unapproved)
        except NotFound:
            if against is not None:
                raise
        others = [one for one in versions if one["version"] != stored["version"]]
        return {"stored": stored, "others": others, "found": found}

    shown = within(use_case, (tenant,))
    return show("differences.html", tenant=tenant, scheme=scheme, short=short_name(shown["stored"]["version"]), **shown)


@blueprint.post("/<version>/submit")
@as_api("policies.submit_policy")
def submit(tenant: str, scheme: str, version: str) -> AnyResponse:
    """Hand the draft to an approver."""
    where, actor = _place(tenant, scheme, version), principal().subject
    return _done(where, "policy-submitted", lambda work: policy_life.submit(work, where, actor))


@blueprint.post("/<version>/approve")
@as_api("policies.approve_policy")
def approve(tenant: str, scheme: str, version: str) -> AnyResponse:
    """Approve the text that the person has read, after proving once more who it is."""
    where, actor, service = _place(tenant, scheme, version), principal().subject, current()
    demonstration = service.settings.demonstration

    def use_case(work: Work) -> object:
        return approve_version(work, service.vault, where, actor, demonstration=demonstration)

    return _done(where, "policy-approved", use_case, proved=True)


@blueprint.post("/<version>/reject")
@as_api("policies.reject_policy")
def reject(tenant: str, scheme: str, version: str) -> AnyResponse:
    """Send what was submitted back, with the reason."""
    where, actor = _place(tenant, scheme, version), principal().subject

    def use_case(work: Work) -> object:
        reason = load(RejectionSchema(), plain_form("reason", required=("reason",)))["reason"]
        return policy_life.reject(work, where, actor, reason)

    return _done(where, "policy-rejected", use_case)


def _done(where: Place, done: str, use_case: Callable[[Work], object], *, proved: bool = False) -> AnyResponse:
    def do() -> None:
        if proved:
            prove()
        within(use_case, (where.tenant,))

    return act(
        do,
        lambda problem: _page(where.tenant, where.scheme, where.version, problem),
        f"/console/policies/{where.tenant}/{where.scheme}/{short_name(where.version)}?done={done}",
    )


def _place(tenant: str, scheme: str, version: str) -> Place:
    """The version with the text that the page showed."""
    return Place(tenant, scheme, version, request.form.get("content_sha256", ""))


def _page(tenant: str, scheme: str, version: str, problem: Problem | None = None) -> Response:
    unapproved = principal().may(*DRAFT_READERS)

    def use_case(work: Work) -> dict[str, Any]:
        stored = read_version(work.connection, tenant, scheme, version, unapproved=unapproved)
        return {"stored": stored, "today": shanghai_day(work.at)}

    shown = within(use_case, (tenant,))
    stored = shown["stored"]
    document = str(stored["document"])
    return show(
        "policy.html", HTTPStatus.OK if problem is None else problem.status, tenant=tenant, scheme=scheme,
        document=document, terms=terms_of(document), short=short_name(stored["version"]), problem=problem,
        given=request.form, writable=stored["state"] in WRITABLE, max_reason=MAX_REASON,
        own=principal().subject in {stored["author"], stored["submitter"]}, **shown,
    )  # fmt: skip
