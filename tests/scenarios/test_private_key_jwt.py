"""``private_key_jwt``: a client shows itself with a key; a forged, used, foreign or revoked one opens nothing."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import urllib3
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from connectors.client import Caller, CallError, Patience, Platform, PrivateKeyJwt
from connectors.client.credentials import ASSERTION_TYPE
from tenants.kernel.clock import FixedClock
from tests.intake.bodies import claim
from tests.scenarios.callers import Callers
from tests.service.running import Api, RunningService

ON = date(2024, 9, 30)
ONCE = Patience(attempts=1)
REFUSED = (400, "invalid_client")
"""RFC 6749 §5.2: 401 is for who tried by the Authorization header."""


@pytest.fixture(scope="module")
def client(callers: Callers) -> Api:
    return callers.platform("jssic", "jiangsu")


@pytest.fixture(scope="module")
def key(service: RunningService, client: Api, tmp_path_factory: pytest.TempPathFactory) -> ECKey:
    made = ECKey.generate_key("P-256")
    add(service, client, made, tmp_path_factory.mktemp("keys"))
    return made


def add(service: RunningService, client: Api, key: ECKey, folder: Path) -> str:
    path = folder / "key.json"
    path.write_text(json.dumps(key.as_dict(private=False)), encoding="utf-8")
    return service.run("client", "add-key", str(client.client_id), str(path), "--person", "陈值班").stdout.strip()


def ask(client: Api, assertion: str) -> tuple[int, Any]:
    return asked(client.address, assertion)


def asked(address: str, assertion: str, **headers: str) -> tuple[int, Any]:
    fields = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion,
    }
    answer = urllib3.PoolManager(retries=False).request(
        "POST", f"{address}/oauth/token", fields=fields, headers=headers, encode_multipart=False
    )
    return answer.status, json.loads(answer.data)


def claims_of(client: Api, **changed: Any) -> dict[str, Any]:
    now = int(datetime.now(UTC).timestamp())
    given = {
        "iss": client.client_id, "sub": client.client_id, "aud": f"{client.address}/oauth/token", "iat": now,
        "exp": now + 120, "jti": f"{datetime.now(UTC).timestamp()}",
    }  # fmt: skip
    return {name: value for name, value in (given | changed).items() if value is not None}


def test_a_client_with_a_key_submits_without_any_secret(client: Api, key: ECKey) -> None:
    with Caller(client.address, PrivateKeyJwt(str(client.client_id), key)) as caller:
        assert Platform(caller).submit(claim(on=ON)).state == "in_review"


def test_an_assertion_is_good_once(client: Api, key: ECKey) -> None:
    assertion = jwt.encode({"alg": "ES256"}, claims_of(client), key)
    assert ask(client, assertion)[0] == 200
    status, body = ask(client, assertion)
    assert (status, body["error"]) == REFUSED


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "https://other.example/oauth/token"},
        {"aud": None},
        {"iss": "somebody"},
        {"exp": 1},
        {"exp": None},
        {"exp": 2**33},
        {"exp": 2**70},
        {"exp": "soon"},
        {"jti": None},
        {"jti": ""},
        {"jti": 5},
        {"jti": "x" * 300},
        {"sub": "nobody"},
        {"sub": None},
        {"sub": "a\0b", "iss": "a\0b"},
    ],
    ids=str,
)
def test_an_assertion_that_says_anything_else_opens_nothing(client: Api, key: ECKey, changed: dict[str, Any]) -> None:
    status, body = ask(client, jwt.encode({"alg": "ES256"}, claims_of(client, **changed), key))
    assert (status, body["error"]) == REFUSED


def test_an_assertion_of_another_key_or_algorithm_opens_nothing(client: Api, key: ECKey) -> None:
    public = json.dumps(key.as_dict(private=False)).encode()
    forged = [
        jwt.encode({"alg": "ES256"}, claims_of(client), ECKey.generate_key("P-256")),
        jwt.encode({"alg": "ES256", "kid": key.thumbprint()}, claims_of(client), ECKey.generate_key("P-256")),
        jwt.encode({"alg": "HS256"}, claims_of(client), OctKey.import_key(public)),
        jwt.encode({"alg": "ES256"}, claims_of(client), key)[:-4] + "AAAA",
        "eyJhbGciOiJub25lIn0." + jwt.encode({"alg": "ES256"}, claims_of(client), key).split(".")[1] + ".",
        "not a token",
        "",
    ]
    assert {ask(client, one)[0] for one in forged} <= {400, 401}


def test_the_audience_is_never_taken_from_a_foreign_host_header(client: Api, key: ECKey) -> None:
    assertion = jwt.encode({"alg": "ES256"}, claims_of(client, aud="http://evil.example/oauth/token"), key)
    status, body = asked(client.address, assertion, Host="evil.example")
    assert (status, "access_token" in body) == (400, False), body


def test_another_clients_key_opens_nothing_and_a_revoked_one_no_more(
    service: RunningService, callers: Callers, key: ECKey, tmp_path: Path
) -> None:
    other = callers.platform("jssic", "jiangsu")
    with Caller(other.address, PrivateKeyJwt(str(other.client_id), key), ONCE) as caller, pytest.raises(CallError):
        caller.get("/v1/claims")
    own = ECKey.generate_key("P-256")
    kid = add(service, other, own, tmp_path)
    shown = PrivateKeyJwt(str(other.client_id), own)
    with Caller(other.address, shown) as caller:
        assert caller.get("/v1/claims")["items"] is not None
    service.run("client", "revoke-key", str(other.client_id), kid, "--person", "陈值班")
    with Caller(other.address, shown, ONCE) as caller, pytest.raises(CallError, match="invalid_client"):
        caller.get("/v1/claims")
    assert (
        service.run("client", "revoke-key", str(other.client_id), kid, "--person", "陈值班", check=False).returncode
        == 2
    )


def test_a_clock_that_is_hours_off_gets_no_token(client: Api, key: ECKey) -> None:
    late = FixedClock(datetime.now(UTC) - timedelta(hours=2))
    shown = replace(PrivateKeyJwt(str(client.client_id), key), clock=late)
    with Caller(client.address, shown, ONCE) as caller, pytest.raises(CallError, match="invalid_client"):
        caller.get("/v1/claims")


def test_no_private_or_odd_key_is_registered(service: RunningService, client: Api, tmp_path: Path) -> None:
    private = ECKey.generate_key("P-256")
    for number, jwk in enumerate(
        (private.as_dict(private=True), ECKey.generate_key("P-384").as_dict(private=False), {"kty": "EC"}, [])
    ):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(jwk), encoding="utf-8")
        done = service.run("client", "add-key", str(client.client_id), str(path), "--person", "陈", check=False)
        assert done.returncode == 2, done.stderr
