"""What settlement needs of the running service: its secrets, and whether it only demonstrates."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from settlement.bank.connections import BankConnection
from settlement.signatures.token import SETTINGS_FILE, Token, read_token
from tenants.kernel.sealing import KeyEncryptionKey, Sealer
from tenants.kernel.secrets import Secrets

KEK_VERSION: Final = 1


@dataclass(frozen=True)
class Office:
    """The secrets at hand while batches are worked on; ``demonstration`` lets demonstration accounts pay."""

    secrets: Secrets
    demonstration: bool
    banks: Mapping[str, BankConnection] = field(default_factory=dict)
    """How each tenant reaches its bank, and what its files look like; see ``settlement.bank.connections``."""
    sandbox: bool = False
    """Whether nothing here is real: every file says so, and no bank but the simulated one is reached."""

    @property
    def kek(self) -> bytes:
        """The key-encryption key, which wraps the signing keys."""
        return self.secrets.kek

    @cached_property
    def token(self) -> Token | None:
        """The token in which tenants' signing keys are made; ``None`` where they are kept sealed in the database.

        Raises:
            settlement.signatures.token.TokenSettingsError: its file cannot be used.
        """
        return None if self.secrets.folder is None else read_token(self.secrets.folder / SETTINGS_FILE)

    @cached_property
    def sealer(self) -> Sealer:
        """Seals account numbers and files at rest."""
        return Sealer([KeyEncryptionKey(KEK_VERSION, self.secrets.kek)])
