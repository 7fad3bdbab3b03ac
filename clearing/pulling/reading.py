"""One record of an outlet: read as the service's own form or as the platform's, whichever it is."""

from typing import Final

from clearing.api.claims import MAX_CLAIM_BYTES
from connectors.all_connectors import connector_of
from connectors.form_document import Target
from connectors.reading import read_submission, read_support_record
from connectors.submission import Submission, SupportRecord
from tenants.kernel.canonical import Json
from tenants.kernel.errors import Problem
from tenants.kernel.strict_json import decode

CLAIMS: Final = "claims"
SUPPORT_RECORDS: Final = "support_records"
WHAT: Final[dict[str, Target]] = {CLAIMS: "claim", SUPPORT_RECORDS: "support_record"}
"""What a source may hold."""
_CANONICAL: Final = "external_id"
"""A record with this member is in the service's own form; no platform's form has one of that name."""


def read_record(platform: str, what: str, record: bytes) -> Submission | SupportRecord:
    """What the record states.

    Raises:
        Problem: it cannot be read; the faults are named at their places.
    """
    data = decode(record, MAX_CLAIM_BYTES)
    read = _read(platform, what, data)
    if not isinstance(read, Submission | SupportRecord):
        raise TypeError(read)
    return read


def read_or_problem(platform: str, what: str, record: bytes) -> Submission | SupportRecord | Problem:
    """What the record states, or why it states nothing."""
    try:
        return read_record(platform, what, record)
    except Problem as problem:
        return problem


def _read(platform: str, what: str, data: Json) -> object:
    connector = connector_of(platform, WHAT[what])
    if connector is not None and not (isinstance(data, dict) and _CANONICAL in data):
        return connector.read(data)
    return read_submission(data) if what == CLAIMS else read_support_record(data)
