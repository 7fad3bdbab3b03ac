"""One of the bank's answers: what differs from what was ordered, line by line, counted, summed and exported."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from flask import Response
from flask_babel import gettext as _
from marshmallow import fields, validate

from clearing.api.batches import line_of
from clearing.api.noun import PageSchema, read_cursor
from clearing.console.desk_words import LINE_CLASSES
from clearing.console.export import Column
from clearing.console.lists import Figure, Listing, shown
from clearing.console.screen import as_api, screen, within
from clearing.console.words import word
from settlement.batches.batch import Batch, find_batch
from settlement.statements.matching import CLASSES
from settlement.statements.statement_records import (
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

    def use_case(work: Work) -> tuple[Batch, BankStatement, dict[str, Json]]:
        statement = find_statement(work.connection, tenant, batch_id, statement_id)
        told = statement_json(statement, class_totals(work.connection, statement))
        return find_batch(work.connection, tenant, batch_id), statement, told

    batch, statement, told = within(use_case, (tenant,))
    return shown(
        "statement.html", _listing(batch, statement).page(), tenant=tenant, classes=LINE_CLASSES, batch=batch,
        statement=told,
    )  # fmt: skip


@blueprint.get("/export.<any(csv,xlsx):form>")
@as_api("batches.get_statement", "batches.get_lines")
def export(tenant: str, batch_id: UUID, statement_id: UUID, form: str) -> Response:
    """The lines that the address asks for, all of them, as a file."""

    def use_case(work: Work) -> tuple[Batch, BankStatement]:
        statement = find_statement(work.connection, tenant, batch_id, statement_id)
        return find_batch(work.connection, tenant, batch_id), statement

    return _listing(*within(use_case, (tenant,))).export(form)


class LinesSchema(PageSchema):
    """What the page's address asks for: the differences, where it names no class."""

    class_ = fields.String(data_key="class", load_default="", validate=validate.OneOf(("", ALL, *CLASSES)))


def _listing(batch: Batch, statement: BankStatement) -> Listing[Line, int]:
    return Listing(
        name=f"{batch.batch_no}-differences",
        schema=LinesSchema,
        read=lambda work, query, after, limit: [
            line_json(line) for line in list_lines(work.connection, statement, _classes(query), after or 0, limit)
        ],
        totals=lambda work, query, most: line_totals(work.connection, statement, _classes(query), most),
        key=lambda line: int(str(line["line"])),
        columns=_columns,
        figures=lambda: (Figure(_("合计（元）"), lambda line: Money.parse(str(line["amount"] or "0.00"))),),
        tenants=(statement.tenant,),
        after=lambda cursor: line_of(read_cursor(cursor)),
    )


def _classes(query: Mapping[str, Any]) -> list[str] | None:
    """The classes that the address asks for; ``None`` for all lines."""
    wanted = query["class_"]
    return None if wanted == ALL else [wanted] if wanted else DIFFERENCES


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
