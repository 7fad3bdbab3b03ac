"""A draft of a policy: typed in a form, in the document beside it, or uploaded; its faults stand at their lines."""

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from flask import Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.frame import principal
from clearing.api.noun import load, too_large
from clearing.api.policies import DRAFT_READERS, MAX_DRAFT_BYTES, MAX_REASON, DraftSchema
from clearing.console.batches import schemes_of
from clearing.console.forms import plain_form
from clearing.console.policies import short_name
from clearing.console.policy_terms import line_of, terms_of, with_changes
from clearing.console.screen import as_api, screen, show, within
from clearing.tenancy import policy_life
from clearing.tenancy.policies import list_versions, read_version
from clearing.tenancy.policy_life import KINDS, Draft, Place, find_version, read_draft
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.errors import FieldError, Invalid, NotFound, PreconditionFailed, Problem, Text, not_found
from tenants.kernel.strict_json import decode
from tenants.policy_document import MAX_DOCUMENT_BYTES, read_policy
from tenants.policy_words import Difference, differences

MAX_FORM_BYTES: Final = 4 * MAX_DOCUMENT_BYTES
"""The document as text, and its values once more as fields."""

blueprint = screen("policy_draft", "/policies/<tenant>/<scheme>", max_form_bytes=MAX_FORM_BYTES)


@dataclass(frozen=True, slots=True)
class Typed:
    """What the form holds: the text, the digest of the draft that was opened, kind and reason."""

    document: str
    opened: str
    origin: str
    kind: str = KINDS[0]
    reason: str = ""


@blueprint.get("/draft")
@as_api("policies.get_policy", "policies.post_policy")
def new_page(tenant: str, scheme: str) -> Response:
    """An empty form, filled with another version's document where there is one (``from``)."""
    origin = request.args.get("from") or None

    def use_case(work: Work) -> Typed:
        if origin is not None:
            base = read_version(work.connection, tenant, scheme, origin)
            return Typed(str(base["document"]), "", short_name(str(base["version"])))
        today = shanghai_day(work.at).isoformat()
        approved: list[Any] = list_versions(work.connection, tenant, scheme, unapproved=False)
        begun = [one for one in approved if one["effective_on"] <= today and not one["demonstration"]]
        if not begun:
            return Typed("", "", "")
        return Typed(
            str(read_version(work.connection, tenant, scheme, begun[-1]["version"])["document"]), "",
            short_name(begun[-1]["version"]),
        )  # fmt: skip

    _require_scheme(tenant, scheme)
    return _page(tenant, scheme, within(use_case, (tenant,)))


@blueprint.get("/<version>/draft")
@as_api("policies.get_policy", "policies.post_policy")
def edit_page(tenant: str, scheme: str, version: str) -> Response:
    """The draft as it is stored."""

    def use_case(work: Work) -> Typed:
        stored = read_version(work.connection, tenant, scheme, version)
        name, digest = short_name(str(stored["version"])), str(stored["content_sha256"])
        reason = str(stored["reason"] or "") if stored["state"] == "draft" else ""
        return Typed(str(stored["document"]), digest, name, str(stored["kind"]), reason)

    return _page(tenant, scheme, within(use_case, (tenant,)))


@blueprint.post("/draft")
@as_api("policies.get_policy", "policies.post_policy")
def save(tenant: str, scheme: str) -> AnyResponse:
    """Store the draft, or only say what is wrong with it; what was typed comes back either way."""
    _require_scheme(tenant, scheme)
    typed = Typed(
        _line_ends(request.form.get("document", "")), request.form.get("opened", ""), request.form.get("origin", ""),
        request.form.get("kind", KINDS[0]), request.form.get("reason", ""),
    )  # fmt: skip
    try:
        typed = _with_document(typed, _given_text(typed.document))
        document = _strict(typed.document)
        read_draft(document)
        if request.form.get("act") != "save":
            return _page(tenant, scheme, typed, checked=True)
        name = within(lambda work: _store(work, tenant, scheme, typed, document), (tenant,))
    except Problem as problem:
        return _page(tenant, scheme, typed, problem)
    return redirect(f"/console/policies/{tenant}/{scheme}/{short_name(name)}?done=policy-drafted", HTTPStatus.SEE_OTHER)


