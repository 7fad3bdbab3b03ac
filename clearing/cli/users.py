"""``user``: create, list, change and revoke the accounts of people at the console; approve what is proposed."""

import os
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import click

from clearing.cli import words

if TYPE_CHECKING:
    from tenants.invitations import Issued


@click.group()
def user() -> None:
    """控制台账号 / Accounts of people at the console; they enrol by an invitation."""


@user.command()
@click.argument("login")
@click.option(
    "--person",
    type=words.PERSON,
    required=True,
    help="The natural person, as four-eyes compares it; one for all accounts.",
)
@click.option("--name", "display_name", type=words.PERSON, required=True, help="The name that the pages show.")
@click.option("--tenant", "tenants", multiple=True, required=True, help="A tenant it serves; repeat.")
@click.option("--role", "roles", multiple=True, required=True, help="A role; repeat.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def create(
    data_dir: Path,
    login: str,
    person: str,
    display_name: str,
    tenants: tuple[str, ...],
    roles: tuple[str, ...],
    as_json: bool,
) -> None:
    """开立账号，只显示一次邀请链接 / Create an account; the link with which its person enrols is shown once."""
    from clearing.cli.opening import opened_service
    from clearing.people import open_account
    from tenants.principal import ROLES
    from tenants.profile import tenant_codes

    require_known(tenants, tenant_codes(), "--tenant", "区域", "tenant")
    require_known(roles, tuple(ROLES), "--role", "角色", "role")
    with opened_service(data_dir) as service:
        issued = open_account(service, login, person, display_name, tenants, roles)
    _show_invitation(issued, as_json=as_json)


@user.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_users(data_dir: Path, as_json: bool) -> None:
    """列出账号 / List the accounts."""
    from clearing.cli.opening import opened_service
    from clearing.cli.printing import show_json, show_rows
    from tenants.accounts import list_accounts

    shown = ("login", "person", "display_name", "tenants", "roles", "created_at", "changed_at", "revoked_at")
    with opened_service(data_dir) as service, service.engine.connect() as connection:
        rows = [{name: getattr(account, name) for name in shown} for account in list_accounts(connection)]
    if as_json:
        show_json({"items": rows})
    else:
        show_rows(rows, shown)


@user.command()
@click.argument("secret")
def code(secret: str) -> None:
    """显示验证器密钥此刻的动态码 / Print the code that an authenticator with this secret shows now."""
    from tenants.kernel.clock import SystemClock
    from tenants.passwords import code_at

    try:
        click.echo(code_at(secret, SystemClock().now()))
    except ValueError as error:
        said = "须为不少于 112 位的 base32 文本 / give a text in base32 of at least 112 bits"
        raise click.BadParameter(said, param_hint="SECRET") from error


@user.command()
@click.argument("login")
@click.pass_obj
def revoke(data_dir: Path, login: str) -> int:
    """吊销账号，其会话随即失效 / Revoke an account; its sessions open nothing from now on."""
    from clearing.cli.opening import opened_service
    from clearing.people import dismiss

    with opened_service(data_dir) as service:
        revoked = dismiss(service, login)
    return _said(login, f"已吊销 {login}。 Revoked." if revoked else None)


@user.command()
@click.argument("login")
@click.option("--role", "roles", multiple=True, required=True, help="A role that it has from now on; repeat.")
@click.option("--reason", type=words.REASON, required=True, help="Why.")
@click.pass_obj
def roles(data_dir: Path, login: str, roles: tuple[str, ...], reason: str) -> int:
    """授予或收回角色：以给出的角色为准 / Give and take roles: those that are named are what it has."""
    from clearing.cli.opening import opened_service
    from clearing.people import change_roles
    from tenants.principal import ROLES

    require_known(roles, tuple(ROLES), "--role", "角色", "role")
    with opened_service(data_dir) as service:
        done = change_roles(service, login, roles, reason)
    return _said(login, f"{login}: {', '.join(sorted(set(roles)))}" if done else None)


