"""``/v1/tenants/{tenant}/batches``: a batch from its cut to its files, one call a step."""

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from flask import Response, request
from marshmallow import Schema, fields, validate

from clearing.api.batch_acts import (
    close_as_caller,
    cut_as_ordered,
    download,
    faulty,
    publish_by_policy,
    release_as_caller,
    release_tenants,
    seal_as_caller,
)
from clearing.api.batch_form import (
    MODES,
    BatchPageSchema,
    BatchSchema,
    FilePageSchema,
    ItemPageSchema,
    batch_json,
    file_json,
    item_json,
)
from clearing.api.frame import Answer, in_transaction, needs, principal
from clearing.api.noun import JSON_TYPE, MAX_BODY_BYTES, Noun, PageSchema, cursor_id, json_body, load, page, read_cursor
from connectors.faults import Fault
from connectors.fields import DayField, InstantField
from connectors.leaf import ChoiceField, CodeField, Leaf, TextField
from settlement.batches.batch import Batch, find_batch, list_batches, list_items, lock_batch
from settlement.batches.batch_files import list_files
from settlement.batches.batch_states import STATES
from settlement.batches.batch_steps import cancel
from settlement.batches.home_region import HOME_REGION
from settlement.batches.obligation import KINDS
from settlement.batches.paid_in import pay_in_json
from settlement.batches.progress import AT_WORK, cut_progress, progress_of
from settlement.batches.two_releasers import first_release
from settlement.cycles.exposure import find_hold
from tenants.kernel.clock import SHANGHAI
from tenants.kernel.database import Work
from tenants.kernel.errors import Invalid, PreconditionFailed

blueprint = Noun(
    "batches", __name__, url_prefix="/v1/tenants/<tenant>/batches", description="兑付批次 / settlement batches"
)

READERS: Final = ("batches:write", "batches:release", "audit:read")
MAX_REASON_CHARACTERS: Final = 1000
SCHEME: Final = r"[a-z][a-z0-9-]{1,30}"

Step = Callable[[Work], Batch]


class CutOffField(Leaf[datetime]):
    """An instant of RFC 3339, or a day, which means its end in Asia/Shanghai."""

    def __init__(self) -> None:
        instant, day = InstantField().read, DayField().read

        def read(value: object) -> datetime:
            try:
                return datetime.combine(day(value) + timedelta(days=1), time(), SHANGHAI).astimezone(UTC) - _MOMENT
            except Fault:
                return instant(value)

        about = (
            "缺省为现在；日期指该日结束；政策公布申请截止时间的券种按申请时间切批，缺省为已过的最后一个截止时间 / "
            "default now; a day means its end in Asia/Shanghai; of a scheme with published cut-offs for applications "
            "it is an instant of application, by default the last of them that has passed"
        )
        form = {"type": "string", "examples": ["2024-09-25", "2024-09-25T18:00:00+08:00"]}
        super().__init__(read, form, optional=True, about=about)


_MOMENT: Final = timedelta(microseconds=1)


class BatchOrderSchema(Schema):
    """What a batch is to take: everything approved up to the cut-off and in no other batch."""

    scheme = CodeField(SCHEME, about="券种 / scheme", example="provincial")
    mode = ChoiceField(MODES, about="通用或通兑 / who is paid")
    kind = fields.String(
        load_default=None,
        allow_none=True,
        metadata={"description": "as ``mode``, its default, or what is no claim of its own", "enum": [*KINDS, None]},
    )
    counterparty = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Regexp(rf"(?:{SCHEME}|[1-9][0-9]{{5}})\Z"),
        metadata={
            "description": "通兑：与该方的协议 / cross-redemption: providers paid by the agreement with this side"
        },
    )
    cut_off = CutOffField()


class StepSchema(Schema):
    """A step needs no body; a cancellation may say why."""

    reason = TextField(MAX_REASON_CHARACTERS, optional=True)


class BatchQuerySchema(PageSchema):
    """The filters of the list of batches."""

    state = fields.String(validate=validate.OneOf(tuple(STATES)))
    scheme = fields.String(validate=validate.Regexp(rf"{SCHEME}\Z"))
    mode = fields.String(validate=validate.OneOf(MODES))


