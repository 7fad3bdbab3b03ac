"""Above the tenant's limit a batch takes two releasers, whoever presses when."""

import threading

import pytest
from sqlalchemy.exc import DBAPIError

from settlement.batches.batch import Batch
from settlement.batches.two_releasers import set_release_limit
from tenants.kernel.errors import Conflict, Forbidden
from tenants.kernel.money import Money
from tests.settlement_service.bench import CUT, MAKER, OVER, RELEASER, Bench

SECOND = "releaser-zhou"


def limited(bench: Bench, limit: str) -> None:
    bench.do(lambda c: set_release_limit(c, bench.tenant, Money.parse(limit), "admin", CUT))


def test_up_to_the_limit_one_releaser_is_enough(bench: Bench) -> None:
    limited(bench, "100.00")
    assert bench.released("100.00").state == "released"


def test_above_the_limit_the_first_release_waits_for_another_person(bench: Bench) -> None:
    limited(bench, "100.00")
    batch = bench.sealed("60.00", "40.01")
    first = bench.release(batch)
    assert (first.state, first.released_by, first.version) == ("sealed", None, batch.version + 1)
    assert bench.release(batch) == first
    with pytest.raises(Forbidden):
        bench.release(batch, actor=MAKER)
    assert bench.rows("select 1 from instruction where batch_id = %s", batch.id) == []
    second = bench.release(batch, actor=SECOND)
    assert (second.state, second.released_by) == ("released", SECOND)
    assert bench.release(batch, actor=SECOND) == second
    actions = bench.rows(
        "select action, body::json ->> 'actor' from audit_entry where tenant = %s and subject_id = %s order by seq",
        bench.tenant,
        batch.id,
    )
    assert [tuple(row) for row in actions[-2:]] == [("batch.first_release", RELEASER), ("batch.released", SECOND)]


def test_a_limit_that_is_raised_meanwhile_does_not_undo_the_first_release(bench: Bench) -> None:
    limited(bench, "1.00")
    batch = bench.release(bench.sealed("60.00"))
    limited(bench, "1000.00")
    assert bench.release(batch).state == "sealed"
    assert bench.release(batch, actor=SECOND).state == "released"


@pytest.mark.parametrize("first", [None, RELEASER, MAKER])
def test_the_database_refuses_a_release_without_two_different_people(bench: Bench, first: str | None) -> None:
    limited(bench, "1.00")
    batch = bench.sealed("60.00")
    if first is not None:
        bench.change(
            "insert into first_release (tenant, batch_id, released_by, released_at) values (%s, %s, %s, %s)",
            bench.tenant, batch.id, first, OVER,
        )  # fmt: skip
    with pytest.raises(DBAPIError, match=r"two people|another person"):
        bench.change(
            "update batch set state = 'released', released_by = %s, released_at = %s where tenant = %s and id = %s",
            RELEASER, OVER, bench.tenant, batch.id,
        )  # fmt: skip


def test_of_many_releasers_at_once_two_release_and_it_is_released_once(bench: Bench) -> None:
    limited(bench, "1.00")
    batch = bench.sealed("60.00", "5.00")
    answers: list[Batch | Conflict] = []
    ready = threading.Barrier(8)

    def press(number: int) -> None:
        ready.wait(30)
        try:
            answers.append(bench.release(batch, actor=f"releaser {number}"))
        except Conflict as refused:
            answers.append(refused)

    threads = [threading.Thread(target=press, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    states = sorted(answer.state if isinstance(answer, Batch) else answer.code for answer in answers)
    assert states == ["batch.state"] * 6 + ["released", "sealed"]
    [row] = bench.rows(
        "select b.released_by, f.released_by as first from batch b join first_release f on f.batch_id = b.id "
        "where b.id = %s", batch.id,
    )  # fmt: skip
    assert row.released_by != row.first
    assert len(bench.rows("select 1 from instruction where batch_id = %s", batch.id)) == 2
