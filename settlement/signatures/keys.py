"""A tenant's signing keys as stored: made on first need, rotated, revoked, and published for ever.

A release key is one person's: ``person`` names whose; every other key is the tenant's, and ``person`` is ``None``.
"""

import json
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import NAMESPACE_OID, UUID, uuid5

from sqlalchemy import Connection

from settlement.office import Office
from settlement.signatures.key_custody import NewKey, NewTokenKey, make_key, make_token_key, open_key, token_key
from settlement.signatures.signing import PublicKey, Purpose, SigningKey, holder_of
from settlement.signatures.suites import SUITES
from tenants.kernel.canonical import Json, canonical_bytes
from tenants.kernel.change import Change, record
from tenants.kernel.errors import Conflict, Unavailable, not_found

DEFAULT: Final = "Ed25519"
"""The algorithm of a tenant's first key."""
_COLUMNS: Final = "public_jwk, active_from, retired_at, revoked_at, private_sealed, token_uri"


def ensure_payout_key(connection: Connection, tenant: str, office: Office, at: datetime) -> SigningKey:
    """The tenant's active payout key; see :func:`ensure_key`."""
    return ensure_key(connection, tenant, Purpose.PAYOUT, office, at)


def ensure_key(
    connection: Connection, tenant: str, purpose: Purpose, office: Office, at: datetime, person: str | None = None
) -> SigningKey:
    """The tenant's active key for the purpose, made when it is needed for the first time.

    Raises:
        Conflict: ``key.revoked``: the last key was revoked, and nobody has made another one yet.
        Unavailable: ``token.away``: the key is in a token that cannot be used now.
    """
    row = _active(connection, tenant, purpose, person)
    if row is None:
        if connection.exec_driver_sql(
            "select 1 from signing_key where tenant = %s and purpose = %s and holder is not distinct from %s limit 1",
            (tenant, purpose.value, person),
        ).first():
            raise Conflict(
                "key.revoked",
                "该区域的签名密钥已吊销，请先由运维人员更换密钥。",
                "The tenant's signing key was revoked; an operator has to rotate it first.",
            )
        _make(connection, tenant, purpose, office, "system", at, person)
        row = _active(connection, tenant, purpose, person)
        if row is None:
            raise RuntimeError(f"the new {purpose} key of {tenant} is not there")
    return _open(row, office)


def rotate_key(
    connection: Connection,
    tenant: str,
    purpose: Purpose,
    office: Office,
    actor: str,
    at: datetime,
    person: str | None = None,
    algorithm: str | None = None,
) -> PublicKey:
    """Retire the active key, if there is one, and make its successor; what was signed before stays verifiable.

    ``algorithm``: one of ``SUITES``; its predecessor's where it is not given. A token chooses by itself.

    Raises:
        Unavailable: ``token.away``, or ``suite.away``: nothing here makes keys of the algorithm.
    """
    row = _active(connection, tenant, purpose, person)
    if row is not None:
        algorithm = algorithm or _public(row).algorithm
        kid = _public(row).kid
        connection.exec_driver_sql("update signing_key set retired_at = %s where kid = %s", (at, kid))
        _record(connection, Change(tenant, actor, "key.retired", key_subject(kid), "active", "retired"), kid, at)
    _make(connection, tenant, purpose, office, actor, at, person, algorithm or DEFAULT)
    made = _active(connection, tenant, purpose, person)
    if made is None:
        raise RuntimeError(f"the new {purpose} key of {tenant} is not there")
    return _public(made)


def revoke_key(connection: Connection, tenant: str, kid: str, actor: str, reason: str, at: datetime) -> PublicKey:
    """Refuse the key's signatures from ``at`` on (I25); revoking it again changes nothing.

    Raises:
        NotFound: the tenant has no such key.
    """
    row = connection.exec_driver_sql(
        f"select {_COLUMNS} from signing_key where tenant = %s and kid = %s for no key update",  # noqa: S608 - ours
        (tenant, kid),
    ).one_or_none()
    if row is None:
        raise not_found("密钥", "key")
    public = _public(row)
    if public.revoked_at is not None:
        return public
    connection.exec_driver_sql("update signing_key set revoked_at = %s where kid = %s", (at, kid))
    before = "active" if row.retired_at is None else "retired"
    _record(connection, Change(tenant, actor, "key.revoked", key_subject(kid), before, "revoked", reason), kid, at)
    return replace(public, revoked_at=at)


