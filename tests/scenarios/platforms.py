"""Platforms' simulators on one running service, and the people before their screens and behind the service's desk."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import count
from typing import Any, Final

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
from tests.service.running import Api, RunningService, until

ON: Final = date(2024, 9, 26)
PILOTS: Final = (
    WUJIANG,
    replace(WUJIANG, tenant="qingpu", enterprises=Region("310118", "上海青浦", 1)),
    replace(WUJIANG, tenant="jiashan", enterprises=Region("330421", "嘉兴嘉善", 1)),
    replace(WUJIANG, tenant="maanshan", enterprises=Region("340500", "马鞍山", 1)),
)
LOCAL: Final = tuple(one.tenant for one in PILOTS)
SCHEMES: Final = {"jiangsu": "provincial", "shanxi-hainan": "provincial"}
PEOPLE: Final = {
    "center": ("reviews:write", "claims:read"),
    "authority": ("reviews:write", "claims:read"),
    "city": ("reviews:write", "claims:read"),
    "province": ("reviews:write", "claims:read"),
    "maker": ("batches:write", "claims:read"),
    "releaser": ("batches:release", "claims:read"),
    "operator": ("clearing:operate",),
}
_NUMBERS = count(1)
Form = dict[str, Any]


class Screen:
    """A person before a platform's screens."""

    def __init__(self, address: str, simulator: Simulator, client_id: str) -> None:
        self.address, self.simulator, self.client_id = address, simulator, client_id
        self.pool = urllib3.PoolManager(retries=False, timeout=60)

    def post(self, path: str, body: Any = None, expect: tuple[int, ...] = (200, 201)) -> Any:
        answer = self.pool.request("POST", f"{self.address}/{path}", body=json.dumps(body or {}).encode())
        assert answer.status in expect, answer.data.decode()
        return json.loads(answer.data)

    def shows(self, path: str) -> Any:
        return json.loads(self.pool.request("GET", f"{self.address}/{path}").data)

    def behave(self, conduct: Conduct) -> None:
        self.post("conduct", {"mode": conduct.value})


