"""A batch at the bank in the console: the bank's answer handed in, its differences, and what came back paid again."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from settlement.bank.simulator.answers import camt053, entries_of
from settlement.payouts.payout_account import debtor_account
from tenants.kernel.clock import shanghai_day
from tenants.kernel.money import Money
from tests.console.world import Visitor, World, approved, form_token, plain
from tests.verification.story import Body


@dataclass(frozen=True)
class Paid:
    """A batch of Jiangsu's, instructed, and what the bank of the test did with its payments."""

    batch: Body
    payments: tuple[Any, ...]

    @property
    def place(self) -> str:
        return f"/console/batches/jiangsu/{self.batch['id']}/bank"


def instructed_batch(world: World, count: int = 3) -> Paid:
    """A batch of that many claims, carried to its instructions; and its payments as the bank executes them."""
    story = world.story
    approved(world, count)
    batch = story.cut("jiangsu", "provincial")
    story.step("maker", "jiangsu", batch, "publish")
    world.pass_the_notice("jiangsu", str(batch["id"]))
    story.step("maker", "jiangsu", batch, "seal")
    story.step("releaser", "jiangsu", batch, "release")
    story.jobs()
    path = f"/v1/tenants/jiangsu/batches/{batch['id']}/files/pain.001.xml"
    story.books.receive(str(batch["batch_no"]), story.call("maker", "GET", path).get_data())
    executed = [each for each in story.books.execute() if each.message_id == batch["batch_no"]]
    return Paid(batch, tuple(executed))


def answer_of(world: World, payments: Sequence[Any]) -> bytes:
    """The bank's statement of the day, which tells of these payments."""
    office = world.service.office
    account = str(world.story.do(lambda work: debtor_account(work.connection, "jiangsu", office).account_number))
    on = world.story.do(lambda work: shanghai_day(work.at))
    return camt053(account, entries_of(payments), on)


def told_by(world: World) -> tuple[Paid, bytes]:
    """One payment arrives, one comes back, one differs, and a stranger's is there too."""
    paid = instructed_batch(world)
    first, second, third = paid.payments[:3]
    stray = replace(first, end_to_end_id="A" * 26, amount=Money(777))
    wrong = replace(second, amount=second.amount + Money(1))
    return paid, answer_of(world, [first, wrong, replace(third, state="returned"), stray])


@pytest.fixture(scope="module")
def answered(world: World) -> tuple[Paid, bytes]:
    return told_by(world)


def hand_in(visitor: Visitor, paid: Paid, content: bytes, name: str = "answer.xml") -> Any:
    return visitor.send(paid.place, f"{paid.place}/statements", file=(io.BytesIO(content), name))  # type: ignore[arg-type]


WRONG_FILES = (
    b"", b"\x89PNG\r\n\x1a\n" + b"\x00" * 64, b"MZ\x90\x00", b"<html><script>alert(1)</script></html>", b"%PDF-1.7",
)  # fmt: skip


@pytest.mark.parametrize("content", WRONG_FILES)
def test_an_upload_of_the_wrong_kind_is_refused_with_words(
    world: World, answered: tuple[Paid, bytes], content: bytes
) -> None:
    answer = hand_in(world.visitor("finance-maker"), answered[0], content, "回执<b>.xml")
    assert answer.status_code == 422
    page = answer.get_data(as_text=True)
    assert 'role="alert"' in page
    assert "<script>alert" not in page


