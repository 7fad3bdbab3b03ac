"""The door by an OpenID provider: to the provider, back with its word, the code of the moment, and out again."""

import hmac
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, TypeVar
from urllib.parse import urlencode

import structlog
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from flask import Flask, Response, current_app, g, make_response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.address import PUBLIC_URL, public_url
from clearing.api.frame import current
from clearing.console.language import speaks_english
from clearing.console.screen import screen, show
from clearing.console.sign_in import door_page, forget_form, knock, require_own_form, with_form_cookie
from clearing.console.visit import HOME, SIGN_IN, door, keep_cookie, open_visit, own_address
from clearing.oidc.arrival import account_vouched, open_vouched
from clearing.oidc.id_token import Vouched, key_id_of, vouched_by
from clearing.oidc.journey import LIFE, Arrived, Carried, Journey, begin, opened, sealed
from clearing.oidc.provider import Metadata, Provider
from clearing.oidc.refusal import AwayError, NotVouchedError, declined, lost, no_way_out
from tenants.accounts import Account
from tenants.kernel.canonical import plain
from tenants.kernel.database import Scope, Work, run
from tenants.kernel.errors import Problem, not_found
from tenants.profile import tenant_codes

blueprint = screen("single_sign_on", "/sign-in", signed_in=False)

RETURN: Final = f"{SIGN_IN}/return"
CODE: Final = f"{SIGN_IN}/code"
JOURNEY_COOKIE: Final = "console_journey"
SCOPE: Final = "openid profile"
_MAX_CHARACTERS: Final = 2048

Found = TypeVar("Found")
_log = structlog.get_logger()


def know_providers(app: Flask) -> None:
    """Give the application the providers of the service."""
    service = app.extensions["clearing"]
    app.extensions["console-providers"] = {
        name: Provider(settings, service.machine) for name, settings in service.providers.items()
    }


@blueprint.get("/with/<name>")
def start(name: str) -> AnyResponse:
    """Lead the person to the provider; what its answer is held against goes along in a sealed cookie."""
    way = own_address(request.args.get("to", HOME))
    provider = _provider(name)
    try:
        knock()
        metadata = provider.metadata()
        journey = begin(name, way, current().machine.now())
        response = redirect(_authorization(provider, metadata, journey), HTTPStatus.SEE_OTHER)
    except Problem as problem:
        return _refused(way, problem, name)
    _keep(response, journey)
    return response


@blueprint.get("/return")
def come_back() -> AnyResponse:
    """Take the provider's word; lead on to the code, or in where it stands for the code."""
    journey = _carried(Journey)
    way = HOME if journey is None else journey.way
    name = None if journey is None else journey.provider
    try:
        knock()
        if journey is None or not hmac.compare_digest(_once("state").encode(), journey.state.encode()):
            raise lost()
        provider = _provider(journey.provider)
        vouched = _vouched(provider, journey)
        account = _in_transaction(
            lambda work: account_vouched(work, provider.settings, vouched, current().machine.now())
        )
        response = _arrive(provider, account, vouched, way)
    except Problem as problem:
        return _without_journey(_refused(way, problem, name))
    return response


@blueprint.get("/code")
def code_page() -> AnyResponse:
    """Ask for the code of the moment."""
    arrived = _carried(Arrived)
    return redirect(SIGN_IN, HTTPStatus.SEE_OTHER) if arrived is None else _code_page(arrived)


@blueprint.post("/code")
def take_code() -> AnyResponse:
    """Open a session where the code is right."""
    arrived = _carried(Arrived)
    if arrived is None:
        return _refused(HOME, lost(), None)
    settings, at = _provider(arrived.provider).settings, current().machine.now()
    code = request.form.get("code", "").replace(" ", "")
    sealer = current().vault.sealer
    try:
        knock()
        require_own_form()
        token = _in_transaction(
            lambda work: open_vouched(work, sealer, settings, arrived.account_id, arrived.subject, code, at)
        )
    except Problem as problem:
        if problem.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS}:
            return _code_page(arrived, problem)
        return _without_journey(_refused(arrived.way, problem, arrived.provider))
    return _let_in(token, arrived.way)


@blueprint.get("/out/<name>")
def leave(name: str) -> AnyResponse:
    """End the person's session at the provider too (OpenID Connect RP-Initiated Logout 1.0), where it offers that."""
    provider = _provider(name)
    try:
        knock()
        out = provider.metadata().end_session_endpoint
        if out is None:
            raise no_way_out()
    except Problem as problem:
        return _refused(HOME, problem, name)
    asked = {"client_id": provider.settings.client_id, "post_logout_redirect_uri": f"{_public_url()}{SIGN_IN}"}
    return redirect(f"{out}{'&' if '?' in out else '?'}{urlencode(asked)}", HTTPStatus.SEE_OTHER)


