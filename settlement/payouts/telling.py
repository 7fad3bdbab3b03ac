"""What platforms are told of payments: each claim's own payout, whatever instruction it was paid with.

The events of one claim share its id, so that they arrive in their order, over all the payments that it needed. They
are written with what they tell of, in one statement for any number of claims, and name no account.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

TOLD: Final = frozenset({"paid", "returned", "rejected"})
"""Outcomes that are an event: ``payout.paid``, ``payout.returned``, ``payout.rejected``."""

# ``payment`` counts the claim's payments; a claim that another tenant owes or matches keeps its own id (origin_id). A
# provider's reward is of no claim. The payload is RFC 8785: its names in order, its words free of what is escaped.
_TELL: Final = (
    "told (position, event, obligation_id) as ({told}), "
    "up (position, event, obligation_id, id, payment) as ("
    "select t.position, t.event, t.obligation_id, t.obligation_id, 1 from told t union all "
    "select u.position, u.event, u.obligation_id, r.of_obligation, u.payment + 1 from up u cross join lateral ("
    "select * from reissue where {tenant} and obligation_id = u.id offset 0) r), "
    "said as (select u.position, u.event, o.platform, coalesce(first.origin_id, first.id) as claim_id, "
    """format('{{"amount":"%%s","batch_id":%%s,"batch_no":%%s,"claim_id":"%%s","claim_no":"%%s","instruction_id":%%s,"""
    """"kind":"%%s","payment":%%s,"tenant":"%%s"}}', """
    "o.amount_fen / 100 || '.' || lpad((o.amount_fen %% 100)::text, 2, '0'), "
    "coalesce('\"' || b.id || '\"', 'null'), coalesce('\"' || b.batch_no || '\"', 'null'), "
    "coalesce(first.origin_id, first.id), o.claim_no, coalesce('\"' || c.instruction_id || '\"', 'null'), "
    "coalesce(first.kind, first.mode), u.payment, o.tenant) as payload from up u "
    "cross join lateral (select * from obligation where {tenant} and id = u.id offset 0) first "
    "cross join lateral (select * from obligation where {tenant} and id = u.obligation_id offset 0) o "
    "left join lateral (select * from instruction_claim where {tenant} and claim_id = o.id offset 0) c on true "
    "left join lateral (select * from batch where {tenant} and id = o.batch_id offset 0) b on true "
    "where first.kind is distinct from 'incentive' and not exists ("
    "select 1 from reissue r where r.tenant = %(tenant)s and r.obligation_id = u.id) order by u.position, claim_id) "
    "insert into outbox (id, tenant, kind, platform, subject_id, payload, created_at, next_attempt_at) "
    "select uuidv7(), %(tenant)s, 'payout.' || event, platform, claim_id, payload, %(at)s, %(at)s from said"
)
# Each row is looked up by its key, as in ``settlement.statements.reconciliation``.
_OF_TENANT: Final = "tenant is not distinct from %(tenant)s"
_OUTCOMES: Final = "with recursive " + _TELL.format(  # noqa: S608 - our own
    told="select d.position, d.event, c.claim_id "
    "from unnest(%(instructions)s::uuid[], %(events)s::text[]) with ordinality d (instruction_id, event, position) "
    "cross join lateral (select * from instruction_claim where tenant is not distinct from %(tenant)s "
    "and instruction_id = d.instruction_id offset 0) c",
    tenant=_OF_TENANT,
)
_ONE: Final = "with recursive " + _TELL.format(
    told="select 1::bigint, %(event)s::text, %(obligation)s::uuid", tenant=_OF_TENANT
)


def tell_outcomes(connection: Connection, tenant: str, outcomes: Sequence[tuple[UUID, str]], at: datetime) -> None:
    """Tell, in this order, what became of instructions: that each claim of theirs was paid, returned or rejected."""
    told = [(instruction_id, outcome) for instruction_id, outcome in outcomes if outcome in TOLD]
    if told:
        ids, events = [each for each, _ in told], [outcome for _, outcome in told]
        connection.exec_driver_sql(_OUTCOMES, {"tenant": tenant, "instructions": ids, "events": events, "at": at})


def tell_reissued(connection: Connection, tenant: str, obligation_id: UUID, at: datetime) -> None:
    """Tell that what came back is owed again, by this obligation; it has no batch yet."""
    _tell_one(connection, tenant, obligation_id, "reissued", at)


def tell_upheld(connection: Connection, tenant: str, obligation_id: UUID, outcome: str, at: datetime) -> None:
    """Tell how an upheld objection ended a payment that was in no batch: ``withdrawn`` for good, or ``returned``."""
    _tell_one(connection, tenant, obligation_id, outcome, at)


def _tell_one(connection: Connection, tenant: str, obligation_id: UUID, event: str, at: datetime) -> None:
    connection.exec_driver_sql(_ONE, {"tenant": tenant, "obligation": obligation_id, "event": event, "at": at})
