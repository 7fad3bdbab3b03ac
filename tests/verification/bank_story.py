"""The story's chapter about the bank: what arrived, what came back, what was issued again, what was asked back."""

from dataclasses import replace
from datetime import date
from typing import Any

from settlement.bank.simulator.answers import camt053, camt054, entries_of, pain002
from settlement.payouts.payout_account import debtor_account
from tenants.kernel.money import Money
from tests.verification.upheld_story import give_up

Body = dict[str, Any]


def hear_from_the_bank(story: Any, jiangsu: Body, shanxi: Body) -> None:
    """Jiangsu's payments arrive, one comes back, one differs, a stranger's is there too; Shanxi's are refused."""
    paid = story.books.execute()
    matched = {
        (claim["payee"]["account_name"], claim["assessment"]["award"])
        for claim in story.in_state("jiangsu", "instructed")
        if not _unmatched(claim)
    }
    payments = [each for each in paid if each.message_id == jiangsu["batch_no"]]
    first, second, *others = sorted(payments, key=lambda each: (each.name, str(each.amount)) not in matched)
    stray = replace(first, end_to_end_id="A" * 26, amount=Money(777))
    wrong = replace(second, amount=second.amount + Money(1))
    day, account = date(2024, 10, 11), _account(story, "jiangsu")
    notified = entries_of([replace(first, state="returned"), wrong, *others[:2]])
    _hand_in(story, "jiangsu", jiangsu, camt054(account, notified, day))
    story.move("2024-10-11T11:00:00+08:00")
    _hand_in(story, "jiangsu", jiangsu, camt053(account, [*notified, *entries_of([*others[2:], stray])], day))
    _hand_in(story, "shanxi-hainan", shanxi, pain002(shanxi["batch_no"], [], "RJCT"))
    story.move("2024-10-11T12:00:00+08:00")
    _explain(story, second.amount)
    story.answered = [jiangsu, shanxi]


def _explain(story: Any, ordered: Money) -> None:
    """The payment of another amount is assigned, its surplus comes back; a stranger's is none of ours."""
    path = "/v1/tenants/jiangsu/suspense"
    wrong, stray = story.call("maker", "GET", path).get_json()["items"]
    where = {"statement_id": wrong["statement_id"], "line": wrong["line"]}
    one = {"kind": "assign", "lines": [where | {"amount": str(ordered)}], "instruction_id": wrong["instruction_id"]}
    other = {"kind": "unrelated", "lines": [{"statement_id": stray["statement_id"], "line": stray["line"]}]}
    for body, outcome in ((one, "refuse"), (one, "approve"), (other, "approve")):
        made = story.call("maker", "POST", f"{path}/resolutions", body | {"reason": "已与开户行核对"}).get_json()
        decision = {"outcome": outcome, "reason": "已核"}
        story.call("releaser", "POST", f"{path}/resolutions/{made['id']}/decision", decision)
    body = {"kind": "unrelated", "lines": [where], "reason": "开户行手续费"}
    story.call("maker", "POST", f"{path}/resolutions", body)


def close_what_was_paid(story: Any) -> None:
    """The batches of which the banks have told everything are closed, each with its statement."""
    for batch in story.answered:
        closed = story.step("maker", batch["tenant"], batch, "close")
        assert closed["state"] == "closed"


def issue_again(story: Any) -> None:
    """What came back gets another account, one that is refused and one that is approved, and is owed again."""
    matched = [claim for claim in story.in_state("jiangsu", "paid") if not _unmatched(claim)]
    by_tenant = [claim for claim in matched if claim["assessment"]["matching"]["linked_region"] == "320509"]
    paid = [next(claim for claim in matched if claim not in by_tenant), by_tenant[0]]
    for claim, part in zip(paid, (0, 100), strict=True):
        whole = Money.parse(claim["assessment"]["award"])
        path = f"/v1/claims/{claim['id']}/clawbacks"
        body = {"amount": str(whole - Money(part)), "reason": "虚假材料", "sanction_until": "2027-10-22"}
        asked = story.call("reviewer of authority", "POST", path, body).get_json()
        for reference in ("收回一", "收回二"):
            came = {"amount": "1.50", "bank_reference": reference}
            story.call("maker", "POST", f"{path}/{asked['id']}/recoveries", came)
    backs = [*story.in_state("jiangsu", "returned"), *story.in_state("shanxi-hainan", "returned")]
    assert [back["tenant"] for back in backs] == ["jiangsu", "shanxi-hainan"]
    for back in backs:
        _correct(story, back, "6222000099990001", "refuse")
        _correct(story, back, "6222000099990002", "approve")
    story.move("2024-10-26T09:00:00+08:00")
    for back in backs:
        story.call("maker", "POST", f"/v1/claims/{back['id']}/reissue")
    close_what_was_paid(story)
    story.again = story.cut("jiangsu", "provincial", kind="reissue")
    story.step("maker", "jiangsu", story.again, "publish")
    give_up(story, backs[1], _correct)


def _unmatched(claim: Body) -> bool:
    """Whether no linked region adds to the award."""
    return str(claim["assessment"]["matching"]["amount"]) == "0.00"


def close_months(story: Any) -> None:
    """Jiangsu's finance closes the year's last months."""
    for month in ("2024-11", "2024-12"):
        made = story.call("maker", "POST", f"/v1/tenants/jiangsu/months/{month}/close").get_json()
        assert made["state"] == "closed"


def _correct(story: Any, back: Body, number: str, outcome: str) -> None:
    name = back["enterprise"]["name"]
    payee = {"account_name": name, "account_number": number, "bank_name": "工商银行", "cnaps": "102301000017"}
    path = f"/v1/claims/{back['id']}/payee-corrections"
    made = story.call("maker", "POST", path, {"payee": payee, "reason": "账号有误"}).get_json()
    body = {"outcome": outcome, "reason": "已电话核实"}
    story.call("releaser", "POST", f"{path}/{made['id']}/decision", body)


def _account(story: Any, tenant: str) -> str:
    """The number of the account that the tenant pays from."""
    office = story.service.office
    return str(story.do(lambda work: debtor_account(work.connection, tenant, office).account_number))


def _hand_in(story: Any, tenant: str, batch: Body, content: bytes) -> None:
    """A bank's answer."""
    answer = story.app.test_client().post(
        f"/v1/tenants/{tenant}/batches/{batch['id']}/statements",
        data=content,
        headers={"Authorization": f"Bearer {story.tokens['maker']}"},
    )
    assert answer.status_code == 201, answer.get_data(as_text=True)
