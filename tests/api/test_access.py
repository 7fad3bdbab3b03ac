"""Who may call what: tokens, scopes, tenants, and revocation within two seconds."""

import re
from datetime import timedelta
from typing import Any

import pytest

from clearing.api.frame import PRINCIPAL_CACHE_LIFE, PRINCIPAL_CACHE_SIZE, TokenCache
from tenants.credentials import TOKEN_LIFE
from tests.api.door import Door, code
from tests.intake.bodies import WUJIANG, claim

OPEN = re.compile(
    r"/oauth/token|/healthz|/readyz|/metrics|/\.well-known/.*|/notices.*|/docs.*|/v1/openapi.json"
    r"|/v1/payouts/verification|/console.*"
)
"""What anybody may call, and the console, which has a door of its own; everything else needs a token."""
ABSENT = "01900000-0000-7000-8000-000000000000"


def every_call(door: Door) -> list[tuple[str, str]]:
    """Method and path of every route that needs a token, with values filled in."""
    calls = []
    for rule in door.app.url_map.iter_rules():
        if OPEN.fullmatch(rule.rule):
            continue
        path = re.sub(r"<uuid:[a-z_]+>", ABSENT, rule.rule)
        path = re.sub(r"<int[^>]*>", "2024", path).replace("<tenant>", "jiangsu").replace("<scheme>", "provincial")
        path = re.sub(r"<(path:)?[a-z_]+>", "x", path)
        calls += [(method, path) for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})]
    return calls


def test_every_call_without_a_token_is_refused_before_anything_else_is_said(door: Door) -> None:
    calls = every_call(door)
    assert len(calls) > 30
    for method, path in calls:
        for how in ({}, {"data": b"{", "content_type": "application/json"}, {"query_string": "limit=x&unknown=1"}):
            answer = door.app.test_client().open(path, method=method, **how)
            assert code(answer) == (401, "token.missing"), (method, path)
            assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_no_call_is_open_to_a_client_whose_only_scope_is_another(door: Door) -> None:
    caller = door.hire("support:write")
    others = [(m, path) for m, path in every_call(door) if "/support-records" not in path and path != "/v1/forms"]
    refused = {path: caller.call(method, path) for method, path in others}
    assert {path: code(answer) for path, answer in refused.items() if code(answer) != (403, "scope.missing")} == {}


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Bearer  ", "Basic abc", "bearer", "Bearer a b", "Bearer \xe9", "Bearer " + "x" * 5000],
)
def test_what_is_no_token_of_ours_opens_nothing(door: Door, header: str) -> None:
    answer = door.app.test_client().get("/v1/claims", headers={"Authorization": header})
    assert answer.status_code == 401


def test_the_name_of_the_scheme_is_read_in_any_case(door: Door) -> None:
    token = door.hire("claims:read").token
    for scheme in ("Bearer", "bearer", "BEARER"):
        answer = door.app.test_client().get("/v1/claims", headers={"Authorization": f"{scheme} {token}"})
        assert answer.status_code == 200


def test_a_revoked_client_is_out_within_two_seconds_and_at_once_where_it_was_not_seen(door: Door) -> None:
    seen, unseen = door.hire("claims:read"), door.hire("claims:read")
    assert seen.get("/v1/claims").status_code == 200
    for caller in (seen, unseen):
        door.fire(caller)
    assert timedelta(seconds=2) >= PRINCIPAL_CACHE_LIFE
    assert code(unseen.get("/v1/claims")) == (401, "token.invalid")
    assert door.ask_token(seen.client).status_code == 401
    door.clock.move_to(door.clock.now() + PRINCIPAL_CACHE_LIFE)
    assert code(seen.get("/v1/claims")) == (401, "token.invalid")


def test_calling_on_does_not_keep_a_revoked_token_alive(door: Door) -> None:
    caller = door.hire("claims:read")
    caller.get("/v1/claims")
    door.fire(caller)
    statuses = []
    for _ in range(3):
        door.clock.move_to(door.clock.now() + PRINCIPAL_CACHE_LIFE / 3)
        statuses.append(caller.get("/v1/claims").status_code)
    assert statuses == [200, 200, 401]


def test_a_token_lives_one_hour_and_not_a_moment_longer(door: Door) -> None:
    caller = door.hire("claims:read")
    door.clock.move_to(door.clock.now() + TOKEN_LIFE - timedelta(microseconds=1))
    assert caller.get("/v1/claims").status_code == 200
    door.clock.move_to(door.clock.now() + timedelta(microseconds=1))
    assert code(caller.get("/v1/claims")) == (401, "token.invalid")


