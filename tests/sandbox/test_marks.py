"""The three marks by themselves: secrets, database, credentials; and the ways to a bank that a sandbox has."""

import shutil
from pathlib import Path

import pytest

from clearing.settings import Settings, SettingsError, settings_from
from settlement.bank.connections import ConnectionsError, read_connections
from settlement.bank.host import HttpBank
from settlement.bank.port import BankSilentError, Message
from settlement.bank.simulator import BankServer, Books
from tenants.instance import (
    REAL,
    SANDBOX,
    MixedInstancesError,
    is_own,
    mark_of_secrets,
    mark_secrets,
    marked,
    require_secrets,
)
from tenants.kernel.money import Money


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "secrets"
    folder.mkdir(parents=True)
    (folder / "kek").write_bytes(b"k" * 32)
    return folder


def test_a_folder_without_a_mark_is_a_real_instances(secrets: Path) -> None:
    assert mark_of_secrets(secrets) == REAL
    require_secrets(secrets, REAL)
    with pytest.raises(MixedInstancesError, match="sandbox create"):
        require_secrets(secrets, SANDBOX)


def test_a_marked_folder_is_a_sandboxs_and_no_real_instances(secrets: Path) -> None:
    mark_secrets(secrets)
    assert mark_of_secrets(secrets) == SANDBOX
    assert (secrets / "instance").stat().st_mode & 0o777 == 0o600
    with pytest.raises(MixedInstancesError, match="CLEARING_SECRETS_DIR"):
        require_secrets(secrets, REAL)


def test_a_mark_beside_other_keys_is_no_mark(secrets: Path) -> None:
    mark_secrets(secrets)
    (secrets / "kek").write_bytes(b"a real instance's key, 32 bytes!")
    with pytest.raises(MixedInstancesError, match="copied from another"):
        mark_of_secrets(secrets)


@pytest.mark.parametrize("content", [b"", b"sandbox", b"sandbox\n", b"real\n", b"\xff\xfe", b"sandbox\n0000\n"])
def test_a_mark_that_was_written_by_hand_is_no_mark(secrets: Path, content: bytes) -> None:
    (secrets / "instance").write_bytes(content)
    with pytest.raises(MixedInstancesError):
        mark_of_secrets(secrets)


@pytest.mark.parametrize(
    ("credential", "mark"), [("test_x", SANDBOX), ("x", REAL), ("", REAL), ("TEST_x", REAL), (" test_x", REAL)]
)
def test_a_credential_is_told_by_its_beginning_alone(credential: str, mark: str) -> None:
    assert is_own(credential, sandbox=True) is (mark == SANDBOX)
    assert is_own(credential, sandbox=False) is (mark == REAL)
    assert is_own(marked("x", sandbox=True), sandbox=True)
    assert marked("x", sandbox=False) == "x"


def test_the_environment_names_a_sandbox_or_a_real_instance_and_nothing_else() -> None:
    named = {"CLEARING_DATABASE_URL": "d", "CLEARING_REDIS_URL": "r", "CLEARING_SECRETS_DIR": "/s"}
    assert not settings_from(named).sandbox
    assert settings_from(named | {"CLEARING_INSTANCE": "sandbox"}).mark == SANDBOX
    with pytest.raises(SettingsError, match="CLEARING_INSTANCE"):
        settings_from(named | {"CLEARING_INSTANCE": "Sandbox"})


def test_a_hosted_sandbox_calls_nothing_on_its_own_machine(secrets: Path) -> None:
    hosted = Settings("", "", secrets, demonstration=True, sandbox=True)
    assert not hosted.calls_loopback
    assert Settings("", "", secrets, demonstration=True, sandbox=True, embedded=True).calls_loopback
    assert Settings("", "", secrets, demonstration=True).calls_loopback
    assert not Settings("", "", secrets, embedded=True).calls_loopback


def read(secrets: Path, text: str, *, sandbox: bool) -> object:
    (secrets / "banks.toml").write_text(text, encoding="utf-8")
    settings = Settings("", "", secrets, sandbox=sandbox)
    return read_connections(settings.banks_file, settings.sandbox_folder)["jiangsu"]


@pytest.mark.parametrize(
    "text",
    [
        'method = "http"\naddress = "https://bank.example"',
        'method = "http"\naddress = "http://127.0.0.1:9"',
        'method = "folder"\nfolder = "/mnt/bank"',
        'method = "folder"\nfolder = "{bank}/../../elsewhere"',
        'method = "folder"\nfolder = "{bank}-of-another"',
        'method = "folder"\nfolder = "{bank}/link"',
        'method = "simulator"\naddress = "https://bank.example"',
    ],
)
def test_a_sandbox_with_a_way_out_to_a_bank_does_not_start(secrets: Path, text: str) -> None:
    bank = secrets.parent.resolve() / "bank"
    bank.mkdir()
    (bank / "link").symlink_to("/mnt")
    with pytest.raises(ConnectionsError, match="jiangsu"):
        read(secrets, "[jiangsu]\n" + text.format(bank=bank), sandbox=True)


def test_a_sandbox_has_a_folder_of_its_own_and_the_simulated_bank(secrets: Path) -> None:
    bank = secrets.parent.resolve() / "bank"
    assert read(secrets, f'[jiangsu]\nmethod = "folder"\nfolder = "{bank}/jiangsu"', sandbox=True)
    simulated = '[jiangsu]\nmethod = "simulator"\naddress = "http://127.0.0.1:9"'
    assert read(secrets, simulated, sandbox=True)
    with pytest.raises(ConnectionsError, match="sandbox's"):
        read(secrets, simulated, sandbox=False)
    shutil.rmtree(bank, ignore_errors=True)


def message() -> Message:
    return Message("BT-1", "0" * 64, 1, 1, Money(1), lambda: iter([b"x"]), lambda: iter(["e"]))


def test_nothing_is_sent_to_a_bank_that_does_not_say_that_it_is_the_simulated_one() -> None:
    """As through a tunnel that ends at a real bank: the same address, the same way, and another server."""
    books = Books()
    with BankServer(books) as server:
        assert HttpBank(server.address, None, simulated=True).inquire(message()).outcome == "absent"
        elsewhere = HttpBank(f"{server.address}/paths-of-a-real-bank", None, simulated=True)
        for call in (elsewhere.submit, elsewhere.inquire):
            with pytest.raises(BankSilentError, match="simulated bank only"):
                call(message())
    assert books.arrivals == []
