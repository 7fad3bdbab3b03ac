"""Verifies JWS (RFC 7515) with public keys alone: the algorithm is the key's, and a key signs only its own purpose."""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from tenants.kernel.canonical import canonical_bytes
from tenants.kernel.sm2 import Sm2PublicKey

INSTRUCTION: Final = "clearing-instruction+jws"
SEAL: Final = "clearing-seal+jws"
RELEASE: Final = "clearing-release+jws"
MANIFEST: Final = "clearing-manifest+jws"
FILE: Final = "clearing-file+jws"
ORDER: Final = "clearing-order+jws"
SETTLEMENT: Final = "clearing-settlement+jws"
CHECKPOINT: Final = "clearing-checkpoint+jws"

PURPOSES: Final = {
    INSTRUCTION: "payout",
    SEAL: "payout",
    RELEASE: "release",
    MANIFEST: "payout",
    FILE: "payout",
    ORDER: "payout",
    SETTLEMENT: "payout",
    CHECKPOINT: "checkpoint",
}
"""What a key must be made for to sign a type."""

_HALF_BYTES: Final = 32
_PARTS: Final = 3


class BadSignatureError(Exception):
    """The signature, its form or its key is not acceptable; the message says why."""


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key. ``verify`` raises ``InvalidSignature`` for a signature (first) that is not the message's."""

    kid: str
    tenant: str
    purpose: str
    holder: str | None
    algorithm: str
    raw: bytes
    active_from: datetime
    revoked_at: datetime | None
    verify: Callable[[bytes, bytes | memoryview], None]

    def refusal(self, tenant: str, signed_at: datetime) -> str | None:
        """Why the key must not have signed for the tenant at the instant; ``None`` where it may."""
        if tenant != self.tenant:
            return f"key {self.kid} is one of {self.tenant}"
        if signed_at < self.active_from:
            return f"key {self.kid} was not active before {self.active_from.isoformat()}"
        if self.revoked_at is not None and signed_at >= self.revoked_at:
            return f"key {self.kid} was revoked at {self.revoked_at.isoformat()}"
        return None


def key_of_jwk(jwk: Mapping[str, Any], revoked_at: datetime | None) -> VerifyingKey:
    """The key that a JWK publishes.

    Raises:
        BadSignatureError: it is not one of ours, or its id is not its RFC 7638 thumbprint.
    """
    try:
        members, raw, verify = _SUITES[jwk["alg"]](jwk)
        kid = encoded(hashlib.sha256(canonical_bytes(members)).digest())
        tenant, purpose, holder = str(jwk["tenant"]), str(jwk["purpose"]), jwk.get("holder")
        active_from = datetime.fromisoformat(jwk["active_from"])
    except (KeyError, TypeError, ValueError) as fault:
        raise BadSignatureError(f"no public key of a known form ({type(fault).__name__})") from fault
    if jwk.get("kid") != kid:
        raise BadSignatureError(f"the key's thumbprint is {kid}")
    if (holder is None) == (purpose == PURPOSES[RELEASE]):
        raise BadSignatureError("a release key, and no other, is one person's")
    return VerifyingKey(kid, tenant, purpose, holder, str(jwk["alg"]), raw, active_from, revoked_at, verify)


def opened(token: object, typ: str, keys: Mapping[str, VerifyingKey]) -> tuple[bytes, VerifyingKey]:
    """The payload of a compact JWS of this type, and the key that signed it.

    Raises:
        BadSignatureError: the form, the type, the key or the signature is wrong.
    """
    parts = token.split(".") if isinstance(token, str) else []
    if len(parts) != _PARTS:
        raise BadSignatureError("not a compact JWS")
    protected, payload, signature = parts
    key = key_of_header(protected, typ, keys)
    _check(key, decoded(signature), f"{protected}.{payload}".encode())
    return decoded(payload), key


