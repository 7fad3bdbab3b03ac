"""``/v1/forms``: what platforms send in the words of their own screens, read by their connector."""

from typing import Final

from flask import Response

from clearing.api.bulk import take_lines
from clearing.api.claims import MAX_CLAIM_BYTES, take_claim
from clearing.api.frame import Answer, needs, principal, respond
from clearing.api.noun import MAX_BODY_BYTES, Noun, json_body
from clearing.api.reservations import take_request
from clearing.api.support_records import take_record
from connectors.all_connectors import CONNECTORS, connector_of
from connectors.connector import Connector, Read
from connectors.form_document import FormDocument, FormField, Target, printed
from connectors.submission import ReservationRequest, Submission, SupportRecord
from tenants.kernel.canonical import Json
from tenants.kernel.errors import Forbidden, not_found

blueprint = Noun("forms", __name__, url_prefix="/v1/forms", description="平台表单 / platforms' own forms")

_FORM: Final = {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
_LINES: Final = {"required": True, "content": {"application/x-ndjson": {"schema": {"type": "string"}}}}
_STORED: Final = {"201": {"description": "stored"}, "200": {"description": "stored before with the same content"}}


@blueprint.get("")
@needs("claims:write", "support:write")
def list_forms() -> Response:
    """The forms that the caller's platform may send: every field, where it goes, and the document that it is from."""
    platform = _platform()
    found = [one.document for one in CONNECTORS.values() if one.platform == platform]
    return respond(Answer({"items": [_document(one) for one in found], "next_cursor": None}))


@blueprint.post("/claims")
@blueprint.doc(requestBody=_FORM, responses=_STORED)
@needs("claims:write")
def submit_form() -> Response:
    """Submit one claim as the platform's form; faults are named at their places in the form."""
    return take_claim(_claim(_connector("claim").read(json_body(MAX_CLAIM_BYTES))))


@blueprint.post("/claims/bulk")
@blueprint.doc(requestBody=_LINES, responses={"200": {"description": "one answer a line, in order"}})
@needs("claims:write")
def submit_forms() -> Response:
    """Submit claims as the platform's forms, by the line; good lines go in whatever the others are."""
    connector = _connector("claim")
    return take_lines(lambda form: _claim(connector.read(form)))


@blueprint.post("/reservations")
@blueprint.doc(requestBody=_FORM, responses=_STORED)
@needs("claims:write")
def request_by_form() -> Response:
    """Ask for quota with the platform's form of an intended contract (意向合同)."""
    read = _connector("reservation").read(json_body(MAX_BODY_BYTES))
    if not isinstance(read, ReservationRequest):
        raise TypeError(read)
    return take_request(read)


@blueprint.post("/support-records")
@blueprint.doc(requestBody=_FORM, responses=_STORED)
@needs("support:write")
def register_by_form() -> Response:
    """Register what a local platform paid itself, as its form."""
    read = _connector("support_record").read(json_body(MAX_BODY_BYTES))
    if not isinstance(read, SupportRecord):
        raise TypeError(read)
    return take_record(read)


def _platform() -> str:
    platform = principal().platform
    if platform is None:
        raise Forbidden("platform.missing", "只有平台的客户端可以提交。", "Only a platform's client may submit.")
    return platform


def _connector(makes: Target) -> Connector:
    found = connector_of(_platform(), makes)
    if found is None:
        raise not_found("表单", "form")
    return found


def _claim(read: Read) -> Submission:
    if not isinstance(read, Submission):
        raise TypeError(read)
    return read


def _document(document: FormDocument) -> Json:
    return {
        "name": document.name,
        "zh": document.zh,
        "en": document.en,
        "makes": document.makes,
        "sources": dict(document.sources),
        "fields": [_field(document, field) for field in document.fields],
    }


def _field(document: FormDocument, field: FormField) -> Json:
    labels: list[Json] = [] if field.labels is None else list(document.labels[field.labels])
    return {
        "form": printed(field.form),
        "to": printed(field.to) or None,
        "optional": field.optional,
        "choices": labels,
        "source": field.source,
        "example": field.example or None,
        "note": field.note or None,
    }
