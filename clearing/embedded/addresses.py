"""Where the three database roles and the queue are reached."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

DATABASE: Final = "clearing"
REDIS_TIMEOUT_SECONDS: Final = 30
"""redis-py gives up after 5 s by default, which a blocking read of the worker may exceed."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Connection addresses, passwords included: never log them.

    The database addresses are SQLAlchemy URLs, one for each role: the owner migrates, the app serves, the auditor reads
    every tenant's rows.
    """

    owner_url: str
    app_url: str
    auditor_url: str
    redis_url: str


def addresses(sockets: Path, passwords: Mapping[str, str]) -> Addresses:
    """The addresses of servers whose sockets lie in ``sockets``."""
    place = quote(str(sockets), safe="")
    path = quote(str(sockets / "valkey.sock"))

    def database(role: str) -> str:
        password = passwords[f"{role}-password"]
        return f"postgresql+psycopg://clearing_{role}:{password}@/{DATABASE}?host={place}&port=5432"

    return Addresses(
        owner_url=database("owner"),
        app_url=database("app"),
        auditor_url=database("auditor"),
        redis_url=f"unix://:{passwords['redis-password']}@{path}?db=0&socket_timeout={REDIS_TIMEOUT_SECONDS}",
    )
