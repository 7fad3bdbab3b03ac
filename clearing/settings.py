"""Settings: read once from the environment or made by the command line, then never changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DATABASE_URL = "CLEARING_DATABASE_URL"
REDIS_URL = "CLEARING_REDIS_URL"
SECRETS_DIR = "CLEARING_SECRETS_DIR"
CHECKPOINTS_DIR = "CLEARING_CHECKPOINTS_DIR"
DEMONSTRATION = "CLEARING_DEMONSTRATION"
BANKS = "CLEARING_BANKS"


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

    @property
    def banks_file(self) -> Path:
        """The file that says which bank each tenant sends to; see ``settlement.bank.connections``."""
        return self.banks or self.secrets_folder / "banks.toml"

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
        demonstration=environment.get(DEMONSTRATION, "") == "yes",
        checkpoints=Path(environment[CHECKPOINTS_DIR]) if environment.get(CHECKPOINTS_DIR) else None,
        banks=Path(environment[BANKS]) if environment.get(BANKS) else None,
    )


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
