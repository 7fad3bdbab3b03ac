"""A batch that a settlement agent pays: paid in, paid on, and the agent's account back at zero."""

import json
from base64 import urlsafe_b64decode
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy.exc import DBAPIError

from settlement.bank.automatic import find_due
from settlement.bank.connections import BankConnection, agent_of
from settlement.bank.sending import Submission, order_sending
from settlement.bank.simulator import Books, Payment
from settlement.bank.simulator.answers import camt053, entries_of
from settlement.batches.batch import Batch, list_batches
from settlement.batches.batch_files import read_part
from settlement.batches.paid_in import pay_in_json, say_paid_in
from settlement.cycles.clearing_order import pay_in_of
from settlement.ledger import append, posted
from settlement.office import Office
from settlement.signatures.keys import public_keys
from settlement.signatures.signing import ORDER, verify_compact
from settlement.statements.line import StatementRefused
from settlement.statements.reconciliation import import_order_statement
from tenants.kernel.errors import Conflict, Forbidden
from tenants.kernel.money import Money
from tests.cycles.regions import AGENT, Regions
from tests.settlement_service.bank_files import DAY, Desk, batch_file
from tests.settlement_service.bench import DEBTOR, MAKER, OFFICE, OVER, RELEASER, Bench

YEAR = "provincial/2024"


def test_the_agent_is_paid_in_at_the_release_and_back_at_zero_once_it_is_instructed(regions: Regions) -> None:
    a, b, _ = regions.tenants
    regions.agreed(a, b, "agent")
    bench = regions.bench(a)
    batch = regions.release(regions.sealed(a, b, "100.00", "0.01"))
    held = f"agent/{YEAR}/{batch.batch_no}"
    assert regions.balances(a) == {f"budget/{YEAR}": -10001, held: 10001}
    paid = bench.instruct(batch)
    assert paid.state == "instructed"
    assert regions.balances(a) == {f"budget/{YEAR}": -10001, f"in-transit/{YEAR}": 10001}
    order = regions.do(lambda c: pay_in_of(c, paid, OFFICE))
    payload, key = verify_compact(order.jws, ORDER, regions.do(public_keys))
    said = json.loads(payload)
    assert (order.kind, str(order.amount), key.tenant) == ("agent_pay_in", "100.01", a)
    assert (said["batch"], said["debtor"], said["creditor"]) == (batch.batch_no, DEBTOR.payload(), AGENT.payload())


def test_the_payees_are_paid_from_the_agents_account(regions: Regions) -> None:
    a = regions.tenants[0]
    regions.divisions["310000"] = "310112"
    regions.agreed(a, "310000", "agent")
    bench = regions.bench(a)
    bench.instruct(regions.release(regions.sealed(a, "310000", "5.00")))
    [batch] = regions.do(lambda c: list_batches(c, a, {}, None, 5))
    part = regions.do(lambda c: read_part(c, batch, "payouts.jsonl", 1, OFFICE.sealer))
    token = json.loads(part.splitlines()[0])["jws"].split(".")[1]
    assert json.loads(urlsafe_b64decode(token + "=="))["debtor"] == AGENT.payload()


def test_the_agents_bank_settles_the_batch_and_the_tenants_own_cannot(regions: Regions, tmp_path: Path) -> None:
    a, b, _ = regions.tenants
    regions.agreed(a, b, "agent")
    bench = regions.bench(a)
    batch = bench.instruct(regions.release(regions.sealed(a, b, "100.00", "0.01")))
    books = Books()
    books.receive(batch.batch_no, bench.do(lambda c: batch_file(c, batch)))
    desk = Desk(bench, tmp_path, batch, books.execute())
    with pytest.raises(StatementRefused, match=r"statement\.foreign"):
        desk.hand_in(camt053(DEBTOR.account_number, entries_of(desk.payments), DAY))
    desk.hand_in(camt053(AGENT.account_number, entries_of(desk.payments), DAY))
    assert bench.read(batch).state == "settled"
    assert regions.balances(a) == {f"budget/{YEAR}": -10001, f"paid/{YEAR}": 10001}


def by_agent(regions: Regions) -> tuple[Bench, Batch, Office]:
    """An instructed batch of the first region's that an agent pays, and the office whose agent's bank is connected."""
    a, b, _ = regions.tenants
    regions.agreed(a, b, "agent")
    bench = regions.bench(a)
    batch = bench.instruct(regions.release(regions.sealed(a, b, "100.00", "0.01")))
    way = BankConnection("http", "http://127.0.0.1:9", automatic=True)
    return bench, batch, replace(OFFICE, banks={agent_of(regions.agreement_set): replace(way, account=AGENT)})


def order_it(bench: Bench, batch: Batch) -> Submission:
    return bench.do(lambda c: order_sending(c, batch.tenant, batch.id, "http", RELEASER, OVER))


