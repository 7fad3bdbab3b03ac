"""Each platform's whole flow, from its screens through the service and back, by simulators over real sockets."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import date, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from connectors.form_writing import write_form
from connectors.simulators import WorksheetOffice
from connectors.simulators.conduct import Conduct
from connectors.worksheet.claims import CLAIMS
from tenants.kernel.clock import FixedClock
from tenants.kernel.money import ZERO, Money
from tests.connectors.forms import filled
from tests.intake.bodies import SHANXI, WUJIANG, Body, Programme, claim
from tests.scenarios.platforms import (
    LOCAL,
    ON,
    PEOPLE,
    PILOTS,
    Office,
    Screen,
    claim_of,
    commitment_steps,
    delta_steps,
    every_platform,
    hainan_steps,
    host_steps,
    is_told,
    jssic_steps,
    offline_steps,
    order_form,
    pilot_steps,
    shanxi_steps,
    status_becomes,
    valley_steps,
    voucher_asked,
    voucher_confirmed,
    voucher_steps,
    window_steps,
)
from tests.service.running import RunningService, running, until

SUMMER = "2024-06-30T17:05:00+08:00"
"""Just after the first of Shanxi's two cut-offs (S4 四（四）)."""
FIRST_PUBLIC_UNTIL, COOLED_OFF, AGAIN_PUBLIC_UNTIL = (
    "2024-07-09T09:00:00+08:00", "2024-07-15T09:00:00+08:00", "2024-07-17T09:00:00+08:00",
)  # fmt: skip
BEGINS = "2024-09-27T09:00:00+08:00"
PUBLIC_UNTIL = "2024-10-11T09:00:00+08:00"
_NUMBERS = count(1)


@pytest.fixture(scope="module")
def world() -> Iterator[RunningService]:
    folder = Path(tempfile.mkdtemp(prefix="simulated-"))
    quick = {"CLEARING_WEBHOOK_WAIT_MS": "100"}
    with running(folder / "data", "--demo-clock", SUMMER, environment=quick) as started:
        yield started
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def office(world: RunningService) -> Office:
    staff = {role: world.staff(f"{role}-某", *scopes) for role, scopes in PEOPLE.items()}
    return Office(staff, FixedClock(datetime.fromisoformat(SUMMER)))


@pytest.fixture(scope="module")
def opened(world: RunningService, office: Office) -> Iterator[dict[str, Screen]]:
    with every_platform(world, office.clock) as screens:
        yield screens


@pytest.fixture(scope="module")
def summer(opened: dict[str, Screen], office: Office) -> dict[str, str]:
    """Shanxi's first window, to the money and back: one claim before the cut-off, and one just behind it.

    The bank gives the payment back, and pays it again to another account.
    """
    screen, on = opened["shanxi-inno"], date(2024, 6, 29)
    sides = [window_steps(screen, f"2024-06-30T{at}+08:00", on) for at in ("17:00:00", "17:00:01")]
    assert [one["status"] for one in sides] == ["审核中", "审核中"], sides
    first, second = (f"applications/{one['number']}" for one in sides)
    platform, shanxi = screen.simulator.platform, "shanxi-hainan"
    for side in sides:
        office.approve(platform, side["number"])
    batch = office.publish(shanxi)
    assert office.holds(batch) == {sides[0]["claim_no"]}, "what was applied for since the cut-off waits"
    office.move(FIRST_PUBLIC_UNTIL)
    office.release(batch)
    office.bank_pays(batch, "returned")
    assert is_told(screen, first, "payout.paid", "payout.returned")["status"] == "待兑付"
    office.owe_again(claim_of(screen, first), COOLED_OFF)
    again = office.publish(shanxi, kind="reissue")
    office.move(AGAIN_PUBLIC_UNTIL)
    office.release(again)
    office.bank_pays(again)
    shown = is_told(screen, first, "payout.reissued", "payout.paid")
    assert (shown["status"], shown["state"]) == ("已兑付", "paid")
    assert screen.shows(second)["status"] == "待兑付"
    office.move(BEGINS)
    return {"first": first, "second": second, "batch": again}


@pytest.fixture(scope="module")
def screens(opened: dict[str, Screen], summer: dict[str, str]) -> dict[str, Screen]:
    """Every platform, once the summer is over."""
    assert summer
    return opened


