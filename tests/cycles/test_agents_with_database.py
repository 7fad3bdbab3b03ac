"""A batch that a settlement agent pays: paid in, paid on, and the agent's account back at zero."""

import json
from base64 import urlsafe_b64decode
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from settlement.bank.simulator import Books
from settlement.bank.simulator.answers import camt053, entries_of
from settlement.batches.batch import list_batches
from settlement.batches.batch_files import read_part
from settlement.cycles.clearing_order import pay_in_of
from settlement.signatures.keys import public_keys
from settlement.signatures.signing import ORDER, verify_compact
from settlement.statements.line import StatementRefused
from tests.cycles.regions import AGENT, Regions
from tests.settlement_service.bank_files import DAY, Desk, batch_file
from tests.settlement_service.bench import DEBTOR, OFFICE

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


def test_the_database_refuses_an_instructed_batch_whose_agent_still_holds_money(regions: Regions) -> None:
    a, b, _ = regions.tenants
    regions.agreed(a, b, "agent")
    batch = regions.release(regions.sealed(a, b, "100.00"))
    with pytest.raises(DBAPIError, match="is not back at zero"):
        regions.rows(
            "update batch set state = 'instructed', instructed_at = now(), manifest_no = 1, manifest_sha256 = 'x' "
            "where id = %s returning id", batch.id,
        )  # fmt: skip