def due(regions: Regions, office: Office) -> list[UUID | None]:
    everyone = tuple(row.tenant for row in regions.rows("select tenant from tenant"))
    found = regions.do(lambda c: find_due(c, office), tenants=everyone)
    return [each.batch_id for each in found if each.tenant == regions.tenants[0]]


def test_nothing_of_the_batch_is_sent_before_the_bank_tells_that_it_is_paid_in(
    regions: Regions, tmp_path: Path
) -> None:
    bench, batch, office = by_agent(regions)
    shown = bench.do(lambda c: pay_in_json(c, batch))
    assert shown is not None
    assert (shown["state"], set(dict(shown["reason"] or {}))) == ("waiting", {"zh", "en"})  # type: ignore[arg-type]
    with pytest.raises(Conflict) as refused:
        order_it(bench, batch)
    assert refused.value.code == "batch.not_paid_in"
    assert due(regions, office) == []
    order = regions.do(lambda c: pay_in_of(c, batch, OFFICE))
    path = tmp_path / "slip"
    entry = Payment("", order.reference, AGENT.account_name, AGENT.account_number, order.amount, "paid")
    path.write_bytes(camt053(DEBTOR.account_number, entries_of([entry]), DAY))
    everyone = tuple(row.tenant for row in regions.rows("select tenant from tenant"))
    regions.do(lambda c: import_order_statement(c, order.tenant, order.id, path, MAKER, OVER, OFFICE), tenants=everyone)
    assert due(regions, office) == [batch.id], "it goes by itself, since the operator's file says so"
    assert order_it(bench, batch).batch_id == batch.id
    assert due(regions, office) == []
    assert bench.do(lambda c: pay_in_json(c, batch)) == {"state": "paid_in", "reason": None, "confirmed": None}


def test_where_no_bank_is_connected_another_persons_word_pays_it_in(regions: Regions) -> None:
    bench, batch, _ = by_agent(regions)

    def say(actor: str, *, connected: bool = False) -> object:
        return bench.do(lambda c: say_paid_in(c, batch, "回单 1", actor, OVER, connected=connected))

    with pytest.raises(Forbidden, match=r"pay_in\.four_eyes"):
        say(RELEASER)
    with pytest.raises(Conflict, match=r"pay_in\.by_bank"):
        say("operator-zhao", connected=True)
    assert say("operator-zhao") == say("operator-zhao")
    with pytest.raises(Conflict, match=r"pay_in\.said"):
        say("operator-sun")
    assert order_it(bench, batch).batch_id == batch.id


def test_the_database_sends_nothing_that_is_not_paid_in_and_takes_no_word_beside_the_banks(regions: Regions) -> None:
    bench, batch, _ = by_agent(regions)
    file = bench.rows("select sha256 from batch_file where batch_id = %s and name = 'pain.001.xml'", batch.id)[0]
    insert = (
        "insert into bank_submission (tenant, id, batch_id, message_id, method, file_name, file_sha256, ordered_by, "
        "ordered_at) values (%s, gen_random_uuid(), %s, %s, 'http', 'pain.001.xml', %s, 'x', now()) returning id"
    )
    with pytest.raises(DBAPIError, match="not paid in to its agent"):
        bench.rows(insert, batch.tenant, batch.id, batch.batch_no, file.sha256)
    word = (
        "insert into agent_paid_in (tenant, batch_id, order_id, reason, said_by, said_at) "
        "values (%s, %s, %s, 'x', %s, now()) returning 1"
    )
    order = regions.do(lambda c: pay_in_of(c, batch, OFFICE))
    with pytest.raises(DBAPIError, match="who released the batch"):
        bench.rows(word, batch.tenant, batch.id, order.id, RELEASER)


def test_the_agents_account_of_an_instructed_batch_stays_at_zero_whatever_is_posted(regions: Regions) -> None:
    bench, batch, _ = by_agent(regions)
    held = f"agent/{YEAR}/{batch.batch_no}"
    more = posted(f"obligations/{YEAR}", held, Money(1), "x", batch.id)
    with pytest.raises(DBAPIError, match="is not back at zero"):
        bench.do(lambda c: append(c, batch.tenant, [more], OVER))


def test_the_database_refuses_an_instructed_batch_whose_agent_still_holds_money(regions: Regions) -> None:
    a, b, _ = regions.tenants
    regions.agreed(a, b, "agent")
    batch = regions.release(regions.sealed(a, b, "100.00"))
    with pytest.raises(DBAPIError, match="is not back at zero"):
        regions.rows(
            "update batch set state = 'instructed', instructed_at = now(), manifest_no = 1, manifest_sha256 = 'x' "
            "where id = %s returning id", batch.id,
        )  # fmt: skip
