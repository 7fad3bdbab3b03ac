"""Starts that must not happen, each with its reason and next step in two languages."""

import errno
import os
import platform
import re
import sys
from pathlib import Path

import pytest

from clearing.embedded import EmbeddedError, EmbeddedServers, addresses_of
from clearing.embedded.errors import explained, failed
from clearing.embedded.folder import DataFolder
from clearing.embedded.postgres import way_to_disk
from tests.embedded.conftest import connect, words

CHINESE = re.compile(r"[\u4e00-\u9fff]")


def refusal(folder: Path) -> EmbeddedError:
    """The error of a start, which leaves no owner behind."""
    with pytest.raises(EmbeddedError) as caught:
        EmbeddedServers(folder).start()
    assert folder.is_file() or addresses_of(folder) is None
    assert CHINESE.search(caught.value.text.zh)
    assert not CHINESE.search(caught.value.text.en)
    return caught.value


@pytest.mark.parametrize("setting", ["fsync = off", "full_page_writes = off", "synchronous_commit = off"])
def test_a_server_without_durability_is_refused(folder: Path, setting: str) -> None:
    with (DataFolder(folder).postgres / "postgresql.auto.conf").open("a") as settings:
        settings.write(f"{setting}\n")
    assert "unsafe settings" in refusal(folder).text.en


def test_the_running_server_keeps_every_promise_of_durability(folder: Path) -> None:
    with EmbeddedServers(folder) as addresses, connect(addresses.auditor_url) as connection:
        for name in ("fsync", "full_page_writes", "synchronous_commit", "data_checksums"):
            assert connection.execute(f"SHOW {name}".encode()).fetchone() == ("on",)
        version = connection.execute("SELECT current_setting('server_version_num')::int").fetchone()
        assert version is not None
        assert int(str(version[0])) >= 180000


@pytest.mark.parametrize(
    ("system", "release", "way"),
    [
        ("linux", "6.18.44-fc-v657", "syncfs"),
        ("linux", "5.8.0", "syncfs"),
        ("linux", "5.10.16.3-microsoft-standard-WSL2", "syncfs"),
        ("linux", "5.7.19", "fsync"),
        ("linux", "4.18.0-553.el8_10.x86_64", "fsync"),
        ("linux", "unknown", "fsync"),
        ("darwin", "24.6.0", "fsync"),
    ],
)
def test_all_is_written_at_one_go_only_where_a_failure_is_told(system: str, release: str, way: str) -> None:
    assert way_to_disk(system, release) == way


def test_the_running_server_writes_all_before_a_recovery_as_this_system_can(folder: Path) -> None:
    with EmbeddedServers(folder) as addresses, connect(addresses.auditor_url) as connection:
        shown = connection.execute("SHOW recovery_init_sync_method").fetchone()
    assert shown == (way_to_disk(sys.platform, platform.release()),)


@pytest.mark.parametrize("version", ["17", "19"])
def test_a_database_of_another_major_version_is_refused_untouched(folder: Path, version: str) -> None:
    (DataFolder(folder).postgres / "PG_VERSION").write_text(f"{version}\n")
    assert f"PostgreSQL {version}" in refusal(folder).text.en


@pytest.mark.parametrize("key", ["kek", "registry-key"])
def test_a_lost_key_is_not_silently_made_anew(folder: Path, key: str) -> None:
    (DataFolder(folder).secrets / key).unlink()
    assert key in refusal(folder).text.en
    assert not (DataFolder(folder).secrets / key).exists()


def test_lost_passwords_are_made_anew(folder: Path) -> None:
    for path in DataFolder(folder).secrets.glob("*-password"):
        path.unlink()
    with EmbeddedServers(folder) as addresses:
        assert words(addresses.owner_url) == ["first"]


def test_a_first_start_on_a_file_is_refused(place: Path) -> None:
    (place / "file").write_text("")
    refusal(place / "file")


def test_a_broken_configuration_shows_the_servers_log(folder: Path) -> None:
    with (DataFolder(folder).postgres / "postgresql.auto.conf").open("a") as settings:
        settings.write("no_such_setting = 1\n")
    assert "no_such_setting" in str(refusal(folder))


@pytest.mark.parametrize(
    ("output", "step"),
    [
        ('FATAL: could not write lock file "postmaster.pid": No space left on device', "Free some space"),
        ("FATAL: database files are incompatible with server", "another server version"),
        ("FATAL: could not resize shared memory segment: No space left on device", "Free some space"),
        ("FATAL: could not create shared memory segment", "shm-size"),
        ("PermissionError: [Errno 13] Permission denied: 'x'", "owner"),
        ("error while loading shared libraries: libz.so.1", "install again"),
    ],
)
def test_a_known_failure_is_explained_with_the_next_step(output: str, step: str) -> None:
    fault = failed("PostgreSQL", output)
    assert step in fault.text.en
    assert CHINESE.search(fault.text.zh)


@pytest.mark.parametrize(
    ("number", "step"),
    [(errno.ENOSPC, "Free some space"), (errno.EROFS, "writable"), (errno.EACCES, "owner")],
)
def test_an_error_of_the_system_is_explained_with_the_next_step(place: Path, number: int, step: str) -> None:
    with pytest.raises(EmbeddedError, match=step), explained(place):
        raise OSError(number, os.strerror(number), str(place))
