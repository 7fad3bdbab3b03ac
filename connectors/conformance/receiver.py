"""The receiver of webhooks: told what the service would tell it, and what a forger or a broken line would."""

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from connectors.conformance.asking import Asker, Reply
from connectors.conformance.check import Check, Result, failed, passed, skipped
from connectors.webhook_signature import (
    ID_HEADER,
    SIGNATURE_HEADER,
    TOLERANCE,
    new_secret,
    signed_headers,
)
from tenants.kernel.canonical import canonical_bytes
from tenants.kernel.clock import Clock, print_instant
from tenants.kernel.errors import Text
from tenants.kernel.ids import new_id

DEADLINE: Final = timedelta(seconds=20)
"""What the service itself waits."""
QUICK: Final = timedelta(seconds=5)
AT_ONCE: Final = 5
LARGE: Final = 200_000
_AGAIN: Final = Text(
    "用原始字节按 Standard Webhooks 验签。", "Check the signature by Standard Webhooks over the raw bytes."
)


def _check(name: str, zh: str, en: str, next_zh: str, next_en: str) -> Check:
    return Check(f"receiver.{name}", Text(zh, en), Text(next_zh, next_en))


ACCEPTS: Final = _check(
    "accepts", "接受正确签名的消息（2xx）。", "It takes a message that is signed rightly (2xx).",
    "核对密钥（whsec_…）与地址；用原始请求体验签。", "Compare secret and address; check the raw body's signature.",
)  # fmt: skip
MOVED: Final = _check(
    "no_redirection", "不以重定向答复。", "It answers with no redirection.",
    "登记最终地址：重定向不会被跟随。", "Register the final address: redirections are not followed.",
)  # fmt: skip
WORKS: Final = _check(
    "no_server_error", "不以 5xx 答复正确的消息。", "It answers a right message with no 5xx.",
    "查看该接口的日志；5xx 会被重试三天。", "Look into its log; a 5xx is tried again for three days.",
)  # fmt: skip
THERE: Final = _check(
    "reachable", "可以连接，并在 20 秒内答复。", "It can be reached, and answers within 20 seconds.",
    "检查地址、证书与防火墙；先答复后处理。", "Look at address, certificate and firewall; answer first, work later.",
)  # fmt: skip
KEPT: Final = _check(
    "not_gone", "不以 410 答复。", "It does not answer 410.",
    "410 表示不再需要消息：请恢复接口或停用该地址。", "410 says that no message is wanted: restore it, or disable it.",
)  # fmt: skip
SWIFT: Final = _check(
    "quick", "在 5 秒内答复。", "It answers within 5 seconds.",
    "把消息存下后立即答复，处理放到后台。", "Store the message, answer at once, and work on it later.",
)  # fmt: skip
UNSIGNED: Final = _check(
    "refuses_unsigned",
    "拒绝没有签名的消息（4xx）。",
    "It refuses a message without signature (4xx).",
    _AGAIN.zh,
    _AGAIN.en,
)
FORGED: Final = _check(
    "refuses_wrong_signature", "拒绝签名错误的消息。", "It refuses a wrong signature.", _AGAIN.zh, _AGAIN.en
)
CHANGED: Final = _check(
    "refuses_changed_body", "拒绝内容被改动的消息。", "It refuses a body that was changed.",
    "签名须覆盖整个请求体，不只是编号与时间。", "The signature covers the whole body, not id and time alone.",
)  # fmt: skip
RENAMED: Final = _check(
    "refuses_changed_id", "拒绝编号被改动的消息。", "It refuses an id that was changed.",
    "签名内容为“编号.时间.请求体”。", "What is signed is id, full stop, time, full stop, body.",
)  # fmt: skip
OLD: Final = _check(
    "refuses_old", "拒绝五分钟前签名的消息。", "It refuses what was signed more than five minutes ago.",
    "比较 webhook-timestamp 与本机时间，容差 5 分钟；校准时钟。", "Compare webhook-timestamp with your clock; set it.",
)  # fmt: skip
EARLY: Final = _check(
    "refuses_future", "拒绝来自未来的消息。", "It refuses what is signed in the future.",
    "时间差取绝对值比较；校准时钟。", "Compare the difference without its sign; set the clock.",
)  # fmt: skip
ROTATES: Final = _check(
    "several_signatures", "多个签名中有一个正确即接受。", "It takes a message one of whose signatures is right.",
    "webhook-signature 以空格分隔多个签名：逐个比较。", "webhook-signature may hold several, spaces between: try each.",
)  # fmt: skip
TWICE: Final = _check(
    "takes_duplicates", "同一消息再来时仍答复 2xx。", "It answers 2xx when the same message comes again.",
    "按 webhook-id 去重，重复的照样答复 2xx。", "Tell messages by webhook-id; answer a repeated one with 2xx too.",
)  # fmt: skip
ORDER: Final = _check(
    "takes_late_messages", "序号较小的消息晚到时仍答复 2xx。", "It answers 2xx where a lower seq comes later.",
    "忽略旧状态，但不要报错。", "Leave the older state aside, and refuse nothing.",
)  # fmt: skip
UNKNOWN: Final = _check(
    "ignores_unknown_types", "未知类型的消息答复 2xx。", "It answers 2xx to a type that it does not know.",
    "忽略未知类型：今后会有新的事件。", "Leave unknown types aside: there will be new ones.",
)  # fmt: skip
MORE: Final = _check(
    "ignores_unknown_members", "消息中多出的字段不致出错。", "It takes members that it does not know.",
    "解析时不要拒绝未知字段。", "Do not refuse unknown members.",
)  # fmt: skip
FOREIGN: Final = _check(
    "takes_unknown_claims", "不认识的申请的消息答复 2xx。", "It answers 2xx about a claim that it does not know.",
    "记录后答复 2xx；否则重试会堵住后面的消息。", "Note it and answer 2xx: tries would hold up what follows.",
)  # fmt: skip
PAYOUTS: Final = _check(
    "takes_payouts", "接受拨付事件（payout.*），只凭 claim_id 对应申请。",
    "It takes events of payment (payout.*), which name the claim by its id alone.",
    "拨付事件没有 external_id 与 state：按 claim_id 查申请，按 payment 区分各次拨付。",
    "They hold no external_id and no state: find the claim by claim_id, tell payments apart by payment.",
)  # fmt: skip
CHINESE: Final = _check(
    "takes_chinese", "接受 UTF-8 中文内容。", "It takes Chinese in UTF-8.",
    "按 UTF-8 读取请求体，不经本地编码。", "Read the body as UTF-8, through no local encoding.",
)  # fmt: skip
BIG: Final = _check(
    "takes_large", "接受 200 KB 的消息。", "It takes a message of 200 KB.",
    "放宽请求体大小限制。", "Allow larger bodies.",
)  # fmt: skip
MANY: Final = _check(
    "takes_several_at_once", "同时来的五条消息都接受。", "It takes five messages at once.",
    "不要以全局锁或单连接处理。", "Serve them by more than one connection and no global lock.",
)  # fmt: skip
CHECKS: Final = (
    THERE, MOVED, KEPT, WORKS, ACCEPTS, SWIFT, UNSIGNED, FORGED, CHANGED, RENAMED, OLD, EARLY, ROTATES, TWICE, ORDER,
    UNKNOWN, MORE, FOREIGN, PAYOUTS, CHINESE, BIG, MANY,
)  # fmt: skip
_FIRST: Final = (THERE, MOVED, KEPT, WORKS, ACCEPTS)
_GONE: Final = 410


