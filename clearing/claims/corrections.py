"""Corrections (补正) past their deadline: the claim stays correctable, but its keys are free for others."""

from datetime import date
from uuid import UUID

from sqlalchemy import Connection

from clearing.claims import registry
from tenants.kernel.change import Change, record
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work

CLAIMS_AT_ONCE = 500


def release_overdue(work: Work) -> int:
    """Free the keys of claims whose correction is overdue; how many claims that were."""
    rows = _overdue(work.connection, work)
    if not rows:
        return 0
    registry.release(work.connection, [row[1] for row in rows])
    record(
        work.connection,
        [
            Change(
                tenant=tenant,
                actor="service",
                action="claim.correction_overdue",
                subject_id=claim_id,
                from_state="needs_correction",
                to_state="needs_correction",
                reason=f"correction was due on {due_on}",
                details={"claim_no": claim_no},
            )
            for tenant, claim_id, claim_no, due_on in rows
        ],
        work.at,
    )
    return len(rows)


def _overdue(connection: Connection, work: Work) -> list[tuple[str, UUID, str, date]]:
    """Overdue claims that still hold keys, locked; the registry itself says who does."""
    rows = connection.exec_driver_sql(
        "select c.tenant, c.id, c.claim_no, c.correction_due_on from claim c "
        "where c.state = 'needs_correction' and c.correction_due_on < %s "
        "and exists (select 1 from registry_holding h where h.holder_id = c.id) "
        "order by c.tenant, c.id limit %s for no key update of c",
        (shanghai_day(work.at), CLAIMS_AT_ONCE),
    )
    return [(tenant, claim_id, claim_no, due_on) for tenant, claim_id, claim_no, due_on in rows]
