"""The whole story's ledgers, of every tenant and kind of account, read by hledger and beancount."""

import shutil
import subprocess
from pathlib import Path

import pytest
from beancount import loader

from tests.verification.story import Story

needs_hledger = pytest.mark.skipif(shutil.which("hledger") is None, reason="hledger is not installed")


def journal(story: Story, tenant: str, dialect: str) -> str:
    answer = story.call("auditor", "GET", f"/v1/tenants/{tenant}/ledger/journal?format={dialect}")
    return answer.get_data(as_text=True)


@needs_hledger
def test_hledger_accepts_and_balances_the_ledger_of_every_tenant(story: Story, tmp_path: Path) -> None:
    for tenant in story.tenants:
        path = tmp_path / f"{tenant}.journal"
        path.write_text(journal(story, tenant, "hledger"), encoding="utf-8")
        command = ["hledger", "-f", str(path), "check", "--strict"]
        checked = subprocess.run(command, capture_output=True, text=True, check=False, env={"LANG": "C.UTF-8"})
        assert checked.returncode == 0, (tenant, checked.stderr)


def test_beancount_accepts_and_balances_the_ledger_of_every_tenant(story: Story) -> None:
    kinds: set[str] = set()
    for tenant in story.tenants:
        text = journal(story, tenant, "beancount")
        assert loader.load_string(text)[1] == [], tenant
        kinds |= {line.split()[2].split(":")[1] for line in text.splitlines() if " open " in line}
    assert {"Clearing", "Netted", "Agent", "Matching-paid", "Matching-expense", "In-transit", "Pending"} <= kinds


def test_between_two_tenants_the_one_owes_in_its_books_what_the_other_is_owed_in_its_own(story: Story) -> None:
    books = {}
    for tenant, other in (("wujiang", "jiashan"), ("jiashan", "wujiang")):
        path = f"/v1/tenants/{tenant}/ledger/accounts?prefix=clearing/delta/2024/{other}"
        [books[tenant]] = story.call("auditor", "GET", path).get_json()["items"]
    assert books["wujiang"]["debits"] == books["jiashan"]["credits"]
    # 12000.00 of debts, twice 3000.00 that are owed again because the order that was to pay them was cancelled, and the
    # 100.00 by which an order was paid short
    assert books["wujiang"]["credits"] == books["jiashan"]["debits"] == "18100.00"
    assert books["wujiang"]["balance"] == books["jiashan"]["balance"] == "0.00"
