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


def claims_by_state(connection: Connection) -> Sequence[tuple[str, str, int, Money]]:
    """Tenant, state, number and sum of awards of all claims; this reads them all."""
    rows = connection.exec_driver_sql(
        "select tenant, state_now, count(*), sum(award_fen)::bigint from claim_now "
        "where tenant = any((select bound_tenants())::text[]) group by tenant, state_now order by tenant, state_now"
    )
    return [(tenant, state, count, Money(fen)) for tenant, state, count, fen in rows]
