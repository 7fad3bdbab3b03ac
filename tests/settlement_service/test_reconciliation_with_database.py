"""Banks' answers of every format against what was ordered: matched, differing, unknown, doubled, returned, refused."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from settlement.bank.simulator.answers import camt053, entries_of, pain002
from tenants.kernel.money import Money
from tests.settlement_service.bank_files import DAY, FILES, Desk, open_desk
from tests.settlement_service.bench import DEBTOR, Bench

MOVING = ("camt.053", "camt.054", "mt940", "csv", "xlsx")


@pytest.fixture
def desk(bench: Bench, tmp_path: Path) -> Desk:
    return open_desk(bench, tmp_path, "100.00", "50.00", "30.00")


@pytest.mark.parametrize("kind", MOVING)
def test_every_format_pays_what_it_matches(desk: Desk, kind: str) -> None:
    taken = desk.hand_in(FILES[kind](desk.payments))
    assert (taken.statement.format, desk.classes(taken)) == (kind, ["matched"] * 3)
    assert desk.outcomes() == [("paid", 3000), ("paid", 5000), ("paid", 10000)]
    assert (desk.year("in-transit"), desk.year("paid"), desk.balance("suspense")) == (0, 18000, 0)


@pytest.mark.parametrize("kind", MOVING)
def test_every_format_tells_a_return(desk: Desk, kind: str) -> None:
    taken = desk.hand_in(FILES[kind](desk.with_state("returned", 1)))
    assert sorted(desk.classes(taken)) == ["matched"] * 3 + ["returned"]
    assert (desk.year("paid"), desk.year("returned"), desk.year("in-transit")) == (13000, 5000, 0)


@pytest.mark.parametrize("kind", ["pain.002", "csv", "xlsx"])
def test_reports_tell_what_was_rejected(desk: Desk, kind: str) -> None:
    taken = desk.hand_in(FILES[kind](desk.with_state("rejected", 2)))
    assert desk.classes(taken) == ["matched"] * 3
    assert ("rejected", 3000) in desk.outcomes()
    assert desk.year("returned") == 3000


def test_a_settled_status_alone_pays_nothing(desk: Desk) -> None:
    desk.hand_in(FILES["pain.002"](desk.payments))
    assert desk.outcomes() == [("accepted", 3000), ("accepted", 5000), ("accepted", 10000)]
    assert (desk.year("paid"), desk.year("in-transit")) == (0, 18000)


def test_a_message_rejected_whole_rejects_every_instruction(desk: Desk) -> None:
    taken = desk.hand_in(pain002(desk.batch.batch_no, [], "RJCT"))
    assert desk.classes(taken) == ["matched"]
    assert desk.outcomes() == [("rejected", 3000), ("rejected", 5000), ("rejected", 10000)]
    assert (desk.year("returned"), desk.year("in-transit")) == (18000, 0)


@pytest.mark.parametrize("kind", FILES)
def test_the_same_file_twice_changes_nothing(desk: Desk, kind: str) -> None:
    content = FILES[kind](desk.payments)
    first = desk.hand_in(content)
    before = desk.bench.rows("select count(*) as n from ledger_transfer where tenant = %s", desk.bench.tenant)
    second = desk.hand_in(content)
    assert (first.before, second.before, second.statement) == (False, True, first.statement)
    assert desk.bench.rows("select count(*) as n from ledger_transfer where tenant = %s", desk.bench.tenant) == before


def test_a_notification_and_then_a_statement_tell_the_same_movements_once(desk: Desk) -> None:
    payments = desk.with_state("returned", 0)
    desk.hand_in(FILES["camt.054"](payments))
    taken = desk.hand_in(FILES["camt.053"](payments))
    assert desk.classes(taken) == ["duplicate"] * 4
    assert (desk.balance("suspense"), desk.year("paid"), desk.year("returned")) == (0, 8000, 10000)


def test_a_payment_that_left_twice_waits_in_suspense(desk: Desk) -> None:
    doubled = [replace(desk.payments[0], doubled=True), *desk.payments[1:]]
    taken = desk.hand_in(FILES["camt.053"](doubled))
    assert sorted(desk.classes(taken)) == ["duplicate", "matched", "matched", "matched"]
    assert (desk.balance("suspense"), desk.year("paid")) == (10000, 18000)


@pytest.mark.parametrize("kind", MOVING)
def test_another_amount_is_a_difference_and_pays_nothing(desk: Desk, kind: str) -> None:
    wrong = [replace(desk.payments[0], amount=Money(10001)), *desk.payments[1:]]
    taken = desk.hand_in(FILES[kind](wrong))
    [line] = [line for line in desk.lines(taken) if line.line_class == "differs"]
    assert '"expected": "100.00", "found": "100.01"' in line.disagreements
    assert (line.outcome, line.to_suspense) == (None, True)
    assert (desk.balance("suspense"), desk.year("paid"), desk.year("in-transit")) == (10001, 8000, 10000)


@pytest.mark.parametrize("kind", MOVING)
def test_another_payee_is_a_difference_and_pays_nothing(desk: Desk, kind: str) -> None:
    wrong = [replace(desk.payments[0], account_number="6222999999999999"), *desk.payments[1:]]
    taken = desk.hand_in(FILES[kind](wrong))
    [line] = [line for line in desk.lines(taken) if line.line_class == "differs"]
    assert '"account_number"' in line.disagreements
    assert "6222999999999999" not in str(line)
    assert (desk.balance("suspense"), desk.year("paid")) == (10000, 8000)


@pytest.mark.parametrize("kind", MOVING)
def test_a_line_that_nobody_ordered_is_unknown_and_never_stops_the_file(desk: Desk, kind: str) -> None:
    stray = replace(desk.payments[0], end_to_end_id="A" * 26, amount=Money(777))
    taken = desk.hand_in(FILES[kind]([stray, *desk.payments]))
    assert desk.classes(taken) == ["unknown", "matched", "matched", "matched"]
    assert (desk.balance("suspense"), desk.year("paid")) == (777, 18000)


def test_a_return_without_a_payment_waits_in_suspense(desk: Desk) -> None:
    entries = [entry for entry in entries_of(desk.with_state("returned", 0)) if entry.is_credit]
    taken = desk.hand_in(camt053(DEBTOR.account_number, entries, DAY))
    [line] = desk.lines(taken)
    assert (line.line_class, line.outcome, desk.balance("suspense")) == ("differs", None, -10000)


def test_a_file_tells_the_return_before_the_payment(desk: Desk) -> None:
    entries = list(reversed(entries_of(desk.with_state("returned", 0))))
    taken = desk.hand_in(camt053(DEBTOR.account_number, entries, DAY))
    assert sorted(desk.classes(taken)) == ["matched", "matched", "matched", "returned"]
    assert (desk.balance("suspense"), desk.year("returned")) == (0, 10000)


def test_a_return_in_january_gives_back_to_the_year_it_was_paid_from(bench: Bench, tmp_path: Path) -> None:
    bench.approve("20.00", year=2025)
    desk = open_desk(bench, tmp_path, "100.00")
    desk.hand_in(FILES["camt.053"](desk.with_state("returned", 0, 1)))
    assert (desk.year("returned", 2024), desk.year("returned", 2025)) == (10000, 2000)
    assert (desk.year("paid", 2024), desk.year("paid", 2025)) == (0, 0)


def test_the_database_itself_refuses_to_pay_twice_otherwise_or_in_part(desk: Desk) -> None:
    taken = desk.hand_in(FILES["camt.053"](desk.payments[:1]))
    [line] = desk.lines(taken)
    insert = (
        "insert into instruction_outcome (tenant, instruction_id, outcome, amount_fen, statement_id, line, at) "
        "values (%s, %s, %s, %s, %s, %s, now())"
    )
    statement = taken.statement
    for outcome, fen in (("paid", 10000), ("rejected", 10000), ("returned", 9999)):
        with pytest.raises(DBAPIError):
            desk.bench.change(insert, statement.tenant, line.instruction_id, outcome, fen, statement.id, None)
    other = desk.bench.rows("select id from instruction where tenant = %s and amount_fen = 5000", desk.bench.tenant)[
        0
    ].id
    with pytest.raises(DBAPIError):
        desk.bench.change(insert, statement.tenant, other, "returned", 5000, statement.id, None)
    for table in ("bank_statement", "bank_statement_part", "bank_line", "instruction_outcome"):
        for change in (f"update {table} set tenant = tenant", f"delete from {table}"):  # noqa: S608 - our own tables
            with pytest.raises(DBAPIError):
                desk.bench.change(change)


def test_the_database_holds_no_account_number_of_a_bank_file_in_clear(desk: Desk) -> None:
    desk.hand_in(FILES["camt.053"](desk.payments))
    for table in ("bank_statement", "bank_statement_part", "bank_line", "audit_entry"):
        statement = f"select to_jsonb(t)::text as text from {table} t where tenant = %s"  # noqa: S608 - our own
        for row in desk.bench.rows(statement, desk.bench.tenant):
            assert DEBTOR.account_number not in row.text
            assert desk.payments[0].account_number not in row.text
