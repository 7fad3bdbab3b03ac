"""Public notices (公示) for everybody, without login: open batches, one batch's claims, and objections to them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, TypeVar

from flask import Response, redirect, render_template, request
from marshmallow import Schema, fields, validate
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.batches import MAX_REASON_CHARACTERS, line_of
from clearing.api.frame import current
from clearing.api.noun import (
    DEFAULT_LIMIT,
    JSON_TYPE,
    MAX_LIMIT,
    Noun,
    PageSchema,
    json_body,
    load,
    page,
    read_cursor,
    too_large,
)
from clearing.claims.objections import (
    Complaint,
    Outcome,
    notice_is_open,
    notice_of,
    object_publicly,
    outcomes_of,
)
from connectors.leaf import PatternField, TextField
from settlement.batches.batch import Batch, BatchItem, list_items, published_batches
from tenants.kernel.canonical import Json, canonical_bytes, plain
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Scope, Work, run
from tenants.kernel.errors import Problem, Text, not_found
from tenants.profile import load_tenants

blueprint = Noun(
    "notices", __name__, url_prefix="/notices", template_folder="templates", description="公示 / public notices"
)

MAX_OBJECTION_BYTES: Final = 16 * 1024
MAX_CONTACT_CHARACTERS: Final = 200
MAX_OPEN_NOTICES: Final = 500
STYLE_LIFE_SECONDS: Final = 3600
PAGE_POLICY: Final = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
"""The pages run no script and load one style sheet of ours."""
EVERYBODY: Final[dict[str, Any]] = {"security": []}

MODES: Final = {
    "common_use": Text("通用（兑付给企业）", "common use, paid to the enterprise"),
    "cross_redemption": Text("通兑（兑付给服务机构）", "cross-redemption, paid to the provider"),
}

OUTCOMES: Final = {
    "on_hold": Text("异议处理中", "being looked into"),
    "resumed": Text("异议不成立，恢复拨付", "objection dismissed, to be paid"),
    "withdrawn": Text("异议成立，不予拨付", "objection upheld, not paid"),
    "lowered": Text("异议成立，核减后拨付", "objection upheld, less is paid"),
    "returned": Text("异议成立，更正账户后另行公示", "objection upheld, another account is announced"),
    "ended": Text("因其他原因不予拨付", "not paid for another reason"),
}
"""What everybody is told of an objection's outcome."""

LABELS: Final = {
    "claim_no": Text("申请编号", "Claim number"),
    "reason": Text("异议理由", "Reason"),
    "contact": Text("联系方式", "How to reach you"),
}
"""What the form calls its fields, and so does what is wrong with them."""

Result = TypeVar("Result")

_BATCH_NUMBER: Final = re.compile(r"[A-Z0-9-]{1,40}", re.ASCII)
_FORM: Final = "application/x-www-form-urlencoded"


class FormatSchema(Schema):
    """HTML for people, JSON for programs."""

    format = fields.String(load_default="html", validate=validate.OneOf(("html", "json")))


class NoticeQuerySchema(PageSchema, FormatSchema):
    """One page of a notice; ``received`` is where an objection's form leads back to."""

    received = fields.String(load_default=None)


class ObjectionSchema(Schema):
    """An objection to one claim of the notice."""

    claim_no = PatternField(r"[A-Z0-9-]{1,40}", "code.malformed", example="CL-JS-2024-000123")
    reason = TextField(MAX_REASON_CHARACTERS, about="异议理由 / why")
    contact = TextField(MAX_CONTACT_CHARACTERS, about="联系方式，加密保存 / how to reach you, kept encrypted")


@dataclass(frozen=True, slots=True)
class Shown:
    """What a notice shows: the batch, whether one can object today, the tenant's names, and a page of its claims."""

    batch: Batch
    is_open: bool
    tenant: Text
    items: list[BatchItem]
    outcomes: list[Outcome]
    """What became of the items that objections took out."""


