"""The port to a bank: a message is submitted, or asked about. Whoever implements it calls no database."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from tenants.kernel.money import Money

ACCEPTED: Final = "accepted"
"""The bank has the message and will act on it."""
REJECTED: Final = "rejected"
"""The bank refused the whole message; nothing of it will be paid."""
DELIVERED: Final = "delivered"
"""The file lies where the bank takes it; what becomes of it stands in the bank's answer files."""
PENDING: Final = "pending"
"""The bank has the message and has not decided yet."""
ABSENT: Final = "absent"
"""The bank has nothing of the message, so that it may be sent again."""

MAX_DETAIL_CHARACTERS: Final = 500


class BankSilentError(Exception):
    """No answer, or none that can be believed: whether the bank has the message is unknown."""


@dataclass(frozen=True, slots=True)
class Message:
    """A payment file as it goes to the bank. ``content`` and ``end_to_end_ids`` start anew at each call."""

    message_id: str
    sha256: str
    size_bytes: int
    count: int
    total: Money
    content: Callable[[], Iterator[bytes]]
    end_to_end_ids: Callable[[], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the bank said: an outcome of this module, and its words, cut to what is kept."""

    outcome: str
    detail: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "detail", self.detail[:MAX_DETAIL_CHARACTERS])


class BankPort(Protocol):
    """A way to one bank."""

    def submit(self, message: Message) -> Answer:
        """Hand the message over: ``accepted``, ``rejected`` or ``delivered``.

        Raises:
            BankSilentError: whether it arrived is unknown.
        """
        ...

    def inquire(self, message: Message) -> Answer:
        """Ask for the message by its end-to-end ids: any outcome.

        Raises:
            BankSilentError: there is no answer, which says nothing.
        """
        ...