def test_jiangsus_online_order_goes_from_ordering_to_review(screens: dict[str, Screen], office: Office) -> None:
    screen = screens["jssic"]
    form = order_form()
    materials = {name: form.pop(name) for name in ("合同", "服务完成证明", "银行回单", "发票", "研发活动证明", "声明")}
    number = screen.post("orders", form)["number"]
    assert screen.shows(f"orders/{number}")["status"] == "待接单"
    assert screen.post(f"orders/{number}/redeem", materials, expect=(409,))["error"].endswith("待接单")
    assert screen.post(f"orders/{number}/accept")["status"] == "服务中"
    reports = materials.pop("服务完成证明")
    asked = screen.post(f"orders/{number}/redeem", materials)
    assert asked["status"] == "待补正", asked
    assert asked["reasons"]
    again = screen.post(f"orders/{number}/redeem", {"服务完成证明": reports})
    assert (again["status"], again["award"]) == ("审核中", "2500.00")
    office.approve(screen.simulator.platform, number)
    shown = status_becomes(screen, f"orders/{number}", "待兑付", "approved")
    assert shown["told"] == ["claim.needs_correction", "claim.in_review", "claim.approved"]


def test_jiangsus_order_under_commitment_waits_for_its_provider(screens: dict[str, Screen]) -> None:
    screen = screens["jssic"]
    number = screen.post("orders", order_form("服务承诺制"))["number"]
    screen.post(f"orders/{number}/accept")
    assert screen.post(f"orders/{number}/redeem")["status"] == "已提交待确认"
    assert screen.simulator.platform.find(number) is None
    assert screen.post(f"orders/{number}/confirm")["status"] == "审核中"
    assert screen.simulator.platform.find(number) is not None


def test_deltas_voucher_is_reserved_confirmed_and_handed_in(screens: dict[str, Screen], office: Office) -> None:
    screen = screens["delta"]
    form, intended = voucher_asked(screen, WUJIANG)
    refused = screen.post("claims", form | {"意向编号": intended["number"]}, expect=(409,))
    assert refused["error"].endswith("额度未确认")
    voucher_confirmed(screen, office, intended)
    asked = screen.post("claims", form | {"意向编号": intended["number"]})
    assert (asked["status"], asked["award"]) == ("审核中", "3000.00"), asked


def test_shanxis_claim_is_bound_by_its_provider_and_a_host_applies_for_its_team(
    screens: dict[str, Screen], office: Office
) -> None:
    screen, body = screens["shanxi-inno"], claim(SHANXI, on=ON)
    body["provider"]["division"] = "460106"  # a Hainan provider
    form = filled("shanxi-inno", body)
    for name in ("绑定", "申请编号"):
        del form[name]
    number = screen.post("applications", form)["number"]
    assert screen.post(f"applications/{number}/apply", expect=(409,))["error"].endswith("待服务机构确认")
    assert screen.post(f"applications/{number}/bind")["status"] == "已绑定"
    assert screen.post(f"applications/{number}/apply")["status"] == "审核中"
    office.approve(screen.simulator.platform, number)
    status_becomes(screen, f"applications/{number}", "待兑付")
    team = screen.post("applications", filled("shanxi-inno", claim(SHANXI, on=ON)) | {"团队名称": "镁合金团队"})
    screen.post(f"applications/{team['number']}/bind")
    wrong = screen.post(f"applications/{team['number']}/apply")
    assert (wrong["status"], wrong["problem"]["errors"][0]["pointer"]) == ("填报有误", "/团队名称")
    assert screen.post(f"applications/{team['number']}/apply", {"申请主体类别": "平台企业代团队"})["status"] == "审核中"


def test_shanxis_claim_behind_the_first_cut_off_waits_for_the_second_batch(
    screens: dict[str, Screen], summer: dict[str, str]
) -> None:
    screen = screens["shanxi-inno"]
    told = screen.shows(summer["first"])["told"]
    assert [one for one in told if one.startswith("payout.")] == [
        "payout.paid", "payout.returned", "payout.reissued", "payout.paid",
    ]  # fmt: skip
    assert (screen.shows(summer["second"])["status"], screen.shows(summer["second"])["told"][-1]) == (
        "待兑付",
        "claim.approved",
    )


@pytest.mark.parametrize("programme", PILOTS, ids=LOCAL)
def test_what_a_local_platform_paid_is_refused_on_the_delta_platform(
    screens: dict[str, Screen], programme: Programme
) -> None:
    body, local = claim(programme, on=ON), screens[f"{programme.tenant}-local"]
    paid = {
        "兑付编号": f"LOCAL-{next(_NUMBERS)}",
        "企业统一社会信用代码": body["enterprise"]["uscc"],
        "兑付日期": "2024-09-20",
        "发票": [{"发票号码": body["invoices"][0]["number"], "已支持金额": "3000"}],
    }
    local.behave(Conduct.RETRYING)
    assert local.post("payments", paid)["status"] == "已兑付"
    form = filled("delta", body)
    del form["申请编号"]
    refused = screens["delta"].post("claims", form)
    assert (refused["status"], refused["state"]) == ("已失效", "rejected")


