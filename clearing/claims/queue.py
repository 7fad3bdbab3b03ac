"""What waits for a person: claims in review that this person may still decide, and how much else waits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from tenants.kernel.money import Money

_OPEN_TO: Final = (
    "not exists (select 1 from review r where r.tenant = c.tenant and r.claim_id = c.id "
    "and r.revision = c.revision and r.person = %s)"
)
"""The person did not decide an earlier stage of the claim as it is (four eyes)."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Claims of one tenant that wait in one state; ``overdue`` where their day has passed."""

    tenant: str
    state: str
    count: int
    award: Money
    overdue: int


_REFUSED: Final = '"rule":"duplicate[.][a-z_.]+","verdict":"reject"'
"""How a refusal stands in the canonical text of an assessment, whose members are in the order of their names."""


@dataclass(frozen=True, slots=True)
class Counted:
    """How many claims there are of one kind, and their awards."""

    tenant: str
    scheme: str
    state: str
    quota_year: int | None
    month: str
    count: int
    award: Money


def next_in_review(connection: Connection, person: str, after: UUID | None) -> UUID | None:
    """The oldest claim behind ``after`` that waits for a decision which this person may make."""
    found: UUID | None = connection.exec_driver_sql(
        "select n.id from unnest(bound_tenants()) t (bound) cross join lateral ("  # noqa: S608 - our own condition
        "select c.id from claim c where c.tenant = t.bound and c.state = 'in_review' "
        f"and (%s::uuid is null or c.id > %s::uuid) and {_OPEN_TO} order by c.id limit 1) n order by n.id limit 1",
        (after, after, person),
    ).scalar_one_or_none()
    return found


def decided_by(connection: Connection, claim_id: UUID, revision: int, person: str) -> bool:
    """Whether the person decided a stage of this revision, so that the next one is another person's."""
    return (
        connection.exec_driver_sql(
            "select 1 from review where tenant = any((select bound_tenants())::text[]) and claim_id = %s "
            "and revision = %s and person = %s limit 1",
            (claim_id, revision, person),
        ).one_or_none()
        is not None
    )


def waiting_claims(connection: Connection, today: date) -> Sequence[Waiting]:
    """What is open, by tenant and state: found in the index of open claims, whatever else there is."""
    rows = connection.exec_driver_sql(
        "select tenant, state, count(*), sum(award_fen)::bigint, count(*) filter (where correction_due_on < %s) "
        "from claim where tenant = any((select bound_tenants())::text[]) "
        "and state in ('on_hold', 'in_review', 'needs_correction') group by tenant, state order by tenant, state",
        (today,),
    )
    return [Waiting(tenant, state, count, Money(fen), overdue) for tenant, state, count, fen, overdue in rows]


def claims_by_state(connection: Connection) -> Sequence[Counted]:
    """All claims by tenant, scheme, state, quota year and month of submission; this reads them all."""
    rows = connection.exec_driver_sql(
        "select tenant, scheme, state_now, quota_year, "
        "to_char(submitted_at at time zone 'Asia/Shanghai', 'YYYY-MM') as month, count(*), sum(award_fen)::bigint "
        "from claim_now where tenant = any((select bound_tenants())::text[]) group by 1, 2, 3, 4, 5"
    )
    return [
        Counted(tenant, scheme, state, year, month, count, Money(fen))
        for tenant, scheme, state, year, month, count, fen in rows
    ]


def refused_duplicates(connection: Connection) -> tuple[int, Money]:
    """Claims refused as duplicates, and what they would have been awarded; this reads every refused claim."""
    count, fen = connection.exec_driver_sql(
        "select count(*), coalesce(sum(c.computed_fen), 0)::bigint from claim c "
        "where c.tenant = any((select bound_tenants())::text[]) and c.state = 'rejected' and ("
        "exists (select 1 from hold h where h.tenant = c.tenant and h.claim_id = c.id and h.code like 'duplicate.%%' "
        "and h.outcome = 'reject') or (select a.result from assessment a where a.tenant = c.tenant "
        "and a.claim_id = c.id order by a.seq desc limit 1) ~ %s)",
        (_REFUSED,),
    ).one()
    return count, Money(fen)
