"""``clearing bank``: a batch's payment file sent once, its state, and the bank's answers taken in, by commands."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from settlement.bank.simulator.answers import pain002
from tenants.kernel.money import Money
from tests.cli.commands import command
from tests.cli.regions import PAYER, Regions
from tests.cli.shell import refused
from tests.verification.story import Body

MINE = ("--tenant", "jiangsu")
BY = ("--person", "出纳-王")


def named(batch: Body) -> tuple[str, ...]:
    return (*MINE, "--batch", str(batch["batch_no"]))


def file(folder: Path, content: bytes, name: str = "answer.xml") -> str:
    path = folder / name
    path.write_bytes(content)
    return str(path)


def test_a_payment_file_is_ordered_once_and_sent_by_the_worker(regions: Regions) -> None:
    batch = regions.batch(2)
    assert "没有这个发送记录" in refused(regions.story, "bank", "status", *named(batch))
    made = json.loads(command(regions.story, "bank", "send", *named(batch), *BY, "--json"))
    assert (made["state"], made["method"], made["ordered_by"]) == ("prepared", "http", "出纳-王")
    assert (made["message_id"], made["calls"]) == (batch["batch_no"], [])
    [row] = regions.rows("select id, ordered_by from bank_submission where batch_id = %s", batch["id"])
    assert (str(row.id), row.ordered_by) == (made["id"], "出纳-王")
    assert batch["batch_no"] in command(regions.story, "bank", "status", *named(batch))
    regions.story.jobs()
    sent = json.loads(command(regions.story, "bank", "status", *named(batch), "--json"))
    assert (sent["state"], sent["calls"][-1]["outcome"]) == ("accepted", "accepted")
    assert sent == regions.get(f"/v1/tenants/jiangsu/batches/{batch['id']}/sending")
    shown = command(regions.story, "bank", "send", *named(batch), "--person", "别人")
    assert "accepted" in shown
    assert "别人" not in shown, "ordering it again changes nothing"
    regions.story.jobs()
    assert regions.story.books.arrivals.count(batch["batch_no"]) == 1


def test_a_bank_that_loses_what_it_is_sent_is_shown_call_by_call(regions: Regions) -> None:
    batch = regions.batch(1)
    regions.story.books.script.append("lose_answer")
    command(regions.story, "bank", "send", *named(batch), *BY)
    regions.story.jobs()
    calls = json.loads(command(regions.story, "bank", "status", *named(batch), "--json"))["calls"]
    assert [(each["kind"], each["outcome"]) for each in calls] == [("submit", "silent"), ("inquiry", "accepted")]
    shown = command(regions.story, "bank", "status", *named(batch))
    assert "silent" in shown
    assert "inquiry" in shown


def test_what_cannot_be_sent_is_refused_with_the_reason(regions: Regions) -> None:
    regions.world.story.approve(regions.world.one_in_review())
    cut = regions.story.cut("jiangsu", "provincial")
    assert "尚无可发送的拨付文件" in refused(regions.story, "bank", "send", *named(cut), *BY)
    for verb in (("send", *BY), ("status",)):
        absent = refused(regions.story, "bank", *verb, *MINE, "--batch", "BT-JS-2024-9999")
        assert "没有这个兑付批次" in absent
        theirs = refused(regions.story, "bank", *verb, "--tenant", PAYER, "--batch", cut["batch_no"])
        assert "没有这个兑付批次" in theirs, "another tenant's batch"
        nobody = refused(regions.story, "bank", *verb, "--tenant", "atlantis", "--batch", cut["batch_no"])
        assert "没有区域 atlantis" in nobody
    blank = refused(regions.story, "bank", "send", *named(cut), "--person", " ")
    assert "--person" in blank
    [row] = regions.rows("select batch_no from batch where tenant = %s order by batch_no limit 1", PAYER)
    no_way = refused(regions.story, "bank", "send", "--tenant", PAYER, "--batch", row.batch_no, *BY)
    assert "没有配置银行通道" in no_way
    assert str(regions.story.service.settings.banks_file) in no_way, "where it is to be configured"
    regions.story.step("maker", "jiangsu", cut, "cancel")


@contextmanager
def written(regions: Regions, text: str) -> Iterator[str]:
    """The file of the banks with this in it; its path."""
    banks = regions.story.service.settings.banks_file
    before = banks.read_text(encoding="utf-8")
    banks.write_text(text, encoding="utf-8")
    try:
        yield str(banks)
    finally:
        banks.write_text(before, encoding="utf-8")


def test_a_demonstration_sends_to_no_real_bank(regions: Regions) -> None:
    batch = regions.batch(1)
    with written(regions, '[jiangsu]\nmethod = "http"\naddress = "https://bank.example/"\n'):
        assert "不得送往银行" in refused(regions.story, "bank", "send", *named(batch), *BY)


AGENT = '[settlement_agents.delta]\nmethod = "folder"\nfolder = "/x"\n'
ACCOUNT = 'account_name = "甲"\naccount_number = "1"\nbank_name = "乙"\ncnaps = "1"\n'
FAULTY = {
    "jiangsu.method": '[jiangsu]\nmethod = "ftp"\n',
    "jiangsu.folder": '[jiangsu]\nmethod = "folder"\nfolder = "here"\n',
    "jiangsu.address": '[jiangsu]\nmethod = "http"\naddress = "http://bank.example/"\n',
    "jiangsu.pain": '[jiangsu]\nmethod = "folder"\nfolder = "/x"\npain = "03"\n',
    "jiangsu:": '[jiangsu]\nmethod = "folder"\nfolder = "/x"\ncolour = "red"\n',
    "jiangsoo:": '[jiangsoo]\nmethod = "folder"\nfolder = "/x"\n',
    "settlement_agents:": "settlement_agents = 1\n",
    "settlement_agents/delta": AGENT,
    "settlement_agents/delta:": AGENT + ACCOUNT,
    "banks.toml": "[jiangsu",
}


@pytest.mark.parametrize("place", FAULTY)
def test_a_fault_in_the_file_of_the_banks_is_named_with_its_place(regions: Regions, place: str) -> None:
    with written(regions, FAULTY[place]) as path:
        said = refused(regions.story, "bank", "status", *MINE, "--batch", "BT-JS-2024-0001")
    assert path in said
    assert place in said


def test_an_answer_is_taken_in_once_and_what_differs_ends_with_findings(regions: Regions, tmp_path: Path) -> None:
    batch = regions.batch(3)
    first, second, third = regions.payments(batch)
    stray = replace(first, end_to_end_id="A" * 26, amount=Money(777))
    wrong = replace(second, amount=second.amount + Money(1))
    told = file(tmp_path, regions.answer(first, wrong, replace(third, state="returned"), stray))
    taken = json.loads(command(regions.story, "bank", "import", *named(batch), *BY, told, "--json", ok=1))
    assert (taken["before"], taken["imported_by"], taken["format"]) == (False, "出纳-王", "camt.053")
    assert {each["class"] for each in taken["differences"]} == {"differs", "unknown", "returned"}
    place = f"/v1/tenants/jiangsu/batches/{batch['id']}/statements"
    stored = regions.get(f"{place}/{taken['id']}")
    assert stored["classes"] == taken["classes"]
    outcomes = "select outcome from instruction_outcome o join instruction i on i.tenant = o.tenant and "
    outcomes += "i.id = o.instruction_id where i.batch_id = %s order by outcome"
    rows = regions.rows(outcomes, batch["id"])
    assert [row.outcome for row in rows].count("returned") == 1
    again = command(regions.story, "bank", "import", *named(batch), "--person", "别人", told, ok=1)
    assert "differs" in again
    assert wrong.name in again
    assert len(regions.get(place)["items"]) == 1, "the same file is taken in once"
    assert regions.rows(outcomes, batch["id"]) == rows


def test_an_answer_that_simply_matches_ends_well(regions: Regions, tmp_path: Path) -> None:
    batch = regions.batch(2)
    payments = regions.payments(batch)
    told = file(tmp_path, regions.answer(*payments))
    shown = command(regions.story, "bank", "import", *named(batch), *BY, told)
    assert "matched" in shown
    assert str(sum(payment.amount.fen for payment in payments) // 100) in shown
    assert "none" in shown, "no line needs an eye"
    again = json.loads(command(regions.story, "bank", "import", *named(batch), *BY, told, "--json"))
    assert (again["before"], again["differences"]) == (True, [])
    assert regions.get(f"/v1/tenants/jiangsu/batches/{batch['id']}")["state"] == "settled"


def test_the_refusal_of_a_whole_message_is_taken_in(regions: Regions, tmp_path: Path) -> None:
    batch = regions.batch(1)
    told = file(tmp_path, pain002(str(batch["batch_no"]), [], "RJCT"))
    command(regions.story, "bank", "import", *named(batch), *BY, told)
    rows = regions.rows(
        "select outcome from instruction_outcome o join instruction i on i.tenant = o.tenant "
        "and i.id = o.instruction_id where i.batch_id = %s",
        batch["id"],
    )
    assert [row.outcome for row in rows] == ["rejected"]


def test_a_file_that_cannot_be_taken_in_changes_nothing(
    regions: Regions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = regions.batch(1)
    good = regions.answer(*regions.payments(batch))
    told = file(tmp_path, good)
    for content in (b"", b"\x89PNG\r\n\x1a\n" + bytes(64), b"%PDF-1.7", good[:-30]):
        refused(regions.story, "bank", "import", *named(batch), *BY, file(tmp_path, content, "wrong"))
    absent = refused(regions.story, "bank", "import", *MINE, "--batch", "BT-JS-2024-9999", *BY, told)
    assert "没有这个兑付批次" in absent
    theirs = refused(regions.story, "bank", "import", "--tenant", PAYER, "--batch", batch["batch_no"], *BY, told)
    assert "没有这个兑付批次" in theirs
    other = refused(regions.story, "bank", "import", "--tenant", "atlantis", "--batch", batch["batch_no"], *BY, told)
    assert "没有区域 atlantis" in other
    monkeypatch.setenv("CLEARING_STATEMENT_MIB", "1")
    large = file(tmp_path, good + b" " * 2**20, "large.xml")
    said = refused(regions.story, "bank", "import", *named(batch), *BY, large)
    assert "文件超过 1 MiB" in said
    assert "CLEARING_STATEMENT_MIB" in said
    assert regions.get(f"/v1/tenants/jiangsu/batches/{batch['id']}/statements")["items"] == []
