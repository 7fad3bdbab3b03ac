"""A month at the finance desk, walked through over HTTP: figures, what is open, its end, its tables."""

import csv
import io
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from sqlalchemy.exc import DBAPIError

from settlement.months.month import Month
from settlement.months.month_end import close_month
from tenants.kernel.canonical import canonical_bytes
from tenants.kernel.errors import Conflict, Invalid
from tenants.kernel.money import Money
from tests.settlement_service.bank_files import FILES, open_desk
from tests.settlement_service.bench import CUT, MAKER, OVER, Bench, shanghai
from tests.settlement_service.desk import Desk

OCTOBER = Month.parse("2024-10")
NOVEMBER = shanghai("2024-11-01", 1)
NAMES = ("accounts", "transfers", "batches", "payments", "differences")


def figures(month: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {each["account"]: (each["opening"], each["closing"]) for each in month["accounts"]}


@pytest.fixture
def answered(desk: Desk, bench: Bench, tmp_path: Path) -> Any:
    """A batch of October: one arrives, one comes back, one with another amount, one is not heard of."""
    desk.move_to(OVER)
    made = open_desk(bench, tmp_path, "100.00", "50.00", "30.00", "20.00")
    payments = made.with_state("returned", 1)[:3]
    payments[2] = replace(payments[2], amount=Money(3_001))
    made.hand_in(FILES["camt.053"](payments))
    return made


def test_a_month_is_previewed_closed_and_carried_through_the_interface_alone(desk: Desk, answered: Any) -> None:
    path = f"/v1/tenants/{desk.tenant}/months"
    running = desk.get("maker", f"{path}/2024-10").get_json()
    assert (running["state"], running["closed_by"]) == ("running", None)
    assert desk.get("maker", f"{path}/2024-12").status_code == 404
    assert desk.get("maker", f"{path}/2024-13").status_code == 422
    early = desk.post("maker", f"{path}/2024-10/close")
    assert (early.status_code, early.get_json()["code"]) == (409, "month.running")
    desk.move_to(NOVEMBER)
    ended = desk.get("maker", f"{path}/2024-10").get_json()
    assert ended["state"] == "ended"
    known = figures(ended)
    assert known["paid/provincial/2024"] == ("0.00", "100.00")
    assert known["returned/provincial/2024"] == ("0.00", "50.00")
    assert known["in-transit/provincial/2024"] == ("0.00", "50.00")
    assert known["suspense"] == ("0.00", "30.01")
    assert known["budget/provincial/2024"][0] == "-200.00"
    for name, count, amount in (
        ("batches", 1, "200.00"), ("instructions", 2, "50.00"), ("returned", 1, "50.00"), ("suspense", 1, "30.01"),
    ):  # fmt: skip
        assert (ended["open"][name]["count"], ended["open"][name]["amount"]) == (count, amount), name
    closed = desk.post("maker", f"{path}/2024-10/close").get_json()
    content = {name: closed[name] for name in ("tenant", "month", "accounts", "open")}
    assert content == {name: ended[name] for name in content}
    assert closed["report_sha256"] == sha256(canonical_bytes(content)).hexdigest()
    assert desk.post("maker", f"{path}/2024-10/close").get_json() == closed, "closing it again changes nothing"
    assert desk.get("releaser", f"{path}/2024-10").get_json() == closed
    [listed] = desk.get("maker", path).get_json()["items"]
    assert listed["month"] == "2024-10"
    november = desk.get("maker", f"{path}/2024-11").get_json()
    assert {name: opening for name, (opening, _) in figures(november).items()} == {
        name: closing for name, (_, closing) in figures(closed).items()
    }, "what is open is carried"


def test_every_table_of_a_month_is_downloaded_as_csv_and_in_one_workbook(desk: Desk, answered: Any) -> None:
    path = f"/v1/tenants/{desk.tenant}/months/2024-10/export"
    book = desk.get("maker", path)
    assert book.headers["Content-Disposition"].endswith('-2024-10.xlsx"')
    sheets = openpyxl.load_workbook(io.BytesIO(book.data))
    assert sheets.sheetnames == list(NAMES)
    for name in NAMES:
        answer = desk.get("maker", f"{path}?table={name}")
        rows = list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))
        cells = [["" if cell.value is None else cell.value for cell in row] for row in sheets[name].iter_rows()]
        assert [[cell.removeprefix("'") for cell in row] for row in rows] == cells, name
        assert len(rows) > 1, name
    differences = list(
        csv.DictReader(io.StringIO(desk.get("maker", f"{path}?table=differences").data.decode("utf-8-sig")))
    )
    assert [(row["分类 class"], row["未说明（元） left"]) for row in differences] == [
        ("returned", ""), ("differs", "30.01"),
    ]  # fmt: skip
    assert desk.get("maker", f"{path}?table=people").status_code == 422


