"""Public keys of clients (private_key_jwt, RFC 7523): added and revoked by a person, each assertion used once."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import NAMESPACE_OID, UUID, uuid5

from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from sqlalchemy import Connection

from tenants.kernel.canonical import canonical_bytes, sha256
from tenants.kernel.change import Change, record
from tenants.kernel.database import Work
from tenants.kernel.errors import Conflict, Invalid, not_found

CURVE: Final = "P-256"
MEMBERS: Final = ("crv", "kty", "x", "y")
_COORDINATE: Final = re.compile(r"[A-Za-z0-9_-]{43}")


def add_key(work: Work, client_id: str, jwk: Mapping[str, Any], person: str) -> str:
    """Let the client show itself with this key from now on; its ``kid``, the RFC 7638 thumbprint.

    Raises:
        Invalid: it is no public P-256 key.
        NotFound: there is no such live client.
        Conflict: the client has the key, or had it.
    """
    tenants = _tenants(work.connection, client_id)
    public = {name: jwk.get(name) for name in MEMBERS}
    kid = None if "d" in jwk else _thumbprint(public)
    if kid is None:
        raise Invalid("key.malformed", "须为 P-256 公钥（JWK），不得含私钥。", "A public P-256 key (JWK) is expected.")
    done = work.connection.exec_driver_sql(
        "insert into client_key (client_id, kid, public_jwk, added_by, added_at) values (%s, %s, %s, %s, %s) "
        "on conflict do nothing",
        (client_id, kid, canonical_bytes(public).decode(), person, work.at),
    )
    if done.rowcount != 1:
        raise Conflict("key.known", "该客户端已有过此密钥。", "The client has, or had, this key.")
    _record(work, tenants, client_id, kid, "client_key.added", person)
    return kid


def revoke_key(work: Work, client_id: str, kid: str, person: str) -> None:
    """Refuse what is signed with the key from now on (I25); tokens it got live on for an hour at most.

    Raises:
        NotFound: the client has no such key, or it is revoked.
    """
    done = work.connection.exec_driver_sql(
        "update client_key set revoked_by = %s, revoked_at = %s "
        "where client_id = %s and kid = %s and revoked_at is null",
        (person, work.at, client_id, kid),
    )
    if done.rowcount != 1:
        raise not_found("密钥", "key")
    _record(work, _tenants(work.connection, client_id), client_id, kid, "client_key.revoked", person)


def live_keys(connection: Connection, client_id: str) -> Mapping[str, str]:
    """The client's keys that hold, as JWKs by their ``kid``."""
    rows = connection.exec_driver_sql(
        "select kid, public_jwk from client_key where client_id = %s and revoked_at is null order by kid", (client_id,)
    )
    return {row[0]: row[1] for row in rows}


def use_assertion(connection: Connection, client_id: str, jti: str, expires_at: datetime, now: datetime) -> bool:
    """Use up an assertion; ``False`` where it was used before. Those that have run out are dropped."""
    connection.exec_driver_sql(
        "delete from client_assertion where client_id = %s and expires_at < %s", (client_id, now)
    )
    used = connection.exec_driver_sql(
        "insert into client_assertion (client_id, jti_sha256, expires_at) values (%s, %s, %s) on conflict do nothing",
        (client_id, sha256(jti.encode()), expires_at),
    )
    return used.rowcount == 1


def key_subject(client_id: str, kid: str) -> UUID:
    """What the audit chain calls the key."""
    return uuid5(NAMESPACE_OID, f"client-key/{client_id}/{kid}")


def _thumbprint(public: dict[str, Any]) -> str | None:
    """The key's RFC 7638 thumbprint; ``None`` where the members are no point of the curve in their one spelling."""
    if (public["crv"], public["kty"]) != (CURVE, "EC"):
        return None
    if not all(isinstance(public[name], str) and _COORDINATE.fullmatch(public[name]) for name in ("x", "y")):
        return None
    try:
        return str(ECKey.import_key(public).thumbprint())
    except (JoseError, ValueError):
        return None


def _tenants(connection: Connection, client_id: str) -> Sequence[str]:
    row = connection.exec_driver_sql(
        "select tenants from client where client_id = %s and revoked_at is null", (client_id,)
    ).one_or_none()
    if row is None:
        raise not_found("客户端", "client")
    return list(row[0])


def _record(work: Work, tenants: Sequence[str], client_id: str, kid: str, action: str, person: str) -> None:
    to_state = "live" if action.endswith("added") else "revoked"
    changes = [
        Change(
            tenant=tenant,
            actor=person,
            action=action,
            subject_id=key_subject(client_id, kid),
            from_state=None if to_state == "live" else "live",
            to_state=to_state,
            details={"client_id": client_id, "kid": kid},
        )
        for tenant in sorted(tenants)
    ]
    record(work.connection, changes, work.at)
