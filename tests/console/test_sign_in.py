"""The door: who gets in, who does not, and how a visit ends."""

import re
from datetime import timedelta

import pytest

from clearing.api.limits import Window
from clearing.console.sign_in import TRIES_PER_WINDOW
from clearing.people import dismiss
from tenants.accounts import FAILURES_BEFORE_PAUSE, PAUSE
from tenants.passwords import STEP_SECONDS
from tenants.sessions import IDLE_LIFE, SESSION_LIFE
from tests.console.world import PASSWORD, World, form_token, plain

WRONG = "登录名、密码或动态码不正确"


def test_name_password_and_code_open_the_home_page(world: World) -> None:
    visitor = world.visitor("center-reviewer")
    assert "center-reviewer·某某，您好" in plain(visitor.see("/console"))


def test_the_cookie_is_read_by_no_script_and_sent_by_no_other_site(world: World) -> None:
    world.wait(STEP_SECONDS)
    answer = world.knock(world.app.test_client(), "auditor")
    cookie = next(value for value in answer.headers.getlist("Set-Cookie") if value.startswith("console_session="))
    assert {"HttpOnly", "SameSite=Lax", "Path=/console"} <= {part.strip() for part in cookie.split(";")}


@pytest.mark.parametrize(
    ("login", "password", "code"),
    [
        ("auditor", "wrong password 12", ""),
        ("auditor", PASSWORD, "000000"),
        ("auditor", PASSWORD, "１２３４５６"),
        ("auditor", "x" * 5000, ""),
        ("nobody", PASSWORD, "123456"),
        ("a\0b", PASSWORD, "123456"),
        ("审计", PASSWORD, "123456"),
        ("' or 1=1 --", PASSWORD, "123456"),
    ],
)
def test_what_is_wrong_opens_nothing_and_nothing_tells_what_it_was(
    world: World, login: str, password: str, code: str
) -> None:
    world.wait(STEP_SECONDS)
    browser = world.app.test_client()
    answer = world.knock(browser, login, password, code or world.code("auditor"))
    assert answer.status_code == 401
    assert WRONG in plain(answer.get_data(as_text=True))
    assert password not in answer.get_data(as_text=True)
    assert browser.get("/console").status_code == 303
    world.visitor("auditor")


def test_a_code_opens_once(world: World) -> None:
    world.wait(STEP_SECONDS)
    code = world.code("auditor")
    assert world.knock(world.app.test_client(), "auditor", code=code).status_code == 303
    assert world.knock(world.app.test_client(), "auditor", code=code).status_code == 401
    world.visitor("auditor")


def test_after_many_wrong_tries_even_the_right_one_waits(world: World) -> None:
    world.invite("forgetful", "auditor")
    for _ in range(FAILURES_BEFORE_PAUSE):
        world.wait(STEP_SECONDS)
        assert world.knock(world.app.test_client(), "forgetful", "wrong password 12").status_code == 401
    assert world.knock(world.app.test_client(), "forgetful").status_code == 401
    world.wait(PAUSE.total_seconds() + 1)
    assert world.knock(world.app.test_client(), "forgetful").status_code == 303


