"""The story's chapter about orders between regions: paid in and out through banks, refused, returned, carried on."""

import json
from base64 import urlsafe_b64decode
from collections import deque
from dataclasses import replace
from datetime import date
from typing import Any

from settlement.bank.simulator import Payment
from settlement.bank.simulator.answers import Entry, camt053, entries_of, pain002
from tenants.kernel.money import Money

Body = dict[str, Any]
DAY = date(2024, 11, 20)


def settle_by_bank(story: Any, window: str) -> None:
    """Wujiang has no bank connected, so that its file goes by hand; the settlement agent's does."""
    _pay(story, _by_hand(story, _order(story, window, "pay_in")))
    _pay(story, _through_the_agent(story, _order(story, window, "pay_out")))
    assert _state(story, window) == "settled"


def carry_on(story: Any, window: str, at: str) -> None:
    """The pay-in is refused and, by a remedy of two people, cancelled: it is owed again in the next window."""
    order, payment = _by_hand(story, _order(story, window, "pay_in"))
    refused = pain002(payment.message_id, [replace(payment, state="rejected")])
    _hand_in(story, order, refused)
    story.move(at)
    _remedy(story, order, "replace", "refuse")
    _remedy(story, order, "cancel", "approve", "operator")
    assert _state(story, window) == "settled"


def order_anew(story: Any, window: str) -> None:
    """The pay-in is paid and comes back, the agent's bank refuses the pay-out: both are ordered anew, and paid."""
    order, payment = _by_hand(story, _order(story, window, "pay_in"))
    _hand_in(story, order, _statement(order, replace(payment, state="returned")))
    _remedy(story, order, "replace", "approve")
    _pay(story, _by_hand(story, _order(story, window, "pay_in")))
    pay_out = _order(story, window, "pay_out")
    story.books.script = deque(["refuse"])
    story.call("releaser", "POST", f"{_path(pay_out)}/sending")
    story.jobs()
    shown = story.call("maker", "GET", _path(pay_out)).get_json()
    assert (shown["state"], shown["sending"]["state"]) == ("rejected", "rejected")
    _remedy(story, pay_out, "replace", "approve", "releaser")
    _pay(story, _through_the_agent(story, _order(story, window, "pay_out")))
    assert _state(story, window) == "settled"


def pay_in_by_hand(story: Any, batch: Body) -> None:
    """Wujiang has no bank connected: the batch that the agent pays waits until the operator says that it is paid in."""
    path = f"/v1/tenants/wujiang/batches/{batch['id']}"
    assert story.call("releaser", "GET", path).get_json()["pay_in"]["state"] == "waiting"
    assert story.call("releaser", "POST", f"{path}/sending", ok=409).get_json()["code"] == "batch.not_paid_in"
    assert story.call("maker", "GET", f"{path}/files/pain.001.xml", ok=409).get_json()["code"] == "batch.not_paid_in"
    said = {"reason": "到账回单 0001"}
    assert story.call("operator", "POST", f"{path}/pay-in/confirmation", said).get_json()["state"] == "paid_in"
    assert story.call("releaser", "POST", f"{path}/sending").status_code == 202
    story.jobs()


def pay_short(story: Any, window: str, home: Body) -> None:
    """A hundred yuan less arrive than were ordered: both regions' people say so, and the hundred is carried."""
    order, payment = _by_hand(story, _order(story, window, "payment"))
    less = replace(payment, amount=payment.amount - Money.parse("100.00"))
    line = _hand_in(story, order, _statement(order, less))
    _explain(story, "wujiang", line, "assign", "refuse", order_id=order["id"], charge="100.00", ok=409)
    _explain(story, "wujiang", line, "carry", "refuse", "operator", order_id=order["id"])
    _explain(story, "wujiang", line, "carry", "approve", "operator", order_id=order["id"])
    assert _state(story, window) == "settled"
    standing = _order(story, window, "payment")
    assert (standing["state"], standing["amount"]) == ("paid", str(less.amount))
    line = _arrived(story, order, less, home)
    _explain(story, "jiashan", line, "assign", "approve", order_id=standing["id"])
    assert _order(story, window, "payment")["state"] == "received"


