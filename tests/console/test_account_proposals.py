"""Rights under four eyes: proposed by one, approved by another, and the person alone knows what opens the account."""

import re
import threading
from datetime import timedelta
from html import unescape
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError
from werkzeug.test import TestResponse

from clearing.api.limits import Window
from clearing.console.sign_in import TRIES_PER_WINDOW
from clearing.people import approve_proposal, dismiss, list_proposals, open_account
from tenants.invitations import INVITATION_LIFE
from tenants.kernel.database import Scope, transaction
from tenants.kernel.errors import Conflict
from tenants.passwords import STEP_SECONDS, code_at
from tests.console.enrolling import CHOSEN, enrolled, open_link, send, shown_secret
from tests.console.world import PASSWORD, Visitor, World, form_token, plain

PLACE = "/console/accounts/jiangsu/proposals"
API = "/v1/tenants/jiangsu/account-proposals"


@pytest.fixture
def admin(world: World) -> Visitor:
    return world.visitor("tenant-admin")


@pytest.fixture
def other(world: World) -> Visitor:
    world.invite("second-admin", "tenant_admin")
    return world.visitor("second-admin")


def wish(login: str, *roles: str, **more: Any) -> dict[str, Any]:
    return {
        "kind": "account", "login": login, "person": f"p-{login}", "name": f"{login}·某某",
        "roles": list(roles) or ["auditor"], "reason": "到岗", **more,
    }  # fmt: skip


def propose(admin: Visitor, form: dict[str, Any]) -> TestResponse:
    return admin.send(f"{PLACE}/new?kind={form['kind']}", f"{PLACE}/new", **form, **admin.proof())


def proposed(world: World, login: str) -> UUID:
    return next(one.id for one in list_proposals(world.service, "jiangsu") if one.login == login)


def decide(visitor: Visitor, proposal: UUID, step: str, **form: str) -> TestResponse:
    token = form_token(visitor.see(PLACE))
    proof = visitor.proof() if step == "approve" else {}
    return visitor.browser.post(f"{PLACE}/{proposal}/{step}", data={"form_token": token, **form, **proof})


def link_in(answer: TestResponse) -> str:
    found = re.search(r"data-once>([^<]+)<", answer.get_data(as_text=True))
    assert found, plain(answer.get_data(as_text=True))
    return unescape(found[1])


def opened(world: World, admin: Visitor, other: Visitor, login: str, *roles: str) -> str:
    """The link of an account that was proposed by one and approved by the other."""
    assert propose(admin, wish(login, *roles)).status_code == 303
    answer = decide(other, proposed(world, login), "approve")
    assert answer.status_code == 200
    return link_in(answer)


def roles_of(world: World, login: str) -> list[str]:
    with world.service.engine.connect() as connection:
        found = connection.exec_driver_sql("select roles from console_account where login = %s", (login,))
        return sorted(found.scalar_one_or_none() or ())


def test_one_proposes_another_approves_and_the_person_sets_what_opens_it(
    world: World, admin: Visitor, other: Visitor
) -> None:
    link = opened(world, admin, other, "just-proposed", "auditor", "finance_maker")
    assert link.startswith("http://localhost/console/invitation/")
    assert roles_of(world, "just-proposed") == ["auditor", "finance_maker"]
    assert link.rpartition("/")[2] not in other.see(PLACE), "it is shown once"
    person = enrolled(world, "just-proposed", link)
    assert "账号已启用" in plain(person.see("/console?done=enrolled"))
    world.wait(STEP_SECONDS)
    assert world.knock(world.app.test_client(), "just-proposed", CHOSEN).status_code == 303
    with world.service.engine.connect() as connection:
        stored = connection.exec_driver_sql(
            "select tenants, roles_set_by from console_account where login='just-proposed'"
        )
        assert tuple(stored.one()) == (["jiangsu"], "p-second-admin")


def opening_code_in(page: str, login: str) -> str | None:
    found = re.search(rf'data-opening-code="{login}">([A-Z2-9-]+)<', page)
    return None if found is None else found[1]