def test_one_address_knocks_only_so_often(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    standing = Window(TRIES_PER_WINDOW, clock=lambda: 1.0)  # however slow the machine is
    monkeypatch.setitem(world.app.extensions, "console-door", standing)
    answers = set()
    for _ in range(TRIES_PER_WINDOW + 2):
        browser = world.app.test_client()
        token = form_token(browser.get("/console/sign-in").get_data(as_text=True))
        form = {"form_token": token, "login": "nobody", "password": "x", "code": "1"}
        answer = browser.post("/console/sign-in", data=form, environ_base={"REMOTE_ADDR": "203.0.113.9"})
        answers.add((answer.status_code, answer.headers.get("Retry-After")))
    assert answers == {(401, None), (429, "60")}


def test_another_sites_form_signs_nobody_in(world: World) -> None:
    world.wait(STEP_SECONDS)
    form = {"login": "auditor", "password": PASSWORD, "code": world.code("auditor"), "form_token": "guessed"}
    assert world.app.test_client().post("/console/sign-in", data=form).status_code == 403
    browser = world.app.test_client()
    token = form_token(browser.get("/console/sign-in").get_data(as_text=True))
    answer = browser.post(
        "/console/sign-in", data=form | {"form_token": token}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 403
    assert browser.get("/console").status_code == 303


def test_a_form_without_the_visits_token_changes_nothing(world: World) -> None:
    visitor = world.visitor("center-reviewer")
    claim = world.one_in_review()
    form = {"stage": claim["next_stage"], "outcome": "reject", "reason": "试", "form_token": "x"}
    assert visitor.browser.post(f"/console/claims/{claim['id']}/review", data=form).status_code == 403
    assert visitor.browser.post("/console/sign-out", data={}).status_code == 403
    assert world.story.claim(claim["id"])["state"] == "in_review"
    assert visitor.browser.get("/console").status_code == 200


ELSEWHERE = (
    "https://example.org/", "//example.org/", "/console//example.org", "/notices", "/console\\x", "javascript:1",
    "/console/../x\r\n",
)  # fmt: skip


@pytest.mark.parametrize("way", ELSEWHERE)
def test_the_door_leads_nowhere_else(world: World, way: str) -> None:
    world.wait(STEP_SECONDS)
    answer = world.knock(world.app.test_client(), "auditor", to=way)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/console")


def test_the_door_leads_back_to_the_address_that_was_pasted(world: World) -> None:
    browser = world.app.test_client()
    wanted = "/console/claims?state=on_hold&tenant=jiangsu"
    answer = browser.get(wanted)
    assert answer.status_code == 303
    page = browser.get(answer.headers["Location"]).get_data(as_text=True)
    way = re.search(r'name="to" value="([^"]+)"', page)
    assert way is not None
    assert way[1].replace("&amp;", "&") == wanted
    world.wait(STEP_SECONDS)
    assert world.knock(browser, "auditor", to=wanted).headers["Location"] == wanted


def test_a_visit_ends_by_signing_out(world: World) -> None:
    visitor = world.visitor("auditor")
    token = visitor.browser.get_cookie("console_session", path="/console")
    assert token is not None
    assert visitor.send("/console", "/console/sign-out").status_code == 303
    thief = world.app.test_client()
    thief.set_cookie("console_session", token.value, path="/console")
    assert thief.get("/console").status_code == 303


def test_a_visit_ends_when_it_is_idle_and_in_the_end_anyhow(world: World) -> None:
    visitor = world.visitor("auditor")
    world.wait(IDLE_LIFE.total_seconds() - 60)
    assert visitor.browser.get("/console").status_code == 200
    world.wait(IDLE_LIFE.total_seconds() + 1)
    assert visitor.browser.get("/console").status_code == 303
    visitor = world.visitor("auditor")
    passed = timedelta(0)
    while passed < SESSION_LIFE - timedelta(minutes=25):
        world.wait(1500)
        passed += timedelta(seconds=1500)
        assert visitor.browser.get("/console").status_code == 200
    world.wait(1500)
    assert visitor.browser.get("/console").status_code == 303


def test_a_revoked_account_is_out_at_once_and_stays_out(world: World) -> None:
    world.invite("leaving", "auditor")
    visitor = world.visitor("leaving")
    assert dismiss(world.service, "leaving")
    assert visitor.browser.get("/console").status_code == 303
    world.wait(STEP_SECONDS)
    assert world.knock(world.app.test_client(), "leaving").status_code == 401
    assert not dismiss(world.service, "leaving")


def test_a_new_password_ends_the_other_visits(world: World) -> None:
    world.invite("careful", "auditor")
    elsewhere, here = world.visitor("careful"), world.visitor("careful")
    new = "another horse battery 7"
    path = "/console/account/password"
    differing = here.send("/console/account", path, new_password=new, again=new + "x", **here.proof())
    assert (differing.status_code, "两次输入的新密码不同" in differing.get_data(as_text=True)) == (422, True)
    weak = here.send(
        "/console/account", path, new_password="careful1careful1", again="careful1careful1", **here.proof()
    )
    assert weak.status_code == 422
    unproved = here.send("/console/account", path, new_password=new, again=new, password="no", code="123456")
    assert unproved.status_code == 403
    assert here.send("/console/account", path, new_password=new, again=new, **here.proof()).status_code == 303
    assert here.browser.get("/console").status_code == 200
    assert elsewhere.browser.get("/console").status_code == 303
    world.wait(STEP_SECONDS)
    assert world.knock(world.app.test_client(), "careful").status_code == 401
    world.wait(STEP_SECONDS)
    assert world.knock(world.app.test_client(), "careful", new).status_code == 303


@pytest.mark.parametrize("value", ["", "x", "x" * 4000, "你好", "\u00e9"])
def test_a_cookie_that_is_none_opens_nothing(world: World, value: str) -> None:
    browser = world.app.test_client()
    browser.set_cookie("console_session", value.encode().decode("latin-1"), path="/console")
    assert browser.get("/console").status_code == 303
