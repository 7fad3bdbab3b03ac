"""A simulated year with a misbehaving bank: every claim paid once, the books balanced by outside programs."""

import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest
from beancount import loader

from clearing.checkpoints import Checkpoints
from clearing.embedded import EmbeddedServers
from clearing.verification.examination import verify_database
from settlement.payouts.instruction import end_to_end_id
from tests.year.commands import walk
from tests.year.year import Year, begun

TENANTS = ("jiangsu", "shanxi-hainan", "wujiang", "qingpu", "jiashan", "maanshan")
SEED = 20_241


@contextmanager
def simulated(months: int, tenants: tuple[str, ...], claims: int, seed: int) -> Iterator[Year]:
    folder = Path(tempfile.mkdtemp(prefix="clearing-year-"))
    try:
        with EmbeddedServers(folder) as addresses, begun(addresses, folder, seed, tenants, claims, months) as year:
            year.run(months)
            yield year
    finally:
        shutil.rmtree(folder)


def check_all(year: Year) -> None:
    """What has to be true at the end, by the service, by the bank's own books, and by outside programs."""
    summary = ", ".join(f"{what} {count}" for what, count in sorted(year.did.items()))
    print(f"\n{year.month_on:%Y-%m}: {summary}")  # noqa: T201 - the summary of the campaign
    assert year.open == [], [batch["batch_no"] for batch in year.open]
    assert not any(year._came_back(tenant) for tenant in year.tenants)
    _every_claim_is_paid_once(year)
    _the_bank_agrees(year)
    _the_windows_are_settled(year)
    for tenant in year.tenants:
        assert year.story.call("maker", "GET", f"/v1/tenants/{tenant}/suspense").get_json()["items"] == []
        _the_journal_balances(year, tenant)
    Checkpoints.of(year.story.service.settings).write(year.story.service.engine)
    auditor = year.story.addresses.auditor_url
    found = list(verify_database(auditor, year.story.secrets_folder, year.story.checkpoints_folder))
    assert found == [], [(each.place, each.expected, each.found) for each in found[:5]]


def _every_claim_is_paid_once(year: Year) -> None:
    rows = year.rows(
        "with recursive chain (tenant, claim_id, obligation_id) as ("
        "select c.tenant, c.id, coalesce(d.obligation_id, c.id) from claim c "
        "left join clearing_debt d on d.tenant = c.tenant and d.claim_id = c.id "
        "where c.state = 'approved' union all select c.tenant, c.claim_id, r.obligation_id from chain c "
        "join reissue r on r.of_obligation = c.obligation_id) "
        "select c.claim_id, count(*) filter (where p.outcome is not null and b.outcome is null) as times from chain c "
        "left join instruction_claim i on i.claim_id = c.obligation_id "
        "left join instruction_outcome p on p.tenant = i.tenant and p.instruction_id = i.instruction_id "
        "and p.outcome = 'paid' left join instruction_outcome b on b.tenant = i.tenant "
        "and b.instruction_id = i.instruction_id and b.outcome = 'returned' group by c.claim_id"
    )
    assert len(rows) == year.did["claims in review"]
    assert {row.times for row in rows} == {1}
    states = {claim["state"] for tenant in year.tenants for claim in year.story.in_state(tenant, "paid")}
    assert states == {"paid"}


def _the_bank_agrees(year: Year) -> None:
    """By the bank's own books each payee has what the instruction ordered, or nothing where it came back."""
    rows = year.rows(
        "select i.id, i.amount_fen, array(select outcome from instruction_outcome o where o.tenant = i.tenant "
        "and o.instruction_id = i.id) as outcomes from instruction i"
    )
    for row in rows:
        kept = "paid" in row.outcomes and "returned" not in row.outcomes
        assert year.moved[end_to_end_id(UUID(str(row.id)))] == (row.amount_fen if kept else 0), row


def _the_windows_are_settled(year: Year) -> None:
    """Nothing stands between the regions, and each order moved what it says, by the bank's own books."""
    left = year.rows("select agreement_set, cycle_no from clearing_cycle where state not in ('open', 'settled')")
    assert left == []
    rows = year.rows(
        "select tenant, code, sum(fen)::bigint as fen from (select tenant, credit as code, amount_fen as fen "
        "from ledger_transfer where kind in ('post', 'posted') union all select tenant, debit, -amount_fen "
        "from ledger_transfer where kind in ('post', 'posted')) l where split_part(code, '/', 1) in "
        "('clearing', 'netted', 'suspense') group by 1, 2 having sum(fen) <> 0"
    )
    assert {row.code.split("/")[0] for row in rows} <= {"netted"}, rows
    netted = Counter[str]()
    for row in rows:
        netted[row.tenant] -= row.fen
    assert netted == year.by_word, "no bank told of what was settled by a word"
    settled = year.rows(
        "select coalesce(sum(case when debit like 'settled/%%' then -amount_fen when credit like 'settled/%%' "
        "then amount_fen end), 0)::bigint as fen from ledger_transfer"
    )
    assert settled[0].fen == 0, "what the regions paid each other adds up to nothing"
    kept, first = Counter[str](), dict[object, str]()
    for row in year.rows(
        "select o.id, o.replaces, o.reference, o.amount_fen, array(select x.outcome from clearing_order_outcome x "
        "where x.tenant = o.tenant and x.order_id = o.id) as outcomes from clearing_order o order by o.created_at, o.id"
    ):
        first[row.id] = first.get(row.replaces, row.reference)
        first[row.reference] = first[row.id]
        kept[first[row.id]] += row.amount_fen * ("paid" in row.outcomes and "returned" not in row.outcomes)
    moved = Counter[str]()
    for reference, fen in year.windows.moved.items():
        moved[first[reference]] += fen
    assert {one: fen for one, fen in moved.items() if fen} == {one: kept[one] for one in moved if kept[one]}


def _the_journal_balances(year: Year, tenant: str) -> None:
    path = f"/v1/tenants/{tenant}/ledger/journal?format="
    assert loader.load_string(year.story.call("auditor", "GET", f"{path}beancount").get_data(as_text=True))[1] == []
    if shutil.which("hledger") is None:
        return
    text = year.story.call("auditor", "GET", f"{path}hledger").get_data()
    command = ["hledger", "-f", "-", "check", "--strict"]
    checked = subprocess.run(command, input=text, capture_output=True, check=False, env={"LANG": "C.UTF-8"})
    assert checked.returncode == 0, checked.stderr


def test_two_months_of_two_tenants_end_with_every_claim_paid_once(tmp_path: Path) -> None:
    with simulated(2, TENANTS[:2], 8, SEED) as year:
        walk(year, tmp_path)
        check_all(year)


def test_four_months_with_a_settlement_agents_bank_end_with_every_window_settled() -> None:
    with simulated(4, ("wujiang", "jiashan"), 6, SEED) as year:
        check_all(year)
        assert year.did["windows by the agent's bank"] > 0


@pytest.mark.long
def test_twelve_months_of_six_tenants_end_with_every_claim_paid_once() -> None:
    with simulated(12, TENANTS, 120, SEED) as year:
        check_all(year)
