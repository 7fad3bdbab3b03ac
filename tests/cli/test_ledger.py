"""``clearing ledger``: the accounts, one account's statement and the journal, written by commands."""

import json
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from beancount import loader

from tenants.kernel.money import Money
from tests.cli.commands import command
from tests.cli.regions import Regions
from tests.cli.shell import refused

MINE = ("--tenant", "jiangsu")
BUDGET = "budget/provincial/2024"
PLACE = "/v1/tenants/jiangsu/ledger"


@pytest.fixture(scope="module", autouse=True)
def _moved(regions: Regions) -> None:
    """Something was awarded and paid."""
    regions.batch(2)


def test_accounts_are_listed_to_the_last_with_their_sums(regions: Regions, monkeypatch: pytest.MonkeyPatch) -> None:
    items = regions.get(f"{PLACE}/accounts?limit=500")["items"]
    monkeypatch.setattr("clearing.cli.pages.PAGE", 3)
    assert json.loads(command(regions.story, "ledger", "accounts", *MINE, "--json"))["items"] == items
    some = json.loads(command(regions.story, "ledger", "accounts", *MINE, "--prefix", "budget/", "--json"))["items"]
    assert some == [each for each in items if each["account"].startswith("budget/")]
    [budget] = [each for each in some if each["account"] == BUDGET]
    shown = command(regions.story, "ledger", "accounts", *MINE, "--prefix", BUDGET)
    assert BUDGET in shown
    assert budget["debits"] in shown
    assert "none" in command(regions.story, "ledger", "accounts", *MINE, "--prefix", "nothing/")


def test_a_statement_comes_to_its_closing_line_by_line(regions: Regions, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = regions.get(f"{PLACE}/statement?account={BUDGET}&limit=500")
    monkeypatch.setattr("clearing.cli.pages.PAGE", 2)
    shown = json.loads(command(regions.story, "ledger", "statement", *MINE, "--account", BUDGET, "--json"))
    assert shown["items"] == whole["items"]
    assert len(shown["items"]) == shown["count"] > 2
    opening, debits, credited, closing = (
        Money.parse(shown[name].removeprefix("-")) for name in ("opening", "debits", "credits", "closing")
    )
    assert (opening.fen, shown["items"][-1]["balance"]) == (0, shown["closing"])
    assert credited.fen - debits.fen == (-closing.fen if shown["closing"].startswith("-") else closing.fen)
    read = command(regions.story, "ledger", "statement", *MINE, "--account", BUDGET)
    assert shown["closing"] in read
    assert shown["items"][0]["other_account"] in read


def test_a_statement_of_some_days_opens_with_what_was_there_before(regions: Regions) -> None:
    days = ("--from", f"{regions.today}", "--through", f"{regions.today}")
    whole = json.loads(command(regions.story, "ledger", "statement", *MINE, "--account", BUDGET, "--json"))
    today = json.loads(command(regions.story, "ledger", "statement", *MINE, "--account", BUDGET, *days, "--json"))
    assert today["from"] == today["through"] == f"{regions.today}"
    assert (today["opening"], today["closing"]) == (whole["closing"], whole["closing"])
    assert today["items"] == []
    assert "none" in command(regions.story, "ledger", "statement", *MINE, "--account", BUDGET, *days)


def test_a_statement_that_there_is_not_is_refused_with_words(regions: Regions) -> None:
    account = ("--account", BUDGET)
    assert "没有这个账户" in refused(regions.story, "ledger", "statement", *MINE, "--account", "budget/x/2024")
    theirs = refused(regions.story, "ledger", "statement", "--tenant", "wujiang", *account)
    assert "没有这个账户" in theirs, "another tenant's account"
    back = ("--from", "2024-10-02", "--through", "2024-10-01")
    assert "截止日早于起始日" in refused(regions.story, "ledger", "statement", *MINE, *account, *back)
    for words in (("accounts",), ("statement", *account), ("journal",)):
        assert "没有区域 atlantis" in refused(regions.story, "ledger", *words, "--tenant", "atlantis")


def test_a_journal_holds_every_transfer_and_balances(regions: Regions, tmp_path: Path) -> None:
    out = tmp_path / "jiangsu.journal"
    told = command(regions.story, "ledger", "journal", *MINE, "--out", str(out))
    [row] = regions.rows("select count(*) as transfers from ledger_transfer where tenant = 'jiangsu'")
    assert f"{row.transfers} 笔分录 / transfers" in told
    text = out.read_text(encoding="utf-8")
    assert len(set(re.findall(r"  ; transfer:([0-9a-f-]{36})", text))) == row.transfers > 0
    assert command(regions.story, "ledger", "journal", *MINE) == text + told, "without a file it is printed"
    if (hledger := shutil.which("hledger")) is not None:
        check = [hledger, "-f", str(out), "check", "--strict"]
        checked = subprocess.run(check, capture_output=True, check=False, timeout=60, env={"LANG": "C.UTF-8"})
        assert checked.returncode == 0, checked.stderr


def test_a_journal_of_some_days_holds_the_transfers_of_those_days(regions: Regions) -> None:
    tomorrow = f"{regions.today + timedelta(days=1)}"
    told = command(regions.story, "ledger", "journal", *MINE, "--from", tomorrow, "--through", tomorrow)
    assert "0 笔分录" in told


def test_a_journal_for_beancount_is_one_that_beancount_takes(regions: Regions, tmp_path: Path) -> None:
    out = tmp_path / "jiangsu.beancount"
    command(regions.story, "ledger", "journal", *MINE, "--format", "beancount", "--out", str(out))
    entries, faults, _ = loader.load_file(str(out))
    assert faults == []
    [row] = regions.rows("select count(*) as transfers from ledger_transfer where tenant = 'jiangsu'")
    assert sum("transfer" in entry.meta for entry in entries) == row.transfers


def test_a_journal_that_is_refused_leaves_the_file_as_it_was(regions: Regions, tmp_path: Path) -> None:
    out = tmp_path / "kept.journal"
    out.write_text("; last year's\n", encoding="utf-8")
    back = ("--from", "2024-10-02", "--through", "2024-10-01")
    refused(regions.story, "ledger", "journal", *MINE, *back, "--out", str(out))
    assert out.read_text(encoding="utf-8") == "; last year's\n"
    assert [path.name for path in tmp_path.iterdir()] == ["kept.journal"]
    new = tmp_path / "new.journal"
    refused(regions.story, "ledger", "journal", *MINE, *back, "--out", str(new))
    assert not new.exists(), "an empty journal would be taken for a year without a transfer"
    nowhere = tmp_path / "absent" / "x.journal"
    assert "x.journal" in refused(regions.story, "ledger", "journal", *MINE, "--out", str(nowhere))
