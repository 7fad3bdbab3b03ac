"""The door by an OpenID provider: who gets in by its word, who does not, and how it is left."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from joserfc.jwk import ECKey

from clearing.api.limits import Window
from clearing.app import create_app
from clearing.console.sign_in import TRIES_PER_WINDOW
from clearing.oidc import provider as wire
from clearing.oidc.journey import LIFE
from clearing.oidc.settings import read_providers
from clearing.people import dismiss
from tenants.accounts import FAILURES_BEFORE_PAUSE, PAUSE
from tenants.passwords import STEP_SECONDS
from tests.console.provider import CLIENT, Provider
from tests.console.sign_on import (
    SETTINGS,
    START,
    application,
    at_the_provider,
    audited,
    inside,
    new_address,
    refused,
    returned,
    send_code,
)
from tests.console.world import PASSWORD, World, form_token, plain


def test_the_providers_word_and_our_code_open_the_page_that_was_wanted(
    app: Flask, world: World, provider: Provider
) -> None:
    browser = app.test_client()
    wanted = "/console/claims?state=on_hold&tenant=jiangsu"
    assert "用测试统一身份认证登录" in plain(browser.get("/console/sign-in").get_data(as_text=True))
    answer = returned(world, browser, wanted)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/console/sign-in/code")
    assert not inside(browser)
    world.wait(STEP_SECONDS)
    code = world.code("auditor")
    answer = send_code(world, browser, code)
    assert (answer.status_code, answer.headers["Location"]) == (303, wanted)
    assert inside(browser)
    assert browser.get("/console/sign-in/code").headers["Location"] == "/console/sign-in", "the way is used up"


def test_what_is_asked_of_the_provider_is_bound_to_this_browser(app: Flask, world: World, provider: Provider) -> None:
    browser = app.test_client()
    begun = browser.get(START, environ_base=new_address(world))
    asked = {name: value[0] for name, value in parse_qs(urlsplit(begun.headers["Location"]).query).items()}
    assert asked["code_challenge_method"] == "S256"
    assert (asked["response_type"], asked["scope"]) == ("code", "openid profile")
    assert asked["redirect_uri"] == "http://localhost/console/sign-in/return"
    cookie = next(value for value in begun.headers.getlist("Set-Cookie") if value.startswith("console_journey="))
    assert {"HttpOnly", "SameSite=Lax", "Path=/", f"Max-Age={int(LIFE.total_seconds())}"} <= {
        part.strip() for part in cookie.split(";")
    }
    for name in ("state", "nonce"):
        assert len(asked[name]) > 40
        assert asked[name] not in cookie, "it is sealed"
    secure = app.test_client().get(START, base_url="https://localhost", environ_base=new_address(world))
    cookie = next(value for value in secure.headers.getlist("Set-Cookie") if "console_journey" in value)
    assert cookie.startswith("__Host-console_journey=")
    assert {"Secure", "Path=/"} <= {part.strip() for part in cookie.split(";")}


def test_the_session_says_how_it_was_begun_and_the_chain_too(app: Flask, world: World, provider: Provider) -> None:
    browser = app.test_client()
    returned(world, browser)
    world.wait(STEP_SECONDS)
    assert send_code(world, browser, world.code("auditor")).status_code == 303
    with world.service.engine.begin() as connection:
        connection.exec_driver_sql("select bind_scope(%s, null)", ("jiangsu",))
        row = connection.exec_driver_sql(
            "select method, issuer, subject, body::json -> 'details' ->> 'method' as told from console_session s "
            "join audit_entry e on e.subject_id = s.id and e.tenant = 'jiangsu' and e.action = 'session.started' "
            "order by started_at desc, s.id desc limit 1"
        ).one()
    assert tuple(row) == ("provider_and_code", provider.issuer, "subject-of-auditor", "provider_and_code")


def test_a_wrong_code_opens_nothing_is_told_and_closes_the_door_in_the_end(
    app: Flask, world: World, provider: Provider
) -> None:
    provider.login = world.invite("guessing", "auditor")
    browser = app.test_client()
    returned(world, browser)
    for _ in range(FAILURES_BEFORE_PAUSE):
        answer = send_code(world, browser, "000000")
        assert (answer.status_code, "动态码不正确" in plain(answer.get_data(as_text=True))) == (401, True)
    world.wait(STEP_SECONDS)
    assert send_code(world, browser, world.code("guessing")).status_code == 401
    assert world.knock(world.app.test_client(), "guessing").status_code == 401, "one lock for both doors"
    assert audited(world, "guessing") == ["code"] * (FAILURES_BEFORE_PAUSE + 1)
    world.wait(PAUSE.total_seconds() + 1)
    returned(world, browser)
    assert send_code(world, browser, world.code("guessing")).status_code == 303


def test_a_code_that_opened_by_password_opens_no_second_time(app: Flask, world: World, provider: Provider) -> None:
    browser = app.test_client()
    returned(world, browser)
    world.wait(STEP_SECONDS)
    code = world.code("auditor")
    assert world.knock(world.app.test_client(), "auditor", code=code).status_code == 303
    assert send_code(world, browser, code).status_code == 401
    world.wait(STEP_SECONDS)
    assert send_code(world, browser, world.code("auditor")).status_code == 303


def test_who_signed_in_by_a_provider_still_proves_itself_by_password_and_code(
    app: Flask, world: World, provider: Provider
) -> None:
    provider.login = world.invite("vouched", "auditor")
    browser = app.test_client()
    returned(world, browser)
    world.wait(STEP_SECONDS)
    assert send_code(world, browser, world.code("vouched")).status_code == 303
    form = {"form_token": form_token(browser.get("/console/account").get_data(as_text=True))}
    new = {"new_password": "another horse battery 7", "again": "another horse battery 7"}
    world.wait(STEP_SECONDS)
    path, code = "/console/account/password", world.code("vouched")
    assert browser.post(path, data=form | new | {"password": "", "code": code}).status_code == 403
    world.wait(STEP_SECONDS)
    proof = {"password": PASSWORD, "code": world.code("vouched")}
    assert browser.post(path, data=form | new | proof).status_code == 303


STRONG = 'acr = ["urn:gov:loa:3"]\namr = ["otp"]\nreplaces_code = true'


def strong(claims: dict[str, Any]) -> dict[str, Any]:
    return claims | {"acr": "urn:gov:loa:3", "amr": ["pwd", "otp"]}


def test_where_the_configuration_says_so_the_providers_proof_stands_for_the_code(
    world: World, provider: Provider, tmp_path: Path
) -> None:
    app = application(world, provider, tmp_path, STRONG)
    provider.claims = strong
    browser = app.test_client()
    asked = parse_qs(urlsplit(browser.get(START, environ_base=new_address(world)).headers["Location"]).query)
    assert (asked["acr_values"], asked["max_age"]) == (["urn:gov:loa:3"], ["300"])
    answer = returned(world, browser, "/console/audit")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/console/audit")
    assert inside(browser)


@pytest.mark.parametrize(
    "changed",
    [
        {"acr": "urn:gov:loa:1"}, {"acr": None}, {"acr": ["urn:gov:loa:3"]}, {"amr": ["pwd"]}, {"amr": "otp"},
        {"auth_time": 0}, {"auth_time": None}, {"auth_time": "now"},
    ],
)  # fmt: skip
def test_a_weaker_or_older_sign_in_does_not_stand_for_the_code(
    world: World, provider: Provider, tmp_path: Path, changed: dict[str, Any]
) -> None:
    app = application(world, provider, tmp_path, STRONG)
    provider.claims = lambda claims: strong(claims) | changed
    browser = app.test_client()
    refused(returned(world, browser), 403, "登录方式强度不够或时间过久")
    assert not inside(browser)


def test_a_door_that_is_closed_stays_closed_for_a_strong_provider_too(
    world: World, provider: Provider, tmp_path: Path
) -> None:
    app = application(world, provider, tmp_path, STRONG)
    provider.claims, provider.login = strong, world.invite("besieged", "auditor")
    for _ in range(FAILURES_BEFORE_PAUSE):
        world.knock(world.app.test_client(), "besieged", "wrong password 12", "000000")
    browser = app.test_client()
    assert returned(world, browser).status_code == 401
    world.wait(PAUSE.total_seconds() + 1)
    assert returned(world, browser).status_code == 303


def test_nobody_is_created_by_signing_in(app: Flask, world: World, provider: Provider) -> None:
    provider.login = "newcomer"
    answer = returned(world, app.test_client())
    refused(answer, 403, "登录名“newcomer”在这里没有可用的账号")
    assert "administrator" in str(answer.get_data(as_text=True)) or "区域管理员" in answer.get_data(as_text=True)
    with world.service.engine.connect() as connection:
        assert connection.exec_driver_sql("select 1 from console_account where login = 'newcomer'").first() is None


def test_a_revoked_account_stays_out_and_its_chain_is_told(app: Flask, world: World, provider: Provider) -> None:
    provider.login = world.invite("left", "auditor")
    browser = app.test_client()
    returned(world, browser)  # it waits for its code
    dismiss(world.service, "left")
    world.wait(STEP_SECONDS)
    send_code(world, browser, world.code("left"))
    assert not inside(browser)
    refused(returned(world, app.test_client()), 403, "没有可用的账号")
    assert audited(world, "left") == ["code", "revoked"]


def test_a_provider_of_one_region_opens_no_account_that_serves_another(
    world: World, provider: Provider, tmp_path: Path
) -> None:
    app = application(world, provider, tmp_path, 'tenants = ["jiangsu"]')
    refused(returned(world, app.test_client()), 403, "没有可用的账号")
    assert audited(world, "auditor")[-1] == "tenant"
    provider.login = world.invite("of-jiangsu", "auditor", tenants=("jiangsu",))
    assert returned(world, app.test_client()).status_code == 303


def test_a_login_that_the_provider_gave_to_somebody_else_opens_nothing(
    app: Flask, world: World, provider: Provider
) -> None:
    provider.login = world.invite("inherited", "auditor")
    browser = app.test_client()
    returned(world, browser)
    world.wait(STEP_SECONDS)
    assert send_code(world, browser, world.code("inherited")).status_code == 303
    provider.subjects["inherited"] = "somebody-else"
    refused(returned(world, app.test_client()), 403, "已换成另一个身份")
    assert audited(world, "inherited") == ["subject"]
    own = world.visitor("inherited")  # who knows password and code may bind it anew
    new = "another horse battery 7"
    form = {"new_password": new, "again": new, **own.proof()}
    assert own.send("/console/account", "/console/account/password", **form).status_code == 303
    assert returned(world, app.test_client()).headers["Location"] == "/console/sign-in/code"


ELSEWHERE = (
    "https://example.org/", "//example.org/", "/console//example.org", "/notices", "/console\\x", "javascript:1",
)  # fmt: skip


@pytest.mark.parametrize("way", ELSEWHERE)
def test_the_way_back_leads_nowhere_else(app: Flask, world: World, provider: Provider, way: str) -> None:
    browser = app.test_client()
    returned(world, browser, way)
    world.wait(STEP_SECONDS)
    assert send_code(world, browser, world.code("auditor")).headers["Location"] == "/console"


def test_another_browser_brings_nobody_in(app: Flask, world: World, provider: Provider) -> None:
    back = at_the_provider(world, app.test_client())
    refused(app.test_client().get(back, environ_base=new_address(world)), 400, "不是在本浏览器开始的")
    victim = app.test_client()
    at_the_provider(world, victim)
    refused(victim.get(back, environ_base=new_address(world)), 400, "不是在本浏览器开始的")
    assert not inside(victim)


@pytest.mark.parametrize("value", ["", "x", "x" * 4000, "AAAA", "\u00e9"])
def test_a_cookie_that_is_none_begins_nothing(app: Flask, world: World, provider: Provider, value: str) -> None:
    browser = app.test_client()
    browser.set_cookie("console_journey", value.encode().decode("latin-1"), path="/")
    refused(browser.get("/console/sign-in/return?code=x&state=x", environ_base=new_address(world)), 400, "重新点击登录")
    assert browser.get("/console/sign-in/code").headers["Location"] == "/console/sign-in"


def test_a_journey_ends_after_ten_minutes(app: Flask, world: World, provider: Provider) -> None:
    browser = app.test_client()
    back = at_the_provider(world, browser)
    world.wait(LIFE.total_seconds())
    refused(browser.get(back, environ_base=new_address(world)), 400, "超过十分钟")
    assert provider.asked["/token"] == 0


def test_a_code_is_good_once(app: Flask, world: World, provider: Provider) -> None:
    browser = app.test_client()
    back = at_the_provider(world, browser)
    journey = browser.get_cookie("console_journey", path="/")
    assert journey is not None
    assert browser.get(back, environ_base=new_address(world)).status_code == 303
    thief = app.test_client()
    thief.set_cookie("console_journey", journey.value, path="/")
    refused(thief.get(back, environ_base=new_address(world)), 403, "未通过核验")


def test_the_provider_may_say_no(app: Flask, world: World, provider: Provider) -> None:
    provider.back = lambda given: {"error": "access_denied", "error_description": "<b>x", "state": given["state"],
                                   "iss": given["iss"]}  # fmt: skip
    answer = returned(world, app.test_client())
    refused(answer, 403, "没有完成登录")
    assert "<b>x" not in answer.get_data(as_text=True)


def test_the_service_can_show_itself_with_a_key(world: World, provider: Provider, tmp_path: Path) -> None:
    key = ECKey.generate_key("P-256")
    (tmp_path / "key.pem").write_bytes(key.as_pem(private=True))
    (tmp_path / "oidc.toml").write_text(
        SETTINGS.format(issuer=provider.issuer, more="").replace('client_secret_file = "secret"',
                                                                  'private_key_file = "key.pem"'), encoding="utf-8"
    )  # fmt: skip
    provider.client_key = key
    app = create_app(replace(world.service, providers=read_providers(tmp_path / "oidc.toml")))
    assert returned(world, app.test_client()).status_code == 303


def test_one_address_knocks_only_so_often_at_this_door_too(
    app: Flask, world: World, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.extensions, "console-door", Window(TRIES_PER_WINDOW, clock=lambda: 1.0))
    browser = app.test_client()
    answers = [
        browser.get(START, environ_base={"REMOTE_ADDR": "203.0.113.9"}).status_code for _ in range(TRIES_PER_WINDOW + 1)
    ]
    assert answers == [303] * TRIES_PER_WINDOW + [429]
    token = form_token(browser.get("/console/sign-in").get_data(as_text=True))
    form = {"form_token": token, "login": "nobody", "password": "x", "code": "1"}
    assert browser.post("/console/sign-in", data=form, environ_base={"REMOTE_ADDR": "203.0.113.9"}).status_code == 429


def test_another_sites_form_sends_no_code(app: Flask, world: World, provider: Provider) -> None:
    browser = app.test_client()
    returned(world, browser)
    world.wait(STEP_SECONDS)
    form = {"code": world.code("auditor"), "form_token": "guessed"}
    assert browser.post("/console/sign-in/code", data=form, environ_base=new_address(world)).status_code == 403
    assert not inside(browser)


def test_signing_out_leads_to_the_providers_way_out(app: Flask, world: World, provider: Provider) -> None:
    browser = app.test_client()
    returned(world, browser)
    world.wait(STEP_SECONDS)
    send_code(world, browser, world.code("auditor"))
    token = form_token(browser.get("/console").get_data(as_text=True))
    answer = browser.post("/console/sign-out", data={"form_token": token})
    page = browser.get(answer.headers["Location"]).get_data(as_text=True)
    assert '<a href="/console/sign-in/out/gov">同时退出测试统一身份认证</a>' in page
    out = browser.get("/console/sign-in/out/gov", environ_base=new_address(world)).headers["Location"]
    assert out.startswith(
        f"{provider.issuer}/logout?client_id={CLIENT}&post_logout_redirect_uri=http%3A%2F%2Flocalhost"
    )
    provider.metadata = lambda said: said | {"end_session_endpoint": None}
    world.wait(wire.KEPT.total_seconds())
    refused(browser.get("/console/sign-in/out/gov", environ_base=new_address(world)), 409, "没有提供退出地址")


def test_every_refusal_has_its_english_too(app: Flask, world: World, provider: Provider) -> None:
    browser = app.test_client()
    browser.set_cookie("console_language", "en", path="/console")
    provider.claims = lambda claims: claims | {"nonce": "x"}
    page = plain(returned(world, browser).get_data(as_text=True))
    assert "did not stand the checks" in page
    assert "Sign in with Test single sign-on" in page


def test_a_way_that_there_is_not_is_not_there(app: Flask, world: World) -> None:
    for path in ("/console/sign-in/with/other", "/console/sign-in/out/other"):
        assert app.test_client().get(path, environ_base=new_address(world)).status_code == 404
    assert world.app.test_client().get(START, environ_base=new_address(world)).status_code == 404
