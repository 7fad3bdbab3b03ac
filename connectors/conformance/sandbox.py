"""A platform's own samples through a sandbox, from submission to payout instruction, as the day would bring them.

Nothing is sent before the service has said of itself that it is a sandbox. The platform's part is played with its own
client, the region's with the sandbox's ready-made staff; business time is moved on past each publicity.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import cycle
from typing import Any, Final

from connectors.client import Caller, CallError, ClientSecret, LineAnswer, Patience, Platform, UnansweredError
from connectors.conformance.check import Check, Result, failed, passed, skipped
from tenants.instance import SANDBOX, TEST_PREFIX
from tenants.kernel.errors import Text
from tenants.kernel.strict_json import decode

MAX_SAMPLE_BYTES: Final = 256 * 1024
WAIT_SECONDS: Final = 120
"""How long the sandbox's worker may take to sign a batch."""
_POLL: Final = timedelta(milliseconds=200)
_STAGES: Final = 8
_STEPS: Final = ("center", "authority")
_PROVIDER: Final = "provider"
_OPENING: Final = "T09:00:00+08:00"
_NOW: Final = "2099-12-30"
"""A cut-off that lies ahead is the present moment, also where the scheme is paid by cut-offs for applications."""


def _check(name: str, zh: str, en: str, next_zh: str, next_en: str) -> Check:
    return Check(f"sandbox.{name}", Text(zh, en), Text(next_zh, next_en))


MARKED: Final = _check(
    "is_one", "该地址是沙箱。", "The address is a sandbox's.",
    "核对地址；样例绝不发往正式环境。", "Look at the address; samples are never sent to a real instance.",
)  # fmt: skip
SIGNS_IN: Final = _check(
    "signs_in", "平台以测试密钥取得令牌。", "The platform gets a token with its test key.",
    "用 clearing sandbox create 给出的 test-keys.json；重置后须重新取得。",
    "Use the test-keys.json of clearing sandbox create; after a reset it is another one.",
)  # fmt: skip
APART: Final = _check(
    "refuses_real_keys", "沙箱拒绝没有 test_ 前缀的凭据。", "The sandbox refuses credentials without test_.",
    "沙箱有误，请告知运营方。", "The sandbox is at fault: tell its operator.",
)  # fmt: skip
TAKEN: Final = _check(
    "takes_samples", "每条样例都被收下。", "Every sample is taken.",
    "按所列位置逐项改正后重新报送。", "Correct each place and submit again.",
)  # fmt: skip
REPEATED: Final = _check(
    "repeats", "重复报送得到同一申请。", "A sample that is sent again is the same claim.",
    "同一 external_id 须始终对应同一内容。", "An external_id stands for one content, always.",
)  # fmt: skip
APPROVED: Final = _check(
    "approves", "每条样例经审核获准。", "Every sample is approved when it is reviewed.",
    "按所列规则与依据条款检查样例。", "Look at the sample by the rule and the clause that are named.",
)  # fmt: skip
PUBLISHED: Final = _check(
    "publishes", "批次已公示，时钟已走过公示期。", "Batches are published, and the clock passes their publicity.",
    "查看所答问题；必要时重置沙箱。", "Read the problem; reset the sandbox if need be.",
)  # fmt: skip
INSTRUCTED: Final = _check(
    "instructs", "批次封存、放行并签发。", "Batches are sealed, released and signed.",
    "查看所答问题；必要时重置沙箱。", "Read the problem; reset the sandbox if need be.",
)  # fmt: skip
TOLD: Final = _check(
    "tells", "平台在事件流中得知每条申请。", "The platform's events tell of every claim.",
    "按 GET /v1/events?after= 读取并保存 seq。", "Read GET /v1/events?after= and keep the seq.",
)  # fmt: skip
CHECKS: Final = (MARKED, SIGNS_IN, APART, TAKEN, REPEATED, APPROVED, PUBLISHED, INSTRUCTED, TOLD)


