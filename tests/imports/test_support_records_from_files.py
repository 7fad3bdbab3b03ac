"""Bulk import of support records: every form, twice, broken lines, collisions, and a file that is broken off."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from clearing.claims.support import Registered
from clearing.service import Service
from clearing.transfers.importing import Importer, Summary
from clearing.transfers.sources import open_source
from tenants.principal import Principal
from tenants.tables.errors import TableError
from tests.imports.files import Body, external_id, ndjson, record, rows_of, table, workbook
from tests.intake.bodies import JIANGSU, WUJIANG, buyer, claim, invoice_number, seller
from tests.intake.counter import Counter, codes, open_holds

Import = Callable[[Path], tuple[Summary, dict[int, str]]]
"""Imports a file: its counts, and the codes of what was refused by the line."""


@pytest.fixture
def collided() -> list[tuple[int, Registered]]:
    return []


@pytest.fixture
def imported(service: Service, caller: Principal, collided: list[tuple[int, Registered]]) -> Import:
    def run(path: Path) -> tuple[Summary, dict[int, str]]:
        errors = path.with_suffix(".errors")
        importer = Importer(service, caller, collided=lambda item, stored: collided.append((item.number, stored)))
        with open_source(path, errors, None, support=True, caller=caller) as source:
            summary = importer.run(source, lambda _: None)
        told = errors.read_text(encoding="utf-8").splitlines() if errors.exists() else []
        return summary, {line["line"]: line["problem"]["code"] for line in map(json.loads, told)}

    return run


def counts(summary: Summary) -> tuple[int, int, int]:
    return summary.stored, summary.stored_before, summary.refused


def written(folder: Path, form: str, records: list[Body]) -> Path:
    match form:
        case "ndjson":
            return ndjson(folder / "records.ndjson", *records)
        case "xlsx":
            return workbook(folder / "records.xlsx", *rows_of(*records))
        case _:
            return table(folder / "records.csv", form, *records)


FORMS = ["ndjson", "utf-8", "utf-8-sig", "gb18030", "xlsx"]


@pytest.mark.parametrize("form", FORMS)
def test_a_file_of_any_form_is_stored_once_however_often_it_comes(
    imported: Import, counter: Counter, tmp_path: Path, form: str
) -> None:
    two_keys = [
        {"kind": "invoice", "value": invoice_number(), "amount": "10000.00"},
        {"kind": "receipt", "value": f"HD{invoice_number()}", "amount": "10000.00"},
    ]
    records = [record() for _ in range(5)] + [record(keys=two_keys)]
    path = written(tmp_path, form, records)
    summary, refused = imported(path)
    assert counts(summary) == (6, 0, 0), refused
    assert counts(imported(path)[0]) == (0, 6, 0)
    ids = [one["external_id"] for one in records]
    stored = counter.rows("select external_id, keys from support_record where external_id = any(%s)", ids)
    assert sorted(stored) == sorted((one["external_id"], len(one["keys"])) for one in records)


@pytest.mark.parametrize("form", FORMS)
def test_the_same_record_in_another_form_is_the_same_record(imported: Import, tmp_path: Path, form: str) -> None:
    records = [record() for _ in range(3)]
    imported(written(tmp_path, "ndjson", records))
    assert counts(imported(written(tmp_path, form, records))[0]) == (0, 3, 0)


def test_the_whole_of_a_file_whose_beginning_is_stored_goes_in(imported: Import, tmp_path: Path) -> None:
    records = [record() for _ in range(50)]
    assert counts(imported(ndjson(tmp_path / "some.ndjson", *records[:23]))[0]) == (23, 0, 0)
    assert counts(imported(ndjson(tmp_path / "whole.ndjson", *records))[0]) == (27, 23, 0)


@pytest.mark.parametrize("times", [3000, pytest.param(1_000_000, marks=pytest.mark.long)])
def test_any_number_of_identical_lines_is_one_record(imported: Import, tmp_path: Path, times: int) -> None:
    line = ndjson(tmp_path / "one.ndjson", record()).read_text(encoding="utf-8")
    path = tmp_path / "many.ndjson"
    path.write_text(line * times, encoding="utf-8")
    assert counts(imported(path)[0]) == (1, times - 1, 0)


def test_what_is_wrong_is_refused_by_the_line_and_the_rest_is_stored(imported: Import, tmp_path: Path) -> None:
    good, twice = record(), record()
    wrong: list[tuple[str, Body | str]] = [
        ("json.syntax", "{"),
        ("json.syntax", "不是 JSON"),
        ("support_record.invalid", record(keys=[])),
        ("support_record.invalid", record(keys=[{"kind": "invoice", "value": "1" * 10_000, "amount": "1.00"}])),
        ("support_record.invalid", record(keys=[{"kind": "invoice", "value": "2432O0000000", "amount": "1.00"}])),
        ("support_record.invalid", record(keys=[{"kind": "invoice", "value": "二四三二", "amount": "1.00"}])),
        ("support_record.invalid", record(keys=[{"kind": "receipt", "value": "——", "amount": "1.00"}])),
        ("support_record.invalid", record(keys=[{"kind": "contract", "value": "KD-1"}])),
        ("support_record.invalid", record(supported_on="2024-02-30")),
        ("support_record.invalid", record(enterprise_uscc="91320115MA1LYJ6P8M")),
        ("support_record.invalid", record(platform="jssic")),
        ("support_record.invalid", record(tenant="jiangsu")),
        ("support_record.invalid", record(external_id="")),
        ("line.too_large", '{"platform": "' + "x" * 300_000 + '"}'),
        ("support_record.content_differs", twice | {"supported_on": "2024-06-04"}),
    ]
    path = ndjson(tmp_path / "records.ndjson", good, twice, *[line for _, line in wrong])
    summary, refused = imported(path)
    assert counts(summary) == (2, 0, len(wrong))
    assert refused == {line: code for line, (code, _) in enumerate(wrong, start=3)}


def test_a_rounded_number_in_a_workbook_is_refused_and_a_whole_one_is_read(imported: Import, tmp_path: Path) -> None:
    uscc = buyer(WUJIANG).uscc
    number = int(invoice_number()[-8:]) % 90_000_000 + 10_000_000
    rows = [
        (external_id(), uscc, date(2024, 6, 3), "发票", float(24322000000123456789), None, 10000.5),
        (external_id(), uscc, date(2024, 6, 3), "发票", number, "032002400111", 10000.5),
        (external_id(), uscc, date(2024, 6, 3), "发票", invoice_number(), None, "=1+1"),
    ]
    summary, refused = imported(workbook(tmp_path / "records.xlsx", *rows))
    assert refused == {2: "support_record.invalid", 4: "support_record.invalid"}
    assert counts(summary) == (1, 0, 2)


@pytest.mark.parametrize(
    "content", ["", "外部编号,金额\nA,1\n", "外部编号,编号,统一社会信用代码,支持日期,标识\nA,1,2,3,4\n"]
)
def test_a_table_without_its_columns_is_refused_whole(imported: Import, tmp_path: Path, content: str) -> None:
    path = tmp_path / "records.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(TableError):
        imported(path)


def test_a_collision_is_reported_and_freezes_what_is_unpaid(
    imported: Import, counter: Counter, tmp_path: Path, collided: list[tuple[int, Registered]]
) -> None:
    body = claim(JIANGSU, by=buyer(WUJIANG), to=seller(WUJIANG))
    first = counter.submit(body)
    key = {"kind": "invoice", "value": body["invoices"][0]["number"], "amount": "10000.00"}
    meeting = record(enterprise_uscc=body["enterprise"]["uscc"], keys=[key])
    summary, _ = imported(ndjson(tmp_path / "records.ndjson", record(), meeting))
    assert (summary.stored, summary.colliding) == (2, 1)
    [(line, reported)] = collided
    assert line == 2
    assert reported.collisions[0]["other_side"] == [
        {"platform": "jssic", "month": "2024-08", "reference": str(first.row.id)}
    ]
    assert open_holds(counter.view(first)) == {"duplicate.collision"}
    assert [case["kind"] for case in counter.cases("jiangsu", first)] == ["collision"]


def test_an_imported_record_refuses_a_claim_on_the_same_spending(
    imported: Import, counter: Counter, tmp_path: Path
) -> None:
    body = claim(WUJIANG)
    key = {"kind": "invoice", "value": body["invoices"][0]["number"], "amount": "10000.00"}
    path = table(tmp_path / "records.csv", "gb18030", record(enterprise_uscc=body["enterprise"]["uscc"], keys=[key]))
    imported(path)
    assert codes(counter.submit(body)) == {"duplicate.cross_scheme"}
