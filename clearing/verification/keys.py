"""Signing keys: each is what its id says, was made, retired and revoked when the chain says, and opens."""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final
from uuid import NAMESPACE_OID, uuid5

import orjson
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key

from clearing.verification.chain import Settings
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.entries import Entry, witness
from clearing.verification.signatures import BadSignatureError, VerifyingKey, encoded, key_of_jwk
from clearing.verification.snapshot import Row, Snapshot
from clearing.verification.unsealing import OpenedSecrets
from tenants.kernel.canonical import canonical_bytes
from tenants.kernel.sm2 import public_half

_KEYS: Final = (
    "select kid, tenant, purpose, holder, algorithm, public_jwk, private_sealed, token_uri, active_from, retired_at, "
    "revoked_at from signing_key order by tenant, active_from, kid"
)
_COORDINATE_BYTES: Final = 32
_SM2_CURVE: Final = bytes.fromhex("06082a811ccf5501822d")
"""Its object identifier (1.2.156.10197.1.301), DER; the library that reads the other keys does not know it."""
_EC_NUMBER: Final = bytes.fromhex("0201010420")
"""What stands before the private number in RFC 5915: version one, an octet string of 32."""


class KeyCheck:
    """One pass over the signing keys; afterwards ``keys`` holds those that can be used to verify."""

    def __init__(self, snapshot: Snapshot, settings: Settings, secrets: OpenedSecrets | None) -> None:
        self._snapshot = snapshot
        self._settings = settings
        self._secrets = secrets
        self.keys: dict[str, VerifyingKey] = {}

    def differences(self) -> Iterator[Difference]:
        """What is wrong with the stored keys."""
        known = set()
        for row in self._snapshot.rows(_KEYS):
            self._snapshot.tally["signing keys"] += 1
            place = f"signing_key/{row.tenant}/{row.kid}"
            subject = row.tenant, uuid5(NAMESPACE_OID, row.kid)
            known.add(subject)
            yield from self._public(place, row)
            entries = self._settings.get(subject, [])
            yield from _life(place, row, entries)
            yield from _told(place, row, entries)
            yield from self._private(place, row)
        for subject, entries in self._settings.items():
            if entries[0].action.startswith("key.") and subject not in known:
                kid = entries[0].details.get("kid", subject[1])
                yield differs("key.absent", f"signing_key/{subject[0]}/{kid}", "one row", None)

    def _public(self, place: str, row: Row) -> Iterator[Difference]:
        try:
            jwk: dict[str, Any] = orjson.loads(row.public_jwk)
            key = key_of_jwk(jwk, row.revoked_at)
        except (ValueError, BadSignatureError) as fault:
            yield differs("key.public", f"{place}/public_jwk", "the key that its id names", str(fault))
            return
        self.keys[key.kid] = key
        stated = {
            "kid": key.kid,
            "tenant": key.tenant,
            "purpose": key.purpose,
            "algorithm": key.algorithm,
            "active_from": key.active_from,
            "public_jwk": canonical_bytes({**jwk, "use": "sig"}).decode(),
        }
        yield from compared("key.public", place, stated, row)
        person = {"person": row.holder, "tenant": row.tenant}
        holder = None if row.holder is None else encoded(hashlib.sha256(canonical_bytes(person)).digest())
        if holder != key.holder:
            yield differs("key.public", f"{place}/holder", key.holder, row.holder)

    def _private(self, place: str, row: Row) -> Iterator[Difference]:
        if self._secrets is None or row.token_uri is not None:
            return
        sealed = bytes(row.private_sealed or b"")
        private = self._secrets.private_key(sealed, row.tenant, row.purpose, row.kid)
        key = self.keys.get(row.kid)
        if private is None or (key is not None and _public_half(private) != key.raw):
            yield differs(
                "key.private", f"{place}/private_sealed", "the private half of the key", "another, or unreadable"
            )


def _life(place: str, row: Row, entries: list[Entry]) -> Iterator[Difference]:
    for action, column in (
        ("key.created", "active_from"),
        ("key.retired", "retired_at"),
        ("key.revoked", "revoked_at"),
    ):
        at: datetime | None = getattr(row, column)
        said = [entry for entry in entries if entry.action == action]
        if len(said) != (at is not None) or (said and witness(said, at) is None):
            yield differs("key.life", f"{place}/{column}", said[-1].at if said else None, at)


def _told(place: str, row: Row, entries: list[Entry]) -> Iterator[Difference]:
    """Whose key it is, and in which token, is what the chain said when it was made."""
    made = next((entry for entry in entries if entry.action == "key.created"), None)
    for name in ("holder", "token_uri"):
        said = None if made is None else made.details.get(name)
        if said != getattr(row, name):
            yield differs("key.life", f"{place}/{name}", said, getattr(row, name))
    if row.token_uri is not None and row.private_sealed is not None:
        yield differs("key.private", f"{place}/private_sealed", "none: the key is in a token", "one")


def _public_half(private: bytes) -> bytes | None:
    if _SM2_CURVE in private:
        _, found, rest = private.partition(_EC_NUMBER)
        number = int.from_bytes(rest[:_COORDINATE_BYTES])
        return public_half(number) if found and number else None
    try:
        key = load_der_private_key(private, password=None)
    except ValueError:
        return None
    if isinstance(key, Ed25519PrivateKey):
        return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    if isinstance(key, EllipticCurvePrivateKey):
        numbers = key.public_key().public_numbers()
        return b"".join(number.to_bytes(_COORDINATE_BYTES, "big") for number in (numbers.x, numbers.y))
    return None
