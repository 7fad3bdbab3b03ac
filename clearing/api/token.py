"""OAuth 2.0 client credentials (RFC 6749 §4.4), by authlib; tokens live one hour and are stored as digests."""

from typing import Any, Final

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import (
    ClientMixin,
    InsecureTransportError,
    InvalidClientError,
    InvalidScopeError,
    UnauthorizedClientError,
    scope_to_list,
)
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc6749.requests import OAuth2Request
from flask import Flask, Response, request

from clearing.api.client_assertion import METHOD, ClientAssertion
from clearing.api.frame import current
from tenants.credentials import TOKEN_LIFE, StoredClient, find_client, new_token, secret_fits, store_token
from tenants.instance import is_own, other_instances
from tenants.kernel.errors import Malformed

AUTHENTICATION_METHODS: Final = ("client_secret_basic", "client_secret_post", METHOD)


class _Client(ClientMixin):
    """A stored client as authlib asks about it."""

    def __init__(self, stored: StoredClient) -> None:
        self.stored = stored

    def get_client_id(self) -> str:
        return self.stored.client_id

    def get_allowed_scope(self, scope: str) -> str:
        asked = scope_to_list(scope) or self.stored.scopes
        return " ".join(one for one in asked if one in self.stored.scopes)

    def check_client_secret(self, client_secret: str) -> bool:
        _require_own(client_secret)
        return secret_fits(self.stored, client_secret)

    def check_endpoint_auth_method(self, method: str, _endpoint: str) -> bool:
        return method in AUTHENTICATION_METHODS

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "client_credentials"


class _Grant(ClientCredentialsGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = AUTHENTICATION_METHODS

    def validate_token_request(self) -> None:
        super().validate_token_request()
        if not all(terms.lets_in(request.remote_addr) for terms in self.client.stored.terms):
            raise UnauthorizedClientError(description=f"This client may not call from {request.remote_addr}.")
        scope = self.request.payload.scope
        if scope and not self.client.get_allowed_scope(scope):
            raise InvalidScopeError


def _find(client_id: str) -> _Client:
    """The client; where there is none, one whose secret nobody knows, so that the answer does not tell.

    A credential of the other kind of instance is refused before anything is looked up.
    """
    _require_own(client_id)
    with current().engine.connect() as connection:
        stored = None if "\0" in client_id else find_client(connection, client_id)
    return _Client(stored or StoredClient(client_id, "", ()))


def _require_own(credential: str) -> None:
    sandbox = current().settings.sandbox
    if not is_own(credential, sandbox=sandbox):
        said = other_instances("client.other_instance", sandbox=sandbox)
        text = f"{said.code}: {said.text.en}"  # OAuth's characters have no Chinese among them
        raise InvalidClientError(description=text, status_code=said.status)


def _save(token: dict[str, Any], asked: OAuth2Request) -> None:
    service = current()
    scopes = tuple(scope_to_list(token["scope"]))
    with service.engine.begin() as connection:
        store_token(connection, token["access_token"], asked.client.get_client_id(), scopes, service.machine.now())


def _generate(grant_type: str, client: _Client, scope: str | None = None, **_: Any) -> dict[str, Any]:  # noqa: ANN401
    if grant_type != ClientCredentialsGrant.GRANT_TYPE:
        raise ValueError(f"no token is made for {grant_type}")
    return {
        "token_type": "Bearer",
        "access_token": new_token(sandbox=current().settings.sandbox),
        "expires_in": int(TOKEN_LIFE.total_seconds()),
        "scope": client.get_allowed_scope(scope or ""),
    }


def serve_tokens(app: Flask) -> None:
    """Add ``POST /oauth/token``."""
    server = AuthorizationServer(app, query_client=_find, save_token=_save)
    server.register_client_auth_method(METHOD, ClientAssertion())
    server.register_grant(_Grant)
    server.register_token_generator("default", _generate)

    def issue() -> Response:
        try:
            response: Response = server.create_token_response()
        except InsecureTransportError:  # raised before authlib answers for its errors
            raise Malformed(
                "transport.insecure", "请使用 https。", "Use https; behind a proxy, let it say so."
            ) from None
        return response

    app.add_url_rule("/oauth/token", "issue_token", issue, methods=["POST"])
