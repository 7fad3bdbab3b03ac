"""A provider that lies, breaks off, is slow or is away lets nobody in, and takes nobody's password away."""

import hmac
import socket
import time
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from joserfc.util import json_b64encode, urlsafe_b64encode

from clearing.oidc import provider as wire
from tenants.passwords import STEP_SECONDS
from tests.console.provider import CLIENT, KID, Provider
from tests.console.sign_on import START, application, inside, new_address, refused, returned
from tests.console.world import World


@pytest.mark.parametrize(
    "changed", [{"iss": "https://other.example"}, {"iss": None}, {"iss": ["http://a", "http://b"]}]
)
def test_an_answer_of_another_issuer_is_not_taken(
    app: Flask, world: World, provider: Provider, changed: dict[str, Any]
) -> None:
    provider.back = lambda given: {name: value for name, value in (given | changed).items() if value is not None}
    refused(returned(world, app.test_client()), 403, "未通过核验")
    assert provider.asked["/token"] == 0, "its code is shown to nobody"


SPOILT: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://other.example"},
    "no issuer": {"iss": None},
    "another audience": {"aud": "somebody"},
    "others too": {"aud": [CLIENT, "somebody"], "azp": CLIENT},
    "another party": {"azp": "somebody"},
    "run out": {"exp": 1},
    "no end": {"exp": None},
    "an end that is no number": {"exp": "later"},
    "of the future": {"iat": 2**40},
    "long ago": {"iat": 1},
    "an endless number": {"exp": float("inf")},
    "another nonce": {"nonce": "x"},
    "no nonce": {"nonce": None},
    "a nonce that is no text": {"nonce": ["x"]},
    "another access token": {"at_hash": "x"},
    "a hash that is no text": {"at_hash": 1},
    "no subject": {"sub": None},
    "a subject that is no text": {"sub": 7},
    "a long subject": {"sub": "x" * 256},
    "no login": {"preferred_username": None},
    "a login in capitals": {"preferred_username": "AUDITOR"},
    "a login that looks like one": {"preferred_username": "аuditor"},  # a Cyrillic а
    "a login that is a list": {"preferred_username": ["auditor"]},
    "a login with a line's end": {"preferred_username": "auditor\n"},
}


@pytest.mark.parametrize("spoilt", SPOILT)
def test_an_id_token_that_says_anything_else_is_not_taken(
    app: Flask, world: World, provider: Provider, spoilt: str
) -> None:
    provider.claims = lambda claims: claims | SPOILT[spoilt]
    browser = app.test_client()
    refused(returned(world, browser), 403, "未通过核验")
    assert not inside(browser)


def unsigned(claims: dict[str, Any]) -> str:
    """``alg: none``."""
    parts = jwt.encode({"alg": "HS256", "kid": KID}, claims, OctKey.import_key("x" * 32)).split(".")
    return f"{json_b64encode({'alg': 'none', 'kid': KID}).decode()}.{parts[1]}."


def by_the_public_key(provider: Provider) -> Any:
    """HS256 with what everybody can read."""
    pem = provider.keys[KID].as_pem(private=False)  # type: ignore[union-attr]
    return lambda claims: by_secret(claims, pem)


def by_secret(claims: dict[str, Any], secret: bytes) -> str:
    first = json_b64encode({"alg": "HS256", "kid": KID}) + b"." + json_b64encode(claims)
    return (first + b"." + urlsafe_b64encode(hmac.digest(secret, first, sha256))).decode()


def by_another_key(claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "RS256", "kid": KID}, claims, RSAKey.generate_key(2048), algorithms=["RS256"])


def by_another_algorithm(claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "ES256", "kid": KID}, claims, ECKey.generate_key("P-256"), algorithms=["ES256"])


