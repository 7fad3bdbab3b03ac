"""Public keys of clients: each is the key that its id names, added and revoked as every tenant's chain tells."""

import base64
import hashlib
import re
from collections.abc import Iterator
from typing import Final
from uuid import NAMESPACE_OID, UUID, uuid5

import orjson

from clearing.verification.chain import Settings
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.snapshot import Row, Snapshot

_KEYS: Final = """
select k.client_id, k.kid, k.public_jwk, k.added_by, k.added_at, k.revoked_by, k.revoked_at, c.tenants
  from client_key k left join client c on c.client_id = k.client_id order by k.client_id, k.kid
"""
_MEMBERS: Final = ("crv", "kty", "x", "y")
_COORDINATE: Final = re.compile(r"[A-Za-z0-9_-]{43}")


def client_key_differences(snapshot: Snapshot, settings: Settings) -> Iterator[Difference]:
    """Keys that are not what they are called, or of which the chains tell otherwise; and keys that are gone."""
    seen = set()
    for row in snapshot.counted("client keys", iter(snapshot.rows(_KEYS))):
        subject = uuid5(NAMESPACE_OID, f"client-key/{row.client_id}/{row.kid}")
        seen.add(subject)
        place = f"client_key/{row.client_id}/{row.kid}"
        if _thumbprint(row.public_jwk) != row.kid:
            yield differs("client.key", f"{place}/public_jwk", row.kid, _thumbprint(row.public_jwk))
        for tenant in row.tenants or ("",):
            yield from _witnessed(place, row, settings, tenant, subject)
    for (tenant, subject), entries in settings.items():
        if entries[0].action.startswith("client_key.") and subject not in seen:
            said = entries[0].details
            place = f"client_key/{said.get('client_id')}/{said.get('kid')}"
            yield differs("setting.absent", place, f"one row, says {tenant}", None)


def _witnessed(place: str, row: Row, settings: Settings, tenant: str, subject: UUID) -> Iterator[Difference]:
    entries = settings.get((tenant, subject), [])
    added = next((entry for entry in entries if entry.action == "client_key.added"), None)
    revoked = next((entry for entry in entries if entry.action == "client_key.revoked"), None)
    if added is None:
        yield differs("setting.unwitnessed", place, f"an entry of {tenant}'s chain", None)
        return
    expected = {"added_by": added.actor, "revoked_by": None if revoked is None else revoked.actor}
    yield from compared("setting.witness", place, expected, row)
    if not added.witnesses(row.added_at):
        yield differs("setting.witness", f"{place}/added_at", added.at, row.added_at)
    if (revoked is None) != (row.revoked_at is None) or (revoked and not revoked.witnesses(row.revoked_at)):
        yield differs("setting.witness", f"{place}/revoked_at", revoked and revoked.at, row.revoked_at)


def _thumbprint(jwk: str) -> str | None:
    """RFC 7638 of a key in its stored form; ``None`` for anything else."""
    try:
        members = orjson.loads(jwk)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(members, dict) or tuple(members) != _MEMBERS or orjson.dumps(members).decode() != jwk:
        return None
    if (members["crv"], members["kty"]) != ("P-256", "EC"):
        return None
    if not all(isinstance(members[name], str) and _COORDINATE.fullmatch(members[name]) for name in ("x", "y")):
        return None
    return base64.urlsafe_b64encode(hashlib.sha256(jwk.encode()).digest()).rstrip(b"=").decode()
