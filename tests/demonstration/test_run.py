"""The whole demonstration, run as a newcomer runs it."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from settlement.offline import verify_batch

TIMEOUT_SECONDS = 240


def run_clearing(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "clearing", *words],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


@pytest.fixture(scope="module")
def demonstrated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The data folder and what was printed."""
    folder = tmp_path_factory.mktemp("demo")
    done = run_clearing("--data-dir", str(folder), "demo", "--once", "--bind", f"127.0.0.1:{free_port()}")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "demo", done.stdout


def test_every_tenant_has_its_line_in_the_table(demonstrated: tuple[Path, str]) -> None:
    _, printed = demonstrated
    for tenant in ("jiangsu", "shanxi-hainan", "wujiang", "jiashan", "qingpu", "maanshan"):
        assert f"│ {tenant} " in printed


def test_three_batches_are_paid_by_instruction_and_verify_offline(demonstrated: tuple[Path, str]) -> None:
    folder, printed = demonstrated
    batches = sorted(path for path in (folder / "files").iterdir() if path.is_dir())
    assert [batch.name[:5] for batch in batches] == ["BT-JS", "BT-SX", "BT-WJ"]
    assert printed.count("离线验证通过") == len(batches)
    for batch in batches:
        tenant = json.loads((batch / "manifest.json").read_text(encoding="utf-8"))["tenant"]
        jwks = json.loads((folder / "files" / f"{tenant}-jwks.json").read_text(encoding="utf-8"))
        assert verify_batch(batch, jwks) == []


def test_one_changed_byte_of_a_file_is_named(demonstrated: tuple[Path, str], tmp_path: Path) -> None:
    folder, _ = demonstrated
    batch = next(path for path in (folder / "files").iterdir() if path.name.startswith("BT-SX"))
    jwks = json.loads((folder / "files" / "shanxi-hainan-jwks.json").read_text(encoding="utf-8"))
    for file in batch.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    table = tmp_path / "payouts.csv"
    changed = bytearray(table.read_bytes())
    place = changed.index(b".00")
    changed[place + 1] = ord("9")
    table.write_bytes(bytes(changed))
    found = verify_batch(tmp_path, jwks)
    assert found
    assert any("payouts.csv" in str(difference) for difference in found)


def test_the_auditor_finds_nothing_after_the_demonstration(demonstrated: tuple[Path, str]) -> None:
    folder, _ = demonstrated
    done = run_clearing("--data-dir", str(folder), "verify", "--json")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr


def test_a_caught_duplicate_is_shown_with_its_clause(demonstrated: tuple[Path, str]) -> None:
    _, printed = demonstrated
    assert "duplicate.cross_scheme" in printed
    assert "沪科合〔2020〕31号" in printed
