"""Settings: read once from the environment or made by the command line, then never changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clearing.proxies import Network, proxies_from
from tenants.instance import REAL, SANDBOX, mark_of

DATABASE_URL = "CLEARING_DATABASE_URL"
REDIS_URL = "CLEARING_REDIS_URL"
SECRETS_DIR = "CLEARING_SECRETS_DIR"
CHECKPOINTS_DIR = "CLEARING_CHECKPOINTS_DIR"
DEMONSTRATION = "CLEARING_DEMONSTRATION"
INSTANCE = "CLEARING_INSTANCE"
"""``real``, which holds where it is not set, or ``sandbox``."""
BANKS = "CLEARING_BANKS"
LOOKS_PER_HOUR = "CLEARING_LOOKS_PER_HOUR"
DEFAULT_LOOKS_PER_HOUR = 1000
WEBHOOK_WAIT_MS = "CLEARING_WEBHOOK_WAIT_MS"
DEFAULT_WEBHOOK_WAIT_MS = 5000
STATEMENT_MIB = "CLEARING_STATEMENT_MIB"
DEFAULT_STATEMENT_MIB = 3072
"""1,000,000 entries of a camt.053 that says everything a bank may say of one, indented: see the tests' entry."""
TRUSTED_PROXIES = "CLEARING_TRUSTED_PROXIES"


class SettingsError(RuntimeError):
    """A setting is missing or cannot be read; the message names it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the service's parts are, and whether it only demonstrates."""

    database_url: str
    redis_url: str
    secrets_folder: Path
    demonstration: bool = False
    checkpoints: Path | None = None
    """Where signed audit checkpoints are kept, if not beside the secrets."""
    banks: Path | None = None
    """The file of the tenants' bank connections, if not ``banks.toml`` beside the secrets."""
    looks_per_hour: int = DEFAULT_LOOKS_PER_HOUR
    """How many keys that other tenants hold a client may meet in one hour; see ``clearing.claims.probes``."""

    webhook_wait_ms: int = DEFAULT_WEBHOOK_WAIT_MS
    """How long after a first attempt that failed a webhook is tried again; each further wait is twice as long."""

    statement_mib: int = DEFAULT_STATEMENT_MIB
    """How many mebibytes the file of a bank's answer may have, however it is handed in."""
    trusted_proxies: tuple[Network, ...] = ()
    """The networks of the proxies before the service, whose word for a caller's address is taken; nobody's if none."""
    sandbox: bool = False
    """Whether this is a sandbox; database and secrets have to say the same, see ``tenants.instance``."""
    embedded: bool = False
    """Whether everything runs on this one machine, so that what listens on its loopback is its user's own."""

    @property
    def mark(self) -> str:
        """The mark of the instance."""
        return mark_of(sandbox=self.sandbox)

    @property
    def statement_bytes(self) -> int:
        """The largest file of a bank's answer."""
        return self.statement_mib * 2**20

    @property
    def calls_loopback(self) -> bool:
        """Whether platforms may listen on this machine: at a demonstration, and in nobody else's sandbox."""
        return self.demonstration and (self.embedded or not self.sandbox)

    @property
    def sandbox_folder(self) -> Path | None:
        """In a sandbox: the folder within which its payment files stay."""
        return self.secrets_folder.parent.resolve() / "bank" if self.sandbox else None

    @property
    def banks_file(self) -> Path:
        """The file that says which bank each tenant sends to; see ``settlement.bank.connections``."""
        return self.banks or self.secrets_folder / "banks.toml"

    @property
    def providers_file(self) -> Path:
        """The file that says who vouches for people at the console's door; see ``clearing.oidc.settings``."""
        return self.secrets_folder / "oidc.toml"

    @property
    def checkpoints_folder(self) -> Path:
        """The folder of the signed audit checkpoints, outside the database."""
        return self.checkpoints or self.secrets_folder.parent / "checkpoints"


