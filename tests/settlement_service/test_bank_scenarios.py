"""Fifty-three ways in which a bank's answers go: a table of files, and what they leave in the books.

One batch holds three payments of 100.00, 50.00 and 30.00 for each scenario, so that all share one preparation.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from settlement.bank.simulator import Payment
from settlement.bank.simulator.answers import Entry, camt053, csv_table, entries_of, pain002, table_rows
from tenants.kernel.money import Money
from tests.settlement_service.bank_files import DAY, FILES, Desk, open_desk
from tests.settlement_service.bench import DEBTOR, Bench, new_tenant

Payments = list[Payment]
File = Callable[[Payments], bytes]
Change = Callable[[Payments], Payments]
AMOUNTS = (10_000, 5_000, 3_000)
ALL = 18_000


def file(kind: str, change: Change = lambda payments: payments) -> File:
    return lambda payments: FILES[kind](change(payments))


def at(position: int, **other: object) -> Change:
    """The payments, the one at the position being otherwise."""

    def change(payments: Payments) -> Payments:
        return [replace(one, **other) if n == position else one for n, one in enumerate(payments)]  # type: ignore[arg-type]

    return change


def only(*positions: int) -> Change:
    return lambda payments: [payments[n] for n in positions]


def stray(payments: Payments) -> Payments:
    return [replace(payments[0], end_to_end_id=payments[0].end_to_end_id[::-1], amount=Money(777)), *payments]


def swapped(payments: Payments) -> Payments:
    first, second, third = payments
    return [replace(first, amount=second.amount), replace(second, amount=first.amount), third]


def rejected(payments: Payments) -> Payments:
    return [replace(one, state="rejected") for one in payments]


def booked(*entries: Callable[[Payments], Entry]) -> File:
    return lambda payments: camt053(DEBTOR.account_number, [make(payments) for make in entries], DAY)


def debit(position: int, reference: str, **other: object) -> Callable[[Payments], Entry]:
    return lambda payments: Entry(
        replace(payments[position], **other), is_credit=False, bank_reference=f"{reference}{payments[0].end_to_end_id}"  # type: ignore[arg-type]
    )  # fmt: skip


def credit(position: int, reference: str, **other: object) -> Callable[[Payments], Entry]:
    return lambda payments: replace(debit(position, reference, **other)(payments), is_credit=True)


def reversed_statement(payments: Payments) -> bytes:
    entries = list(reversed(entries_of(at(0, state="returned")(payments))))
    return camt053(DEBTOR.account_number, entries, DAY)


def table(*cells: tuple[int, str]) -> File:
    """A bank's CSV whose first line has other cells, by column."""

    def made(payments: Payments) -> bytes:
        heading, *rows = (list(row) for row in table_rows(DEBTOR.account_number, payments, DAY))
        for column, text in cells:
            rows[0][column] = text
        return csv_table([heading, *rows])

    return made


ACCOUNT, NAME, AMOUNT, STATUS, REFERENCE = 3, 4, 5, 6, 7
"""Columns of the bank's table."""


@dataclass(frozen=True)
class Left:
    """What the files leave: fen paid, come back and in suspense, and the lines by class; the rest is in transit."""

    paid: int = 0
    returned: int = 0
    suspense: int = 0
    classes: str = ""


