"""The door: JSON data becomes a submission, or a precise list of everything that is wrong with it."""

from typing import Any, Final

from marshmallow import ValidationError

from connectors.claim_schema import ClaimSchema
from connectors.compiled import compiled
from connectors.faults import Fault, explain
from connectors.printing import canonical_content, submission_json
from connectors.submission import Submission
from tenants.kernel.canonical import Json
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.strict_json import pointer

__all__ = ["MAX_FAULTS", "ClaimSchema", "canonical_content", "read_submission", "submission_json"]

MAX_FAULTS: Final = 100
"""Faults named in one answer; a claim with more is answered with the first of them, in the order of their places."""

_SCHEMA: Final = ClaimSchema()
_READ: Final = compiled(_SCHEMA)
_OF_WHOLE_OBJECT: Final = "_schema"


def read_submission(data: Json) -> Submission:
    """The submission that ``data`` states, as :func:`tenants.kernel.strict_json.decode` gave it.

    Raises:
        Invalid: ``claim.invalid``, with one entry of ``errors`` for each fault.
    """
    try:
        submission: Submission = _READ(data)
    except (Fault, TypeError):  # a list where a text is expected does not hash
        return _read_slowly(data)
    return submission


def _read_slowly(data: Any) -> Submission:  # noqa: ANN401 - any JSON
    try:
        submission: Submission = _SCHEMA.load(data)
    except ValidationError as fault:
        found = _placed(fault.messages, ())
    else:
        return submission
    found.sort(key=lambda placed: [(isinstance(part, str), part) for part in placed[0]])
    count = len(found)
    raise Invalid(
        "claim.invalid",
        f"申请内容有 {count} 处错误。",
        f"The claim has {count} fault{'' if count == 1 else 's'}.",
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
