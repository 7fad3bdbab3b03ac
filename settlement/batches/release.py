"""The release of a sealed batch (放行) by a second person: instructions come into being, the money is in transit."""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from settlement.batches.batch import Batch, change_batch, lock_batch, record_step
from settlement.batches.batch_states import CLOSE, RELEASE, already_done, require_start
from settlement.batches.batch_steps import close
from settlement.batches.home_region import release_to_home_region
from settlement.batches.progress import teller
from settlement.batches.seal import require_totals
from settlement.batches.transit import pay_in, put_in_transit
from settlement.batches.two_releasers import sign_as_last, waits_for_second
from settlement.office import Office
from settlement.payouts.payments import LIVE_ITEMS, prepare_for_whole_batch
from tenants.kernel.change import Job
from tenants.kernel.errors import Forbidden

INSTRUCT_JOB: Final = "batch.instruct"
"""The kind of the outbox job whose worker calls ``settlement.batches.delivery.instruct``; its subject is the batch."""

_MAKE: Final = (
    "with live as materialized ("  # noqa: S608 - our own statement
    f"select position, claim_id, amount_fen, payee_digest from ({LIVE_ITEMS}) i), payee as materialized ("
    "select uuidv7() as id, p.* from ("
    "select payee_digest, row_number() over (order by min(position)) as line, count(*) as claims, "
    "sum(amount_fen) as fen, (array_agg(claim_id order by position))[1] as payee_claim_id "
    "from live group by payee_digest offset 0) p), "
    "made as (insert into instruction "
    "(tenant, id, batch_id, line, payee_claim_id, claim_count, amount_fen, created_at) "
    "select %s, id, %s, line, payee_claim_id, claims, fen, %s from payee) "
    "insert into instruction_claim (tenant, claim_id, instruction_id) "
    "select %s, l.claim_id, p.id from live l join payee p using (payee_digest)"
)
"""Ids are given in the order of the lines: rows that go into their indexes in order take half the time."""


def release(connection: Connection, tenant: str, batch_id: UUID, office: Office, actor: str, at: datetime) -> Batch:
    """Release the batch, once, by somebody who neither cut, published nor sealed it (I9, I10, I19).

    The releaser signs what was sealed with a key of their own. Above the tenant's limit it takes two: after the first
    release the batch stays sealed and waits for the second. An empty batch has nothing to release and is closed. What
    the payees' home region pays makes no instructions but debts; past the exposure limit
    (``settlement.cycles.exposure``) it stays sealed.

    Raises:
        NotFound: the tenant has no such batch.
        Conflict: ``batch.state``, ``batch.totals_differ``, ``key.revoked``.
        Forbidden: ``batch.four_eyes``.
    """
    batch = lock_batch(connection, tenant, batch_id)
    if already_done(batch, RELEASE, actor) or (not batch.item_count and already_done(batch, CLOSE, actor)):
        return batch
    require_start(batch, RELEASE)
    if actor in {batch.cut_by, batch.published_by, batch.sealed_by}:
        raise Forbidden(
            "batch.four_eyes",
            f"批次 {batch.batch_no} 由您经办，须由另一位放行人放行。",
            f"You made batch {batch.batch_no}; somebody else has to release it.",
        )
    if not batch.item_count:
        return close(connection, tenant, batch_id, actor, at)
    waiting = waits_for_second(connection, batch, office, actor, at)
    if waiting is not None:
        return waiting
    prepare_for_whole_batch(connection)
    require_totals(connection, batch)
    if batch.form == "home_region":
        return release_to_home_region(connection, batch, office, actor, at)
    tell = teller(connection, batch)
    tell("release", 0)
    connection.exec_driver_sql(_MAKE, (tenant, batch_id, tenant, batch_id, at, tenant))
    tell("ledger", batch.item_count)
    if batch.form == "agent":
        pay_in(connection, batch, at)
    else:
        put_in_transit(connection, batch, at)
    sign_as_last(connection, batch, office, actor, at)
    released = change_batch(connection, batch, state=RELEASE.ends, state_by=actor, released_by=actor, released_at=at)
    record_step(connection, batch, released, "released", actor, at, Job(INSTRUCT_JOB))
    return released
