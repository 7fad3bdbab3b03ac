"""A little OpenID provider over real sockets, honest until it is told to misbehave."""

import secrets
import threading
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlencode

from flask import Flask, Response, jsonify, redirect, request
from joserfc import jwt
from joserfc.jwk import ECKey, Key, RSAKey
from joserfc.util import urlsafe_b64encode
from werkzeug.serving import make_server
from werkzeug.wrappers import Response as AnyResponse

from tenants.kernel.clock import Clock

CLIENT: Final = "clearing"
SECRET: Final = "s3cret: of + the client"
KID: Final = "first"

Change = Callable[[dict[str, Any]], Any]


@dataclass
class Provider:
    """What it knows, and how it misbehaves: each change is applied to what it would have answered."""

    machine: Clock
    issuer: str = ""
    login: str = "auditor"
    keys: dict[str, Key] = field(default_factory=lambda: {KID: RSAKey.generate_key(2048, {"kid": KID})})
    client_key: ECKey | None = None
    codes: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    subjects: dict[str, str] = field(default_factory=dict)
    metadata: Change = dict
    claims: Change = dict
    sign: Callable[[dict[str, Any]], str] | None = None
    answer: Change = dict
    back: Change = dict
    jwks: Change = dict
    raw: Callable[[str], Response | None] = lambda _: None
    """Takes a path's whole answer over."""

    def honest(self) -> None:
        """As it was before any test."""
        for name in ("metadata", "claims", "answer", "back", "jwks"):
            setattr(self, name, dict)
        self.sign, self.raw, self.client_key, self.login = None, lambda _: None, None, "auditor"
        self.codes.clear()
        self.asked.clear()

    def subject(self) -> str:
        """Its own name of the person."""
        return self.subjects.setdefault(self.login, f"subject-of-{self.login}")

    def describe(self) -> dict[str, Any]:
        """Its metadata."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "end_session_endpoint": f"{self.issuer}/logout",
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
        }

    def decide(self) -> AnyResponse:
        """The person at its page says yes."""
        given = request.args
        code = secrets.token_urlsafe()
        self.codes[code] = {**given.to_dict(), "login": self.login, "at": int(self.machine.now().timestamp())}
        back = self.back({"code": code, "state": given["state"], "iss": self.issuer})
        return redirect(f"{given['redirect_uri']}?{urlencode(back, doseq=True)}")

    def redeem(self) -> Response | tuple[Response, int]:
        """A code for a token, once, to whom it was given, with its verifier."""
        known = self.codes.pop(request.form.get("code", ""), None)
        if not self._is_client():
            return jsonify(error="invalid_client"), 401
        verifier = urlsafe_b64encode(sha256(request.form.get("code_verifier", "").encode()).digest()).decode()
        if (
            known is None
            or known["code_challenge"] != verifier
            or known["redirect_uri"] != request.form["redirect_uri"]
        ):
            return jsonify(error="invalid_grant"), 400
        access = secrets.token_urlsafe()
        said = self.claims(self.honest_claims(known, access))
        token = self.sign(said) if self.sign else self.signed(said)
        return jsonify(
            self.answer({"token_type": "Bearer", "expires_in": 60, "access_token": access, "id_token": token})
        )

    def honest_claims(self, known: dict[str, Any], access: str) -> dict[str, Any]:
        """What its ID token says."""
        now = int(self.machine.now().timestamp())
        half = urlsafe_b64encode(sha256(access.encode()).digest()[:16]).decode()
        return {
            "iss": self.issuer, "sub": self.subject(), "aud": CLIENT, "iat": now, "exp": now + 120, "at_hash": half,
            "nonce": known["nonce"], "auth_time": now, "preferred_username": known["login"],
        }  # fmt: skip

    def signed(self, claims: dict[str, Any], kid: str = KID, algorithm: str = "RS256") -> str:
        """An ID token."""
        return jwt.encode({"alg": algorithm, "kid": kid}, claims, self.keys[kid], algorithms=[algorithm])

    def _is_client(self) -> bool:
        if self.client_key is not None:
            said = jwt.decode(request.form["client_assertion"], self.client_key, algorithms=["ES256"]).claims
            return (said["iss"], said["sub"], said["aud"]) == (CLIENT, CLIENT, self.issuer)
        kind, _, both = request.headers.get("Authorization", "").partition(" ")
        return kind == "Basic" and b64decode(both).decode() == f"{CLIENT}:s3cret%3A+of+%2B+the+client"

    def slowly(self, path: str, seconds: float) -> None:
        """Send a path's answer byte by byte, for so long."""

        def drip() -> Iterator[bytes]:
            ends = time.monotonic() + seconds
            while time.monotonic() < ends:
                yield b" "
                time.sleep(0.1)

        self.raw = lambda asked: Response(drip(), mimetype="application/json") if asked == path else None


def application(provider: Provider) -> Flask:
    """Its pages."""
    app = Flask("provider")

    @app.before_request
    def count() -> Response | None:
        provider.asked[request.path] += 1
        return provider.raw(request.path)

    @app.get("/.well-known/openid-configuration")
    def metadata() -> Response:
        return jsonify(provider.metadata(provider.describe()))

    @app.get("/jwks")
    def jwks() -> Response:
        return jsonify(provider.jwks({"keys": [key.as_dict(private=False) for key in provider.keys.values()]}))

    @app.get("/authorize")
    def authorize() -> str:
        query = urlencode(request.args)
        return (
            f'<!doctype html><html lang="zh"><title>统一身份认证</title><a id="yes" href="/yes?{query}">同意</a></html>'
        )

    app.add_url_rule("/yes", "yes", provider.decide, methods=["GET"])
    app.add_url_rule("/token", "token", provider.redeem, methods=["POST"])

    @app.get("/logout")
    def logout() -> AnyResponse:
        return redirect(request.args["post_logout_redirect_uri"])

    return app


@contextmanager
def running(machine: Clock) -> Iterator[Provider]:
    """The provider at an address of this machine."""
    provider = Provider(machine)
    server = make_server("127.0.0.1", 0, application(provider), threaded=True)
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
