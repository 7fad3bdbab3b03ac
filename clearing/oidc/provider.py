"""One provider over the wire: its metadata and keys, kept for a while, and the exchange of a code for an ID token.

Whatever it answers is bounded in size and time, follows no redirection, and is believed only where the metadata says
that it is the configured issuer's (OpenID Connect Discovery 1.0 §4.3). A provider that is away or slow holds few of
this process's threads, and none for a while after it failed.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key

from clearing.oidc.client_proof import proof_of
from clearing.oidc.refusal import AwayError, NotVouchedError
from clearing.oidc.settings import ProviderSettings
from clearing.webhooks.targets import Target, TargetError, exchange, target_of
from tenants.kernel.canonical import Json
from tenants.kernel.clock import Clock
from tenants.kernel.errors import Invalid, Problem
from tenants.kernel.strict_json import decode

DISCOVERY: Final = "/.well-known/openid-configuration"
MAX_ANSWER_BYTES: Final = 256 * 1024
ANSWER_SECONDS: Final = 8
KEPT: Final = timedelta(hours=1)
"""How long metadata and keys are used without asking again."""
KEYS_AGAIN: Final = timedelta(minutes=1)
"""How often at most the keys are fetched because a token names one that is not among them."""
REST: Final = timedelta(seconds=15)
"""How long a provider that failed is not asked."""
AT_ONCE: Final = 2
"""How many threads wait for one provider at once; the others go on serving people who sign in by password."""
_OK: Final = 200
_JSON: Final = {"Accept": "application/json"}


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the provider says of itself, checked."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str | None
    names_itself: bool
    """Whether its answers to the browser carry ``iss`` (RFC 9207)."""
    methods: tuple[Any, ...]


class Provider:
    """One provider, shared by the threads of this process."""

    def __init__(self, settings: ProviderSettings, machine: Clock) -> None:
        self.settings = settings
        self._machine = machine
        self._lock = threading.Lock()
        self._waiting = threading.BoundedSemaphore(AT_ONCE)
        self._metadata: tuple[datetime, Metadata] | None = None
        self._keys: tuple[datetime, tuple[Key, ...]] | None = None
        self._rests_until: datetime | None = None

    def metadata(self) -> Metadata:
        """What it says of itself.

        Raises:
            AwayError: it cannot be asked, or says what cannot be believed.
        """
        kept, now = self._metadata, self._machine.now()
        if kept is not None and now < kept[0] + KEPT:
            return kept[1]
        found = self._checked(self._asked("GET", self.settings.issuer.rstrip("/") + DISCOVERY))
        with self._lock:
            self._metadata = (now, found)
        return found

    def keys_named(self, kid: str | None) -> tuple[Key, ...]:
        """Its keys with this id, or all of them; they are fetched anew where there is none, once in a while.

        Raises:
            AwayError: they cannot be fetched, or are none.
        """
        now = self._machine.now()
        with self._lock:
            kept = self._keys
            due = kept is None or now >= kept[0] + KEPT
            missing = kept is not None and not _named(kept[1], kid) and now >= kept[0] + KEYS_AGAIN
            if kept is not None and missing:
                self._keys = (now, kept[1])  # before it is asked: whoever comes meanwhile does not ask too
        if kept is not None and not due and not missing:
            return _named(kept[1], kid)
        keys = _keys_of(self._asked("GET", self.metadata().jwks_uri))
        with self._lock:
            self._keys = (now, keys)
        return _named(keys, kid)

    def redeemed(self, code: str, verifier: str, return_address: str) -> Mapping[str, Any]:
        """What the token endpoint answers for the code.

        Raises:
            AwayError: it cannot be asked.
            NotVouchedError: it refuses the code, or answers without an ID token.
        """
        metadata = self.metadata()
        headers, shown = proof_of(self.settings, metadata.methods, self._machine.now())
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": return_address,
            "code_verifier": verifier, "client_id": self.settings.client_id, **shown,
        }  # fmt: skip
        answer = self._asked("POST", metadata.token_endpoint, urlencode(form).encode(), headers)
        if not isinstance(answer.get("id_token"), str):
            raise NotVouchedError("the token endpoint answered without an ID token")
        return answer

    def _asked(
        self, method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        given = {**_JSON, **(headers or {})}
        if body is not None:
            given["Content-Type"] = "application/x-www-form-urlencoded"
        with self._turn():
            try:
                heard = exchange(self._target(url), method, body, given, MAX_ANSWER_BYTES, ANSWER_SECONDS)
            except TargetError as error:
                self._rests_until = self._machine.now() + REST
                raise AwayError(f"{urlsplit(url).path}: {error}") from error
        said = _object(heard.body)
        if method == "POST" and 400 <= heard.status < 500:  # noqa: PLR2004 - RFC 6749 §5.2
            raise NotVouchedError(f"the token endpoint refused: {_code(said)}")
        if heard.status != _OK or said is None:
            raise AwayError(f"{urlsplit(url).path}: status {heard.status} and no JSON object that can be read")
        return said

    @contextmanager
    def _turn(self) -> Iterator[None]:
        rests = self._rests_until
        if rests is not None and self._machine.now() < rests:
            raise AwayError("it failed a moment ago")
        if not self._waiting.acquire(blocking=False):
            raise AwayError(f"{AT_ONCE} threads wait for it already")
        try:
            yield
        finally:
            self._waiting.release()

    def _target(self, url: str) -> Target:
        """The address, which may lie within a closed network: the operator named its host.

        Raises:
            AwayError: it is not https, or at another host.
        """
        try:
            target = target_of(url, demonstration=True)
        except Invalid as error:
            raise AwayError(f"an address that is not called: {error.text.en}") from error
        if target.host not in {urlsplit(self.settings.issuer).hostname, *self.settings.hosts}:
            raise AwayError(f"{target.host} is neither the issuer's host nor among hosts")
        return replace(target, local=True, ca_file=self.settings.ca_file)

    def _checked(self, said: Mapping[str, Any]) -> Metadata:
        if said.get("issuer") != self.settings.issuer:
            raise AwayError("its metadata names another issuer")
        texts = [said.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
        if not all(isinstance(text, str) for text in texts):
            raise AwayError("its metadata names no endpoints")
        challenges = said.get("code_challenge_methods_supported", ["S256"])
        algorithms = said.get("id_token_signing_alg_values_supported", [self.settings.algorithm])
        if not isinstance(challenges, list) or "S256" not in challenges:
            raise AwayError("it does not take PKCE with S256")
        if not isinstance(algorithms, list) or self.settings.algorithm not in algorithms:
            raise AwayError(f"it does not sign by {self.settings.algorithm}")
        methods, out = said.get("token_endpoint_auth_methods_supported"), said.get("end_session_endpoint")
        for url in (texts[0], *([out] if isinstance(out, str) else [])):
            _require_for_browsers(str(url))
        return Metadata(
            str(texts[0]),
            str(texts[1]),
            str(texts[2]),
            out if isinstance(out, str) else None,
            said.get("authorization_response_iss_parameter_supported") is True,
            tuple(methods) if isinstance(methods, list) else (),
        )


def _require_for_browsers(url: str) -> None:
    """Refuse an address that no browser is led to.

    Raises:
        AwayError: it is not https.
    """
    try:
        target_of(url, demonstration=True)
    except Invalid as error:
        raise AwayError(f"an address that nobody is led to: {error.text.en}") from error


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        said: Json = decode(body, MAX_ANSWER_BYTES)
    except Problem:
        return None
    return said if isinstance(said, dict) else None


def _code(said: Mapping[str, Any] | None) -> str:
    """An error code as a log may hold it."""
    code = None if said is None else said.get("error")
    return code if isinstance(code, str) and code.isascii() and code.isprintable() and len(code) < 80 else "no reason"  # noqa: PLR2004


def _keys_of(said: Mapping[str, Any]) -> tuple[Key, ...]:
    """The public keys for signatures; what is no such key is passed over.

    Raises:
        AwayError: there is none.
    """
    found = []
    given = said.get("keys")
    for one in given if isinstance(given, list) else []:
        if not isinstance(one, dict) or one.get("kty") not in {"RSA", "EC", "OKP"} or one.get("use", "sig") != "sig":
            continue
        try:
            found.append(JWKRegistry.import_key(one))
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    if not found:
        raise AwayError("it has no key that can be used")
    return tuple(found)


def _named(keys: tuple[Key, ...], kid: str | None) -> tuple[Key, ...]:
    return tuple(key for key in keys if kid is None or key.get("kid") == kid)
