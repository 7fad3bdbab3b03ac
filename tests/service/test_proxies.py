"""A service behind a reverse proxy: whom the proxy names is the caller, and nobody can name himself."""

import http.client
import json
from pathlib import Path
from urllib.parse import urlsplit

from tests.service.running import Api, RunningService, running

HOME, AWAY = "203.0.113.9", "198.51.100.7"
TERMS = {"signature_required": False, "networks": ["203.0.113.0/24", "2001:db8::/32"], "ceiling": None}


def known_by_address(service: RunningService) -> Api:
    """A platform's client with a token, that may call from known addresses from now on."""
    client, admin = service.platform("jssic", "jiangsu"), service.staff("赵管", "policies:write", "claims:read")
    client.sign_in()
    done = admin.put(f"/v1/tenants/jiangsu/clients/{client.client_id}/terms", TERMS)
    assert done.status == 200, done
    return client


def status(client: Api, *forwarded: str) -> int:
    """The answer to a call that comes with these header lines, as a proxy or a forger would send them."""
    connection = http.client.HTTPConnection(urlsplit(client.address).netloc, timeout=60)
    connection.putrequest("GET", "/v1/claims?limit=1")
    connection.putheader("Authorization", f"Bearer {client.token}")
    for line in forwarded:
        connection.putheader("X-Forwarded-For", line)
    connection.endheaders()
    answer = connection.getresponse()
    assert isinstance(json.loads(answer.read()), dict)
    connection.close()
    return answer.status


def test_without_trusted_proxies_no_header_names_a_caller(service: RunningService) -> None:
    client = known_by_address(service)
    assert {status(client), status(client, HOME), status(client, HOME, HOME), status(client, "x" * 9_000)} == {403}


def test_behind_trusted_proxies_the_right_most_other_address_is_the_caller(place: Path) -> None:
    trusted = {"CLEARING_TRUSTED_PROXIES": "127.0.0.0/8,10.0.0.0/8,::1"}
    with running(place / "data", "--demo-clock", "2024-09-27T09:00:00+08:00", environment=trusted) as service:
        client = known_by_address(service)
        let_in = (
            (HOME,), (f"{AWAY}, {HOME}",), (AWAY, HOME), (f"{HOME}, 10.0.0.7",), (HOME, "10.0.0.7"),
            ("2001:db8::7",), (f"<b>, {HOME}, 10.0.0.7, 127.0.0.3",),
        )  # fmt: skip
        kept_out = (
            (), ("",), (f"{HOME}, {AWAY}",), (HOME, AWAY), (f"{HOME},unknown",), (f"{HOME}:80",),
            (f"{HOME}, {AWAY}, 10.0.0.7",), ("10.0.0.7",), (f"{HOME}," * 900 + AWAY,),
        )  # fmt: skip
        assert {lines: status(client, *lines) for lines in let_in} == dict.fromkeys(let_in, 200)
        assert {lines: status(client, *lines) for lines in kept_out} == dict.fromkeys(kept_out, 403)
        away = client.get("/v1/claims", X_Forwarded_For=AWAY)
        assert AWAY in away.json["detail"], "the caller is told which address is to be added"
        refused = client.ask_token()
        assert (refused.status, refused.json["error"]) == (400, "unauthorized_client")
