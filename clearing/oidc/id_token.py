"""What an ID token proves (OpenID Connect Core 1.0 §3.1.3.7), by a pure function.

The signature's algorithm is the configured one and its key one of the provider's; what a header says chooses nothing
but among these keys. The audience is this service alone.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from authlib.oidc.core.util import create_half_hash
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key
from joserfc.jws import extract_compact
from joserfc.jwt import JWTClaimsRegistry

from clearing.oidc.refusal import NotVouchedError, too_weak
from clearing.oidc.settings import ProviderSettings
from tenants.accounts import LOGIN

LEEWAY_SECONDS: Final = 60
OLDEST_SECONDS: Final = 600
"""How long ago an ID token may have been issued."""
MAX_SUBJECT_CHARACTERS: Final = 255
_KEY_TYPES: Final = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}


@dataclass(frozen=True, slots=True)
class Vouched:
    """Whom the provider vouches for: the login that it names, and its own unchanging name of the person."""

    login: str
    issuer: str
    subject: str
    strong: bool
    """Whether what it says of its sign-in stands for our own code."""


def key_id_of(token: str) -> str | None:
    """The key that the token says it is signed by.

    Raises:
        NotVouchedError: it is no signed token.
    """
    try:
        header = extract_compact(token.encode()).headers()
    except (JoseError, ValueError, RecursionError) as error:
        raise NotVouchedError("what was sent as ID token is none") from error
    kid = header.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise NotVouchedError("the ID token's key id is no text")
    return kid


def vouched_by(
    token: str,
    keys: Sequence[Key],
    settings: ProviderSettings,
    nonce: str,
    access_token: object,
    now: datetime,
) -> Vouched:
    """Whom the token vouches for; ``keys`` are those of its issuer that may have signed it.

    Raises:
        NotVouchedError: signature, issuer, audience, times, nonce or hash are not right.
        Forbidden: ``sign_in.too_weak``.
    """
    claims = _signed(token, keys, settings)
    _require_ours(claims, settings, nonce, now)
    _require_its_access_token(claims, settings, access_token)
    login = claims.get(settings.claim)
    if not isinstance(login, str) or not LOGIN.fullmatch(login):
        raise NotVouchedError(f"its claim {settings.claim} is no login name")
    _require_strength(claims, settings, now)
    return Vouched(login, settings.issuer, str(claims["sub"]), settings.replaces_code)


def _signed(token: str, keys: Sequence[Key], settings: ProviderSettings) -> Mapping[str, Any]:
    kind, algorithm = _KEY_TYPES[settings.algorithm[:2]], settings.algorithm
    fitting = [key for key in keys if key.get("alg", algorithm) == algorithm and key.key_type == kind]
    if len(fitting) != 1:
        raise NotVouchedError(f"{len(fitting)} keys of the provider may have signed the ID token")
    try:
        return jwt.decode(token, fitting[0], algorithms=[algorithm]).claims
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise NotVouchedError(f"the ID token's signature does not hold: {type(error).__name__}") from error


def _require_ours(claims: Mapping[str, Any], settings: ProviderSettings, nonce: str, now: datetime) -> None:
    seconds = int(now.timestamp())
    rules = JWTClaimsRegistry(
        now=seconds,
        leeway=LEEWAY_SECONDS,
        iss={"essential": True, "value": settings.issuer},
        sub={"essential": True},
        aud={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
    )
    try:
        rules.validate(dict(claims))
    except (JoseError, OverflowError) as error:
        raise NotVouchedError(f"the ID token's claims: {error}"[:200]) from error
    if claims["aud"] not in (settings.client_id, [settings.client_id]):
        raise NotVouchedError("the ID token is for another audience, or for others too")
    if claims.get("azp", settings.client_id) != settings.client_id:
        raise NotVouchedError("the ID token was issued to another party")
    if claims["iat"] < seconds - OLDEST_SECONDS:
        raise NotVouchedError("the ID token was issued too long ago")
    subject, said = claims["sub"], claims.get("nonce")
    if not (subject.isascii() and subject.isprintable() and len(subject) <= MAX_SUBJECT_CHARACTERS):
        raise NotVouchedError("the ID token's subject is malformed")
    if not isinstance(said, str) or not hmac.compare_digest(said.encode(), nonce.encode()):
        raise NotVouchedError("the ID token answers another request")


def _require_its_access_token(claims: Mapping[str, Any], settings: ProviderSettings, access_token: object) -> None:
    said = claims.get("at_hash")
    if said is None:
        return
    expected = create_half_hash(access_token, settings.algorithm) if isinstance(access_token, str) else None
    if expected is None or not isinstance(said, str) or not hmac.compare_digest(said.encode(), expected):
        raise NotVouchedError("the ID token came with another access token")


def _require_strength(claims: Mapping[str, Any], settings: ProviderSettings, now: datetime) -> None:
    methods = claims.get("amr")
    named = {each for each in methods if isinstance(each, str)} if isinstance(methods, list) else set()
    if (settings.acr and claims.get("acr") not in settings.acr) or not named.issuperset(settings.amr):
        raise too_weak()
    if settings.max_age_seconds is not None:
        at = claims.get("auth_time")
        if type(at) is not int or at < int(now.timestamp()) - settings.max_age_seconds - LEEWAY_SECONDS:
            raise too_weak()
