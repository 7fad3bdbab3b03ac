"""``/v1/dead-letters``: records of a platform's outlet that could not be taken in, and what becomes of them."""

from typing import Any
from uuid import UUID

from flask import Response, request
from marshmallow import Schema, fields, validate

from clearing.api.claims import MAX_CLAIM_BYTES
from clearing.api.frame import Answer, current, in_transaction, needs, principal, respond
from clearing.api.noun import Noun, PageSchema, cursor_id, json_body, load, page
from clearing.api.pull_sources import OPERATORS, READERS
from clearing.claims.case import Outcome
from clearing.pulling import letters
from clearing.pulling.replaying import replay_one
from clearing.pulling.taking import Reserved
from tenants.kernel.canonical import Json, canonical_bytes
from tenants.kernel.database import Work

blueprint = Noun("dead-letters", __name__, url_prefix="/v1/dead-letters", description="未接收记录 / dead letters")

MAX_REASON = 2000


class LetterQuerySchema(PageSchema):
    """Which letters."""

    source = fields.UUID(load_default=None)
    state = fields.String(load_default=None, validate=validate.OneOf(letters.STATES))


class LetterReplaySchema(Schema):
    """The record as corrected; as it came where none is given."""

    record = fields.Dict(keys=fields.String(), load_default=None, allow_none=True)


class LetterDismissalSchema(Schema):
    """Why the record is laid aside."""

    reason = fields.String(required=True, validate=validate.Length(1, MAX_REASON))


@blueprint.get("")
@needs(*READERS)
@blueprint.arguments(LetterQuerySchema, location="query")
def list_letters(query: dict[str, Any]) -> Response:
    """Records that were not taken in, the oldest first, each with every fault at its place."""
    limit, after = query["limit"], cursor_id(query["cursor"])
    wanted = letters.Filter(principal().platform, query["source"], query["state"])

    def use_case(work: Work) -> Answer:
        rows = letters.listed(work.connection, wanted, after, limit + 1)
        return Answer(page(rows, limit, letters.letter_json, lambda row: str(row.id)))

    return in_transaction(use_case)


@blueprint.get("/<uuid:letter_id>")
@needs(*READERS)
def get_letter(letter_id: UUID) -> Response:
    """One of them; to its own platform with the whole record as it came."""
    caller, vault = principal(), current().vault

    def use_case(work: Work) -> Answer:
        row = letters.view(work.connection, letter_id, caller.platform)
        body = letters.letter_json(row)
        if caller.platform is not None and caller.may("claims:write"):
            body |= letters.content_json(letters.content(work.connection, vault, row))
        return Answer(body)

    return in_transaction(use_case)


@blueprint.post("/<uuid:letter_id>/replay")
@needs(*OPERATORS)
@blueprint.doc(requestBody={"content": {"application/json": {"schema": LetterReplaySchema}}})
def replay_letter(letter_id: UUID) -> Response:
    """Take the record in now, as it came or corrected by its platform; refused again, it stays open."""
    caller, corrected = principal(), None
    if request.get_data():
        given = load(LetterReplaySchema(), json_body(MAX_CLAIM_BYTES))["record"]
        # who is no platform may try again, and never says what a platform submits
        corrected = None if given is None or caller.platform is None else canonical_bytes(given)
    answer = replay_one(current(), caller, letter_id, corrected)
    body: dict[str, Json] = {"id": str(letter_id), "state": "taken"}
    if isinstance(answer, Outcome) and answer.view is not None:
        row = answer.view.row
        body |= {"claim_id": str(row.id), "claim_no": row.claim_no, "claim_state": answer.view.state_now}
    if isinstance(answer, Reserved):
        body["reservation_id"] = str(answer.reservation_id)
    return respond(Answer(body))


@blueprint.post("/<uuid:letter_id>/dismiss")
@needs(*OPERATORS)
@blueprint.arguments(LetterDismissalSchema)
def dismiss_letter(body: dict[str, Any], letter_id: UUID) -> Response:
    """Lay the record aside for good."""
    caller = principal()
    return in_transaction(
        lambda work: Answer(
            letters.letter_json(letters.dismiss(work, caller.subject, letter_id, caller.platform, body["reason"]))
        )
    )
