"""Connectors in the console: how each stands, the queue, keys, webhooks, receipts, and requests without secrets."""

import csv
import io
import json
import re
from typing import Any
from uuid import UUID

import pytest
from joserfc.jwk import ECKey

from clearing.operating.requests import KEPT_REQUESTS, RequestLog, curl_of, shown_path, shown_query
from clearing.pulling.puller import Puller
from connectors.simulators.outlet import Outlet, outlet_serving
from tests.console.world import Visitor, World, plain

EVERY = ("jiangsu", "wujiang", "jiashan", "qingpu", "maanshan", "shanxi-hainan")


@pytest.fixture(scope="module")
def operator(world: World) -> Visitor:
    world.one_in_review()
    world.invite("connectors-operator", "clearing_operator", tenants=EVERY)
    return world.visitor("connectors-operator")


def log_of(world: World) -> RequestLog:
    found: RequestLog = world.app.extensions["clearing-requests"]
    found.flush()
    return found


def test_every_platform_is_listed_with_its_last_contact(world: World, operator: Visitor) -> None:
    log_of(world)
    page = plain(operator.see("/console/connectors"))
    assert "江苏省科技资源统筹服务云平台" in page
    assert "正常" in page
    narrow = world.visitor(world.invite("jiangsu-operator", "clearing_operator", tenants=("jiangsu",)))
    seen = plain(narrow.see("/console/connectors").split("<main")[1])
    assert "jssic" in seen
    assert "wujiang-local" not in seen


def test_a_client_of_other_regions_too_is_absent(world: World, operator: Visitor) -> None:
    page = operator.see("/console/connectors/clients?platform=jssic")
    found = re.search(r'href="(/console/connectors/clients/jssic-[0-9a-f]+)"', page)
    assert found is not None
    narrow = world.visitor(world.invite("jiangsu-operator", "clearing_operator", tenants=("jiangsu",)))
    assert narrow.browser.get(found[1]).status_code == 404
    assert "jssic-" not in narrow.see("/console/connectors/clients").split("<main")[1]


def test_a_request_is_shown_as_curl_and_holds_no_secret(world: World, operator: Visitor) -> None:
    claim = world.one_in_review()
    world.story.call("jssic", "GET", f"/v1/claims?enterprise={claim['enterprise']['uscc']}&state=in_review")
    refused = world.story.call("jssic", "POST", "/v1/claims", {"nonsense": "秘密的内容"}, ok=422).get_json()
    log = log_of(world)
    token = world.story.tokens["jssic"]
    ids = re.findall(r"/clients/(jssic-[0-9a-f]+)\"", operator.see("/console/connectors/clients?platform=jssic"))
    client_id = max(ids, key=lambda one: (log.of(one) or [{"at": ""}])[0]["at"])
    page = operator.see(f"/console/connectors/clients/{client_id}")
    assert "curl -sS -X POST" in plain(page)
    assert refused["code"] in page
    for secret in (token, claim["enterprise"]["uscc"], "秘密的内容", "nonsense"):
        assert secret not in page
    raw = b"".join(world.service.queue.lrange(f"clearing:requests:{client_id}", 0, -1))  # type: ignore[arg-type]
    for secret in (token, claim["enterprise"]["uscc"], "秘密的内容"):
        assert secret.encode() not in raw


def test_the_log_is_bounded_and_what_lies_there_is_distrusted(world: World) -> None:
    log = log_of(world)
    for number in range(KEPT_REQUESTS + 20):
        log.note("bounded", {"at": "2024-10-01T00:00:00+08:00", "path": f"/{number}"})
    log.flush()
    kept = log.of("bounded")
    assert (len(kept), kept[0]["path"]) == (KEPT_REQUESTS, f"/{KEPT_REQUESTS + 19}")
    assert 0 < int(world.service.queue.ttl("clearing:requests:bounded")) <= 7 * 86_400
    for hostile in (b"\xff", b"[]", b'{"at": 7}', b'"x"', b'{"at": "yesterday"}'):
        world.service.queue.lpush("clearing:requests:bounded", hostile)
    assert len(log.of("bounded")) == KEPT_REQUESTS - 5
    world.service.queue.delete("clearing:requests:bounded")


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        (
            {"method": "GET", "path": "/v1/claims", "query": "state=open"},
            """curl -sS -X GET "$CLEARING_ADDRESS"'/v1/claims?state=open' -H "Authorization: Bearer $TOKEN\"""",
        ),
        (
            {"method": "POST", "path": "/v1/x';rm -rf /;'", "bytes": 3, "type": "a/b'"},
            (
                """curl -sS -X POST "$CLEARING_ADDRESS"'/v1/x'"'"';rm -rf /;'"'"'' -H "Authorization: Bearer $TOKEN" """
                """-H 'Content-Type: a/b'"'"'' --data-binary @body"""
            ),
        ),
    ],
)
def test_a_curl_line_is_quoted(entry: dict[str, Any], line: str) -> None:
    assert curl_of(entry) == line