def worksheet_body(programme: Programme) -> Body:
    """A claim that says what the worksheet asks for, and no more."""
    body = claim(programme, on=ON)
    for invoice in body["invoices"]:
        invoice.pop("seller_uscc", None)
        invoice.pop("buyer_uscc", None)
    body["provider"]["qualifications"] = []
    return body


def worksheet_steps(world: RunningService, screen: Screen, folder: Path, ending: str, programme: Programme) -> Any:
    """A template is downloaded, filled in, handed in, corrected where faults came back beside rows, handed in again."""
    desk, bodies = WorksheetOffice(screen.simulator), [worksheet_body(programme) for _ in range(3)]
    template, filled_in, corrected = (folder / f"{name}.{ending}" for name in ("template", "claims", "corrected"))
    assert world.run("import", "--template", str(template)).returncode == 0
    forms = [write_form(CLAIMS.document, body) for body in bodies]
    right = {"发票号码": forms[1]["发票"][0]["发票号码"], "合同金额": forms[2]["合同金额"]}
    given = json.loads(json.dumps(forms))
    given[1]["发票"][0]["发票号码"], given[2]["合同金额"] = "2.4322E+19", "一万元"
    desk.fill_in(template, given, filled_in)
    told = handed_in(world, screen, filled_in, 1)
    assert (told["stored"], told["refused"]) == (1, 2)
    faults = desk.correct(Path(told["errors"]), right, corrected)
    assert (len(faults), "15 位" in faults[0], "合同金额" in faults[1]) == (2, True, True), faults
    told = handed_in(world, screen, corrected, 0)
    assert (told["stored"], told["stored_before"], told["refused"]) == (2, 0, 0)
    assert handed_in(world, screen, corrected, 0)["stored_before"] == 2
    assert desk.look() == []
    return [f"worksheets/{form['申请编号']}" for form in forms]


def handed_in(world: RunningService, screen: Screen, path: Path, code: int) -> Any:
    done = world.run("import", str(path), "--client", screen.client_id, "--json", check=False)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


EVERY_DAY = [("jssic", conduct) for conduct in Conduct] + [
    ("delta", Conduct.DUPLICATE),
    ("shanxi-inno", Conduct.BROKEN),
]
NOW_AND_THEN = [(code, conduct) for code in ("delta", "shanxi-inno") for conduct in Conduct]


@pytest.mark.parametrize(
    ("platform", "conduct"),
    EVERY_DAY + [pytest.param(*one, marks=pytest.mark.long) for one in NOW_AND_THEN if one not in EVERY_DAY],
)
def test_however_a_platform_behaves_each_of_its_claims_is_one_claim_and_comes_back(
    screens: dict[str, Screen], office: Office, platform: str, conduct: Conduct
) -> None:
    screen = screens[platform]
    screen.behave(conduct)
    try:
        places = [_STEPS[platform](screen) for _ in range(2)]
        if conduct == Conduct.OUT_OF_ORDER:
            assert screen.post("flush") == {"sent": 2}
        for place in places:
            number = place.rpartition("/")[2]
            stored = list(screen.simulator.platform.claims(external_id=number))
            assert [(one.revision, one.state) for one in stored] == [(1, "in_review")]
            office.approve(screen.simulator.platform, number)
        for place in places:
            told = status_becomes(screen, place, "待兑付", "approved")["told"]
            assert list(dict.fromkeys(told)) == ["claim.in_review", "claim.approved"]  # one for each stage of review
    finally:
        screen.behave(Conduct.WELL)


_STEPS: dict[str, Callable[[Screen], str]] = {
    "jssic": jssic_steps,
    "delta": delta_steps,
    "shanxi-inno": shanxi_steps,
}
FLOWS: list[tuple[str, Callable[[Screen], str]]] = [
    ("jssic", jssic_steps),
    ("jssic", offline_steps),
    ("jssic", commitment_steps),
    ("shanxi-inno", hainan_steps),
    ("shanxi-inno", valley_steps),
    ("shanxi-inno", host_steps),
    *(("delta", pilot_steps(one)) for one in PILOTS),
]
Place = tuple[str, str]
"""A platform, and a case on its screens."""