def test_who_approves_holds_the_link_and_who_proposed_the_code_and_neither_enrols_alone(
    world: World, admin: Visitor, other: Visitor
) -> None:
    assert propose(admin, wish("of-two")).status_code == 303
    code = opening_code_in(admin.see(PLACE), "of-two")
    assert code is not None
    answer = decide(other, proposed(world, "of-two"), "approve")
    assert "p-tenant-admin 另行告知" in plain(answer.get_data(as_text=True))
    assert code not in answer.get_data(as_text=True) + other.see(PLACE) + other.see(f"{PLACE}/export.csv")
    browser, page = open_link(world, link_in(answer))
    assert code not in page
    for typed in ("", code[:-1], "AAAA-AAAA-AAAA-AAAA"):
        refused = send(world, browser, page, opening_code=typed)
        assert (refused.status_code, "开户口令不正确" in plain(refused.get_data(as_text=True))) == (422, True)
    assert opening_code_in(admin.see(PLACE), "of-two") == code, "it may be read again until it was used"
    assert send(world, browser, page, opening_code=code).status_code == 303
    assert opening_code_in(admin.see(PLACE), "of-two") is None


def test_what_is_rejected_or_gives_roles_alone_has_no_code(world: World, admin: Visitor, other: Visitor) -> None:
    assert propose(admin, wish("turned-down")).status_code == 303
    assert decide(other, proposed(world, "turned-down"), "reject", reason="不必").status_code == 303
    further = {"kind": "roles", "login": "auditor", "roles": ["finance_maker"], "reason": "兼任"}
    assert propose(admin, further).status_code == 303
    page = admin.see(PLACE)
    assert (opening_code_in(page, "turned-down"), opening_code_in(page, "auditor")) == (None, None)
    assert decide(other, proposed(world, "auditor"), "reject", reason="不必").status_code == 303


def test_before_it_is_taken_up_nothing_opens_the_account(world: World, admin: Visitor, other: Visitor) -> None:
    opened(world, admin, other, "waiting")
    world.secrets["waiting"] = "A" * 32
    assert world.knock(world.app.test_client(), "waiting").status_code == 401


def test_who_proposed_does_not_approve_by_whichever_name_and_may_take_it_back(
    world: World, admin: Visitor, other: Visitor
) -> None:
    assert propose(admin, wish("alone")).status_code == 303
    proposal = proposed(world, "alone")
    assert f"{proposal}/approve" not in admin.see(PLACE), "it is not offered"
    assert "由您提出" in plain(admin.see(PLACE))
    world.invite("same-hands", "tenant_admin", person="p-tenant-admin")
    for visitor in (admin, world.visitor("same-hands")):
        answer = decide(visitor, proposal, "approve")
        assert (answer.status_code, "提出人不能自行批准" in answer.get_data(as_text=True)) == (403, True)
    assert decide(admin, proposal, "reject", reason="").status_code == 422
    assert decide(admin, proposal, "reject", reason="写错了").status_code == 303
    answer = decide(other, proposal, "approve")
    assert (answer.status_code, "已由 p-tenant-admin 决定" in answer.get_data(as_text=True)) == (409, True)
    assert roles_of(world, "alone") == []


def test_nobody_proposes_for_themselves_and_who_is_concerned_does_not_decide(
    world: World, admin: Visitor, other: Visitor
) -> None:
    answer = propose(admin, wish("my-other-name", "finance_releaser", person="p-tenant-admin"))
    assert answer.status_code in {403, 409}
    world.invite("admin-too", "tenant_admin")
    concerned = world.visitor("admin-too")
    form = {"kind": "roles", "login": "admin-too", "roles": ["policy_approver"], "reason": "兼任"}
    assert propose(concerned, form).status_code == 403
    assert propose(admin, form).status_code == 303
    for step in ("approve", "reject"):
        answer = decide(concerned, proposed(world, "admin-too"), step, reason="同意")
        assert (answer.status_code, "涉及您本人" in answer.get_data(as_text=True)) == (403, True)
    assert decide(other, proposed(world, "admin-too"), "approve").headers["Location"].endswith("proposal-approved")
    assert roles_of(world, "admin-too") == ["policy_approver", "tenant_admin"]


