"""The statement of an account over a period, page by page, and the list of accounts, against plain integers."""

from datetime import datetime
from random import Random

import pytest
from sqlalchemy import Connection

from settlement import ledger
from settlement.ledger_statement import Line, Period, Statement, list_accounts, read_statement, statement_lines
from tenants.kernel.errors import Invalid, NotFound
from tenants.kernel.ids import new_id
from tenants.kernel.money import ZERO, Money
from tests.settlement_service.bench import Bench, shanghai

BUDGET, OWED, TRANSIT = "budget/provincial/2024", "obligations/provincial/2024", "in-transit/provincial/2024"
TODAY = shanghai("2024-12-31").date()


def at(bench: Bench, when: datetime, *transfers: ledger.Transfer) -> None:
    def write(connection: Connection) -> None:
        ledger.open_accounts(connection, bench.tenant, {ledger.TREASURY: False, BUDGET: True, OWED: False})
        ledger.open_accounts(connection, bench.tenant, {TRANSIT: False})
        ledger.append(connection, bench.tenant, transfers, when)

    bench.do(write)


def moved(debit: str, credit: str, fen: int) -> ledger.Transfer:
    return ledger.posted(debit, credit, Money(fen), "test", new_id())


def period(first: str | None = None, last: str | None = None) -> Period:
    days = [None if day is None else shanghai(day).date() for day in (first, last)]
    return Period.of(days[0], days[1], TODAY)


def statement(bench: Bench, code: str, over: Period) -> Statement:
    return bench.do(lambda c: read_statement(c, bench.tenant, code, over))


def lines(bench: Bench, of: Statement, page: int) -> list[Line]:
    found: list[Line] = []
    place = None
    while more := bench.do(lambda c, after=place: statement_lines(c, bench.tenant, of, after, page)):  # type: ignore[misc]
        found += more
        place = (more[-1].at, more[-1].transfer_id)
    return found


def test_opening_and_lines_add_up_to_closing_whatever_the_page(bench: Bench) -> None:
    at(bench, shanghai("2024-01-02"), moved(ledger.TREASURY, BUDGET, 1_000_000))
    random, expected = Random(5), []
    for day in range(1, 29):
        fen = random.randrange(1, 9_999)
        at(bench, shanghai(f"2024-03-{day:02d}"), moved(BUDGET, OWED, fen), moved(OWED, TRANSIT, fen // 2 or 1))
        expected.append((day, fen, fen // 2 or 1))
    march = [(fen, half) for day, fen, half in expected if 10 <= day <= 20]
    before = sum(fen - half for day, fen, half in expected if day < 10)
    found = statement(bench, OWED, period("2024-03-10", "2024-03-20"))
    assert found.opening == Money(before)
    assert found.credits == Money(sum(fen for fen, _ in march))
    assert found.debits == Money(sum(half for _, half in march))
    assert found.closing == found.opening + found.credits - found.debits
    assert found.count == 22
    for page in (1, 3, 500):
        shown = lines(bench, found, page)
        assert [(line.debit.fen, line.credit.fen) for line in shown] == [
            pair for fen, half in march for pair in ((0, fen), (half, 0))
        ]
        assert shown[-1].balance == found.closing
        running = found.opening
        for line in shown:
            running = running + line.credit - line.debit
            assert line.balance == running


def test_the_day_is_that_of_shanghai_at_both_ends(bench: Bench) -> None:
    for instant in (shanghai("2024-05-01", 0), shanghai("2024-05-31", 23), shanghai("2024-06-01", 0)):
        at(bench, instant, moved(ledger.TREASURY, BUDGET, 100))
    assert statement(bench, BUDGET, period("2024-05-01", "2024-05-31")).credits == Money(200)
    assert statement(bench, BUDGET, period("2024-06-01")).opening == Money(200)


def test_what_is_pending_is_told_apart_until_it_is_posted_or_voided(bench: Bench) -> None:
    one, two = (ledger.pending(BUDGET, OWED, Money(fen), "award", new_id()) for fen in (70, 30))
    at(bench, shanghai("2024-04-01"), one, two)
    at(bench, shanghai("2024-04-02"), ledger.ended(one, "post", "approved"))
    at(bench, shanghai("2024-04-03"), ledger.ended(two, "void", "rejected"))
    held = [
        (found.pending_credits.fen, found.closing.fen)
        for found in (statement(bench, OWED, period(None, f"2024-04-0{day}")) for day in (1, 2, 3))
    ]
    assert held == [(100, 0), (30, 70), (0, 70)]
    assert statement(bench, BUDGET, period()).pending_debits == ZERO


def test_the_list_of_accounts_agrees_with_every_statement(bench: Bench) -> None:
    at(bench, shanghai("2024-01-02"), moved(ledger.TREASURY, BUDGET, 500), moved(BUDGET, OWED, 200))
    at(bench, shanghai("2024-01-03"), ledger.pending(BUDGET, OWED, Money(40), "award", new_id()))
    accounts = bench.do(lambda c: list_accounts(c, bench.tenant, "", "", 100))
    assert [each.code for each in accounts] == sorted({ledger.TREASURY, BUDGET, OWED, TRANSIT})
    for each in accounts:
        found = statement(bench, each.code, period())
        assert (found.closing, found.pending_debits, found.pending_credits) == (
            each.balance, each.pending_debits, each.pending_credits,
        )  # fmt: skip
    assert sum(each.balance.fen for each in accounts) == 0
    assert [each.code for each in bench.do(lambda c: list_accounts(c, bench.tenant, "budget/", "", 9))] == [BUDGET]


def test_an_account_that_there_is_not_and_a_period_that_goes_back_are_refused(bench: Bench) -> None:
    with pytest.raises(NotFound):
        statement(bench, "budget/provincial/1999", period())
    with pytest.raises(Invalid):
        period("2024-02-02", "2024-02-01")
