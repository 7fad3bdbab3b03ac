"""One of the bank's answers: what differs from what was ordered, line by line, counted, summed and exported."""

from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from flask import Response, request
from flask_babel import gettext as _

from clearing.api.batches import line_of
from clearing.api.noun import DEFAULT_LIMIT, bad_query, read_cursor, write_cursor
from clearing.console.desk_words import LINE_CLASSES
from clearing.console.export import Column
from clearing.console.lists import as_file, asked, every, require_exportable
from clearing.console.screen import as_api, screen, show, within
from clearing.console.words import word
from settlement.batches.batch import find_batch
from settlement.statements.matching import CLASSES
from settlement.statements.statement_records import (
    BankLine,
    BankStatement,
    class_totals,
    find_statement,
    line_json,
    line_totals,
    list_lines,
    statement_json,
)
from tenants.kernel.canonical import Json
from tenants.kernel.database import Work
from tenants.kernel.money import Money

blueprint = screen("statement", "/batches/<tenant>/<uuid:batch_id>/bank/statements/<uuid:statement_id>")

ALL: Final = "all"
DIFFERENCES: Final = [name for name in CLASSES if name != "matched"]
"""The classes that somebody has to look at: shown where the address names none."""

Line = dict[str, Json]


@blueprint.get("")
@as_api("batches.get_statement", "batches.get_lines")
def statement_page(tenant: str, batch_id: UUID, statement_id: UUID) -> Response:
    """One page of the lines that the address asks for."""
    classes, after = _classes(), line_of(read_cursor(request.args.get("cursor")))

    def use_case(work: Work) -> dict[str, Any]:
        statement = find_statement(work.connection, tenant, batch_id, statement_id)
        lines = list_lines(work.connection, statement, classes, after, DEFAULT_LIMIT + 1)
        last = lines[DEFAULT_LIMIT - 1] if len(lines) > DEFAULT_LIMIT else None
        count, total = line_totals(work.connection, statement, classes)
        return {
            "batch": find_batch(work.connection, tenant, batch_id),
            "statement": statement_json(statement, class_totals(work.connection, statement)),
            "lines": [line_json(line) for line in lines[:DEFAULT_LIMIT]],
            "next_cursor": None if last is None else write_cursor(str(last.line)),
            "count": count,
            "total": total,
        }

    return show("statement.html", tenant=tenant, asked=asked(), classes=LINE_CLASSES, **within(use_case, (tenant,)))


@blueprint.get("/export.<any(csv,xlsx):form>")
@as_api("batches.get_statement", "batches.get_lines")
def export(tenant: str, batch_id: UUID, statement_id: UUID, form: str) -> Response:
    """The lines that the address asks for, all of them, as a file."""
    classes = _classes()

    def use_case(work: Work) -> tuple[BankStatement, str, tuple[int, Money]]:
        statement = find_statement(work.connection, tenant, batch_id, statement_id)
        batch_no = find_batch(work.connection, tenant, batch_id).batch_no
        return statement, batch_no, line_totals(work.connection, statement, classes)

    statement, batch_no, (count, total) = within(use_case, (tenant,))
    require_exportable(count)
    totals = ((_("行数"), str(count)), (_("合计（元）"), str(total)))
    return as_file(form, f"{batch_no}-differences", _columns(), _all(statement, classes), totals)


def _classes() -> list[str] | None:
    """The classes that the address asks for; ``None`` for all lines.

    Raises:
        Invalid: there is no such class.
    """
    wanted = request.args.get("class", "").strip()
    if wanted == ALL:
        return None
    if wanted and wanted not in CLASSES:
        raise bad_query("class", "没有这个分类。", "There is no such class.")
    return [wanted] if wanted else DIFFERENCES


def _all(statement: BankStatement, classes: list[str] | None) -> Iterator[Line]:
    def read(after: int | None, limit: int) -> list[BankLine]:
        return within(
            lambda work: list_lines(work.connection, statement, classes, after or 0, limit), (statement.tenant,)
        )

    return map(line_json, every(read, lambda line: line.line))


def differences_said(line: Line) -> str:
    """What of the line is not as ordered, in one text."""
    said = line["differences"]
    parts = [each for each in said if isinstance(each, dict)] if isinstance(said, list) else []
    return "; ".join(
        _(
            "%(field)s 应为 %(expected)s，实为 %(found)s",
            field=word("line_field", str(each.get("field"))), expected=each.get("expected"), found=each.get("found"),
        )
        for each in parts
    )  # fmt: skip


def _columns() -> tuple[Column[Line], ...]:
    def text(name: str) -> str:
        return str(name)

    plain = {
        "line": _("行号"), "amount": _("金额（元）"), "payee": _("收款人"), "account_number": _("账号"),
        "booked_on": _("记账日"), "end_to_end_id": _("端到端标识"), "bank_reference": _("银行流水号"),
        "status": _("银行状态"), "reason": _("原因"),
    }  # fmt: skip
    return (
        *(Column(plain[name], lambda line, name=name: text(line[name] or "")) for name in plain),  # type: ignore[misc]
        Column(_("分类"), lambda line: word("line_class", str(line["class"]))),
        Column(_("方向"), lambda line: word("line_kind", str(line["kind"]))),
        Column(_("结果"), lambda line: word("payment", str(line["outcome"] or ""))),
        Column(_("转入待查"), lambda line: _("是") if line["to_suspense"] else ""),
        Column(_("差异"), differences_said),
    )
