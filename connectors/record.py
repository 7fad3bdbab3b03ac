"""One record of an outlet or a file of samples: in the service's own form or in the platform's, whichever it is."""

from typing import Final

from connectors.all_connectors import connector_of
from connectors.connector import READERS, Read
from connectors.form_document import Target
from tenants.kernel.strict_json import decode

MAX_RECORD_BYTES: Final = 256 * 1024
CLAIMS: Final = "claims"
RESERVATIONS: Final = "reservations"
SUPPORT_RECORDS: Final = "support_records"
WHAT: Final[dict[str, Target]] = {CLAIMS: "claim", RESERVATIONS: "reservation", SUPPORT_RECORDS: "support_record"}
"""What records may be."""
_CANONICAL: Final = "external_id"
"""A record with this member is in the service's own form; no platform's form has one of that name."""


def read_record(platform: str, what: str, record: bytes) -> Read:
    """What the record states.

    Raises:
        Problem: it cannot be read; the faults are named at their places.
    """
    data = decode(record, MAX_RECORD_BYTES)
    connector = connector_of(platform, WHAT[what])
    if connector is not None and not (isinstance(data, dict) and _CANONICAL in data):
        return connector.read(data)
    return READERS[WHAT[what]](data)
