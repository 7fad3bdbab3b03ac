"""Who is here: the session behind the cookie, the principal that it speaks for, and the guard of every form."""

import hashlib
import hmac
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, cast
from urllib.parse import urlsplit

from flask import g, redirect, request
from sqlalchemy.exc import DBAPIError
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.frame import current
from tenants.instance import is_own
from tenants.kernel.database import database_away, is_away
from tenants.kernel.errors import Forbidden
from tenants.principal import Principal, scopes_of
from tenants.sessions import SESSION_LIFE, Session, find_session, see

COOKIE: Final = "console_session"
HOME: Final = "/console"
SIGN_IN: Final = "/console/sign-in"
_CSRF: Final = b"clearing/console/form/v1\x00"
_OWN_SITE: Final = frozenset({"same-origin", "none"})


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a person who is signed in."""

    session: Session
    principal: Principal
    form_token: str


def visit() -> Visit:
    """The visit of this request; a screen asks for it only behind :func:`require_visit`."""
    return cast("Visit", g.visit)


def visitor() -> Visit | None:
    """The visit, where somebody is signed in."""
    if "visit" not in g:
        g.visit = _find()
        if g.visit is not None:
            g.principal = g.visit.principal
    return cast("Visit | None", g.visit)


def require_visit() -> AnyResponse | None:
    """Lead whoever is not signed in to the door, and refuse a form that is not of ours.

    Raises:
        Forbidden: ``form.foreign``.
    """
    refuse_other_sites()
    found = visitor()
    if found is None:
        return redirect(door(_way_back()), HTTPStatus.SEE_OTHER)
    if request.method == "POST" and not hmac.compare_digest(
        request.form.get("form_token", "").encode(), found.form_token.encode()
    ):
        raise foreign_form()
    return None


def refuse_other_sites() -> None:
    """Refuse a form that the browser says another site sent.

    Raises:
        Forbidden: ``form.foreign``.
    """
    if request.method == "POST" and request.headers.get("Sec-Fetch-Site", "same-origin") not in _OWN_SITE:
        raise foreign_form()


def foreign_form() -> Forbidden:
    """The answer to a form that did not come from a page of this visit."""
    return Forbidden(
        "form.foreign",
        "表单已过期或并非来自本页面，未作任何更改。请重新打开页面。",
        "The form is out of date or does not come from this page; nothing was changed. Open the page again.",
    )


def door(way_back: str) -> str:
    """The address of the door, which leads back to where the person wanted to go."""
    from urllib.parse import quote  # noqa: PLC0415 - only here

    return SIGN_IN if way_back in {"", HOME} else f"{SIGN_IN}?to={quote(way_back, safe='')}"


def own_address(given: str) -> str:
    """The address if it is one of the console's, home otherwise: nobody is led elsewhere."""
    parts = urlsplit(given)
    fits = not parts.scheme and not parts.netloc and "\\" not in given and "//" not in parts.path
    inside = parts.path == HOME or parts.path.startswith(f"{HOME}/")
    return given if fits and inside and given.isascii() and given.isprintable() else HOME


def keep_cookie(response: AnyResponse, name: str, value: str, *, seconds: int | None = None, path: str = HOME) -> None:
    """Set a cookie that no script reads and no other site sends."""
    response.set_cookie(
        name, value, max_age=seconds, path=path, httponly=True, secure=request.is_secure, samesite="Lax"
    )


def open_visit(response: AnyResponse, token: str) -> None:
    """Give the browser the session's token."""
    keep_cookie(response, COOKIE, token, seconds=int(SESSION_LIFE.total_seconds()))


def _find() -> Visit | None:
    token = request.cookies.get(COOKIE)
    if not token:
        return None
    service = current()
    if not is_own(token, sandbox=service.settings.sandbox):
        return None
    at = service.machine.now()
    try:
        with service.engine.begin() as connection:
            session = find_session(connection, token, at)
            if session is None:
                return None
            see(connection, session, at)
    except DBAPIError as error:
        if is_away(error):
            raise database_away() from error
        raise
    account = session.account
    principal = Principal(
        f"console-{account.login}", account.person, None, account.tenants, scopes_of(account.roles), account.person
    )
    return Visit(session, principal, hmac.new(token.encode(), _CSRF, hashlib.sha256).hexdigest())


def _way_back() -> str:
    """Where to go after the door: this page or, where a form was sent, the page that it was on."""
    if request.method == "GET":
        return own_address(request.full_path.rstrip("?"))
    parts = urlsplit(request.headers.get("Referer", ""))
    return own_address(parts.path + (f"?{parts.query}" if parts.query else ""))