@blueprint.post("")
@needs("batches:write")
@blueprint.arguments(BatchOrderSchema)
@blueprint.response(201, BatchSchema, description="the batch, in state cut; it may be empty")
def cut_batch(body: dict[str, Any], tenant: str) -> Response:
    """Cut a batch; a cut-off that lies ahead is the present moment."""

    def use_case(work: Work) -> Answer:
        batch = cut_as_ordered(work, tenant, body)
        location = {"Location": f"/v1/tenants/{tenant}/batches/{batch.id}"}
        return Answer(batch_json(batch, []), 201, {**location, "ETag": etag_of(batch)})

    return in_transaction(use_case, (tenant,))


@blueprint.get("")
@needs(*READERS)
@blueprint.arguments(BatchQuerySchema, location="query")
@blueprint.response(200, BatchPageSchema)
def get_batches(query: dict[str, Any], tenant: str) -> Response:
    """List the tenant's batches, newest first, filtered by state, scheme and mode."""
    limit, after = query.pop("limit"), cursor_id(query.pop("cursor"))

    def use_case(work: Work) -> Answer:
        batches = list_batches(work.connection, tenant, query, after, limit + 1)
        shown = page(batches, limit, lambda batch: batch_json(batch, None), lambda batch: str(batch.id))
        cutting = cut_progress(work.connection, tenant)
        return Answer(shown | {"cutting": cutting is not None})

    return in_transaction(use_case, (tenant,))


@blueprint.get("/<uuid:batch_id>")
@needs(*READERS)
@blueprint.response(200, BatchSchema)
def get_batch(tenant: str, batch_id: UUID) -> Response:
    """One batch with its totals, dates, seal and files."""
    answer = in_transaction(lambda work: _shown(work, find_batch(work.connection, tenant, batch_id)), (tenant,))
    answer.make_conditional(request)
    return answer


@blueprint.get("/<uuid:batch_id>/items")
@needs(*READERS)
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, ItemPageSchema)
def get_items(query: dict[str, Any], tenant: str, batch_id: UUID) -> Response:
    """List the claims of the batch in their order, with those that an objection took out."""
    limit, after = query["limit"], read_cursor(query["cursor"])

    def use_case(work: Work) -> Answer:
        batch = find_batch(work.connection, tenant, batch_id)
        items = list_items(work.connection, batch, line_of(after), limit + 1)
        return Answer(page(items, limit, item_json, lambda item: str(item.line)))

    return in_transaction(use_case, (tenant,))


@blueprint.post("/<uuid:batch_id>/publish")
@needs("batches:write")
@blueprint.response(200, BatchSchema)
def publish_batch(tenant: str, batch_id: UUID) -> Response:
    """Give public notice, through the last of the policy's working days."""
    return _step(tenant, batch_id, lambda work: publish_by_policy(work, tenant, batch_id))


@blueprint.post("/<uuid:batch_id>/seal")
@needs("batches:write")
@blueprint.response(200, BatchSchema)
def seal_batch(tenant: str, batch_id: UUID) -> Response:
    """Seal the batch, from the day after its publicity on: its items never change again."""
    return _step(tenant, batch_id, lambda work: seal_as_caller(work, tenant, batch_id))


@blueprint.post("/<uuid:batch_id>/release")
@needs("batches:release")
@blueprint.response(200, BatchSchema)
def release_batch(tenant: str, batch_id: UUID) -> Response:
    """Release the sealed batch for payment; never by who cut, published or sealed it.

    Above the tenant's limit it takes two people; after the first it stays sealed and shows its ``first_release``.
    What would pass the exposure limit of its agreement stays sealed; the answer then has an open ``exposure_hold``.
    """
    tenants = release_tenants(tenant, batch_id)
    return _step(tenant, batch_id, lambda work: release_as_caller(work, tenant, batch_id), tenants)


