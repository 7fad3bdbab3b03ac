"""The console over a database of its own: its tests carry batches to their end."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, sync_playwright

from tests.console.browser import Open, launched, served, tab
from tests.console.provider import Provider, running
from tests.console.sign_on import application
from tests.console.world import World, own_world


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    with own_world() as made:
        yield made


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = launched(playwright)
        yield started
        started.close()


@pytest.fixture(scope="module")
def opened(world: World, browser: Browser) -> Iterator[Open]:
    wanted = os.environ.get("CONSOLE_PICTURES")
    pictures = Path(wanted) if wanted else None
    with served(world) as address:
        yield partial(tab, world, browser, address, pictures)


@pytest.fixture(scope="session")
def _running(world: World) -> Iterator[Provider]:
    with running(world.clock) as provider:
        yield provider


@pytest.fixture
def provider(_running: Provider) -> Provider:
    _running.honest()
    return _running


@pytest.fixture
def app(world: World, provider: Provider, tmp_path: Path) -> Flask:
    return application(world, provider, tmp_path)
