"""Public keys and signatures, checked on their own: JWK sets (RFC 7517) and JWS (RFC 7515)."""

import json
import tempfile
from base64 import urlsafe_b64decode
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from tenants.kernel.canonical import canonical_bytes, sha256
from tenants.kernel.mapped import mapped
from tenants.kernel.sm2 import Sm2PublicKey

PURPOSES: Final = ("payout", "release")
RELEASE: Final = "clearing-release+jws"
"""The one type that a person's release key signs; all others are signed by a tenant's payout key."""

_FIELD_BYTES: Final = 32
_SPOOL_BYTES: Final = 3 * 2**18
_THUMBPRINT_OF: Final = {
    "Ed25519": ("crv", "kty", "x"),
    "ES256": ("crv", "kty", "x", "y"),
    "SM2SM3": ("crv", "kty", "x", "y"),
}

_Check = Callable[[bytes, bytes | memoryview], None]
"""Raises ``InvalidSignature`` unless the signature (first) fits the message."""


class RefusedError(Exception):
    """A signature that does not count; ``code``, ``zh`` and ``en`` say why."""

    def __init__(self, code: str, zh: str, en: str) -> None:
        super().__init__(code)
        self.code, self.zh, self.en = code, zh, en


@dataclass(frozen=True, slots=True)
class Key:
    """One published key that can be used here; ``holder`` is the digest of the person whose release key it is."""

    kid: str
    tenant: str
    purpose: str
    holder: str | None
    algorithm: str
    active_from: datetime
    revoked_at: datetime | None
    check: _Check

    def require(self, tenant: str, signed_at: datetime) -> None:
        """Refuse the key for another tenant's content, before its first and from its revocation on.

        Raises:
            RefusedError: ``key.tenant``, ``key.not_yet_active``, ``key.revoked``.
        """
        if self.tenant != tenant:
            raise RefusedError(
                "key.tenant",
                f"密钥 {self.kid} 属于 {self.tenant}，不属于 {tenant}。",
                f"Key {self.kid} belongs to {self.tenant}, not to {tenant}.",
            )
        if signed_at < self.active_from:
            raise RefusedError(
                "key.not_yet_active",
                f"密钥 {self.kid} 在签名时尚未启用。",
                f"Key {self.kid} was not yet active at the time of signing.",
            )
        if self.revoked_at is not None and signed_at >= self.revoked_at:
            raise RefusedError(
                "key.revoked",
                f"密钥 {self.kid} 在签名时已被吊销。",
                f"Key {self.kid} was revoked at the time of signing.",
            )


Keys = Mapping[str, Key]


def read_keys(jwks: Mapping[str, Any]) -> dict[str, Key]:
    """The payout and release keys of a JWK set, by key id; others are passed over (RFC 7517 section 5).

    Raises:
        ValueError: it is no JWK set.
    """
    published = jwks.get("keys")
    if not isinstance(published, list):
        raise ValueError("not a JWK set")  # noqa: TRY004 - the document is wrong, not a type of ours
    keys = {}
    for jwk in published:
        try:
            key = _key(jwk)
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        if key.purpose in PURPOSES and jwk["kid"] == key.kid:
            keys[key.kid] = key
    return keys


def checked(token: str, typ: str, keys: Keys) -> tuple[bytes, Key]:
    """The payload of a compact JWS, and its key.

    Raises:
        RefusedError: it is malformed, of another type, of no known key, or does not fit its payload.
    """
    return Headers(keys, typ).checked(token)


class Headers:
    """Checks tokens of one type; a header that many of them have is read once."""

    def __init__(self, keys: Keys, typ: str) -> None:
        self._keys, self._typ = keys, typ
        self._known: dict[bytes, Key] = {}

    def checked(self, token: str) -> tuple[bytes, Key]:
        """The payload of a compact JWS, and its key.

        Raises:
            RefusedError: see :func:`checked`.
        """
        return self.checked_bytes(_ascii(token))

    def checked_bytes(self, token: bytes) -> tuple[bytes, Key]:
        """The same of a token as it stands in a file."""
        protected, payload, signature = _three(token)
        key = self._known.get(protected)
        if key is None:
            key = _key_of(protected, self._typ, self._keys)
            self._known[protected] = key
        _fits(key, decoded(signature), token[: len(protected) + 1 + len(payload)])
        return decoded(payload), key


def checked_file(token: str, typ: str, path: Path, keys: Keys) -> Key:
    """The key of a detached JWS over the exact bytes of a file, which is mapped, not loaded.

    Raises:
        RefusedError: see :func:`checked`.
    """
    protected, nothing, signature = _three(_ascii(token))
    if nothing:
        raise _malformed()
    key, proof = _key_of(protected, typ, keys), decoded(signature)
    with tempfile.TemporaryFile() as spool, path.open("rb") as content:
        spool.write(protected + b".")
        while piece := content.read(_SPOOL_BYTES):
            spool.write(_encoded(piece))
        spool.flush()
        with mapped(spool) as message:
            _fits(key, proof, message)
    return key


