"""Claims and support records by the line: good lines go in whatever the others are, and each line has its answer."""

import gzip
import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine

from connectors.client import Caller, ClientSecret, Platform
from tests.intake.bodies import JIANGSU, WUJIANG, Body, claim
from tests.races.books import faults
from tests.scenarios.callers import Callers
from tests.service.running import Api, Reply

ON = date(2024, 9, 30)
NDJSON = "application/x-ndjson"


def send(caller: Api, *lines: bytes, path: str = "/v1/claims/bulk", end: bytes = b"\n", **headers: str) -> Reply:
    """Send the lines as one body."""
    return caller.call("POST", path, end.join(lines) + end, Content_Type=NDJSON, **headers)


def line(body: Body) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


def answers(reply: Reply) -> list[dict[str, Any]]:
    assert (reply.status, reply.headers["Content-Type"]) == (200, NDJSON)
    return [json.loads(one) for one in reply.body.splitlines()]


def test_good_and_broken_lines_are_answered_each_in_its_place(jssic: Api) -> None:
    good = [claim(on=ON) for _ in range(3)]
    unread = claim(on=ON)
    unread["invoices"][0]["amount"] = 1.5
    lines = [
        line(good[0]),
        b'{"external_id": "cut off',
        line(good[1]),
        b"[]",
        line(claim(on=ON) | {"tenant": "wujiang"}),
        line(unread),
        b'"' + b"x" * (256 * 1024) + b'"',
        line(good[2]),
        line(good[0]),
        line(good[0] | {"mode": "cross_redemption"}),
        b"\xff\xfe",
    ]
    found = answers(send(jssic, *lines))
    assert [one["line"] for one in found] == list(range(1, 12))
    assert [one["status"] for one in found] == [201, 400, 201, 422, 422, 400, 413, 201, 200, 409, 400]
    assert all(("claim" in one) is (one["status"] in {200, 201}) for one in found)
    assert all(("problem" in one) is (one["status"] >= 400) for one in found)
    assert found[4]["problem"]["errors"][0]["pointer"] == "/tenant"
    assert found[5]["problem"]["errors"][0]["pointer"] == "/invoices/0/amount"
    assert found[8]["claim"]["id"] == found[0]["claim"]["id"]
    for body in good:
        assert len(jssic.get(f"/v1/claims?external_id={body['external_id']}").json["items"]) == 1


def test_a_body_sent_again_as_a_whole_changes_nothing(jssic: Api, auditor: Engine) -> None:
    lines = [line(claim(on=ON)) for _ in range(20)]
    first, second = answers(send(jssic, *lines)), answers(send(jssic, *lines))
    assert {one["status"] for one in first} == {201}
    assert {one["status"] for one in second} == {200}
    assert [one["claim"]["id"] for one in first] == [one["claim"]["id"] for one in second]
    assert faults(auditor) == []


def test_claims_of_several_tenants_may_be_interleaved(delta: Api) -> None:
    tenants = ["wujiang", "qingpu", "wujiang", "jiashan", "qingpu", "wujiang"]
    found = answers(send(delta, *[line(claim(WUJIANG, on=ON, tenant=tenant)) for tenant in tenants]))
    assert [one["status"] for one in found] == [201] * 6
    assert [one["claim"]["tenant"] for one in found] == tenants
    codes = [one["claim"]["claim_no"].split("-")[1] for one in found]
    assert len(set(codes)) == 3


def test_interleaved_claims_of_a_tenant_are_taken_in_by_one_transaction(delta: Api) -> None:
    tenants = ["wujiang", "qingpu", "maanshan"] * 10
    found = answers(send(delta, *[line(claim(WUJIANG, on=ON, tenant=tenant)) for tenant in tenants]))
    assert [one["claim"]["tenant"] for one in found] == tenants
    instants = {(one["claim"]["tenant"], one["claim"]["received_at"]) for one in found}
    assert len(instants) == len(set(tenants))


def test_of_two_tenants_claims_for_one_spending_the_line_that_came_first_has_it(delta: Api) -> None:
    other, first = claim(WUJIANG, on=ON, tenant="qingpu"), claim(WUJIANG, on=ON, tenant="wujiang")
    second = claim(WUJIANG, on=ON, tenant="qingpu") | {"invoices": first["invoices"], "enterprise": first["enterprise"]}
    found = answers(send(delta, line(other), line(first), line(second)))
    assert [one["claim"]["tenant"] for one in found] == ["qingpu", "wujiang", "qingpu"]
    rules = [{finding["rule"] for finding in one["claim"]["assessment"]["findings"]} for one in found]
    assert [rule & {"duplicate.cross_scheme"} for rule in rules] == [set(), set(), {"duplicate.cross_scheme"}]


