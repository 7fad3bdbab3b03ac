"""``/v1/tenants/{tenant}/ledger``: the accounts, a statement per account and period, and the journal of it all."""

import io
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import IO, Any, Final
from uuid import UUID

from flask import Response
from marshmallow import Schema, fields, validate

from clearing.api.batches import READERS
from clearing.api.frame import Answer, current, in_transaction, needs
from clearing.api.noun import Noun, PageSchema, bad_query, page, read_cursor
from connectors.fields import DayField
from settlement.formats.journal import DIALECTS
from settlement.ledger_journal import write_journal
from settlement.ledger_statement import Line, Period, list_accounts, read_statement, statement_lines
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Scope, Work, run
from tenants.kernel.errors import Invalid

blueprint = Noun("ledger", __name__, url_prefix="/v1/tenants/<tenant>/ledger", description="账本 / the ledger")

MAX_CODE_CHARACTERS: Final = 200
PART_BYTES: Final = 64 * 1024
SUFFIXES: Final = {"hledger": "journal", "beancount": "beancount"}


class AccountQuerySchema(PageSchema):
    """Which accounts."""

    prefix = fields.String(
        load_default="",
        validate=validate.Length(max=MAX_CODE_CHARACTERS),
        metadata={"description": "账户代码的开头 / what the codes begin with", "examples": ["budget/"]},
    )


PeriodSchema = Schema.from_dict(
    {
        "from": DayField(optional=True, about="起始日，缺省为最早 / first day; the earliest, where none is named"),
        "through": DayField(optional=True, about="截止日，缺省为今天 / last day; today, where none is named"),
    },
    name="Period",
)
"""Business days in Asia/Shanghai, both inclusive."""


class StatementQuerySchema(PageSchema, PeriodSchema):  # type: ignore[misc, valid-type]  # made from a dict
    """Which account, over which days."""

    account = fields.String(required=True, validate=validate.Length(min=1, max=MAX_CODE_CHARACTERS))


class JournalQuerySchema(PeriodSchema):  # type: ignore[misc, valid-type]  # made from a dict
    """In whose format, over which days."""

    format = fields.String(load_default="hledger", validate=validate.OneOf(tuple(DIALECTS)))


@blueprint.get("/accounts")
@needs(*READERS)
@blueprint.arguments(AccountQuerySchema, location="query")
def get_accounts(query: dict[str, Any], tenant: str) -> Response:
    """List the accounts by code, each with what was moved from it (debits) and to it (credits), and what is pending."""
    limit, after = query["limit"], read_cursor(query["cursor"]) or ""
    if not after.isprintable():
        raise _bad_cursor()

    def use_case(work: Work) -> Answer:
        accounts = list_accounts(work.connection, tenant, query["prefix"], after, limit + 1)
        return Answer(page(accounts, limit, lambda each: each.json(), lambda each: each.code))

    return in_transaction(use_case, (tenant,))


@blueprint.get("/statement")
@needs(*READERS)
@blueprint.arguments(StatementQuerySchema, location="query")
def get_account_statement(query: dict[str, Any], tenant: str) -> Response:
    """One account over a period: opening, each transfer with the balance after it, closing, and what is pending."""
    limit, after = query["limit"], _place(query["cursor"])

    def use_case(work: Work) -> Answer:
        period = _period(query, work)
        statement = read_statement(work.connection, tenant, query["account"], period)
        lines = statement_lines(work.connection, tenant, statement, after, limit + 1)
        return Answer(statement.json() | page(lines, limit, lambda line: line.json(), _key))

    return in_transaction(use_case, (tenant,))


@blueprint.get("/journal")
@needs(*READERS)
@blueprint.arguments(JournalQuerySchema, location="query")
@blueprint.doc(responses={"200": {"description": "the journal, as an attachment", "content": {"text/plain": {}}}})
def get_journal(query: dict[str, Any], tenant: str) -> Response:
    """Download the whole ledger of a period as a plain-text journal that hledger or beancount accepts."""
    service = current()

    def use_case(work: Work) -> tuple[IO[bytes], date]:
        period = _period(query, work)
        return _written(work, tenant, period, query["format"]), period.through_on

    file, through_on = run(service.engine, Scope((tenant,)), service.machine, use_case)
    size = file.seek(0, io.SEEK_END)
    response = Response(_parts(file), mimetype="text/plain")
    response.content_length = size
    response.call_on_close(file.close)
    name = f"{tenant}-{through_on}.{SUFFIXES[query['format']]}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _period(query: dict[str, Any], work: Work) -> Period:
    return Period.of(query["from"], query["through"], shanghai_day(work.at))


def _key(line: Line) -> str:
    return f"{line.at.astimezone(UTC).isoformat()} {line.transfer_id}"


def _place(cursor: str | None) -> tuple[datetime, UUID] | None:
    key = read_cursor(cursor)
    if key is None:
        return None
    at, _, transfer_id = key.partition(" ")
    try:
        place = datetime.fromisoformat(at), UUID(transfer_id)
    except ValueError:
        place = None
    if place is None or place[0].tzinfo is None:
        raise _bad_cursor()
    return place


def _bad_cursor() -> Invalid:
    return bad_query("cursor", "游标无效，请从第一页开始。", "The cursor is not valid; start from the first page.")


def _written(work: Work, tenant: str, period: Period, dialect: str) -> IO[bytes]:
    """The journal in a file of its own, so that a slow reader holds no connection."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the answer
    try:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="\n")
        write_journal(work.connection, tenant, period, dialect, text)
        text.detach()
    except BaseException:
        file.close()
        raise
    return file


def _parts(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while part := file.read(PART_BYTES):
            yield part