def signed_over(entry: Mapping[str, Any], payload: bytes, typ: str, keys: Mapping[str, VerifyingKey]) -> VerifyingKey:
    """The key of one ``{protected, signature}`` of a general JWS over the payload.

    Raises:
        BadSignatureError: see :func:`opened`.
    """
    protected, signature = entry.get("protected"), entry.get("signature")
    if not isinstance(protected, str) or not isinstance(signature, str):
        raise BadSignatureError("not a signature of a general JWS")
    key = key_of_header(protected, typ, keys)
    _check(key, decoded(signature), f"{protected}.{encoded(payload)}".encode())
    return key


def encoded(data: bytes) -> str:
    """Base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """The bytes of base64url without padding, in its only spelling.

    Raises:
        BadSignatureError: the text is anything else.
    """
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise BadSignatureError("not base64url") from None
    if encoded(data) != text:
        raise BadSignatureError("not base64url in its only spelling")
    return data


def key_of_header(protected: str, typ: str, keys: Mapping[str, VerifyingKey]) -> VerifyingKey:
    """The key that a protected header names, where the header says what the key and the type expect.

    Raises:
        BadSignatureError: it says anything else.
    """
    try:
        header = orjson.loads(decoded(protected))
    except ValueError:
        raise BadSignatureError("the header is not JSON") from None
    if not isinstance(header, dict) or header.keys() != {"alg", "kid", "typ"}:
        raise BadSignatureError("the header has other members than alg, kid and typ")
    key = keys.get(str(header["kid"]))
    if key is None:
        raise BadSignatureError(f"unknown key {header['kid']}")
    if header["alg"] != key.algorithm:
        raise BadSignatureError(f"the key's algorithm is {key.algorithm}")
    if header["typ"] != typ or PURPOSES[typ] != key.purpose:
        raise BadSignatureError(f"made for {header['typ']}, by a key for {key.purpose}")
    return key


def _check(key: VerifyingKey, signature: bytes, message: bytes) -> None:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        raise BadSignatureError("the signature does not fit the content") from None


_Suite = tuple[dict[str, str], bytes, Callable[[bytes, bytes | memoryview], None]]


def _ed25519(jwk: Mapping[str, Any]) -> _Suite:
    members = {"crv": "Ed25519", "kty": "OKP", "x": str(jwk["x"])}
    _require(jwk, members)
    raw = decoded(members["x"])
    return members, raw, Ed25519PublicKey.from_public_bytes(raw).verify


def _es256(jwk: Mapping[str, Any]) -> _Suite:
    members = {"crv": "P-256", "kty": "EC", "x": str(jwk["x"]), "y": str(jwk["y"])}
    _require(jwk, members)
    x, y = decoded(members["x"]), decoded(members["y"])
    numbers = EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), SECP256R1())
    public = numbers.public_key()

    def verify(signature: bytes, message: bytes | memoryview) -> None:
        if len(signature) != 2 * _HALF_BYTES:
            raise InvalidSignature
        r, s = (int.from_bytes(half, "big") for half in (signature[:_HALF_BYTES], signature[_HALF_BYTES:]))
        public.verify(encode_dss_signature(r, s), message, ECDSA(SHA256()))

    return members, x + y, verify


def _sm2(jwk: Mapping[str, Any]) -> _Suite:
    members = {"crv": "SM2", "kty": "EC", "x": str(jwk["x"]), "y": str(jwk["y"])}
    _require(jwk, members)
    x, y = decoded(members["x"]), decoded(members["y"])
    public = Sm2PublicKey(x, y)

    def verify(signature: bytes, message: bytes | memoryview) -> None:
        if not public.verifies(signature, message):
            raise InvalidSignature

    return members, x + y, verify


def _require(jwk: Mapping[str, Any], members: Mapping[str, str]) -> None:
    if any(jwk.get(name) != value for name, value in members.items()):
        raise ValueError("other members than the algorithm has")


_SUITES: Final[Mapping[str, Callable[[Mapping[str, Any]], _Suite]]] = {
    "Ed25519": _ed25519,
    "ES256": _es256,
    "SM2SM3": _sm2,
}
