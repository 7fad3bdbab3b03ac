"""Clearing cycles on the real database: debts from releases, windows, positions, confirmations, orders, settlement."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from uuid import UUID

import pytest
from psycopg import errors as pg
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from settlement.batches.home_region import close_settled
from settlement.cycles import cycle_steps
from settlement.cycles.clearing_order import list_orders
from settlement.cycles.cycle import cells_of, find_cycle, positions_of
from settlement.cycles.cycle_debts import list_debts
from settlement.cycles.exposure import exposure, find_hold, lift_hold, open_holds
from settlement.cycles.netting import positions
from settlement.signatures.keys import public_keys
from settlement.signatures.signing import ORDER, verify_compact
from tenants.kernel.errors import Conflict, Forbidden, NotFound
from tenants.kernel.money import Money
from tests.cycles.regions import OPERATOR, Regions, pay_home
from tests.settlement_service.bench import OFFICE, OVER, RELEASER, shanghai

YEAR = "provincial/2024"
SEALED = shanghai("2024-10-15")


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises((Conflict, Forbidden, NotFound)) as refused:
        call()
    return refused.value.code


@pytest.fixture
def circle(regions: Regions) -> Regions:
    """a owes b 400.00, b owes c 300.00 and a 50.00, c owes a 300.00, all netted multilaterally."""
    a, b, c = regions.tenants
    for one, other in ((a, b), (b, c), (a, c)):
        regions.agreed(one, other)
    for tenant in regions.tenants:
        regions.bench(tenant).set_account()
    regions.owe(a, b, "100.00", "300.00")
    regions.owe(b, c, "300.00")
    regions.owe(b, a, "50.00")
    regions.owe(c, a, "300.00")
    return regions


def test_a_release_to_the_home_region_moves_the_debt_in_both_books_at_once(regions: Regions) -> None:
    a, b, _ = regions.tenants
    regions.agreed(a, b)
    batch = regions.owe(a, b, "100.00", "0.01")
    assert (batch.state, batch.form, batch.counterparty) == ("released", "home_region", b)
    books = regions.balances(a)
    assert books == {f"budget/{YEAR}": -10001, f"clearing/{YEAR}/{b}": 10001}
    assert regions.balances(b) == {f"clearing/{YEAR}/{a}": -10001, f"obligations/{YEAR}": 10001}
    assert regions.rows("select 1 from instruction where batch_id = %s", batch.id) == []
    assert regions.release(batch) == batch


def test_the_home_region_pays_what_it_took_over_in_a_batch_of_its_own(regions: Regions) -> None:
    a, b, _ = regions.tenants
    regions.agreed(a, b)
    regions.owe(a, b, "100.00", "0.01")
    bench = regions.bench(b)
    bench.set_account()
    own = pay_home(regions, b)
    assert (own.kind, own.item_count, str(own.total)) == ("home_region", 2, "100.01")
    paid = bench.instruct(regions.release(bench.seal(own, at=SEALED), at=SEALED), at=SEALED)
    assert paid.state == "instructed"
    assert regions.balances(b) == {f"clearing/{YEAR}/{a}": -10001, f"in-transit/{YEAR}": 10001}
    names = regions.rows("select distinct account_name from obligation where tenant = any(%s)", [a, b])
    assert len(names) == 2


def test_positions_of_a_closed_window_add_up_to_zero_and_open_down_to_their_claims(circle: Regions) -> None:
    a, b, c = circle.tenants
    cycle = circle.close()
    assert cycle.state == "closed"
    cells = circle.do(lambda k: cells_of(k, cycle.id, circle.tenants))
    assert {(cell.tenant, cell.creditor): (cell.debts, str(cell.gross)) for cell in cells} == {
        (a, b): (2, "400.00"), (b, a): (1, "50.00"), (b, c): (1, "300.00"), (c, a): (1, "300.00"),
    }  # fmt: skip
    stored = circle.do(lambda k: positions_of(k, cycle.id, circle.tenants))
    assert {each.tenant: str(each.net) for each in stored} == {a: "-50.00", b: "50.00", c: "0.00"}
    assert {each.tenant: each.net for each in stored} == {t: p.net for t, p in positions(cells).items()}
    for cell in cells:
        debts = circle.do(
            lambda k, cell=cell: list_debts(k, cycle.id, circle.tenants, cell.tenant, cell.creditor, None, 100)  # type: ignore[misc]
        )
        assert sum(debt.amount.fen for debt in debts) == cell.gross.fen
        assert len(debts) == cell.debts
        assert all(debt.claim_no.startswith("CL-") for debt in debts)


def test_a_debt_posted_after_the_closing_falls_in_the_next_window(circle: Regions) -> None:
    a, b, _ = circle.tenants
    late = circle.sealed(a, b, "7.00")
    first = circle.close()
    circle.release(late)
    second = circle.close(actor="another operator")
    assert second.cycle_no == first.cycle_no + 1
    [cell] = circle.do(lambda k: cells_of(k, second.id, circle.tenants))
    assert (cell.tenant, cell.creditor, str(cell.gross)) == (a, b, "7.00")


def test_all_confirm_their_positions_then_orders_are_signed_and_the_accounts_are_back_at_zero(circle: Regions) -> None:
    a, b, c = circle.tenants
    cycle = circle.close()
    circle.confirm(cycle, a, "-50.00")
    circle.confirm(cycle, b, "50.00")
    assert circle.read(cycle).state == "closed"
    assert circle.do(lambda k: list_orders(k, cycle.id, circle.tenants, OFFICE)) == []
    circle.confirm(cycle, c, "0.00")
    assert circle.read(cycle).state == "confirmed"
    orders = circle.do(lambda k: list_orders(k, cycle.id, circle.tenants, OFFICE))
    assert [(o.tenant, o.kind, str(o.amount)) for o in orders] == [(a, "pay_in", "50.00"), (b, "pay_out", "50.00")]
    for order in orders:
        payload, key = verify_compact(order.jws, ORDER, circle.do(public_keys))
        said = json.loads(payload)
        assert key.tenant == order.tenant
        assert (said["amount"], said["amount_in_words"], said["cycle"]) == ("50.00", "伍拾元整", cycle.name)
        assert said["order_id"] == str(order.id)
    for tenant, net in ((a, 5000), (b, -5000), (c, 0)):
        books = circle.balances(tenant)
        assert not any(code.startswith("clearing/") for code in books)
        assert books.get(f"netted/{YEAR}", 0) == net
    settled = circle.do(lambda k: cycle_steps.settle(k, cycle.id, circle.tenants, OFFICE, OPERATOR, OVER))
    assert settled.state == "settled"


@pytest.mark.parametrize(
    ("netting", "expected"),
    [
        ("gross", [("a", "b", "400.00"), ("b", "a", "50.00")]),
        ("bilateral", [("a", "b", "350.00")]),
    ],
)
def test_an_agreement_chooses_how_its_debts_are_netted(
    regions: Regions, netting: str, expected: list[tuple[str, str, str]]
) -> None:
    a, b, _ = regions.tenants
    names = {a: "a", b: "b"}
    regions.agreed(a, b, netting=netting)
    for tenant in (a, b):
        regions.bench(tenant).set_account()
    regions.owe(a, b, "400.00")
    regions.owe(b, a, "50.00")
    cycle = regions.close()
    regions.confirm(cycle, a, "-350.00")
    regions.confirm(cycle, b, "350.00")
    orders = regions.do(lambda k: list_orders(k, cycle.id, regions.tenants, OFFICE))
    assert [
        (names[o.tenant], names[str(o.counterparty)], str(o.amount)) for o in sorted(orders, key=lambda o: o.tenant)
    ] == expected
    body = json.loads(urlsafe_b64decode(orders[0].jws.split(".")[1] + "=="))
    assert body["debtor"]["account_number"] == body["creditor"]["account_number"] == "3200001234567890"


def test_a_window_without_debts_settles_at_once(regions: Regions) -> None:
    regions.agreed(*regions.tenants[:2])
    cycle = regions.close()
    assert (cycle.state, cycle.settled_by) == ("settled", OPERATOR)
    assert regions.open_window() != cycle.id


def test_debts_that_cancel_out_are_confirmed_and_settle_without_an_order(regions: Regions) -> None:
    a, b, _ = regions.tenants
    regions.agreed(a, b)
    for tenant in (a, b):
        regions.bench(tenant).set_account()
    batch = regions.owe(a, b, "10.00")
    regions.owe(b, a, "10.00")
    cycle = regions.close()
    assert code_of(lambda: regions.do(lambda k: close_settled(k, batch, RELEASER, OVER))) == "batch.unsettled"
    regions.confirm(cycle, a, "0.00")
    regions.confirm(cycle, b, "0.00")
    assert regions.read(cycle).state == "settled"
    closed = regions.do(lambda k: close_settled(k, batch, RELEASER, OVER))
    assert closed.state == "closed"
    assert regions.do(lambda k: close_settled(k, closed, RELEASER, OVER)) == closed


def test_a_position_is_confirmed_by_its_figure_once_and_not_by_who_closed(circle: Regions) -> None:
    a, *_ = circle.tenants
    window = circle.open_window()
    assert code_of(lambda: circle.confirm(circle.do(lambda k: find_cycle(k, window)), a, "0.00")) == "cycle.state"
    cycle = circle.close()
    assert code_of(lambda: circle.confirm(cycle, a, "50.00")) == "position.differs"
    assert code_of(lambda: circle.confirm(cycle, a, "-50.00", actor=OPERATOR)) == "cycle.four_eyes"
    with pytest.raises(DBAPIError, match="who closed the window"):
        circle.rows(
            "update clearing_position set confirmed_by = %s, confirmed_at = now() where tenant = %s and cycle_id = %s "
            "returning tenant", OPERATOR, a, cycle.id,
        )  # fmt: skip
    first = circle.confirm(cycle, a, "-50.00")
    assert circle.confirm(cycle, a, "-50.00") == first
    assert code_of(lambda: circle.confirm(cycle, a, "-50.00", actor="somebody")) == "position.confirmed"
    assert code_of(lambda: circle.confirm(cycle, "atlantis", "0.00")) == "not_found"
    assert (
        code_of(lambda: circle.do(lambda k: cycle_steps.settle(k, cycle.id, circle.tenants, OFFICE, OPERATOR, OVER)))
        == "cycle.state"
    )


DENIED = pg.InsufficientPrivilege
SPOILING = {
    "a position is moved": (
        "update clearing_position set payable_fen = payable_fen + 1 where cycle_id = %(cycle)s", DENIED,
    ),
    "a cell is added": (
        ("insert into clearing_cell (tenant, cycle_id, creditor, netting, debts, gross_fen) "
        "values (%(a)s, %(cycle)s, %(b)s, 'gross', 1, 1)"), pg.CheckViolation,
    ),
    "a position is added": (
        ("insert into clearing_position (tenant, cycle_id, payable_fen, receivable_fen) "
        "select tenant, %(cycle)s, 5, 0 from tenant where tenant not in "
        "(select tenant from clearing_position where cycle_id = %(cycle)s) limit 1"), DENIED,
    ),
    "the window is opened again": ("update clearing_cycle set state = 'open' where id = %(cycle)s", DENIED),
    "a window is confirmed by nobody": (
        "update clearing_cycle set state = 'confirmed', confirmed_at = now() where id = %(cycle)s", pg.CheckViolation,
    ),
    "a debt is posted to a closed window": (
        ("insert into clearing_debt (tenant, claim_id, creditor, obligation_id, batch_id, cycle_id, netting, scheme, "
        "quota_year, "
        "amount_fen, transfer_id, creditor_transfer_id, posted_at) select tenant, claim_id, creditor, obligation_id, "
        "batch_id, cycle_id, netting, scheme, quota_year, amount_fen, gen_random_uuid(), gen_random_uuid(), posted_at "
        "from clearing_debt where cycle_id = %(cycle)s"), (pg.CheckViolation, pg.UniqueViolation),
    ),
    "an order is made up": (
        ("insert into clearing_order (tenant, id, cycle_id, kind, amount_fen, jws_sealed, created_at) "
        "values (%(a)s, gen_random_uuid(), %(cycle)s, 'pay_in', 1, '', now())"), pg.CheckViolation,
    ),
    "a debt is changed": ("update clearing_debt set amount_fen = 1 where cycle_id = %(cycle)s", DENIED),
    "a cell is deleted": ("delete from clearing_cell where cycle_id = %(cycle)s", DENIED),
    "a second window is opened": (
        ("insert into clearing_cycle (id, agreement_set, currency, cycle_no, state, opened_by, opened_at) "
        "select gen_random_uuid(), agreement_set, currency, cycle_no + 9, 'open', 'x', now() from clearing_cycle "
        "where id = %(cycle)s"), pg.UniqueViolation,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("statement", "refusal"), SPOILING.values(), ids=SPOILING)
def test_the_database_refuses_what_would_unbalance_a_window(
    circle: Regions, statement: str, refusal: type[Exception]
) -> None:
    a, b, _ = circle.tenants
    cycle = circle.close()
    values = {"cycle": cycle.id, "a": a, "b": b}
    with pytest.raises(DBAPIError) as refused:
        circle.do(lambda k: k.exec_driver_sql(statement, values))
    assert isinstance(refused.value.orig, refusal), refused.value.orig


def test_a_window_is_not_closed_without_its_positions(circle: Regions) -> None:
    window = circle.open_window()
    with pytest.raises(DBAPIError, match="the matrix is not that of the debts"):
        circle.rows(
            "update clearing_cycle set state = 'closed', closed_by = 'x', closed_at = now() where id = %s returning id",
            window,
        )


def test_positions_that_do_not_add_up_to_zero_are_refused_even_with_a_true_matrix(circle: Regions) -> None:
    window = circle.open_window()
    with pytest.raises(DBAPIError, match="the positions are not those of the matrix"):
        circle.do(lambda k: _close_crookedly(k, window))


def _close_crookedly(connection: Connection, window: UUID) -> None:
    connection.exec_driver_sql(
        "insert into clearing_cell (tenant, cycle_id, creditor, netting, debts, gross_fen) select tenant, cycle_id, "
        "creditor, 'multilateral', count(*), sum(amount_fen) from clearing_debt where cycle_id = %s group by 1, 2, 3",
        (window,),
    )
    connection.exec_driver_sql(
        "insert into clearing_position (tenant, cycle_id, payable_fen, receivable_fen) "
        "select tenant, cycle_id, sum(gross_fen), 0 from clearing_cell where cycle_id = %s group by 1, 2",
        (window,),
    )
    connection.exec_driver_sql(
        "update clearing_cycle set state = 'closed', closed_by = 'x', closed_at = now() where id = %s", (window,)
    )


def test_a_region_sees_its_own_position_and_what_stands_between_it_and_others_only(circle: Regions) -> None:
    a, b, c = circle.tenants
    cycle = circle.close()
    own = circle.do(lambda k: cells_of(k, cycle.id, circle.tenants), tenants=(c,))
    assert {(cell.tenant, cell.creditor) for cell in own} == {(b, c), (c, a)}
    assert [p.tenant for p in circle.do(lambda k: positions_of(k, cycle.id, circle.tenants), tenants=(c,))] == [c]
    debts = circle.do(lambda k: list_debts(k, cycle.id, circle.tenants, None, None, None, 100), tenants=(c,))
    assert {(debt.tenant, debt.creditor) for debt in debts} == {(b, c), (c, a)}
    entries = circle.rows("select body from audit_entry where tenant = %s and action = 'cycle.closed'", c)
    said = json.loads(entries[0].body)["details"]
    assert (said["net"], [each["with"] for each in said["owes"]]) == ("0.00", [a])
    assert "400.00" not in entries[0].body


def test_above_the_exposure_limit_a_batch_is_held_until_the_named_approver_lifts_it(regions: Regions) -> None:
    a, b, _ = regions.tenants
    regions.agreed(a, b, exposure_limit=Money(10_000), exposure_approver="chief")
    regions.owe(a, b, "60.00")
    batch = regions.sealed(a, b, "40.01")
    for _ in range(2):
        assert regions.release(batch).state == "sealed"
    hold = regions.do(lambda k: find_hold(k, a, batch.id))
    assert hold is not None
    assert (str(hold.owed), str(hold.limit), hold.approver, hold.lifted_at) == ("100.01", "100.00", "chief", None)
    assert [each.batch_id for each in regions.do(lambda k: open_holds(k, a))] == [batch.id]
    assert regions.do(lambda k: exposure(k, a, b)) == Money(6_000)
    assert code_of(lambda: regions.do(lambda k: lift_hold(k, batch, "紧急", "releaser", OVER))) == "exposure.approver"
    with pytest.raises(DBAPIError, match="exposure_hold_named_approver"):
        regions.rows(
            "update exposure_hold set lifted_by = 'x', lifted_at = now(), reason = 'x' where batch_id = %s "
            "returning tenant", batch.id,
        )  # fmt: skip
    regions.do(lambda k: lift_hold(k, batch, "紧急", "chief", OVER))
    assert regions.release(batch).state == "released"
    assert regions.do(lambda k: exposure(k, a, b)) == Money(10_001)
    actions = regions.rows(
        "select action from audit_entry where tenant = %s and action like 'exposure.%%' order by seq", a
    )
    assert [action for (action,) in actions] == ["exposure.held", "exposure.lifted"]


def test_exactly_at_the_limit_a_batch_goes_through_and_settling_frees_the_limit(regions: Regions) -> None:
    a, b, _ = regions.tenants
    regions.agreed(a, b, exposure_limit=Money(10_000), exposure_approver="chief")
    for tenant in (a, b):
        regions.bench(tenant).set_account()
    assert regions.owe(a, b, "100.00").state == "released"
    assert regions.owe(a, b, "0.01").state == "sealed"
    cycle = regions.close()
    regions.confirm(cycle, a, "-100.00")
    regions.confirm(cycle, b, "100.00")
    assert regions.owe(a, b, "0.02").state == "sealed"
    regions.do(lambda k: cycle_steps.settle(k, cycle.id, regions.tenants, OFFICE, OPERATOR, OVER))
    assert regions.owe(a, b, "0.03").state == "released"
