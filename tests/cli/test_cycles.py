"""``clearing cycle`` and ``clearing agreement``: windows closed, their orders sent, paid, remedied, by commands."""

import json
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from settlement.bank.simulator.answers import pain002
from tenants.kernel.money import Money
from tests.cli.commands import command
from tests.cli.regions import PAYER, RECEIVER, Regions
from tests.cli.shell import refused

UNKNOWN = str(uuid4())


def closed(regions: Regions) -> str:
    """The id of a window of one debt, closed."""
    window = regions.owe()
    made = json.loads(command(regions.story, "cycle", "close", window, "--person", "运营-赵"))
    assert made["state"] == "closed"
    return window


def ordered(regions: Regions) -> str:
    """The id of a window whose orders are made."""
    window = closed(regions)
    regions.confirm(window)
    return window


def file(folder: Path, content: bytes) -> str:
    path = folder / f"{uuid4()}.xml"
    path.write_bytes(content)
    return str(path)


def test_a_window_is_closed_by_a_command_and_the_next_one_opens(regions: Regions) -> None:
    window = regions.owe()
    made = json.loads(command(regions.story, "cycle", "close", window, "--person", "运营-赵"))
    assert (made["id"], made["state"], made["closed_by"]) == (window, "closed", "运营-赵")
    stored = regions.rows("select state, closed_by from clearing_cycle where id = %s", window)
    assert [tuple(row) for row in stored] == [("closed", "运营-赵")]
    told = regions.rows(
        "select tenant from audit_entry where subject_id = %s and action = 'cycle.closed' order by tenant", window
    )
    assert {PAYER, RECEIVER} <= {row.tenant for row in told}
    listed = json.loads(command(regions.story, "cycle", "list", "--set", "delta", "--json"))["items"]
    assert [each["state"] for each in listed[:2]] == ["open", "closed"]
    assert listed == regions.get("/v1/clearing/cycles?agreement_set=delta&limit=500")["items"]
    again = json.loads(command(regions.story, "cycle", "close", window, "--person", "运营-赵"))
    assert again == made, "the same step again changes nothing"
    assert "已关闭" in refused(regions.story, "cycle", "close", window, "--person", "别人")
    assert "没有这个清算周期" in refused(regions.story, "cycle", "close", UNKNOWN, "--person", "运营-赵")


def test_the_windows_are_listed_for_people_and_by_their_set(regions: Regions) -> None:
    window = regions.get("/v1/clearing/cycles?state=open")["items"][0]
    shown = command(regions.story, "cycle", "list")
    assert window["cycle"] in shown
    assert window["id"] in shown
    assert json.loads(command(regions.story, "cycle", "list", "--json"))["items"][0]["id"] == window["id"]
    assert "none" in command(regions.story, "cycle", "list", "--set", "nobodys")


