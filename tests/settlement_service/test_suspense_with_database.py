"""Out of suspense: what moved without an explanation is explained by one person and booked by another."""

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.exc import DBAPIError

from settlement.bank.simulator.answers import Entry, camt053
from settlement.payouts.reissue import reissue
from settlement.statements.suspense import Explanation, Movement, decide, propose
from settlement.statements.suspense_records import Resolution, SuspenseLine, list_resolutions, list_suspense
from tenants.kernel.errors import Conflict, Forbidden, NotFound, Problem
from tenants.kernel.money import Money
from tests.settlement_service.bank_files import FILES, Desk, open_desk
from tests.settlement_service.bench import DEBTOR, MAKER, OFFICE, RELEASER, Bench, shanghai

EXPLAINED = shanghai("2024-10-14")


@pytest.fixture
def desk(bench: Bench, tmp_path: Path) -> Desk:
    return open_desk(bench, tmp_path, "100.00", "50.00")


def told(desk: Desk, *entries: Entry, day: date = date(2024, 10, 11)) -> None:
    desk.hand_in(camt053(DEBTOR.account_number, list(entries), day))


def entry(desk: Desk, position: int, reference: str, *, credit: bool = False, **other: Any) -> Entry:
    return Entry(replace(desk.payments[position], **other), is_credit=credit, bank_reference=reference)


def waiting(desk: Desk) -> list[SuspenseLine]:
    return desk.bench.do(lambda c: list_suspense(c, desk.bench.tenant, None, 100))


def instruction_of(desk: Desk, position: int) -> UUID:
    claim_id = desk.bench.claims[position]
    [row] = desk.bench.rows(
        "select instruction_id from instruction_claim where tenant = %s and claim_id = %s", desk.bench.tenant, claim_id
    )
    found: UUID = row.instruction_id
    return found


def explain(
    desk: Desk, kind: str, *movements: Movement, position: int | None = None, at: datetime = EXPLAINED
) -> Resolution:
    instruction = None if position is None else instruction_of(desk, position)
    said = Explanation(kind, movements, instruction, "已与开户行核对")
    return desk.bench.do(lambda c: propose(c, desk.bench.tenant, said, MAKER, at), at)


def decided(
    desk: Desk, made: Resolution, outcome: str = "approve", actor: str = RELEASER, reason: str | None = None
) -> Resolution:
    tenant = desk.bench.tenant
    return desk.bench.do(lambda c: decide(c, tenant, made.id, outcome, reason, actor, EXPLAINED, OFFICE), EXPLAINED)


def all_of(desk: Desk) -> list[Movement]:
    return [Movement(line.statement_id, line.line) for line in waiting(desk)]


def books(desk: Desk) -> tuple[int, int, int, int]:
    return desk.year("in-transit"), desk.year("paid"), desk.year("returned"), desk.balance("suspense")


def test_a_payment_without_its_reference_is_assigned_by_two_people(desk: Desk) -> None:
    told(desk, entry(desk, 0, "a", end_to_end_id="A" * 26), entry(desk, 1, "b"))
    assert books(desk) == (10_000, 5_000, 0, 10_000)
    [line] = waiting(desk)
    assert (line.line_class, line.left, line.proposed) == ("unknown", Money(10_000), Money(0))
    made = explain(desk, "assign", *all_of(desk), position=0)
    assert (made.outcome, made.amount, waiting(desk)[0].proposed) == ("paid", Money(10_000), Money(10_000))
    assert books(desk) == (10_000, 5_000, 0, 10_000), "nothing is booked before another person approves"
    with pytest.raises(Forbidden, match=r"suspense\.four_eyes"):
        decided(desk, made, actor=MAKER)
    approved = decided(desk, made)
    assert (approved.decision, approved.decided_by) == ("approve", RELEASER)
    assert decided(desk, made) == approved, "the same again changes nothing"
    assert books(desk) == (0, 15_000, 0, 0)
    assert waiting(desk) == []
    assert desk.bench.read(desk.batch).state == "settled"
    with pytest.raises(Conflict, match=r"suspense\.decided"):
        decided(desk, made, actor="somebody-else")


