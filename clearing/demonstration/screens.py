"""The platforms' own screens in the demonstration: simulators over real sockets, told by webhooks; and one outlet."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import islice
from typing import Any, Final

import urllib3

from clearing.demonstration.claims import generate
from clearing.demonstration.people import People
from connectors.all_connectors import connector_of
from connectors.client import CallError, Platform
from connectors.form_writing import write_form
from connectors.simulators import DeltaSimulator, JssicSimulator, ShanxiSimulator, Simulator, serving
from connectors.simulators.outlet import Outlet, outlet_serving
from tenants.kernel.clock import FixedClock, SystemClock

Form = dict[str, Any]

SEED: Final = 4048
KINDS: Final[dict[str, tuple[type[Simulator], tuple[str, ...]]]] = {
    "jssic": (JssicSimulator, ("jiangsu",)),
    "delta": (DeltaSimulator, ("wujiang",)),
    "shanxi-inno": (ShanxiSimulator, ("shanxi-hainan",)),
}
OUTLET_TOKEN: Final = "demonstration-outlet-token"  # noqa: S105 - of a simulator that is gone with this process
PULLED: Final = 3
ORDERED: Final = "instructed"
PATIENCE_SECONDS: Final = 30
POLL: Final = timedelta(milliseconds=100)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a platform's screen shows of one case."""

    platform: str
    number: str
    status: str
    award: str
    told: tuple[str, ...]


@dataclass(slots=True)
class Screens:
    """The simulators by platform, the address of each, and the cases that were begun on their screens."""

    simulators: dict[str, Simulator]
    addresses: dict[str, str]
    outlet: Outlet
    outlet_address: str
    clock: FixedClock
    cases: list[tuple[str, str]] = field(default_factory=list)
    source: str = ""
    pool: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False, timeout=60))

    def post(self, platform: str, path: str, body: Form | None = None) -> Any:  # noqa: ANN401 - the screen's JSON
        """One act on a screen.

        Raises:
            CallError: the screen refuses it.
        """
        place = f"{self.addresses[platform]}/{path}"
        answer = self.pool.request("POST", place, body=json.dumps(body or {}).encode())
        if answer.status not in (200, 201):
            raise CallError(place, answer.status, answer.data.decode())
        return json.loads(answer.data)

    def shows(self, platform: str, path: str) -> Any:  # noqa: ANN401 - the screen's JSON
        """What a screen shows."""
        return json.loads(self.pool.request("GET", f"{self.addresses[platform]}/{path}").data)


@contextmanager
def screens_open(people: People, began: datetime) -> Iterator[Screens]:
    """Every platform's screens, told of its claims, until the block ends."""
    with ExitStack() as stack:
        clock, outlet = FixedClock(began), Outlet(OUTLET_TOKEN, page_size=2)
        simulators = {
            code: kind(Platform(people.platforms[code]), SystemClock(), clock) for code, (kind, _) in KINDS.items()
        }
        addresses = {code: stack.enter_context(serving(one)) for code, one in simulators.items()}
        for code, (_, tenants) in KINDS.items():
            for tenant in tenants:
                simulators[code].listen(tenant, addresses[code])
        yield Screens(simulators, addresses, outlet, stack.enter_context(outlet_serving(outlet)), clock)


def fill_in(screens: Screens) -> int:
    """Enterprises and providers at their platforms' screens: an order online, one under commitment, 意向, 绑定."""
    online, committed = islice(_forms("jssic"), 2)
    for form, kind in ((online, "线上下单"), (committed, "服务承诺制")):
        number = screens.post("jssic", "orders", form | {"订单类型": kind})["number"]
        screens.post("jssic", f"orders/{number}/accept")
        screens.post("jssic", f"orders/{number}/redeem")
        screens.cases.append(("jssic", f"orders/{number}"))
    screens.post("jssic", f"{screens.cases[-1][1]}/confirm")
    [form] = islice(_forms("shanxi-inno"), 1)
    number = screens.post("shanxi-inno", "applications", form)["number"]
    for step in ("bind", "apply"):
        screens.post("shanxi-inno", f"applications/{number}/{step}")
    screens.cases.append(("shanxi-inno", f"applications/{number}"))
    [form] = islice(_forms("delta", "wujiang"), 1)
    screens.cases.append(("delta", f"claims/{screens.post('delta', 'claims', form)['number']}"))
    return len(screens.cases)


def pull(people: People, screens: Screens) -> dict[str, int]:
    """Jiangsu's platform has an outlet too: the service asks it by itself; a record that is no order waits, named."""
    bodies = list(islice(_bodies("jssic", "jiangsu"), 2, 2 + PULLED))
    screens.outlet.put(*bodies[:1], {"订单编号": "CXQ-有误"}, *bodies[1:])
    caller = people.platforms["jssic"]
    body = {"tenant": "jiangsu", "url": screens.outlet_address, "token": OUTLET_TOKEN, "every_seconds": 5}
    screens.source = f"/v1/pull-sources/{caller.post('/v1/pull-sources', body)['id']}"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (now := caller.get(screens.source))["stored"] < PULLED:
        if time.monotonic() > deadline:
            raise CallError(screens.source, 200, json.dumps(now))
        time.sleep(POLL.total_seconds())
    return {"pulled": now["stored"], "dead letters": now["dead_letters_open"]}


def told_of_payment(screens: Screens) -> int:
    """Wait until each platform was told that its claims are ordered to be paid; how many events it took."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    due = [(platform, path) for platform, path in screens.cases if _ordered(screens, platform, path)]
    while any("batch.instructed" not in screens.shows(*one)["told"] for one in due) and time.monotonic() < deadline:
        time.sleep(POLL.total_seconds())
    return sum(len(screens.shows(*one)["told"]) for one in screens.cases)


def _ordered(screens: Screens, platform: str, path: str) -> bool:
    """Whether the service has ordered the case's claim to be paid."""
    found = screens.simulators[platform].platform.find(path.rpartition("/")[2])
    return found is not None and found.state == ORDERED


def shown(screens: Screens) -> list[Shown]:
    """What the platforms show of the cases that were begun on their screens."""
    found = []
    for platform, path in screens.cases:
        one = screens.shows(platform, path)
        found.append(Shown(platform, one["number"], one["status"], one["award"] or "", tuple(one["told"])))
    return found


def _bodies(platform: str, tenant: str) -> Iterator[Form]:
    """Claims that nothing else in the demonstration submits."""
    for one in generate(SEED, 200):
        if (one.platform, one.body["tenant"], one.planted) == (platform, tenant, None):
            body = one.body
            body["external_id"] += "-P"
            for document in body["documents"]:
                document["sha256"] = sha256(f"{SEED}/{body['external_id']}/{document['kind']}".encode()).hexdigest()
            yield body


def _forms(platform: str, tenant: str = "") -> Iterator[Form]:
    """The same as the platform's own form; its number is the screen's to give."""
    served = tenant or KINDS[platform][1][0]
    connector = connector_of(platform, "claim")
    if connector is None:
        raise LookupError(platform)
    for body in _bodies(platform, served):
        if not body["provider"]["on_platform"]:
            continue
        form = write_form(connector.document, body | {"enterprise": body["enterprise"]})
        for name in ("订单编号", "申请编号", "绑定"):
            form.pop(name, None)
        proof: Form = next(iter(body["enterprise"]["type_proofs"].values()), {})
        if platform == "jssic" and "number" in proof:
            form["企业"]["资格编号"] = proof["number"]
        yield form