@blueprint.post("/<uuid:batch_id>/cancel")
@needs("batches:write")
@blueprint.doc(requestBody={"content": {JSON_TYPE: {"schema": StepSchema}}})
@blueprint.response(200, BatchSchema)
def cancel_batch(tenant: str, batch_id: UUID) -> Response:
    """Dissolve a batch that is not sealed; its claims go into the next one."""
    reason = _reason()
    return _step(
        tenant, batch_id, lambda work: cancel(work.connection, tenant, batch_id, reason, principal().subject, work.at)
    )


@blueprint.post("/<uuid:batch_id>/close")
@needs("batches:write")
@blueprint.doc(requestBody={"content": {JSON_TYPE: {"schema": StepSchema}}})
@blueprint.response(200, BatchSchema)
def close_batch(tenant: str, batch_id: UUID) -> Response:
    """Close a batch that is empty or settled, or whose debts to the home region are settled.

    A settled one is closed with its signed statement (``…/settlement``); what came back of it has to be issued again
    first, or the ``reason`` says why it is not.
    """
    reason = _reason()
    return _step(tenant, batch_id, lambda work: close_as_caller(work, tenant, batch_id, reason))


@blueprint.get("/<uuid:batch_id>/files")
@needs(*READERS)
@blueprint.response(200, FilePageSchema)
def get_files(tenant: str, batch_id: UUID) -> Response:
    """List the batch's files with their sizes and digests; none before it is instructed."""

    def use_case(work: Work) -> Answer:
        batch = find_batch(work.connection, tenant, batch_id)
        files = list_files(work.connection, tenant, batch_id)
        return Answer({"items": [file_json(batch, file) for file in files], "next_cursor": None})

    return in_transaction(use_case, (tenant,))


@blueprint.get("/<uuid:batch_id>/files/<name>")
@needs(*READERS)
@blueprint.doc(responses={"200": {"description": "the file, as an attachment", "content": {"*/*": {}}}})
def get_file(tenant: str, batch_id: UUID, name: str) -> Response:
    """Download one file of the batch."""
    return download(tenant, batch_id, name)


def etag_of(batch: Batch) -> str:
    """The batch's version."""
    return f'"{batch.version}"'


def line_of(cursor: str | None) -> int:
    """The line behind which a page of items starts.

    Raises:
        Invalid: the cursor is not one of ours.
    """
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= MAX_LINE_DIGITS):
        raise _bad_cursor()
    return int(cursor)


MAX_LINE_DIGITS: Final = 9


def _bad_cursor() -> Invalid:
    return faulty("/cursor", "cursor.invalid", "游标无效，请从第一页开始。", "The cursor is not valid.")


def _step(tenant: str, batch_id: UUID, step: Step, tenants: tuple[str, ...] | None = None) -> Response:
    """Do one step; with ``If-Match``, only to the version that the caller read."""

    def use_case(work: Work) -> Answer:
        before = lock_batch(work.connection, tenant, batch_id)
        if request.if_match and etag_of(before).strip('"') not in request.if_match:
            raise PreconditionFailed(
                "batch.changed", "批次已有变化，请重新读取。", "The batch has changed; read it again."
            )
        return _shown(work, step(work))

    _reason()
    return in_transaction(use_case, tenants or (tenant,))


def _shown(work: Work, batch: Batch) -> Answer:
    files = list_files(work.connection, batch.tenant, batch.id)
    hold = find_hold(work.connection, batch.tenant, batch.id) if batch.form == HOME_REGION else None
    first = first_release(work.connection, batch)
    progress = progress_of(work.connection, batch.id) if batch.state in AT_WORK else None
    shown = batch_json(batch, files) | {
        "progress": None if progress is None else progress.json(batch.item_count),
        "exposure_hold": None if hold is None else hold.json(),
        "pay_in": pay_in_json(work.connection, batch),
        "first_release": None if first is None else first.json(),
    }
    return Answer(shown, headers={"ETag": etag_of(batch)})


def _reason() -> str | None:
    if not request.get_data():
        return None
    reason: str | None = load(StepSchema(), json_body(MAX_BODY_BYTES)).get("reason")
    return reason