@contextmanager
def every_platform(world: RunningService, clock: FixedClock) -> Iterator[dict[str, Screen]]:
    """Every platform's simulator, each with its own client, told of its tenants' claims."""
    kinds: dict[str, tuple[type[Simulator], tuple[str, ...]]] = {
        "jssic": (JssicSimulator, ("jiangsu",)),
        "delta": (DeltaSimulator, LOCAL),
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
            found[code] = Screen(address, simulator, api.client_id)
        yield found


@dataclass
class Office:
    """The people of the regions, and the clocks of the service and of the platforms."""

    staff: Mapping[str, Api]
    clock: FixedClock

    def move(self, to: str) -> None:
        assert self.staff["operator"].put("/v1/demo/clock", {"now": to}).status == 200
        self.clock.move_to(datetime.fromisoformat(to))

    def approve(self, platform: Platform, number: str) -> None:
        """Carry the claim through all stages of its review."""
        found = platform.find(number)
        assert found is not None
        stage = found.next_stage
        while stage is not None:
            done = self.staff[stage].post(f"/v1/claims/{found.id}/reviews", {"stage": stage, "outcome": "approve"})
            assert done.status == 200, done
            stage = done.json["next_stage"]

    def publish(self, tenant: str, mode: str = "common_use", **order: str) -> str:
        """Cut and publish; where the batch is."""
        base, maker = f"/v1/tenants/{tenant}/batches", self.staff["maker"]
        batch = maker.post(base, {"scheme": SCHEMES.get(tenant, "delta"), "mode": mode} | order)
        assert batch.status == 201, batch
        assert maker.post(f"{base}/{batch.json['id']}/publish").status == 200
        return f"{base}/{batch.json['id']}"

    def holds(self, base: str) -> set[str]:
        """The claims in the batch, by number."""
        return {one["claim_no"] for one in self.staff["maker"].get(f"{base}/items").json["items"]}

    def release(self, base: str) -> None:
        """Seal and release; once the worker has made the payment file."""
        assert self.staff["maker"].post(f"{base}/seal").status == 200
        assert self.staff["releaser"].post(f"{base}/release").status in {200, 202}
        until(lambda: self.staff["maker"].get(base).json["state"] == "instructed", 40)

    def bank_pays(self, base: str, state: str = "paid") -> Money:
        """The bank takes the payment file, pays it, and its statement is handed in; how much that was."""
        maker, books = self.staff["maker"], Books()
        batch, order = maker.get(base).json, maker.get(f"{base}/files/pain.001.xml").body
        books.receive(batch["batch_no"], order)
        account = re.search(rb"<DbtrAcct>.*?<Id>([0-9]+)</Id>", order, re.DOTALL)
        assert account is not None
        payments = [replace(one, state=state) for one in books.execute()]
        statement = camt053(account[1].decode(), entries_of(payments), self.clock.now().date())
        answer = maker.call("POST", f"{base}/statements", statement, Content_Type="application/octet-stream")
        assert answer.status == 201, answer
        return Money.parse(batch["total"])

    def owe_again(self, claim: ClaimAnswer, cooled_off: str) -> None:
        """The account is corrected by two people, and once it has cooled off what came back is owed again."""
        path, payee = f"/v1/claims/{claim.id}", dict(claim.body["payee"])
        body = {"payee": payee | {"account_number": "6222000099990001"}, "reason": "账号有误"}
        made = self.staff["maker"].post(f"{path}/payee-corrections", body)
        assert made.status == 201, made
        decision = {"outcome": "approve", "reason": "已电话核实"}
        decided = self.staff["releaser"].post(f"{path}/payee-corrections/{made.json['id']}/decision", decision)
        assert decided.status == 200, decided
        self.move(cooled_off)
        again = self.staff["maker"].post(f"{path}/reissue")
        assert again.status in {200, 201}, again


def order_form(kind: str = "线上下单", body: Body | None = None) -> Form:
    form = filled("jssic", body or claim(JIANGSU, on=ON)) | {"订单类型": kind}
    del form["订单编号"]
    return form


def offline_body() -> Body:
    """An offline order brings the provider's qualification."""
    body = claim(JIANGSU, on=ON)
    proof = {"kind": "provider_qualification", "sha256": f"{next(_NUMBERS):064x}", "media_type": "application/pdf"}
    body["documents"].append(proof | {"bytes": 9_000})
    body["provider"] |= {"on_platform": False, "qualifications": [{"kind": "CMA", "valid_through": "2027-12-31"}]}
    return body


def status_becomes(screen: Screen, path: str, status: str, told: str = "") -> Any:
    """What the screen shows once it shows this status, and the last that it was told was this."""

    def seen() -> Any:
        shown = screen.shows(path)
        return shown if shown["status"] == status and (shown["told"] or [""])[-1].endswith(told) else None

    return until(seen, 40)


def is_told(screen: Screen, path: str, *types: str) -> Any:
    """What the screen shows once it was told of these, in their order, among other things."""

    def seen() -> Any:
        shown = screen.shows(path)
        rest = iter(shown["told"])
        return shown if all(one in rest for one in types) else None

    return until(seen, 40)


def claim_of(screen: Screen, path: str) -> ClaimAnswer:
    """The service's claim behind a case of the platform."""
    found = screen.simulator.platform.find(path.rpartition("/")[2])
    assert found is not None
    return found


def jssic_steps(screen: Screen) -> str:
    number = screen.post("orders", order_form())["number"]
    screen.post(f"orders/{number}/accept")
    screen.post(f"orders/{number}/redeem")
    return f"orders/{number}"


def delta_steps(screen: Screen) -> str:
    form = filled("delta", claim(WUJIANG, on=ON))
    del form["申请编号"]
    return f"claims/{screen.post('claims', form)['number']}"


def shanxi_steps(screen: Screen) -> str:
    number = screen.post("applications", filled("shanxi-inno", claim(SHANXI, on=ON)))["number"]
    screen.post(f"applications/{number}/bind")
    screen.post(f"applications/{number}/apply")
    return f"applications/{number}"


def offline_steps(screen: Screen) -> str:
    number = screen.post("orders", order_form("线下下单", offline_body()))["number"]
    assert screen.post(f"orders/{number}/redeem")["status"] == "审核中"
    return f"orders/{number}"


def commitment_steps(screen: Screen) -> str:
    number = screen.post("orders", order_form("服务承诺制"))["number"]
    screen.post(f"orders/{number}/accept")
    screen.post(f"orders/{number}/redeem")
    screen.post(f"orders/{number}/confirm")
    return f"orders/{number}"


def hainan_steps(screen: Screen) -> str:
    body = claim(SHANXI, on=ON)
    body["provider"]["division"] = "460106"
    return bound(screen, filled("shanxi-inno", body))


def valley_steps(screen: Screen) -> str:
    """A resident of Jinchuang Valley may buy anywhere in the country."""
    body = claim(SHANXI, on=ON)
    body["enterprise"] |= {"types": ["zone_resident"], "type_proofs": {}, "resident_of": ["jinchuang_valley"]}
    body["documents"] += papers(body["external_id"], ("incubation_proof",))
    body["provider"]["division"] = "310115"
    return bound(screen, filled("shanxi-inno", body))


def host_steps(screen: Screen) -> str:
    body = claim(SHANXI, on=ON)
    team = {"团队名称": "镁合金团队", "申请主体类别": "平台企业代团队"}
    return bound(screen, filled("shanxi-inno", body) | team)


def bound(screen: Screen, form: Form) -> str:
    number = screen.post("applications", form)["number"]
    screen.post(f"applications/{number}/bind")
    asked = screen.post(f"applications/{number}/apply")
    assert asked["status"] == "审核中", asked
    return f"applications/{number}"


def pilot_steps(programme: Programme) -> Callable[[Screen], str]:
    def steps(screen: Screen) -> str:
        form = filled("delta", claim(programme, on=ON))
        del form["申请编号"]
        asked = screen.post("claims", form)
        assert asked["status"] == "审核中", asked
        return f"claims/{asked['number']}"

    return steps


def voucher_asked(screen: Screen, programme: Programme) -> tuple[Form, Any]:
    """The claim of a voucher's provider, and the intended contract that was handed in for it (服务确认)."""
    body = claim(programme, on=ON, by=buyer(programme), to=seller(programme)) | {"mode": "cross_redemption"}
    body["receipts"][0]["amount"] = "7000.00"  # the enterprise pays what its voucher of 3,000 does not
    body["payee"]["account_name"] = body["provider"]["name"]
    form = write_form(connector_for("delta").document, body)
    del form["申请编号"]
    parts = {name: form[name] for name in ("试点区域", "兑付模式", "企业", "服务机构")}
    contract = {name: value for name, value in form["合同"].items() if name != "合同文件"}
    intended = screen.post("contracts", parts | {"意向合同": contract, "提交时间": "2024-09-27 09:30:00"})
    assert intended["status"] == "待确认额度", intended
    return form, intended


def voucher_confirmed(screen: Screen, office: Office, intended: Any) -> None:
    """The center confirms the quota, and the platform is told (额度确认)."""
    delta = screen.simulator
    assert isinstance(delta, DeltaSimulator)
    reservation = delta.vouchers[intended["number"]]
    assert office.staff["center"].post(f"/v1/reservations/{reservation}/confirm").status == 200
    status_becomes(screen, f"contracts/{intended['number']}", "额度已确认")


def voucher_steps(screen: Screen, office: Office, programme: Programme) -> str:
    form, intended = voucher_asked(screen, programme)
    voucher_confirmed(screen, office, intended)
    asked = screen.post("claims", form | {"意向编号": intended["number"]})
    assert (asked["status"], asked["award"]) == ("审核中", "3000.00"), asked
    return f"claims/{asked['number']}"


def window_steps(screen: Screen, submitted_at: str, on: date) -> Any:
    """A claim to Shanxi of this instant, bound by its provider; what the screen shows of it."""
    form = filled("shanxi-inno", claim(SHANXI, on=on)) | {"提交时间": submitted_at}
    number = screen.post("applications", form)["number"]
    screen.post(f"applications/{number}/bind")
    return screen.post(f"applications/{number}/apply")
