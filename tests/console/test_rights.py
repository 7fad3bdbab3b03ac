"""The console opens to a role exactly what the interface opens to its scopes."""

import re
from typing import Any

import pytest

from clearing.console.batch import OPERATIONS
from tenants.principal import ROLES, SCOPES, scopes_of
from tests.console.world import TENANTS, Visitor, World, form_token
from tests.scenarios.test_access_matrix import MATRIX

ABSENT = "01900000-0000-7000-8000-000000000000"
DOOR = re.compile(r"/console/(instruction|invitation(/.*)?|sign-in(/.*)?|sign-out|language/.*|static/.*)")
"""What needs no session, or only ends one."""


def screens(world: World) -> list[tuple[str, str, tuple[str, ...]]]:
    """Method, path and operations of every screen behind the door."""
    found = []
    for rule in world.app.url_map.iter_rules():
        if not rule.rule.startswith("/console") or DOOR.fullmatch(rule.rule):
            continue
        view: Any = world.app.view_functions[rule.endpoint]
        path = re.sub(r"<uuid:[a-z_]+>", ABSENT, rule.rule).replace("<tenant>", "jiangsu")
        path = re.sub(r"<any\(([a-z]+).*?>", r"\1", path)
        path = re.sub(r"<(path:)?[a-z_]+>", "x", re.sub(r"<int[^>]*>", "2024", path))
        step = path.rpartition("/")[2]
        extra = (OPERATIONS[step],) if rule.rule.endswith(":step>") else ()
        found += [
            (method, path, view.operations + extra) for method in sorted((rule.methods or set()) & {"GET", "POST"})
        ]
    return found


def scopes_behind(world: World, operation: str) -> set[str]:
    """The scopes that the access matrix of the interface gives the operation."""
    rule = next(rule for rule in world.app.url_map.iter_rules() if rule.endpoint == operation)
    path = re.sub(r"<(?:[a-z]+(?:\([^)]*\))?:)?([a-z_]+)>", r"{\1}", rule.rule)
    methods = (rule.methods or set()) - {"HEAD", "OPTIONS"}
    assert len(methods) == 1, operation
    return MATRIX[methods.pop().lower(), path]


def test_roles_hold_scopes_of_the_interface_and_every_scope_of_people_has_a_role() -> None:
    assert scopes_of(ROLES) <= set(SCOPES)
    assert set(SCOPES) - scopes_of(ROLES) == {"claims:write", "claims:import", "support:write"}, "platforms only"


def test_makers_and_checkers_are_different_roles() -> None:
    for maker, checker in (("policies:write", "policies:approve"), ("batches:write", "batches:release")):
        assert not any({maker, checker} <= set(scopes) for scopes in ROLES.values())


def test_every_screen_behind_the_door_names_what_it_does(world: World) -> None:
    known = screens(world)
    assert len(known) > 15
    for _, path, operations in known:
        assert operations or path.startswith(("/console/account", "/console/x")), path


@pytest.mark.parametrize("role", ROLES)
def test_a_role_sees_a_screen_exactly_where_the_interface_lets_its_scopes(world: World, role: str) -> None:
    visitor = world.visitor(role.replace("_", "-"))
    token = form_token(visitor.see("/console"))
    for method, path, operations in screens(world):
        allowed = all(scopes_behind(world, operation) & set(ROLES[role]) for operation in operations)
        answer = visitor.browser.open(path, method=method, data={"form_token": token} if method == "POST" else None)
        refused = answer.status_code == 403 and "您的角色没有进行此操作的权限" in answer.get_data(as_text=True)
        assert refused is not allowed, (role, method, path, answer.status_code)
        assert answer.status_code < 500, (role, method, path)


def test_nobody_sees_a_screen_without_a_session(world: World) -> None:
    for method, path, _ in screens(world):
        answer = world.app.test_client().open(path, method=method)
        assert answer.status_code == 303, path
        assert answer.headers["Location"].startswith("/console/sign-in")


def absent(visitor: Visitor, path: str) -> bytes:
    answer = visitor.browser.get(path)
    assert answer.status_code == 404, path
    return re.sub(rb"(/|%2F)[0-9a-f-]{36}|<code>[0-9a-f-]{36}</code>", b"", answer.data)


def test_what_is_foreign_looks_like_what_is_absent(world: World) -> None:
    claim = world.one_in_review()
    batch = world.story.cut("jiangsu", "provincial", "cross_redemption")
    stranger = world.visitor("stranger")
    assert absent(stranger, f"/console/claims/{claim['id']}") == absent(stranger, f"/console/claims/{ABSENT}")
    for path in ("", "/cut", f"/{batch['id']}", f"/{batch['id']}/seal"):
        for tenant in ("jiangsu", "atlantis"):
            assert stranger.browser.get(f"/console/batches/{tenant}{path}").status_code == 404
    assert absent(stranger, f"/console/batches/shanxi-hainan/{batch['id']}")
    assert claim["claim_no"] not in stranger.see(f"/console/claims?claim_no={claim['claim_no']}").split("</form>")[-1]
    assert TENANTS[0] not in stranger.see("/console/batches").split("<main")[1]
    world.story.step("maker", "jiangsu", batch, "cancel")
