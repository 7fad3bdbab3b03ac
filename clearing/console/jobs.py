"""The queue: what the workers have still to do and what is stuck, tried again by clicking."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import Response
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.frame import principal
from clearing.api.noun import cursor_id, load, write_cursor
from clearing.api.operations import JobQuerySchema
from clearing.console.export import Column
from clearing.console.filters import platform_name, tenant_name
from clearing.console.lists import as_file, asked, every, filters, require_exportable
from clearing.console.screen import act, as_api, screen, show, within
from clearing.operating.jobs import JobRow, job_totals, list_jobs, retry
from tenants.kernel.canonical import plain
from tenants.kernel.database import Work
from tenants.kernel.errors import Problem

blueprint = screen("jobs", "/connectors/jobs")


@blueprint.get("")
@as_api("operations.get_jobs")
def list_page() -> Response:
    """One page of the open jobs that the address asks for."""
    return _page()


@blueprint.post("/<uuid:job_id>/retry")
@as_api("operations.retry_job")
def try_again(job_id: UUID) -> AnyResponse:
    """Let the job be tried at once."""
    me = principal()
    return act(
        lambda: within(lambda work: retry(work, me.tenants, me.subject, job_id)),
        _page,
        "/console/connectors/jobs?state=stuck&done=job-retried",
    )


@blueprint.get("/export.<any(csv,xlsx):form>")
@as_api("operations.get_jobs")
def export(form: str) -> Response:
    """The jobs that the address asks for, all of them, as a file."""
    query: dict[str, Any] = load(JobQuerySchema(), dict(filters()))
    tenants = principal().tenants
    count, stuck = within(lambda work: job_totals(work.connection, tenants, query))
    require_exportable(count)
    return as_file(form, "jobs", _columns(), _all(query), ((_("任务数"), str(count)), (_("其中停滞"), str(stuck))))


def _page(problem: Problem | None = None) -> Response:
    given, tenants = asked(), principal().tenants
    try:
        query: dict[str, Any] = load(JobQuerySchema(), dict(given))
        limit, after = query["limit"], cursor_id(query["cursor"])
    except Problem as found:
        return show("jobs.html", found.status, problem=found, asked=given, tenants=tenants, jobs=None)

    def use_case(work: Work) -> tuple[list[JobRow], tuple[int, int]]:
        rows = list_jobs(work.connection, tenants, query, after, limit + 1)
        return rows, job_totals(work.connection, tenants, query)

    jobs, (count, stuck) = within(use_case)
    status = HTTPStatus.OK if problem is None else problem.status
    return show(
        "jobs.html", status, problem=problem, asked=given, tenants=tenants, jobs=jobs[:limit], count=count,
        stuck=stuck, next_cursor=write_cursor(str(jobs[limit - 1].id)) if len(jobs) > limit else None,
    )  # fmt: skip


def _all(query: dict[str, Any]) -> Iterator[JobRow]:
    tenants = principal().tenants

    def read(after: UUID | None, limit: int) -> list[JobRow]:
        return within(lambda work: list_jobs(work.connection, tenants, query, after, limit))

    return every(read, lambda job: job.id)


def _columns() -> tuple[Column[JobRow], ...]:
    return (
        Column(_("任务编号"), lambda job: str(job.id)),
        Column(_("种类"), lambda job: job.kind),
        Column(_("区域"), lambda job: tenant_name(job.tenant)),
        Column(_("平台"), lambda job: platform_name(job.platform or "")),
        Column(_("产生时间"), lambda job: str(plain(job.created_at))),
        Column(_("下次尝试"), lambda job: str(plain(job.next_attempt_at))),
        Column(_("已尝试次数"), lambda job: str(job.attempts)),
        Column(_("最近的错误"), lambda job: job.last_error or ""),
    )
