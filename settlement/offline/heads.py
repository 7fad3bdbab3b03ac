"""What stands outside the lines of a file: headings, the totals sheet, the head of pain.001."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from settlement.offline.difference import Findings, Place
from settlement.offline.listing import CSV, PAIN, XLSX, Manifest
from settlement.offline.pain import pain_head
from settlement.offline.records import MAX_NAME_CHARS, Line
from settlement.offline.tables import csv_lines, xlsx_lines, xlsx_totals


def check_heads(directory: Path, manifest: Manifest, present: Collection[str], findings: Findings) -> None:
    """Note where the heads of the files that are ``present`` differ from the manifest."""
    files = manifest.files
    if CSV in present:
        columns = files[CSV]["columns"]
        first = next(csv_lines(directory / CSV, columns, files[CSV]["encoding"]), None)
        _check_headings(CSV, first, columns, findings)
    if XLSX in present:
        columns = files[XLSX]["columns"]
        _check_headings(XLSX, next(xlsx_lines(directory / XLSX, columns), None), columns, findings)
        _check_totals_sheet(directory, manifest, findings)
    if PAIN in present:
        _check_pain_head(directory, manifest, findings)


def _check_headings(name: str, line: Line | None, columns: Iterable[Mapping[str, str]], findings: Findings) -> None:
    if line is None or line.record is None:
        fault = ("没有表头。", "There are no headings.") if line is None else line.fault
        findings.add(Place(name, 1), "headings", *fault)
        return
    for column in columns:
        findings.expect(Place(name, 1), "heading", column["heading"], line.record[column["field"]])


def _check_totals_sheet(directory: Path, manifest: Manifest, findings: Findings) -> None:
    content, place = manifest.content, Place(XLSX)
    try:
        shown = xlsx_totals(directory / XLSX)
    except ValueError:
        findings.add(place, "totals.unreadable", "合计表无法读取。", "The sheet of totals cannot be read.")
        return
    expected = {
        "batch": content["batch"],
        "payer": content["debtor"]["account_name"],
        "payer account": content["debtor"]["account_number"],
        "count": str(content["count"]),
        "total": content["total"],
        "total in words": content["total_in_words"],
        "batch root": content["batch_root"],
        "created at": content["created_at"],
    }
    for name, value in expected.items():
        findings.expect(place, f"totals {name}", value, shown.get(name))


def _check_pain_head(directory: Path, manifest: Manifest, findings: Findings) -> None:
    content, debtor, place = manifest.content, manifest.content["debtor"], Place(PAIN)
    try:
        head = pain_head(directory / PAIN, manifest.files[PAIN]["schema"])
    except ValueError:
        findings.add(place, "head.unreadable", "报文头无法读取。", "The head of the message cannot be read.")
        return
    expected = {
        "batch": content["batch"],
        "created_at": content["created_at"],
        "count": str(content["count"]),
        "total": content["total"],
        "method": "TRF",
        "execution_on": content["execution_on"],
        "payer": debtor["account_name"][:MAX_NAME_CHARS],
        "payer_account_number": debtor["account_number"],
        "payer_bank_name": debtor["bank_name"][:MAX_NAME_CHARS],
        "payer_cnaps": debtor["cnaps"],
    }
    for value in head:
        findings.expect(place, value.path, expected[value.name], value.value)
