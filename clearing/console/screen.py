"""What every screen shares: its blueprint, its rights, its page, its transaction, and its way to say no."""

import functools
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, ParamSpec, TypeVar

from flask import Blueprint, Response, current_app, g, redirect, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.frame import current, principal
from clearing.api.problems import problem_of, unexpected_problem
from clearing.console import visit as visits
from clearing.console.language import speaks_english
from clearing.console.words import DONE
from tenants.kernel.database import Scope, Work, run
from tenants.kernel.errors import Forbidden, Problem, not_found

PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""The pages run one script of ours and load one style sheet of ours; nothing stands inline."""
CHART_POLICY: Final = PAGE_POLICY.replace("img-src 'self'", "img-src 'self' data:")
"""A page with charts runs plotly's script too, served by us, which draws a heat map as a picture of its own making."""

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def screen(name: str, path: str = "", *, signed_in: bool = True, max_form_bytes: int | None = None) -> Blueprint:
    """The blueprint of one screen below ``/console``; ``max_form_bytes`` where a form's texts are longer than usual."""
    blueprint = Blueprint(
        f"console_{name}", f"clearing.console.{name}", url_prefix=f"{visits.HOME}{path}", template_folder="templates"
    )
    if max_form_bytes is not None:
        blueprint.before_request(lambda: _take_forms_of(max_form_bytes))
    blueprint.before_request(visits.require_visit if signed_in else visits.refuse_other_sites)
    blueprint.register_error_handler(Problem, problem_page)
    blueprint.register_error_handler(HTTPException, _http_page)
    blueprint.register_error_handler(Exception, _unexpected)
    return blueprint


def as_api(*operations: str) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """The screen does what these operations of the interface do, and is open to whom each of them is open.

    The rights stand in one place: at the operations. The path's ``tenant`` must be one of the person's.
    """

    def decorate(view: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        @functools.wraps(view)
        def checked(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            for operation in operations:
                if not may(operation):
                    raise Forbidden(
                        "scope.missing",
                        "您的角色没有进行此操作的权限。",
                        "None of your roles may do this.",
                    )
            tenant = kwargs.get("tenant")
            if tenant is not None and tenant not in principal().tenants:
                raise not_found("区域", "tenant")
            return view(*args, **kwargs)

        checked.operations = operations  # type: ignore[attr-defined]  # read by the tests of rights
        return checked

    return decorate


def may(operation: str) -> bool:
    """Whether the person may do the operation of the interface, named by its endpoint."""
    view: Any = current_app.view_functions[operation]  # its scopes were set by needs
    return principal().may(*view.scopes)


def within(use_case: Callable[[Work], Result], tenants: tuple[str, ...] | None = None) -> Result:
    """Run a use case in one transaction within the person's tenants, or the given ones of them."""
    service = current()
    caller = principal()
    scope = Scope(caller.tenants if tenants is None else tenants, person=caller.person)
    return run(service.engine, scope, service.machine, use_case)


def show(template: str, status: int = HTTPStatus.OK, **values: Any) -> Response:  # noqa: ANN401 - what the page shows
    """A page; one that is given ``charts`` may draw them."""
    text = render_template(
        f"console/{template}", here=request.path, done=DONE.get(request.args.get("done", "")), **values
    )
    headers = {
        "Content-Security-Policy": CHART_POLICY if values.get("charts") else PAGE_POLICY,
        "Content-Language": "en" if speaks_english() else "zh-CN",
        "Vary": "Cookie",
        "Referrer-Policy": "same-origin",
    }
    return Response(text, status=status, content_type="text/html; charset=utf-8", headers=headers)


def act(
    do: Callable[[], Result], again: Callable[[Problem], Response], leads_to: str | Callable[[Result], str]
) -> AnyResponse:
    """Do it and lead on; where it is refused, the page again, which says why and keeps what was typed.

    Raises:
        NotFound: it is about something that is not there, so that there is no page to show again.
    """
    try:
        done = do()
    except Problem as problem:
        if problem.status == HTTPStatus.NOT_FOUND:
            raise
        return again(problem)
    return redirect(leads_to if isinstance(leads_to, str) else leads_to(done), HTTPStatus.SEE_OTHER)


def problem_page(problem: Problem) -> Response:
    """The problem as a page that says what to do."""
    return show("problem.html", problem.status, problem=problem, request_id=g.get("request_id"))


def _take_forms_of(max_bytes: int) -> None:
    request.max_form_memory_size = max_bytes


def _http_page(error: HTTPException) -> Response:
    return problem_page(problem_of(error))


def _unexpected(error: Exception) -> Response:
    return problem_page(unexpected_problem(error))
