"""What a tenant asks of a client: where it calls from, how much it claims in a day; how soon a revoked one is out."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest

from tests.intake.bodies import WUJIANG, Body, claim
from tests.scenarios.callers import Callers
from tests.service.running import Api, Reply, RunningService

ON = date(2024, 9, 30)
FREE: dict[str, Any] = {"signature_required": False, "networks": [], "ceiling": None}
NDJSON = "application/x-ndjson"


def ask(admin: Api, client: Api, tenant: str = "jiangsu", **terms: Any) -> Reply:
    return admin.put(f"/v1/tenants/{tenant}/clients/{client.client_id}/terms", FREE | terms)


def line(body: Body) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


def bulk(client: Api, *bodies: Body) -> list[dict[str, Any]]:
    reply = client.call("POST", "/v1/claims/bulk", b"\n".join(map(line, bodies)), Content_Type=NDJSON)
    assert reply.status == 200, reply
    return [json.loads(one) for one in reply.body.splitlines()]


def test_terms_are_set_read_and_listed_by_the_tenants_administrator(callers: Callers, admin: Api) -> None:
    client = callers.platform("jssic", "jiangsu")
    path = f"/v1/tenants/jiangsu/clients/{client.client_id}/terms"
    assert admin.get(path).json == FREE
    asked = ask(admin, client, networks=["203.0.113.0/24", "2001:db8::/32", "203.0.113.0/24"], ceiling="5000.5")
    wanted = {"signature_required": False, "networks": ["203.0.113.0/24", "2001:db8::/32"], "ceiling": "5000.50"}
    assert (asked.status, asked.json) == (200, wanted)
    assert admin.get(path).json == wanted
    found, cursor = [], ""
    while True:
        page = admin.get(f"/v1/tenants/jiangsu/clients?limit=2{cursor}").json
        found += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    names = [one["client_id"] for one in found]
    assert names == sorted(set(names))
    [own] = [one for one in found if one["client_id"] == client.client_id]
    assert (own["platform"], own["terms"], own["revoked_at"]) == ("jssic", wanted, None)
    watcher = callers.person("沈计", "audit:read")
    told = watcher.get("/v1/audit?tenant=jiangsu&action=client_terms.set&limit=500").json["items"]
    [own] = [one for one in told if one["details"]["client_id"] == client.client_id]
    assert (own["actor"], own["details"]["after"]) == ("赵管", wanted)


@pytest.mark.parametrize(
    ("terms", "pointer"),
    [
        ({"networks": ["203.0.113.7/24"]}, "/networks/0"),
        ({"networks": ["10.0.0.0/8", "all"]}, "/networks/1"),
        ({"networks": ["fe80::1%eth0"]}, "/networks/0"),
        ({"networks": [7]}, "/networks/0"),
        ({"networks": ["10.0.0.0/8"] * 51}, "/networks"),
        ({"ceiling": "-1.00"}, "/ceiling"),
        ({"ceiling": 5}, "/ceiling"),
        ({"signature_required": "yes"}, "/signature_required"),
        ({"more": 1}, "/more"),
    ],
    ids=str,
)
def test_terms_with_faults_are_refused_at_each(
    callers: Callers, admin: Api, terms: dict[str, Any], pointer: str
) -> None:
    refused = ask(admin, callers.platform("jssic", "jiangsu"), **terms)
    assert refused.status == 422
    assert pointer in {one["pointer"] for one in refused.json["errors"]}


def test_terms_for_a_client_of_other_tenants_are_set_by_nobody(callers: Callers, admin: Api) -> None:
    stranger = callers.platform("delta", "wujiang")
    assert ask(admin, stranger, "jiangsu").status == 404
    narrow = callers.person("赵管", "policies:write", tenants=("jiangsu",))
    assert ask(narrow, stranger, "wujiang").status == 404


def test_a_call_from_an_unknown_address_is_refused_whatever_a_header_says(callers: Callers, admin: Api) -> None:
    client = callers.platform("jssic", "jiangsu")
    assert client.get("/v1/claims").status == 200
    assert ask(admin, client, networks=["203.0.113.0/24"]).status == 200
    later = time.monotonic() + 20
    while (refused := client.get("/v1/claims")).status == 200:
        assert time.monotonic() < later
        time.sleep(0.1)
    assert (refused.status, refused.code) == (403, "client.address_refused")
    assert "127.0.0.1" in refused.json["detail"]
    spoofed = client.post("/v1/claims", claim(on=ON), X_Forwarded_For="203.0.113.9")
    assert (spoofed.status, spoofed.code) == (403, "client.address_refused")
    token = client.ask_token()
    assert (token.status, token.json["error"]) == (400, "unauthorized_client")
    assert ask(admin, client, networks=["127.0.0.0/8"]).status == 200
    assert client.ask_token().status == 200


def test_every_tenant_of_a_client_lets_it_in_or_none(callers: Callers, admin: Api) -> None:
    client = callers.platform("delta", "wujiang", "qingpu")
    ask(admin, client, "wujiang", networks=["127.0.0.1/32"])
    ask(admin, client, "qingpu", networks=["198.51.100.0/24"])
    assert client.ask_token().status == 400


def test_over_its_ceiling_of_the_day_a_client_submits_nothing_and_below_it_anything(
    callers: Callers, admin: Api, service: RunningService
) -> None:
    client, other = callers.platform("jssic", "jiangsu"), callers.platform("jssic", "jiangsu")
    first = claim(amount="10000.00", on=ON)
    assert client.post("/v1/claims", first).status == 201  # before there is a ceiling: it counts
    ask(admin, client, ceiling="25000.00")
    second, third, fourth = (claim(amount=amount, on=ON) for amount in ("15000.01", "9000.00", "6000.00"))
    refused = client.post("/v1/claims", second)
    assert (refused.status, refused.code) == (403, "client.ceiling_exceeded")
    assert all(amount in refused.json["detail"] for amount in ("25,000.00", "10,000.00", "15,000.01"))
    found = bulk(client, third, second, fourth, first)
    assert [one["status"] for one in found] == [201, 403, 201, 200]
    assert found[1]["problem"]["code"] == "client.ceiling_exceeded"
    assert client.post("/v1/claims", claim(amount="0.01", on=ON)).status == 403
    assert other.post("/v1/claims", second).status == 201
    ask(admin, client, ceiling="0.00")
    assert client.post("/v1/claims", claim(amount="0.01", on=ON)).json["code"] == "client.ceiling_exceeded"
    ask(admin, client)
    assert client.post("/v1/claims", claim(amount="90000.00", on=ON)).status == 201
    assert json.loads(service.run("verify", "--json").stdout)["differences"] == 0


def test_a_ceiling_is_one_tenants_and_a_correction_counts_anew(callers: Callers, admin: Api) -> None:
    client = callers.platform("delta", "wujiang", "qingpu")
    ask(admin, client, "wujiang", ceiling="15000.00")
    body = claim(WUJIANG, amount="10000.00", on=ON, tenant="wujiang")
    body["documents"].pop()
    assert client.post("/v1/claims", body).json["state"] == "needs_correction"
    assert client.post("/v1/claims", claim(WUJIANG, amount="9000.00", on=ON, tenant="qingpu")).status == 201
    corrected = claim(WUJIANG, amount="10000.00", on=ON, tenant="wujiang", external_id=body["external_id"])
    assert client.post("/v1/claims", corrected).json["code"] == "client.ceiling_exceeded"


def test_many_calls_at_once_never_pass_the_ceiling(callers: Callers, admin: Api) -> None:
    client = callers.platform("jssic", "jiangsu")
    ask(admin, client, ceiling="45000.00")
    client.sign_in()
    bodies = [claim(amount="10000.00", on=ON) for _ in range(16)]
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda body: bulk(client, body)[0]["status"], bodies))
    assert sorted(statuses) == [201] * 4 + [403] * 12


def test_a_revoked_client_is_out_within_seconds(callers: Callers, service: RunningService) -> None:
    client = callers.platform("jssic", "jiangsu")
    assert client.get("/v1/claims").status == 200
    assert service.run("client", "revoke", str(client.client_id)).returncode == 0
    revoked = time.monotonic()
    while client.get("/v1/claims").status == 200:
        assert time.monotonic() - revoked < 5
        time.sleep(0.05)
    assert client.post("/v1/claims", claim(on=ON)).status == 401
    assert client.ask_token().status == 401


def test_terms_are_set_and_shown_by_command(callers: Callers, service: RunningService) -> None:
    client = str(callers.platform("jssic", "jiangsu").client_id)
    command = ("client", "terms", client, "--tenant", "jiangsu")
    wanted = ("--signed", "--network", "127.0.0.0/8", "--ceiling", "300.00", "--person", "赵管")
    set_now = {"signature_required": True, "networks": ["127.0.0.0/8"], "ceiling": "300.00"}
    assert json.loads(service.run(*command, *wanted).stdout) == set_now
    loosened = service.run(*command, "--ceiling", "none", "--any-network", "--person", "赵管")
    assert json.loads(loosened.stdout) == FREE | {"signature_required": True}
    assert service.run(*command, "--network", "x", "--person", "赵管", check=False).returncode == 2