def pay_with_charges(story: Any, window: str, home: Body) -> None:
    """The bank takes its charges on top; the receiver's own bank tells that the whole arrived."""
    order, payment = _by_hand(story, _order(story, window, "payment"))
    more = replace(payment, amount=payment.amount + Money.parse("0.35"))
    line = _hand_in(story, order, _statement(order, more))
    _explain(story, "wujiang", line, "assign", "approve", order_id=order["id"], charge="0.35")
    assert _state(story, window) == "settled"
    _arrived(story, order, payment, home)
    assert _order(story, window, "payment")["state"] == "received"


def _arrived(story: Any, order: Body, payment: Payment, home: Body) -> Body:
    """Jiashan's bank tells of it, at a batch of Jiashan's."""
    said = _said(order)["creditor"]["account_number"]
    content = camt053(said, [Entry(payment, is_credit=True, bank_reference=f"J{payment.end_to_end_id[-8:]}")], DAY)
    answer = story.app.test_client().post(
        f"/v1/tenants/jiashan/batches/{home['id']}/statements",
        data=content,
        headers={"Authorization": f"Bearer {story.tokens['maker']}"},
    )
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return {"statement_id": answer.get_json()["id"], "line": 1}


def _explain(
    story: Any, tenant: str, line: Body, kind: str, outcome: str, who: str = "releaser", ok: int = 0, **named: Any
) -> None:
    path = f"/v1/tenants/{tenant}/suspense/resolutions"
    body = {"kind": kind, "lines": [line], "reason": "已与银行核对", **named}
    made = story.call("maker", "POST", path, body, ok=ok).get_json()
    if not ok:
        decision = {"outcome": outcome, "reason": "已核实"}
        assert story.call(who, "POST", f"{path}/{made['id']}/decision", decision).get_json()["decision"] == outcome


def _order(story: Any, window: str, kind: str) -> Body:
    """The window's order of the kind that stands."""
    items = story.call("releaser", "GET", f"{window}/orders").get_json()["items"]
    [found] = [each for each in items if each["kind"] == kind and each["state"] not in {"replaced", "cancelled"}]
    return dict(found)


def _by_hand(story: Any, order: Body) -> tuple[Body, Payment]:
    """The order's file downloaded, taken to the bank, and paid."""
    content = story.call("maker", "GET", f"{_path(order)}/file").get_data()
    message = f"CO-{order['end_to_end_id']}"
    story.books.receive(message, content)
    return order, _paid(story, order)


def _through_the_agent(story: Any, order: Body) -> tuple[Body, Payment]:
    sent = story.call("releaser", "POST", f"{_path(order)}/sending").get_json()
    assert sent["message_id"] == f"CO-{order['end_to_end_id']}"
    story.jobs()
    return order, _paid(story, order)


def _paid(story: Any, order: Body) -> Payment:
    story.books.execute()
    made: list[Payment] = story.books.payments
    [payment] = [each for each in made if each.end_to_end_id == order["end_to_end_id"]]
    return payment


def _pay(story: Any, told: tuple[Body, Payment]) -> None:
    order, payment = told
    _hand_in(story, order, _statement(order, payment))
    assert story.call("maker", "GET", _path(order)).get_json()["state"] == "paid"


def _statement(order: Body, payment: Payment) -> bytes:
    return camt053(_said(order)["debtor"]["account_number"], entries_of([payment]), DAY)


def _said(order: Body) -> Body:
    payload = order["jws"].split(".")[1]
    return dict(json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))


def _hand_in(story: Any, order: Body, content: bytes) -> Body:
    answer = story.app.test_client().post(
        f"{_path(order)}/statements", data=content, headers={"Authorization": f"Bearer {story.tokens['maker']}"}
    )
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return {"statement_id": answer.get_json()["id"], "line": 1}


def _remedy(story: Any, order: Body, kind: str, outcome: str, who: str = "releaser") -> None:
    path = f"{_path(order)}/remedies"
    made = story.call("maker", "POST", path, {"kind": kind, "reason": "账户已变更"}).get_json()
    body = {"outcome": outcome, "reason": "已核实"}
    assert story.call(who, "POST", f"{path}/{made['id']}/decision", body).get_json()["outcome"] == outcome


def _state(story: Any, window: str) -> str:
    return str(story.call("maker", "GET", window).get_json()["state"])


def _path(order: Body) -> str:
    return f"/v1/tenants/{order['tenant']}/clearing-orders/{order['id']}"