@blueprint.get("")
@blueprint.arguments(FormatSchema, location="query")
@blueprint.doc(**EVERYBODY)
def open_notices(query: dict[str, Any]) -> Response:
    """List the notices that are open today, newest first."""
    tenants = _tenants()

    def use_case(work: Work) -> list[Batch]:
        return published_batches(work.connection, shanghai_day(work.at), MAX_OPEN_NOTICES)

    batches = _read(tuple(tenants), use_case)
    if query["format"] == "json":
        return _json({"items": [_summary(batch) for batch in batches], "next_cursor": None})
    schemes = {(batch.tenant, batch.scheme): _scheme(batch.tenant, batch.scheme) for batch in batches}
    return _html(render_template("notices.html", batches=batches, tenants=tenants, schemes=schemes, modes=MODES))


@blueprint.get("/style.css")
@blueprint.doc(responses={"200": {"description": "style", "content": {"text/css": {"schema": {"type": "string"}}}}})
@blueprint.doc(**EVERYBODY)
def get_notice_style() -> Response:
    """The style sheet of the pages."""
    sheet = (Path(__file__).parent / "templates" / "notices.css").read_bytes()
    headers = {"Cache-Control": f"public, max-age={STYLE_LIFE_SECONDS}"}
    return Response(sheet, content_type="text/css; charset=utf-8", headers=headers)


@blueprint.get("/<tenant>/<batch_no>")
@blueprint.arguments(NoticeQuerySchema, location="query")
@blueprint.doc(**EVERYBODY)
def get_notice(query: dict[str, Any], tenant: str, batch_no: str) -> Response:
    """The notice of a batch: each claim's number, enterprise, provider and amount."""
    shown = _shown(tenant, batch_no, line_of(read_cursor(query["cursor"])), query["limit"])
    if query["format"] == "json":
        return _json(_notice_json(shown, query["limit"]))
    return _page(shown, query["limit"], received=query["received"] is not None)


@blueprint.post("/<tenant>/<batch_no>/objections")
@blueprint.doc(
    **EVERYBODY,
    requestBody={
        "required": True,
        "content": {JSON_TYPE: {"schema": ObjectionSchema}, _FORM: {"schema": ObjectionSchema}},
    },
    responses={
        "201": {"description": "taken; the claim is held until it is decided"},
        "303": {"description": "taken; back to the notice"},
    },
)
def object_to_notice(tenant: str, batch_no: str) -> AnyResponse:
    """Object to one claim of an open notice: it leaves the batch and is held until it is decided."""
    if (request.content_length or 0) > MAX_OBJECTION_BYTES:
        raise too_large(MAX_OBJECTION_BYTES)
    if request.mimetype != _FORM:
        claim_no = _object(tenant, batch_no, json_body(MAX_OBJECTION_BYTES))
        return _json({"claim_no": claim_no, "state": "on_hold"}, HTTPStatus.CREATED)
    try:
        _object(tenant, batch_no, {name: " ".join(value.split()) for name, value in request.form.items()})
    except Problem as problem:
        return _page(_shown(tenant, batch_no, 0, DEFAULT_LIMIT), DEFAULT_LIMIT, problem=problem)
    return redirect(f"/notices/{tenant}/{batch_no}?received=yes", HTTPStatus.SEE_OTHER)


def _object(tenant: str, batch_no: str, data: Json) -> str:
    given = load(ObjectionSchema(), data)
    complaint = Complaint(given["reason"], given["contact"])
    source, vault = request.remote_addr or "unknown", current().vault

    def use_case(work: Work) -> str:
        batch = notice_of(work, tenant, batch_no)
        object_publicly(work, vault, batch, given["claim_no"], complaint, source)
        return str(given["claim_no"])

    _names(tenant, batch_no)
    return _read((tenant,), use_case)


def _shown(tenant: str, batch_no: str, after_line: int, limit: int) -> Shown:
    names = _names(tenant, batch_no)

    def use_case(work: Work) -> Shown:
        batch = notice_of(work, tenant, batch_no)
        items = list_items(work.connection, batch, after_line, limit + 1, removed=False)
        return Shown(batch, notice_is_open(work, batch), names, items, outcomes_of(work, batch))

    return _read((tenant,), use_case)


