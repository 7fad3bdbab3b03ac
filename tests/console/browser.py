"""A real Chromium over the application: served from a thread of this process, with the world's clock."""

import json
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIEnvironment

from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, Locator, Page, Playwright
from werkzeug.serving import make_server

from tenants.passwords import STEP_SECONDS
from tests.console.world import PASSWORD, World

CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser")
DESKTOP: Final = {"width": 1366, "height": 768}
PHONE: Final = {"width": 390, "height": 844}
GRAVE: Final = frozenset({"serious", "critical"})
WAIT_MILLISECONDS: Final = 20_000


@contextmanager
def served(world: World, app: Flask | None = None) -> Iterator[str]:
    """The world's application, or another one over it, at an address of this machine."""
    application = app or world.app

    def from_anywhere(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Each try at the door comes from an address of its own: so many people sign in here."""
        if (environ["REQUEST_METHOD"], environ["PATH_INFO"]) == ("POST", "/console/sign-in"):
            environ["REMOTE_ADDR"] = world.new_address()
        return application(environ, start)

    server = make_server("127.0.0.1", 0, from_anywhere, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def launched(playwright: Playwright) -> Browser:
    """Debian's Chromium; as root it runs without its sandbox."""
    return playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


@dataclass
class Tab:
    """One person at one browser tab; what the browser complains of is kept."""

    world: World
    page: Page
    address: str
    pictures: Path | None
    language: str
    complaints: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        """Open an address."""
        self.page.goto(self.address + path)

    def sign_in(self, login: str) -> None:
        """Through the door, wherever it leads."""
        self.world.wait(STEP_SECONDS)
        if "/console/sign-in" not in self.page.url:
            self.go("/console/sign-in")
        self.page.fill("[name=login]", login)
        self.page.fill("[name=password]", PASSWORD)
        self.page.fill("[name=code]", self.world.code(login))
        self.page.keyboard.press("Enter")
        self.page.wait_for_selector(".person")

    def prove(self, login: str) -> None:
        """Fill in password and a code that was not used before."""
        self.world.wait(STEP_SECONDS)
        self.page.fill("[name=password]", PASSWORD)
        self.page.fill("[name=code]", self.world.code(login))

    def prove_in(self, form: str, within: Locator, login: str) -> None:
        """The same in one form of several, which is then sent."""
        self.world.wait(STEP_SECONDS)
        within.locator(form).locator("[name=password]").fill(PASSWORD)
        within.locator(form).locator("[name=code]").fill(self.world.code(login))
        within.locator(form).locator("[name=code]").press("Enter")

    def picture(self, name: str) -> None:
        """Keep a picture of the page where ``--pictures`` asks for it, and see that nothing grave is wrong with it."""
        self.page.wait_for_load_state()  # after a click there may be no document for a moment
        if self.pictures is not None:
            self.page.screenshot(path=self.pictures / f"{name}.png", full_page=True)
        if self.language == "zh":  # the English page is the same but for its words
            assert self.grave_faults() == [], name
        assert self.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1"), (
            f"{name} is too wide"
        )
        assert self.complaints == [], name

    def grave_faults(self) -> list[str]:
        """What axe finds that keeps people from using the page."""
        found: Any = Axe().run(self.page).response
        return [
            f"{fault['id']}: {json.dumps([node['target'] for node in fault['nodes']][:3])}"
            for fault in found["violations"]
            if fault["impact"] in GRAVE
        ]


Open = Callable[..., AbstractContextManager[Tab]]
"""Opens a tab: ``language``, ``viewport`` and what else a browser's context takes."""


@contextmanager
def tab(world: World, browser: Browser, address: str, pictures: Path | None, **how: Any) -> Iterator[Tab]:
    """A tab of a browser of its own, in the language; a complaint of the browser fails the next picture."""
    language = how.pop("language", "zh")
    context = browser.new_context(viewport=how.pop("viewport", DESKTOP), **how)
    context.set_default_timeout(WAIT_MILLISECONDS)
    context.add_cookies([{"name": "console_language", "value": language, "url": f"{address}/console"}])
    page = context.new_page()
    opened = Tab(world, page, address, pictures, language)
    page.on("console", lambda said: opened.complaints.append(said.text) if said.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    try:
        yield opened
    finally:
        context.close()
