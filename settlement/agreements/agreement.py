"""Agreements between a pair of tenants, or a tenant and an outside region: how a provider across the border is paid.

``direct``: the funding tenant pays itself, as without any agreement. ``agent``: it pays the batch in to a settlement
agent, who pays the providers (沪科合〔2020〕31号 三(五)). ``home_region``: the provider's home tenant pays, and the
funding tenant owes it. In force is the pair's latest approved one that is not after the day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from settlement.office import Office
from settlement.payouts.instruction import Account
from tenants.kernel.canonical import Json, plain
from tenants.kernel.errors import not_found
from tenants.kernel.money import Money
from tenants.kernel.sealing import Place

FORMS: Final = ("direct", "agent", "home_region")
DEFAULT_SET: Final = "delta"
"""The set of agreements whose debts are cleared together, where none is named."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """One row of ``agreement``; the field names are the columns'."""

    tenant: str
    id: UUID
    counterparty: str
    form: str
    netting: str
    agreement_set: str
    effective_on: date
    document: str
    exposure_limit_fen: int | None
    exposure_approver: str | None
    agent_name: str | None
    agent_account_tail: str | None
    agent_bank_name: str | None
    agent_cnaps: str | None
    state: str
    proposed_by: str
    proposed_at: datetime
    approved_by: str | None = None
    approved_at: datetime | None = None
    accepted_by: str | None = None
    accepted_at: datetime | None = None
    refused_by: str | None = None
    refused_at: datetime | None = None
    refused_reason: str | None = None
    partner: str | None = None
    sends_orders: bool = False
    """Whether orders between the two are sent to their banks by themselves."""

    @property
    def sides(self) -> tuple[str, ...]:
        """The tenants that have to agree."""
        return (self.tenant,) if self.partner is None else (self.tenant, self.partner)

    @property
    def exposure_limit(self) -> Money | None:
        """What either may owe the other and has not settled; ``None`` for no limit."""
        return None if self.exposure_limit_fen is None else Money(self.exposure_limit_fen)

    def other(self, tenant: str) -> str:
        """The side that is not the tenant."""
        return self.counterparty if tenant == self.tenant else self.tenant

    def json(self) -> dict[str, Json]:
        """The agreement in the form of the API; the agent's account number is masked."""
        agent: Json = None
        if self.form == "agent":
            agent = {
                "account_name": self.agent_name,
                "account_number": self.agent_account_tail,
                "bank_name": self.agent_bank_name,
                "cnaps": self.agent_cnaps,
            }
        limit = self.exposure_limit
        return {
            **{name: plain(getattr(self, name)) for name in _SHOWN},
            "exposure_limit": None if limit is None else str(limit),
            "agent": agent,
        }

    def witnessed(self) -> dict[str, Json]:
        """What the audit chains say of it."""
        return {name: value for name, value in self.json().items() if name in _WITNESSED}


_SHOWN: Final = (
    "id", "tenant", "counterparty", "form", "netting", "agreement_set", "effective_on", "document",
    "exposure_approver", "sends_orders", "state", "proposed_by", "proposed_at", "approved_by", "approved_at",
    "accepted_by", "accepted_at", "refused_by", "refused_at", "refused_reason",
)  # fmt: skip
_WITNESSED: Final = frozenset(
    {
        "tenant", "counterparty", "form", "netting", "agreement_set", "effective_on", "document", "exposure_limit",
        "exposure_approver", "agent", "sends_orders",
    }
)  # fmt: skip
COLUMNS: Final = tuple(field.name for field in fields(Agreement))
_LIST: Final = ", ".join(COLUMNS)


def find_agreement(connection: Connection, tenant: str, agreement_id: UUID, *, lock: bool = False) -> Agreement:
    """The agreement, which the tenant is a side of.

    Raises:
        NotFound: there is none.
    """
    row = connection.exec_driver_sql(
        f"select {_LIST} from agreement where id = %s and (tenant = %s or counterparty = %s)"  # noqa: S608 - our own
        + (" for no key update" if lock else ""),
        (agreement_id, tenant, tenant),
    ).one_or_none()
    if row is None:
        raise not_found("结算协议", "agreement")
    return Agreement(*row)


