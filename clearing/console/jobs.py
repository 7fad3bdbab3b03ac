"""The queue: what the workers have still to do and what is stuck, tried again by clicking."""

from uuid import UUID

from flask import Response
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.frame import principal
from clearing.api.operations import JobQuerySchema
from clearing.console.export import Column
from clearing.console.filters import platform_name, tenant_name
from clearing.console.lists import Figure, Listing, shown
from clearing.console.screen import act, as_api, screen, within
from clearing.operating.jobs import JobRow, job_totals, list_jobs, retry
from tenants.kernel.canonical import plain
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
    return _listing().export(form)


def _page(problem: Problem | None = None) -> Response:
    return shown("jobs.html", _listing().page(), problem, tenants=principal().tenants)


def _listing() -> Listing[JobRow, UUID]:
    tenants = principal().tenants
    return Listing(
        name="jobs",
        schema=JobQuerySchema,
        read=lambda work, query, after, limit: list_jobs(work.connection, tenants, query, after, limit),
        totals=lambda work, query, most: job_totals(work.connection, tenants, query, most),
        key=lambda job: job.id,
        columns=_columns,
        figures=lambda: (Figure(_("其中停滞"), lambda job: int(job.stuck)),),
    )


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
