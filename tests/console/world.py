"""A service of the console's tests' own: a database of their own, claims of every kind, and people with accounts."""

import re
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any, Final

from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from werkzeug.test import TestResponse

from clearing.app import create_app
from clearing.claims.vault import open_vault
from clearing.demonstration.claims import GeneratedClaim, generate
from clearing.embedded import Addresses, EmbeddedServers
from clearing.people import enrol
from clearing.preparation import migrate_schema, prepare
from clearing.service import Service
from clearing.settings import Settings
from settlement.bank.simulator import Books
from tenants.credentials import TOKEN_LIFE
from tenants.kernel.clock import FixedClock, SystemClock
from tenants.kernel.database import open_engine
from tenants.kernel.secrets import load_secrets
from tenants.passwords import STEP_SECONDS, code_at
from tenants.principal import ROLES
from tests.verification.story import START, Story

PASSWORD: Final = "correct horse battery 9"
TENANTS: Final = ("jiangsu", "wujiang")
SEED: Final = 11
PLATFORMS: Final = ("jssic", "delta", "shanxi-inno", "wujiang-local")
STAFF: Final = ("maker", "releaser", "auditor", "administrator", "reviewer of center", "reviewer of authority")
CLAIMS: Final = 24


@dataclass
class World:
    """The application, the story that is told over its interface, and who may sign in."""

    story: Story
    clock: FixedClock
    secrets: dict[str, str] = field(default_factory=dict)
    knocks: int = 0
    drafts: int = 0
    dress: Callable[[dict[str, Any]], None] | None = None
    """What is done to each draft, such as giving its parties other names."""
    enlisted_at: datetime = START

    @property
    def app(self) -> Flask:
        return self.story.app

    @property
    def service(self) -> Service:
        return self.story.service

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.move_to(self.clock.now() + timedelta(seconds=seconds))
        if self.clock.now() > self.enlisted_at + TOKEN_LIFE / 2:
            self.enlist()

    def enlist(self) -> None:
        """Give the platforms and people of the story tokens that are good for a while."""
        for platform in PLATFORMS:
            self.story.enrol(platform, platform)
        for name in STAFF:
            self.story.enrol(name, person=True)
        self.enlisted_at = self.clock.now()

    def pass_the_notice(self, tenant: str, batch_id: str) -> None:
        """Let business time pass until the day after the batch's notice."""
        batch = self.story.call("auditor", "GET", f"/v1/tenants/{tenant}/batches/{batch_id}").get_json()
        after = date.fromisoformat(batch["publicity_through"]) + timedelta(days=1)
        self.story.move(f"{after}T09:00:00+08:00")

    def code(self, login: str) -> str:
        """What the person's authenticator shows now."""
        return code_at(self.secrets[login], self.clock.now())

    def invite(self, login: str, *roles: str, tenants: tuple[str, ...] = TENANTS, person: str | None = None) -> str:
        """An account, unless it is there."""
        if login not in self.secrets:
            name = f"{login}·某某"
            self.secrets[login] = enrol(self.service, login, person or f"p-{login}", name, tenants, roles, PASSWORD)
        return login

    def knock(
        self, browser: FlaskClient, login: str, password: str = PASSWORD, code: str = "", **more: str
    ) -> TestResponse:
        """Send the door's form."""
        token = form_token(browser.get("/console/sign-in").get_data(as_text=True))
        form = {"login": login, "password": password, "code": code or self.code(login), "form_token": token, **more}
        return browser.post("/console/sign-in", data=form, environ_base={"REMOTE_ADDR": self.new_address()})

    def new_address(self) -> str:
        """An address that nobody knocked from before."""
        self.knocks += 1
        return f"198.51.{self.knocks // 250}.{self.knocks % 250}"

    def visitor(self, login: str) -> "Visitor":
        """A person who is signed in."""
        self.wait(STEP_SECONDS)
        browser = self.app.test_client()
        answer = self.knock(browser, login)
        assert answer.status_code == 303, answer.get_data(as_text=True)
        return Visitor(self, login, browser)

    def draft(self) -> GeneratedClaim:
        """An honest claim of Jiangsu's that nobody submitted yet."""
        self.drafts += 1
        honest = [one for one in generate(1000 + self.drafts, 12) if one.planted is None and one.platform == "jssic"]
        honest[0].body["external_id"] += f"-{self.drafts}"
        for document in honest[0].body["documents"]:
            document["sha256"] = secrets.token_hex(32)
        if self.dress is not None:
            self.dress(honest[0].body)
        return honest[0]

    def one_in_review(self) -> dict[str, Any]:
        """A claim of Jiangsu's that waits for its review and was never touched before."""
        claim = self.story.submit(self.draft())
        assert claim["state"] == "in_review", claim["assessment"]["findings"]
        return claim

    def one_on_hold(self) -> dict[str, Any]:
        """A claim of Jiangsu's with the same report as another one's."""
        first, second = self.draft(), self.draft()
        reports = [next(d for d in one.body["documents"] if d["kind"] == "service_report") for one in (first, second)]
        reports[1]["sha256"] = reports[0]["sha256"]
        self.story.submit(first)
        claim = self.story.submit(second)
        assert claim["state"] == "on_hold"
        return claim