@pytest.mark.parametrize(
    ("more", "status", "said"),
    [
        ({"roles": ["clearing_operator"]}, 422, "运维角色不由区域授予"),
        ({"roles": []}, 422, "至少一个角色"),
        ({"roles": ["king"]}, 422, "至少一个角色"),
        ({"login": "Große"}, 422, "登录名须以小写字母开头"),
        ({"login": "auditor"}, 422, "登录名已被使用"),
        ({"person": "p-auditor"}, 409, "此人已有账号 auditor"),
        ({"person": "operator"}, 422, "实际的自然人"),
        ({"person": ""}, 422, "person"),
        ({"reason": ""}, 422, "reason"),
        ({"name": "x" * 101}, 422, "name"),
        ({"name": "甲\u202e乙"}, 422, "双向排版"),
    ],
)
def test_what_cannot_be_is_refused_and_what_was_typed_is_kept(
    world: World, admin: Visitor, more: dict[str, Any], status: int, said: str
) -> None:
    answer = propose(admin, wish("refused", reason="缘由在此") | more)
    page = answer.get_data(as_text=True)
    assert (answer.status_code, said in plain(page) or said in page) == (status, True), plain(page)
    assert "缘由在此" in page or more.get("reason") == ""
    assert roles_of(world, "refused") == []


def test_without_password_and_code_nothing_is_proposed_or_approved(
    world: World, admin: Visitor, other: Visitor
) -> None:
    wrong = {"password": "wrong password 12", "code": "000000"}
    token = form_token(admin.see(f"{PLACE}/new"))
    assert admin.browser.post(f"{PLACE}/new", data=wish("unproved") | wrong | {"form_token": token}).status_code == 403
    assert propose(admin, wish("unproved")).status_code == 303
    token = form_token(other.see(PLACE))
    form = wrong | {"form_token": token}
    assert other.browser.post(f"{PLACE}/{proposed(world, 'unproved')}/approve", data=form).status_code == 403
    assert roles_of(world, "unproved") == []


def test_a_second_proposal_for_a_name_waits_for_the_first(world: World, admin: Visitor) -> None:
    assert propose(admin, wish("twice")).status_code == 303
    answer = propose(admin, wish("twice", "policy_approver"))
    assert (answer.status_code, "已有待批准的提议" in answer.get_data(as_text=True)) == (409, True)


def test_another_regions_people_neither_see_nor_decide(world: World, admin: Visitor) -> None:
    assert propose(admin, wish("foreign")).status_code == 303
    proposal = proposed(world, "foreign")
    world.invite("wujiang-admin", "tenant_admin", tenants=("wujiang",))
    stranger = world.visitor("wujiang-admin")
    assert "foreign" not in stranger.see("/console/accounts/wujiang/proposals")
    token = form_token(stranger.see("/console"))
    form = {"form_token": token, "reason": "试", **stranger.proof()}
    for path in (f"{PLACE}/{proposal}/approve", f"/console/accounts/wujiang/proposals/{proposal}/approve"):
        assert stranger.browser.post(path, data=form | stranger.proof()).status_code == 404
    world.invite("of-wujiang-2", "auditor", tenants=("wujiang",))
    answer = propose(admin, {"kind": "reset", "login": "of-wujiang-2", "reason": "试"})
    assert answer.status_code == 404, "the account is not one of Jiangsu's"


def test_an_operators_account_is_not_the_regions(world: World, admin: Visitor) -> None:
    for form in ({"kind": "reset"}, {"kind": "roles", "roles": ["auditor"]}):
        answer = propose(admin, {"login": "clearing-operator", "reason": "试", **form})
        assert (answer.status_code, "运维人员的账号" in answer.get_data(as_text=True)) == (403, True)