def test_more_windows_and_agreements_than_a_page_are_listed_to_the_last(
    regions: Regions, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed(regions)
    monkeypatch.setattr("clearing.cli.pages.PAGE", 1)
    items = json.loads(command(regions.story, "cycle", "list", "--json"))["items"]
    assert items == regions.get("/v1/clearing/cycles?limit=500")["items"]
    assert len(items) > 1
    body = {"counterparty": "qingpu", "form": "direct", "effective_on": f"{regions.today}", "document": "协〔2024〕5号"}
    regions.story.call("administrator", "PUT", f"/v1/tenants/{PAYER}/agreements", body)
    items = json.loads(command(regions.story, "agreement", "list", "--tenant", PAYER, "--json"))["items"]
    assert items == regions.get(f"/v1/tenants/{PAYER}/agreements?limit=500", "administrator")["items"]
    assert {each["state"] for each in items} == {"approved", "proposed"}


def test_an_agreement_is_listed_by_both_its_sides(regions: Regions) -> None:
    [made] = regions.get(f"/v1/tenants/{PAYER}/agreements?state=approved", "administrator")["items"]
    for side in (PAYER, RECEIVER):
        listed = json.loads(command(regions.story, "agreement", "list", "--tenant", side, "--json"))["items"]
        assert made["id"] in {each["id"] for each in listed}
    shown = command(regions.story, "agreement", "list", "--tenant", RECEIVER)
    assert made["id"] in shown
    assert "home_region" in shown
    assert "none" in command(regions.story, "agreement", "list", "--tenant", "shanxi-hainan")
    assert "没有区域 atlantis" in refused(regions.story, "agreement", "list", "--tenant", "atlantis")


def test_the_positions_are_those_of_the_interface_while_it_is_open_and_once_it_is_closed(regions: Regions) -> None:
    window = regions.owe()
    path = f"/v1/clearing/cycles/{window}/positions"
    running = json.loads(command(regions.story, "cycle", "positions", window, "--json"))
    assert (running["state"], len(running["matrix"])) == ("open", 1)
    assert {name: running[name] for name in ("positions", "matrix")} == {
        name: regions.get(path)[name] for name in ("positions", "matrix")
    }
    assert "none" not in command(regions.story, "cycle", "positions", window)
    command(regions.story, "cycle", "close", window, "--person", "运营-赵")
    fixed = json.loads(command(regions.story, "cycle", "positions", window, "--json"))
    assert fixed["state"] == "closed"
    assert fixed["matrix"] == running["matrix"]
    assert fixed["positions"] == regions.get(path)["positions"]
    [payer] = [each for each in fixed["positions"] if each["tenant"] == PAYER]
    assert payer["net"] == f"-{fixed['matrix'][0]['gross']}"
    shown = command(regions.story, "cycle", "positions", window)
    assert payer["net"] in shown
    assert "没有这个清算周期" in refused(regions.story, "cycle", "positions", UNKNOWN)


def test_orders_are_sent_and_answered_by_commands_until_the_banks_have_settled_the_window(
    regions: Regions, tmp_path: Path
) -> None:
    window = ordered(regions)
    shown = json.loads(command(regions.story, "cycle", "orders", window, "--json"))
    assert {each["kind"]: each["tenant"] for each in shown["orders"]} == {"pay_in": PAYER, "pay_out": RECEIVER}
    pay_in, pay_out = regions.order(window, "pay_in"), regions.order(window, "pay_out")
    assert pay_in["id"] in command(regions.story, "cycle", "orders", window)
    who = ("--person", "出纳-王")
    early = refused(regions.story, "cycle", "send", pay_out["id"], "--tenant", RECEIVER, *who)
    assert "缴存未到账" in early
    handed = file(tmp_path, regions.statement(pay_in, regions.paid(pay_in)))
    taken = json.loads(command(regions.story, "cycle", "import", pay_in["id"], handed, "--tenant", PAYER, *who))
    assert (taken["before"], taken["classes"]["matched"]["count"]) == (False, 1)
    assert regions.order(window, "pay_in")["state"] == "paid"
    assert regions.rows("select outcome from clearing_order_outcome where order_id = %s", pay_in["id"])[0][0] == "paid"
    again = json.loads(command(regions.story, "cycle", "import", pay_in["id"], handed, "--tenant", PAYER, *who))
    assert (again["id"], again["before"]) == (taken["id"], True)
    made = json.loads(command(regions.story, "cycle", "send", pay_out["id"], "--tenant", RECEIVER, *who))
    assert (made["state"], made["ordered_by"], made["order_id"]) == ("prepared", "出纳-王", pay_out["id"])
    regions.story.jobs()
    assert regions.order(window, "pay_out")["state"] == "accepted"
    again = json.loads(command(regions.story, "cycle", "send", pay_out["id"], "--tenant", RECEIVER, "--person", "别人"))
    assert (again["id"], again["ordered_by"], again["state"]) == (made["id"], "出纳-王", "accepted")
    regions.story.jobs()
    assert regions.story.books.arrivals.count(made["message_id"]) == 1
    by_word = refused(regions.story, "cycle", "settle", window, "--person", "运营-赵")
    assert "以银行回单为准" in by_word
    handed = file(tmp_path, regions.statement(pay_out, regions.paid(pay_out)))
    command(regions.story, "cycle", "import", pay_out["id"], handed, "--tenant", RECEIVER, *who)
    ended = regions.get(f"/v1/clearing/cycles/{window}")
    assert (ended["state"], ended["settled_by"]) == ("settled", "system")
    assert "paid" in command(regions.story, "cycle", "orders", window)
    assert "没有这个清算周期" in refused(regions.story, "cycle", "orders", UNKNOWN)


def test_an_order_is_sent_by_its_own_tenant_through_a_bank_that_there_is(regions: Regions) -> None:
    order = regions.order(ordered(regions), "pay_in")
    send = ("--person", "出纳-王")
    assert "没有配置银行通道" in refused(regions.story, "cycle", "send", order["id"], "--tenant", PAYER, *send)
    assert "没有这个清算指令" in refused(regions.story, "cycle", "send", order["id"], "--tenant", RECEIVER, *send)
    assert "没有这个清算指令" in refused(regions.story, "cycle", "send", UNKNOWN, "--tenant", PAYER, *send)
    assert "没有区域 atlantis" in refused(regions.story, "cycle", "send", order["id"], "--tenant", "atlantis", *send)
    assert regions.order(_window_of(regions, order), "pay_in")["state"] == "ordered"


def _window_of(regions: Regions, order: dict[str, str]) -> str:
    return str(regions.rows("select cycle_id from clearing_order where id = %s", order["id"])[0].cycle_id)


def test_an_answer_that_needs_an_eye_ends_with_findings_and_shows_its_lines(regions: Regions, tmp_path: Path) -> None:
    order = regions.order(ordered(regions), "pay_in")
    payment = regions.paid(order)
    less = replace(payment, amount=payment.amount - Money(1))
    handed = file(tmp_path, regions.statement(order, less))
    who = ("--tenant", PAYER, "--person", "出纳-王")
    taken = json.loads(command(regions.story, "cycle", "import", order["id"], handed, *who, ok=1))
    assert taken["classes"]["differs"]["count"] == 1
    [line] = taken["differences"]
    assert (line["class"], line["amount"]) == ("differs", str(less.amount))
    assert regions.order(_window_of(regions, order), "pay_in")["state"] != "paid"
    [waits] = regions.get(f"/v1/tenants/{PAYER}/suspense?limit=500")["items"][-1:]
    assert waits["statement_id"] == taken["id"]


def test_an_answer_that_is_none_too_large_or_another_tenants_is_refused(
    regions: Regions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = regions.order(ordered(regions), "pay_in")
    who = ("--person", "出纳-王")
    good = file(tmp_path, regions.statement(order, regions.paid(order)))
    broken = file(tmp_path, Path(good).read_bytes()[:-40])
    assert "不完整" in refused(regions.story, "cycle", "import", order["id"], broken, "--tenant", PAYER, *who)
    theirs = refused(regions.story, "cycle", "import", order["id"], good, "--tenant", RECEIVER, *who)
    assert "没有这个清算指令" in theirs
    monkeypatch.setenv("CLEARING_STATEMENT_MIB", "1")
    large = file(tmp_path, b" " * (2**20 + 1))
    assert "超过 1 MiB" in refused(regions.story, "cycle", "import", order["id"], large, "--tenant", PAYER, *who)


def rejected(regions: Regions, folder: Path) -> dict[str, str]:
    """A pay-in that the bank refused."""
    window = ordered(regions)
    order = regions.order(window, "pay_in")
    payment = replace(regions.paid(order), state="rejected")
    told = file(folder, pain002(payment.message_id, [payment]))
    who = ("--tenant", PAYER, "--person", "出纳-王")
    command(regions.story, "cycle", "import", order["id"], told, *who)
    assert regions.order(window, "pay_in")["state"] == "rejected"
    return {**order, "window": window}


def test_an_order_that_was_refused_is_ordered_anew_by_two_people(regions: Regions, tmp_path: Path) -> None:
    order = rejected(regions, tmp_path)
    mine = ("--tenant", PAYER)
    because = ("--reason", "账户已变更", "--person", "出纳-王")
    made = json.loads(command(regions.story, "cycle", "remedy", order["id"], *mine, "--kind", "replace", *because))
    assert (made["came_back"], made["kind"], made["proposed_by"]) == ("rejected", "replace", "出纳-王")
    assert made["outcome"] is None
    yes, no = ("--outcome", "approve"), ("--outcome", "refuse")
    own = refused(regions.story, "cycle", "decide", made["id"], *mine, *yes, "--person", "出纳-王")
    assert "须由另一人复核" in own
    silent = refused(regions.story, "cycle", "decide", made["id"], *mine, *no, "--person", "运营-赵")
    assert "须说明理由" in silent
    why = ("--reason", "先查账户", "--person", "运营-赵")
    said = json.loads(command(regions.story, "cycle", "decide", made["id"], *mine, *no, *why))
    assert (said["outcome"], said["decision_reason"]) == ("refuse", "先查账户")
    assert regions.order(order["window"], "pay_in")["id"] == order["id"]
    late = refused(regions.story, "cycle", "decide", made["id"], *mine, *yes, "--person", "别人")
    assert "已有决定" in late
    made = json.loads(command(regions.story, "cycle", "remedy", order["id"], *mine, "--kind", "replace", *because))
    said = json.loads(command(regions.story, "cycle", "decide", made["id"], *mine, *yes, "--person", "运营-赵"))
    again = json.loads(command(regions.story, "cycle", "decide", made["id"], *mine, *yes, "--person", "运营-赵"))
    assert again == said
    standing = regions.order(order["window"], "pay_in")
    assert (standing["replaces"], standing["state"], standing["amount"]) == (order["id"], "ordered", order["amount"])
    shown = command(regions.story, "cycle", "orders", order["window"])
    assert "replaced" in shown
    assert standing["id"] in shown


def test_a_refused_order_that_is_cancelled_is_owed_again_in_the_next_window(regions: Regions, tmp_path: Path) -> None:
    order = rejected(regions, tmp_path)
    words = ("--tenant", PAYER, "--kind", "cancel", "--reason", "并入下期", "--person", "出纳-王")
    made = json.loads(command(regions.story, "cycle", "remedy", order["id"], *words))
    command(
        regions.story, "cycle", "decide", made["id"], "--tenant", PAYER, "--outcome", "approve", "--person", "运营-赵"
    )
    assert regions.get(f"/v1/clearing/cycles/{order['window']}")["state"] == "settled"
    window = regions.get("/v1/clearing/cycles?state=open")["items"][0]["id"]
    [owed] = json.loads(command(regions.story, "cycle", "positions", window, "--json"))["matrix"]
    assert Money.parse(owed["gross"]) >= Money.parse(order["amount"])


def test_only_what_came_back_is_remedied_and_only_with_a_reason_that_says_something(
    regions: Regions, tmp_path: Path
) -> None:
    order = rejected(regions, tmp_path)
    standing = regions.order(order["window"], "pay_out")
    words = ("--kind", "replace", "--reason", "账户已变更", "--person", "出纳-王")
    out = refused(regions.story, "cycle", "remedy", standing["id"], "--tenant", RECEIVER, *words)
    assert "没有被银行拒绝或退回" in out
    assert "没有这个清算指令" in refused(regions.story, "cycle", "remedy", UNKNOWN, "--tenant", PAYER, *words)
    assert "没有区域 atlantis" in refused(regions.story, "cycle", "remedy", order["id"], "--tenant", "atlantis", *words)
    yes = ("--outcome", "approve", "--person", "运营-赵")
    assert "没有这个处理方案" in refused(regions.story, "cycle", "decide", UNKNOWN, "--tenant", PAYER, *yes)
    kind = ("--tenant", PAYER, "--kind", "replace")
    for reason, person in (("", "出纳-王"), ("账户\n已变更", "出纳-王"), ("理由", " "), ("长" * 1001, "出纳-王")):
        refused(regions.story, "cycle", "remedy", order["id"], *kind, "--reason", reason, "--person", person)
    assert regions.rows("select 1 from clearing_remedy where order_id = %s", order["id"]) == []


def test_a_window_that_no_bank_pays_is_settled_by_its_operators_word(regions: Regions) -> None:
    window = closed(regions)
    early = refused(regions.story, "cycle", "settle", window, "--person", "运营-赵")
    assert "已关闭" in early
    regions.connect(agent=False)
    try:
        regions.confirm(window)
        no_way = ("--tenant", RECEIVER, "--person", "出纳-王")
        order = regions.order(window, "pay_out")
        assert "没有配置银行通道" in refused(regions.story, "cycle", "send", order["id"], *no_way)
        made = json.loads(command(regions.story, "cycle", "settle", window, "--person", "运营-赵"))
        again = json.loads(command(regions.story, "cycle", "settle", window, "--person", "运营-赵"))
        assert again == made
        assert "已结清" in refused(regions.story, "cycle", "settle", window, "--person", "别人")
    finally:
        regions.connect(agent=True)
    assert (made["state"], made["settled_by"]) == ("settled", "运营-赵")
    assert regions.get(f"/v1/clearing/cycles/{window}")["settled_by"] == "运营-赵"
    assert "没有这个清算周期" in refused(regions.story, "cycle", "settle", UNKNOWN, "--person", "运营-赵")