def settings_from(environment: Mapping[str, str]) -> Settings:
    """Read the settings; ``NAME_FILE`` names a file that holds the value of ``NAME``.

    Raises:
        SettingsError: a setting is missing, or its file cannot be read.
    """
    return Settings(
        database_url=_value(environment, DATABASE_URL),
        redis_url=_value(environment, REDIS_URL),
        secrets_folder=Path(_value(environment, SECRETS_DIR)),
        demonstration=environment.get(DEMONSTRATION, "") == "yes" or instance_from(environment) == SANDBOX,
        checkpoints=Path(environment[CHECKPOINTS_DIR]) if environment.get(CHECKPOINTS_DIR) else None,
        banks=Path(environment[BANKS]) if environment.get(BANKS) else None,
        looks_per_hour=looks_per_hour_from(environment),
        webhook_wait_ms=webhook_wait_from(environment),
        statement_mib=statement_mib_from(environment),
        trusted_proxies=trusted_proxies_from(environment),
        sandbox=instance_from(environment) == SANDBOX,
    )


def instance_from(environment: Mapping[str, str]) -> str | None:
    """The kind of instance that is set up; ``None`` where nothing says so.

    Raises:
        SettingsError: it is none of the two.
    """
    said = environment.get(INSTANCE) or None
    if said not in {None, REAL, SANDBOX}:
        raise SettingsError(f"{INSTANCE} 须为 {REAL} 或 {SANDBOX} / {INSTANCE} must be {REAL} or {SANDBOX}")
    return said


def looks_per_hour_from(environment: Mapping[str, str]) -> int:
    """The limit of looks, or the one that holds where none is set.

    Raises:
        SettingsError: it is no whole number above zero.
    """
    return _above_zero(environment, LOOKS_PER_HOUR, DEFAULT_LOOKS_PER_HOUR)


def webhook_wait_from(environment: Mapping[str, str]) -> int:
    """The first wait of a webhook, in milliseconds.

    Raises:
        SettingsError: it is no whole number above zero.
    """
    return _above_zero(environment, WEBHOOK_WAIT_MS, DEFAULT_WEBHOOK_WAIT_MS)


def statement_mib_from(environment: Mapping[str, str]) -> int:
    """How large the file of a bank's answer may be, in mebibytes.

    Raises:
        SettingsError: it is no whole number above zero.
    """
    return _above_zero(environment, STATEMENT_MIB, DEFAULT_STATEMENT_MIB)


def trusted_proxies_from(environment: Mapping[str, str]) -> tuple[Network, ...]:
    """The networks of the proxies that are believed; none where none is set.

    Raises:
        SettingsError: one is no network in CIDR notation.
    """
    try:
        return proxies_from(environment.get(TRUSTED_PROXIES, ""))
    except ValueError as error:
        raise SettingsError(
            f"{TRUSTED_PROXIES} 须为以逗号分隔的 CIDR 网段，如 10.0.0.0/24,fd00::/8 / "
            f"{TRUSTED_PROXIES} must be networks in CIDR notation with commas between: {error}"
        ) from error


def _above_zero(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name) or str(default)
    if not text.isascii() or not text.isdecimal() or int(text) < 1:
        raise SettingsError(f"{name} 须为正整数 / {name} must be a whole number above zero")
    return int(text)


def value_from(environment: Mapping[str, str], name: str) -> str | None:
    """The value of ``NAME``, or of the file that ``NAME_FILE`` names; ``None`` where neither is set.

    Raises:
        SettingsError: the file cannot be read.
    """
    if file := environment.get(f"{name}_FILE"):
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SettingsError(f"{name}_FILE: {error}") from error
    return environment.get(name) or None


def _value(environment: Mapping[str, str], name: str) -> str:
    value = value_from(environment, name)
    if value is None:
        raise SettingsError(f"请设置 {name} 或 {name}_FILE / set {name} or {name}_FILE")
    return value
