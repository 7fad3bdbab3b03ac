"""Lists of claims, their traces and their history."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from clearing.claims.records import ClaimRow, ClaimView, view_claims
from tenants.kernel.canonical import Json, plain
from tenants.kernel.clock import SHANGHAI
from tenants.kernel.money import Money


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions that every listed claim meets: SQL written by us, with the caller's values beside it."""

    conditions: tuple[str, ...]
    values: tuple[Any, ...]

    @classmethod
    def from_query(cls, query: Mapping[str, Any]) -> "Filter":
        """The filter of the list's named parameters; ``None`` values are left out."""
        named = {name: value for name, value in query.items() if value is not None}
        conditions = _CONDITIONS
        if OPEN.issuperset(named.get("state", "").split(",")):
            conditions = _CONDITIONS | {"state": _OPEN_STATE}
        return cls(
            tuple(conditions[name] for name in named), tuple(_VALUES.get(name, _same)(v) for name, v in named.items())
        )


OPEN: Final = frozenset({"on_hold", "in_review", "needs_correction"})
"""States that are a claim's own, whatever batch there may be."""
_OPEN_STATE: Final = "state = any(%s) and state in ('on_hold', 'in_review', 'needs_correction')"
"""The condition where only such states are wanted: the index of open claims answers it without looking at batches."""
_CONDITIONS: Final = {
    "tenant": "tenant = %s",
    "scheme": "scheme = %s",
    "mode": "mode = %s",
    "state": "state_now = any(%s)",
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
    "state": lambda text: text.split(","),
    "submitted_from": _begin,
    "submitted_through": lambda day: _begin(day + timedelta(days=1)),
}
"""How a query's value becomes the condition's, where it is not the same."""


def list_claims(connection: Connection, wanted: Filter, after: UUID | None, limit: int) -> list[ClaimView]:
    """At most ``limit`` claims behind the one with the id ``after``, in the order in which they came."""
    conditions, values = list(wanted.conditions), list(wanted.values)
    if after is not None:
        conditions.append("id > %s")
        values.append(after)
    where = "".join(f" and {condition}" for condition in conditions)
    # each tenant's own first ones, found in the order of its primary key: nothing is sorted but these
    rows = connection.exec_driver_sql(
        "select c.id from unnest(bound_tenants()) t (bound) cross join lateral ("  # noqa: S608 - our own conditions
        f"select id from claim_now where tenant = t.bound{where} order by id limit %s) c order by c.id limit %s",
        (*values, limit, limit),
    )
    return view_claims(connection, [claim_id for (claim_id,) in rows])


def totals_of(connection: Connection, wanted: Filter, most: int | None = None) -> tuple[int, Money]:
    """How many claims the filter finds, and the sum of their awards; of ``most`` of them, where that is given."""
    where = " and ".join(("tenant = any((select bound_tenants())::text[])", *wanted.conditions))
    count, fen = connection.exec_driver_sql(
        "select count(*), coalesce(sum(award_fen), 0)::bigint from ("  # noqa: S608 - our own conditions
        f"select award_fen from claim_now where {where} limit %s) found",
        (*wanted.values, most),
    ).one()
    return count, Money(fen)


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
