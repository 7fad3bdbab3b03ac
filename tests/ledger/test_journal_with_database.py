"""The ledger as a journal: hledger and beancount, which know nothing of us, accept it and find the same balances."""

import csv
import io
import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Final

import pytest
from beancount import loader
from beancount.core.data import Transaction
from sqlalchemy import Connection

from settlement import ledger
from settlement.formats.journal import DIALECTS, Entry, account_name, pending_name, transaction
from settlement.ledger import Transfer
from settlement.ledger_journal import write_journal
from settlement.ledger_statement import Period, list_accounts
from tenants.kernel.ids import new_id
from tenants.kernel.money import Money
from tests.settlement_service.bench import Bench, shanghai

YEAR: Final = "shanxi-local/2024"
BUDGET, OWED, TRANSIT = f"budget/{YEAR}", f"obligations/{YEAR}", f"in-transit/{YEAR}"
QUOTA, USED = f"quota/{YEAR}/91320300MA1TEST00X", f"quota-used/{YEAR}"
WHOLE: Final = Period(date(2000, 1, 1), date(2024, 12, 31))
UNDECIDED: Final = 7
HOSTILE: Final = 'a "quoted" reason; with | and \\ and 中文\nand a second line'

needs_hledger = pytest.mark.skipif(shutil.which("hledger") is None, reason="hledger is not installed")


@pytest.fixture
def busy(bench: Bench) -> Bench:
    """Four hundred transfers of every kind over three months."""
    random = Random(11)
    accounts = {ledger.TREASURY: False, BUDGET: True, OWED: False, TRANSIT: False, QUOTA: True, USED: False}
    bench.do(lambda c: ledger.open_accounts(c, bench.tenant, accounts))
    append(bench, "2024-01-02", ledger.posted(ledger.TREASURY, BUDGET, Money(9_999_999_999), "appropriation", new_id()))
    waiting: list[Transfer] = []
    for number in range(400):
        day = f"2024-{1 + number // 150:02d}-{3 + number % 25:02d}"
        amount, subject = Money(random.randrange(1, 10_000_000)), new_id()
        match number % 5:
            case 0 | 1:
                waiting.append(
                    ledger.pending(*random.choice([(BUDGET, OWED), (QUOTA, USED)]), amount, HOSTILE, subject)
                )
                append(bench, day, waiting[-1])
            case 2 | 3 if len(waiting) > UNDECIDED:
                kind = random.choice(["post", "void"])
                append(bench, day, ledger.ended(waiting.pop(random.randrange(len(waiting))), kind, "decided"))
            case _:
                one = ledger.posted(OWED, TRANSIT, amount, "BT-TT-2024-0001", subject)
                append(bench, day, one, ledger.reversal(one, "returned"), replace(one, transfer_id=new_id()))
    return bench


def append(bench: Bench, day: str, *transfers: Transfer) -> None:
    bench.do(lambda c: ledger.append(c, bench.tenant, transfers, shanghai(day)))


def written(bench: Bench, dialect: str, period: Period = WHOLE) -> str:
    def write(connection: Connection) -> str:
        file = io.StringIO()
        write_journal(connection, bench.tenant, period, dialect, file)
        return file.getvalue()

    return bench.do(write)


def expected(bench: Bench) -> dict[str, Decimal]:
    """The balances as the ledger's own sums have them, debits positive, by the names of the journal."""
    accounts = bench.do(lambda c: list_accounts(c, bench.tenant, "", "", 100))
    balances = {account_name(each.code): Decimal(str(each.debits - each.credits)) for each in accounts}
    balances |= {pending_name(each.code): Decimal(str(each.pending_debits - each.pending_credits)) for each in accounts}
    return {name: amount for name, amount in balances.items() if amount}


