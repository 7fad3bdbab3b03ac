"""One line of a bank's answer held against the instruction that it names: reference, amount and payee have to agree."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final
from uuid import UUID

from settlement.statements.line import ACCEPTED, CREDIT, DEBIT, REJECTED, STATUS, StatementLine
from tenants.kernel.money import Money

MATCHED: Final = "matched"
DIFFERS: Final = "differs"
UNKNOWN: Final = "unknown"
DUPLICATE: Final = "duplicate"
RETURNED: Final = "returned"
CLASSES: Final = (MATCHED, DIFFERS, UNKNOWN, DUPLICATE, RETURNED)

PAID: Final = "paid"


@dataclass(frozen=True, slots=True)
class Booked:
    """Where an outcome came from: enough to know the same movement again."""

    statement_id: UUID | None
    booked_on: date | None


@dataclass(frozen=True, slots=True)
class Expected:
    """What was ordered, and what is known of it: each outcome (accepted, rejected, paid, returned) came once.

    ``surplus``: how often it was paid again, less how often that came back; until then the payee has too much.
    """

    instruction_id: UUID
    amount: Money
    account_number: str
    name: str
    outcomes: Mapping[str, Booked]
    surplus: int = 0

    def after(self, outcome: str, booked: Booked) -> "Expected":
        """What is expected once this outcome is booked."""
        outcomes = {**self.outcomes, outcome: booked}
        return Expected(self.instruction_id, self.amount, self.account_number, self.name, outcomes, self.surplus)


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One field that is not as ordered; ``found`` is ``None`` where the line does not say it."""

    field: str
    expected: str
    found: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The line's class; what becomes of the instruction; whether the money that moved waits for an explanation."""

    line_class: str
    outcome: str | None = None
    to_suspense: bool = False
    disagreements: tuple[Disagreement, ...] = ()


def judge(line: StatementLine, expected: Expected | None, statement_id: UUID, *, seen: bool) -> Verdict:
    """What the line is. ``seen``: the bank's own reference stands for a movement that another line told of before.

    Nothing that disagrees ever changes an instruction: its money waits in suspense until a person explains it.
    """
    moved = line.kind in {DEBIT, CREDIT} and line.amount is not None
    if seen:
        return Verdict(DUPLICATE)
    if line.fault is not None or expected is None:
        return Verdict(UNKNOWN, to_suspense=moved)
    disagreements = _compared(line, expected)
    if disagreements:
        return Verdict(DIFFERS, to_suspense=moved, disagreements=disagreements)
    match line.kind:
        case "status":
            return _status(line, expected)
        case "debit":
            return _debit(line, expected, statement_id)
        case _:
            return _credit(line, expected, statement_id)


def _compared(line: StatementLine, expected: Expected) -> tuple[Disagreement, ...]:
    """Amount and payee. A status report may leave them out; a movement of money may not."""
    found = []
    if line.amount != expected.amount and (line.amount is not None or line.kind != STATUS):
        shown = None if line.amount is None else str(line.amount)
        found.append(Disagreement("amount", str(expected.amount), shown))
    if line.account_number is not None:
        if not _same(line.account_number, expected.account_number):
            found.append(Disagreement("account_number", _tail(expected.account_number), _tail(line.account_number)))
    elif line.name is not None:
        if _plain(line.name) != _plain(expected.name)[: len(_plain(line.name))] or len(line.name) < _SHORTEST_NAME:
            found.append(Disagreement("payee", expected.name, line.name))
    elif line.kind != STATUS:
        found.append(Disagreement("payee", expected.name, None))
    return tuple(found)


_SHORTEST_NAME: Final = 4
"""A name that a bank cut may be as short as this; shorter ones say nothing."""


def _status(line: StatementLine, expected: Expected) -> Verdict:
    known = expected.outcomes
    if line.status == REJECTED:
        if REJECTED in known:
            return Verdict(DUPLICATE)
        if PAID in known:
            return Verdict(DIFFERS, disagreements=(Disagreement("state", PAID, REJECTED),))
        return Verdict(MATCHED, REJECTED)
    if REJECTED in known:
        return Verdict(DIFFERS, disagreements=(Disagreement("state", REJECTED, ACCEPTED),))
    return Verdict(DUPLICATE) if known else Verdict(MATCHED, ACCEPTED)


def _debit(line: StatementLine, expected: Expected, statement_id: UUID) -> Verdict:
    known = expected.outcomes
    if REJECTED in known:
        return Verdict(DIFFERS, to_suspense=True, disagreements=(Disagreement("state", REJECTED, PAID),))
    if PAID in known:
        return Verdict(DUPLICATE, to_suspense=not _told_before(line, known[PAID], statement_id))
    return Verdict(MATCHED, PAID)


def surplus_after(expected: Expected, line: StatementLine, verdict: Verdict) -> Expected:
    """What is expected after a line that booked nothing: one payment too many, or one less of these."""
    if not verdict.to_suspense:
        return expected
    more = verdict.line_class == DUPLICATE and line.kind == DEBIT
    less = verdict.line_class in {RETURNED, DUPLICATE} and line.kind == CREDIT
    return replace(expected, surplus=expected.surplus + more - less)


def _credit(line: StatementLine, expected: Expected, statement_id: UUID) -> Verdict:
    known = expected.outcomes
    if RETURNED in known:
        return Verdict(DUPLICATE, to_suspense=not _told_before(line, known[RETURNED], statement_id))
    if PAID not in known:
        return Verdict(DIFFERS, to_suspense=True, disagreements=(Disagreement("state", PAID, None),))
    if expected.surplus > 0:
        return Verdict(RETURNED, to_suspense=True)  # one payment too many comes back: the payee keeps the other
    return Verdict(RETURNED, RETURNED)


def _told_before(line: StatementLine, booked: Booked, statement_id: UUID) -> bool:
    """Whether it is the movement of another file told again, which no bank reference proves.

    Within one file, or on another day, or under another reference of the bank, it is a second movement.
    """
    return line.bank_reference is None and booked.statement_id != statement_id and booked.booked_on == line.booked_on


def _same(one: str, other: str) -> bool:
    return one == other or _plain(one) == _plain(other)


def _plain(text: str) -> str:
    """Letters and digits alone, in one width and case: how banks print spaces and brackets means nothing."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).upper() if c.isalnum())


def _tail(number: str) -> str:
    return "****" + _plain(number)[-4:]
