"""``tenant``: the regions that fund, as stored."""

from pathlib import Path

import click


@click.group()
def tenant() -> None:
    """区域 / Tenants."""


@tenant.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_tenants(data_dir: Path, as_json: bool) -> None:
    """列出区域及其现行政策 / List the tenants and their policy versions."""
    from clearing.cli.opening import opened_service
    from clearing.cli.printing import show_json, show_rows
    from tenants.kernel.database import Scope, transaction
    from tenants.profile import tenant_codes

    scope = Scope(tenant_codes())
    with opened_service(data_dir) as service, transaction(service.engine, scope, service.machine) as work:
        rows = [dict(row) for row in work.connection.exec_driver_sql(_TENANTS).mappings()]
    if as_json:
        show_json({"items": rows})
    else:
        show_rows(rows, ("tenant", "code", "name_zh", "name_en", "divisions", "policies"))


_TENANTS = (
    "select t.tenant, t.code, t.name_zh, t.name_en, t.divisions, "
    "coalesce((select array_agg(p.version order by p.version) from policy_version p "
    "where p.tenant = t.tenant and p.state = 'approved'), '{}') as policies "
    "from tenant t order by t.tenant"
)
