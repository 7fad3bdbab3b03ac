"""Webhooks over real sockets: signed, each claim in its order, retried, replayed, and only to where they may go."""

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from clearing.settings import DEFAULT_WEBHOOK_WAIT_MS
from clearing.webhooks import targets
from clearing.webhooks.courier import LONGEST_WAIT, wait_after
from clearing.webhooks.targets import TargetError, address_of, is_public, post, target_of
from connectors.webhook_signature import SignatureError, check_signature, new_secret, signed_headers
from tenants.kernel.errors import Invalid
from tests.intake.bodies import claim
from tests.scenarios.callers import Callers
from tests.scenarios.receiver import Receiver, listening
from tests.service.running import Api, until

ON = date(2024, 9, 30)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as one:
        yield one


@pytest.fixture
def platform(callers: Callers) -> Iterator[Api]:
    """Jiangsu's platform, whose endpoints are disabled when the test is over."""
    api = callers.platform("jssic", "jiangsu")
    yield api
    for endpoint in api.get("/v1/webhooks").json["items"]:
        assert api.post(f"/v1/webhooks/{endpoint['id']}/disable").status == 200


def register(platform: Api, receiver: Receiver) -> Any:
    made = platform.post("/v1/webhooks", {"tenant": "jiangsu", "url": f"{receiver.address}/told?by=clearing"})
    assert made.status == 201, made
    return made.json


def decide(center: Api, claim_id: str) -> None:
    """The center approves: a second event of the claim."""
    body = {"stage": "center", "outcome": "approve"}
    assert center.post(f"/v1/claims/{claim_id}/reviews", body).status == 200


def test_what_happens_is_told_signed_and_in_the_claims_order(platform: Api, center: Api, receiver: Receiver) -> None:
    endpoint = register(platform, receiver)
    ids = [platform.post("/v1/claims", claim(on=ON)).json["id"] for _ in range(3)]
    for claim_id in ids:
        decide(center, claim_id)
    until(lambda: all(len(receiver.of(claim_id)) == 2 for claim_id in ids))
    for claim_id in ids:
        assert [one["type"] for one in receiver.of(claim_id)] == ["claim.in_review", "claim.approved"]
    for one in receiver.told:
        assert Webhook(endpoint["secret"]).verify(one.raw, one.headers) == one.body
        with pytest.raises(WebhookVerificationError):
            Webhook(endpoint["secret"]).verify(one.raw + b" ", one.headers)
        assert one.headers["webhook-id"] == one.body["id"]
    feed = {
        one["id"]: one for one in platform.get(f"/v1/events?after={endpoint['starts_after']}&limit=500").json["items"]
    }
    for one in receiver.told:
        same = feed[one.body["id"]]
        assert (one.body["seq"], one.body["type"], one.body["data"]) == (same["seq"], same["type"], same["data"])
    shown = until(lambda: _shown(platform, endpoint, waiting=0))
    assert shown["messages"]["delivered"] == len(feed)
    assert "secret" not in shown


def _shown(platform: Api, endpoint: Any, *, waiting: int) -> Any:
    shown = platform.get(f"/v1/webhooks/{endpoint['id']}").json
    return shown if shown["messages"]["waiting"] == waiting and shown["messages"]["delivered"] else None


def test_one_claim_that_is_not_answered_holds_up_its_own_events_and_no_others(
    platform: Api, center: Api, receiver: Receiver
) -> None:
    tries: Counter[str] = Counter()
    bodies = [claim(on=ON) for _ in range(2)]

    def answer(body: Any) -> int:
        tries[body["id"]] += 1
        return 302 if body["data"].get("external_id") == bodies[0]["external_id"] and tries[body["id"]] == 1 else 200

    receiver.answer = answer
    register(platform, receiver)
    stuck, other = (platform.post("/v1/claims", body).json["id"] for body in bodies)
    for claim_id in (stuck, other):
        decide(center, claim_id)
    until(lambda: len(receiver.of(other)) == 2)
    assert [one["type"] for one in receiver.of(stuck, taken=False)] == ["claim.in_review"]
    until(lambda: len(receiver.of(stuck)) == 2, seconds=40)
    came = [one["type"] for one in receiver.of(stuck, taken=False)]
    assert came == ["claim.in_review", "claim.in_review", "claim.approved", "claim.approved"]
    assert not any(told.headers.get("Host", "").endswith("elsewhere") for told in receiver.told)


