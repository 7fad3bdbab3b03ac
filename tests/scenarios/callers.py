"""Callers of a running service, made in its database as `clearing client create` makes them."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Engine

from tenants.credentials import create_client
from tenants.kernel.clock import SystemClock
from tenants.principal import PLATFORM_SCOPES
from tests.service.running import Api

TENANTS: Final = ("jiangsu", "jiashan", "maanshan", "qingpu", "shanxi-hainan", "wujiang")


@dataclass(frozen=True)
class Callers:
    """Makes callers."""

    address: str
    engine: Engine

    def platform(self, code: str, *tenants: str, scopes: tuple[str, ...] = PLATFORM_SCOPES) -> Api:
        """A platform's client for some tenants."""
        return self.made(code, tenants, scopes, None)

    def person(self, name: str, *scopes: str, tenants: tuple[str, ...] = TENANTS) -> Api:
        """A person's client, for all tenants unless some are named."""
        return self.made(None, tenants, scopes, name)

    def made(self, platform: str | None, tenants: tuple[str, ...], scopes: tuple[str, ...], person: str | None) -> Api:
        """A client with exactly these."""
        with self.engine.begin() as connection:
            client = create_client(connection, platform, tenants, scopes, person, SystemClock().now())
        return Api(self.address, client.client_id, client.client_secret)