@dataclass(slots=True)
class _Trial:
    """One walk through a sandbox, and what it came to so far."""

    address: str
    keys: Mapping[str, Any]
    platform: str
    samples: Sequence[tuple[int, bytes]]
    claims: dict[int, dict[str, Any]] = field(default_factory=dict)
    """The claim of each line of the samples."""
    batches: list[tuple[str, str]] = field(default_factory=list)
    """Tenant and id of each batch."""
    since: int = 0

    def staff(self, role: str) -> Caller:
        return self._caller(self.keys["staff"][role])

    def own(self) -> Platform:
        return Platform(self._caller(self.keys["platforms"][self.platform]))

    def _caller(self, key: Mapping[str, Any]) -> Caller:
        return Caller(self.address, ClientSecret(key["client_id"], key["client_secret"]))


def check_sandbox(address: str, keys: Mapping[str, Any], platform: str, samples: bytes) -> Iterator[Result]:
    """Each step of the walk in its order; what stands on a failed one is not tried.

    ``keys`` is the content of the sandbox's ``test-keys.json``; ``samples`` one JSON a line, in the service's own form
    of a claim or in the platform's.
    """
    lines = [(number, line) for number, line in enumerate(samples.splitlines(), 1) if line.strip()]
    trial = _Trial(address, keys, platform, lines)
    for number, (check, step) in enumerate(_STEPS_OF_WALK):
        try:
            found = list(step(trial))
        except (CallError, UnansweredError, KeyError) as error:
            found = [failed(check, f"出现问题：{error}", f"it came to {error}")]
        if found:
            yield from found
            yield from (skipped(one) for one, _ in _STEPS_OF_WALK[number + 1 :])
            return
        yield passed(check)


def _marked(trial: _Trial) -> Iterator[Result]:
    with Caller(trial.address, None, Patience(attempts=2)) as nobody:
        said = nobody.get("/readyz").get("environment")
    if said != SANDBOX:
        yield failed(MARKED, f"它自称 {said}", f"it says that it is {said}")


def _signs_in(trial: _Trial) -> Iterator[Result]:
    platform = trial.own()
    if not platform.caller.token.startswith(TEST_PREFIX):
        yield failed(SIGNS_IN, "令牌没有 test_ 前缀", "the token does not begin with test_")
    for event in platform.events():
        trial.since = event.seq


def _apart(trial: _Trial) -> Iterator[Result]:
    key = trial.keys["platforms"][trial.platform]
    real = ClientSecret(key["client_id"].removeprefix(TEST_PREFIX), key["client_secret"].removeprefix(TEST_PREFIX))
    try:
        with Caller(trial.address, real, Patience(attempts=1)) as caller:
            caller.get("/v1/claims?limit=1")
    except CallError:
        return
    yield failed(APART, "它收下了没有前缀的凭据", "it took credentials without the prefix")


def _taken(trial: _Trial) -> Iterator[Result]:
    for number, answer in _sent(trial):
        if answer.problem is None:
            trial.claims[number] = dict(answer.body["claim"])
            continue
        faults = answer.problem.errors
        if not faults:
            yield failed(TAKEN, answer.problem.detail, answer.problem.code, _line(number))
        for fault in faults:
            yield failed(TAKEN, fault.message, fault.code, f"{_line(number)} {fault.pointer}")


def _sent(trial: _Trial) -> Iterator[tuple[int, LineAnswer]]:
    """The answers to the samples by their line, those in the service's own form and those in the platform's."""
    platform = trial.own()
    bodies: dict[int, Any] = {number: decode(line, MAX_SAMPLE_BYTES) for number, line in trial.samples}
    canonical = {number: body for number, body in bodies.items() if "external_id" in body}
    forms = {number: body for number, body in bodies.items() if number not in canonical}
    yield from zip(canonical, platform.submit_all(canonical.values()), strict=True)
    yield from zip(forms, platform.submit_all_forms(forms.values()), strict=True)


