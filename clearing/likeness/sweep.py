"""The sweep: what came since the last one is compared with the live claims of the same enterprises.

How far the last one came stands in each tenant's audit chain, whose numbers follow the order of the commits: no claim
is ever between two sweeps. The comparison reads all tenants' live claims (see the package's words on what crosses
tenants); each pair is then written in a transaction of the later claim's tenant alone, which looks at the claim again.
A sweep may be killed anywhere: the next one begins where the last one that ended did, and finds no pair twice.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import NAMESPACE_OID, UUID, uuid5

from sqlalchemy import Connection, Engine

from clearing.likeness.engine import Engine as Comparer
from clearing.likeness.engine import Scored
from clearing.likeness.holding import Match, Side, hold_later
from clearing.likeness.lines import Facts, facts_of
from clearing.likeness.model import PARTS, Model
from clearing.likeness.pairs import known_pairs
from clearing.likeness.trained import model_in_use
from tenants.kernel.change import Change, record
from tenants.kernel.clock import Clock, shanghai_day
from tenants.kernel.database import Scope, Work, run
from tenants.profile import DEFAULT_NEAR_DUPLICATE_PERCENT, load_tenants

ACTOR: Final = "near-duplicate sweep"
SWEPT: Final = "similarity.swept"
"""The audit chain's entry of how far a sweep came in a tenant's chain."""
ENTRIES_AT_ONCE: Final = 5000
"""How many submissions of each tenant one sweep takes; the next one goes on behind them."""
LIVE: Final = ("on_hold", "in_review", "approved", "needs_correction")
_HUNDRED: Final = 100


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep did: live claims that came, lines read, pairs above the lowest threshold, what became of them."""

    came: bool
    """Whether any submission came, live or not: another sweep may find more behind it."""
    claims: int
    lines: int
    compared: int
    held: int
    cases: int


@dataclass(frozen=True, slots=True)
class _Reading:
    """What one sweep read: the claims that came, the sides by claim, their facts by line, how far it came."""

    came: frozenset[str]
    sides: Mapping[str, Side]
    facts: Mapping[str, Facts]
    through: Mapping[str, int]
    known: frozenset[tuple[UUID, UUID]]
    model: Model


def sweep(engine: Engine, machine: Clock, comparer: Comparer) -> Swept:
    """Compare what came since the last sweep, and hold or note what looks alike.

    Raises:
        EngineMissingError: what compares is not installed.
    """
    with engine.connect() as connection:
        tenants = tuple(connection.exec_driver_sql("select tenant from tenant order by tenant").scalars())
    reading = run(engine, Scope(tenants), machine, partial(_read, tenants=tenants))
    thresholds = thresholds_of()
    lowest = min(thresholds.values(), default=PARTS)
    lines = [facts.line() for facts in reading.facts.values()]
    scored = comparer.pairs(lines, reading.model, lowest) if len(lines) > 1 else []
    matches = list(_matches(scored, reading, thresholds))
    effects = [
        run(engine, Scope((match.later.tenant,)), machine, partial(hold_later, match=match, actor=ACTOR))
        for match in matches
    ]
    run(engine, Scope(tenants), machine, partial(_note, reading=reading, held=effects.count("hold")))
    return Swept(
        bool(reading.through), len(reading.came), len(lines), len(scored), effects.count("hold"), effects.count("case")
    )


