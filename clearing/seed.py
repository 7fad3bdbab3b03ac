"""Seeding: the shipped tenants and policy versions, and in demonstration mode what only a demonstration has.

Safe to run again, and by two processes at once: what is there and equal is left alone, what is there and differs stops
the service, because a stored version never changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import NAMESPACE_OID, uuid5

from sqlalchemy import Connection, Engine

from clearing.claims.key_rotation import require_right_keys
from clearing.claims.vault import open_vault
from settlement.office import Office
from settlement.payouts.payout_account import seed_demonstration_accounts
from tenants.kernel.change import GENESIS, Change, record
from tenants.kernel.clock import Clock
from tenants.kernel.database import Scope, Work, transaction
from tenants.kernel.errors import Text
from tenants.policy_document import PolicyDocument, load_demonstration, load_shipped
from tenants.policy_store import policy_subject
from tenants.profile import TenantProfile, load_tenants, tenant_codes

AUTHOR: Final = "shipped"
APPROVER: Final = "shipped review"
_SEED_LOCK: Final = 4206_2025


class SeedError(Exception):
    """What is shipped contradicts what is stored; ``text`` says what and what to do."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(f"{zh}\n{en}")
        self.text = Text(zh, en)


@dataclass(frozen=True, slots=True)
class Seeded:
    """How much one seeding added."""

    tenants: int
    policies: int


def seed(engine: Engine, machine: Clock, office: Office) -> Seeded:
    """Store what is shipped and not yet stored, in one transaction.

    Raises:
        SeedError: a shipped tenant or policy version differs from the stored one.
        Unavailable: the database is away.
    """
    with transaction(engine, scope_of_seed(), machine) as work:
        return seed_within(work, office)


def scope_of_seed() -> Scope:
    """What seeding touches."""
    return Scope(tenant_codes())


def seed_within(work: Work, office: Office) -> Seeded:
    """As :func:`seed`, within a transaction that has begun.

    Raises:
        SeedError: as above.
    """
    profiles = load_tenants()
    documents = load_shipped() + (load_demonstration() if office.demonstration else ())
    work.connection.exec_driver_sql("select pg_advisory_xact_lock(%s)", (_SEED_LOCK,))
    tenants = _seed_tenants(work.connection, profiles, work.at)
    if office.sandbox:
        record(work.connection, [_founded(profile.tenant) for profile in tenants], work.at)
    require_right_keys(work.connection, open_vault(office.secrets).keyring)
    policies = _seed_policies(work.connection, documents, work.at)
    if office.demonstration:
        names = {profile.tenant: profile.zh for profile in profiles}
        seed_demonstration_accounts(work.connection, names, office, work.at)
    return Seeded(len(tenants), policies)


def _seed_tenants(connection: Connection, profiles: Sequence[TenantProfile], at: datetime) -> Sequence[TenantProfile]:
    stored = {row[0]: tuple(row[1:4]) for row in connection.exec_driver_sql(_TENANTS)}
    new = [profile for profile in profiles if profile.tenant not in stored]
    for profile in profiles:
        wanted = (profile.code, profile.zh, list(profile.divisions))
        if profile.tenant in stored and stored[profile.tenant] != wanted:
            raise SeedError(
                f"区域 {profile.tenant} 的随附资料与数据库中的不同。请使用写入该数据库的版本，或编写迁移。",
                f"The shipped tenant {profile.tenant} differs from the stored one. Use the version that wrote the "
                "database, or write a migration.",
            )
    for profile in new:
        connection.exec_driver_sql(
            "insert into tenant (tenant, code, name_zh, name_en, divisions, created_at) "
            "values (%s, %s, %s, %s, %s, %s)",
            (profile.tenant, profile.code, profile.zh, profile.en, list(profile.divisions), at),
        )
        connection.exec_driver_sql(
            "insert into audit_head (tenant, seq, hash, at) values (%s, 0, %s, %s)", (profile.tenant, GENESIS, at)
        )
    return new


def _founded(tenant: str) -> Change:
    """A sandbox's chains begin with what they are, so that no change of the mark makes them a real instance's."""
    return Change(tenant, AUTHOR, "instance.sandbox", uuid5(NAMESPACE_OID, f"instance/{tenant}"))


_TENANTS: Final = "select tenant, code, name_zh, divisions from tenant"


def _seed_policies(connection: Connection, documents: Sequence[PolicyDocument], at: datetime) -> int:
    rows = connection.exec_driver_sql("select version, content_sha256 from policy_version")
    stored: dict[str, str] = {row.version: row.content_sha256 for row in rows}
    new = [document for document in documents if document.policy.version not in stored]
    for document in documents:
        version = document.policy.version
        if stored.get(version, document.digest) != document.digest:
            raise SeedError(
                f"随附的政策版本 {version} 与数据库中同名版本的内容不同。已批准的版本不可更改，"
                "请以新的生效日期另立版本。",
                f"The shipped policy version {version} differs from the stored one of that name. An approved version "
                "never changes: ship the change as a new version with its own effective date.",
            )
    for document in new:
        policy = document.policy
        connection.exec_driver_sql(
            "insert into policy_version (tenant, scheme, version, effective_on, document, content_sha256, "
            "demonstration, kind, correction, state, author, approver, recorded_at, approved_at) "
            "values (%s, %s, %s, %s, %s, %s, %s, 'shipped', %s, 'approved', %s, %s, %s, %s)",
            (
                policy.tenant, policy.scheme, policy.version, policy.effective_on, document.text, document.digest,
                policy.demonstration, policy.correction, AUTHOR, APPROVER, at, at,
            ),
        )  # fmt: skip
    record(connection, [_approved(document) for document in new], at)
    return len(new)


def _approved(document: PolicyDocument) -> Change:
    policy = document.policy
    return Change(
        policy.tenant,
        AUTHOR,
        "policy.approved",
        policy_subject(policy.version),
        None,
        "approved",
        details={"version": policy.version, "content_sha256": document.digest, "approver": APPROVER},
    )
