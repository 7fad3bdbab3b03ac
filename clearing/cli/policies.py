"""``policy``: versions of a scheme's policy, from draft to approval, their differences and their rehearsal."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clearing.cli import words

if TYPE_CHECKING:
    from clearing.service import Service
    from tenants.kernel.database import Work

_PERSON = click.option(
    "--person", type=words.PERSON, required=True, help="Who acts: a person's name, compared in four-eyes."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def policy() -> None:
    """政策版本 / Policy versions."""


@policy.command("list")
@click.argument("tenant")
@click.argument("scheme")
@click.option("--known-on", type=click.DateTime(["%Y-%m-%d"]), help="As known at the end of this day in Shanghai.")
@_JSON
@click.pass_obj
def list_policies(data_dir: Path, tenant: str, scheme: str, known_on: datetime | None, as_json: bool) -> None:
    """列出政策版本 / List a scheme's versions."""
    from clearing.cli.printing import show_json, show_rows
    from clearing.tenancy.policies import list_versions
    from clearing.tenancy.recomputation import end_of

    known_at = None if known_on is None else end_of(known_on.date())
    items: Any = _done(data_dir, tenant, lambda work, _: list_versions(work.connection, tenant, scheme, known_at))
    if as_json:
        show_json({"items": items})
    else:
        show_rows(items, ("version", "state", "kind", "effective_on", "author", "approver", "approved_at"))


@policy.command()
@click.argument("tenant")
@click.argument("scheme")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--retroactive", is_flag=True, help="A correction that reaches back; needs --reason.")
@click.option("--reason", type=words.REASON, help="Why it is drafted.")
@_PERSON
@click.pass_obj
def draft(
    data_dir: Path, tenant: str, scheme: str, file: Path, retroactive: bool, reason: str | None, person: str
) -> int:
    """起草政策版本 / Draft a version from a TOML file; every fault is printed with its line."""
    from clearing.tenancy.policy_life import KINDS, Draft, read_draft
    from clearing.tenancy.policy_life import draft as draft_version

    text = file.read_text(encoding="utf-8")

    def use_case(work: "Work", _: "Service") -> object:
        effective_on = read_draft(text).policy.effective_on
        given = Draft(effective_on, text, KINDS[1] if retroactive else KINDS[0], reason)
        return draft_version(work, tenant, scheme, given, person)

    return _told(data_dir, tenant, use_case)


@policy.command()
@click.argument("tenant")
@click.argument("scheme")
@click.argument("version")
@_PERSON
@click.pass_obj
def submit(data_dir: Path, tenant: str, scheme: str, version: str, person: str) -> int:
    """提交审批 / Submit a draft for approval."""
    from clearing.tenancy import policy_life

    where = policy_life.Place(tenant, scheme, version)
    return _told(data_dir, tenant, lambda work, _: policy_life.submit(work, where, person))


@policy.command()
@click.argument("tenant")
@click.argument("scheme")
@click.argument("version")
@_PERSON
@click.pass_obj
def approve(data_dir: Path, tenant: str, scheme: str, version: str, person: str) -> int:
    """批准 / Approve what another person submitted; what waits for it is assessed."""
    from clearing.tenancy import policy_life
    from clearing.tenancy.approving import approve_version

    where = policy_life.Place(tenant, scheme, version)

    def use_case(work: "Work", service: "Service") -> object:
        return approve_version(work, service.vault, where, person, demonstration=service.settings.demonstration)

    return _told(data_dir, tenant, use_case)


@policy.command()
@click.argument("tenant")
@click.argument("scheme")
@click.argument("version")
@click.option("--reason", type=words.REASON, required=True, help="Why it is rejected.")
@_PERSON
@click.pass_obj
def reject(data_dir: Path, tenant: str, scheme: str, version: str, reason: str, person: str) -> int:
    """退回 / Reject what another person submitted."""
    from clearing.tenancy import policy_life

    where = policy_life.Place(tenant, scheme, version)
    return _told(data_dir, tenant, lambda work, _: policy_life.reject(work, where, person, reason))


@policy.command()
@click.argument("tenant")
@click.argument("scheme")
@click.argument("version")
@click.option("--against", help="The version to compare with; by default the one before.")
@_JSON
@click.pass_obj
def diff(data_dir: Path, tenant: str, scheme: str, version: str, against: str | None, as_json: bool) -> None:
    """版本差异 / What a version says otherwise than another, in words."""
    from clearing.cli.printing import show_json
    from clearing.tenancy.policies import diff as differences

    found: Any = _done(
        data_dir,
        tenant,
        lambda work, _: differences(work.connection, tenant, scheme, version, against, unapproved=True),
    )
    if as_json:
        show_json(found)
        return
    click.echo(f"{found['against']} → {found['version']}")
    for item in found["items"]:
        click.echo(f"  {item['zh']}\n  {item['en']}")