def test_two_who_approve_at_once_open_one_account(world: World, admin: Visitor, other: Visitor) -> None:
    world.invite("third-admin", "tenant_admin")
    pair = (other, world.visitor("third-admin"))
    assert propose(admin, wish("raced")).status_code == 303
    proposal = proposed(world, "raced")
    world.wait(STEP_SECONDS)
    forms = [
        {"form_token": form_token(one.see(PLACE)), "password": PASSWORD, "code": world.code(one.login)} for one in pair
    ]
    assert _at_once(
        lambda number: pair[number].browser.post(f"{PLACE}/{proposal}/approve", data=forms[number])
    ) == [200, 409]  # fmt: skip
    with world.service.engine.connect() as connection:
        assert connection.exec_driver_sql(
            "select count(*) from account_invitation i join console_account a on a.id = i.account_id "
            "where a.login = 'raced'"
        ).scalar_one() == 1  # fmt: skip


def _at_once(strike: Any) -> list[int]:
    answers: list[int] = []
    threads = [threading.Thread(target=lambda at: answers.append(strike(at).status_code), args=(at,)) for at in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(answers)


def test_new_proofs_end_the_old_ones_and_every_session_at_once(world: World, admin: Visitor, other: Visitor) -> None:
    world.invite("lost-phone", "auditor")
    person = world.visitor("lost-phone")
    assert propose(admin, {"kind": "reset", "login": "lost-phone", "reason": "手机遗失"}).status_code == 303
    person.see("/console")
    link = link_in(decide(other, proposed(world, "lost-phone"), "approve"))
    assert person.browser.get("/console").status_code == 303
    world.wait(STEP_SECONDS)
    assert world.knock(world.app.test_client(), "lost-phone").status_code == 401
    enrolled(world, "lost-phone", link)


def test_an_invitation_opens_once(world: World, admin: Visitor, other: Visitor) -> None:
    link = opened(world, admin, other, "once")
    browser, page = open_link(world, link)
    enrolled(world, "once", link)
    answer = send(world, browser, page)
    assert (answer.status_code, "已经用过" in plain(answer.get_data(as_text=True))) == (409, True)
    assert "已经用过" in plain(open_link(world, link)[1])


def test_two_who_take_it_up_at_once_are_one(world: World, admin: Visitor, other: Visitor) -> None:
    link = opened(world, admin, other, "of-two-rights")
    tabs = [open_link(world, link) for _ in (0, 1)]
    assert _at_once(lambda number: send(world, *tabs[number])) == [303, 409]


def test_an_invitation_expires_and_only_the_latest_opens(world: World, admin: Visitor, other: Visitor) -> None:
    first = opened(world, admin, other, "late")
    assert propose(admin, {"kind": "reset", "login": "late", "reason": "链接遗失"}).status_code == 303
    second = link_in(decide(other, proposed(world, "late"), "approve"))
    assert "更新的邀请" in plain(open_link(world, first)[1])
    browser, page = open_link(world, second)
    world.wait((INVITATION_LIFE + timedelta(seconds=1)).total_seconds())
    answer = send(world, browser, page)
    assert (answer.status_code, "已过期" in plain(answer.get_data(as_text=True))) == (409, True)
    assert "已过期" in plain(open_link(world, second)[1])


def test_the_invitation_of_a_revoked_account_and_of_nobody_are_alike(
    world: World, admin: Visitor, other: Visitor
) -> None:
    link = opened(world, admin, other, "withdrawn")
    assert dismiss(world.service, "withdrawn")
    revoked, absent = (plain(open_link(world, one)[1]) for one in (link, "/console/invitation/nothing"))
    assert "没有这份邀请" in revoked
    assert revoked == absent
    for odd in ("你好", "x" * 500, "%00", "a b"):
        assert open_link(world, f"/console/invitation/{odd}")[1]


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"code": "000000"}, "动态码不正确"),
        ({"code": "１２３４５６"}, "动态码不正确"),
        ({"code": ""}, "动态码不正确"),
        ({"again": "another horse 12"}, "两次输入的密码不同"),
        ({"new_password": "short", "again": "short"}, "密码须为 12"),
        ({"new_password": "mistaken-person-12", "again": "mistaken-person-12"}, "不含登录名"),
    ],
)
def test_a_wrong_code_or_a_weak_password_sets_nothing(world: World, form: dict[str, str], said: str) -> None:
    login = "mistaken-person"
    if not roles_of(world, login):
        open_account(world.service, login, login, login, ("jiangsu",), ("auditor",))
    issued = _invited_again(world, login)
    browser, page = open_link(world, issued)
    given = dict(form)
    if given.get("code") == "":
        given["code"] = " "
    answer = send(world, browser, page, **given)
    assert (answer.status_code, said in plain(answer.get_data(as_text=True))) == (422, True)
    assert shown_secret(answer.get_data(as_text=True)) == shown_secret(page), "the picture stays the same"


