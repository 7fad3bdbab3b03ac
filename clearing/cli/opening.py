"""How a command comes to the database: attached to what runs, or started for the command alone."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Engine

from clearing.demonstration_clock import demonstration_time
from clearing.migrations import migrate
from clearing.places import Places, open_places
from clearing.service import Service, open_service
from clearing.settings import SettingsError
from tenants.instance import hold_to_mark, require_secrets
from tenants.kernel.clock import SystemClock
from tenants.kernel.database import open_engine


@contextmanager
def migrated(data_dir: Path) -> Iterator[Places]:
    """The places, their schema brought up to date where its owner's address is known.

    Raises:
        MixedInstancesError: database, secrets and settings are not of one kind of instance.
    """
    with open_places(data_dir, os.environ) as places:
        settings = places.settings
        require_secrets(settings.secrets_folder, settings.mark)
        if places.owner_url is not None:
            with opened(places.owner_url) as owner:
                migrate(owner, settings.mark)
        with opened(settings.database_url) as engine, hold_to_mark(engine, settings.mark).connect():
            pass  # it is the one that is meant
        yield places


@contextmanager
def opened(url: str) -> Iterator[Engine]:
    """An engine for the command's time."""
    engine = open_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def opened_service(data_dir: Path) -> Iterator[Service]:
    """The service's parts, in the mode that the database is in."""
    with migrated(data_dir) as places:
        service = open_service(places.settings)
        try:
            with service.engine.connect() as connection:
                demonstrates = demonstration_time(connection, SystemClock()) is not None
            yield replace(service, settings=replace(places.settings, demonstration=demonstrates))
        finally:
            service.engine.dispose()


def required(url: str | None, name: str) -> str:
    """The address.

    Raises:
        SettingsError: it is not set.
    """
    if url is None:
        raise SettingsError(f"请设置 {name} / set {name}")
    return url
