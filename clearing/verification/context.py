"""What is few and known before the claims and batches are looked at one by one."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from clearing.verification.chain import Settings
from clearing.verification.linkages import Committed
from clearing.verification.signatures import VerifyingKey
from clearing.verification.snapshot import Row
from clearing.verification.terms import Policies
from clearing.verification.unsealing import OpenedSecrets


@dataclass(frozen=True, slots=True)
class Context:
    """Policies, keys and settings, which were checked first; batches and clients by id; the secrets where given."""

    policies: Policies
    keys: Mapping[str, VerifyingKey]
    settings: Settings
    batches: Mapping[tuple[str, UUID], Row]
    clients: Mapping[str, Row]
    agreements: Mapping[UUID, Row]
    payout_accounts: Mapping[str, Row]
    """The account that each tenant pays from."""
    on_record: frozenset[str]
    """Credit codes of which a tenant keeps a qualification, an admission, a sanction or a trust listing."""
    linkages: Mapping[tuple[str, str, int], list[Committed]]
    """What linked regions committed themselves to, by province, scheme and year, as the chains tell it."""
    key_versions: Mapping[int, str]
    """The state of each version of the registry's key."""
    secrets: OpenedSecrets | None
