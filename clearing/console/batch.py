"""One batch: its totals, claims and files, and its steps; sealing and releasing ask once more who you are."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from flask import Response, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.batch_acts import (
    close_as_caller,
    download,
    publish_by_policy,
    release_as_caller,
    release_tenants,
    seal_as_caller,
)
from clearing.api.batch_clearing import LiftSchema
from clearing.api.batches import MAX_REASON_CHARACTERS, StepSchema, line_of
from clearing.api.frame import current, principal
from clearing.api.noun import PageSchema, load, read_cursor
from clearing.console.export import Column
from clearing.console.forms import plain_form
from clearing.console.lists import Figure, Listing, shown
from clearing.console.screen import act, as_api, may, screen, show, within
from clearing.console.visit import visit
from settlement.batches.batch import (
    Batch,
    BatchItem,
    control_totals,
    find_batch,
    item_totals,
    list_items,
    lock_batch,
)
from settlement.batches.batch_files import list_files
from settlement.batches.batch_states import possible_steps
from settlement.batches.batch_steps import cancel
from settlement.batches.progress import AT_WORK, progress_of
from settlement.batches.two_releasers import first_release
from settlement.cycles.exposure import find_hold, lift_hold
from tenants.accounts import confirms
from tenants.kernel.canonical import plain
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Scope, Work, run
from tenants.kernel.errors import Forbidden, PreconditionFailed, Problem
from tenants.kernel.money import ZERO, Money

blueprint = screen("batch", "/batches/<tenant>/<uuid:batch_id>")

PROVED: Final = frozenset({"seal", "release"})
"""The steps before which a person proves once more who it is."""
OPERATIONS: Final = {
    "publish": "batches.publish_batch",
    "seal": "batches.seal_batch",
    "release": "batches.release_batch",
    "cancel": "batches.cancel_batch",
    "close": "batches.close_batch",
}
"""The operation of the interface behind each step."""
READ: Final = ("batches.get_batch", "batches.get_items", "batches.get_files")


@blueprint.get("")
@as_api(*READ)
def batch_page(tenant: str, batch_id: UUID) -> Response:
    """The batch."""
    return _shown(tenant, batch_id)


def _shown(tenant: str, batch_id: UUID, problem: Problem | None = None) -> Response:
    def use_case(work: Work) -> dict[str, Any]:
        batch = find_batch(work.connection, tenant, batch_id)
        return {
            "batch": batch,
            "files": list_files(work.connection, tenant, batch_id),
            "today": shanghai_day(work.at),
            "steps": _open_to_me(batch),
            "first": first_release(work.connection, batch),
            "progress": progress_of(work.connection, batch_id) if batch.state in AT_WORK else None,
            "hold": find_hold(work.connection, tenant, batch_id),
            "me": principal().subject,
        }

    found = within(use_case, (tenant,))
    return shown("batch.html", _items(found["batch"]).page(), problem, tenant=tenant, **found)


@blueprint.get("/export.<any(csv,xlsx):form>")
@as_api(*READ)
def export_items(tenant: str, batch_id: UUID, form: str) -> Response:
    """The batch's claims, all of them, as a file."""
    return _items(within(lambda work: find_batch(work.connection, tenant, batch_id), (tenant,))).export(form)


def _items(batch: Batch) -> Listing[BatchItem, int]:
    return Listing(
        name=batch.batch_no,
        schema=PageSchema,
        read=lambda work, _query, after, limit: list_items(work.connection, batch, after or 0, limit),
        totals=lambda work, _query, most: item_totals(work.connection, batch, most),
        key=lambda item: item.line,
        columns=_columns,
        figures=lambda: (Figure(_("合计（元）"), lambda item: ZERO if item.removed_at else item.amount),),
        tenants=(batch.tenant,),
        after=lambda cursor: line_of(read_cursor(cursor)),
    )


def _columns() -> tuple[Column[BatchItem], ...]:
    return (
        Column(_("序号"), lambda item: str(item.line)),
        Column(_("申请编号"), lambda item: item.claim_no),
        Column(_("企业"), lambda item: item.enterprise_name),
        Column(_("服务机构"), lambda item: item.provider_name),
        Column(_("收款人"), lambda item: item.payee_name),
        Column(_("金额（元）"), lambda item: str(item.amount), amount=True),
        Column(_("移出时间"), lambda item: str(plain(item.removed_at) or "")),
        Column(_("移出理由"), lambda item: item.removed_reason or ""),
    )


@blueprint.get("/files/<name>")
@as_api("batches.get_file")
def get_file(tenant: str, batch_id: UUID, name: str) -> Response:
    """Download one file."""
    return download(tenant, batch_id, name)


@blueprint.get("/<any(publish,seal,release,cancel,close):step>")
@as_api(*READ)
def confirm_page(tenant: str, batch_id: UUID, step: str) -> Response:
    """What the step will do, with the totals, before it is done."""
    _require_right(step)
    return _confirm(tenant, batch_id, step)