@user.command()
@click.argument("login")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def reset(data_dir: Path, login: str, as_json: bool) -> int:
    """使密码与验证器失效并重新邀请，解除锁定 / End password and authenticator, and invite the person anew."""
    from clearing.cli.opening import opened_service
    from clearing.cli.program import OK
    from clearing.people import reset as reset_account

    with opened_service(data_dir) as service:
        issued = reset_account(service, login)
    if issued is None:
        return _said(login, None)
    _show_invitation(issued, as_json=as_json)
    return OK


@user.command()
@click.option("--tenant", required=True, help="The tenant whose administrators proposed.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def proposals(data_dir: Path, tenant: str, as_json: bool) -> None:
    """列出待批准的账号提议 / List proposed accounts, roles and resets that wait for another person."""
    from clearing.cli.opening import opened_service
    from clearing.cli.printing import show_json, show_rows
    from clearing.people import list_proposals
    from tenants.profile import tenant_codes

    require_known((tenant,), tenant_codes(), "--tenant", "区域", "tenant")
    shown = ("id", "kind", "login", "person", "display_name", "roles", "ground", "proposed_by", "proposed_at")
    with opened_service(data_dir) as service:
        rows = [{name: getattr(each, name) for name in shown} for each in list_proposals(service, tenant)]
    if as_json:
        show_json({"items": rows})
    else:
        show_rows(rows, shown)


@user.command()
@click.argument("proposal", type=click.UUID)
@click.option("--tenant", required=True, help="The tenant whose administrators proposed.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def approve(data_dir: Path, proposal: UUID, tenant: str, as_json: bool) -> None:
    """批准账号提议，如需则显示邀请链接 / Approve a proposal; where its person has to enrol, the link is shown once."""
    from clearing.cli.opening import opened_service
    from clearing.people import approve_proposal
    from tenants.profile import tenant_codes

    require_known((tenant,), tenant_codes(), "--tenant", "区域", "tenant")
    with opened_service(data_dir) as service:
        approved, issued = approve_proposal(service, tenant, proposal)
    if issued is None:
        click.echo(f"{approved.login}: + {', '.join(approved.roles)}")
    else:
        _show_invitation(issued, as_json=as_json, code_with=approved.proposed_by)


def _show_invitation(issued: "Issued", *, as_json: bool, code_with: str | None = None) -> None:
    """The link under the address that ``CLEARING_PUBLIC_URL`` names, else what stands behind the service's.

    ``code_with`` is who has the opening code that the person needs as well, where one is needed.
    """
    from clearing.api.address import PUBLIC_URL
    from clearing.cli.printing import show_json
    from tenants.kernel.clock import print_instant

    named, expires_at = os.environ.get(PUBLIC_URL), print_instant(issued.expires_at)
    link = issued.link(None if named is None else named.rstrip("/"))
    if as_json:
        asked = {} if code_with is None else {"opening_code_with": code_with}
        show_json({"login": issued.login, "invitation": link, "expires_at": expires_at, **asked})
        return
    click.echo(f"登录名 login       {issued.login}\n邀请 invitation    {link}\n有效至 expires     {expires_at}")
    click.echo(
        "链接只显示这一次、只能用一次，请交给本人。 Shown only now, good for once: hand it to the person.", err=True
    )
    if code_with is not None:
        click.echo(
            f"本人还需要开户口令，由提出人 {code_with} 告知。 "
            f"The person needs the opening code as well: {code_with}, who proposed it, tells them.",
            err=True,
        )
    if named is None:
        click.echo("请在前面加上本服务的地址。 Put the address of this service before it.", err=True)


def _said(login: str, done: str | None) -> int:
    from clearing.cli.program import FINDINGS, OK

    if done is not None:
        click.echo(done)
        return OK
    click.echo(f"没有有效的账号 {login}。 There is no such live account.", err=True)
    return FINDINGS


def require_known(given: tuple[str, ...], known: tuple[str, ...], option: str, zh: str, en: str) -> None:
    """Refuse a name that there is not.

    Raises:
        BadParameter: naming those that there are.
    """
    for name in given:
        if name not in known:
            raise click.BadParameter(f"没有{zh} {name} / no such {en}: {name}; {', '.join(known)}", param_hint=option)