def cut(token: str) -> str:
    return token[: len(token) // 2]


@pytest.mark.parametrize("how", ["none", "hmac", "key", "algorithm", "cut", "empty", "endless"])
def test_an_id_token_that_is_signed_otherwise_is_not_taken(
    app: Flask, world: World, provider: Provider, how: str
) -> None:
    provider.sign = {
        "none": unsigned,
        "hmac": by_the_public_key(provider),
        "key": by_another_key,
        "algorithm": by_another_algorithm,
        "cut": lambda claims: cut(provider.signed(claims)),
        "empty": lambda _: "",
        "endless": lambda _: "x" * 200_000,
    }[how]
    browser = app.test_client()
    refused(returned(world, browser), 403, "未通过核验")
    assert not inside(browser)


def test_a_new_key_of_the_provider_is_found_and_an_unknown_one_asked_for_once_in_a_while(
    app: Flask, world: World, provider: Provider
) -> None:
    assert returned(world, app.test_client()).status_code == 303
    assert provider.asked["/jwks"] == 1
    provider.keys["second"] = RSAKey.generate_key(2048, {"kid": "second"})
    provider.sign = lambda claims: provider.signed(claims, "second")
    world.wait(wire.KEYS_AGAIN.total_seconds() + 1)
    assert returned(world, app.test_client()).status_code == 303
    assert provider.asked["/jwks"] == 2
    provider.sign = lambda claims: jwt.encode({"alg": "RS256", "kid": "third"}, claims, provider.keys[KID])
    for _ in range(3):
        refused(returned(world, app.test_client()), 403, "未通过核验")
    assert provider.asked["/jwks"] == 2
    world.wait(wire.KEYS_AGAIN.total_seconds() + 1)
    for _ in range(3):
        refused(returned(world, app.test_client()), 403, "未通过核验")
    assert provider.asked["/jwks"] == 3
    del provider.keys["second"]


METADATA: dict[str, dict[str, Any]] = {
    "another issuer": {"issuer": "https://other.example"},
    "no token endpoint": {"token_endpoint": None},
    "keys elsewhere": {"jwks_uri": "https://192.0.2.1/jwks"},
    "tokens without TLS": {"token_endpoint": "http://192.0.2.1/token"},
    "a page without TLS": {"authorization_endpoint": "http://192.0.2.1/authorize"},
    "a page that is a script": {"authorization_endpoint": "javascript:alert(1)"},
    "a way out that is a script": {"end_session_endpoint": "javascript:alert(1)"},
    "no PKCE": {"code_challenge_methods_supported": ["plain"]},
    "another algorithm": {"id_token_signing_alg_values_supported": ["HS256", "none"]},
}


@pytest.mark.parametrize("spoilt", METADATA)
def test_metadata_that_cannot_be_believed_lets_nobody_in(
    app: Flask, world: World, provider: Provider, spoilt: str
) -> None:
    provider.metadata = lambda said: said | METADATA[spoilt]
    browser = app.test_client()
    answer = browser.get(START, environ_base=new_address(world))
    if answer.status_code == 303:  # what is wrong is asked for on the way back only
        answer = returned(world, browser)
    refused(answer, 503, "统一身份认证现在没有答复")
    assert answer.headers["Retry-After"] == "30"


RAW: dict[str, str] = {
    "huge": "x" * 400_000,
    "deep": "[" * 50_000,
    "no JSON": "<html>",
    "a list": "[]",
    "nothing": "",
}


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token", "/jwks"])
@pytest.mark.parametrize("how", [*RAW, "status", "redirect"])
def test_whatever_it_answers_is_no_fault_of_ours(
    app: Flask, world: World, provider: Provider, path: str, how: str
) -> None:
    def spoil(asked: str) -> Response | None:
        if asked != path:
            return None
        if how == "redirect":
            return Response(status=302, headers={"Location": f"{provider.issuer}/jwks"})
        return Response("{}", 500) if how == "status" else Response(RAW[how], mimetype="application/json")

    provider.raw = spoil
    browser = app.test_client()
    answer = browser.get(START, environ_base=new_address(world))
    if answer.status_code == 303:
        answer = returned(world, browser)
    refused(answer, 503, "统一身份认证现在没有答复")
    assert world.knock(app.test_client(), "nobody", "wrong password 12", "000000").status_code == 401, "it goes on"


def test_a_slow_provider_is_left_waiting_and_then_left_alone(
    app: Flask, world: World, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "ANSWER_SECONDS", 0.3)
    provider.slowly("/.well-known/openid-configuration", 30)
    begun = time.monotonic()
    refused(app.test_client().get(START, environ_base=new_address(world)), 503, "现在没有答复")
    assert time.monotonic() - begun < 25
    for _ in range(5):
        refused(app.test_client().get(START, environ_base=new_address(world)), 503, "现在没有答复")
    assert provider.asked["/.well-known/openid-configuration"] == 1
    provider.honest()
    world.wait(wire.REST.total_seconds() + 1)
    assert app.test_client().get(START, environ_base=new_address(world)).status_code == 303


def test_a_provider_that_is_down_leaves_the_password(world: World, provider: Provider, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closing:
        port = closing.getsockname()[1]
    app = application(world, replace(provider, issuer=f"http://127.0.0.1:{port}"), tmp_path)
    refused(app.test_client().get(START, environ_base=new_address(world)), 503, "请用密码登录")
    world.wait(STEP_SECONDS)
    assert world.knock(app.test_client(), "auditor").status_code == 303
