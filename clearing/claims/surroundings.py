"""What stands around a set of submissions: linked regions, standings and reservations, each read in one statement."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from clearing.claims.facts import LinkedRegion, Reservation, Standing
from connectors.submission import Submission
from settlement.ledger import Transfer, open_transfers
from tenants.kernel.money import Money
from tenants.kernel.statements import Query


@dataclass(frozen=True, slots=True)
class Recorded:
    """One dated record about an enterprise or provider."""

    kind: str
    from_on: date
    through_on: date
    on_platform: bool | None


Standings = tuple[dict[int, list[LinkedRegion]], dict[str, list[Recorded]]]
"""Linked regions by year, and records by USCC."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Linked regions by year, standings by USCC, reservations by id with what they have set aside."""

    linked: dict[int, list[LinkedRegion]]
    records: dict[str, list[Recorded]]
    reservations: dict[UUID, Reservation]
    set_aside: dict[UUID, list[Transfer]]

    def linked_region(self, year: int, division: str) -> LinkedRegion | None:
        """The most local linked region of the year that holds the division."""
        holding = [
            region for region in self.linked.get(year, ()) if division.startswith(division_prefix(region.division))
        ]
        return max(holding, key=lambda region: len(division_prefix(region.division)), default=None)

    def standing(self, uscc: str, on: date) -> Standing:
        """What is on record about the enterprise or provider on the day."""
        records = [r for r in self.records.get(uscc, ()) if r.from_on <= on <= r.through_on]
        by_kind: dict[str, list[Recorded]] = defaultdict(list)
        for record in records:
            by_kind[record.kind].append(record)
        admissions = [r for r in self.records.get(uscc, ()) if r.kind == "admission"]
        return Standing(
            sanctioned_through=max((r.through_on for r in by_kind["sanction"]), default=None),
            qualified=bool(by_kind["qualification"]),
            admitted=None if not admissions else bool(by_kind["admission"]),
            on_platform=any(r.on_platform for r in by_kind["admission"]) if by_kind["admission"] else None,
            trust_listed=bool(by_kind["trust"]),
        )

    def reservation(self, reservation_id: UUID | None) -> Reservation | None:
        """The reservation, where the claim names one and the tenant has it."""
        return None if reservation_id is None else self.reservations.get(reservation_id)

    def reserved(self, reservation_id: UUID | None) -> list[Transfer]:
        """What the reservation has set aside, as pending transfers; nothing once a claim has used it."""
        return [] if reservation_id is None else self.set_aside.get(reservation_id, [])

    def use(self, reservation_id: UUID | None) -> None:
        """Let nobody else in this transaction use the reservation."""
        if reservation_id is not None:
            self.set_aside.pop(reservation_id, None)
            self.reservations.pop(reservation_id, None)


def division_prefix(division: str) -> str:
    """A province's code ends in four noughts, a city's in two: what all divisions below it begin with."""
    return division[:2] if division.endswith("0000") else division[:4] if division.endswith("00") else division


def standing_query(tenant: str, claims: Sequence[Submission], years: Sequence[int]) -> Query[Standings]:
    """The linked regions of the years, and what is on record about the claims' parties."""
    parties = sorted({uscc for c in claims for uscc in (c.enterprise.uscc, c.provider.uscc)})
    return Query(
        "select year, division, types, null, null, null from linked_region where tenant = %s and year = any(%s) "
        "union all select null, uscc, array[kind], from_on, through_on, on_platform from standing "
        "where tenant = %s and uscc = any(%s)",
        (tenant, list(years), tenant, parties),
        _standings,
    )


def _standings(rows: Sequence[Any]) -> Standings:
    linked: dict[int, list[LinkedRegion]] = defaultdict(list)
    records: dict[str, list[Recorded]] = defaultdict(list)
    for year, name, kinds, from_on, through_on, on_platform in rows:
        if year is None:
            records[name].append(Recorded(kinds[0], from_on, through_on, on_platform))
        else:
            linked[year].append(LinkedRegion(name, tuple(kinds)))
    return linked, records


def read_surroundings(
    connection: Connection, tenant: str, claims: Sequence[Submission], standings: Standings
) -> Surroundings:
    """The standings with the reservations that the claims name, locked."""
    named = sorted({c.reservation_id for c in claims if c.reservation_id is not None})
    return Surroundings(*standings, *_reservations(connection, tenant, named))


def _reservations(
    connection: Connection, tenant: str, named: Sequence[UUID]
) -> tuple[dict[UUID, Reservation], dict[UUID, list[Transfer]]]:
    if not named:
        return {}, {}
    rows = connection.exec_driver_sql(
        "select id, state, expires_on, enterprise_uscc, provider_uscc, contract_number, amount_fen from reservation "
        "where tenant = %s and id = any(%s) order by id for no key update",
        (tenant, list(named)),
    )
    found = {
        reservation_id: Reservation(reservation_id, state, expires_on, enterprise, provider, contract, Money(fen))
        for reservation_id, state, expires_on, enterprise, provider, contract, fen in rows
    }
    set_aside: dict[UUID, list[Transfer]] = defaultdict(list)
    for transfer in open_transfers(connection, tenant, list(found)):
        set_aside[transfer.subject_id].append(transfer)
    return found, set_aside


def restorable_claims(connection: Connection, platform: str, claims: Sequence[Submission]) -> dict[UUID, str]:
    """Of the claims to be restored those that may be, with their enterprise: the platform's own, ended unpaid."""
    named = sorted({claim.restores for claim in claims if claim.restores is not None})
    if not named:
        return {}
    rows = connection.exec_driver_sql(
        "select id, enterprise_uscc from claim where id = any(%s) and platform = %s "
        "and state in ('rejected', 'withdrawn')",
        (named, platform),
    )
    return dict(tuple(row) for row in rows)