def test_paths_and_queries_are_kept_without_whom_they_name() -> None:
    rule = "/v1/enterprises/<uscc>/qualifications/<tenant>/<int:year>"
    arguments = {"uscc": "91320300MA1K3F1U0X", "tenant": "jiangsu", "year": 2024}
    assert shown_path(rule, arguments) == "/v1/enterprises/***/qualifications/jiangsu/2024"
    assert shown_query([("state", "open"), ("enterprise", "91320300MA1K3F1U0X")]) == "state=open&enterprise=***"


def test_a_key_is_added_and_revoked_with_proof(world: World, operator: Visitor) -> None:
    page = operator.see("/console/connectors/clients?platform=delta")
    found = re.search(r'href="(/console/connectors/clients/delta-[0-9a-f]+)"', page)
    assert found is not None
    path = found[1]
    key = ECKey.generate_key("P-256")
    private, public = json.dumps(key.as_dict(private=True)), json.dumps(key.as_dict(private=False))
    for wrong in ("", "nonsense", "[]", private):
        answer = operator.send(path, f"{path}/keys", jwk=wrong, **operator.proof())
        assert answer.status_code == 422, wrong
    assert operator.send(path, f"{path}/keys", jwk=public, password="no", code="1").status_code == 403
    answer = operator.send(path, f"{path}/keys", jwk=public, **operator.proof())
    assert answer.headers["Location"] == f"{path}?done=key-added", plain(answer.get_data(as_text=True))
    kid = key.thumbprint()
    assert kid in operator.see(path)
    answer = operator.send(path, f"{path}/keys/{kid}/revoke", **operator.proof())
    assert answer.headers["Location"] == f"{path}?done=key-revoked"
    assert f"{path}/keys/{kid}/revoke" not in operator.see(path)


def test_a_stuck_job_is_found_and_tried_again(world: World, operator: Visitor) -> None:
    claim = world.one_in_review()
    job_id: UUID = world.story.do(
        lambda work: work.connection.exec_driver_sql(
            "update outbox set attempts = 9, last_error = %s, next_attempt_at = created_at + interval '2 hours' "
            "where done_at is null and subject_id = %s returning id",
            ("<b>boom</b>", claim["id"]),
        ).scalar_one()
    )
    page = operator.see("/console/connectors/jobs?state=stuck")
    assert str(job_id) in page
    assert "&lt;b&gt;boom" in page
    text = operator.browser.get("/console/connectors/jobs/export.csv?state=stuck").get_data().decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text)))
    assert str(job_id) in {row[0] for row in rows}
    path = f"/console/connectors/jobs/{job_id}/retry"
    assert operator.send("/console/connectors/jobs?state=stuck", path).status_code == 303
    due = world.story.do(
        lambda work: work.connection.exec_driver_sql(
            "update outbox set attempts = 0, last_error = null, next_attempt_at = created_at where id = %s "
            "returning (select next_attempt_at <= %s from outbox where id = %s)",
            (job_id, work.at, job_id),
        ).scalar_one()
    )
    assert due is True
    absent = operator.browser.post(
        path.replace(str(job_id), "01900000-0000-7000-8000-000000000000"),
        data={"form_token": re.findall(r'name="form_token" value="([^"]+)"', page)[0]},
    )
    assert absent.status_code == 404