@blueprint.post("/<any(publish,seal,release,cancel,close):step>")
@as_api(*READ)
def do_step(tenant: str, batch_id: UUID, step: str) -> AnyResponse:
    """Do the step, to the batch as the person saw it."""
    _require_right(step)

    def do() -> str:
        if step in PROVED:
            prove()
        tenants = release_tenants(tenant, batch_id) if step == "release" else (tenant,)
        return within(lambda work: _outcome(work, step, _do(work, tenant, batch_id, step)), tenants)

    return act(
        do,
        lambda problem: _confirm(tenant, batch_id, step, problem),
        lambda done: f"/console/batches/{tenant}/{batch_id}?done={done}",
    )


@blueprint.post("/exposure-hold/lift")
@as_api("batch_clearing.lift_exposure_hold")
def lift(tenant: str, batch_id: UUID) -> AnyResponse:
    """Let this batch pass the exposure limit; only the approver whom the agreement names can."""

    def use_case(work: Work) -> None:
        reason = load(LiftSchema(), plain_form("reason", required=("reason",)))["reason"]
        batch = lock_batch(work.connection, tenant, batch_id)
        lift_hold(work.connection, batch, reason, principal().subject, work.at)

    return act(
        lambda: within(use_case, (tenant,)),
        lambda problem: _shown(tenant, batch_id, problem),
        f"/console/batches/{tenant}/{batch_id}?done=hold-lifted",
    )


def _outcome(work: Work, step: str, batch: Batch) -> str:
    """What to say of the step: a release may be the first of two, or be held at an exposure limit."""
    if step != "release" or batch.state != "sealed":
        return step
    hold = find_hold(work.connection, batch.tenant, batch.id)
    return "release-first" if hold is None or hold.lifted_at is not None else "release-held"


def _do(work: Work, tenant: str, batch_id: UUID, step: str) -> Batch:
    done = _DOES[step]
    before = lock_batch(work.connection, tenant, batch_id)
    if before.state_by == principal().subject and step not in possible_steps(before):
        return done(work, tenant, batch_id)  # done already, perhaps by me: the use case says which
    if request.form.get("version") != str(before.version):
        raise PreconditionFailed(
            "batch.changed",
            "您打开页面之后，批次有了变化，尚未作任何处理。下面是现在的情况，请核对后再决定。",
            "The batch changed after you opened the page; nothing was done. Below is how it stands now: look again.",
        )
    return done(work, tenant, batch_id)


def _cancel(work: Work, tenant: str, batch_id: UUID) -> Batch:
    reason: str | None = load(StepSchema(), plain_form("reason")).get("reason")
    return cancel(work.connection, tenant, batch_id, reason, principal().subject, work.at)


def _close(work: Work, tenant: str, batch_id: UUID) -> Batch:
    reason: str | None = load(StepSchema(), plain_form("reason")).get("reason")
    return close_as_caller(work, tenant, batch_id, reason)


_DOES: Final[Mapping[str, Callable[[Work, str, UUID], Batch]]] = {
    "publish": publish_by_policy,
    "seal": seal_as_caller,
    "release": release_as_caller,
    "cancel": _cancel,
    "close": _close,
}


def prove() -> None:
    """Refuse to go on unless password and code are right; the try is counted in a transaction of its own.

    Raises:
        Forbidden: ``confirm.wrong``.
    """
    here, service = visit(), current()
    account, at = here.session.account, service.machine.now()
    password, code = request.form.get("password", ""), request.form.get("code", "").replace(" ", "")

    def knock(work: Work) -> bool:
        return confirms(work, service.vault.sealer, account, password, code, at)

    if not run(service.engine, Scope(account.tenants), service.machine, knock):
        raise Forbidden(
            "confirm.wrong",
            "密码或动态码不正确，未作任何处理。每个动态码只能确认一次操作，请等待下一个。",
            "The password or the code is wrong; nothing was done. A code confirms one step only: wait for the next.",
        )


def _require_right(step: str) -> None:
    if not may(OPERATIONS[step]):
        raise Forbidden("scope.missing", "您的角色没有进行此操作的权限。", "None of your roles may do this.")


def _open_to_me(batch: Batch) -> list[dict[str, Any]]:
    """The steps that the state allows and my rights too; of one that is closed to me by four eyes, why."""
    own = principal().subject in {batch.cut_by, batch.published_by, batch.sealed_by}
    return [
        {"name": step, "own": step == "release" and own}
        for step in possible_steps(batch)
        if step in OPERATIONS and may(OPERATIONS[step])
    ]


def _confirm(tenant: str, batch_id: UUID, step: str, problem: Problem | None = None) -> Response:
    def use_case(work: Work) -> tuple[Batch, int, int]:
        batch = find_batch(work.connection, tenant, batch_id)
        return batch, *control_totals(work.connection, batch)

    batch, count, fen = within(use_case, (tenant,))
    steps = _open_to_me(batch)
    return show(
        "step.html", HTTPStatus.OK if problem is None else problem.status, tenant=tenant, batch=batch, step=step,
        counted=count, summed=Money(fen), problem=problem, proved=step in PROVED, given=request.form,
        possible=any(one["name"] == step and not one["own"] for one in steps),
        own=any(one["name"] == step and one["own"] for one in steps), max_reason=MAX_REASON_CHARACTERS,
    )  # fmt: skip
