"""Each platform's whole flow, from its screens through the service and back, by simulators over real sockets."""

import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import date, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import urllib3

from clearing.demonstration.parties import Region
from connectors.client import Caller, ClaimAnswer, ClientSecret, Platform
from connectors.form_writing import write_form
from connectors.simulators import (
    DeltaSimulator,
    JssicSimulator,
    LocalSimulator,
    ShanxiSimulator,
    Simulator,
    serving,
)
from connectors.simulators.conduct import Conduct
from settlement.bank.simulator import Books
from settlement.bank.simulator.answers import camt053, entries_of
from tenants.kernel.clock import FixedClock, SystemClock
from tenants.kernel.money import Money
from tests.connectors.forms import connector_for, filled
from tests.intake.bodies import JIANGSU, SHANXI, WUJIANG, Body, Programme, buyer, claim, papers, seller
from tests.service.running import Api, RunningService, running, until

BEGINS = "2024-09-27T09:00:00+08:00"
PUBLIC_UNTIL = "2024-10-11T09:00:00+08:00"
ON = date(2024, 9, 26)
_NUMBERS = count(1)
PILOTS = (
    WUJIANG,
    replace(WUJIANG, tenant="qingpu", enterprises=Region("310118", "上海青浦", 1)),
    replace(WUJIANG, tenant="jiashan", enterprises=Region("330421", "嘉兴嘉善", 1)),
    replace(WUJIANG, tenant="maanshan", enterprises=Region("340500", "马鞍山", 1)),
)
LOCAL = tuple(one.tenant for one in PILOTS)
Form = dict[str, Any]


class Screen:
    """A person before a platform's screens."""

    def __init__(self, address: str, simulator: Simulator) -> None:
        self.address, self.simulator = address, simulator
        self.pool = urllib3.PoolManager(retries=False, timeout=60)

    def post(self, path: str, body: Any = None, expect: tuple[int, ...] = (200, 201)) -> Any:
        answer = self.pool.request("POST", f"{self.address}/{path}", body=json.dumps(body or {}).encode())
        assert answer.status in expect, answer.data.decode()
        return json.loads(answer.data)

    def shows(self, path: str) -> Any:
        return json.loads(self.pool.request("GET", f"{self.address}/{path}").data)

    def behave(self, conduct: Conduct) -> None:
        self.post("conduct", {"mode": conduct.value})


@pytest.fixture(scope="module")
def world() -> Iterator[RunningService]:
    folder = Path(tempfile.mkdtemp(prefix="simulated-"))
    quick = {"CLEARING_WEBHOOK_WAIT_MS": "100"}
    with running(folder / "data", "--demo-clock", BEGINS, environment=quick) as started:
        yield started
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def clock() -> FixedClock:
    """What the platforms work by."""
    return FixedClock(datetime.fromisoformat(BEGINS))


@pytest.fixture(scope="module")
def screens(world: RunningService, clock: FixedClock) -> Iterator[dict[str, Screen]]:
    """Every platform's simulator, each with its own client, told of its tenants' claims."""
    kinds: dict[str, tuple[type[Simulator], tuple[str, ...]]] = {
        "jssic": (JssicSimulator, ("jiangsu",)),
        "delta": (DeltaSimulator, ("wujiang", "qingpu", "jiashan", "maanshan")),
        "shanxi-inno": (ShanxiSimulator, ("shanxi-hainan",)),
        **{f"{tenant}-local": (LocalSimulator, (tenant,)) for tenant in LOCAL},
    }
    with ExitStack() as stack:
        found = {}
        for code, (kind, tenants) in kinds.items():
            api = world.platform(code, *tenants)
            assert api.client_id is not None
            caller = stack.enter_context(Caller(world.address, ClientSecret(api.client_id, api.client_secret)))
            simulator = kind(Platform(caller), SystemClock(), clock)
            address = stack.enter_context(serving(simulator))
            for tenant in tenants:
                simulator.listen(tenant, address)
            found[code] = Screen(address, simulator)
        yield found


@pytest.fixture(scope="module")
def staff(world: RunningService) -> dict[str, Api]:
    people = {
        "center": ("reviews:write", "claims:read"),
        "authority": ("reviews:write", "claims:read"),
        "city": ("reviews:write", "claims:read"),
        "province": ("reviews:write", "claims:read"),
        "maker": ("batches:write", "claims:read"),
        "releaser": ("batches:release", "claims:read"),
        "operator": ("clearing:operate",),
    }
    return {role: world.staff(f"{role}-某", *scopes) for role, scopes in people.items()}