def test_receipts_and_endpoints_are_listed_counted_and_exported(world: World, operator: Visitor) -> None:
    from clearing.receipts import issue_receipts

    assert world.story.do(issue_receipts) >= 0
    for path in ("receipts", "webhooks", "clients", "jobs"):
        page = plain(operator.see(f"/console/connectors/{path}"))
        assert re.search(r"共 \d+ ", page), path
        for form in ("csv", "xlsx"):
            with operator.browser.get(f"/console/connectors/{path}/export.{form}") as file:
                assert file.status_code == 200, (path, form)
    assert operator.browser.get("/console/connectors/receipts?from_on=1.1.2024").status_code == 422


def test_webhooks_are_sent_again_from_an_event_on(world: World, operator: Visitor) -> None:
    made = world.story.do(lambda work: _endpoint(work, world))
    path = f"/console/connectors/webhooks/{made}"
    page = operator.see(path)
    assert "https://example.org/hook" in page
    for wrong in ("", "-1", "x", "９"):
        assert operator.send(path, f"{path}/resend", **{"from": wrong}).status_code == 422
    assert operator.send(path, f"{path}/resend", **{"from": "1"}).headers["Location"] == f"{path}?done=nothing-resent"


def _endpoint(work: Any, world: World) -> UUID:
    from clearing.webhooks.endpoints import register
    from tenants.principal import Principal

    caller = Principal("jssic-test", "tester", "jssic", ("jiangsu",), frozenset({"claims:write"}))
    row, _ = register(work, world.service.vault.sealer, caller, "jssic", "jiangsu", "https://example.org/hook")
    return row.id


def test_a_signing_key_is_rotated_with_proof(world: World, operator: Visitor) -> None:
    path = "/console/connectors/keys/maanshan"
    assert operator.send(path, f"{path}/rotate", password="x", code="0").status_code == 403
    for _ in range(2):
        answer = operator.send(path, f"{path}/rotate", **operator.proof())
        assert answer.headers["Location"] == f"{path}?done=key-rotated"
    kids = re.findall(rf'action="{path}/([A-Za-z0-9_-]+)/revoke"', operator.see(path))
    assert len(kids) == 2
    assert operator.send(path, f"{path}/{kids[1]}/revoke", reason="", **operator.proof()).status_code == 422
    answer = operator.send(path, f"{path}/{kids[1]}/revoke", reason="演练", **operator.proof())
    assert answer.headers["Location"] == f"{path}?done=key-revoked"


def test_an_outlet_is_asked_and_its_dead_letters_are_tried_again_or_laid_aside(world: World, operator: Visitor) -> None:
    outlet = Outlet("the-platform-knows-us-by-this")
    outlet.put(world.draft().body, {"external_id": "<b>halb</b>"}, b"<html>")
    with outlet_serving(outlet) as address:
        body = {"tenant": "jiangsu", "url": address, "token": outlet.token, "every_seconds": 60}
        source = world.story.call("jssic", "POST", "/v1/pull-sources", body).get_json()
        path, letters = "/console/connectors/outlets", "/console/connectors/outlets/letters"
        assert operator.send(path, f"{path}/{source['id']}/poll").headers["Location"] == f"{path}?done=outlet-asked"
        assert Puller(world.service).round() == 1
        row = plain(operator.see(path))
        assert "127.0.0.1" in row
        assert f"source={source['id']}" in operator.see(path)
        assert operator.send(path, f"{path}/{source['id']}/replay").headers["Location"].endswith("done=letters-left")
        page = operator.see(f"{letters}?source={source['id']}&state=open")
        assert re.search(r"共 2 条 · 其中待处理 2", plain(page))
        ids = re.findall(rf'action="{letters}/([0-9a-f-]{{36}})/dismiss"', page)
        assert operator.send(letters, f"{letters}/{ids[0]}/replay").status_code == 422, "it is as it was"
        assert operator.send(letters, f"{letters}/{ids[0]}/dismiss", reason="").status_code == 422
        for letter_id in ids:
            answer = operator.send(letters, f"{letters}/{letter_id}/dismiss", reason="平台已更正后重报")
            assert answer.headers["Location"].endswith("done=letter-dismissed")
        text = operator.browser.get(f"{letters}/export.csv?source={source['id']}").get_data().decode("utf-8-sig")
        assert text.count("平台已更正后重报") == 2
        done = operator.send(path, f"{path}/{source['id']}/disable").headers["Location"]
        assert done == f"{path}?done=outlet-disabled"
