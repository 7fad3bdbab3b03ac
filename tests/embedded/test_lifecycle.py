"""Start, stop, attach, and come back after every kind of kill."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import redis

from clearing.embedded import AlreadyRunningError, EmbeddedServers, addresses_of, embedded
from clearing.embedded.folder import DataFolder
from clearing.embedded.process import processes_in
from tests.embedded.conftest import connect, words

OWNER = Path(__file__).with_name("owner.py")
GONE_SECONDS = 8


@contextmanager
def owner_of(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that owns the folder's servers, ready."""
    root = OWNER.parent.parent.parent
    process = subprocess.Popen(
        [sys.executable, OWNER, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("postgresql")
        yield process
    wait_until_gone(folder)


def main_pids(folder: Path) -> tuple[int, int]:
    """The main processes of PostgreSQL and Valkey."""
    servers = DataFolder(folder).servers
    postgres = (servers / "postgres/postmaster.pid").read_text().split()[0]
    return int(postgres), int((servers / "valkey/valkey.pid").read_text())


def left_running(folder: Path) -> list[psutil.Process]:
    """Processes of either server."""
    servers = DataFolder(folder)
    return [*processes_in(servers.postgres), *processes_in(servers.valkey)]


def wait_until_gone(folder: Path) -> None:
    deadline = time.monotonic() + GONE_SECONDS
    while left_running(folder):
        assert time.monotonic() < deadline, left_running(folder)
        time.sleep(0.02)


def test_an_empty_folder_becomes_a_database_and_a_queue(place: Path) -> None:
    with EmbeddedServers(place / "new/data") as addresses:
        for url, role in (
            (addresses.owner_url, "clearing_owner"),
            (addresses.app_url, "clearing_app"),
            (addresses.auditor_url, "clearing_auditor"),
        ):
            with connect(url) as connection:
                assert connection.execute("SELECT current_user").fetchone() == (role,)
        with redis.Redis.from_url(addresses.redis_url) as queue:
            assert queue.ping()
            assert queue.connection_pool.connection_kwargs["socket_timeout"] == 30
    assert not left_running(place / "new/data")


def test_what_was_written_is_there_after_a_restart(folder: Path) -> None:
    for expected in (["first"], ["first", "later"]):
        with EmbeddedServers(folder) as addresses:
            assert words(addresses.owner_url) == expected
            if expected == ["first"]:
                with connect(addresses.app_url) as connection:
                    connection.execute("INSERT INTO kept VALUES ('later')")


def test_a_second_owner_is_refused_and_told_who_is_the_first(folder: Path) -> None:
    with owner_of(folder) as first:
        with pytest.raises(AlreadyRunningError) as refusal:
            EmbeddedServers(folder).start()
        assert str(first.pid) in refusal.value.text.zh
        assert str(first.pid) in refusal.value.text.en
        found = addresses_of(folder)
        assert found is not None
        assert words(found.app_url) == ["first"]


def test_a_second_owner_in_the_same_process_is_refused(folder: Path) -> None:
    with EmbeddedServers(folder), pytest.raises(AlreadyRunningError):
        EmbeddedServers(folder).start()


def test_a_command_attaches_to_running_servers_and_leaves_them_running(folder: Path) -> None:
    with EmbeddedServers(folder) as own:
        with embedded(folder) as attached:
            assert attached == own
        assert words(own.app_url) == ["first"]


def test_a_command_without_running_servers_starts_and_stops_them(folder: Path) -> None:
    assert addresses_of(folder) is None
    with embedded(folder) as addresses:
        assert addresses_of(folder) == addresses
    assert addresses_of(folder) is None
    assert not left_running(folder)


def test_servers_end_with_their_killed_owner_and_start_again(folder: Path) -> None:
    with owner_of(folder) as owner:
        found = addresses_of(folder)
        assert found is not None
        with connect(found.app_url) as connection:
            connection.execute("INSERT INTO kept VALUES ('acknowledged')")
        owner.kill()
        owner.wait()
        assert addresses_of(folder) is None
        if sys.platform == "linux":
            wait_until_gone(folder)
        with EmbeddedServers(folder) as addresses:
            assert words(addresses.app_url) == ["acknowledged", "first"]


def test_a_start_right_after_the_owner_was_killed_succeeds(folder: Path) -> None:
    with owner_of(folder) as owner:
        owner.kill()
        owner.wait()
        with EmbeddedServers(folder) as addresses:
            assert words(addresses.app_url) == ["first"]


def test_owner_and_servers_killed_at_once_leave_a_folder_that_starts(folder: Path) -> None:
    with owner_of(folder) as owner:
        found = addresses_of(folder)
        assert found is not None
        with connect(found.app_url) as connection:
            connection.execute("INSERT INTO kept VALUES ('acknowledged')")
        for pid in (*main_pids(folder), owner.pid):
            os.kill(pid, signal.SIGKILL)
        owner.wait()
        assert (DataFolder(folder).postgres / "postmaster.pid").exists()
        with EmbeddedServers(folder) as addresses:
            assert words(addresses.app_url) == ["acknowledged", "first"]


def test_orphans_that_hang_are_ended_by_the_next_start(folder: Path) -> None:
    with owner_of(folder) as owner:
        postgres, valkey = main_pids(folder)
        for pid in (postgres, valkey):
            os.kill(pid, signal.SIGSTOP)
        owner.kill()
        owner.wait()
        assert {process.pid for process in left_running(folder)} >= {postgres, valkey}
        with EmbeddedServers(folder) as addresses:
            assert words(addresses.app_url) == ["first"]
            assert not {postgres, valkey}.intersection(main_pids(folder))


def test_a_stale_pid_file_that_names_a_strange_process_harms_nobody(folder: Path) -> None:
    pid_file = DataFolder(folder).postgres / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{folder}\n")
    with EmbeddedServers(folder) as addresses:
        assert words(addresses.app_url) == ["first"]


def test_killed_servers_are_revived_with_their_data(folder: Path) -> None:
    servers = EmbeddedServers(folder)
    with servers as addresses:
        assert servers.revive() == ()
        for pid in main_pids(folder):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, os.WNOHANG)
        time.sleep(0.1)
        assert servers.revive() == ("PostgreSQL", "Valkey")
        assert words(addresses.app_url) == ["first"]
        with redis.Redis.from_url(addresses.redis_url) as queue:
            assert queue.ping()


def test_the_queue_keeps_its_messages_over_a_restart(folder: Path) -> None:
    with EmbeddedServers(folder) as addresses, redis.Redis.from_url(addresses.redis_url) as queue:
        queue.set("message", "1")
    with EmbeddedServers(folder) as addresses, redis.Redis.from_url(addresses.redis_url) as queue:
        assert queue.get("message") == b"1"


def test_a_damaged_queue_file_gives_an_empty_queue(folder: Path) -> None:
    with EmbeddedServers(folder) as addresses, redis.Redis.from_url(addresses.redis_url) as queue:
        queue.set("message", "1")
    files = list(DataFolder(folder).valkey.rglob("*.aof"))
    assert files
    for path in files:
        path.write_bytes(b"*3\r\nnonsense" * 50)
    with EmbeddedServers(folder) as addresses, redis.Redis.from_url(addresses.redis_url) as queue:
        assert queue.get("message") is None


def test_a_half_made_first_start_is_thrown_away(place: Path) -> None:
    half = DataFolder(place / "data").servers / "postgres.new"
    with owner_of(place / "data"):
        pass  # its input ends, so it stops the servers and ends
    DataFolder(place / "data").postgres.rename(half)
    (half / "PG_VERSION").write_text("broken")
    with EmbeddedServers(place / "data") as addresses, connect(addresses.owner_url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert not half.exists()


def test_stopping_is_quick_and_may_be_repeated(folder: Path) -> None:
    servers = EmbeddedServers(folder)
    addresses = servers.start()
    busy = connect(addresses.app_url)
    busy.execute("SELECT * FROM kept")
    begin = time.monotonic()
    servers.stop()
    assert time.monotonic() - begin < 6
    busy.close()
    servers.stop()
    assert not left_running(folder)


def test_a_forked_child_neither_stops_the_servers_nor_keeps_the_folder(folder: Path) -> None:
    script = (
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from clearing.embedded import EmbeddedServers\n"
        "servers = EmbeddedServers(Path(sys.argv[1]))\n"
        "servers.start()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    servers.stop()\n"
        "    os.close(1)\n"
        "    time.sleep(60)\n"
        "print(child, flush=True)\n"
        "sys.stdin.read()\n"
    )
    root = OWNER.parent.parent.parent
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", script, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        time.sleep(0.3)
        found = addresses_of(folder)
        assert found is not None
        assert words(found.app_url) == ["first"]
        parent.kill()
        parent.wait()
        try:
            with EmbeddedServers(folder) as addresses:
                assert words(addresses.app_url) == ["first"]
        finally:
            os.kill(child, signal.SIGKILL)