def order_form(kind: str = "线上下单", body: Body | None = None) -> Form:
    form = filled("jssic", body or claim(JIANGSU, on=ON)) | {"订单类型": kind}
    del form["订单编号"]
    return form


def approve(staff: dict[str, Api], platform: Platform, number: str) -> None:
    """Carry the claim through all stages of its review."""
    found = platform.find(number)
    assert found is not None
    stage = found.next_stage
    while stage is not None:
        done = staff[stage].post(f"/v1/claims/{found.id}/reviews", {"stage": stage, "outcome": "approve"})
        assert done.status == 200, done
        stage = done.json["next_stage"]


def status_becomes(screen: Screen, path: str, status: str, told: str = "") -> Any:
    """What the screen shows once it shows this status, and the last that it was told was this."""

    def seen() -> Any:
        shown = screen.shows(path)
        return shown if shown["status"] == status and (shown["told"] or [""])[-1].endswith(told) else None

    return until(seen, 40)


def test_jiangsus_online_order_goes_from_ordering_to_review(screens: dict[str, Screen], staff: dict[str, Api]) -> None:
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
    approve(staff, screen.simulator.platform, number)
    shown = status_becomes(screen, f"orders/{number}", "待兑付", "approved")
    assert shown["told"] == ["claim.needs_correction", "claim.in_review", "claim.approved"]


def offline_body() -> Body:
    """An offline order brings the provider's qualification."""
    body = claim(JIANGSU, on=ON)
    proof = {"kind": "provider_qualification", "sha256": f"{next(_NUMBERS):064x}", "media_type": "application/pdf"}
    body["documents"].append(proof | {"bytes": 9_000})
    body["provider"] |= {"on_platform": False, "qualifications": [{"kind": "CMA", "valid_through": "2027-12-31"}]}
    return body


def test_jiangsus_order_under_commitment_waits_for_its_provider(screens: dict[str, Screen]) -> None:
    screen = screens["jssic"]
    number = screen.post("orders", order_form("服务承诺制"))["number"]
    screen.post(f"orders/{number}/accept")
    assert screen.post(f"orders/{number}/redeem")["status"] == "已提交待确认"
    assert screen.simulator.platform.find(number) is None
    assert screen.post(f"orders/{number}/confirm")["status"] == "审核中"
    assert screen.simulator.platform.find(number) is not None


def test_deltas_voucher_is_reserved_confirmed_and_handed_in(screens: dict[str, Screen], staff: dict[str, Api]) -> None:
    screen, by, to = screens["delta"], buyer(WUJIANG), seller(WUJIANG)
    body = claim(WUJIANG, on=ON, by=by, to=to) | {"mode": "cross_redemption"}
    share = "7000.00"  # the enterprise pays what its voucher of 3,000 does not
    body["receipts"][0]["amount"] = share
    body["payee"]["account_name"] = body["provider"]["name"]
    form = write_form(connector_for("delta").document, body)
    del form["申请编号"]
    parts = {name: form[name] for name in ("试点区域", "兑付模式", "企业", "服务机构")}
    contract = {name: value for name, value in form["合同"].items() if name != "合同文件"}
    intended = screen.post("contracts", parts | {"意向合同": contract, "提交时间": "2024-09-27 09:30:00"})
    assert intended["status"] == "待确认额度", intended
    refused = screen.post("claims", form | {"意向编号": intended["number"]}, expect=(409,))
    assert refused["error"].endswith("额度未确认")
    delta = screen.simulator
    assert isinstance(delta, DeltaSimulator)
    reservation = delta.vouchers[intended["number"]]
    assert staff["center"].post(f"/v1/reservations/{reservation}/confirm").status == 200
    status_becomes(screen, f"contracts/{intended['number']}", "额度已确认")
    asked = screen.post("claims", form | {"意向编号": intended["number"]})
    assert (asked["status"], asked["award"]) == ("审核中", "3000.00"), asked
    approve(staff, delta.platform, asked["number"])
    status_becomes(screen, f"claims/{asked['number']}", "待兑付")


