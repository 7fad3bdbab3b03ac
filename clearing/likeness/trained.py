"""The model that a registry counts over its own pairs, kept in the database, and told of in every audit chain."""

import json
from itertools import pairwise
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, Engine

from clearing.likeness.engine import Engine as Comparer
from clearing.likeness.lines import Facts, facts_of
from clearing.likeness.model import Model, read_model, shipped_model
from clearing.likeness.training import Couple, Known, train
from tenants.kernel.canonical import Json
from tenants.kernel.change import Change, record
from tenants.kernel.clock import Clock
from tenants.kernel.database import Scope, Work, run
from tenants.kernel.errors import Conflict
from tenants.kernel.ids import new_id
from tenants.kernel.statements import insert_rows

TRAINED: Final = "similarity.trained"
LATEST_CLAIMS: Final = 50_000
"""Over how many of the latest claims a model is counted: enough for its shares, few enough for memory."""


def model_in_use(connection: Connection) -> Model:
    """The model that was trained last, or the shipped one."""
    row = connection.exec_driver_sql("select content from similarity_model order by id desc limit 1").one_or_none()
    return shipped_model() if row is None else read_model(row.content)


def train_and_keep(engine: Engine, machine: Clock, comparer: Comparer, person: str) -> int:
    """Count a model over the registry's own pairs and use it from now on; answers how many known pairs there were.

    Raises:
        Conflict: ``similarity.too_few``: the shipped model is the better one.
        EngineMissingError: what compares is not installed.
    """
    with engine.connect() as connection:
        tenants = tuple(connection.exec_driver_sql("select tenant from tenant order by tenant").scalars())
    facts, confirmed = run(engine, Scope(tenants), machine, _read)
    lines = [one.line() for one in facts]
    model, known = train(comparer, lines, Known(confirmed, _of_one_invoice(facts)), shipped_model())
    if model is None:
        raise Conflict(
            "similarity.too_few",
            f"已确认的重复只有 {known} 对，仍使用随附模型。",
            f"Only {known} pairs are known to be one spending; the shipped model stays in use.",
        )
    run(engine, Scope(tenants), machine, lambda work: keep_model(work, tenants, model, known, person))
    return known


def _read(work: Work) -> tuple[list[Facts], frozenset[Couple]]:
    facts: list[Facts] = []
    for row in work.connection.exec_driver_sql(_CLAIMS, (LATEST_CLAIMS,)):
        facts += facts_of(str(row.id), json.loads(row.submission))
    pairs = work.connection.exec_driver_sql(_CONFIRMED)
    confirmed = frozenset(
        frozenset((f"{one}/{place.rsplit('/')[-1]}", f"{other}/{other_place.rsplit('/')[-1]}"))
        for one, place, other, other_place in pairs
    )
    return facts, confirmed


_CLAIMS: Final = (
    "select c.id, r.submission from claim c join claim_revision r on r.tenant = c.tenant and r.claim_id = c.id "
    "and r.revision = c.revision order by c.received_at desc limit %s"
)
_CONFIRMED: Final = (
    "select p.claim_id, p.place, p.other_reference, p.other_place from similar_pair p "
    "left join hold h on h.tenant = p.tenant and h.id = p.hold_id "
    "where p.other_place is not null and (p.outcome = 'confirmed' or h.outcome = 'reject')"
)


def _of_one_invoice(facts: list[Facts]) -> frozenset[Couple]:
    """Lines over one and the same invoice: one spending for certain, whatever the registry decided of it."""
    by_invoice: dict[tuple[str, str], list[Facts]] = {}
    for one in facts:
        by_invoice.setdefault((one.enterprise, one.invoice), []).append(one)
    return frozenset(
        frozenset((first.unique_id, other.unique_id))
        for same in by_invoice.values()
        for first, other in pairwise(same)
        if first.claim_id != other.claim_id
    )


def keep_model(work: Work, tenants: tuple[str, ...], model: Model, known: int, person: str) -> None:
    """Use the model from now on; every tenant's chain tells of it."""
    model_id: UUID = new_id()
    insert_rows(
        work.connection,
        "similarity_model",
        ("id", "content", "sha256", "pairs", "trained_by", "trained_at"),
        [(model_id, model.text(), model.digest, known, person, work.at)],
    )
    details: dict[str, Json] = {"model": model.digest, "pairs": known}
    record(work.connection, [Change(one, person, TRAINED, model_id, details=details) for one in tenants], work.at)
