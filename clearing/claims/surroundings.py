"""What stands around a set of submissions: linked regions, standings and reservations, each read in one statement."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from clearing.claims.facts import DirectoryEntry, LinkedRegion, LinkedTerms, Reservation, Standing
from connectors.submission import Submission
from settlement.ledger import Transfer, open_transfers
from tenants.kernel.arrays import texts
from tenants.kernel.money import Money
from tenants.kernel.rate import parse_rate
from tenants.kernel.statements import Query


@dataclass(frozen=True, slots=True)
class Recorded:
    """One dated record about an enterprise or provider: a sanction, qualification, admission or trust listing.

    ``entry`` is what the directory says, of an admission only.
    """

    kind: str
    state: str
    from_on: date
    through_on: date | None
    scheme: str | None = None
    year: int | None = None
    on_platform: bool | None = None
    entry: DirectoryEntry | None = None

    def covers(self, on: date) -> bool:
        """Whether the day lies in the record's time, both ends included."""
        return self.from_on <= on and (self.through_on is None or on <= self.through_on)


@dataclass(frozen=True, slots=True)
class Linked:
    """A linked region of a year; one that committed itself does so for a scheme and from a day on."""

    region: LinkedRegion
    scheme: str | None = None
    from_on: date = date.min

    def matches(self, division: str, scheme: str, on: date) -> bool:
        """Whether it matches awards of the scheme to enterprises of the division on the day."""
        below = division.startswith(division_prefix(self.region.division))
        return below and self.scheme in {None, scheme} and self.from_on <= on


