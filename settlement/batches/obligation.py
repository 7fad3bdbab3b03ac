"""Obligations: what was approved and is not yet paid, handed over as values; where they come from is not asked here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from settlement.payouts.instruction import Account
from tenants.kernel.errors import Conflict
from tenants.kernel.money import Money
from tenants.kernel.sealing import Place, Sealer
from tenants.kernel.statements import insert_rows


@dataclass(frozen=True, slots=True)
class Obligation:
    """What is to be paid to ``payee``, the account of the party named ``payee_name``: as a rule an approved claim.

    That is the enterprise in ``common_use``, the provider in ``cross_redemption``. What is no claim of the tenant's
    own has a ``kind`` (see ``KINDS``), a ``claim_id`` of its own, and the claim behind it as ``origin_id`` in the
    books of the ``funder``. ``applied_at``: when the claim was submitted. ``payee_digest`` (32 bytes, keyed) is equal
    for equal accounts: what is paid to one account in one batch is one instruction.
    """

    claim_id: UUID
    claim_no: str
    platform: str
    scheme: str
    mode: str
    quota_year: int
    enterprise_name: str
    provider_name: str
    provider_uscc: str
    payee_name: str
    payee: Account
    payee_digest: bytes
    amount: Money
    provider_division: str | None = None
    kind: str | None = None
    funder: str | None = None
    origin_id: UUID | None = None
    due_on: date | None = None
    applied_at: datetime | None = None


KINDS: Final = {
    "home_region": ("cross_redemption",),
    "matching": ("common_use",),
    "incentive": ("cross_redemption",),
    "reissue": ("common_use", "cross_redemption"),
}
"""Obligations that are not a claim of the tenant's own, by kind, and the modes that say who is paid.

``home_region``: the provider's home tenant pays for the funder; ``matching``: a linked region's own money on top of
the funder's award; ``incentive``: the yearly reward of a provider; ``reissue``: what came back, in the mode of the
first.
"""

_COLUMNS = (
    "tenant", "id", "claim_no", "platform", "scheme", "mode", "quota_year", "enterprise_name", "provider_name",
    "provider_uscc", "payee_name", "account_name", "account_sealed", "payee_digest", "bank_name", "cnaps",
    "amount_fen", "approved_at", "provider_division", "kind", "funder", "origin_id", "due_on",
    "applied_at",
)  # fmt: skip
_REOPEN = (
    "on conflict (tenant, id) do update set batch_id = null, released_at = null, "
    + ", ".join(f"{column} = excluded.{column}" for column in _COLUMNS[2:])
    + " where obligation.released_at is not null"
)


def open_obligations(
    connection: Connection, tenant: str, obligations: Sequence[Obligation], sealer: Sealer, at: datetime
) -> None:
    """Open the obligations, approved at ``at``; one that was taken back is opened again with what it says now.

    Raises:
        Conflict: ``obligation.open``: one of the claims has an obligation already that was not taken back.
    """
    standing = connection.exec_driver_sql(
        "select claim_no from obligation where tenant = %s and id = any(%s) and released_at is null order by claim_no",
        (tenant, [obligation.claim_id for obligation in obligations]),
    ).first()
    if standing is not None:
        raise Conflict(
            "obligation.open",
            f"兑付申请 {standing.claim_no} 已在待兑付清单中。",
            f"The claim {standing.claim_no} is waiting to be paid already.",
        )
    rows = [_row(tenant, obligation, sealer, at) for obligation in obligations]
    insert_rows(connection, "obligation", _COLUMNS, rows, _REOPEN)


def take_back(connection: Connection, tenant: str, claim_id: UUID, at: datetime) -> None:
    """Take an obligation that is in no batch back to its claim (withdrawal); without one, nothing happens.

    Raises:
        Conflict: ``claim.batched``: it is in a batch, which only an objection can take it out of.
    """
    connection.exec_driver_sql(
        "update obligation set released_at = %s "
        "where tenant = %s and id = %s and batch_id is null and released_at is null",
        (at, tenant, claim_id),
    )
    if connection.exec_driver_sql(
        "select 1 from obligation where tenant = %s and id = %s and released_at is null", (tenant, claim_id)
    ).first():
        raise Conflict(
            "claim.batched",
            "该申请已列入兑付批次，不能撤回。",
            "The claim is in a settlement batch and cannot be taken back.",
        )


def account_place(tenant: str, claim_id: UUID) -> Place:
    """Where an obligation's account number is sealed."""
    return Place("obligation", "account_sealed", tenant, str(claim_id))


def account_opener(sealer: Sealer, tenant: str) -> Callable[[str, bytes], str]:
    """What opens the account numbers of a tenant's obligations, each given by its id and its sealed form."""
    return sealer.opener("obligation", "account_sealed", tenant)


def _row(tenant: str, o: Obligation, sealer: Sealer, at: datetime) -> tuple[object, ...]:
    sealed = sealer.seal(o.payee.account_number, account_place(tenant, o.claim_id))
    return (
        tenant, o.claim_id, o.claim_no, o.platform, o.scheme, o.mode, o.quota_year, o.enterprise_name,
        o.provider_name, o.provider_uscc, o.payee_name, o.payee.account_name, sealed,
        o.payee_digest, o.payee.bank_name, o.payee.cnaps, o.amount.fen, at, o.provider_division, o.kind, o.funder,
        o.origin_id, o.due_on, o.applied_at,
    )  # fmt: skip
