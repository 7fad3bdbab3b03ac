"""The simulated bank's books: messages taken, payments made, and what goes wrong on the way.

It reads ``pain.001`` with a reader of its own and shares nothing with what writes it but amounts.
"""

import random
import threading
from collections import deque
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Final

from lxml import etree

from tenants.kernel.money import Money

PER_MILLE: Final = 1000
LOSE_REQUEST: Final = "lose_request"
"""The request is lost: the bank has nothing, and nobody is told."""
LOSE_ANSWER: Final = "lose_answer"
"""The bank takes the message, and its answer is lost."""
DELAY: Final = "delay"
"""The message lies on the way: the bank says that it has nothing, and takes it after the next inquiry."""
REFUSE: Final = "refuse"
"""The bank rejects the whole message."""


@dataclass(frozen=True, slots=True)
class Misbehaviour:
    """How often the bank goes wrong, in a thousand: over messages (the first four), over payments (the others)."""

    lose_request: int = 0
    lose_answer: int = 0
    delay: int = 0
    refuse: int = 0
    reject: int = 0
    other_amount: int = 0
    other_payee: int = 0
    give_back: int = 0
    double: int = 0
    reorder: int = 0


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment of a message as the bank made it. ``state``: ``paid``, ``returned`` or ``rejected``."""

    message_id: str
    end_to_end_id: str
    name: str
    account_number: str
    amount: Money
    state: str
    doubled: bool = False


@dataclass(slots=True)
class _Taken:
    sha256: str
    status: str
    content: bytes


@dataclass
class Books:
    """Everything that the bank knows. ``script`` names what goes wrong with the next messages, before chance does."""

    seed: int = 0
    misbehaviour: Misbehaviour = Misbehaviour()
    script: deque[str] = field(default_factory=deque)
    payments: list[Payment] = field(default_factory=list)
    arrivals: list[str] = field(default_factory=list)
    """The message ids in the order in which anything came, repeated where it came again."""

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)  # noqa: S311 - a simulation, the same each time
        self._taken: dict[str, _Taken] = {}
        self._underway: dict[str, bytes] = {}
        self._executed: set[str] = set()
        self._lock = threading.Lock()

    def receive(self, message_id: str, content: bytes) -> tuple[str | None, str]:
        """What the bank answers to a message, and why; ``None`` where the caller gets no answer.

        The same id with the same file is the same message, however often it comes; with another file it is refused.
        """
        with self._lock:
            self.arrivals.append(message_id)
            digest = sha256(content).hexdigest()
            known = self._taken.get(message_id)
            if known is not None:
                return ("rejected", "DU01") if known.sha256 != digest else (known.status, "taken before")
            wrong = self._wrong()
            if wrong == LOSE_REQUEST:
                return None, ""
            if wrong == DELAY:
                self._underway[message_id] = content
                return None, ""
            status = "rejected" if wrong == REFUSE else "accepted"
            self._taken[message_id] = _Taken(digest, status, content)
            return (None if wrong == LOSE_ANSWER else status), ""

    def inquire(self, message_id: str, end_to_end_ids: list[str]) -> tuple[str, int]:
        """The message's status and how many of the ids the bank knows; ``absent`` and none where it has nothing."""
        with self._lock:
            taken = self._taken.get(message_id)
            late = self._underway.pop(message_id, None)
            if taken is None:
                if late is not None:
                    self._taken[message_id] = _Taken(sha256(late).hexdigest(), "accepted", late)
                return "absent", 0
            ids = {payment.end_to_end_id for payment in _read(message_id, taken.content)}
            return taken.status, sum(one in ids for one in end_to_end_ids)

    def collect(self, folder: Path) -> int:
        """Take every file that lies out for the bank away and act on it; how many there were."""
        files = sorted((folder / "out").glob("*.xml"))
        for path in files:
            self.receive(path.stem, path.read_bytes())
            path.unlink()
        return len(files)

    def execute(self) -> list[Payment]:
        """Pay what was accepted and not paid yet, each message once; the payments made now."""
        with self._lock:
            made: list[Payment] = []
            for message_id, taken in self._taken.items():
                if taken.status == "accepted" and message_id not in self._executed:
                    self._executed.add(message_id)
                    made += [self._paid(payment) for payment in _read(message_id, taken.content)]
            if self._happens(self.misbehaviour.reorder):
                self._chance.shuffle(made)
            self.payments += made
            return made

    def _paid(self, ordered: Payment) -> Payment:
        kind, amount, number = "paid", ordered.amount, ordered.account_number
        if self._happens(self.misbehaviour.reject):
            kind = "rejected"
        elif self._happens(self.misbehaviour.give_back):
            kind = "returned"
        if self._happens(self.misbehaviour.other_amount):
            amount = Money(amount.fen + 1 + self._chance.randrange(PER_MILLE))
        if self._happens(self.misbehaviour.other_payee):
            number = number[:-1] + ("0" if number[-1] != "0" else "1")
        doubled = self._happens(self.misbehaviour.double)
        return Payment(ordered.message_id, ordered.end_to_end_id, ordered.name, number, amount, kind, doubled)

    def _wrong(self) -> str | None:
        if self.script:
            return self.script.popleft()
        odds = self.misbehaviour
        for name, per_mille in (
            (LOSE_REQUEST, odds.lose_request),
            (LOSE_ANSWER, odds.lose_answer),
            (DELAY, odds.delay),
            (REFUSE, odds.refuse),
        ):
            if self._happens(per_mille):
                return name
        return None

    def _happens(self, per_mille: int) -> bool:
        return self._chance.randrange(PER_MILLE) < per_mille


def _read(message_id: str, content: bytes) -> list[Payment]:
    """The transactions of a ``pain.001`` as ordered."""
    found = []
    for _, element in etree.iterparse(BytesIO(content), tag="{*}CdtTrfTxInf", resolve_entities=False, no_network=True):
        name, number = element.findtext("{*}Cdtr/{*}Nm"), element.findtext("{*}CdtrAcct/{*}Id/{*}Othr/{*}Id")
        amount = Money.parse(element.findtext("{*}Amt/{*}InstdAmt") or "")
        reference = element.findtext("{*}PmtId/{*}EndToEndId")
        found.append(Payment(message_id, reference or "", name or "", number or "", amount, "ordered"))
        element.clear()
    return found