def _authorization(provider: Provider, metadata: Metadata, journey: Journey) -> str:
    settings = provider.settings
    address: str = prepare_grant_uri(
        metadata.authorization_endpoint,
        settings.client_id,
        "code",
        redirect_uri=_return_address(),
        scope=SCOPE,
        state=journey.state,
        nonce=journey.nonce,
        code_challenge=create_s256_code_challenge(journey.verifier),
        code_challenge_method="S256",
        acr_values=" ".join(settings.acr) or None,
        max_age=settings.max_age_seconds,
        ui_locales="en" if speaks_english() else "zh-CN",
    )
    return address


def _vouched(provider: Provider, journey: Journey) -> Vouched:
    """Whom the provider vouches for, after everything that its answer has to be.

    Raises:
        Problem: it is not that.
    """
    metadata, settings = provider.metadata(), provider.settings
    issuers = request.args.getlist("iss")
    if issuers != [settings.issuer] and (issuers or metadata.names_itself):
        raise NotVouchedError("the answer is another issuer's (RFC 9207)")
    if "error" in request.args:
        raise declined()
    code = _once("code")
    if not code:
        raise lost()
    answer = provider.redeemed(code, journey.verifier, _return_address())
    token = str(answer["id_token"])
    keys = provider.keys_named(key_id_of(token))
    return vouched_by(token, keys, settings, journey.nonce, answer.get("access_token"), current().machine.now())


def _arrive(provider: Provider, account: Account, vouched: Vouched, way: str) -> AnyResponse:
    at = current().machine.now()
    if vouched.strong:
        sealer, settings = current().vault.sealer, provider.settings
        token = _in_transaction(
            lambda work: open_vouched(work, sealer, settings, account.id, vouched.subject, None, at)
        )
        return _let_in(token, way)
    response = redirect(CODE, HTTPStatus.SEE_OTHER)
    _keep(response, Arrived(provider.settings.name, way, str(account.id), vouched.subject, str(plain(at))))
    return response


def _in_transaction(use_case: Callable[[Work], Found | Problem]) -> Found:
    """Run it, commit whatever it says, and only then say no."""
    service = current()
    scope = Scope(tenant_codes())
    found = run(service.engine, scope, service.machine, use_case)
    if isinstance(found, Problem):
        raise found
    return found


def _provider(name: str) -> Provider:
    found: Provider | None = current_app.extensions["console-providers"].get(name)
    if found is None:
        raise not_found("登录方式", "way to sign in")
    return found


def _public_url() -> str:
    found = public_url()
    if found is None:
        raise AwayError(f"the operator has not set {PUBLIC_URL}")
    return found


def _return_address() -> str:
    return f"{_public_url()}{RETURN}"


def _once(name: str) -> str:
    """The parameter, if it was sent once; nothing otherwise."""
    given = request.args.getlist(name)
    return given[0] if len(given) == 1 and len(given[0]) <= _MAX_CHARACTERS else ""


def _cookie() -> str:
    """The cookie's name: a browser takes ``__Host-`` from this host and over TLS only, and sends it nowhere else."""
    return f"__Host-{JOURNEY_COOKIE}" if request.is_secure else JOURNEY_COOKIE


def _carried(kind: type[Carried]) -> Carried | None:
    service = current()
    return opened(service.vault.sealer, kind, request.cookies.get(_cookie(), ""), service.machine.now())


def _keep(response: AnyResponse, carried: Journey | Arrived) -> None:
    keep_cookie(
        response, _cookie(), sealed(current().vault.sealer, carried), seconds=int(LIFE.total_seconds()), path="/"
    )


def _without_journey(response: AnyResponse) -> AnyResponse:
    response.delete_cookie(_cookie(), path="/", secure=request.is_secure, httponly=True, samesite="Lax")
    return response


def _let_in(token: str, way: str) -> AnyResponse:
    response = make_response(redirect(way, HTTPStatus.SEE_OTHER))
    forget_form(response)
    open_visit(response, token)
    return _without_journey(response)


def _code_page(arrived: Arrived, problem: Problem | None = None) -> Response:
    return with_form_cookie(
        lambda form_token: show(
            "sign_in_code.html", HTTPStatus.OK if problem is None else problem.status, problem=problem,
            form_token=form_token, provider=_provider(arrived.provider).settings,
        ),
        problem,
    )  # fmt: skip


def _refused(way: str, problem: Problem, name: str | None) -> AnyResponse:
    """The door again, which says why and goes on taking passwords; the log learns what the person is not told."""
    _log.warning(
        "sign_in.refused",
        provider=name,
        code=problem.code,
        reason=getattr(problem, "reason", None),
        request_id=g.get("request_id"),
    )
    return door_page(way, problem=problem, again=door(way))
