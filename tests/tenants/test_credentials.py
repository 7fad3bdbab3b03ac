"""Clients, secrets and tokens: random, kept as digests only, bound to their time, and gone at once when revoked."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from clearing.embedded import Addresses
from clearing.migrations import migrate
from tenants.credentials import (
    TOKEN_LIFE,
    NewClient,
    create_client,
    find_client,
    new_token,
    principal_of,
    revoke_client,
    secret_fits,
    store_token,
)
from tenants.kernel.database import open_engine
from tenants.kernel.secrets import KEY_BYTES, load_secrets
from tenants.principal import Principal

AT = datetime(2024, 9, 1, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


@pytest.fixture
def connection(servers: Addresses) -> Iterator[Connection]:
    """A transaction of the application's role, rolled back at the end."""
    owner, app = open_engine(servers.owner_url), open_engine(servers.app_url)
    migrate(owner)
    with app.connect() as connection:
        yield connection
        connection.rollback()
    owner.dispose()
    app.dispose()


def client_in(connection: Connection, person: str | None = None) -> NewClient:
    return create_client(connection, "jssic", ("jiangsu",), ("claims:read", "claims:write"), person, AT)


def token_of(connection: Connection, client: NewClient, at: datetime = AT) -> str:
    token = new_token(sandbox=False)
    store_token(connection, token, client.client_id, ("claims:read",), at)
    return token


def test_a_secret_is_random_shown_once_and_stored_as_a_digest_only(connection: Connection) -> None:
    clients = [client_in(connection) for _ in range(20)]
    assert len({client.client_secret for client in clients}) == len({client.client_id for client in clients}) == 20
    stored = connection.exec_driver_sql("select to_jsonb(client)::text from client").scalars().all()
    assert not [row for row in stored for client in clients if client.client_secret in row]
    assert all(len(client.client_secret) >= 43 for client in clients)


@pytest.mark.parametrize("change", ["", "x", "A", " "])
def test_only_the_very_secret_fits(connection: Connection, change: str) -> None:
    client, other = client_in(connection), client_in(connection)
    stored = find_client(connection, client.client_id)
    assert stored is not None
    assert secret_fits(stored, client.client_secret)
    for wrong in (change, client.client_secret[:-1] + change * 2, client.client_secret + "\0", other.client_secret):
        assert not secret_fits(stored, wrong)
    assert not secret_fits(stored, stored.secret_hash)


@pytest.mark.parametrize("name", ["", "jssic", "jssic-%", "' or true --", "JSSIC-0000"])
def test_a_client_is_found_by_its_whole_name_only(connection: Connection, name: str) -> None:
    client_in(connection)
    assert find_client(connection, name) is None


@pytest.mark.parametrize(("tenants", "scopes"), [((), ("claims:read",)), (("jiangsu",), ())])
def test_a_client_of_no_tenant_or_no_scope_is_refused(
    connection: Connection, tenants: tuple[str, ...], scopes: tuple[str, ...]
) -> None:
    with pytest.raises(IntegrityError):
        create_client(connection, None, tenants, scopes, None, AT)


def test_a_token_names_its_holder_with_the_tokens_scopes_until_its_hour_is_over(connection: Connection) -> None:
    client = client_in(connection)
    token = token_of(connection, client)
    holder = Principal(client.client_id, client.client_id, "jssic", ("jiangsu",), frozenset({"claims:read"}))
    assert principal_of(connection, token, AT) == (holder, AT + TOKEN_LIFE)
    assert principal_of(connection, token, AT + TOKEN_LIFE - MOMENT) == (holder, AT + TOKEN_LIFE)
    assert principal_of(connection, token, AT + TOKEN_LIFE) is None
    assert timedelta(hours=1) >= TOKEN_LIFE


def test_the_subject_of_a_persons_client_is_the_person(connection: Connection) -> None:
    held = [principal_of(connection, token_of(connection, client_in(connection, "li")), AT) for _ in range(2)]
    assert [one[0].subject for one in held if one is not None] == ["li", "li"]
    assert [one[0].person for one in held if one is not None] == ["li", "li"]


@pytest.mark.parametrize("change", ["", " ", "x"])
def test_a_token_that_was_never_given_names_nobody(connection: Connection, change: str) -> None:
    token = token_of(connection, client_in(connection))
    for wrong in (change, token[:-1] + change * 2, token + "\0", token.swapcase()):
        assert principal_of(connection, wrong, AT) is None


def test_tokens_are_stored_as_digests_and_those_that_ran_out_are_dropped(connection: Connection) -> None:
    client = client_in(connection)
    old = token_of(connection, client)
    new = token_of(connection, client, AT + TOKEN_LIFE + MOMENT)
    rows = connection.exec_driver_sql(
        "select encode(token_sha256, 'hex') from access_token where client_id = %s", (client.client_id,)
    ).all()
    assert len(rows) == 1
    assert not [row for row in rows if new in str(row) or old in str(row)]


def test_a_revoked_client_and_all_its_tokens_are_gone_at_once_and_others_stay(connection: Connection) -> None:
    client, other = client_in(connection), client_in(connection)
    tokens, kept = [token_of(connection, client) for _ in range(3)], token_of(connection, other)
    assert revoke_client(connection, client.client_id, AT)
    assert not revoke_client(connection, client.client_id, AT)
    assert not revoke_client(connection, "nobody", AT)
    assert find_client(connection, client.client_id) is None
    assert [principal_of(connection, token, AT) for token in tokens] == [None] * 3
    assert principal_of(connection, kept, AT) is not None


def test_a_principal_may_what_any_of_its_scopes_allows() -> None:
    reader = Principal("c", "c", None, ("jiangsu",), frozenset({"claims:read"}))
    assert reader.may("claims:write", "claims:read")
    assert not reader.may("claims:write")
    assert not reader.may()


@pytest.mark.parametrize("length", [0, KEY_BYTES - 1, KEY_BYTES + 1, 2 * KEY_BYTES])
def test_a_key_file_of_another_length_is_refused_by_name(tmp_path: Path, length: int) -> None:
    (tmp_path / "kek").write_bytes(bytes(KEY_BYTES))
    (tmp_path / "registry-key").write_bytes(bytes(length))
    with pytest.raises(ValueError, match="registry-key must hold exactly 32 bytes"):
        load_secrets(tmp_path)


def test_a_missing_key_file_is_not_made_up(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_secrets(tmp_path)
    (tmp_path / "kek").write_bytes(bytes(range(KEY_BYTES)))
    (tmp_path / "registry-key").write_bytes(bytes(KEY_BYTES))
    assert load_secrets(tmp_path).kek == bytes(range(KEY_BYTES))
    assert load_secrets(tmp_path).registry == ((1, bytes(KEY_BYTES)),)
