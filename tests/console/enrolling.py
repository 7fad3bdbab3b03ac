"""Invitations taken up: the secret that the page shows, and the form that proves it."""

import re
from typing import Final

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from clearing.console.invitation import COOKIE
from tenants.invitations import PATH, find_invited
from tenants.kernel.database import Scope, transaction
from tenants.kernel.errors import Conflict
from tenants.passwords import code_at
from tests.console.world import Visitor, World, form_token

CHOSEN: Final = "chosen horse battery 3"


def open_link(world: World, link: str) -> tuple[FlaskClient, str]:
    """A new browser that followed the link, and the page that it came to."""
    browser = world.app.test_client()
    answer = browser.get(link, follow_redirects=True, environ_base={"REMOTE_ADDR": world.new_address()})
    return browser, answer.get_data(as_text=True)


def shown_secret(page: str) -> str:
    """The authenticator's secret, as the page spells it."""
    found = re.search(r"data-secret>([A-Z2-7 ]+)<", page)
    assert found, page
    return found[1].replace(" ", "")


def told_code(world: World, browser: FlaskClient) -> str:
    """The opening code that its proposer told the person, empty where none is asked for."""
    cookie = browser.get_cookie(COOKIE, path=PATH)
    assert cookie is not None
    with transaction(world.service.engine, Scope(world.story.tenants), world.clock) as work:
        try:
            invited = find_invited(work.connection, world.service.vault.sealer, cookie.value, world.clock.now())
        except Conflict:  # it opens no more, which is told before any code is looked at
            return ""
    return invited.opening_code or ""


def send(world: World, browser: FlaskClient, page: str, **form: str) -> TestResponse:
    """Send the form, with the codes that belong there unless others are given."""
    given = {"new_password": CHOSEN, "again": CHOSEN, "form_token": form_token(page)}
    if 'name="opening_code"' in page and "opening_code" not in form:
        given["opening_code"] = told_code(world, browser).lower().replace("-", " ")
    given["code"] = form.get("code") or code_at(shown_secret(page), world.clock.now())
    return browser.post(PATH, data=given | form, environ_base={"REMOTE_ADDR": world.new_address()})


def enrolled(world: World, login: str, link: str) -> Visitor:
    """The person, who took the invitation up and is signed in."""
    browser, page = open_link(world, link)
    world.secrets[login] = shown_secret(page)
    answer = send(world, browser, page)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/console?done=enrolled")
    return Visitor(world, login, browser)
