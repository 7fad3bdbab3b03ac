"""Files of support records, each with identifiers and numbers of its own."""

import itertools
import json
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from openpyxl import Workbook

from tenants.principal import Principal
from tests.intake.bodies import WUJIANG, buyer, invoice_number

AT: Final = datetime.fromisoformat("2024-09-02T09:00:00+08:00")
CHINESE: Final = ("外部编号", "统一社会信用代码", "支持日期", "类型", "标识", "发票代码", "金额")
LOCAL: Final = Principal("local-test", "local-test", "wujiang-local", ("wujiang",), frozenset({"support:write"}))
"""The client of Wujiang's own platform."""
Body = dict[str, Any]
_NUMBERS: Final = itertools.count(1)


def external_id() -> str:
    """An identifier that no other file has."""
    return f"导入{next(_NUMBERS)}-{invoice_number()[4:]}"


def record(**members: Any) -> Body:
    """One record over one invoice."""
    return {
        "platform": "wujiang-local",
        "external_id": external_id(),
        "tenant": "wujiang",
        "enterprise_uscc": buyer(WUJIANG).uscc,
        "keys": [{"kind": "invoice", "value": invoice_number(), "amount": "10000.00"}],
        "supported_on": "2024-06-03",
    } | members


def ndjson(path: Path, *lines: Body | str) -> Path:
    """The lines as a file: records, or texts as they are."""
    written = [line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines]
    path.write_text("\n".join(written) + "\n", encoding="utf-8")
    return path


def rows_of(*records: Body) -> list[tuple[str, ...]]:
    """The records as rows of a table, a row a key."""
    return [
        (
            one["external_id"], one["enterprise_uscc"], one["supported_on"],
            {"invoice": "发票", "receipt": "回单"}[key["kind"]], key["value"], key.get("code", ""), key["amount"],
        )
        for one in records
        for key in one["keys"]
    ]  # fmt: skip


def table(path: Path, encoding: str, *records: Body) -> Path:
    """The records as a CSV file with Chinese column names."""
    lines = [CHINESE, *rows_of(*records)]
    path.write_text("\r\n".join(",".join(cells) for cells in lines) + "\r\n", encoding=encoding)
    return path


def workbook(path: Path, *rows: tuple[Any, ...]) -> Path:
    """Rows below Chinese column names, as an XLSX file."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (CHINESE, *rows):
        sheet.append(row)
    book.save(path)
    return path
