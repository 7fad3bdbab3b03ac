"""The audit chain: no gap, no fork, whoever writes at once and whatever the clock says."""

import hashlib
import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from tenants.kernel.change import Change, Job, record
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import Scope, Work, run, transaction
from tests.settlement_service.bench import new_tenant

AT = datetime(2024, 9, 1, tzinfo=UTC)


def changes(tenant: str, count: int = 1, **how: Any) -> list[Change]:
    return [Change(tenant, "li", "test.done", uuid4(), **how) for _ in range(count)]


def write(app: Engine, wanted: list[Change], at: datetime = AT) -> None:
    scope = Scope(tuple({change.tenant for change in wanted}))
    run(app, scope, FixedClock(at), lambda work: record(work.connection, wanted, work.at))


def chain(app: Engine, tenant: str) -> list[Any]:
    with transaction(app, Scope((tenant,)), FixedClock(AT)) as work:
        return list(
            work.connection.exec_driver_sql(
                "select seq, at, action, subject_id, body, hash from audit_entry where tenant = %s order by seq",
                (tenant,),
            )
        )


def head(app: Engine, tenant: str) -> tuple[int, bytes, datetime]:
    with transaction(app, Scope((tenant,)), FixedClock(AT)) as work:
        row = work.connection.exec_driver_sql("select seq, hash, at from audit_head").one()
        return row.seq, bytes(row.hash), row.at


def check_chain(app: Engine, tenant: str, length: int) -> None:
    """Recompute the chain as the specification says it, without our own code."""
    entries, previous = chain(app, tenant), bytes(32)
    assert [entry.seq for entry in entries] == list(range(1, length + 1))
    for entry in entries:
        assert bytes(entry.hash) == hashlib.sha256(b"clearing-audit-v1\n" + previous + entry.body.encode()).digest()
        body = json.loads(entry.body)
        assert (body["seq"], body["tenant"], body["subject"]) == (entry.seq, tenant, str(entry.subject_id))
        assert datetime.fromisoformat(body["at"]) == entry.at
        previous = bytes(entry.hash)
    assert [entry.at for entry in entries] == sorted(entry.at for entry in entries)
    assert head(app, tenant)[:2] == (length, previous)


def test_eight_threads_write_one_chain_without_gap_or_fork(app: Engine, tenant: str) -> None:
    faults: list[Exception] = []

    def write_some(thread: int) -> None:
        try:
            for number in range(12):
                write(app, changes(tenant, 1 + number % 3), AT + timedelta(seconds=thread * 7 % 5))
        except Exception as fault:  # noqa: BLE001 - any fault of a thread is shown below
            faults.append(fault)

    threads = [threading.Thread(target=write_some, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    check_chain(app, tenant, 8 * 24)


def test_transactions_over_two_tenants_in_both_orders_do_not_deadlock(app: Engine, owner: Engine) -> None:
    one, other = new_tenant(owner), new_tenant(owner)
    faults: list[Exception] = []

    def write_both(first: str, second: str) -> None:
        try:
            for _ in range(15):
                with transaction(app, Scope((one, other)), FixedClock(AT)) as work:
                    record(work.connection, changes(first) + changes(second) + changes(first), AT)
        except Exception as fault:  # noqa: BLE001 - any fault of a thread is shown below
            faults.append(fault)

    threads = [threading.Thread(target=write_both, args=order) for order in ((one, other), (other, one)) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    check_chain(app, one, 90)
    check_chain(app, other, 90)


def test_what_is_rolled_back_leaves_neither_entry_nor_gap(app: Engine, tenant: str) -> None:
    write(app, changes(tenant))

    def fail(work: Work) -> None:
        record(work.connection, changes(tenant, 3, jobs=(Job("test.job"),)), AT)
        raise RuntimeError("after the entries")

    with pytest.raises(RuntimeError):
        run(app, Scope((tenant,)), FixedClock(AT), fail)
    write(app, changes(tenant))
    check_chain(app, tenant, 2)


def test_a_clock_that_goes_back_does_not_turn_the_chain_around(app: Engine, tenant: str) -> None:
    write(app, changes(tenant), AT + timedelta(days=1))
    write(app, changes(tenant, 2), AT)
    check_chain(app, tenant, 3)
    assert {entry.at for entry in chain(app, tenant)} == {AT + timedelta(days=1)}


def test_entry_and_jobs_of_a_change_are_written_together(app: Engine, tenant: str) -> None:
    details = {"note": "引号\"'\\\n\u2028", "count": 3, "nothing": None, "list": ["1.00"]}
    jobs = (Job("claim.stored", {"a": "b"}, "jssic"), Job("batch.instruct"))
    [change] = changes(tenant, from_state="cut", to_state=None, reason="因'为", details=details, jobs=jobs)
    write(app, [change])
    check_chain(app, tenant, 1)
    body = json.loads(chain(app, tenant)[0].body)
    assert body["details"] == details
    assert (body["from"], body["to"], body["reason"], body["actor"]) == ("cut", None, "因'为", "li")
    with transaction(app, Scope((tenant,)), FixedClock(AT)) as work:
        rows = work.connection.exec_driver_sql(
            "select kind, platform, payload, created_at, done_at from outbox where subject_id = %s order by id",
            (change.subject_id,),
        ).all()
    assert [tuple(row) for row in rows] == [
        ("claim.stored", "jssic", '{"a":"b"}', AT, None),
        ("batch.instruct", None, "{}", AT, None),
    ]


@pytest.mark.parametrize("details", [{"share": 0.5}, {"share": float("nan")}, {"fen": 2**53}, {"x": object()}])
def test_a_detail_without_exact_form_stops_the_whole_change(app: Engine, tenant: str, details: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        write(app, changes(tenant) + changes(tenant, details=details))
    assert chain(app, tenant) == []


def test_a_tenant_outside_the_scope_has_no_chain_to_write(app: Engine, tenant: str, owner: Engine) -> None:
    foreign = new_tenant(owner)
    with pytest.raises(KeyError):
        run(
            app,
            Scope((tenant,)),
            FixedClock(AT),
            lambda work: record(work.connection, changes(tenant) + changes(foreign), AT),
        )
    assert chain(app, tenant) == chain(app, foreign) == []


def test_no_changes_at_all_write_nothing(app: Engine, tenant: str) -> None:
    with transaction(app, Scope((tenant,)), FixedClock(AT)) as work:
        record(work.connection, [], AT)
    check_chain(app, tenant, 0)


def test_a_number_of_the_chain_is_used_once_even_by_hand(app: Engine, tenant: str) -> None:
    write(app, changes(tenant))
    statement = (
        "insert into audit_entry (tenant, seq, at, action, subject_id, body, hash) "
        "select tenant, seq, at, action, subject_id, body, hash from audit_entry where tenant = %s"
    )
    with pytest.raises(IntegrityError):
        run(app, Scope((tenant,)), FixedClock(AT), lambda work: work.connection.exec_driver_sql(statement, (tenant,)))
