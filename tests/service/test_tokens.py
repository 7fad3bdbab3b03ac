"""Tokens over HTTP: RFC 6749 client credentials."""

import time

from clearing.api.frame import PRINCIPAL_CACHE_LIFE
from tests.service.running import Api, RunningService


def test_a_token_lives_one_hour_and_names_its_scopes(jssic: Api) -> None:
    answer = jssic.ask_token()
    assert answer.status == 200
    assert answer.json["token_type"] == "Bearer"
    assert answer.json["expires_in"] == 3600
    assert answer.json["scope"] == "claims:write claims:read support:write"
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_token_can_be_asked_for_fewer_scopes_and_never_more(service: RunningService, jssic: Api) -> None:
    narrow = Api(service.address, jssic.client_id, jssic.client_secret, scope="claims:read clearing:operate")
    assert narrow.ask_token().json["scope"] == "claims:read"
    refused = narrow.post("/v1/claims", {})
    assert (refused.status, refused.code) == (403, "scope.missing")


def test_a_wrong_secret_and_an_unknown_client_get_the_same_answer(service: RunningService, jssic: Api) -> None:
    wrong = jssic.ask_token(secret="guessed")
    unknown = Api(service.address, "jssic-000000000000", "guessed").ask_token()
    assert wrong.status == unknown.status == 401
    assert wrong.json["error"] == unknown.json["error"] == "invalid_client"


def test_another_grant_is_refused(jssic: Api) -> None:
    answer = jssic.ask_token(grant_type="password", username="a", password="b")
    assert answer.status == 400
    assert answer.json["error"] == "unsupported_grant_type"


def test_a_call_without_token_says_how_to_get_one(service: RunningService) -> None:
    answer = service.api.get("/v1/claims")
    assert (answer.status, answer.code) == (401, "token.missing")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_an_invented_token_is_refused(service: RunningService) -> None:
    answer = service.api.get("/v1/claims", Authorization="Bearer invented")
    assert (answer.status, answer.code) == (401, "token.invalid")


def test_a_revoked_client_is_refused_within_seconds(service: RunningService) -> None:
    platform = service.platform("jssic")
    assert platform.get("/v1/claims").status == 200
    service.run("client", "revoke", str(platform.client_id))
    time.sleep(PRINCIPAL_CACHE_LIFE.total_seconds() + 0.1)
    assert platform.get("/v1/claims").code == "token.invalid"
    assert platform.ask_token().status == 401


def test_a_client_speaks_only_for_the_tenants_it_was_made_for(service: RunningService) -> None:
    reader = service.staff("maker-wang", "batches:write", tenants=("qingpu",))
    own = reader.get("/v1/tenants/qingpu/batches")
    other = reader.get("/v1/tenants/jiangsu/batches")
    absent = reader.get("/v1/tenants/atlantis/batches")
    assert own.status == 200
    assert other.status == absent.status == 404
    assert other.body == absent.body


def test_a_real_instance_takes_no_credential_of_a_sandbox_and_looks_none_up(
    service: RunningService, jssic: Api
) -> None:
    for client_id, secret in ((f"test_{jssic.client_id}", jssic.client_secret), (jssic.client_id, "test_guessed")):
        refused = Api(service.address, client_id, secret).ask_token()
        assert (refused.status, refused.json["error"]) == (401, "invalid_client")
        assert refused.json["error_description"].startswith("client.other_instance: ")
    answer = Api(service.address, "x", token="test_x").get("/v1/claims", Accept_Language="en")
    assert (answer.status, answer.code) == (401, "token.other_instance")
    assert "no sandbox" in answer.json["detail"]
    assert answer.headers["Clearing-Environment"] == "real"
