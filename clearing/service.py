"""What every part of the running service shares: the database, the secrets, the machine's clock and the settings."""

from dataclasses import dataclass, field

from redis import Redis
from sqlalchemy import Connection, Engine

from clearing.claims.vault import Vault, open_vault
from clearing.demonstration_clock import demonstration_time
from clearing.oidc.settings import Providers, read_providers
from clearing.settings import Settings
from settlement.bank.connections import BankConnection, Connections, read_connections, refuse_real_bank
from settlement.office import Office
from tenants.instance import hold_to_mark, require_secrets
from tenants.kernel.clock import Clock, SystemClock
from tenants.kernel.database import open_engine
from tenants.kernel.secrets import Secrets, load_secrets
from tenants.profile import tenant_codes


@dataclass(frozen=True, slots=True)
class Service:
    """The service of one process."""

    settings: Settings
    engine: Engine
    queue: Redis
    secrets: Secrets
    vault: Vault
    machine: Clock = field(default_factory=SystemClock)
    banks: Connections = field(default_factory=dict)
    providers: Providers = field(default_factory=dict)
    """Who vouches for people at the console's door, beside their passwords."""

    @property
    def office(self) -> Office:
        """What settlement needs of this service."""
        return Office(self.secrets, self.settings.demonstration, self.banks, sandbox=self.settings.sandbox)

    def demonstrates(self, connection: Connection) -> bool:
        """Whether the database holds a demonstration that is no sandbox: then nothing of it reaches a bank."""
        if self.settings.sandbox:
            return False
        return self.settings.demonstration or demonstration_time(connection, self.machine) is not None

    def require_way(self, connection: Connection, bank: BankConnection | None) -> None:
        """Refuse the way to a bank, where there is one, on a database that holds a demonstration.

        Raises:
            Conflict: ``bank.demonstration``.
        """
        if bank is not None and self.demonstrates(connection):
            refuse_real_bank(bank)


def open_service(settings: Settings) -> Service:
    """Open the service's parts; connections are made when they are first needed.

    Raises:
        MixedInstancesError: the secrets are those of the other kind of instance; the database, when it is connected.
    """
    require_secrets(settings.secrets_folder, settings.mark)
    secrets = load_secrets(settings.secrets_folder)
    return Service(
        settings,
        hold_to_mark(open_engine(settings.database_url), settings.mark),
        Redis.from_url(settings.redis_url),
        secrets,
        open_vault(secrets),
        banks=read_connections(
            settings.banks_file,
            settings.sandbox_folder,
            demonstrates=settings.demonstration,
            tenants=tenant_codes(),
        ),
        providers=read_providers(settings.providers_file),
    )
