"""My account: who I am here, what I may do, another password, and an end to my other sessions."""

from http import HTTPStatus

from flask import Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.frame import current
from clearing.console.screen import as_api, screen, show, within
from clearing.console.visit import visit
from tenants.accounts import confirms, set_password
from tenants.kernel.database import Work
from tenants.kernel.errors import FieldError, Forbidden, Invalid, Problem, Text
from tenants.sessions import end_other_sessions

blueprint = screen("account", "/account")


@blueprint.get("")
@as_api()
def account_page() -> Response:
    """The account."""
    return _page()


@blueprint.post("/password")
@as_api()
def change_password() -> AnyResponse:
    """Set another password, after proving once more who it is; every other session ends."""
    here, service = visit(), current()
    account, at = here.session.account, service.machine.now()

    def proves(work: Work) -> bool:
        code = request.form.get("code", "").replace(" ", "")
        return confirms(work, service.vault.sealer, account, request.form.get("password", ""), code, at)

    def change(work: Work) -> None:
        set_password(work, account, request.form.get("new_password", ""), at)
        end_other_sessions(work, here.session, at)

    try:
        if request.form.get("new_password") != request.form.get("again"):
            said = Text("两次输入的新密码不同。", "The two new passwords differ.")
            raise Invalid("input.invalid", said.zh, said.en, errors=(FieldError("/again", "password.differs", said),))
        if not within(proves, account.tenants):
            raise Forbidden("confirm.wrong", "现用密码或动态码不正确。", "The present password or the code is wrong.")
        within(change, account.tenants)
    except Problem as problem:
        return _page(problem)
    return redirect("/console/account?done=password", HTTPStatus.SEE_OTHER)


@blueprint.post("/sessions")
@as_api()
def end_sessions() -> AnyResponse:
    """End my sessions elsewhere."""
    here, service = visit(), current()
    within(lambda work: end_other_sessions(work, here.session, service.machine.now()), here.principal.tenants)
    return redirect("/console/account?done=sessions", HTTPStatus.SEE_OTHER)


def _page(problem: Problem | None = None) -> Response:
    status = HTTPStatus.OK if problem is None else problem.status
    return show("account.html", status, account=visit().session.account, session=visit().session, problem=problem)
