"""Pairs: what the sweep found, as rows; a pair of claims is found once, and decided once."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from clearing.claims.freezing import SIMILAR_CODE
from tenants.kernel.canonical import canonical_bytes, sha256
from tenants.kernel.errors import not_found
from tenants.kernel.money import Money
from tenants.kernel.statements import insert_rows

CODE: Final = SIMILAR_CODE
"""The code of the hold that a pair opens."""
FOUND: Final = "claim.similar"
"""The act of finding one, in the later claim's tenant's audit chain."""
DECIDED: Final = "claim.similar_decided"
"""The act of deciding one that is an audit case."""
STATES: Final = ("open", "dismissed", "confirmed", "ended")
"""``ended``: the later claim was refused or withdrawn for another reason before anybody decided."""


@dataclass(frozen=True, slots=True)
class PairRow:
    """One row of ``similar_pair``; the field names are the columns'."""

    tenant: str
    id: UUID
    claim_id: UUID
    place: str
    other_reference: UUID
    other_platform: str
    other_month: str
    other_place: str | None
    probability_parts: int | None
    fields: str | None
    model_sha256: str
    hold_id: UUID | None
    found_at: datetime

    def digest(self) -> str:
        """What the audit chain keeps of the row."""
        said = {name: getattr(self, name) for name in COLUMNS if name != "found_at"}
        return sha256(canonical_bytes(said)).hex()


COLUMNS: Final = tuple(field.name for field in fields(PairRow))
_LIST: Final = ", ".join(f"p.{column}" for column in COLUMNS)


@dataclass(frozen=True, slots=True)
class PairView:
    """A pair as it now stands; the hold's resolution is the pair's where it has one."""

    row: PairRow
    claim_no: str
    state: str
    resolved_at: datetime | None
    resolved_by: str | None
    reason: str | None


_NOW: Final = (
    "case when p.outcome is not null then p.outcome when p.hold_id is null or h.outcome is null then 'open' "
    "when h.outcome = 'clear' then 'dismissed' when h.outcome = 'reject' then 'confirmed' else 'ended' end"
)
_TABLES: Final = (
    "from similar_pair p cross join lateral (select claim_no from claim where tenant = p.tenant and id = p.claim_id "
    "offset 0) c left join lateral (select * from hold where tenant = p.tenant and id = p.hold_id offset 0) h on true"
)
"""Each pair's claim and hold are looked up by their keys (``offset 0``): no list of all claims is made to join them."""
_FROM: Final = (
    f"select {_LIST}, c.claim_no, {_NOW} as state, coalesce(p.resolved_at, h.resolved_at), "
    f"coalesce(p.resolved_by, h.resolved_by), coalesce(p.reason, h.reason) {_TABLES}"
)


def list_pairs(
    connection: Connection, tenant: str | None, state: str | None, after: UUID | None, limit: int
) -> list[PairView]:
    """The pairs within the bound tenants and platform, the first found first."""
    where, values = _found(state, after)
    # each tenant's own first ones, found in the order of its key: nothing is sorted but these
    rows = connection.exec_driver_sql(
        f"select f.* from {_BOUND} cross join lateral ({_FROM} "  # noqa: S608 - our own columns
        f"where p.tenant = t.bound{where} order by p.id limit %s) f order by f.id limit %s",
        (tenant, *values, limit, limit),
    )
    return [_view(row) for row in rows]


def pair_totals(
    connection: Connection, tenant: str | None, state: str | None, most: int | None = None
) -> tuple[int, Money]:
    """How many pairs there are of these, and the sum of the awards of their later claims, each once.

    Of ``most`` of them, where that is given.
    """
    where, values = _found(state, None)
    count, fen = connection.exec_driver_sql(
        f"with wanted as (select f.* from {_BOUND} cross join lateral ("  # noqa: S608 - our own columns
        f"select p.tenant, p.claim_id {_TABLES} where p.tenant = t.bound{where} limit %s) f limit %s) "
        "select (select count(*) from wanted), coalesce((select sum(c.award_fen) from (select distinct * from wanted) w"
        " cross join lateral (select award_fen from claim where tenant = w.tenant and id = w.claim_id offset 0) c), 0)"
        "::bigint",
        (tenant, *values, most, most),
    ).one()
    return count, Money(fen)


_BOUND: Final = "(select b.bound from unnest(bound_tenants()) b (bound) where coalesce(%s, b.bound) = b.bound) t"


def _found(state: str | None, after: UUID | None) -> tuple[str, list[Any]]:
    where, values = "", list[Any]()
    if state is not None:
        where, values = f" and {_NOW} = %s", [state]
    if after is not None:
        where, values = f"{where} and p.id > %s", [*values, after]
    return where, values


def view_pair(connection: Connection, pair_id: UUID) -> PairView:
    """The pair.

    Raises:
        NotFound: there is none within the bound tenants and platform.
    """
    row = connection.exec_driver_sql(f"{_FROM} where p.id = %s", (pair_id,)).one_or_none()
    if row is None:
        raise not_found("疑似重复", "similar pair")
    return _view(row)


def known_pairs(connection: Connection, claim_ids: Sequence[UUID]) -> set[tuple[UUID, UUID]]:
    """The pairs that were found before, whatever became of them: later claim and other side."""
    rows = connection.exec_driver_sql(
        "select claim_id, other_reference from similar_pair where claim_id = any(%s)", (list(claim_ids),)
    )
    return {(claim_id, other) for claim_id, other in rows}


def add_pair(connection: Connection, row: PairRow) -> None:
    """Write a pair that was just found."""
    insert_rows(connection, "similar_pair", COLUMNS, [tuple(getattr(row, name) for name in COLUMNS)])


def _view(row: Any) -> PairView:  # noqa: ANN401 - a row of the statement above
    width = len(COLUMNS)
    return PairView(PairRow(*row[:width]), *row[width:])