def _repeated(trial: _Trial) -> Iterator[Result]:
    for number, answer in _sent(trial):
        again = {} if answer.problem is not None else answer.body["claim"]
        if again.get("id") != trial.claims[number]["id"]:
            yield failed(REPEATED, "得到另一申请", "it became another claim", _line(number))


def _approved(trial: _Trial) -> Iterator[Result]:
    for number, claim in trial.claims.items():
        for role in cycle(_STEPS):
            if claim["state"] != "in_review":
                break
            if claim["next_stage"] == _PROVIDER:
                path = f"/v1/claims/{claim['id']}/provider-confirmation"
                claim = trial.own().caller.post(path, {"confirmed": True})  # noqa: PLW2901 - as it then is
            else:
                decision = {"stage": claim["next_stage"], "outcome": "approve"}
                claim = trial.staff(role).post(f"/v1/claims/{claim['id']}/reviews", decision)  # noqa: PLW2901
        if claim["state"] not in {"approved", "batched", "in_publicity", "payable", "instructed", "paid"}:
            yield from _why_not(number, claim)
        trial.claims[number] = claim


def _why_not(number: int, claim: Mapping[str, Any]) -> Iterator[Result]:
    findings = [one for one in claim["assessment"]["findings"] if one["verdict"] not in {"info", "pass"}]
    for one in findings:
        yield failed(APPROVED, f"{one['message']}〔{one['cite']}〕", one["rule"], _line(number))
    if not findings:
        yield failed(APPROVED, f"状态为 {claim['state']}", f"it is {claim['state']}", _line(number))


def _published(trial: _Trial) -> Iterator[Result]:
    last: date | None = None
    wanted = {
        (one["tenant"], one["scheme"], one["mode"]) for one in trial.claims.values() if one["state"] == "approved"
    }
    maker = trial.staff("maker")
    for tenant, scheme, mode in sorted(wanted):
        made = maker.post(f"/v1/tenants/{tenant}/batches", {"scheme": scheme, "mode": mode, "cut_off": _NOW})
        published = maker.post(f"/v1/tenants/{tenant}/batches/{made['id']}/publish")
        trial.batches.append((tenant, made["id"]))
        through = date.fromisoformat(published["publicity_through"])
        last = through if last is None else max(last, through)
    if last is not None:
        morning = f"{(last + timedelta(days=1)).isoformat()}{_OPENING}"
        trial.staff("operator").put("/v1/demo/clock", {"now": morning})
    yield from ()


def _instructed(trial: _Trial) -> Iterator[Result]:
    for tenant, batch_id in trial.batches:
        path = f"/v1/tenants/{tenant}/batches/{batch_id}"
        trial.staff("maker").post(f"{path}/seal")
        trial.staff("releaser").post(f"{path}/release")
    deadline = time.monotonic() + WAIT_SECONDS
    for tenant, batch_id in trial.batches:
        path = f"/v1/tenants/{tenant}/batches/{batch_id}"
        maker = trial.staff("maker")
        while (batch := maker.get(path))["state"] == "released" and time.monotonic() < deadline:
            time.sleep(_POLL.total_seconds())
        if batch["state"] != "instructed":
            yield failed(
                INSTRUCTED, f"批次状态为 {batch['state']}", f"the batch is {batch['state']}", batch["batch_no"]
            )


def _told(trial: _Trial) -> Iterator[Result]:
    heard = {str(event.subject_id) for event in trial.own().events()}
    for number, claim in trial.claims.items():
        if claim["id"] not in heard:
            yield failed(TOLD, "没有该申请的事件", "no event tells of it", _line(number))


def _line(number: int) -> str:
    return f"第 {number} 行 / line {number}"


_STEPS_OF_WALK: Final[tuple[tuple[Check, Callable[[_Trial], Iterator[Result]]], ...]] = (
    (MARKED, _marked),
    (SIGNS_IN, _signs_in),
    (APART, _apart),
    (TAKEN, _taken),
    (REPEATED, _repeated),
    (APPROVED, _approved),
    (PUBLISHED, _published),
    (INSTRUCTED, _instructed),
    (TOLD, _told),
)