def test_two_halves_are_one_payment(desk: Desk) -> None:
    told(desk, entry(desk, 0, "a", amount=Money(6_000)), entry(desk, 0, "b", amount=Money(4_000)))
    first, second = all_of(desk)
    with pytest.raises(Conflict, match=r"suspense\.amount"):
        explain(desk, "assign", first, position=0)
    decided(desk, explain(desk, "assign", first, second, position=0))
    assert books(desk) == (5_000, 10_000, 0, 0)


def test_what_was_paid_too_much_stays_until_it_comes_back(desk: Desk) -> None:
    told(desk, entry(desk, 0, "a", amount=Money(10_001)))
    [line] = waiting(desk)
    part = Movement(line.statement_id, line.line, Money(10_000))
    decided(desk, explain(desk, "assign", part, position=0))
    assert [line.left for line in waiting(desk)] == [Money(1)]
    told(desk, entry(desk, 0, "r", credit=True, amount=Money(1)), day=date(2024, 10, 15))
    both = all_of(desk)
    assert len(both) == 2
    decided(desk, explain(desk, "reversed", *both))
    assert books(desk) == (5_000, 10_000, 0, 0)
    assert waiting(desk) == []


def test_a_return_with_another_amount_is_one_return_with_what_follows(desk: Desk) -> None:
    told(desk, entry(desk, 0, "a"), entry(desk, 0, "b", credit=True, amount=Money(9_500)))
    told(desk, entry(desk, 0, "c", credit=True, amount=Money(500)), day=date(2024, 10, 15))
    assert books(desk) == (5_000, 10_000, 0, -10_000)
    made = explain(desk, "assign", *all_of(desk), position=0)
    assert made.outcome == "returned"
    decided(desk, made)
    assert books(desk) == (5_000, 0, 10_000, 0)


def test_a_strangers_movement_is_none_of_ours(desk: Desk) -> None:
    told(desk, entry(desk, 0, "a", end_to_end_id="A" * 26, amount=Money(777)))
    decided(desk, explain(desk, "unrelated", *all_of(desk)))
    assert (desk.balance("suspense"), desk.balance("unrelated")) == (0, 777)
    assert waiting(desk) == []


def test_a_second_payment_keeps_its_claim_from_being_issued_again(desk: Desk) -> None:
    told(desk, entry(desk, 0, "a"), entry(desk, 0, "b", credit=True))
    told(desk, entry(desk, 0, "c"), day=date(2024, 10, 12))
    assert books(desk) == (5_000, 0, 10_000, 10_000)
    tenant = desk.bench.tenant
    with pytest.raises(Conflict, match=r"claim\.paid_twice"):
        desk.bench.do(lambda c: reissue(c, tenant, desk.bench.claims[0], OFFICE, MAKER, EXPLAINED), EXPLAINED)
    told(desk, entry(desk, 0, "d", credit=True), day=date(2024, 10, 15))
    decided(desk, explain(desk, "reversed", *all_of(desk)))
    with pytest.raises(Conflict, match=r"correction\.none"):
        desk.bench.do(lambda c: reissue(c, tenant, desk.bench.claims[0], OFFICE, MAKER, EXPLAINED), EXPLAINED)


def test_a_return_told_before_its_payment_and_a_second_payment_are_set_off(desk: Desk) -> None:
    told(desk, entry(desk, 0, "r", credit=True))
    told(desk, entry(desk, 0, "a"), entry(desk, 0, "b"), day=date(2024, 10, 12))
    assert [line.line_class for line in waiting(desk)] == ["differs", "duplicate"]
    decided(desk, explain(desk, "reversed", *all_of(desk)))
    assert books(desk) == (5_000, 10_000, 0, 0), "the payee holds one payment"
    told(desk, entry(desk, 0, "c", credit=True), day=date(2024, 10, 15))
    assert books(desk) == (5_000, 0, 10_000, 0), "and now none: nothing is left that it could be set off against"


