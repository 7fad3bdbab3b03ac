"""People who come to the console by an OpenID provider: the service that has one, and their browser's way."""

from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import urllib3
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from clearing.app import create_app
from clearing.oidc.settings import read_providers
from tests.console.provider import SECRET, Provider
from tests.console.world import World, form_token, plain

SETTINGS = """
[gov]
issuer = "{issuer}"
client_id = "clearing"
client_secret_file = "secret"
zh = "测试统一身份认证"
en = "Test single sign-on"
{more}
"""
START = "/console/sign-in/with/gov"


def application(world: World, provider: Provider, folder: Path, more: str = "") -> Flask:
    """The service with the provider, and nothing kept of what it said before."""
    (folder / "secret").write_text(SECRET, encoding="utf-8")
    (folder / "oidc.toml").write_text(SETTINGS.format(issuer=provider.issuer, more=more), encoding="utf-8")
    return create_app(replace(world.service, providers=read_providers(folder / "oidc.toml")))


def at_the_provider(world: World, browser: FlaskClient, to: str = "/console") -> str:
    """The address that the provider leads the browser back to."""
    begun = browser.get(START, query_string={"to": to}, environ_base=new_address(world))
    assert begun.status_code == 303, plain(begun.get_data(as_text=True))
    yes = begun.headers["Location"].replace("/authorize?", "/yes?")
    answer = urllib3.PoolManager(retries=False).request("GET", yes, redirect=False)
    back = urlsplit(answer.headers["Location"])
    return f"{back.path}?{back.query}"


def new_address(world: World) -> dict[str, str]:
    return {"REMOTE_ADDR": world.new_address()}


def returned(world: World, browser: FlaskClient, to: str = "/console") -> TestResponse:
    return browser.get(at_the_provider(world, browser, to), environ_base=new_address(world))


def send_code(world: World, browser: FlaskClient, code: str) -> TestResponse:
    token = form_token(browser.get("/console/sign-in/code").get_data(as_text=True))
    return browser.post(
        "/console/sign-in/code", data={"form_token": token, "code": code}, environ_base=new_address(world)
    )


def inside(browser: FlaskClient) -> bool:
    return browser.get("/console").status_code == 200


def refused(answer: TestResponse, status: int, said: str) -> None:
    """It says so in Chinese and goes on offering the password."""
    page = answer.get_data(as_text=True)
    assert (answer.status_code, said in plain(page)) == (status, True), plain(page)
    assert 'name="password"' in page


def audited(world: World, login: str) -> list[str]:
    """Why the account's sign-ins were refused, as its chain tells."""
    with world.service.engine.begin() as connection:
        connection.exec_driver_sql("select bind_scope(%s, null)", ("jiangsu",))
        return list(
            connection.exec_driver_sql(
                "select body::json -> 'details' ->> 'reason' from audit_entry where tenant = 'jiangsu' "
                "and action = 'sign_in.refused' and body::json -> 'details' ->> 'login' = %s order by seq",
                (login,),
            ).scalars()
        )
