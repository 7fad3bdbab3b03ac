"""What stands around a set of submissions: linked regions, standings and reservations, each read in one statement."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import Connection

from clearing.claims.facts import LinkedRegion, Reservation, Standing
from connectors.submission import Submission
from settlement.ledger import Transfer, open_transfers
from tenants.kernel.money import Money


@dataclass(frozen=True, slots=True)
class _Record:
    kind: str
    from_on: date
    through_on: date
    on_platform: bool | None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Linked regions by year, standings by USCC, reservations by id with what they have set aside."""

    linked: dict[int, list[LinkedRegion]]
    records: dict[str, list[_Record]]
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
        by_kind: dict[str, list[_Record]] = defaultdict(list)
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


def read_surroundings(
    connection: Connection, tenant: str, claims: Sequence[Submission], years: Sequence[int]
) -> Surroundings:
    """Read what stands around the claims, and lock the reservations that they name."""
    linked: dict[int, list[LinkedRegion]] = defaultdict(list)
    for year, division, types in connection.exec_driver_sql(
        "select year, division, types from linked_region where tenant = %s and year = any(%s)", (tenant, list(years))
    ):
        linked[year].append(LinkedRegion(division, tuple(types)))
    records: dict[str, list[_Record]] = defaultdict(list)
    parties = sorted({uscc for c in claims for uscc in (c.enterprise.uscc, c.provider.uscc)})
    for uscc, kind, from_on, through_on, on_platform in connection.exec_driver_sql(
        "select uscc, kind, from_on, through_on, on_platform from standing where tenant = %s and uscc = any(%s)",
        (tenant, parties),
    ):
        records[uscc].append(_Record(kind, from_on, through_on, on_platform))
    named = sorted({c.reservation_id for c in claims if c.reservation_id is not None})
    return Surroundings(linked, records, *_reservations(connection, tenant, named))


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