def public_keys(connection: Connection, tenant: str | None = None) -> dict[str, PublicKey]:
    """Present and past keys by key id, of one tenant or of all, in the order in which they became active."""
    rows = connection.exec_driver_sql(
        f"select {_COLUMNS} from signing_key where %s::text is null or tenant = %s order by active_from, kid",  # noqa: S608
        (tenant, tenant),
    )
    return {key.kid: key for key in map(_public, rows)}


def jwks(connection: Connection, tenant: str | None = None) -> dict[str, Json]:
    """The keys as a JWK set (RFC 7517 section 5), revoked ones marked ``revoked_at``."""
    return {"keys": [dict(key.jwk()) for key in public_keys(connection, tenant).values()]}


def refuse_revoked(connection: Connection, tenant: str, kid: str) -> None:
    """Look again, just before a commit, whether the key that signed was revoked meanwhile (I25).

    Raises:
        Conflict: ``key.revoked``.
    """
    if connection.exec_driver_sql(
        "select 1 from signing_key where tenant = %s and kid = %s and revoked_at is not null", (tenant, kid)
    ).first():
        raise Conflict(
            "key.revoked",
            f"签名密钥 {kid} 已吊销，未保存任何内容。",
            f"The signing key {kid} was revoked; nothing was stored.",
        )


def key_subject(kid: str) -> UUID:
    """The id under which the audit chain speaks of a key."""
    return uuid5(NAMESPACE_OID, kid)


def _active(connection: Connection, tenant: str, purpose: Purpose, person: str | None) -> Any:  # noqa: ANN401
    return connection.exec_driver_sql(
        f"select {_COLUMNS} from signing_key "  # noqa: S608 - our own columns
        "where tenant = %s and purpose = %s and holder is not distinct from %s "
        "and retired_at is null and revoked_at is null",
        (tenant, purpose.value, person),
    ).one_or_none()


def _make(
    connection: Connection,
    tenant: str,
    purpose: Purpose,
    office: Office,
    actor: str,
    at: datetime,
    person: str | None,
    algorithm: str = DEFAULT,
) -> None:
    """Make and store a key, unless somebody else just did."""
    holder = None if person is None else holder_of(tenant, person)
    made: NewKey | NewTokenKey
    if office.token is not None and office.token.serves(tenant):
        made = make_token_key(tenant, purpose, at, office.token, holder)
        private_sealed, token_uri = None, made.token_uri
    else:
        made = make_key(tenant, purpose, at, office.kek, SUITES[algorithm], holder)
        private_sealed, token_uri = made.private_sealed, None
    stored = connection.exec_driver_sql(
        "insert into signing_key (kid, tenant, purpose, holder, algorithm, public_jwk, private_sealed, token_uri, "
        "active_from) values (%s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
        (
            made.public.kid, tenant, purpose.value, person, made.public.algorithm,
            canonical_bytes(made.public.jwk()).decode(), private_sealed, token_uri, at,
        ),
    )  # fmt: skip
    if stored.rowcount == 1:
        kid = made.public.kid
        told = {name: value for name, value in (("holder", person), ("token_uri", token_uri)) if value is not None}
        _record(connection, Change(tenant, actor, "key.created", key_subject(kid), None, "active"), kid, at, **told)


def _public(row: Any) -> PublicKey:  # noqa: ANN401 - a row of _COLUMNS
    key = PublicKey.from_jwk(json.loads(row.public_jwk))
    return key if row.revoked_at is None else replace(key, revoked_at=row.revoked_at)


def _open(row: Any, office: Office) -> SigningKey:  # noqa: ANN401 - a row of _COLUMNS
    public = _public(row)
    if row.token_uri is None:
        return open_key(bytes(row.private_sealed), public, office.kek)
    if office.token is None:
        raise Unavailable(
            "token.away",
            f"密钥 {public.kid} 在密码设备中，但本服务没有配置密码设备。",
            f"Key {public.kid} is in a token, and no token is set up here.",
        )
    return token_key(row.token_uri, public, office.token)


def _record(connection: Connection, change: Change, kid: str, at: datetime, **told: str) -> None:
    details: dict[str, Json] = {"kid": kid, **told}
    record(connection, [replace(change, details=details)], at)