@policy.command()
@click.argument("tenant")
@click.argument("scheme")
@click.argument("version")
@click.option("--from", "from_on", type=click.DateTime(["%Y-%m-%d"]), help="Claims submitted from this day.")
@click.option("--through", "through_on", type=click.DateTime(["%Y-%m-%d"]), help="Claims submitted through this day.")
@click.option("--governed-only", is_flag=True, help="Only claims that the version would have governed.")
@click.option("--changed", type=click.Path(dir_okay=False, path_type=Path), help="Write changed claims here (NDJSON).")
@_JSON
@click.pass_obj
def simulate(  # noqa: PLR0913, PLR0917 - the options of a command
    data_dir: Path,
    tenant: str,
    scheme: str,
    version: str,
    from_on: datetime | None,
    through_on: datetime | None,
    governed_only: bool,
    changed: Path | None,
    as_json: bool,
) -> None:
    """预演 / Replay a version over past claims, exactly; nothing is changed."""
    from clearing.cli.opening import opened_service
    from clearing.cli.printing import show_json
    from clearing.cli.rehearsal_pages import SHOWN, lines_into, progress, show_report
    from clearing.tenancy.policy_life import Place
    from clearing.tenancy.rehearsing import Wanted, read_only, rehearse
    from tenants.kernel.database import Scope, run

    days = [None if day is None else day.date() for day in (from_on, through_on)]
    wanted = Wanted(days[0], days[1], governed_only, SHOWN)
    with opened_service(data_dir) as service, progress() as tell, lines_into(changed) as seen:
        report: Any = run(
            read_only(service.engine),
            Scope((tenant,)),
            service.machine,
            lambda work: rehearse(
                work,
                Place(tenant, scheme, version),
                wanted,
                None,
                demonstration=service.settings.demonstration,
                tell=tell,
                seen=seen,
            ),
        )
    if as_json:
        show_json(report)
    else:
        show_report(report)


@policy.command()
@click.argument("tenant")
@click.option("--known-on", type=click.DateTime(["%Y-%m-%d"]), help="Assessments made through this day only.")
@_JSON
@click.pass_obj
def recompute(data_dir: Path, tenant: str, known_on: datetime | None, as_json: bool) -> int:
    """重新核定比对 / Recompute every past assessment by what was known then; exit 1 where any byte differs."""
    from clearing.cli.opening import opened_service
    from clearing.cli.printing import show_json
    from clearing.cli.program import FINDINGS, OK
    from clearing.cli.rehearsal_pages import progress
    from clearing.tenancy.recomputation import end_of, recompute_all
    from clearing.tenancy.rehearsing import read_only
    from tenants.kernel.database import Scope, run

    known_at = None if known_on is None else end_of(known_on.date())
    with opened_service(data_dir) as service, progress() as tell:
        found = run(
            read_only(service.engine),
            Scope((tenant,)),
            service.machine,
            lambda work: recompute_all(
                work.connection, tenant, known_at, demonstration=service.settings.demonstration, tell=tell
            ),
        )
    if as_json:
        show_json({"assessments": found.assessments, "differences": [asdict(line) for line in found.differences]})
    else:
        click.echo(f"重新核定 {found.assessments} 次，{len(found.differences)} 处不同。")
        click.echo(f"{found.assessments} assessments recomputed, {len(found.differences)} differ.")
        for line in found.differences:
            click.echo(f"  {line.claim_no} #{line.assessment}: {line.reason}")
    return FINDINGS if found.differences else OK


UseCase = Callable[["Work", "Service"], object]


def _done(data_dir: Path, tenant: str, use_case: "UseCase") -> Any:  # noqa: ANN401 - what the use case answers
    """What the use case answers, in one transaction of the tenant's."""
    from clearing.cli.opening import opened_service
    from tenants.kernel.database import Scope, run

    with opened_service(data_dir) as service:
        return run(service.engine, Scope((tenant,)), service.machine, lambda work: use_case(work, service))


def _told(data_dir: Path, tenant: str, use_case: "UseCase") -> int:
    """Print how the version now stands as JSON, or each fault of what was asked for."""
    from clearing.cli.printing import show_json
    from clearing.cli.program import FINDINGS, OK
    from tenants.kernel.errors import Problem

    try:
        version: Any = _done(data_dir, tenant, use_case)
    except Problem as problem:
        click.echo(f"{problem.text.zh}\n{problem.text.en}", err=True)
        for error in problem.errors:
            click.echo(f"  {error.pointer}: {error.message.zh} {error.message.en}", err=True)
        return FINDINGS
    show_json({name: value for name, value in version.items() if name != "document"})
    return OK