def test_the_bank_s_answer_is_a_list_of_differences(world: World, answered: tuple[Paid, bytes]) -> None:
    paid, content = answered
    visitor = world.visitor("finance-maker")
    answer = hand_in(visitor, paid, content)
    assert answer.status_code == 303, plain(answer.get_data(as_text=True))
    place, _, done = answer.headers["Location"].partition("?")
    assert done == "done=statement-imported"
    page = plain(visitor.see(place))
    assert "应为" in page
    shown = visitor.see(f"{place}?class=differs")
    assert re.search(r"共 1 条", plain(shown))
    again = hand_in(visitor, paid, content)
    assert again.headers["Location"] == f"{place}?done=statement-known"
    for query, wanted in (("", {"不符", "不认识", "退汇"}), ("?class=all", {"相符", "不符", "不认识", "退汇"})):
        text = visitor.browser.get(f"{place}/export.csv{query}").get_data().decode("utf-8-sig")
        heading, *lines, count, total = csv.reader(io.StringIO(text))
        column = heading.index("分类")
        assert {line[column] for line in lines} == wanted
        assert int(count[1]) == len(lines)
        amounts = [Money.parse(line[heading.index("金额（元）")]).fen for line in lines]
        assert Money.parse(total[1]).fen == sum(amounts)
    assert visitor.browser.get(f"{place}?class=nonsense").status_code == 422
    assert visitor.browser.get(f"{place}/export.xlsx?class=x").status_code == 422


def test_what_came_back_gets_another_account_by_two_people_and_is_owed_again(
    world: World, answered: tuple[Paid, bytes]
) -> None:
    maker, releaser = world.visitor("finance-maker"), world.visitor("finance-releaser")
    hand_in(maker, *answered)
    claim = next(each for each in world.story.in_state("jiangsu", "returned"))
    path = f"/console/claims/{claim['id']}/payee"
    assert f'href="{path}"' in maker.see(f"/console/claims/{claim['id']}")
    account = {
        "account_name": claim["enterprise"]["name"], "account_number": "6222000099990002", "bank_name": "工商银行",
        "cnaps": "102301000017", "reason": "账号有误",
    }  # fmt: skip
    unproved = maker.send(path, path, **account, password="no", code="000000")
    assert unproved.status_code == 403
    assert 'value="6222000099990002"' in unproved.get_data(as_text=True), "what was typed stays"
    assert maker.send(path, path, **account, **maker.proof()).headers["Location"] == f"{path}?done=correction-proposed"
    assert "等待另一人复核" in maker.see(path)
    found = re.search(rf'action="({path}/[0-9a-f-]{{36}}/decision)"', releaser.see(path))
    assert found is not None
    decided = releaser.send(path, found[1], outcome="approve", **releaser.proof())
    assert decided.headers["Location"] == f"{path}?done=correction-approve"
    assert "重新列入应付</button>" not in maker.see(path), "it cools off first"
    after = world.story.do(lambda work: work.at) + timedelta(days=20)
    world.story.move(after.isoformat())
    answer = maker.send(path, f"{path}/reissue")
    assert answer.headers["Location"] == f"{path}?done=reissued", plain(answer.get_data(as_text=True))


def test_a_region_without_a_bank_connection_is_told_what_to_do(world: World, answered: tuple[Paid, bytes]) -> None:
    paid = answered[0]
    visitor = world.visitor("finance-releaser")
    assert "没有银行通道" in visitor.see(paid.place)
    token = {"form_token": re.findall(r'name="form_token" value="([^"]+)"', visitor.see(paid.place))[0]}
    assert visitor.browser.post(f"{paid.place}/sending", data=token).status_code == 409


def test_the_demonstrations_bank_pays_what_was_ordered_and_only_once_there_are_orders(world: World) -> None:
    paid = instructed_batch(world, 2)
    maker, auditor = world.visitor("finance-maker"), world.visitor("auditor")
    answer = f"{paid.place}/demonstration/answer"
    told = maker.browser.get(f"{answer}.xml")
    assert told.status_code == 200
    assert told.get_data().count(b"<EndToEndId>") == 2
    assert auditor.browser.post(answer, data={"form_token": form_token(auditor.see("/console"))}).status_code == 403
    assert "演示银行付款并导入回单" not in auditor.see(paid.place)
    assert maker.send(paid.place, answer).status_code == 303
    assert "已结算" in maker.see(paid.place)
    assert "演示银行付款并导入回单" not in maker.see(paid.place), "it paid"
    open_batch = world.story.cut("jiangsu", "provincial")
    place = f"/console/batches/jiangsu/{open_batch['id']}/bank"
    token = form_token(maker.see(place))
    assert maker.browser.post(f"{place}/demonstration/answer", data={"form_token": token}).status_code == 404