def test_events_are_told_again_from_a_cursor_with_the_same_ids(platform: Api, receiver: Receiver) -> None:
    endpoint = register(platform, receiver)
    ids = [platform.post("/v1/claims", claim(on=ON)).json["id"] for _ in range(4)]
    until(lambda: all(receiver.of(claim_id) for claim_id in ids))
    until(lambda: _shown(platform, endpoint, waiting=0))
    first = [receiver.of(claim_id)[0] for claim_id in ids]
    after = min(one["seq"] for one in first)
    answer = platform.post(f"/v1/webhooks/{endpoint['id']}/replay", {"after": after})
    assert answer.json == {"messages": 3}
    again = until(lambda: [receiver.of(one)[-1] for one in ids if len(receiver.of(one)) == 2][2:])
    assert again
    assert [len(receiver.of(claim_id)) for claim_id in ids] == [1, 2, 2, 2]
    assert [receiver.of(claim_id)[-1] for claim_id in ids] == first


def test_a_disabled_endpoint_is_told_nothing_more(platform: Api, receiver: Receiver) -> None:
    endpoint = register(platform, receiver)
    told = platform.post("/v1/claims", claim(on=ON)).json["id"]
    until(lambda: receiver.of(told))
    assert platform.post(f"/v1/webhooks/{endpoint['id']}/disable").json["state"] == "disabled"
    with listening() as other:
        register(platform, other)
        later = platform.post("/v1/claims", claim(on=ON)).json["id"]
        until(lambda: other.of(later))
    assert receiver.of(later) == []
    assert platform.post(f"/v1/webhooks/{endpoint['id']}/replay", {"after": 0}).code == "webhook.disabled"


def test_another_platform_or_tenant_sees_no_endpoint_and_registers_none_for_it(
    platform: Api, callers: Callers, receiver: Receiver
) -> None:
    endpoint = register(platform, receiver)
    for stranger in (callers.platform("delta", "jiangsu"), callers.platform("jssic", "wujiang")):
        assert stranger.get("/v1/webhooks").json["items"] == []
        assert stranger.get(f"/v1/webhooks/{endpoint['id']}").status == 404
        assert stranger.post(f"/v1/webhooks/{endpoint['id']}/disable").status == 404
        assert stranger.post(f"/v1/webhooks/{endpoint['id']}/replay", {"after": 0}).status == 404
    for tenant in ("wujiang", "atlantis"):
        refused = platform.post("/v1/webhooks", {"tenant": tenant, "url": receiver.address})
        assert (refused.status, refused.json["errors"][0]["code"]) == (422, "tenant.unknown")
    assert (
        callers.person("孙某", "claims:write")
        .post("/v1/webhooks", {"tenant": "jiangsu", "url": "https://x.cn/"})
        .status
        == 403
    )


def test_a_platform_has_a_bounded_number_of_endpoints_and_each_secret_is_its_own(
    platform: Api, receiver: Receiver
) -> None:
    secrets = {register(platform, receiver)["secret"] for _ in range(5)}
    assert len(secrets) == 5
    refused = platform.post("/v1/webhooks", {"tenant": "jiangsu", "url": receiver.address})
    assert (refused.status, refused.code) == (409, "webhook.too_many")


