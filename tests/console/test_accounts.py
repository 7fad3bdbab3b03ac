"""People of a region: who may take what from whom, and that nobody gives rights or acts on an account of their own."""

import threading
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError
from werkzeug.test import TestResponse

from clearing.people import change_roles, dismiss, reset
from tenants.accounts import FAILURES_BEFORE_PAUSE
from tenants.kernel.errors import Conflict
from tenants.passwords import STEP_SECONDS
from tests.console.enrolling import CHOSEN, enrolled
from tests.console.world import PASSWORD, Visitor, World, form_token, plain

PLACE = "/console/accounts/jiangsu"


@pytest.fixture
def admin(world: World) -> Visitor:
    return world.visitor("tenant-admin")


def send(admin: Visitor, login: str, act: str, **form: Any) -> TestResponse:
    return admin.send(PLACE, f"{PLACE}/{login}/{act}", **form, **admin.proof())


def roles_of(world: World, login: str) -> list[str]:
    with world.service.engine.connect() as connection:
        row = connection.exec_driver_sql("select roles from console_account where login = %s", (login,)).one()
    return list(row.roles)


def test_an_administrator_takes_a_role_and_the_person_has_it_no_more_at_once(world: World, admin: Visitor) -> None:
    world.invite("two-hats", "auditor", "center_reviewer")
    person = world.visitor("two-hats")
    assert person.browser.get("/console/queue").status_code != 403
    answer = send(admin, "two-hats", "roles", roles=["auditor"], reason="换岗")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{PLACE}?done=roles-taken")
    assert person.browser.get("/console/queue").status_code == 403
    assert roles_of(world, "two-hats") == ["auditor"]


def test_an_administrator_gives_no_role(world: World, admin: Visitor) -> None:
    world.invite("one-hat", "auditor", "center_reviewer")
    answer = send(admin, "one-hat", "roles", roles=["auditor", "finance_releaser"], reason="试")
    assert (answer.status_code, "一位管理员只能收回角色" in answer.get_data(as_text=True)) == (403, True)
    assert roles_of(world, "one-hat") == ["auditor", "center_reviewer"]
    for wrong in ([], ["king"]):
        assert send(admin, "one-hat", "roles", roles=wrong, reason="试").status_code == 422


def test_without_password_and_code_nothing_is_done(world: World, admin: Visitor) -> None:
    world.invite("proved", "auditor", "center_reviewer")
    for act in ("revoke", "roles"):
        form = {"form_token": form_token(admin.see(PLACE)), "roles": "auditor", "reason": "试"}
        wrong = {"password": "wrong password 12", "code": "000000"}
        assert admin.browser.post(f"{PLACE}/proved/{act}", data=form | wrong).status_code == 403
    assert roles_of(world, "proved") == ["auditor", "center_reviewer"]
    world.visitor("proved")


def test_a_revoked_person_is_out_at_once_with_every_session_ended(world: World, admin: Visitor) -> None:
    world.invite("dismissed", "auditor")
    first, second = world.visitor("dismissed"), world.visitor("dismissed")
    assert send(admin, "dismissed", "revoke", reason="").status_code == 422
    answer = send(admin, "dismissed", "revoke", reason="离职")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{PLACE}?done=account-revoked")
    assert [one.browser.get("/console").status_code for one in (first, second)] == [303, 303]
    with world.service.engine.connect() as connection:
        assert not connection.exec_driver_sql(
            "select 1 from console_session s join console_account a on a.id = s.account_id "
            "where a.login = 'dismissed' and s.ended_at is null"
        ).first()
    assert "已吊销" in plain(admin.see(PLACE))


def test_nobody_acts_on_an_account_of_their_own_by_whichever_name(world: World, admin: Visitor) -> None:
    world.invite("other-name", "auditor", "center_reviewer", person="p-tenant-admin")
    page = admin.see(PLACE)
    for login in ("tenant-admin", "other-name"):
        assert f"{PLACE}/{login}/revoke" not in page, "it is not offered"
        for act in ("revoke", "roles", "unlock"):
            token = form_token(page)
            form = {"form_token": token, "reason": "试", "roles": ["auditor"], **admin.proof()}
            answer = admin.browser.post(f"{PLACE}/{login}/{act}", data=form)
            assert (answer.status_code, "不能改动自己" in answer.get_data(as_text=True)) == (403, True), act
    assert roles_of(world, "other-name") == ["auditor", "center_reviewer"]
    for roles, refused in (("{auditor}", "roles_by_another"), ("{finance_releaser}", "nobody gives rights alone")):
        with world.service.engine.connect() as connection, pytest.raises(DBAPIError, match=refused):
            connection.exec_driver_sql(
                "update console_account set roles = %s, roles_set_by = person where login = 'other-name'", (roles,)
            )


def test_an_account_that_serves_other_regions_too_is_the_operators(world: World) -> None:
    world.invite("jiangsu-admin", "tenant_admin", tenants=("jiangsu",))
    world.invite("of-both", "auditor")
    local = world.visitor("jiangsu-admin")
    answer = send(local, "of-both", "revoke", reason="试")
    assert (answer.status_code, "还服务其他区域" in answer.get_data(as_text=True)) == (403, True)
    world.visitor("of-both")