def test_the_difference_list_names_the_batch_and_instruction_of_every_line(desk: Desk, answered: Any) -> None:
    path = f"/v1/tenants/{desk.tenant}/months/2024-10/differences"
    whole = desk.get("maker", path).get_json()
    assert [(each["class"], each["left_in_suspense"]) for each in whole["items"]] == [
        ("returned", None), ("differs", "30.01"),
    ]  # fmt: skip
    for each in whole["items"]:
        assert each["batch_no"] is not None
        assert each["instruction_id"] is not None
        assert each["order_id"] is None
    [differing] = [each for each in whole["items"] if each["class"] == "differs"]
    assert [one["field"] for one in differing["differences"]] == ["amount"]
    assert {name: each["count"] for name, each in whole["totals"].items()} == {
        "differs": 1, "unknown": 0, "duplicate": 0, "returned": 1,
    }  # fmt: skip
    first = desk.get("maker", f"{path}?limit=1").get_json()
    second = desk.get("maker", f"{path}?limit=1&cursor={first['next_cursor']}").get_json()
    assert (first["items"] + second["items"], second["next_cursor"]) == (whole["items"], None)
    assert [each["class"] for each in desk.get("maker", f"{path}?class=differs").get_json()["items"]] == ["differs"]
    for wrong in ("cursor=eA", "class=matched"):
        assert desk.get("maker", f"{path}?{wrong}").status_code == 422
    assert desk.get("maker", path.replace("2024-10", "2024-13")).status_code in {404, 422}


def closing(bench: Bench, month: Month, at: datetime) -> Any:
    return bench.do(lambda c: close_month(c, bench.tenant, month, MAKER, at), at)


def test_months_follow_each_other_and_a_closed_one_takes_no_posting(bench: Bench) -> None:
    bench.approve("100.00")
    closing(bench, OCTOBER, NOVEMBER)
    with pytest.raises(Conflict, match=r"month\.order"):
        closing(bench, OCTOBER.following.following, shanghai("2025-01-02"))
    with pytest.raises(DBAPIError, match="the month is closed"):
        bench.approve("50.00", at=CUT)
    bench.approve("50.00", at=NOVEMBER)
    closing(bench, OCTOBER.following, shanghai("2024-12-02"))
    with pytest.raises(DBAPIError, match="the month is closed"):
        bench.approve("20.00", at=NOVEMBER)
    for change in ("update month_close set closed_by = 'x'", "delete from month_close"):
        with pytest.raises(DBAPIError):
            bench.change(change)


def test_the_database_closes_no_month_too_soon_or_out_of_order(bench: Bench) -> None:
    insert = (
        "insert into month_close values (%s, %s, gen_random_uuid(), (%s::date + interval '1 month') at time zone "
        "'Asia/Shanghai', '{}', repeat('a', 64), repeat('0', 64), 'x', %s)"
    )
    with pytest.raises(DBAPIError, match="month_close_over"):
        bench.change(insert, bench.tenant, OCTOBER.first_on, OCTOBER.first_on, OCTOBER.ends_at)
    bench.change(insert, bench.tenant, OCTOBER.first_on, OCTOBER.first_on, NOVEMBER)
    later = OCTOBER.following.following
    with pytest.raises(DBAPIError, match="the month before is not closed"):
        bench.change(insert, bench.tenant, later.first_on, later.first_on, shanghai("2025-02-02"))


@pytest.mark.parametrize("text", ["2024-1", "2024-00", "2024-13", "1999-12", "２０２４-10", "2024-10 ", "x"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        Month.parse(text)


def test_a_month_is_that_of_its_days_in_shanghai() -> None:
    assert OCTOBER.ends_at.isoformat() == "2024-10-31T16:00:00+00:00"
    assert str(Month.of(OCTOBER.first_on).following) == "2024-11"
    assert str(Month.parse("2024-12").following) == "2025-01"
