"""Lists of claims, their traces and their history."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from clearing.claims.records import ClaimRow, ClaimView, view_claims
from clearing.claims.whereabouts import ALL, FEW_BATCHES, PAID_IN, Source, sources_of
from tenants.kernel.canonical import Json, plain
from tenants.kernel.clock import SHANGHAI
from tenants.kernel.money import Money


@dataclass(frozen=True, slots=True)
class Filter:
    """What every listed claim meets: SQL written by us with the caller's values beside it, and the states it is in."""

    conditions: tuple[str, ...] = ()
    values: tuple[Any, ...] = ()
    states: tuple[str, ...] = ()
    by_day: bool = False
    """Whether the days of submission are limited: then claims are listed in the order of these."""

    @classmethod
    def from_query(cls, query: Mapping[str, Any]) -> "Filter":
        """The filter of the list's named parameters; ``None`` values are left out."""
        named = {name: value for name, value in query.items() if value is not None}
        states = tuple(str(named.pop("state", "")).split(",")) if "state" in named else ()
        conditions = [_CONDITIONS[name] for name in named]
        values = [_VALUES.get(name, _same)(value) for name, value in named.items()]
        if states and named.keys() & _FEW:  # an enterprise's or one claim: its index finds these few
            conditions, values, states = [*conditions, "state_now = any(%s)"], [*values, [*states]], ()
        by_day = not states and bool(named.keys() & {"submitted_from", "submitted_through"})
        return cls(tuple(conditions), tuple(values), states, by_day)


_FEW: Final = frozenset({"enterprise", "external_id", "claim_no"})
_CONDITIONS: Final = {
    "tenant": "tenant = %s",
    "scheme": "scheme = %s",
    "mode": "mode = %s",
    "platform": "platform = %s",
    "enterprise": "enterprise_uscc = %s",
    "provider": "provider_uscc = %s",
    "quota_year": "quota_year = %s",
    "external_id": "external_id = %s",
    "claim_no": "claim_no = %s",
    "submitted_from": "submitted_at >= %s",
    "submitted_through": "submitted_at < %s",
}


def _same(value: Any) -> Any:  # noqa: ANN401 - a query value as it is
    return value


def _begin(day: date) -> datetime:
    return datetime.combine(day, time(), SHANGHAI)


_VALUES: Final[Mapping[str, Callable[[Any], Any]]] = {
    "submitted_from": _begin,
    "submitted_through": lambda day: _begin(day + timedelta(days=1)),
}
"""How a query's value becomes the condition's, where it is not the same."""


def list_claims(connection: Connection, wanted: Filter, after: UUID | None, limit: int) -> list[ClaimView]:
    """At most ``limit`` claims behind the one with the id ``after``, in the order in which they came.

    With days of submission and no states, in the order of submission.
    """
    order = "submitted_at, id" if wanted.by_day else "id"
    parts, values = [], []
    for source in _sources(connection, wanted):
        part, given = _part(source, wanted, order, after, limit)
        by = "x.claim" if source.one else order
        parts.append(f"(select c.submitted_at, c.id from {part} order by {by} limit %s)")  # noqa: S608 - ours
        values += [*given, limit]
    # each tenant's own first ones, found in the order of an index: nothing is sorted but these
    rows = connection.exec_driver_sql(
        f"select f.id from unnest(bound_tenants()) t (bound) cross join lateral ({' union all '.join(parts)}) f "  # noqa: S608 - our own words
        f"order by {order} limit %s",
        (*values, limit),
    )
    ids = [claim_id for (claim_id,) in rows]
    views = {view.row.id: view for view in view_claims(connection, ids)}
    return [views[claim_id] for claim_id in ids if claim_id in views]


def totals_of(connection: Connection, wanted: Filter, most: int | None = None) -> tuple[int, Money]:
    """How many claims the filter finds, and the sum of their awards; of ``most`` of them, where that is given."""
    parts, values = [], []
    for source in _sources(connection, wanted):
        part, given = _part(source, wanted, None, None, most)
        parts.append(f"(select c.award_fen from {part})")  # noqa: S608 - ours
        values += given
    count, fen = connection.exec_driver_sql(
        "select count(*), coalesce(sum(award_fen), 0)::bigint from (select f.award_fen from "  # noqa: S608 - ours
        f"unnest(bound_tenants()) t (bound) cross join lateral ({' union all '.join(parts)}) f limit %s) found",
        (*values, most),
    ).one()
    return count, Money(fen)


def _sources(connection: Connection, wanted: Filter) -> list[Source]:
    if not wanted.states:
        return [ALL]
    if "paid" not in wanted.states:
        return sources_of(wanted.states, many_paid=False)
    paid: int = connection.exec_driver_sql(
        "select count(*) from (select 1 from batch where tenant = any((select bound_tenants())::text[]) "
        "and state = any(%s) limit %s) found",
        ([*PAID_IN], FEW_BATCHES + 1),
    ).scalar_one()
    return sources_of(wanted.states, many_paid=paid > FEW_BATCHES)


def _part(
    source: Source, wanted: Filter, order: str | None, after: UUID | None, limit: int | None
) -> tuple[str, list[Any]]:
    """The source's ``from`` clause for this filter, and what fills its places, in their order."""
    where = f"{source.where}{''.join(f' and {condition}' for condition in wanted.conditions)}"
    beside, within = list(source.values), [*source.own, *wanted.values]
    if after is not None:
        beside += [after] * source.sql.count("{after}")
        by_day = "(submitted_at, id) > ((select submitted_at from claim where id = %s), %s)"
        where += f" and {by_day}" if wanted.by_day else " and id > %s"
        within += [after, after] if wanted.by_day else [after]
    if source.many and limit is not None:
        where += " limit %s" if order is None else f" order by {order} limit %s"
        within.append(limit)
    if source.one:
        where += " offset 0"
    claims = f"(select submitted_at, id, award_fen from claim_now where tenant = t.bound{where}) c"  # noqa: S608 - ours
    text = source.sql.replace("{after}", "" if after is None else " and o.id > %s").replace("{c}", claims)
    return text, [*beside, *within]


def traces_of(connection: Connection, claim_id: UUID) -> list[Json]:
    """Every assessment of the claim, the first first, with its whole trace."""
    rows = connection.exec_driver_sql(
        "select revision, seq, policy_version, reason, at, result from assessment where claim_id = %s order by seq",
        (claim_id,),
    )
    return [
        {
            "revision": revision,
            "assessment": seq,
            "policy_version": version,
            "reason": reason,
            "at": plain(at),
            **{key: value for key, value in json.loads(result).items() if key != "policy_version"},
        }
        for revision, seq, version, reason, at, result in rows
    ]


def claim_history(connection: Connection, row: ClaimRow) -> list[Json]:
    """The audited events of the claim and of the batches that it was in, in the order of the tenant's chain."""
    rows = connection.exec_driver_sql(
        "select body, hash from audit_entry where tenant = %s and subject_id in ("
        "select %s union all select batch_id from batch_item where tenant = %s and claim_id = %s) order by seq",
        (row.tenant, row.id, row.tenant, row.id),
    )
    return [json.loads(body) | {"hash": bytes(digest).hex()} for body, digest in rows]