def decoded(text: str | bytes) -> bytes:
    """Base64url in its one spelling.

    Raises:
        RefusedError: it is none, or another spelling of the same bytes.
    """
    try:
        given = text if isinstance(text, bytes) else text.encode("ascii")
        if b"+" in given or b"/" in given or b"=" in given:
            raise _malformed()
        plain = given.replace(b"-", b"+").replace(b"_", b"/")
        data = a2b_base64(plain + b"=" * (-len(plain) % 4), strict_mode=True)
    except ValueError:
        raise _malformed() from None
    left = len(plain) % 4
    if left and b2a_base64(data[-(left - 1) :], newline=False)[:left] != plain[-left:]:
        raise _malformed()  # bits behind the last byte
    return data


def encoded(data: bytes) -> str:
    """Base64url without padding."""
    return _encoded(data).decode("ascii")


def _encoded(data: bytes) -> bytes:
    return b2a_base64(data, newline=False).rstrip(b"=").replace(b"+", b"-").replace(b"/", b"_")


def instant(text: object) -> datetime:
    """An instant with its offset.

    Raises:
        ValueError: it is none.
    """
    at = datetime.fromisoformat(text) if isinstance(text, str) else None
    if at is None or at.tzinfo is None:
        raise ValueError("not an instant")
    return at


def _key(jwk: Mapping[str, Any]) -> Key:
    algorithm, revoked = jwk["alg"], jwk.get("revoked_at")
    members = {name: jwk[name] for name in _THUMBPRINT_OF[algorithm]}
    kid = encoded(sha256(canonical_bytes(members)))
    check = _CHECKS[algorithm](members)
    until = None if revoked is None else instant(revoked)
    tenant, purpose, holder = str(jwk["tenant"]), str(jwk["purpose"]), jwk.get("holder")
    if (holder is None) == (purpose == "release"):
        raise ValueError("a release key, and no other, is one person's")
    named = None if holder is None else str(holder)
    return Key(kid, tenant, purpose, named, algorithm, instant(jwk["active_from"]), until, check)


def _edwards(members: Mapping[str, str]) -> _Check:
    if (members["kty"], members["crv"]) != ("OKP", "Ed25519"):
        raise ValueError("another curve")
    return Ed25519PublicKey.from_public_bytes(_coordinate(members["x"])).verify


def _elliptic(members: Mapping[str, str]) -> _Check:
    if (members["kty"], members["crv"]) != ("EC", "P-256"):
        raise ValueError("another curve")
    point = b"\x04" + _coordinate(members["x"]) + _coordinate(members["y"])
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)

    def check(signature: bytes, message: bytes | memoryview) -> None:
        if len(signature) != 2 * _FIELD_BYTES:
            raise InvalidSignature
        r, s = int.from_bytes(signature[:_FIELD_BYTES]), int.from_bytes(signature[_FIELD_BYTES:])
        key.verify(encode_dss_signature(r, s), message, ec.ECDSA(SHA256()))

    return check


def _national(members: Mapping[str, str]) -> _Check:
    if (members["kty"], members["crv"]) != ("EC", "SM2"):
        raise ValueError("another curve")
    key = Sm2PublicKey(_coordinate(members["x"]), _coordinate(members["y"]))

    def check(signature: bytes, message: bytes | memoryview) -> None:
        if not key.verifies(signature, message):
            raise InvalidSignature

    return check


_CHECKS: Final = {"Ed25519": _edwards, "ES256": _elliptic, "SM2SM3": _national}


def _coordinate(text: str) -> bytes:
    data = urlsafe_b64decode(text + "=")
    if len(data) != _FIELD_BYTES:
        raise ValueError("a coordinate has 32 bytes")
    return data


def _key_of(protected: bytes, typ: str, keys: Keys) -> Key:
    try:
        header = json.loads(decoded(protected))
        names = set(header)
    except (ValueError, TypeError):
        raise _malformed() from None
    if names != {"alg", "kid", "typ"} or not isinstance(header, dict):
        raise _malformed()
    key = keys.get(str(header["kid"]))
    if key is None:
        raise RefusedError(
            "key.unknown", "签名密钥不在给定的公钥清单中。", "The signing key is not in the given key set."
        )
    purpose = "release" if typ == RELEASE else "payout"
    if header["alg"] != key.algorithm or header["typ"] != typ or key.purpose != purpose:
        raise RefusedError(
            "signature.header", "签名头的算法或类型不符。", "The header's algorithm or type is not the right one."
        )
    return key


def _fits(key: Key, signature: bytes, message: bytes | memoryview) -> None:
    try:
        key.check(signature, message)
    except InvalidSignature:
        raise RefusedError("signature.wrong", "签名与内容不符。", "The signature does not fit the content.") from None


def _ascii(token: str) -> bytes:
    if not token.isascii():
        raise _malformed()
    return token.encode("ascii")


def _three(token: bytes) -> list[bytes]:
    parts = token.split(b".")
    if len(parts) != 3:  # noqa: PLR2004 - header, payload, signature
        raise _malformed()
    return parts


def _malformed() -> RefusedError:
    return RefusedError("signature.malformed", "签名格式不正确。", "The signature is malformed.")