def test_shanxis_claim_is_bound_by_its_provider_and_a_host_applies_for_its_team(
    screens: dict[str, Screen], staff: dict[str, Api]
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
    approve(staff, screen.simulator.platform, number)
    status_becomes(screen, f"applications/{number}", "待兑付")
    team = screen.post("applications", filled("shanxi-inno", claim(SHANXI, on=ON)) | {"团队名称": "镁合金团队"})
    screen.post(f"applications/{team['number']}/bind")
    wrong = screen.post(f"applications/{team['number']}/apply")
    assert (wrong["status"], wrong["problem"]["errors"][0]["pointer"]) == ("填报有误", "/团队名称")
    assert screen.post(f"applications/{team['number']}/apply", {"申请主体类别": "平台企业代团队"})["status"] == "审核中"


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
    screens: dict[str, Screen], staff: dict[str, Api], platform: str, conduct: Conduct
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
            approve(staff, screen.simulator.platform, number)
        for place in places:
            told = status_becomes(screen, place, "待兑付", "approved")["told"]
            assert list(dict.fromkeys(told)) == ["claim.in_review", "claim.approved"]  # one for each stage of review
    finally:
        screen.behave(Conduct.WELL)


def _jssic_steps(screen: Screen) -> str:
    number = screen.post("orders", order_form())["number"]
    screen.post(f"orders/{number}/accept")
    screen.post(f"orders/{number}/redeem")
    return f"orders/{number}"


def _delta_steps(screen: Screen) -> str:
    form = filled("delta", claim(WUJIANG, on=ON))
    del form["申请编号"]
    return f"claims/{screen.post('claims', form)['number']}"


def _shanxi_steps(screen: Screen) -> str:
    number = screen.post("applications", filled("shanxi-inno", claim(SHANXI, on=ON)))["number"]
    screen.post(f"applications/{number}/bind")
    screen.post(f"applications/{number}/apply")
    return f"applications/{number}"


_STEPS: dict[str, Callable[[Screen], str]] = {
    "jssic": _jssic_steps,
    "delta": _delta_steps,
    "shanxi-inno": _shanxi_steps,
}


def _offline_steps(screen: Screen) -> str:
    number = screen.post("orders", order_form("线下下单", offline_body()))["number"]
    assert screen.post(f"orders/{number}/redeem")["status"] == "审核中"
    return f"orders/{number}"


def _commitment_steps(screen: Screen) -> str:
    number = screen.post("orders", order_form("服务承诺制"))["number"]
    screen.post(f"orders/{number}/accept")
    screen.post(f"orders/{number}/redeem")
    screen.post(f"orders/{number}/confirm")
    return f"orders/{number}"


def _hainan_steps(screen: Screen) -> str:
    body = claim(SHANXI, on=ON)
    body["provider"]["division"] = "460106"
    return _bound(screen, filled("shanxi-inno", body))


def _valley_steps(screen: Screen) -> str:
    """A resident of Jinchuang Valley may buy anywhere in the country."""
    body = claim(SHANXI, on=ON)
    body["enterprise"] |= {"types": ["zone_resident"], "type_proofs": {}, "resident_of": ["jinchuang_valley"]}
    body["documents"] += papers(body["external_id"], ("incubation_proof",))
    body["provider"]["division"] = "310115"
    return _bound(screen, filled("shanxi-inno", body))


def _host_steps(screen: Screen) -> str:
    body = claim(SHANXI, on=ON)
    team = {"团队名称": "镁合金团队", "申请主体类别": "平台企业代团队"}
    return _bound(screen, filled("shanxi-inno", body) | team)


def _bound(screen: Screen, form: Form) -> str:
    number = screen.post("applications", form)["number"]
    screen.post(f"applications/{number}/bind")
    asked = screen.post(f"applications/{number}/apply")
    assert asked["status"] == "审核中", asked
    return f"applications/{number}"


def _pilot_steps(programme: Programme) -> Callable[[Screen], str]:
    def steps(screen: Screen) -> str:
        form = filled("delta", claim(programme, on=ON))
        del form["申请编号"]
        asked = screen.post("claims", form)
        assert asked["status"] == "审核中", asked
        return f"claims/{asked['number']}"

    return steps


FLOWS: list[tuple[str, Callable[[Screen], str]]] = [
    ("jssic", _jssic_steps),
    ("jssic", _offline_steps),
    ("jssic", _commitment_steps),
    ("shanxi-inno", _hainan_steps),
    ("shanxi-inno", _valley_steps),
    ("shanxi-inno", _host_steps),
    *(("delta", _pilot_steps(one)) for one in PILOTS),
]
SCHEMES = {"jiangsu": "provincial", "shanxi-hainan": "provincial"}


def test_every_flow_of_every_platform_goes_from_its_screen_to_the_money_and_its_accounts_agree(
    world: RunningService, screens: dict[str, Screen], staff: dict[str, Api], clock: FixedClock
) -> None:
    """Runs last: the clock passes the publicity."""
    places = [(platform, steps(screens[platform])) for platform, steps in FLOWS]
    for platform, path in places:
        approve(staff, screens[platform].simulator.platform, path.rpartition("/")[2])
    tenants = sorted({_claim_of(screens[platform], path).tenant for platform, path in places})
    assert tenants == ["jiangsu", "jiashan", "maanshan", "qingpu", "shanxi-hainan", "wujiang"]
    batches = {tenant: _publish(staff, tenant) for tenant in tenants}
    for platform, path in places:
        status_becomes(screens[platform], path, "公示中")
    assert staff["operator"].put("/v1/demo/clock", {"now": PUBLIC_UNTIL}).status == 200
    clock.move_to(datetime.fromisoformat(PUBLIC_UNTIL))
    for base in batches.values():
        assert staff["maker"].post(f"{base}/seal").status == 200
        assert staff["releaser"].post(f"{base}/release").status in {200, 202}
    for platform, path in places:
        status_becomes(screens[platform], path, "拨付中", "batch.instructed")
    paid = {tenant: str(_bank_pays(staff["maker"], base)) for tenant, base in batches.items()}
    for platform, path in places:
        assert status_becomes(screens[platform], path, "已兑付", "batch.settled")["state"] == "paid"
    told = [screen.shows("reconciliation") for code, screen in screens.items() if not code.endswith("-local")]
    assert {tenant: sum_ for one in told for tenant, sum_ in one["paid"].items()} == paid
    _receipts_agree(screens, tenants)
    late = screens["shanxi-inno"]
    form = filled("shanxi-inno", claim(SHANXI, on=ON)) | {"提交时间": "2024-10-10T10:00:00+08:00"}
    number = late.post("applications", form)["number"]
    late.post(f"applications/{number}/bind")
    missed = late.post(f"applications/{number}/apply")
    assert (missed["status"], missed["state"]) == ("已失效", "rejected"), (
        missed
    )  # both cut-offs have passed (S4 四（四）)
    assert json.loads(world.run("verify", "--json").stdout)["differences"] == 0


def _claim_of(screen: Screen, path: str) -> ClaimAnswer:
    found = screen.simulator.platform.find(path.rpartition("/")[2])
    assert found is not None
    return found


def _publish(staff: dict[str, Api], tenant: str) -> str:
    base = f"/v1/tenants/{tenant}/batches"
    batch = staff["maker"].post(base, {"scheme": SCHEMES.get(tenant, "delta"), "mode": "common_use"})
    assert batch.status == 201, batch
    assert staff["maker"].post(f"{base}/{batch.json['id']}/publish").status == 200
    return f"{base}/{batch.json['id']}"


def _bank_pays(maker: Api, base: str) -> Money:
    """The bank takes the payment file, pays it, and its statement is handed in; how much that was."""
    batch, books = maker.get(base).json, Books()
    order = maker.get(f"{base}/files/pain.001.xml").body
    books.receive(batch["batch_no"], order)
    account = re.search(rb"<DbtrAcct>.*?<Id>([0-9]+)</Id>", order, re.DOTALL)
    assert account is not None
    statement = camt053(account[1].decode(), entries_of(books.execute()), date(2024, 10, 11))
    answer = maker.call("POST", f"{base}/statements", statement, Content_Type="application/octet-stream")
    assert answer.status == 201, answer
    return Money.parse(batch["total"])


def _receipts_agree(screens: dict[str, Screen], tenants: list[str]) -> None:
    """The nightly receipts of the first day, each as its platform has it in its own accounts."""
    due = len(tenants) + sum(bool(screen.simulator.accounts.registered) for screen in screens.values())

    def receipts() -> list[Any]:
        found = [one for screen in screens.values() for one in screen.shows("reconciliation")["receipts"]]
        return found if len(found) == due else []

    for one in until(receipts, 90):
        assert (one["agrees"], one["day"]) == (True, BEGINS[:10]), one