def test_a_refusal_says_why_and_leaves_the_books(desk: Desk) -> None:
    told(desk, entry(desk, 0, "a", end_to_end_id="A" * 26))
    made = explain(desk, "assign", *all_of(desk), position=0)
    with pytest.raises(Problem, match=r"suspense\.reason"):
        decided(desk, made, "refuse")
    refused = decided(desk, made, "refuse", reason="并非该笔")
    assert refused.decision_reason == "并非该笔"
    assert books(desk) == (15_000, 0, 0, 10_000)
    [line] = waiting(desk)
    assert (line.left, line.proposed) == (Money(10_000), Money(0))


def test_nothing_is_explained_twice_or_beyond_its_line(desk: Desk) -> None:
    told(desk, entry(desk, 0, "a", end_to_end_id="A" * 26))
    [movement] = all_of(desk)
    one, other = explain(desk, "assign", movement, position=0), explain(desk, "unrelated", movement)
    decided(desk, one)
    with pytest.raises(Conflict, match=r"suspense\.exceeded"):
        decided(desk, other)
    assert books(desk) == (5_000, 10_000, 0, 0)


def test_what_cannot_be_is_refused_before_anybody_decides(desk: Desk) -> None:
    told(desk, entry(desk, 0, "a", end_to_end_id="A" * 26), entry(desk, 1, "b"))
    [movement] = all_of(desk)
    with pytest.raises(Conflict, match=r"suspense\.exceeded"):
        explain(desk, "unrelated", replace(movement, amount=Money(10_001)))
    with pytest.raises(Conflict, match=r"suspense\.amount"):
        explain(desk, "assign", movement, position=1)
    with pytest.raises(Conflict, match=r"suspense\.amount"):
        explain(desk, "reversed", movement)
    with pytest.raises(Problem, match=r"input\.invalid"):
        explain(desk, "assign", movement)
    with pytest.raises(Problem, match=r"input\.invalid"):
        explain(desk, "unrelated", movement, position=0)
    with pytest.raises(Problem, match=r"input\.invalid"):
        explain(desk, "unrelated", movement, movement)
    with pytest.raises(NotFound):
        explain(desk, "unrelated", replace(movement, statement_id=uuid4()))
    assert desk.bench.do(lambda c: list_resolutions(c, desk.bench.tenant, None, 10, waiting=True)) == []


def test_what_the_bank_has_told_since_is_not_assigned_any_more(desk: Desk) -> None:
    told(desk, entry(desk, 0, "a", end_to_end_id="A" * 26))
    made = explain(desk, "assign", *all_of(desk), position=0)
    desk.hand_in(FILES["mt940"](desk.payments[:1]))
    with pytest.raises(Conflict, match=r"suspense\.outcome"):
        decided(desk, made)


def test_the_database_enforces_two_people_whole_amounts_and_bounds(desk: Desk) -> None:
    told(desk, entry(desk, 0, "a", end_to_end_id="A" * 26))
    made = explain(desk, "assign", *all_of(desk), position=0)
    decision = (
        "insert into suspense_decision (tenant, resolution_id, proposed_by, outcome, decided_by, decided_at) "
        "values (%s, %s, %s, 'approve', %s, now())"
    )
    tenant = desk.bench.tenant
    with pytest.raises(DBAPIError, match="suspense_four_eyes"):
        desk.bench.change(decision, tenant, made.id, MAKER, MAKER)
    part = (
        "insert into suspense_part (tenant, resolution_id, part, statement_id, line, kind, amount_fen) "
        "select tenant, resolution_id, 2, statement_id, %s, kind, 1 from suspense_part where tenant = %s"
    )
    with pytest.raises(DBAPIError, match="foreign key"):
        desk.bench.change(part, 99, tenant)
    with pytest.raises(DBAPIError, match="instruction_outcome_approved"):
        desk.bench.change(
            "insert into instruction_outcome (tenant, instruction_id, outcome, amount_fen, resolution_id, at) "
            "values (%s, %s, 'paid', 10000, %s, now())",
            tenant, made.instruction_id, made.id,
        )  # fmt: skip
    for table in ("suspense_resolution", "suspense_part", "suspense_decision"):
        for change in (f"update {table} set tenant = tenant", f"delete from {table}"):  # noqa: S608 - our own tables
            with pytest.raises(DBAPIError):
                desk.bench.change(change)
