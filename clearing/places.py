"""Where the databases, the queue and the secrets are: embedded in a data folder, or as the environment names them."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clearing.embedded import Addresses, AlreadyRunningError, EmbeddedServers, embedded
from clearing.settings import (
    DATABASE_URL,
    REDIS_URL,
    Settings,
    SettingsError,
    instance_from,
    looks_per_hour_from,
    settings_from,
    statement_mib_from,
    trusted_proxies_from,
    value_from,
    webhook_wait_from,
)
from tenants.instance import SANDBOX, mark_of_secrets

OWNER_URL: Final = "CLEARING_OWNER_DATABASE_URL"
"""The owner's address, for migrations only."""
AUDITOR_URL: Final = "CLEARING_AUDITOR_DATABASE_URL"
"""The auditor's address, who reads every tenant's rows, for verification."""
SERVICE_LOG: Final = "service.jsonl"
OWNER_SECONDS: Final = 6
"""How long the service waits for a command that owns the embedded servers only while it runs."""


@dataclass(frozen=True, slots=True)
class Places:
    """Everything a command needs to know of where things are. ``log`` is ``None`` where logs go to standard error."""

    settings: Settings
    owner_url: str | None
    auditor_url: str | None
    log: Path | None = None
    notices: tuple[str, ...] = ()
    revive: Callable[[], tuple[str, ...]] = tuple
    """Starts embedded servers again that died; their names."""


@contextmanager
def open_places(data_dir: Path, environment: Mapping[str, str]) -> Iterator[Places]:
    """The places for one command: embedded servers that run already are used, else started and stopped at the end.

    Raises:
        EmbeddedError: the embedded servers cannot be started.
        SettingsError: the environment names some of the places and not the others.
    """
    if not _embedded(environment):
        yield _named(environment)
        return
    with embedded(data_dir) as addresses:
        yield _within(data_dir, addresses, environment)


@contextmanager
def own_places(
    data_dir: Path, environment: Mapping[str, str], starting: Callable[[], AbstractContextManager[None]]
) -> Iterator[Places]:
    """The places for the service itself, which owns the embedded servers; ``starting`` surrounds their start.

    Raises:
        AlreadyRunningError: another process owns them.
        EmbeddedError, SettingsError: as above.
    """
    if not _embedded(environment):
        yield _named(environment)
        return
    servers = EmbeddedServers(data_dir)
    try:
        with starting():
            addresses = _start(servers)
        yield _within(data_dir, addresses, environment, tuple(servers.notices), servers.revive)
    finally:
        servers.stop()


def _start(servers: EmbeddedServers) -> Addresses:
    """Start them; another command may own them for a moment (see ``open_places``)."""
    deadline = time.monotonic() + OWNER_SECONDS
    while True:
        try:
            return servers.start()
        except AlreadyRunningError:
            if time.monotonic() > deadline:
                raise


def _embedded(environment: Mapping[str, str]) -> bool:
    named = [name for name in (DATABASE_URL, REDIS_URL) if environment.get(name) or environment.get(f"{name}_FILE")]
    if len(named) == 1:
        raise SettingsError(
            f"{DATABASE_URL} 与 {REDIS_URL} 须同时设置，或都不设置（使用内置服务器）/ "
            f"set both {DATABASE_URL} and {REDIS_URL}, or neither (embedded servers)"
        )
    return not named


def _named(environment: Mapping[str, str]) -> Places:
    return Places(settings_from(environment), value_from(environment, OWNER_URL), value_from(environment, AUDITOR_URL))


def _within(
    data_dir: Path,
    addresses: Addresses,
    environment: Mapping[str, str],
    notices: tuple[str, ...] = (),
    revive: Callable[[], tuple[str, ...]] = tuple,
) -> Places:
    root = data_dir.resolve()
    settings = Settings(
        addresses.app_url,
        addresses.redis_url,
        root / "secrets",
        checkpoints=root / "checkpoints",
        looks_per_hour=looks_per_hour_from(environment),
        webhook_wait_ms=webhook_wait_from(environment),
        statement_mib=statement_mib_from(environment),
        trusted_proxies=trusted_proxies_from(environment),
        sandbox=(instance_from(environment) or mark_of_secrets(root / "secrets")) == SANDBOX,
        embedded=True,
    )
    log = root / "logs" / SERVICE_LOG
    return Places(settings, addresses.owner_url, addresses.auditor_url, log, notices, revive)