def list_agreements(
    connection: Connection, tenant: str, filters: Mapping[str, str], after: UUID | None, limit: int
) -> list[Agreement]:
    """At most ``limit`` agreements of the tenant, newest first; ``filters``: any of state, counterparty."""
    where, values = _wanted(tenant, filters)
    if after is not None:
        where.append("id < %s::uuid")
        values.append(str(after))
    rows = connection.exec_driver_sql(
        f"select {_LIST} from agreement where {' and '.join(where)} order by id desc limit %s",  # noqa: S608 - ours
        (*values, limit),
    )
    return [Agreement(*row) for row in rows]


def _wanted(tenant: str, filters: Mapping[str, str]) -> tuple[list[str], list[str]]:
    where, values = ["(tenant = %s or counterparty = %s)"], [tenant, tenant]
    if "state" in filters:
        where.append("state = %s")
        values.append(filters["state"])
    if "counterparty" in filters:
        where.append("%s in (tenant, counterparty)")
        values.append(filters["counterparty"])
    return where, values


def in_force(connection: Connection, tenant: str, on: date) -> dict[str, Agreement]:
    """The tenant's agreements that are in force on the day, by the other side."""
    return {agreement.other(tenant): agreement for agreement in all_in_force(connection, (tenant,), on)}


def all_in_force(connection: Connection, tenants: Sequence[str], on: date) -> list[Agreement]:
    """The agreements that are in force on the day and have one of these tenants for a side."""
    rows = connection.exec_driver_sql(
        "select distinct on (least(tenant, counterparty), greatest(tenant, counterparty)) "  # noqa: S608 - our own
        f"{_LIST} from agreement where (tenant = any(%s) or counterparty = any(%s)) and state = 'approved' "
        "and effective_on <= %s order by least(tenant, counterparty), greatest(tenant, counterparty), "
        "effective_on desc",
        (list(tenants), list(tenants), on),
    )
    return [Agreement(*row) for row in rows]


def agreement_totals(
    connection: Connection, tenant: str, filters: Mapping[str, str], most: int | None = None
) -> tuple[int, Money]:
    """How many agreements there are of these, and the sum of their exposure limits; of ``most``, where it is given."""
    where, values = _wanted(tenant, filters)
    count, fen = connection.exec_driver_sql(
        "select count(*), coalesce(sum(exposure_limit_fen), 0)::bigint from ("  # noqa: S608 - our own columns
        f"select exposure_limit_fen from agreement where {' and '.join(where)} limit %s) found",
        (*values, most),
    ).one()
    return count, Money(fen)


def members(connection: Connection, agreement_set: str) -> list[str]:
    """The bound tenants whose debts are cleared within the set."""
    rows = connection.exec_driver_sql(
        "select distinct side from agreement, unnest(array[tenant, partner]) side "
        "where agreement_set = %s and form = 'home_region' and state = 'approved' order by side",
        (agreement_set,),
    )
    return [side for (side,) in rows]


def agent_account(connection: Connection, agreement: Agreement, office: Office) -> Account:
    """The settlement agent's account, opened.

    Raises:
        ValueError: the agreement has no agent.
    """
    sealed: Any = connection.exec_driver_sql(
        "select agent_account_sealed from agreement where tenant = %s and id = %s", (agreement.tenant, agreement.id)
    ).scalar_one()
    if sealed is None or not (agreement.agent_name and agreement.agent_bank_name and agreement.agent_cnaps):
        raise ValueError("the agreement has no agent")
    number = office.sealer.unseal(bytes(sealed), agent_place(agreement.tenant, agreement.id))
    return Account(agreement.agent_name, number, agreement.agent_bank_name, agreement.agent_cnaps)


def agent_place(tenant: str, agreement_id: UUID) -> Place:
    """Where an agreement's agent account is sealed."""
    return Place("agreement", "agent_account_sealed", tenant, str(agreement_id))
