"""Clients of the interface as operators see them: what each may do, its public keys, and whether it still holds.

An operator sees a client only where it acts for every tenant that the client may act for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from tenants.kernel.canonical import Json, plain
from tenants.kernel.errors import not_found


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A public key of a client."""

    client_id: str
    kid: str
    added_by: str
    added_at: datetime
    revoked_by: str | None
    revoked_at: datetime | None

    def json(self) -> dict[str, Json]:
        """The key in the form of the API."""
        return {
            "kid": self.kid,
            "added_by": self.added_by,
            "added_at": plain(self.added_at),
            "revoked_by": self.revoked_by,
            "revoked_at": plain(self.revoked_at),
        }


@dataclass(frozen=True, slots=True)
class ClientRow:
    """A client, without its secret; ``token_at`` is when it got the last token that is still known."""

    client_id: str
    platform: str | None
    person: str | None
    tenants: tuple[str, ...]
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None
    token_at: datetime | None

    def json(self, keys: Sequence[KeyRow]) -> dict[str, Json]:
        """The client in the form of the API."""
        return {
            "client_id": self.client_id,
            "platform": self.platform,
            "person": self.person,
            "tenants": list(self.tenants),
            "scopes": list(self.scopes),
            "created_at": plain(self.created_at),
            "revoked_at": plain(self.revoked_at),
            "token_at": plain(self.token_at),
            "keys": [key.json() for key in keys],
        }


_CLIENTS: Final = (
    "select c.client_id, c.platform, c.person, c.tenants, c.scopes, c.created_at, c.revoked_at, "
    "(select max(t.issued_at) from access_token t where t.client_id = c.client_id) "
    "from client c where c.tenants <@ %s::text[]"
)
_KEYS: Final = ", ".join(field.name for field in fields(KeyRow))


def list_clients(
    connection: Connection, tenants: Sequence[str], platform: str | None, after: str | None, limit: int
) -> list[ClientRow]:
    """At most ``limit`` clients whose tenants are all among these, by their names, behind the name ``after``."""
    rows = connection.exec_driver_sql(
        f"{_CLIENTS} and (%s::text is null or c.platform = %s) and (%s::text is null or c.client_id > %s) "
        "order by c.client_id limit %s",
        (list(tenants), platform, platform, after, after, limit),
    )
    return [_client(row) for row in rows]


def client_totals(
    connection: Connection, tenants: Sequence[str], platform: str | None, most: int | None = None
) -> tuple[int, int]:
    """How many clients there are of these, and how many of them hold; of ``most``, where that is given."""
    count, live = connection.exec_driver_sql(
        "select count(*), count(*) filter (where revoked_at is null) from (select revoked_at from client "
        "where tenants <@ %s::text[] and (%s::text is null or platform = %s) limit %s) found",
        (list(tenants), platform, platform, most),
    ).one()
    return count, live


def find_client_of(connection: Connection, tenants: Sequence[str], client_id: str) -> ClientRow:
    """The client.

    Raises:
        NotFound: there is none, or it acts for another tenant too.
    """
    row = connection.exec_driver_sql(f"{_CLIENTS} and c.client_id = %s", (list(tenants), client_id)).one_or_none()
    if row is None:
        raise not_found("客户端", "client")
    return _client(row)


def keys_of(connection: Connection, client_ids: Sequence[str]) -> dict[str, list[KeyRow]]:
    """The clients' public keys, the newest first."""
    rows = connection.exec_driver_sql(
        f"select {_KEYS} from client_key where client_id = any(%s) order by added_at desc, kid",  # noqa: S608 - ours
        (list(client_ids),),
    )
    found: dict[str, list[KeyRow]] = {client_id: [] for client_id in client_ids}
    for row in rows:
        found[row[0]].append(KeyRow(*row))
    return found


def _client(row: Sequence[object]) -> ClientRow:
    client_id, platform, person, tenants, scopes, *times = row
    return ClientRow(client_id, platform, person, tuple(tenants), tuple(scopes), *times)  # type: ignore[arg-type]
