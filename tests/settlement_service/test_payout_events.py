"""What platforms are told of payments: each claim's own payout, in its order, once, and of no account."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine, event

from clearing import migrations
from settlement.bank.simulator.answers import pain002
from settlement.payouts.telling import tell_outcomes
from tenants.kernel.ids import new_id
from tests.settlement_service.bank_files import FILES, Desk, open_desk
from tests.settlement_service.bench import DEBTOR, OVER, Bench, account, shanghai
from tests.settlement_service.test_reissue_with_database import again, decided, paid_again, proposed

SAID = frozenset(
    {"amount", "batch_id", "batch_no", "claim_id", "claim_no", "instruction_id", "kind", "payment", "tenant"}
)


def told(bench: Bench, claim_id: UUID | None = None) -> list[Any]:
    """The payout events of one claim, or of all, in their order."""
    return bench.rows(
        "select kind, platform, subject_id, payload, created_at from outbox "
        "where tenant = %s and starts_with(kind, 'payout.') and subject_id = coalesce(%s, subject_id) "
        "order by created_at, id",
        bench.tenant,
        claim_id,
    )


def kinds(bench: Bench, claim_id: UUID) -> list[str]:
    return [row.kind for row in told(bench, claim_id)]


@contextmanager
def statements_of(engine: Engine) -> Iterator[list[str]]:
    """What the engine is asked while the block runs."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
def desk(bench: Bench, tmp_path: Path) -> Desk:
    return open_desk(bench, tmp_path, "100.00", "50.05", "30.00")


def test_each_claim_of_one_instruction_is_told_of_by_itself(bench: Bench, tmp_path: Path) -> None:
    desk = open_desk(bench, tmp_path, "100.00", "50.05", payee=7)
    assert len(desk.payments) == 1
    desk.hand_in(FILES["camt.053"](desk.payments))
    rows = told(bench)
    assert [(row.kind, row.platform, row.subject_id) for row in rows] == [
        ("payout.paid", "jssic", claim_id) for claim_id in sorted(bench.claims)
    ]
    said = [json.loads(row.payload) for row in rows]
    assert [(one["claim_id"], one["amount"]) for one in said] == [
        (str(claim_id), amount) for claim_id, amount in zip(bench.claims, ("100.00", "50.05"), strict=True)
    ]
    assert {(one["batch_no"], one["kind"], one["payment"], one["tenant"]) for one in said} == {
        (desk.batch.batch_no, "common_use", 1, bench.tenant)
    }
    assert all(one.keys() == SAID for one in said)


def test_no_event_names_an_account_or_a_payee(desk: Desk) -> None:
    desk.hand_in(FILES["camt.053"](desk.with_state("returned", 0)))
    whole = "".join(row.payload for row in told(desk.bench))
    assert whole
    for number in range(1, 4):
        payee = account(number)
        assert payee.account_number not in whole
        assert payee.account_name not in whole
    assert DEBTOR.account_number not in whole


def test_a_return_is_told_behind_its_payment_though_one_file_tells_both(desk: Desk) -> None:
    desk.hand_in(FILES["camt.053"](desk.with_state("returned", 0)))
    first, *others = desk.bench.claims
    assert kinds(desk.bench, first) == ["payout.paid", "payout.returned"]
    assert [kinds(desk.bench, other) for other in others] == [["payout.paid"]] * 2


def test_a_message_rejected_whole_tells_of_every_claim_once(desk: Desk) -> None:
    for _ in range(2):
        desk.hand_in(pain002(desk.batch.batch_no, [], "RJCT"))
    assert [kinds(desk.bench, claim) for claim in desk.bench.claims] == [["payout.rejected"]] * 3


def test_the_same_file_twice_and_an_acceptance_tell_nothing_more(desk: Desk) -> None:
    desk.hand_in(FILES["pain.002"](desk.payments))
    assert told(desk.bench) == []
    content = FILES["camt.053"](desk.payments)
    desk.hand_in(content)
    before = told(desk.bench)
    desk.hand_in(content)
    desk.hand_in(FILES["camt.054"](desk.payments))
    assert (told(desk.bench), len(before)) == (before, 3)