def test_a_foreign_account_is_like_an_absent_one(world: World) -> None:
    world.invite("jiangsu-admin", "tenant_admin", tenants=("jiangsu",))
    world.invite("of-wujiang", "auditor", tenants=("wujiang",))
    local = world.visitor("jiangsu-admin")
    assert "of-wujiang" not in local.see(PLACE)
    for path in ("accounts/jiangsu/of-wujiang", "accounts/jiangsu/absent", "accounts/wujiang/of-wujiang"):
        form = {"form_token": form_token(local.see("/console")), "reason": "试"}
        assert local.browser.post(f"/console/{path}/revoke", data=form | local.proof()).status_code == 404


def test_a_closed_door_is_opened_by_an_administrator(world: World, admin: Visitor) -> None:
    world.invite("locked-out", "auditor")
    for _ in range(FAILURES_BEFORE_PAUSE):
        world.knock(world.app.test_client(), "locked-out", "wrong password 12", "000000")
    world.wait(STEP_SECONDS)
    assert world.knock(world.app.test_client(), "locked-out").status_code == 401
    assert "登录锁定" in plain(admin.see(PLACE))
    assert send(admin, "locked-out", "unlock").status_code == 303
    world.wait(STEP_SECONDS)
    assert world.knock(world.app.test_client(), "locked-out").status_code == 303


def test_a_region_keeps_an_administrator_even_when_two_revoke_each_other(world: World) -> None:
    pair = ("qingpu-a", "qingpu-b")
    for login in pair:
        world.invite(login, "tenant_admin", "auditor", tenants=("qingpu",))
    visitors = [world.visitor(login) for login in pair]
    place = "/console/accounts/qingpu"
    forms = [{"form_token": form_token(one.see(place)), "reason": "试"} for one in visitors]
    world.wait(STEP_SECONDS)
    for one, form in zip(visitors, forms, strict=True):
        form |= {"password": PASSWORD, "code": world.code(one.login)}
    answers: list[int] = []

    def strike(number: int) -> None:
        path = f"{place}/{pair[1 - number]}/revoke"
        answers.append(visitors[number].browser.post(path, data=forms[number]).status_code)

    threads = [threading.Thread(target=strike, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) in ([303, 303], [303, 403], [303, 404], [303, 409]), answers
    with world.service.engine.connect() as connection:
        left = connection.exec_driver_sql(
            "select login from console_account where 'qingpu' = any(tenants) and 'tenant_admin' = any(roles) "
            "and revoked_at is null"
        ).scalars().all()  # fmt: skip
    assert len(left) == 1
    with pytest.raises(Conflict):
        dismiss(world.service, left[0])
    with pytest.raises(Conflict):
        change_roles(world.service, left[0], ["auditor"], "试")


def test_the_operator_gives_roles_and_new_proofs_at_the_command_line(world: World) -> None:
    world.invite("promoted", "auditor")
    person = world.visitor("promoted")
    assert person.browser.get("/console/queue").status_code == 403
    assert change_roles(world.service, "promoted", ["auditor", "center_reviewer"], "兼任")
    assert person.browser.get("/console/queue").status_code != 403
    issued = reset(world.service, "promoted")
    assert issued is not None
    assert person.browser.get("/console").status_code == 303
    world.wait(STEP_SECONDS)
    assert world.knock(world.app.test_client(), "promoted").status_code == 401
    assert enrolled(world, "promoted", issued.link(None)).see("/console")
    world.wait(STEP_SECONDS)
    assert world.knock(world.app.test_client(), "promoted", CHOSEN).status_code == 303
    assert not change_roles(world.service, "absent", ["auditor"], "试")
    assert reset(world.service, "absent") is None


def test_the_interface_shows_nothing_of_passwords_and_refuses_alike(world: World) -> None:
    world.invite("over-http", "auditor", "center_reviewer")
    call = world.story.call
    listed = call("administrator", "GET", "/v1/tenants/jiangsu/accounts?limit=500").get_json()["items"]
    one = next(each for each in listed if each["login"] == "over-http")
    assert set(one) == {
        "login", "person", "display_name", "tenants", "roles", "created_at", "changed_at", "revoked_at", "closed_until",
        "open_sessions",
    }  # fmt: skip
    place = "/v1/tenants/jiangsu/accounts/over-http"
    body = {"roles": ["auditor"], "reason": "换岗"}
    assert call("administrator", "POST", f"{place}/roles", body).get_json()["roles"] == ["auditor"]
    assert call("administrator", "POST", f"{place}/revoke", {"reason": "离职"}).get_json()["revoked_at"]


def test_a_script_in_a_reason_or_a_name_runs_nowhere(world: World, admin: Visitor) -> None:
    world.invite("scripted", "auditor", person="<script>alert(1)</script>")
    answer = send(admin, "scripted", "revoke", reason="<script>alert(2)</script>" * 60)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert "<script>alert" not in page
    kept = [part for part in page.split("<form")[1:] if "&lt;script&gt;alert(2)" in part]
    assert len(kept) == 1, "what was typed is kept, in the form where it was typed"
    assert f'action="{PLACE}/scripted/revoke"' in kept[0]
