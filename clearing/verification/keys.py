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

_KEYS: Final = (
    "select kid, tenant, purpose, holder, algorithm, public_jwk, private_sealed, active_from, retired_at, revoked_at "
    "from signing_key order by tenant, active_from, kid"
)
_COORDINATE_BYTES: Final = 32


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
            yield from _life(place, row, self._settings.get(subject, []))
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
        if self._secrets is None:
            return
        private = self._secrets.private_key(bytes(row.private_sealed), row.tenant, row.purpose, row.kid)
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


def _public_half(private: bytes) -> bytes | None:
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