def _invited_again(world: World, login: str) -> str:
    from clearing.people import reset

    issued = reset(world.service, login)
    assert issued is not None
    return issued.link(None)


def test_the_page_needs_no_style_or_script_within_and_tells_nobody_where_it_was(
    world: World, admin: Visitor, other: Visitor
) -> None:
    link = opened(world, admin, other, "pictured")
    browser = world.app.test_client()
    first = browser.get(link)
    assert (first.status_code, first.headers["Location"]) == (303, "/console/invitation"), "no secret in the address"
    cookie = next(value for value in first.headers.getlist("Set-Cookie") if value.startswith("console_invitation="))
    assert {"HttpOnly", "SameSite=Lax", "Path=/console/invitation"} <= {part.strip() for part in cookie.split(";")}
    answer = browser.get("/console/invitation")
    page = answer.get_data(as_text=True)
    assert "'unsafe-inline'" not in answer.headers["Content-Security-Policy"]
    assert "<svg" in page
    assert "style=" not in page
    assert "no-store" in answer.headers.get("Cache-Control", ""), "its secret is kept by no cache"


def test_a_form_of_another_site_and_a_hasty_address_are_refused(world: World, admin: Visitor, other: Visitor) -> None:
    browser, page = open_link(world, opened(world, admin, other, "hasty"))
    assert send(world, browser, page, form_token="other").status_code == 403
    window: Window = world.app.extensions["console-door"]
    address = world.new_address()
    while window.takes(address):
        pass
    form = {"new_password": CHOSEN, "again": CHOSEN, "form_token": form_token(page), "code": "000000"}
    answer = browser.post("/console/invitation", data=form, environ_base={"REMOTE_ADDR": address})
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert TRIES_PER_WINDOW > 0


def test_a_link_may_be_typed(world: World, admin: Visitor, other: Visitor) -> None:
    link = opened(world, admin, other, "typing")
    browser = world.app.test_client()
    page = browser.get("/console/invitation").get_data(as_text=True)
    form = {"form_token": form_token(page), "invitation": f" {link} "}
    answer = browser.post("/console/invitation/open", data=form, follow_redirects=True)
    assert shown_secret(answer.get_data(as_text=True))
    assert browser.post("/console/invitation/open", data={"invitation": link}).status_code == 403


def test_the_operator_approves_where_no_second_administrator_is(world: World, admin: Visitor) -> None:
    assert propose(admin, wish("by-operator")).status_code == 303
    _, issued = approve_proposal(world.service, "jiangsu", proposed(world, "by-operator"))
    assert issued is not None
    enrolled(world, "by-operator", issued.link(None))
    with pytest.raises(Conflict):
        open_account(world.service, "nowhere", "p", "n", ("atlantis",), ("auditor",))


def test_the_interface_tells_the_link_once_and_keeps_it_nowhere(world: World) -> None:
    call = world.story.call
    made, again = (call("administrator", "POST", API, wish("over-api"), ok=201, key="made").get_json() for _ in (0, 1))
    code = made.pop("opening_code")
    assert (again.pop("opening_code"), again) == (None, made)
    assert call("administrator", "GET", f"{API}/{made['id']}").get_json()["opening_code"] == code
    seen = call("auditor", "GET", f"{API}/{made['id']}").get_json()
    assert (seen["state"], seen["opening_code"]) == ("proposed", None)
    assert call("administrator", "POST", f"{API}/{made['id']}/approve", ok=403).get_json()["code"] == (
        "account_proposal.four_eyes"
    )
    answers = [call("auditor", "POST", f"{API}/{made['id']}/approve", key="once").get_json() for _ in (0, 1)]
    link = answers[0].pop("invitation")["link"]
    assert answers[1].pop("invitation") is None
    assert answers[0] == answers[1]
    listed = call("auditor", "GET", f"{API}?state=approved&limit=500").get_data(as_text=True)
    secret = link.rpartition("/")[2]
    assert secret not in listed
    with world.service.engine.connect() as connection:
        for table in ("idempotency_key", "account_invitation"):
            rows = connection.exec_driver_sql(f"select * from {table}").all()  # noqa: S608 - our own names
            assert not any(secret in str(row) or secret.encode().hex() in str(row) for row in rows)
            assert not any(code in str(row) for row in rows)
    enrolled(world, "over-api", link)
    other = call("administrator", "POST", API, {"kind": "reset", "login": "over-api", "reason": "试"}, ok=201)
    assert call("auditor", "POST", f"{API}/{other.get_json()['id']}/reject", {"reason": "不必"}).get_json()[
        "state"
    ] == ("rejected")