@dataclass
class Visitor:
    """One person in a browser that keeps cookies and runs no script."""

    world: World
    login: str
    browser: FlaskClient

    def see(self, path: str, status: int = 200) -> str:
        """The page's HTML."""
        answer = self.browser.get(path, follow_redirects=True)
        assert answer.status_code == status, (path, answer.status_code, plain(answer.get_data(as_text=True)))
        return answer.get_data(as_text=True)

    def send(self, page: str, path: str, **form: str) -> TestResponse:
        """Send a form of the page, with its hidden fields."""
        return self.browser.post(path, data=hidden_fields(self.see(page), path) | form)

    def proof(self) -> dict[str, str]:
        """What proves once more who it is, with a code that was not used before."""
        self.world.wait(STEP_SECONDS)
        return {"password": PASSWORD, "code": self.world.code(self.login)}


def form_token(page: str) -> str:
    """The hidden token of the page's first form."""
    found = re.search(r'name="form_token" value="([^"]+)"', page)
    assert found, plain(page)
    return found[1]


def hidden_fields(page: str, action: str) -> dict[str, str]:
    """The hidden fields of the page's form that goes to this address."""
    for attributes, inside in re.findall(r"<form([^>]*)>(.*?)</form>", page, re.DOTALL):
        if f'action="{action}"' in attributes and 'method="post"' in attributes:
            return {
                name: unescape(value)
                for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', inside)
            }
    raise AssertionError(f"no form goes to {action}: {plain(page)}")


def plain(page: str) -> str:
    """The page's text."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


@contextmanager
def own_world() -> Iterator[World]:
    """The same on servers of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="console-") as folder,
        EmbeddedServers(Path(folder)) as addresses,
        world_of(addresses, Path(folder).resolve()) as made,
    ):
        yield made


@contextmanager
def world_of(addresses: Addresses, folder: Path) -> Iterator[World]:
    """The service with its people and some claims in review, on hold, approved and refused."""
    migrate_schema(addresses.owner_url)
    settings = Settings(addresses.app_url, addresses.redis_url, folder / "secrets", checkpoints=folder / "checkpoints")
    prepared = prepare(settings, START)
    kept = load_secrets(prepared.settings.secrets_folder)
    clock = FixedClock(SystemClock().now())
    engine = open_engine(addresses.app_url)
    queue = Redis.from_url(addresses.redis_url)
    service = Service(prepared.settings, engine, queue, kept, open_vault(kept), clock)
    with engine.connect() as connection:
        tenants = tuple(connection.exec_driver_sql("select tenant from tenant order by tenant").scalars())
    world = World(Story(service, addresses, create_app(service), tenants, Books(seed=SEED)), clock)
    try:
        _populate(world)
        yield world
    finally:
        engine.dispose()
        queue.close()


def _populate(world: World) -> None:
    for role in ROLES:
        world.invite(role.replace("_", "-"), role)
    world.invite("second-reviewer", "center_reviewer", "authority_approver")
    world.invite("second-releaser", "finance_releaser")
    world.invite("stranger", *ROLES, tenants=("shanxi-hainan",))
    story = world.story
    world.enlist()
    story.call(
        "administrator", "PUT", "/v1/tenants/jiangsu/schemes/provincial/budgets/2024", {"amount": "9000000.00"},
    )  # fmt: skip
    for given in generate(SEED, CLAIMS):
        story.submit(given)


def approved(world: World, count: int) -> list[dict[str, Any]]:
    """That many claims of Jiangsu's, newly submitted and approved."""
    return [world.story.approve(world.one_in_review()) for _ in range(count)]


def instructed(world: World) -> None:
    """What the worker does."""
    world.story.jobs()
