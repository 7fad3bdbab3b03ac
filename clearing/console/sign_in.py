"""The door: name, password and the code of the moment; and out again."""

import hmac
import secrets
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from flask import Response, current_app, g, make_response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.frame import current
from clearing.api.limits import Window
from clearing.console.language import COOKIE as LANGUAGE_COOKIE
from clearing.console.language import LANGUAGES
from clearing.console.screen import screen, show
from clearing.console.visit import (
    COOKIE,
    HOME,
    SIGN_IN,
    foreign_form,
    keep_cookie,
    open_visit,
    own_address,
    require_visit,
    visit,
    visitor,
)
from tenants.accounts import Account, opens
from tenants.kernel.database import Scope, Work, run
from tenants.kernel.errors import Problem, TooManyRequests, Unauthenticated
from tenants.profile import tenant_codes
from tenants.sessions import end_session, start_session

blueprint = screen("sign_in", signed_in=False)

TRIES_PER_WINDOW: Final = 20
"""How often one address may knock in a minute."""
WAIT_SECONDS: Final = 60
FORM_COOKIE: Final = "console_form"
LANGUAGE_SECONDS: Final = 31_536_000


@blueprint.get("/sign-in")
def sign_in_page() -> AnyResponse:
    """The form; whoever is inside already goes on."""
    way = own_address(request.args.get("to", HOME))
    if visitor() is not None:
        return redirect(way, HTTPStatus.SEE_OTHER)
    return door_page(way, expired="to" in request.args)


@blueprint.post("/sign-in")
def sign_in() -> AnyResponse:
    """Open a session where everything is right; nothing tells what was wrong."""
    way = own_address(request.form.get("to", HOME))
    try:
        knock()
        require_own_form()
        token = _opened()
    except Problem as problem:
        return door_page(way, problem=problem)
    response = make_response(redirect(way, HTTPStatus.SEE_OTHER))
    forget_form(response)
    open_visit(response, token)
    return response


@blueprint.post("/sign-out")
def sign_out() -> AnyResponse:
    """End the session."""
    refused = require_visit()
    if refused is not None:
        return refused
    here, service = visit(), current()

    def use_case(work: Work) -> None:
        end_session(work, here.session, service.machine.now())

    run(service.engine, Scope(here.principal.tenants), service.machine, use_case)
    issuer = here.session.method.issuer
    by = next((f"&by={name}" for name, one in service.providers.items() if one.issuer == issuer), "")
    response = make_response(redirect(f"{SIGN_IN}?done=signed-out{by}", HTTPStatus.SEE_OTHER))
    response.delete_cookie(COOKIE, path=HOME)
    return response


@blueprint.get("/language/<chosen>")
def choose_language(chosen: str) -> AnyResponse:
    """Show the pages in the language from now on."""
    response = make_response(redirect(own_address(request.args.get("to", HOME)), HTTPStatus.SEE_OTHER))
    if chosen in LANGUAGES:
        keep_cookie(response, LANGUAGE_COOKIE, chosen, seconds=LANGUAGE_SECONDS)
    return response


def _opened() -> str:
    service = current()
    at = service.machine.now()
    login, code = request.form.get("login", "").strip(), request.form.get("code", "").replace(" ", "")
    every_tenant = tenant_codes()

    def knock(work: Work) -> tuple[Account, str] | None:
        account = opens(work, service.vault.sealer, login, request.form.get("password", ""), code, at)
        return None if account is None else (account, start_session(work, account, at))

    found = run(service.engine, Scope(every_tenant), service.machine, knock)
    if found is None:
        raise Unauthenticated(
            "sign_in.wrong",
            "登录名、密码或动态码不正确，或尝试次数过多需等待。动态码用过一次后须等下一个。",
            "Name, password or code is wrong, or there were too many tries and you have to wait. A code that was used "
            "once does not open again: wait for the next.",
        )
    return found[1]


def knock() -> None:
    """Count one try of this address at the door.

    Raises:
        TooManyRequests: there were too many within a minute.
    """
    window: Window = current_app.extensions["console-door"]
    if not window.takes(request.remote_addr or ""):
        raise TooManyRequests(
            "rate.exceeded",
            "尝试过于频繁，请稍后再试。",
            "Too many tries; please wait.",
            retry_after_seconds=WAIT_SECONDS,
        )


def require_own_form() -> None:
    """Nobody is signed in by another site's form: the form and the cookie hold the same chance value.

    Raises:
        Forbidden: ``form.foreign``.
    """
    given, kept = request.form.get("form_token", ""), request.cookies.get(FORM_COOKIE, "")
    if not kept or not hmac.compare_digest(given.encode(), kept.encode()):
        raise foreign_form()


def with_form_cookie(page: Callable[[str], Response], problem: Problem | None) -> Response:
    """A page with a form for somebody who is not signed in yet; ``page`` is given what its form holds."""
    kept = request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe()
    response = page(kept)
    if problem is not None and problem.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(problem.retry_after_seconds)
    keep_cookie(response, FORM_COOKIE, kept)
    return response


def forget_form(response: AnyResponse) -> None:
    """The door is open: its form's chance value is used up."""
    response.delete_cookie(FORM_COOKIE, path=HOME)


def door_page(way: str, *, problem: Problem | None = None, expired: bool = False, again: str | None = None) -> Response:
    """The door's form, with the providers that vouch for people; ``again`` is where to see it in another language."""
    providers = current().providers
    by = providers.get(request.args.get("by", ""))
    response = with_form_cookie(
        lambda form_token: show(
            "sign_in.html",
            HTTPStatus.OK if problem is None else problem.status,
            way=way, form_token=form_token, problem=problem, expired=expired, login=request.form.get("login", ""),
            providers=providers.values(), by=by, again=again,
        ),
        problem,
    )  # fmt: skip
    g.pop("visit", None)
    return response