def test_the_cache_of_tokens_does_not_grow_without_bound(door: Door) -> None:
    cache = TokenCache(door.service)
    caller = door.hire("claims:read")
    principal = cache.find(caller.token)
    assert principal is not None
    for number in range(PRINCIPAL_CACHE_SIZE + 50):
        cache._known[f"other-{number}"] = (door.clock.now(), principal)
    door.clock.move_to(door.clock.now() + PRINCIPAL_CACHE_LIFE)
    assert cache.find(caller.token) == principal
    assert cache.find("unheard-of") is None
    assert len(cache._known) == PRINCIPAL_CACHE_SIZE


def test_another_tenants_paths_are_as_absent_ones(door: Door) -> None:
    caller = door.hire("claims:read", "policies:write", tenants=("wujiang",))
    for path in ("schemes/provincial/policies", "schemes/provincial/budgets/2024", "linked-regions/2024"):
        foreign = caller.get(f"/v1/tenants/jiangsu/{path}")
        absent = caller.get(f"/v1/tenants/nowhere/{path}")
        assert code(foreign) == (404, "not_found")
        assert foreign.data == absent.data
    assert caller.put("/v1/tenants/jiangsu/schemes/provincial/budgets/2033", json={"amount": "1.00"}).status_code == 404


def test_another_tenants_and_another_platforms_claims_are_as_absent_ones(door: Door) -> None:
    stored = door.platform().post("/v1/claims", json=claim()).get_json()
    strangers = [
        door.hire("claims:read", "claims:write", "reviews:write", tenants=("wujiang",)),
        door.platform("delta", ("jiangsu",)),
    ]
    for stranger in strangers:
        for path in ("", "/trace", "/history"):
            foreign = stranger.get(f"/v1/claims/{stored['id']}{path}")
            absent = stranger.get(f"/v1/claims/{ABSENT}{path}")
            assert foreign.status_code == absent.status_code == 404
            assert foreign.data == absent.data
        assert stranger.post(f"/v1/claims/{stored['id']}/withdraw").status_code == 404
        assert stranger.get(f"/v1/claims?claim_no={stored['claim_no']}").get_json()["items"] == []


def test_a_platform_cannot_submit_for_a_tenant_that_it_does_not_speak_for(door: Door) -> None:
    caller = door.platform()
    refusals = []
    for tenant in ("wujiang", "nowhere"):
        answer = caller.post("/v1/claims", json=claim(WUJIANG, tenant=tenant))
        assert answer.status_code == 422
        refusals.append(answer.get_json())
    assert refusals[0] == refusals[1]
    assert [error["pointer"] for error in refusals[0]["errors"]] == ["/tenant"]
    assert code(door.hire("claims:write").post("/v1/claims", json=claim())) == (403, "platform.missing")


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": ""}, "unsupported_grant_type"),
        ({"scope": "clearing:operate"}, "invalid_scope"),
        ({"scope": "nonsense"}, "invalid_scope"),
    ],
)
def test_a_token_that_cannot_be_had_is_refused_in_the_words_of_oauth(
    door: Door, form: dict[str, str], problem: str
) -> None:
    answer = door.ask_token(door.new_client("claims:read"), **form)
    assert (answer.status_code, answer.get_json()["error"]) == (400, problem)


def test_a_narrower_token_may_do_less(door: Door) -> None:
    client = door.new_client("claims:read", "policies:write")
    answer = door.ask_token(client, scope="policies:write claims:import").get_json()
    assert answer["scope"] == "policies:write"
    assert answer["expires_in"] == 3600
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    assert door.app.test_client().get("/v1/claims", headers=headers).status_code == 403


@pytest.mark.parametrize("client_id", ["nobody", "", "a\0b", "'; drop table client; --", "客户", "x" * 10_000])
def test_unknown_clients_and_wrong_secrets_are_told_the_same(door: Door, client_id: str) -> None:
    known = door.new_client("claims:read")
    wrong = door.ask_token(type(known)(known.client_id, known.client_secret + "x"))
    unknown = door.ask_token(type(known)(client_id, known.client_secret))
    assert wrong.status_code == 401
    assert (unknown.status_code, unknown.get_json()) == (wrong.status_code, wrong.get_json())


def test_a_secret_in_the_address_opens_nothing(door: Door) -> None:
    client = door.new_client("claims:read")
    query: dict[str, Any] = {"client_id": client.client_id, "client_secret": client.client_secret}
    answer = door.app.test_client().post("/oauth/token", query_string=query, data={"grant_type": "client_credentials"})
    assert answer.status_code in {400, 401}
    assert door.app.test_client().get("/oauth/token", query_string=query).status_code == 405
