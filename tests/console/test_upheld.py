"""An objection that is right, in the console: one person proposes what becomes of the item, another decides."""

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

import pytest

from settlement import ledger
from settlement.batches.obligation import Obligation, open_obligations
from settlement.payouts.instruction import Account
from tenants.kernel.database import Work
from tenants.kernel.ids import new_id
from tenants.kernel.money import Money
from tests.console.world import Visitor, World, own_world, plain

PLACE = "/console/held/jiangsu"
NUMBER = "RW-JS-2024-9001"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A world of our own: nobody granted the reward that is owed there."""
    with own_world() as made:
        yield made


def owed(world: World) -> UUID:
    """A reward of 60.00 that nothing but the console's test looks at."""
    payee = Account("测试大学", "6222000011112222", "测试银行", "102301000017")
    made = Obligation(
        new_id(), NUMBER, "jssic", "provincial", "cross_redemption", 2024, "测试大学", "测试大学",
        "12100000400000624D", "测试大学", payee, bytes(32), Money(6_000), kind="incentive",
    )  # fmt: skip

    def hand_over(work: Work) -> None:
        sides = ledger.budget_account("provincial", 2024), ledger.obligations_account("provincial", 2024)
        ledger.append_ready(
            work.connection, "jiangsu", [ledger.posted(*sides, made.amount, "incentive", made.claim_id)], work.at
        )
        open_obligations(work.connection, "jiangsu", [replace(made)], world.service.vault.sealer, work.at)

    world.story.do(hand_over)
    return made.claim_id


def on_hold(world: World, reviewer: Visitor) -> UUID:
    item = owed(world)
    batch = world.story.cut("jiangsu", "provincial", "cross_redemption", kind="incentive")
    world.story.step("maker", "jiangsu", batch, "publish")
    form = {"batch_no": str(batch["batch_no"]), "claim_no": NUMBER, "reason": "不属实"}
    assert reviewer.send(PLACE, f"{PLACE}/objections", **form).status_code == 303
    return item


def test_one_proposes_another_decides_and_each_sees_what_to_do_next(world: World) -> None:
    reviewer, second = world.visitor("authority-approver"), world.visitor("second-reviewer")
    item = on_hold(world, reviewer)
    place = f"{PLACE}/{item}/upholding"
    wrong = reviewer.send(PLACE, place, outcome="lowered", keeps="60.00", reason="部分属实")
    assert wrong.status_code == 422
    assert "低于 60.00" in plain(wrong.get_data(as_text=True))
    done = reviewer.send(PLACE, place, outcome="lowered", keeps="20.00", reason="部分属实")
    assert done.headers["Location"].endswith("?done=upholding-proposed")
    waiting = plain(second.see(PLACE))
    assert "核减后拨付 · 仍拨付（元） 20.00" in waiting
    assert "可以拨付，进入下一批次" not in waiting
    own = reviewer.send(PLACE, f"{place}/decision", outcome="approve")
    assert own.status_code == 403
    refused = second.send(PLACE, f"{place}/decision", outcome="refuse")
    assert refused.status_code == 422
    refused = second.send(PLACE, f"{place}/decision", outcome="refuse", reason="证据不足")
    assert refused.headers["Location"].endswith("?done=upholding-refuse")
    assert "可以拨付，进入下一批次" in plain(reviewer.see(PLACE))
    reviewer.send(PLACE, place, outcome="withdrawn", reason="已补充证据")
    approved = second.send(PLACE, f"{place}/decision", outcome="approve")
    assert approved.headers["Location"].endswith("?done=upholding-approve")
    assert NUMBER not in plain(second.see(PLACE))
