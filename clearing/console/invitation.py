"""An invitation: a person sets a password, reads the authenticator's secret from a picture, and proves it by a code."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final, TypeVar

import segno
from flask import Response, make_response, redirect, request
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.frame import current
from clearing.console.screen import screen, show
from clearing.console.sign_in import forget_form, knock, require_own_form, with_form_cookie
from clearing.console.visit import HOME, keep_cookie, open_visit
from tenants.accounts import Account
from tenants.invitations import INVITATION_LIFE, PATH, Invited, Taking, find_invited, take_up
from tenants.kernel.database import Scope, Work, run
from tenants.kernel.errors import FieldError, Invalid, Problem, Text
from tenants.passwords import totp_address
from tenants.profile import tenant_codes
from tenants.sessions import start_session

blueprint = screen("invitation", "/invitation", signed_in=False)

Result = TypeVar("Result")

COOKIE: Final = "console_invitation"
"""Holds the secret while its person is at the form: it stands in no address that a proxy or a history keeps."""
PICTURE_SCALE: Final = 4
LETTERS_TOGETHER: Final = 4


@blueprint.get("/<secret>")
def open_link(secret: str) -> AnyResponse:
    """Take the secret out of the address, and go on to the form."""
    return _keep(secret)


@blueprint.get("")
def form_page() -> Response:
    """The form of the invitation, or one that asks for it."""
    return _page()


@blueprint.post("/open")
def open_typed() -> AnyResponse:
    """The same for an invitation that was typed or pasted, the whole link or its end."""
    try:
        require_own_form()
    except Problem as problem:
        return _page(problem)
    return _keep(request.form.get("invitation", "").strip().rpartition("/")[2])


@blueprint.post("")
def enrol() -> AnyResponse:
    """Set password and authenticator where the code proves it; the person is signed in."""
    at = current().machine.now()

    def use_case(work: Work) -> tuple[Account, str]:
        code = request.form.get("code", "").replace(" ", "")
        given = Taking(request.form.get("new_password", ""), code, request.form.get("opening_code", ""))
        account = take_up(work, current().vault.sealer, _secret(), given, at)
        return account, start_session(work, account, at)

    try:
        knock()
        require_own_form()
        if request.form.get("new_password") != request.form.get("again"):
            said = Text("两次输入的密码不同。", "The two passwords differ.")
            raise Invalid("input.invalid", said.zh, said.en, errors=(FieldError("/again", "password.differs", said),))
        _account, token = _within(use_case)
    except Problem as problem:
        return _page(problem)
    response = make_response(redirect(f"{HOME}?done=enrolled", HTTPStatus.SEE_OTHER))
    response.delete_cookie(COOKIE, path=PATH)
    forget_form(response)
    open_visit(response, token)
    return response


def _keep(secret: str) -> AnyResponse:
    response = make_response(redirect(PATH, HTTPStatus.SEE_OTHER))
    keep_cookie(response, COOKIE, secret, seconds=int(INVITATION_LIFE.total_seconds()), path=PATH)
    return response


def _secret() -> str:
    return request.cookies.get(COOKIE, "")


def _page(problem: Problem | None = None) -> Response:
    """The form while the invitation opens; else why it does not, and where to type another."""
    found: Invited | None = None
    if _secret():
        try:
            found = _within(
                lambda work: find_invited(work.connection, current().vault.sealer, _secret(), current().machine.now())
            )
        except Problem as refused:
            problem = problem or refused
    status = HTTPStatus.OK if problem is None else problem.status
    return with_form_cookie(
        lambda form_token: show(
            "invitation.html", status, problem=problem, form_token=form_token, invited=found, again=PATH,
            **({} if found is None else _shown(found)),
        ),
        problem,
    )  # fmt: skip


def _shown(found: Invited) -> dict[str, object]:
    """The authenticator's secret: as a picture to scan, drawn here, and in groups to type."""
    drawn = segno.make(totp_address(found.totp_secret, found.account.login), error="m")
    secret, size = found.totp_secret, LETTERS_TOGETHER
    return {
        "picture": Markup(drawn.svg_inline(scale=PICTURE_SCALE, omitsize=True, svgclass="qr", lineclass=None)),  # noqa: S704 - of segno, of our own address
        "letters": " ".join(secret[at : at + size] for at in range(0, len(secret), size)),
    }


def _within(use_case: Callable[[Work], Result]) -> Result:
    service = current()
    every_tenant = tenant_codes()
    return run(service.engine, Scope(every_tenant), service.machine, use_case)
