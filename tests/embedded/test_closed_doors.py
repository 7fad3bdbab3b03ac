"""Who may do what: roles, sockets, accounts, folders."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from clearing.embedded import Addresses, EmbeddedError, EmbeddedServers
from clearing.embedded.account import server_account
from clearing.embedded.binaries import COPY_PLACE, _copy, installed_binaries
from clearing.embedded.folder import DataFolder, fits
from tests.embedded.conftest import connect, words

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root has another account to drop to")


@pytest.fixture(scope="module")
def addresses(started_once: Path) -> Iterator[Addresses]:
    with EmbeddedServers(started_once) as found:
        yield found


@pytest.mark.parametrize(
    "command",
    [
        "CREATE TABLE mine (x int)",
        "CREATE TEMP TABLE mine (x int)",
        "CREATE SCHEMA mine",
        "CREATE ROLE mine",
        "DROP TABLE kept",
        "ALTER TABLE kept ADD x int",
        "TRUNCATE kept",
        "UPDATE kept SET word = 'x'",
        "SET ROLE clearing_owner",
        "SET SESSION AUTHORIZATION clearing_owner",
        "SELECT set_config('clearing.tenants', 'jiangsu', true)",
        "DO $$ BEGIN END $$",
        "SELECT lo_create(0)",
        "SELECT pg_read_file('postgresql.auto.conf')",
        "COPY kept TO PROGRAM 'id'",
        "ALTER ROLE clearing_app BYPASSRLS",
        "CREATE EXTENSION vector",
    ],
)
def test_the_app_role_may_not_change_the_house(addresses: Addresses, command: str) -> None:
    with connect(addresses.app_url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(command.encode())


def test_the_app_role_owns_nothing_and_has_limits(addresses: Addresses) -> None:
    with connect(addresses.app_url) as connection:
        owned = connection.execute("SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole").fetchone()
        assert owned == (0,)
        for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            assert connection.execute(f"SHOW {name}".encode()).fetchone() != ("0",)


@pytest.mark.parametrize("role", ["app", "owner"])
@pytest.mark.parametrize("command", ["CREATE ROLE mine", "CREATE DATABASE mine", "ALTER SYSTEM SET fsync = off"])
def test_neither_app_nor_owner_is_a_superuser(addresses: Addresses, role: str, command: str) -> None:
    url = addresses.app_url if role == "app" else addresses.owner_url
    with (
        psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection,
        pytest.raises(psycopg.Error, match=r"permission denied|is not allowed"),
    ):
        connection.execute(command.encode())


def test_the_auditor_reads_past_row_level_security_and_writes_nothing(addresses: Addresses) -> None:
    with connect(addresses.owner_url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS private AS SELECT 'seen' AS word")
        connection.execute("ALTER TABLE private ENABLE ROW LEVEL SECURITY")
        connection.execute("ALTER TABLE private FORCE ROW LEVEL SECURITY")
    with connect(addresses.auditor_url) as connection:
        assert connection.execute("SELECT word FROM private").fetchone() == ("seen",)
        with pytest.raises(psycopg.Error):
            connection.execute("DELETE FROM private")


@pytest.mark.parametrize("database", ["clearing", "postgres", "template1"])
def test_the_superuser_has_no_way_in(addresses: Addresses, database: str) -> None:
    host = psycopg.conninfo.conninfo_to_dict(addresses.app_url.replace("+psycopg", ""))["host"]
    with pytest.raises(psycopg.OperationalError, match="rejects connection"):
        psycopg.connect(host=str(host), user="postgres", dbname=database, password="x")


def test_a_wrong_password_is_refused_by_both_servers(addresses: Addresses) -> None:
    given = psycopg.conninfo.conninfo_to_dict(addresses.app_url.replace("+psycopg", ""))
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(host=str(given["host"]), user="clearing_app", dbname="clearing", password="wrong")
    with (
        redis.Redis(unix_socket_path=f"{given['host']}/valkey.sock", retry=Retry(NoBackoff(), 0)) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()


def test_no_password_and_no_key_lies_where_the_servers_look(started_once: Path, addresses: Addresses) -> None:
    folder = DataFolder(started_once)
    assert addresses.app_url
    secrets = {path.name: path for path in folder.secrets.iterdir()}
    assert set(secrets) == {
        *("owner-password", "app-password", "auditor-password", "redis-password"),
        *("kek", "registry-key"),
    }
    for path in secrets.values():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert len(path.read_bytes()) >= 32
    logs = b"".join(path.read_bytes() for path in folder.logs.iterdir())
    assert not any(path.read_bytes() in logs for path in secrets.values())


def test_folders_are_private_and_nothing_listens_on_a_port(started_once: Path, addresses: Addresses) -> None:
    folder = DataFolder(started_once)
    assert words(addresses.app_url) == ["first"]
    for path in (folder.root, folder.postgres, folder.valkey, folder.sockets, folder.secrets):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700, path
    pid = int((folder.postgres / "postmaster.pid").read_text().split()[0])
    queue = int((folder.valkey / "valkey.pid").read_text())
    for process in (psutil.Process(pid), psutil.Process(queue)):
        assert process.net_connections(kind="inet") == []


@AS_ROOT
def test_root_drops_to_an_ordinary_account_and_says_so(place: Path) -> None:
    place.chmod(0o700)  # the account cannot enter this folder by itself
    servers = EmbeddedServers(place / "data")
    with servers:
        folder = DataFolder(place / "data")
        for name in ("postgres/postmaster.pid", "valkey/valkey.pid"):
            process = psutil.Process(int((folder.servers / name).read_text().split()[0]))
            assert 0 not in process.uids()
            assert 0 not in process.gids()
        assert "root" in servers.notices[0]
        assert server_account(()).name in servers.notices[0]


@AS_ROOT
def test_the_account_of_the_folders_owner_is_preferred(folder: Path) -> None:
    daemon = 1
    os.chown(folder, daemon, daemon)
    assert server_account((folder,)).uid == daemon


@AS_ROOT
def test_root_may_run_the_folder_of_another_account_as_that_account(folder: Path) -> None:
    nobody = server_account(()).uid
    for path in (folder, *folder.rglob("*")):
        os.chown(path, nobody, -1)
    with EmbeddedServers(folder) as found:
        assert words(found.app_url) == ["first"]
        pid = int((DataFolder(folder).postgres / "postmaster.pid").read_text().split()[0])
        assert psutil.Process(pid).uids().real == nobody


@AS_ROOT
def test_programs_out_of_reach_are_copied_whole_into_a_folder_of_roots(place: Path) -> None:
    place.chmod(0o755)
    copied = _copy(installed_binaries(), place / "copy", server_account(()))
    assert copied is not None
    for program in (copied.postgres(), copied.postgres("initdb"), copied.valkey):
        assert stat.S_IMODE(program.stat().st_mode) == 0o755
        assert program.stat().st_uid == 0
    assert str(COPY_PLACE).startswith("/var")


@AS_ROOT
def test_a_place_that_others_may_write_is_no_place_for_programs(place: Path) -> None:
    place.chmod(0o755)
    (place / "copy").mkdir()
    (place / "copy").chmod(0o777)
    assert _copy(installed_binaries(), place / "copy", server_account(())) is None


def test_a_path_too_long_for_a_socket_gets_a_short_private_folder(folder: Path, place: Path) -> None:
    deep = place / ("long-" * 12) / ("深" * 20)
    deep.mkdir(parents=True)
    folder.rename(deep / "data")
    assert not fits(DataFolder(deep / "data").sockets)
    servers = EmbeddedServers(deep / "data")
    with servers as addresses:
        assert words(addresses.app_url) == ["first"]
        host = Path(str(psycopg.conninfo.conninfo_to_dict(addresses.app_url.replace("+psycopg", ""))["host"]))
        assert fits(host)
        assert stat.S_IMODE(host.stat().st_mode) == 0o700
        assert str(host) in servers.notices[-1]
        with redis.Redis.from_url(addresses.redis_url) as queue:
            assert queue.ping()
    assert not host.exists()


def test_a_folder_that_others_may_write_is_refused(place: Path) -> None:
    (place / "stranger").touch()
    place.chmod(0o777)
    with pytest.raises(EmbeddedError, match="chmod 700"):
        EmbeddedServers(place).start()
    place.chmod(0o700)


@AS_ROOT
@pytest.mark.parametrize("part", ["secrets", "servers/postgres", "servers/sockets"])
def test_a_part_that_belongs_to_a_stranger_is_refused(folder: Path, part: str) -> None:
    account = server_account((DataFolder(folder).postgres,))
    stranger = account.uid - 1
    (folder / part).rename(folder / "aside")
    (folder / part).mkdir()
    os.chown(folder / part, stranger, stranger)
    with pytest.raises(EmbeddedError, match="belongs to another account"):
        EmbeddedServers(folder).start()


def test_a_link_in_place_of_the_secrets_is_refused(folder: Path, place: Path) -> None:
    (folder / "secrets").rename(place / "elsewhere")
    (folder / "secrets").symlink_to(place / "elsewhere")
    with pytest.raises(EmbeddedError, match="belongs to another account"):
        EmbeddedServers(folder).start()