Standings = tuple[dict[int, list[Linked]], dict[str, list[Recorded]]]
"""Linked regions by year, and records by USCC."""
STANDING: Final = frozenset({"admitted", "exited", "withdrawn"})
"""States in which a record counted or counts within its days; those that ended early have an earlier last day."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Linked regions by year, standings by USCC, reservations by id with what they have set aside."""

    linked: dict[int, list[Linked]]
    records: dict[str, list[Recorded]]
    reservations: dict[UUID, Reservation]
    set_aside: dict[UUID, list[Transfer]]

    def linked_region(self, year: int, division: str, scheme: str, on: date) -> LinkedRegion | None:
        """The most local linked region of the year that holds the division; its own latest commitment where it has one.

        ``on`` is the policy date.
        """
        matching = [one for one in self.linked.get(year, ()) if one.matches(division, scheme, on)]
        found = max(matching, key=lambda one: (len(division_prefix(one.region.division)), one.from_on), default=None)
        return None if found is None else found.region

    def enterprise(self, uscc: str, scheme: str, year: int, on: date) -> Standing:
        """What is on record about the enterprise on the day, for the scheme's quota year."""
        records = self.records.get(uscc)
        if not records:
            return _UNKNOWN
        qualifications = [r for r in records if (r.kind, r.scheme, r.year) == ("qualification", scheme, year)]
        return Standing(sanctioned_through=_sanctioned(records, on), qualified=_counts(qualifications, on))

    def provider(self, uscc: str, scheme: str, on: date) -> Standing:
        """What is on record about the provider on the day, in the scheme's directory."""
        records = self.records.get(uscc)
        if not records:
            return _UNKNOWN
        admissions = [r for r in records if (r.kind, r.scheme) == ("admission", scheme)]
        standing = [r for r in admissions if r.state in STANDING and r.covers(on)]
        return Standing(
            sanctioned_through=_sanctioned(records, on),
            admitted=_counts(admissions, on),
            on_platform=standing[-1].on_platform if standing else None,
            trust_listed=any(r.kind == "trust" and r.covers(on) for r in records),
            directory=standing[-1].entry if standing else None,
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


_UNKNOWN: Final = Standing()
"""Of most parties nothing is on record."""


def division_prefix(division: str) -> str:
    """A province's code ends in four noughts, a city's in two: what all divisions below it begin with."""
    return division[:2] if division.endswith("0000") else division[:4] if division.endswith("00") else division


def _sanctioned(records: Sequence[Recorded], on: date) -> date | None:
    return max((r.through_on for r in records if r.kind == "sanction" and r.covers(on) and r.through_on), default=None)


def _counts(records: Sequence[Recorded], on: date) -> bool | None:
    """Whether one of the records counts on the day; ``None`` where nothing has been decided yet."""
    decided = [record for record in records if record.state != "applied"]
    return any(r.state in STANDING and r.covers(on) for r in decided) if decided else None


def standing_query(tenant: str, claims: Sequence[Submission], years: Sequence[int]) -> Query[Standings]:
    """The linked regions of the years, and what is on record about the claims' parties, the oldest record first."""
    enterprises = {claim.enterprise.uscc for claim in claims}
    providers = {claim.provider.uscc for claim in claims}
    some, others, all_parties = (texts(sorted(uscc)) for uscc in (enterprises, providers, enterprises | providers))
    return Query(
        _ON_RECORD,
        (
            tenant, list(years), tenant, list(years), tenant, all_parties, tenant, some, tenant, others, tenant,
            tenant, others,
        ),
        _standings,
    )  # fmt: skip


_ON_RECORD: Final = (
    "select 'linked' as kind, division as name, null as state, null::date as from_on, null::date as through_on, "
    "null as scheme, year, null::boolean as on_platform, types as words, null as proofs, null::date as established_on, "
    "null::uuid as id from linked_region r where tenant = %s and year = any(%s) and version = (select max(l.version) "
    "from linked_region_list l where l.tenant = r.tenant and l.year = r.year and l.state = 'approved') "
    "union all select 'linkage', division, provincial_to_local, from_on, null, scheme, year, null, "
    "array[cap_fen::text, cite] || types, null, null, null "
    "from linkage where tenant = %s and year = any(%s) and state = 'approved' "
    "union all select 'sanction', uscc, 'admitted', from_on, through_on, null, null, null, null, null, null, id "
    "from standing where tenant = %s and uscc = any(%s) and kind = 'sanction' "
    "union all select 'qualification', uscc, state, from_on, through_on, scheme, year, null, null, null, null, id "
    "from qualification where tenant = %s and uscc = any(%s) "
    "union all select 'admission', uscc, state, from_on, through_on, scheme, null, on_platform, array[kind], proofs, "
    "established_on, id from admission where tenant = %s and uscc = any(%s) "
    "union all select 'trust', uscc, 'admitted', from_on, through_on, null, null, null, null, null, null, null "
    "from trust_listing where tenant = %s and version = (select max(version) from trust_list where tenant = %s "
    "and state = 'approved') and uscc = any(%s) order by id"
)


def _standings(rows: Sequence[Any]) -> Standings:
    linked: dict[int, list[Linked]] = defaultdict(list)
    records: dict[str, list[Recorded]] = defaultdict(list)
    for kind, name, state, from_on, through_on, scheme, year, on_platform, words, proofs, established_on, _ in rows:
        if kind == "linked":
            linked[year].append(Linked(LinkedRegion(name, tuple(words))))
            continue
        if kind == "linkage":
            linked[year].append(Linked(_committed(name, state, words), scheme, from_on))
            continue
        entry = None if proofs is None else _directory_entry(words[0], established_on, proofs)
        records[name].append(Recorded(kind, state, from_on, through_on, scheme, year, on_platform, entry))
    return linked, records


def _committed(division: str, provincial_to_local: str, words: Sequence[str]) -> LinkedRegion:
    cap_fen, cite, *types = words
    terms = LinkedTerms(1 / parse_rate(provincial_to_local), Money(int(cap_fen)), cite)
    return LinkedRegion(division, tuple(types), terms)


def _directory_entry(kind: str, established_on: date | None, proofs: str) -> DirectoryEntry:
    held = [(proof["kind"], date.fromisoformat(proof["valid_through"])) for proof in json.loads(proofs)]
    return DirectoryEntry(kind, established_on, tuple(sorted(held)))


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
