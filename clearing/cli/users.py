"""``user``: create, list, change and revoke the accounts of people at the console."""

from pathlib import Path

import click


@click.group()
def user() -> None:
    """控制台账号 / Accounts of people at the console; password and authenticator are shown once."""


@user.command()
@click.argument("login")
@click.option("--person", required=True, help="The natural person, as four-eyes compares it; one for all accounts.")
@click.option("--name", "display_name", required=True, help="The name that the pages show.")
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
    """开立账号，密码与验证器密钥只显示一次 / Create an account; its password and authenticator are shown once."""
    from clearing.cli.opening import opened_service
    from clearing.cli.printing import show_json
    from clearing.people import enrol
    from tenants.passwords import new_password, totp_address
    from tenants.principal import ROLES
    from tenants.profile import load_tenants

    require_known(tenants, tuple(profile.tenant for profile in load_tenants()), "--tenant", "区域", "tenant")
    require_known(roles, tuple(ROLES), "--role", "角色", "role")
    password = new_password()
    with opened_service(data_dir) as service:
        secret = enrol(service, login, person, display_name, tenants, roles, password)
    address = totp_address(secret, login)
    if as_json:
        show_json({"login": login, "password": password, "totp_secret": secret, "totp_address": address})
    else:
        click.echo(f"登录名 login      {login}\n密码 password     {password}\n验证器 TOTP       {secret}\n{address}")
        click.echo("密码与验证器密钥只显示这一次。 They are shown only now.", err=True)


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
        raise click.BadParameter("须为 base32 文本 / give a text in base32", param_hint="SECRET") from error


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
@click.option("--reason", required=True, help="Why.")
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
@click.pass_obj
def reset(data_dir: Path, login: str) -> int:
    """重置密码与验证器，只显示一次，并解除锁定 / Another password and authenticator, shown once; the door is open."""
    from clearing.cli.opening import opened_service
    from clearing.people import reset as reset_account
    from tenants.passwords import new_password, totp_address

    password = new_password()
    with opened_service(data_dir) as service:
        secret = reset_account(service, login, password)
    if secret is None:
        return _said(login, None)
    return _said(login, f"密码 password     {password}\n验证器 TOTP       {secret}\n{totp_address(secret, login)}")


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