def hledger(journal: str, folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    path = folder / "ledger.journal"
    path.write_text(journal, encoding="utf-8")
    command = ["hledger", "-f", str(path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={"LANG": "C.UTF-8"})


def hledger_balances(journal: str, folder: Path) -> dict[str, Decimal]:
    checked = hledger(journal, folder, "check", "--strict")
    assert checked.returncode == 0, checked.stderr
    printed = hledger(
        journal, folder, "balance", "--flat", "-O", "csv", "--no-total", "--commodity-style", "1000.00 CNY"
    )
    rows = list(csv.DictReader(io.StringIO(printed.stdout)))
    return {row["account"]: Decimal(row["balance"].removesuffix(" CNY")) for row in rows}


def beancount_balances(journal: str) -> dict[str, Decimal]:
    entries, errors, _ = loader.load_string(journal)
    assert errors == [], errors[:3]
    sums: Counter[str] = Counter()
    balances: dict[str, Decimal] = {}
    for entry in entries:
        if isinstance(entry, Transaction):
            sums["transactions"] += 1
            for posting in entry.postings:
                assert posting.units is not None
                assert posting.units.number is not None
                balances[posting.account] = balances.get(posting.account, Decimal(0)) + posting.units.number
    assert sums["transactions"] > 0
    return {name: amount for name, amount in balances.items() if amount}


@needs_hledger
def test_hledger_accepts_the_whole_ledger_and_finds_its_balances(busy: Bench, tmp_path: Path) -> None:
    assert hledger_balances(written(busy, "hledger"), tmp_path) == expected(busy)


def test_beancount_accepts_the_whole_ledger_and_finds_its_balances(busy: Bench) -> None:
    assert beancount_balances(written(busy, "beancount")) == expected(busy)


@needs_hledger
def test_a_period_begins_with_what_was_there_and_ends_in_both_programs_alike(busy: Bench, tmp_path: Path) -> None:
    last = Period(date(2024, 2, 10), date(2024, 12, 31))
    assert hledger_balances(written(busy, "hledger", last), tmp_path) == expected(busy)
    assert beancount_balances(written(busy, "beancount", last)) == expected(busy)
    first = Period(date(2000, 1, 1), date(2024, 2, 9))
    assert hledger_balances(written(busy, "hledger", first), tmp_path) == beancount_balances(
        written(busy, "beancount", first)
    )


@needs_hledger
@pytest.mark.parametrize("change", ["amount", "dropped", "twice"])
def test_both_programs_refuse_a_journal_in_which_one_transfer_was_changed(
    busy: Bench, tmp_path: Path, change: str
) -> None:
    refusals: dict[str, Callable[[str], bool]] = {
        "hledger": lambda text: hledger(text, tmp_path, "check").returncode != 0,
        "beancount": lambda text: loader.load_string(text)[1] != [],
    }
    for dialect, refused in refusals.items():
        whole = written(busy, dialect)
        spoiled = _spoiled(whole, change)
        assert spoiled != whole
        assert not refused(whole)
        assert refused(spoiled), dialect


def _spoiled(journal: str, change: str) -> str:
    head, middle, tail = _around_one(journal)
    if change == "amount":
        digit = next(number for number in "123456789" if f"  {number}" in middle)
        return head + middle.replace(f"  {digit}", "  9" if digit != "9" else "  8", 1) + tail
    return head + ("" if change == "dropped" else middle + "\n\n" + middle) + tail


def _around_one(journal: str) -> tuple[str, str, str]:
    """What stands before, in, and behind one posted transaction in the middle."""
    blocks = journal.split("\n\n")
    number = next(
        n for n in range(len(blocks) // 2, len(blocks)) if "posted: " in blocks[n] and "appro" not in blocks[n]
    )
    head, tail = "\n\n".join(blocks[:number]), "\n\n".join(blocks[number + 1 :])
    return head + "\n\n", blocks[number], "\n\n" + tail


def test_every_transfer_stands_in_the_journal_once_by_its_id(busy: Bench) -> None:
    ids = {str(row.id) for row in busy.rows("select id from ledger_transfer where tenant = %s", busy.tenant)}
    for dialect in DIALECTS:
        text = written(busy, dialect)
        assert len(ids) > 300
        assert all(text.count(transfer_id) == 1 for transfer_id in ids)


def test_a_tenant_without_transfers_has_an_empty_journal(bench: Bench) -> None:
    assert [written(bench, dialect) for dialect in DIALECTS] == ["", ""]


@pytest.mark.parametrize("kind", ["pending", "post", "void", "posted"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_reason_cannot_break_out_of_its_line(kind: str, dialect: str) -> None:
    reason = '"; 2024-01-01 * "forged\n    Assets:Treasury  1.00 CNY'
    entry = Entry(new_id(), date(2024, 1, 1), kind, OWED, TRANSIT, Money(5), reason, new_id())
    lines = list(transaction(DIALECTS[dialect], entry))
    assert all("\n" not in line for line in lines)
    assert "".join(lines).count('"') in ({0} if dialect == "hledger" else {6})


def test_json_of_an_account_has_two_decimals_everywhere(busy: Bench) -> None:
    for each in busy.do(lambda c: list_accounts(c, busy.tenant, "", "", 100)):
        amounts = [value for value in json.loads(json.dumps(each.json())).values() if isinstance(value, str)][1:]
        assert all(amount[-3] == "." for amount in amounts)