def test_what_differs_is_paid_to_nobody_and_told_to_nobody(desk: Desk) -> None:
    desk.hand_in(FILES["camt.053"]([replace(desk.payments[0], account_number="6222999999999999")]))
    assert told(desk.bench) == []


def test_a_payment_that_is_issued_again_tells_its_claim_the_whole_way(desk: Desk) -> None:
    claim_id = desk.bench.claims[0]
    desk.hand_in(FILES["camt.053"](desk.with_state("returned", 0)), shanghai("2024-10-11", 15))
    decided(desk, proposed(desk, claim_id))
    again(desk, claim_id)
    later = paid_again(desk)
    later.hand_in(FILES["camt.053"](later.payments), shanghai("2024-10-30"))
    rows = told(desk.bench, claim_id)
    said = [json.loads(row.payload) for row in rows]
    assert [(row.kind, one["payment"], one["batch_no"]) for row, one in zip(rows, said, strict=True)] == [
        ("payout.paid", 1, desk.batch.batch_no),
        ("payout.returned", 1, desk.batch.batch_no),
        ("payout.reissued", 2, None),
        ("payout.paid", 2, later.batch.batch_no),
    ]
    assert {one["claim_id"] for one in said} == {str(claim_id)}
    assert {row.subject_id for row in rows} == {claim_id}


def test_what_was_paid_before_there_were_events_is_told_by_the_migration_as_it_is_told_now(
    desk: Desk, owner: Engine
) -> None:
    claim_id, tenant = desk.bench.claims[0], desk.bench.tenant
    desk.hand_in(FILES["camt.053"](desk.with_state("returned", 0)), shanghai("2024-10-11", 15))
    decided(desk, proposed(desk, claim_id))
    again(desk, claim_id)
    later = paid_again(desk)
    later.hand_in(FILES["camt.053"](later.payments), shanghai("2024-10-30"))
    before = told(desk.bench)
    statement = (Path(migrations.__file__).parent / "versions" / "0027_flows.sql").read_text(encoding="utf-8")
    with owner.connect() as connection:
        connection.exec_driver_sql("delete from outbox where starts_with(kind, 'payout.')")
        connection.connection.driver_connection.execute(statement, prepare=False)  # type: ignore[union-attr]
        after = connection.exec_driver_sql(
            "select kind, platform, subject_id, payload, created_at from outbox "
            "where tenant = %s and starts_with(kind, 'payout.') order by created_at, id",
            (tenant,),
        ).all()
        connection.rollback()
    assert len(before) == 6
    assert [tuple(row) for row in after] == [tuple(row) for row in before]


def test_the_events_are_written_with_the_outcomes_or_not_at_all(desk: Desk) -> None:
    def fail_afterwards(connection: Connection) -> None:
        tell_outcomes(connection, desk.bench.tenant, [(_instruction(desk), "paid")], OVER)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        desk.bench.do(fail_afterwards)
    assert told(desk.bench) == []


def test_instructions_that_are_none_and_outcomes_that_are_no_event_tell_nothing(desk: Desk) -> None:
    outcomes = [(new_id(), "paid"), (_instruction(desk), "accepted")]
    desk.bench.do(lambda c: tell_outcomes(c, desk.bench.tenant, outcomes, OVER))
    assert told(desk.bench) == []


@pytest.mark.parametrize("size", [20, pytest.param(100_000, marks=pytest.mark.long)])
def test_any_number_of_claims_is_told_of_in_one_statement(bench: Bench, size: int) -> None:
    made = bench.approve(*["1.00"] * size)
    bench.set_account()
    batch = bench.release(bench.seal(bench.publish(bench.cut())))
    ids = [row.id for row in bench.rows("select id from instruction where tenant = %s", bench.tenant)]
    with statements_of(bench.app) as seen:
        bench.do(lambda c: tell_outcomes(c, bench.tenant, [(each, "paid") for each in ids], OVER))
    assert len([one for one in seen if "insert into outbox" in one]) == 1
    rows = told(bench)
    assert (len(rows), {row.subject_id for row in rows}) == (size, set(made))
    assert {json.loads(row.payload)["batch_id"] for row in rows} == {str(batch.id)}


def _instruction(desk: Desk) -> UUID:
    [first, *_] = desk.bench.rows("select id from instruction where tenant = %s order by line", desk.bench.tenant)
    return UUID(str(first.id))