def test_every_flow_of_every_platform_goes_from_its_screen_to_the_money_and_its_accounts_agree(
    world: RunningService, screens: dict[str, Screen], office: Office, summer: dict[str, str], tmp_path: Path
) -> None:
    """Runs last: the clock passes the publicity."""
    places = [(platform, steps(screens[platform])) for platform, steps in FLOWS]
    local = screens["maanshan-local"]
    places += [("maanshan-local", one) for one in worksheet_steps(world, local, tmp_path, "xlsx", PILOTS[3])]
    vouchers = [("delta", voucher_steps(screens["delta"], office, WUJIANG))]
    for platform, path in (*places, *vouchers):
        office.approve(screens[platform].simulator.platform, path.rpartition("/")[2])
    tenants = sorted({claim_of(screens[platform], path).tenant for platform, path in places})
    assert tenants == ["jiangsu", "jiashan", "maanshan", "qingpu", "shanxi-hainan", "wujiang"]
    batches = [office.publish(tenant, cut_off=PUBLIC_UNTIL) for tenant in tenants]  # ahead: the present moment
    redeemed = office.publish("wujiang", "cross_redemption")
    second = claim_of(screens["shanxi-inno"], summer["second"])
    assert second.claim_no in office.holds(batches[tenants.index("shanxi-hainan")]), "the second window's batch"
    places.append(("shanxi-inno", summer["second"]))
    _to_the_money(screens, office, places + vouchers, [*batches, redeemed])
    _accounts_agree(screens, office, [*batches, redeemed, summer["batch"]])
    late, on = screens["shanxi-inno"], date(2024, 9, 26)
    at_last, missed = (window_steps(late, f"2024-09-30T{at}+08:00", on) for at in ("17:00:00", "17:00:01"))
    assert (at_last["status"], at_last["state"]) == ("审核中", "in_review"), at_last
    assert (missed["status"], missed["state"]) == ("已失效", "rejected"), missed  # both cut-offs passed (S4 四（四）)
    verified = world.run("verify", "--json", check=False)
    assert verified.returncode == 0, verified.stdout


def _to_the_money(screens: dict[str, Screen], office: Office, places: list[Place], batches: list[str]) -> None:
    """Publicity, seal, release, the bank's word; each platform is told each step of each of its claims."""
    for platform, path in places:
        status_becomes(screens[platform], path, "公示中")
    office.move(PUBLIC_UNTIL)
    for base in batches:
        office.release(base)
    for platform, path in places:
        shown = is_told(screens[platform], path, "batch.sealed", "batch.released", "batch.instructed")
        assert shown["state"] == "instructed"
    for base in batches:
        office.bank_pays(base)
    for platform, path in places:
        shown = is_told(screens[platform], path, "batch.instructed", "batch.settled")
        assert is_told(screens[platform], path, "batch.instructed", "payout.paid")["told"].count("payout.paid") == 1
        assert status_becomes(screens[platform], path, "已兑付")["state"] == "paid", shown


def _accounts_agree(screens: dict[str, Screen], office: Office, batches: list[str]) -> None:
    """What each platform added up of the events of payment is what its claims say and what the banks paid."""
    paid, told = dict[str, Money](), {"paid": dict[str, Money](), "paid_out": dict[str, Money]()}
    for base in batches:
        batch = office.staff["maker"].get(base).json
        paid[batch["tenant"]] = paid.get(batch["tenant"], ZERO) + Money.parse(batch["total"])
    for screen in screens.values():
        shown = screen.shows("reconciliation")
        for how, sums in told.items():
            for tenant, amount in shown[how].items():
                sums[tenant] = sums.get(tenant, ZERO) + Money.parse(amount)
    assert told == {"paid": paid, "paid_out": paid}
    _receipts_agree(screens)


def _receipts_agree(screens: dict[str, Screen]) -> None:
    """The nightly receipts of each day on which anything was sent, as its platform has it in its own accounts."""
    accounts = [screen.simulator.accounts for screen in screens.values()]
    days = [{(tenant, on) for tenant, on, _ in one.sent.values()} for one in accounts]
    alone = [not sent and bool(one.registered) for sent, one in zip(days, accounts, strict=True)]
    due = sum(map(len, days)) + sum(alone)

    def receipts() -> list[Any]:
        found = [one for screen in screens.values() for one in screen.shows("reconciliation")["receipts"]]
        return found if len(found) == due else []

    found = until(receipts, 90)
    assert {one["day"] for one in found} == {SUMMER[:10], BEGINS[:10]}
    assert [one for one in found if not one["agrees"]] == []
