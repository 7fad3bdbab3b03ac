"""Export: claims as NDJSON, CSV or XLSX, page by page, so that any number takes the same memory."""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from xlsxwriter import Workbook  # type: ignore[import-untyped]

from clearing.claims.listing import Filter, list_claims
from clearing.claims.records import claim_json
from clearing.service import Service
from tenants.kernel.canonical import Json
from tenants.kernel.database import Scope, Work, run
from tenants.tables.errors import TableError

CLAIMS_AT_ONCE: Final = 500
SHEET_ROWS: Final = 1_048_575
"""The rows of a sheet, less the heading."""

Claim = dict[str, Any]

COLUMNS: Final[Sequence[tuple[str, Callable[[Claim], Any]]]] = (
    ("申请号", lambda claim: claim["claim_no"]),
    ("平台", lambda claim: claim["platform"]),
    ("平台编号", lambda claim: claim["external_id"]),
    ("区域", lambda claim: claim["tenant"]),
    ("券种", lambda claim: claim["scheme"]),
    ("兑付模式", lambda claim: claim["mode"]),
    ("状态", lambda claim: claim["state"]),
    ("版本", lambda claim: claim["revision"]),
    ("申请时间", lambda claim: claim["submitted_at"]),
    ("接收时间", lambda claim: claim["received_at"]),
    ("企业统一社会信用代码", lambda claim: claim["enterprise"]["uscc"]),
    ("企业名称", lambda claim: claim["enterprise"]["name"]),
    ("服务机构统一社会信用代码", lambda claim: claim["provider"]["uscc"]),
    ("服务机构名称", lambda claim: claim["provider"]["name"]),
    ("合同编号", lambda claim: claim["contract"]["number"]),
    ("额度年度", lambda claim: claim["assessment"]["quota_year"]),
    ("政策版本", lambda claim: claim["assessment"]["policy_version"]),
    ("核定基数", lambda claim: claim["assessment"]["base"]),
    ("核定比例", lambda claim: claim["assessment"]["rate"]),
    ("按比例金额", lambda claim: claim["assessment"]["computed"]),
    ("核定金额", lambda claim: claim["assessment"]["award"]),
    ("未通过的规则", lambda claim: "；".join(one["rule"] for one in claim["assessment"]["findings"])),
)
"""The table's columns; amounts are texts in yuan, as everywhere."""


def exported(service: Service, tenants: tuple[str, ...], wanted: Filter) -> Iterator[Claim]:
    """The claims of these tenants, the oldest first, account numbers masked."""
    after: UUID | None = None
    while True:
        last = after

        def page(work: Work, last: UUID | None = last) -> list[tuple[UUID, dict[str, Json]]]:
            views = list_claims(work.connection, wanted, last, CLAIMS_AT_ONCE)
            return [(view.row.id, claim_json(view, english=False)) for view in views]

        found = run(service.engine, Scope(tenants), service.machine, page)
        yield from (claim for _, claim in found)
        if len(found) < CLAIMS_AT_ONCE:
            return
        after = found[-1][0]


def write_claims(path: Path, claims: Iterator[Claim], encoding: str) -> int:
    """Write the file, in the form that the ending of its name says; how many claims.

    Raises:
        TableError: the ending is unknown, or a sheet does not hold so many.
    """
    writers = {".ndjson": _write_ndjson, ".jsonl": _write_ndjson, ".csv": _write_csv, ".xlsx": _write_xlsx}
    write = writers.get(path.suffix.lower())
    if write is None:
        raise TableError(f"文件名须以 {'、'.join(writers)} 结尾。", f"The name ends in one of {', '.join(writers)}.")
    return write(path, claims, encoding)


def _write_ndjson(path: Path, claims: Iterator[Claim], _encoding: str) -> int:
    count = 0
    with path.open("wb") as file:
        for claim in claims:
            file.write(json.dumps(claim, ensure_ascii=False).encode() + b"\n")
            count += 1
    return count


def _write_csv(path: Path, claims: Iterator[Claim], encoding: str) -> int:
    count = 0
    name = "utf-8-sig" if encoding == "utf-8" else encoding
    with path.open("w", encoding=name, newline="") as file:
        writer = csv.writer(file)
        writer.writerow([title for title, _ in COLUMNS])
        for claim in claims:
            writer.writerow([_harmless(_text(value(claim))) for _, value in COLUMNS])
            count += 1
    return count


def _write_xlsx(path: Path, claims: Iterator[Claim], _encoding: str) -> int:
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    count = 0
    with Workbook(str(path), options) as book:
        sheet = book.add_worksheet("申请")
        sheet.write_row(0, 0, [title for title, _ in COLUMNS])
        for claim in claims:
            count += 1
            if count > SHEET_ROWS:
                raise TableError(
                    f"一张工作表最多 {SHEET_ROWS} 行，请导出为 CSV。",
                    f"A sheet holds {SHEET_ROWS} rows; export to CSV.",
                )
            for column, (_, value) in enumerate(COLUMNS):
                sheet.write_string(count, column, _text(value(claim)))
    return count


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _harmless(text: str) -> str:
    """The text so that a spreadsheet that opens the file takes it for no formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t")) else text