def _store(work: Work, tenant: str, scheme: str, typed: Typed, document: str) -> str:
    policy = read_draft(document).policy
    body = plain_form("kind", "reason") | {"effective_on": policy.effective_on.isoformat(), "document": document}
    given = load(DraftSchema(), body)
    try:
        stored = find_version(work, Place(tenant, scheme, policy.version))
    except NotFound:
        stored = None
    if stored is not None and stored.state in policy_life.WRITABLE and stored.content_sha256 != typed.opened:
        raise PreconditionFailed(
            "policy.changed",
            f"已有名为 {policy.version} 的草稿，或他人在您打开之后改写了它；未作保存，您的内容仍在下面。",
            f"There is a draft {policy.version} already, or somebody rewrote it after you opened it; nothing was "
            "saved, and what you typed stands below.",
        )
    draft = Draft(given["effective_on"], given["document"], given["kind"], given["reason"])
    return str(policy_life.draft(work, tenant, scheme, draft, principal().subject)["version"])


def _given_text(typed: str) -> str:
    """The uploaded file's text or, without a file, the typed one with what the form's fields changed in it."""
    file = request.files.get("file")
    if file is None or not file.filename:
        return with_changes(typed, request.form)
    content = file.read(MAX_DOCUMENT_BYTES + 1)
    if len(content) > MAX_DOCUMENT_BYTES:
        raise too_large(MAX_DOCUMENT_BYTES)
    try:
        return _line_ends(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        said = Text("文件不是 UTF-8 文本，未读入。", "The file is no UTF-8 text; it was not read.")
        raise Invalid("policy.file", said.zh, said.en, errors=(FieldError("/file", "text.encoding", said),)) from error


def _strict(text: str) -> str:
    """The text as the interface would take it.

    Raises:
        Malformed: it holds a character that no text may hold.
    """
    body: Any = decode(
        json.dumps({"document": text}, ensure_ascii=False).encode("utf-8", "surrogatepass"),
        MAX_DRAFT_BYTES,
        documents=frozenset({"document"}),
    )
    return str(body["document"])


def _line_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _with_document(typed: Typed, document: str) -> Typed:
    return Typed(document, typed.opened, typed.origin, typed.kind, typed.reason)


def _require_scheme(tenant: str, scheme: str) -> None:
    if scheme not in schemes_of(tenant):
        raise not_found("券种", "scheme")


def _page(tenant: str, scheme: str, typed: Typed, problem: Problem | None = None, *, checked: bool = False) -> Response:
    faults = [(line_of(typed.document, fault), fault) for fault in problem.errors] if problem is not None else []
    lines = typed.document.splitlines()
    return show(
        "policy_draft.html", HTTPStatus.OK if problem is None else problem.status, tenant=tenant, scheme=scheme,
        typed=typed, problem=problem, terms=terms_of(typed.document), checked=checked, kinds=KINDS,
        faults=[(number, lines[number - 1] if number else "", fault) for number, fault in faults],
        changes=_changes(tenant, scheme, typed) if checked else [], max_reason=MAX_REASON,
    )  # fmt: skip


def _changes(tenant: str, scheme: str, typed: Typed) -> list[Difference]:
    """What the checked text says otherwise than the version that it was made from."""
    if not typed.origin:
        return []

    def use_case(work: Work) -> str:
        unapproved = principal().may(*DRAFT_READERS)
        found = read_version(work.connection, tenant, scheme, typed.origin, unapproved=unapproved)
        return str(found["document"])

    return differences(read_policy(within(use_case, (tenant,))), read_draft(typed.document).policy)
