"""The door: JSON data becomes a submission, or a precise list of everything that is wrong with it."""

from typing import Any, Final

from marshmallow import Schema, ValidationError

from connectors.claim_schema import ClaimSchema, ReservationSchema, SupportRecordSchema
from connectors.compiled import compiled
from connectors.faults import Fault, explain
from connectors.printing import canonical_content, submission_json
from connectors.submission import ReservationRequest, Submission, SupportRecord
from tenants.kernel.canonical import Json
from tenants.kernel.errors import FieldError, Invalid, Text
from tenants.kernel.strict_json import pointer

__all__ = [
    "MAX_FAULTS",
    "ClaimSchema",
    "canonical_content",
    "read_reservation",
    "read_submission",
    "read_support_record",
    "submission_json",
]

MAX_FAULTS: Final = 100
"""Faults named in one answer; a claim with more is answered with the first of them, in the order of their places."""

_CLAIM: Final = ClaimSchema()
_READ: Final = compiled(_CLAIM)
_RESERVATION: Final = ReservationSchema()
_SUPPORT_RECORD: Final = SupportRecordSchema()
_OF_WHOLE_OBJECT: Final = "_schema"


def read_submission(data: Json) -> Submission:
    """The submission that ``data`` states, as :func:`tenants.kernel.strict_json.decode` gave it.

    Raises:
        Invalid: ``claim.invalid``, with one entry of ``errors`` for each fault.
    """
    try:
        submission: Submission = _READ(data)
    except (Fault, TypeError):  # a list where a text is expected does not hash
        slowly: Submission = _read_slowly(_CLAIM, data, "claim.invalid", Text("申请内容", "The claim"))
        return slowly
    return submission


def read_reservation(data: Json) -> ReservationRequest:
    """The request for quota that ``data`` states.

    Raises:
        Invalid: ``reservation.invalid``, with one entry of ``errors`` for each fault.
    """
    request: ReservationRequest = _read_slowly(
        _RESERVATION, data, "reservation.invalid", Text("额度申请", "The reservation")
    )
    return request


def read_support_record(data: Json) -> SupportRecord:
    """The support record that ``data`` states.

    Raises:
        Invalid: ``support_record.invalid``, with one entry of ``errors`` for each fault.
    """
    record: SupportRecord = _read_slowly(
        _SUPPORT_RECORD, data, "support_record.invalid", Text("支持记录", "The support record")
    )
    return record


def _read_slowly(schema: Schema, data: Any, code: str, noun: Text) -> Any:  # noqa: ANN401 - any JSON; what it makes
    try:
        return schema.load(data)
    except ValidationError as fault:
        found = _placed(fault.messages, ())
    found.sort(key=lambda placed: [(isinstance(part, str), part) for part in placed[0]])
    count = len(found)
    raise Invalid(
        code,
        f"{noun.zh}有 {count} 处错误。",
        f"{noun.en} has {count} fault{'' if count == 1 else 's'}.",
        errors=tuple(FieldError(pointer(path), *explain(message)) for path, message in found[:MAX_FAULTS]),
    )


def _placed(messages: Any, path: tuple[str | int, ...]) -> list[tuple[tuple[str | int, ...], str]]:  # noqa: ANN401
    """Every fault in marshmallow's tree of messages, with its place.

    Faults of a whole object stand under a name that an unknown field may bear as well.
    """
    if isinstance(messages, list):
        return [(path, message) for message in messages]
    found = []
    for key, inner in messages.items():
        of_whole = key == _OF_WHOLE_OBJECT and inner != ["field.unknown"]
        found += _placed(inner, path if of_whole else (*path, key))
    return found