def _page(shown: Shown, limit: int, *, received: bool = False, problem: Problem | None = None) -> Response:
    following = page(shown.items, limit, lambda _: None, lambda item: str(item.line))["next_cursor"]
    text = render_template(
        "notice.html",
        batch=shown.batch,
        is_open=shown.is_open,
        tenant=shown.tenant,
        mode=MODES[shown.batch.mode],
        scheme=_scheme(shown.batch.tenant, shown.batch.scheme),
        items=shown.items[:limit],
        outcomes=[(each.claim_no, OUTCOMES[each.state]) for each in shown.outcomes],
        next_cursor=following,
        most=MAX_LIMIT,
        received=received,
        problem=problem,
        given=request.form if problem else {},
        labels=LABELS,
    )
    return _html(text, HTTPStatus.OK if problem is None else problem.status)


def _scheme(tenant: str, scheme: str) -> Text:
    """What people call the scheme."""
    known = [each for profile in load_tenants() if profile.tenant == tenant for each in profile.schemes]
    return next((Text(each.zh, each.en) for each in known if each.code == scheme), Text(scheme, scheme))


def _summary(batch: Batch) -> dict[str, Json]:
    return {
        "tenant": batch.tenant,
        "batch_no": batch.batch_no,
        "scheme": batch.scheme,
        "mode": batch.mode,
        "count": batch.item_count,
        "total": str(batch.total),
        "published_on": plain(batch.published_on),
        "publicity_through": plain(batch.publicity_through_on),
        "publicity_provisional": batch.publicity_provisional,
        "publicity_working_days": batch.working_days,
        "calendar_version": batch.calendar_version,
        "href": f"/notices/{batch.tenant}/{batch.batch_no}",
    }


def _notice_json(shown: Shown, limit: int) -> dict[str, Json]:
    paged = page(shown.items, limit, _item_json, lambda item: str(item.line))
    objections = f"/notices/{shown.batch.tenant}/{shown.batch.batch_no}/objections"
    outcomes: list[Json] = [each.json() for each in shown.outcomes]
    return {
        **_summary(shown.batch), "open": shown.is_open, "objections": objections, "outcomes": outcomes, **paged,
    }  # fmt: skip


def _item_json(item: BatchItem) -> dict[str, Json]:
    return {
        "line": item.line,
        "claim_no": item.claim_no,
        "enterprise": item.enterprise_name,
        "provider": item.provider_name,
        "amount": str(item.amount),
    }


def _names(tenant: str, batch_no: str) -> Text:
    """The names of the tenant in the path, which everybody may ask for.

    Raises:
        NotFound: there is no such tenant, or the number is not a batch's.
    """
    names = _tenants().get(tenant)
    if names is None or not _BATCH_NUMBER.fullmatch(batch_no):
        raise not_found("公示", "notice")
    return names


def _tenants() -> dict[str, Text]:
    """The tenants' names; they are no secret."""

    def use_case(work: Work) -> dict[str, Text]:
        rows = work.connection.exec_driver_sql("select tenant, name_zh, name_en from tenant order by tenant")
        return {tenant: Text(name_zh, name_en) for tenant, name_zh, name_en in rows}

    return _read((), use_case)


def _read(tenants: tuple[str, ...], use_case: Callable[[Work], Result]) -> Result:
    service = current()
    return run(service.engine, Scope(tenants), service.machine, use_case)


def _json(body: Json, status: int = HTTPStatus.OK) -> Response:
    return Response(canonical_bytes(body), status=status, mimetype=JSON_TYPE)


def _html(text: str, status: int = HTTPStatus.OK) -> Response:
    headers = {"Content-Security-Policy": PAGE_POLICY}
    return Response(text, status=status, content_type="text/html; charset=utf-8", headers=headers)
