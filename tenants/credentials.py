"""Clients and their tokens: made at random, stored as digests, revoked at once."""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from tenants.client_terms import TERMS_OF_CLIENT, Terms, terms_from
from tenants.instance import is_sandbox, marked
from tenants.kernel.canonical import sha256
from tenants.principal import Principal

SECRET_BYTES: Final = 32
TOKEN_BYTES: Final = 32
TOKEN_LIFE: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class NewClient:
    """A client as created: the secret is shown once and never stored."""

    client_id: str
    client_secret: str


@dataclass(frozen=True, slots=True)
class StoredClient:
    """A client as stored."""

    client_id: str
    secret_hash: str
    scopes: tuple[str, ...]
    terms: tuple[Terms, ...] = ()
    """What the tenants ask of it."""


def create_client(
    connection: Connection,
    platform: str | None,
    tenants: tuple[str, ...],
    scopes: tuple[str, ...],
    person: str | None,
    at: datetime,
) -> NewClient:
    """Store a new client and answer its identifier and secret; in a sandbox both begin with ``test_``.

    The secret has 256 random bits, so that one round of SHA-256 keeps it: there is nothing to guess.
    """
    sandbox = is_sandbox(connection)
    client = NewClient(
        marked(f"{platform or 'client'}-{secrets.token_hex(6)}", sandbox=sandbox),
        marked(secrets.token_urlsafe(SECRET_BYTES), sandbox=sandbox),
    )
    connection.exec_driver_sql(
        "insert into client (client_id, secret_hash, platform, tenants, scopes, person, created_at) "
        "values (%s, %s, %s, %s, %s, %s, %s)",
        (client.client_id, _digest(client.client_secret).hex(), platform, list(tenants), list(scopes), person, at),
    )
    return client


def find_client(connection: Connection, client_id: str) -> StoredClient | None:
    """The client, unless there is none or it was revoked."""
    row = connection.exec_driver_sql(
        f"select client_id, secret_hash, scopes, {TERMS_OF_CLIENT} from client c "  # noqa: S608 - our own text
        "where client_id = %s and revoked_at is null",
        (client_id,),
    ).one_or_none()
    return None if row is None else StoredClient(row[0], row[1], tuple(row[2]), terms_from(row[3]))


@dataclass(frozen=True, slots=True)
class ClientRow:
    """A client as an administrator of one of its tenants sees it, with that tenant's terms."""

    client_id: str
    platform: str | None
    person: str | None
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None
    terms: Terms


def clients_of(connection: Connection, tenant: str, after: str, limit: int) -> list[ClientRow]:
    """The clients that may act for the tenant behind the one with this name, by their names."""
    rows = connection.exec_driver_sql(
        "select c.client_id, c.platform, c.person, c.scopes, c.created_at, c.revoked_at, "
        "case when t.tenant is not null then json_build_array("
        "json_build_array(t.signature_required, t.networks, t.ceiling_fen)) end "
        "from client c left join client_terms t on t.client_id = c.client_id and t.tenant = %s "
        "where %s = any(c.tenants) and c.client_id > %s order by c.client_id limit %s",
        (tenant, tenant, after, limit),
    )
    return [
        ClientRow(name, platform, person, tuple(scopes), created_at, revoked_at, next(iter(terms_from(terms)), Terms()))
        for name, platform, person, scopes, created_at, revoked_at, terms in rows
    ]


def principal_named(connection: Connection, client_id: str) -> Principal | None:
    """The live client with this name as a caller with all its scopes: for commands run beside the database."""
    row = connection.exec_driver_sql(
        "select client_id, person, platform, tenants, scopes from client where client_id = %s and revoked_at is null",
        (client_id,),
    ).one_or_none()
    if row is None:
        return None
    name, person, platform, tenants, scopes = row
    return Principal(name, person or name, platform, tuple(tenants), frozenset(scopes), person)


def secret_fits(client: StoredClient, client_secret: str) -> bool:
    """Whether the secret is the client's, compared in constant time."""
    return hmac.compare_digest(_digest(client_secret).hex(), client.secret_hash)


def revoke_client(connection: Connection, client_id: str, at: datetime) -> bool:
    """Revoke the client and, with it, every token it holds; ``False`` where there is no such live client."""
    done = connection.exec_driver_sql(
        "update client set revoked_at = %s where client_id = %s and revoked_at is null", (at, client_id)
    )
    return done.rowcount == 1


def new_token(*, sandbox: bool) -> str:
    """A bearer token of 256 random bits, marked as this kind of instance marks what it hands out."""
    return marked(secrets.token_urlsafe(TOKEN_BYTES), sandbox=sandbox)


def store_token(connection: Connection, token: str, client_id: str, scopes: tuple[str, ...], at: datetime) -> None:
    """Store the token's digest for one hour, and drop those of this client that have run out."""
    connection.exec_driver_sql("delete from access_token where client_id = %s and expires_at < %s", (client_id, at))
    connection.exec_driver_sql(
        "insert into access_token (token_sha256, client_id, scopes, issued_at, expires_at) values (%s, %s, %s, %s, %s)",
        (_digest(token), client_id, list(scopes), at, at + TOKEN_LIFE),
    )


def principal_of(connection: Connection, token: str, at: datetime) -> tuple[Principal, datetime] | None:
    """Who holds the token and until when, unless it is unknown, has run out, or its client was revoked."""
    row = connection.exec_driver_sql(
        f"select c.client_id, c.person, c.platform, c.tenants, t.scopes, t.expires_at, {TERMS_OF_CLIENT} "  # noqa: S608
        "from access_token t join client c using (client_id) "
        "where t.token_sha256 = %s and t.expires_at > %s and c.revoked_at is null",
        (_digest(token), at),
    ).one_or_none()
    if row is None:
        return None
    client_id, person, platform, tenants, scopes, expires_at, terms = row
    principal = Principal(
        client_id, person or client_id, platform, tuple(tenants), frozenset(scopes), person, terms_from(terms)
    )
    return principal, expires_at


def _digest(secret: str) -> bytes:
    return sha256(secret.encode())