M, MOVING = "m" * 3, ("camt.053", "camt.054", "mt940", "csv", "xlsx")
OTHER = "6222999999999999"
SCENARIOS: dict[str, tuple[list[File], Left]] = {
    **{f"{kind}: all paid": ([file(kind)], Left(ALL, classes=M)) for kind in MOVING},
    **{
        f"{kind}: one comes back": ([file(kind, at(1, state="returned"))], Left(13_000, 5_000, classes=M + "r"))
        for kind in MOVING
    },
    **{
        f"{kind}: another amount": ([file(kind, at(0, amount=Money(10_001)))], Left(8_000, 0, 10_001, "mmd"))
        for kind in MOVING
    },
    **{
        f"{kind}: another account": ([file(kind, at(0, account_number=OTHER))], Left(8_000, 0, 10_000, "mmd"))
        for kind in MOVING
    },
    **{f"{kind}: nobody ordered it": ([file(kind, stray)], Left(ALL, 0, 777, M + "u")) for kind in MOVING},
    "reports: settled is not paid": ([file("pain.002")], Left(classes=M)),
    "reports: one rejected": ([file("pain.002", at(2, state="rejected"))], Left(0, 3_000, classes=M)),
    "reports: each one rejected": ([file("pain.002", rejected)], Left(0, ALL, classes=M)),
    "tables: one failed": ([file("csv", at(2, state="rejected"))], Left(15_000, 3_000, classes=M)),
    "workbooks: one failed": ([file("xlsx", at(2, state="rejected"))], Left(15_000, 3_000, classes=M)),
    "accepted, then paid": ([file("pain.002"), file("camt.053")], Left(ALL, classes=M + M)),
    "accepted twice": (
        [file("pain.002"), lambda p: pain002(p[0].message_id, p) + b"\n"], Left(classes=M + "xxx"),
    ),
    "rejected twice": (
        [file("pain.002", rejected), lambda p: pain002(p[0].message_id, rejected(p)) + b"\n"],
        Left(0, ALL, classes=M + "xxx"),
    ),
    "accepted, then rejected": ([file("pain.002"), file("pain.002", rejected)], Left(0, ALL, classes=M + M)),
    "rejected, then accepted": ([file("pain.002", rejected), file("pain.002")], Left(0, ALL, classes=M + "ddd")),
    "rejected, yet the money left": (
        [file("pain.002", rejected), file("camt.053")], Left(0, ALL, ALL, M + "ddd"),
    ),
    "paid, then reported as rejected": ([file("camt.053"), file("pain.002", rejected)], Left(ALL, classes=M + "ddd")),
    "a notification, then the statement": (
        [file("camt.054", at(0, state="returned")), file("camt.053", at(0, state="returned"))],
        Left(8_000, 10_000, classes=M + "r" + "xxxx"),
    ),
    "a statement, and again in tags": ([file("camt.053"), file("mt940")], Left(ALL, classes=M + "xxx")),
    "a table, and again as a workbook": ([file("csv"), file("xlsx")], Left(ALL, classes=M + "xxx")),
    "it left twice": ([file("camt.053", at(0, doubled=True))], Left(ALL, 0, 10_000, M + "x")),
    "it left twice, and once came back": (
        [file("camt.053", at(0, doubled=True, state="returned"))], Left(ALL, 0, 0, M + "xr"),
    ),
    "it left twice, and days later once came back": (
        [file("camt.053", at(0, doubled=True)), booked(credit(0, "z"))], Left(ALL, 0, 0, M + "xr"),
    ),
    "it left twice, and twice came back": (
        [file("camt.053", at(0, doubled=True)), booked(credit(0, "y")), booked(credit(0, "z"))],
        Left(8_000, 10_000, 0, M + "xrr"),
    ),
    "it came back twice": (
        [booked(debit(0, "a"), credit(0, "b")), booked(credit(0, "c"))], Left(0, 10_000, -10_000, "mrx"),
    ),
    "it comes back and never left": ([booked(credit(0, "a"))], Left(0, 0, -10_000, "d")),
    "the return stands before the payment": ([reversed_statement], Left(8_000, 10_000, classes=M + "r")),
    "the return comes days later": (
        [booked(debit(0, "a"), debit(1, "b")), booked(credit(0, "c"))], Left(5_000, 10_000, classes="mmr"),
    ),
    "another amount comes back": (
        [booked(debit(0, "a"), credit(0, "b", amount=Money(9_000)))], Left(10_000, 0, -9_000, "md"),
    ),
    "the bank puts a wrong amount right": (
        [booked(debit(0, "a", amount=Money(1)), credit(0, "b", amount=Money(1)), debit(0, "c"))],
        Left(10_000, 0, 0, "ddm"),
    ),
    "paid in two halves": (
        [booked(debit(0, "a", amount=Money(5_000)), debit(0, "b", amount=Money(5_000)))], Left(0, 0, 10_000, "dd"),
    ),
    "two payees get each other's amount": ([file("camt.053", swapped)], Left(3_000, 0, 15_000, "mdd")),
    "a line without the payee": ([table((ACCOUNT, ""), (NAME, ""))], Left(8_000, 0, 10_000, "mmd")),
    "a line with the payee's name alone": ([table((ACCOUNT, ""))], Left(ALL, classes=M)),
    "a line with another's name alone": ([table((ACCOUNT, ""), (NAME, "别家公司"))], Left(8_000, 0, 10_000, "mmd")),
    "a line without an amount": ([table((AMOUNT, ""))], Left(8_000, classes="mmu")),
    "a line without a reference": ([table((REFERENCE, ""))], Left(8_000, 0, 10_000, "mmu")),
    "a line with a word that nobody knows": ([table((STATUS, "不明"))], Left(8_000, classes="mmu")),
    "only some are told of": ([file("camt.053", only(1))], Left(5_000, classes="m")),
    "the others follow": ([file("camt.053", only(1)), file("camt.053", only(0, 2))], Left(ALL, classes=M)),
}  # fmt: skip
_LETTERS = {"matched": "m", "differs": "d", "unknown": "u", "duplicate": "x", "returned": "r"}


@pytest.fixture(scope="module")
def payments(app: Engine, owner: Engine, tmp_path_factory: pytest.TempPathFactory) -> tuple[Desk, Iterator[Payments]]:
    """The desk, and three payments of their own for each scenario."""
    amounts = [str(Money(fen)) for _ in SCENARIOS for fen in AMOUNTS]
    desk = open_desk(Bench(app, new_tenant(owner)), tmp_path_factory.mktemp("bank"), *amounts)
    threes = zip(*[iter(desk.payments)] * len(AMOUNTS), strict=True)
    return desk, (list(three) for three in threes)


def books(desk: Desk) -> Counter[str]:
    known = {name: desk.year(name) for name in ("in-transit", "paid", "returned")}
    return Counter({**known, "suspense": desk.balance("suspense")})


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_books_tell_what_the_bank_did(payments: tuple[Desk, Iterator[Payments]], tmp_path: Path, name: str) -> None:
    files, left = SCENARIOS[name]
    desk, threes = payments
    three, before = next(threes), books(desk)
    assert tuple(one.amount.fen for one in three) == AMOUNTS
    classes = [letter for make in files for letter in desk.classes(desk.hand_in(make(three)))]
    after = books(desk)
    moved = {account: after[account] - before[account] for account in after}
    assert moved == {
        "in-transit": -left.paid - left.returned, "paid": left.paid, "returned": left.returned,
        "suspense": left.suspense,
    }  # fmt: skip
    assert sorted(_LETTERS[each] for each in classes) == sorted(left.classes)


def test_the_table_has_its_fifty_three_scenarios_and_more() -> None:
    assert len(SCENARIOS) >= 53