def test_a_duplicate_within_one_body_is_judged_like_one_of_yesterday(jssic: Api) -> None:
    body, twin = claim(on=ON), claim(on=ON)
    twin["enterprise"] = body["enterprise"]
    twin["invoices"] = body["invoices"]
    found = answers(send(jssic, line(body), line(twin)))
    assert [one["claim"]["state"] for one in found] == ["in_review", "rejected"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\n\n", b"\n \t\n"])
def test_lines_end_and_blank_lines_count_as_in_any_text(jssic: Api, end: bytes) -> None:
    bodies = [claim(on=ON), claim(on=ON)]
    found = answers(send(jssic, *map(line, bodies), end=end))
    assert [one["status"] for one in found] == [201, 201]
    assert [one["line"] for one in found] == [1, 1 + end.count(b"\n")]


def test_the_last_line_needs_no_end(jssic: Api) -> None:
    reply = jssic.call("POST", "/v1/claims/bulk", line(claim(on=ON)), Content_Type=NDJSON)
    assert [one["status"] for one in answers(reply)] == [201]


@pytest.mark.parametrize("body", [b"", b"\n", b" \n\t\n"])
def test_nothing_sent_is_answered_by_nothing(jssic: Api, body: bytes) -> None:
    reply = jssic.call("POST", "/v1/claims/bulk", body, Content_Type=NDJSON)
    assert (reply.status, reply.body) == (200, b"")


def test_another_content_type_is_refused(jssic: Api) -> None:
    reply = jssic.call("POST", "/v1/claims/bulk", line(claim(on=ON)), Content_Type="application/json")
    assert (reply.status, reply.code) == (415, "content_type.unsupported")


def pack(*lines: bytes) -> bytes:
    return gzip.compress(b"\n".join(lines) + b"\n")


def send_packed(caller: Api, content: bytes, **headers: str) -> Reply:
    return caller.call(
        "POST", "/v1/claims/bulk", content, Content_Type=NDJSON, **{"Content_Encoding": "gzip", **headers}
    )


def stored(caller: Api, body: Body) -> list[Any]:
    found: list[Any] = caller.get(f"/v1/claims?external_id={body['external_id']}").json["items"]
    return found


def test_lines_sent_as_gzip_are_taken_in_like_any_and_may_go_on_where_they_broke_off(jssic: Api) -> None:
    bodies = [claim(on=ON) for _ in range(3)]
    lines = [line(bodies[0]), b"{", line(bodies[1]), line(bodies[2])]
    first = answers(send_packed(jssic, pack(*lines)))
    assert [(one["line"], one["status"]) for one in first] == [(1, 201), (2, 400), (3, 201), (4, 201)]
    again = answers(send_packed(jssic, pack(*lines[2:]), Accept_Encoding="gzip"))
    assert [one["status"] for one in again] == [200, 200]
    assert [one["claim"]["id"] for one in again] == [one["claim"]["id"] for one in first[2:]]


def test_answers_come_as_gzip_where_the_caller_takes_it(jssic: Api) -> None:
    content = pack(*[line(claim(on=ON)) for _ in range(2)])
    plain, coded = send_packed(jssic, content), send_packed(jssic, content, Accept_Encoding="gzip")
    assert "Content-Encoding" not in plain.headers
    assert coded.headers["Content-Encoding"] == "gzip"
    assert (plain.headers["Vary"], coded.headers["Vary"]) == ("Accept-Encoding",) * 2
    assert [one["claim"]["id"] for one in answers(plain)] == [one["claim"]["id"] for one in answers(coded)]


@pytest.mark.parametrize(
    ("harm", "status", "code"),
    [
        (lambda content: content[:-20], 400, "content_encoding.corrupt"),
        (lambda content: content[:-6] + bytes([content[-6] ^ 1]) + content[-5:], 400, "content_encoding.corrupt"),
        (lambda content: content[:40] + b"\xff" * 8 + content[48:], 400, "content_encoding.corrupt"),
        (lambda content: content + b"more", 400, "content_encoding.corrupt"),
        (lambda _: b"no gzip", 400, "content_encoding.corrupt"),
        (lambda content: content + gzip.compress(b" " * 2**21), 413, "body.unpacks_too_large"),
    ],
    ids=["cut off", "checksum", "damaged", "garbage behind", "no gzip", "bomb"],
)
def test_of_a_packed_body_that_is_not_sound_no_line_is_believed(
    jssic: Api, harm: Callable[[bytes], bytes], status: int, code: str
) -> None:
    body = claim(on=ON)
    reply = send_packed(jssic, harm(pack(line(body))))
    assert (reply.status, reply.code) == (status, code)
    assert stored(jssic, body) == []


def test_other_codings_and_packed_single_claims_are_refused(jssic: Api) -> None:
    body = claim(on=ON)
    bulk = send_packed(jssic, pack(line(body)), Content_Encoding="gzip, gzip")
    assert (bulk.status, bulk.code) == (415, "content_encoding.unsupported")
    single = jssic.call(
        "POST", "/v1/claims", pack(line(body)), Content_Type="application/json", Content_Encoding="gzip"
    )
    assert (single.status, single.code) == (415, "content_encoding.unsupported")
    assert stored(jssic, body) == []


def test_the_client_library_packs_and_unpacks(jssic: Api) -> None:
    assert jssic.client_id is not None
    bodies = [claim(on=ON) for _ in range(3)]
    with Caller(jssic.address, ClientSecret(jssic.client_id, jssic.client_secret), packs=True) as caller:
        done = list(Platform(caller).submit_all(bodies))
    assert [(one.line, one.status) for one in done] == [(1, 201), (2, 201), (3, 201)]


def test_problems_are_told_in_the_language_asked_for(jssic: Api) -> None:
    chinese, english = (
        answers(send(jssic, b"{}", Accept_Language=language))[0]["problem"] for language in ("zh", "en")
    )
    assert chinese["code"] == english["code"] == "claim.invalid"
    assert chinese["detail"] != english["detail"]


def test_a_line_of_the_largest_size_is_read(jssic: Api) -> None:
    body = claim(on=ON)
    room = 256 * 1024 - len(line(body)) - 4
    padded = line(body)[:-1] + b" " * room + b"}"
    assert len(padded) <= 256 * 1024
    assert answers(send(jssic, padded))[0]["status"] == 201


def test_an_id_of_a_tenant_that_the_client_does_not_speak_for_is_a_conflict_alone(callers: Callers, delta: Api) -> None:
    taken = claim(WUJIANG, on=ON)
    assert delta.post("/v1/claims", taken).status == 201
    narrow = callers.platform("delta", "qingpu")
    other = claim(WUJIANG, on=ON, tenant="qingpu", external_id=taken["external_id"])
    good = [claim(WUJIANG, on=ON, tenant="qingpu") for _ in range(4)]
    found = answers(send(narrow, line(good[0]), line(good[1]), line(other), line(good[2]), line(good[3])))
    assert [one["status"] for one in found] == [201, 201, 409, 201, 201]
    assert found[2]["problem"]["code"] == "claim.content_differs"
    assert "wujiang" not in json.dumps(found[2])


def support(body: Body, **members: Any) -> Body:
    return {
        "platform": "wujiang-local",
        "external_id": f"S-{body['external_id']}",
        "tenant": "wujiang",
        "enterprise_uscc": body["enterprise"]["uscc"],
        "keys": [{"kind": "invoice", "value": body["invoices"][0]["number"], "amount": "10000.00"}],
        "supported_on": "2024-06-03",
    } | members


def test_support_records_by_the_line_block_the_claims_they_name(callers: Callers, jssic: Api) -> None:
    local = callers.platform("wujiang-local", "wujiang")
    bodies = [claim(JIANGSU, on=ON) for _ in range(2)]
    twice = support(bodies[1])
    twice["keys"] *= 2
    lines = [line(support(bodies[0])), b"{", line(twice), line(support(bodies[0]))]
    found = answers(send(local, *lines, path="/v1/support-records/bulk"))
    assert [one["status"] for one in found] == [201, 400, 201, 200]
    for body in bodies:
        refused = jssic.post("/v1/claims", body).json
        assert refused["state"] == "rejected"
        assert "duplicate.cross_scheme" in {one["rule"] for one in refused["assessment"]["findings"]}


def test_a_support_record_that_names_one_invoice_twice_is_taken(callers: Callers) -> None:
    local = callers.platform("wujiang-local", "wujiang")
    body = support(claim(on=ON))
    body["keys"] *= 2
    assert local.post("/v1/support-records", body).status == 201


def test_a_platform_records_no_support_for_another_platform_or_tenant(callers: Callers) -> None:
    local = callers.platform("wujiang-local", "wujiang")
    for members, pointer in (({"platform": "jssic"}, "/platform"), ({"tenant": "jiangsu"}, "/tenant")):
        reply = local.post("/v1/support-records", support(claim(on=ON), **members))
        assert (reply.status, reply.json["errors"][0]["pointer"]) == (422, pointer)