@dataclass(slots=True)
class _Teller:
    """Makes messages as the service does."""

    asker: Asker
    secret: str
    clock: Clock
    seq: int = 100
    claim: UUID = field(default_factory=new_id)

    def body(self, **members: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
        self.seq += 1
        now = self.clock.now()
        data = {
            "claim_id": str(self.claim), "claim_no": "JS2024-000001", "external_id": "CONFORMANCE-1",
            "state": "in_review", "tenant": "jiangsu",
        }  # fmt: skip
        return {
            "type": "claim.in_review", "timestamp": print_instant(now), "id": str(new_id()), "seq": self.seq,
            "tenant": "jiangsu", "subject_id": str(self.claim), "data": data, "test": True,
        } | members  # fmt: skip

    def send(self, body: Mapping[str, Any], secret: str = "", late: timedelta = timedelta(0)) -> Reply:
        raw = canonical_bytes(dict(body))
        return self.raw(raw, signed_headers(secret or self.secret, str(body["id"]), raw, self.clock.now() - late))

    def raw(self, raw: bytes, headers: Mapping[str, str]) -> Reply:
        return self.asker.ask("POST", {**headers, "Content-Type": "application/json"}, raw)

    def tell(self, **members: Any) -> Reply:  # noqa: ANN401 - any JSON
        return self.send(self.body(**members))


def check_receiver(
    url: str, secret: str, clock: Clock, deadline: timedelta = DEADLINE, quick: timedelta = QUICK
) -> Iterator[Result]:
    """Each check of the receiver at ``url`` in its order; those that stand on a failed one are not tried."""
    teller = _Teller(Asker(url, deadline), secret, clock)
    first = teller.tell()
    reasons = (
        first.status == 0,
        first.status // 100 == 3,  # noqa: PLR2004 - redirections
        first.status == _GONE,
        first.status // 100 == 5,  # noqa: PLR2004 - server errors
        not first.good,
    )
    for number, (check, wrong) in enumerate(zip(_FIRST, reasons, strict=True)):
        if wrong:
            yield failed(check, first.said.zh, first.said.en)
            yield from (skipped(one) for one in CHECKS[number + 1 :])
            return
        yield passed(check)
    yield _swift(first, quick)
    for check, wants_good, act in _ACTS:
        reply = act(teller)
        yield passed(check) if (reply.good if wants_good else reply.refused) else _otherwise(check, reply)
    yield _at_once(teller)


def _swift(reply: Reply, quick: timedelta) -> Result:
    if reply.took <= quick:
        return passed(SWIFT)
    seconds = int(reply.took.total_seconds())
    return failed(SWIFT, f"用了 {seconds} 秒", f"it took {seconds} seconds")


def _otherwise(check: Check, reply: Reply) -> Result:
    return failed(check, reply.said.zh, reply.said.en)


def _at_once(teller: _Teller) -> Result:
    latest = teller.seq + AT_ONCE  # of one number, so that none of them is later than another
    bodies = [teller.body(seq=latest) for _ in range(AT_ONCE)]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        wrong = [reply for reply in threads.map(teller.send, bodies) if not reply.good]
    return _otherwise(MANY, wrong[0]) if wrong else passed(MANY)


def _unsigned(teller: _Teller) -> Reply:
    return teller.raw(canonical_bytes(teller.body()), {})


def _changed(teller: _Teller) -> Reply:
    body = teller.body()
    headers = signed_headers(teller.secret, str(body["id"]), canonical_bytes(body), teller.clock.now())
    return teller.raw(canonical_bytes(body | {"type": "claim.approved"}), headers)


def _renamed(teller: _Teller) -> Reply:
    raw = canonical_bytes(teller.body())
    headers = signed_headers(teller.secret, str(new_id()), raw, teller.clock.now())
    return teller.raw(raw, headers | {ID_HEADER: str(new_id())})


def _several(teller: _Teller) -> Reply:
    body = teller.body()
    raw = canonical_bytes(body)
    headers = signed_headers(teller.secret, str(body["id"]), raw, teller.clock.now())
    other = signed_headers(new_secret(), str(body["id"]), raw, teller.clock.now())[SIGNATURE_HEADER]
    return teller.raw(raw, headers | {SIGNATURE_HEADER: f"v2,abc {other} {headers[SIGNATURE_HEADER]}"})


def _again(teller: _Teller) -> Reply:
    body = teller.body()
    teller.send(body)
    return teller.send(body)


def _late(teller: _Teller) -> Reply:
    earlier, later = teller.body(), teller.body()
    teller.send(later)
    return teller.send(earlier)


def _in_chinese(teller: _Teller) -> Reply:
    body = teller.body()
    body["data"] |= {"reason": "材料不符：请补正“服务完成证明”—㐂𠮷"}
    raw = json.dumps(body, ensure_ascii=False).encode()
    return teller.raw(raw, signed_headers(teller.secret, str(body["id"]), raw, teller.clock.now()))


def _of_stranger(teller: _Teller) -> Reply:
    body, stranger = teller.body(), str(new_id())
    body["data"] |= {"claim_id": stranger, "external_id": "NOBODY-KNOWS-THIS"}
    return teller.send(body | {"subject_id": stranger})


def _of_payment(teller: _Teller) -> Reply:
    data = {
        "amount": "5000.00", "batch_id": str(new_id()), "batch_no": "B-JS-2024-0001", "claim_id": str(teller.claim),
        "claim_no": "JS2024-000001", "instruction_id": str(new_id()), "kind": "common_use", "payment": 1,
        "tenant": "jiangsu",
    }  # fmt: skip
    told = [teller.tell(type=kind, data=data) for kind in ("payout.paid", "payout.returned")]
    return next((reply for reply in told if not reply.good), told[-1])


def _with_more(teller: _Teller) -> Reply:
    body = teller.body(added_later={"deep": [1, None]})
    body["data"] |= {"added_later": "x"}
    return teller.send(body)


_LONG_AGO: Final = TOLERANCE + timedelta(minutes=5)
_ACTS: Final[tuple[tuple[Check, bool, Callable[[_Teller], Reply]], ...]] = (
    (UNSIGNED, False, _unsigned),
    (FORGED, False, lambda teller: teller.send(teller.body(), new_secret())),
    (CHANGED, False, _changed),
    (RENAMED, False, _renamed),
    (OLD, False, lambda teller: teller.send(teller.body(), late=_LONG_AGO)),
    (EARLY, False, lambda teller: teller.send(teller.body(), late=-_LONG_AGO)),
    (ROTATES, True, _several),
    (TWICE, True, _again),
    (ORDER, True, _late),
    (UNKNOWN, True, lambda teller: teller.tell(type="claim.something_new")),
    (MORE, True, _with_more),
    (FOREIGN, True, _of_stranger),
    (PAYOUTS, True, _of_payment),
    (CHINESE, True, _in_chinese),
    (BIG, True, lambda teller: teller.tell(padding="x" * LARGE)),
)
"""Each further check, whether its message is to be taken, and what is sent."""
