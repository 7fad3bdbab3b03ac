"""What the calls of a bank about one message add up to: prepared, sent, unknown, accepted or rejected."""

from collections.abc import Mapping
from typing import Final

from settlement.bank.port import ACCEPTED, DELIVERED, REJECTED

SUBMIT: Final = "submit"
INQUIRY: Final = "inquiry"
SILENT: Final = "silent"
"""The outcome of a call that the bank did not answer, or whose answer was lost."""

PREPARED: Final = "prepared"
SENT: Final = "sent"
UNKNOWN: Final = "unknown"
AFTER: Final[Mapping[str, str]] = {ACCEPTED: ACCEPTED, REJECTED: REJECTED, DELIVERED: SENT}
"""The state that an answer leads to; every other outcome leaves what the bank has unknown."""


def state_after(kind: str | None, outcome: str | None) -> str:
    """The state by the last call and its answer; without a call it is prepared."""
    if kind is None:
        return PREPARED
    if outcome is None:
        return SENT if kind == SUBMIT else UNKNOWN
    return AFTER.get(outcome, UNKNOWN)