def test_the_answer_with_the_secret_is_kept_under_no_idempotency_key(
    platform: Api, callers: Callers, receiver: Receiver
) -> None:
    body = {"tenant": "jiangsu", "url": receiver.address}
    made = platform.post("/v1/webhooks", body, Idempotency_Key="one-registration").json
    with callers.engine.connect() as connection:
        kept = connection.exec_driver_sql(
            "select count(*) from idempotency_key where key = 'one-registration'"
        ).scalar_one()
    assert made["secret"]
    assert kept == 0


@pytest.mark.parametrize(
    "url",
    [
        "http://platform.example.cn/told",
        "https://user:secret@platform.example.cn/",
        "https://platform.example.cn/#part",
        "https://platform.example.cn:25/",
        "https:///told",
        "ftp://platform.example.cn/",
        "https://platform.example.cn/a b",
        "https://" + "a" * 600,
        "https://[::1",
        "//platform.example.cn",
        "",
    ],
)
def test_an_address_that_is_no_plain_https_url_is_refused(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        target_of(url, demonstration=False)
    assert refused.value.errors[0].code == "webhook.url_refused"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",  # noqa: S104
        "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "240.0.0.1", "::1", "::", "fe80::1", "fe80::1%eth0",
        "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1",
    ],
)  # fmt: skip
def test_an_address_inside_any_network_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "223.5.5.5", "2400:3200::1", "::ffff:223.5.5.5"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"])
def test_a_name_of_this_machine_is_refused_however_it_is_written(host: str) -> None:
    target = target_of(f"https://{host}:8443/", demonstration=False)
    with pytest.raises(TargetError):
        address_of(target)


def test_a_receiver_that_never_answers_is_left_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "DEADLINE_SECONDS", 1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        threading.Thread(target=_drip, args=(silent,), daemon=True).start()
        target = target_of(f"http://127.0.0.1:{silent.getsockname()[1]}/", demonstration=True)
        begun = datetime.now(UTC)
        with pytest.raises(TargetError):
            post(target, b"{}", {})
        assert datetime.now(UTC) - begun < timedelta(seconds=5)


def _drip(silent: socket.socket) -> None:
    """One byte of a header line at a time, for ever."""
    connection, _ = silent.accept()
    with connection:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        try:
            while True:
                connection.sendall(b"x")
                threading.Event().wait(0.2)
        except OSError:
            return


def test_our_own_check_and_the_independent_one_agree() -> None:
    secret, body, now = new_secret(), '{"类型":"claim.paid"}'.encode(), datetime.now(UTC)
    headers = signed_headers(secret, "msg-1", body, now)
    assert Webhook(secret).verify(body, headers) == {"类型": "claim.paid"}
    assert check_signature(secret, {name.title(): value for name, value in headers.items()}, body, now) == "msg-1"
    theirs = {**headers, "webhook-signature": Webhook(secret).sign("msg-1", now, body.decode())}
    assert check_signature(secret, theirs, body, now) == "msg-1"
    for spoilt in (
        {**headers, "webhook-id": "msg-2"},
        {**headers, "webhook-timestamp": str(int(now.timestamp()) + 1)},
        {**headers, "webhook-timestamp": "soon"},
        {**headers, "webhook-signature": "v2," + headers["webhook-signature"].partition(",")[2]},
        {name: value for name, value in headers.items() if name != "webhook-id"},
    ):
        with pytest.raises(SignatureError):
            check_signature(secret, spoilt, body, now)
    with pytest.raises(SignatureError, match="old"):
        check_signature(secret, headers, body, now + timedelta(minutes=6))
    with pytest.raises(SignatureError, match="fits"):
        check_signature(new_secret(), headers, body, now)


def test_waits_double_up_to_an_hour_and_three_days_hold_many_of_them() -> None:
    first = timedelta(milliseconds=DEFAULT_WEBHOOK_WAIT_MS)
    assert [wait_after(attempt, first).total_seconds() for attempt in (1, 2, 3)] == [5, 10, 20]
    assert wait_after(40, first) == LONGEST_WAIT