FOUR_EYES = {
    "who proposed approves": "update account_proposal set state='approved', decided_by=proposed_by, decided_at=now()",
    "who is concerned decides": (
        "update account_proposal set state='rejected', reason='x', decided_by=person, decided_at=now()"
    ),
    "who is concerned proposes": (
        "insert into account_proposal (tenant, id, kind, login, person, display_name, roles, ground, state, "
        "proposed_by, proposed_at) values ('jiangsu', gen_random_uuid(), 'account', 'x1', 'p', 'n', '{auditor}', 'g', "
        "'proposed', 'p', now())"
    ),
    "an operator's role is proposed": (
        "insert into account_proposal (tenant, id, kind, login, person, display_name, roles, ground, state, "
        "proposed_by, proposed_at) values ('jiangsu', gen_random_uuid(), 'account', 'x1', 'p', 'n', "
        "'{clearing_operator}', 'g', 'proposed', 'q', now())"
    ),
    "rights are given alone": (
        "update console_account set roles = '{finance_releaser}', roles_set_by = 'p-tenant-admin' "
        "where login = 'auditor'"
    ),
    "an account is made alone": (
        "insert into console_account select gen_random_uuid(), 'alone2', 'p-x', display_name, tenants, roles, "
        "password_hash, totp_sealed, created_at, changed_at, revoked_at, credentials_at, 'p-tenant-admin' "
        "from console_account where login = 'auditor'"
    ),
    "what was approved is used again": (
        "update console_account set roles = roles || '{policy_approver}', roles_set_by = 'p-second-admin' "
        "where login = 'just-proposed'"
    ),
    "an invitation is taken back": "delete from account_enrolment",
    "new proofs are proposed without a code": (
        "insert into account_proposal (tenant, id, kind, login, person, display_name, roles, ground, state, "
        "proposed_by, proposed_at) values ('jiangsu', gen_random_uuid(), 'reset', 'x1', 'p', 'n', '{}', 'g', "
        "'proposed', 'q', now())"
    ),
    "a code is changed": "update account_proposal set code_sealed = '\\\\x00'",
}


@pytest.mark.parametrize("attempt", FOUR_EYES)
def test_the_database_itself_refuses(world: World, admin: Visitor, attempt: str) -> None:
    if not any(one.login == "hard-case" for one in list_proposals(world.service, "jiangsu")):
        assert propose(admin, wish("hard-case")).status_code == 303
    with pytest.raises((IntegrityError, DBAPIError)) as refused:
        _attempt(world, FOUR_EYES[attempt])
    assert getattr(refused.value.orig, "sqlstate", None) in {"23514", "42501"}


def _attempt(world: World, statement: str) -> None:
    service = world.service
    with transaction(service.engine, Scope(("jiangsu",)), service.machine) as work:
        connection: Connection = work.connection
        suffix = " where tenant = 'jiangsu' and login = 'hard-case'" if statement.startswith("update account_") else ""
        connection.exec_driver_sql(statement + suffix)


def test_a_code_that_enrolled_signs_nobody_in_again(world: World, admin: Visitor, other: Visitor) -> None:
    link = opened(world, admin, other, "same-code")
    enrolled(world, "same-code", link)
    code = code_at(world.secrets["same-code"], world.clock.now())
    assert world.knock(world.app.test_client(), "same-code", CHOSEN, code).status_code == 401