def thresholds_of() -> dict[str, int]:
    """From which likelihood on, in parts of a million, each tenant's claims are held."""
    return {one.tenant: one.near_duplicate_percent * PARTS // _HUNDRED for one in load_tenants()}


def _read(work: Work, tenants: Sequence[str]) -> _Reading:
    connection = work.connection
    through: dict[str, int] = {}
    came: dict[UUID, str] = {}
    for tenant in tenants:
        behind = _swept_through(connection, tenant)
        rows: Any = connection.exec_driver_sql(_CAME, (tenant, behind, ENTRIES_AT_ONCE)).all()
        if rows:
            through[tenant] = rows[-1].seq
            came |= {row.subject_id: tenant for row in rows}
    sides: dict[str, Side] = {}
    facts: dict[str, Facts] = {}
    given = (list(came.values()), list(came), list(tenants), list(LIVE))
    for row in connection.exec_driver_sql(_CLAIMS, given) if came else ():
        name = str(row.id)
        month = f"{shanghai_day(row.submitted_at):%Y-%m}"
        sides[name] = Side(row.tenant, row.id, row.claim_no, row.platform, month, row.received_at)
        facts |= {one.unique_id: one for one in facts_of(name, json.loads(row.submission))}
    known = known_pairs(connection, [side.claim_id for side in sides.values()])
    model = model_in_use(connection)
    live = frozenset(map(str, came)) & sides.keys()
    return _Reading(frozenset(live), sides, facts, through, frozenset(known), model)


_CAME: Final = (
    "select seq, subject_id from audit_entry where tenant = %s and seq > %s "
    "and action in ('claim.submitted', 'claim.corrected') order by seq limit %s"
)
_CLAIMS: Final = (
    "with parties as materialized (select distinct e.enterprise_uscc from unnest(%s::text[], %s::uuid[]) i (of, id) "
    "cross join lateral (select enterprise_uscc from claim where tenant = i.of and id = i.id offset 0) e) "
    "select c.tenant, c.id, c.claim_no, c.platform, c.submitted_at, c.received_at, r.submission from parties p "
    "cross join unnest(%s::text[]) t (bound) cross join lateral (select * from claim where tenant = t.bound "
    "and enterprise_uscc = p.enterprise_uscc and state = any(%s) offset 0) c "
    "cross join lateral (select submission from claim_revision where tenant = c.tenant and claim_id = c.id "
    "and revision = c.revision offset 0) r order by c.received_at, c.id"
)
"""Each row is looked up by its key (``offset 0``): while a database has no statistics, any plan looks as good."""


def sweep_subject(tenant: str) -> UUID:
    """The id under which a tenant's audit chain speaks of its sweeps."""
    return uuid5(NAMESPACE_OID, f"similarity/{tenant}")


def _swept_through(connection: Connection, tenant: str) -> int:
    row = connection.exec_driver_sql(
        "select body from audit_entry where tenant = %s and subject_id = %s order by seq desc limit 1",
        (tenant, sweep_subject(tenant)),
    ).one_or_none()
    return 0 if row is None else int(json.loads(row.body)["details"]["through"])


def _matches(scored: Iterable[Scored], reading: _Reading, thresholds: Mapping[str, int]) -> Iterable[Match]:
    """The likeliest lines of each two claims, one of which came now, above the later claim's threshold."""
    best: dict[tuple[UUID, UUID], Match] = {}
    for pair in scored:
        left, right = reading.facts[pair.left], reading.facts[pair.right]
        if left.claim_id == right.claim_id or left.invoice == right.invoice:
            continue  # an equal number is the registry's to find
        if not reading.came & {left.claim_id, right.claim_id}:
            continue
        earlier, later = sorted((left, right), key=lambda facts: _age(reading.sides[facts.claim_id]))
        match = Match(
            reading.sides[later.claim_id], later.position, reading.sides[earlier.claim_id], earlier.position,
            pair.parts, pair.levels, reading.model.digest,
        )  # fmt: skip
        key = (match.later.claim_id, match.earlier.claim_id)
        enough = pair.parts >= thresholds.get(match.later.tenant, DEFAULT_NEAR_DUPLICATE_PERCENT * PARTS // _HUNDRED)
        if enough and key not in reading.known and (key not in best or best[key].parts < pair.parts):
            best[key] = match
    return best.values()


def _age(side: Side) -> tuple[datetime, UUID]:
    return side.received_at, side.claim_id


def _note(work: Work, reading: _Reading, held: int) -> None:
    """Note how far the sweep came in each tenant's chain, where anything stood there."""
    changes = [
        Change(
            tenant,
            ACTOR,
            SWEPT,
            sweep_subject(tenant),
            details={"through": seq, "held": held, "model": reading.model.digest},
        )
        for tenant, seq in reading.through.items()
    ]
    if changes:
        record(work.connection, changes, work.at)
