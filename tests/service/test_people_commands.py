"""``clearing user``: what the operator does with people's accounts beside the database."""

import json
from typing import Any

from tests.service.running import RunningService

PROPOSALS = "/v1/tenants/jiangsu/account-proposals"


def accounts(service: RunningService) -> dict[str, dict[str, Any]]:
    return {one["login"]: one for one in json.loads(service.run("user", "list", "--json").stdout)["items"]}


def created(service: RunningService, login: str) -> dict[str, Any]:
    words = ("--person", f"p-{login}", "--name", f"{login}·某", "--tenant", "jiangsu", "--role", "auditor", "--json")
    made: dict[str, Any] = json.loads(service.run("user", "create", login, *words).stdout)
    return made


def opens(service: RunningService, link: str) -> bool:
    """Whether the link still leads to the page on which its person enrols."""
    passed_on = service.api.get(link)
    cookie = passed_on.headers["Set-Cookie"].partition(";")[0]
    return "data-secret>" in service.api.get("/console/invitation", Cookie=cookie).body.decode()


def test_an_account_is_made_changed_reset_and_revoked_by_commands(service: RunningService) -> None:
    first = created(service, "made-here")
    assert opens(service, first["invitation"])
    service.run("user", "roles", "made-here", "--role", "center_reviewer", "--role", "auditor", "--reason", "轮岗")
    assert sorted(accounts(service)["made-here"]["roles"]) == ["auditor", "center_reviewer"]
    again = service.run("user", "reset", "made-here")
    assert "开户口令" not in again.stderr
    assert not opens(service, first["invitation"])
    assert "已吊销 made-here" in service.run("user", "revoke", "made-here").stdout
    assert accounts(service)["made-here"]["revoked_at"]
    for words in (("revoke",), ("reset",), ("roles", "--role", "auditor", "--reason", "试")):
        refused = service.run("user", words[0], "made-here", *words[1:], check=False)
        assert refused.returncode == 1
        assert "made-here" in refused.stderr


def test_what_an_administrator_proposed_is_approved_by_a_command_that_says_who_has_the_code(
    service: RunningService,
) -> None:
    administrator = service.staff("chen", "policies:write", tenants=("jiangsu",))
    for login in ("for-people", "for-programs"):
        wish = {
            "kind": "account", "login": login, "person": f"p-{login}", "name": "某某", "roles": ["auditor"],
            "reason": "到岗",
        }  # fmt: skip
        assert administrator.post(PROPOSALS, wish, Idempotency_Key=login).status == 201
    listed = json.loads(service.run("user", "proposals", "--tenant", "jiangsu", "--json").stdout)["items"]
    ids = {one["login"]: one["id"] for one in listed}
    told = service.run("user", "approve", ids["for-people"], "--tenant", "jiangsu")
    assert "/console/invitation/" in told.stdout
    assert "由提出人 chen 告知" in told.stderr
    assert "chen, who proposed it, tells them" in told.stderr
    shown = json.loads(service.run("user", "approve", ids["for-programs"], "--tenant", "jiangsu", "--json").stdout)
    assert shown["opening_code_with"] == "chen"
    twice = service.run("user", "approve", ids["for-people"], "--tenant", "jiangsu", check=False)
    assert twice.returncode == 2
    assert "已由 operator 决定" in twice.stderr
    assert {"for-people", "for-programs"} <= accounts(service).keys()


def test_a_role_or_tenant_that_there_is_not_is_named_with_those_that_there_are(service: RunningService) -> None:
    words = ("--person", "p", "--name", "n")
    for more, named in (
        (("--tenant", "atlantis", "--role", "auditor"), "jiangsu"),
        (("--tenant", "jiangsu", "--role", "king"), "finance_maker"),
    ):
        refused = service.run("user", "create", "nobody", *words, *more, check=False)
        assert refused.returncode == 2
        assert named in refused.stderr
    assert "nobody" not in accounts(service)


def test_the_code_of_a_secret_is_six_digits_and_a_secret_that_is_none_is_refused(service: RunningService) -> None:
    shown = service.run("user", "code", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP").stdout.strip()
    assert (len(shown), shown.isdecimal()) == (6, True)
    for secret in ("1!", "JBSWY3DPEHPK3PXP"):
        refused = service.run("user", "code", secret, check=False)
        assert refused.returncode == 2
        assert "base32 of at least 112 bits" in refused.stderr
