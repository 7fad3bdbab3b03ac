"""Home: what waits for me, what is late, this year's budgets, claims by state."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from flask import Response, current_app

from clearing.api.frame import principal
from clearing.claims.queue import Waiting, claims_by_state, next_in_review, waiting_claims
from clearing.console.screen import as_api, may, screen, show, within
from clearing.console.words import STATES
from clearing.tenancy.budgets import read_budget
from settlement.batches.batch import Batch, list_batches
from settlement.batches.preview import open_amounts
from tenants.kernel.clock import Clock, shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.money import ZERO, Money
from tenants.principal import Principal
from tenants.profile import load_tenants

blueprint = screen("home")

FIGURES_LIVE: Final = timedelta(minutes=1)
"""How old the figures over all claims may be: they read them all, and nobody decides by them."""
OPEN_BATCHES: Final = ("cut", "in_publicity", "sealed", "released")
MOST_BATCHES: Final = 50


@dataclass(frozen=True, slots=True)
class Task:
    """A batch that waits for one of my steps, or is late."""

    batch: Batch
    step: str
    late: bool = False
    provisional: bool = False


class Figures:
    """Sums over all claims, kept for a minute for each set of tenants."""

    def __init__(self, machine: Clock) -> None:
        self._machine = machine
        self._kept: dict[tuple[str, ...], tuple[datetime, Sequence[tuple[str, str, int, Money]]]] = {}
        self._lock = threading.Lock()

    def of(self, tenants: tuple[str, ...]) -> Sequence[tuple[str, str, int, Money]]:
        """Tenant, state, number and sum of awards."""
        with self._lock:
            kept = self._kept.get(tenants)
        at = self._machine.now()
        if kept is not None and at < kept[0] + FIGURES_LIVE:
            return kept[1]
        found = within(lambda work: claims_by_state(work.connection))
        with self._lock:
            self._kept[tenants] = (at, found)
        return found


@blueprint.get("/")
@as_api("claims.list_all")
def home() -> Response:
    """The home page of whoever is here."""
    me = principal()
    shown = within(lambda work: _read(work, me))
    figures: Figures = current_app.extensions["console-figures"]
    return show("home.html", states=_by_state(figures.of(me.tenants)), **shown)


def _read(work: Work, me: Principal) -> dict[str, Any]:
    today = shanghai_day(work.at)
    waiting = waiting_claims(work.connection, today)
    reviews = may("claims.review_claim")
    return {
        "today": today,
        "waiting": waiting,
        "next_claim": next_in_review(work.connection, me.person or "", None) if reviews else None,
        "reviews": reviews,
        "tasks": _tasks(work, me, today),
        "open_amounts": open_amounts(work.connection) if may("batches.cut_batch") else [],
        "budgets": [budget for budget in _budgets(work, me, today.year) if budget["amount"] is not None],
        "open_count": _open(waiting),
    }


def _open(waiting: Sequence[Waiting]) -> dict[str, tuple[int, Money, int]]:
    sums: dict[str, tuple[int, Money, int]] = {}
    for one in waiting:
        count, award, overdue = sums.get(one.state, (0, ZERO, 0))
        sums[one.state] = (count + one.count, award + one.award, overdue + one.overdue)
    return sums


def _tasks(work: Work, me: Principal, today: date) -> list[Task]:
    """Batches that wait for a step that this person may do, the oldest first."""
    if not may("batches.get_batches"):
        return []
    makes, releases = may("batches.seal_batch"), may("batches.release_batch")
    tasks = []
    for tenant in me.tenants:
        for state in OPEN_BATCHES:
            for batch in list_batches(work.connection, tenant, {"state": state}, None, MOST_BATCHES):
                task = _task(batch, today)
                mine = makes if task.step in {"publish", "seal"} else releases and task.step == "release"
                own = me.subject in {batch.cut_by, batch.published_by, batch.sealed_by}
                if (mine and not (task.step == "release" and own)) or task.step == "instruct" or task.late:
                    tasks.append(task)
    return sorted(tasks, key=lambda task: task.batch.id)


def _task(batch: Batch, today: date) -> Task:
    if batch.state == "cut":
        return Task(batch, "publish")
    if batch.state == "sealed":
        return Task(batch, "release")
    if batch.state == "released":
        return Task(batch, "instruct")
    over = batch.publicity_through_on is not None and today > batch.publicity_through_on
    return Task(batch, "seal" if over else "wait", late=over, provisional=bool(batch.publicity_provisional))


def _budgets(work: Work, me: Principal, year: int) -> list[dict[str, Any]]:
    found = []
    for profile in load_tenants():
        for scheme in profile.schemes if profile.tenant in me.tenants else ():
            if scheme.assessed:
                budget: dict[str, Any] = read_budget(work.connection, profile.tenant, scheme.code, year)
                found.append(budget | {"bar": _bar(budget)})
    return found


def _bar(budget: dict[str, Any]) -> tuple[int, int]:
    """Used and reserved in thousandths of the appropriation."""
    if not budget["amount"] or not Money.parse(budget["amount"]):
        return 0, 0
    whole = Money.parse(budget["amount"]).fen
    return Money.parse(budget["used"]).fen * 1000 // whole, Money.parse(budget["reserved"]).fen * 1000 // whole


def _by_state(rows: Sequence[tuple[str, str, int, Money]]) -> list[dict[str, Any]]:
    """Each state that occurs, in the order of a claim's life, with its share of the longest bar in thousandths."""
    sums: dict[str, tuple[int, Money]] = {}
    for _, state, count, award in rows:
        before = sums.get(state, (0, ZERO))
        sums[state] = (before[0] + count, before[1] + award)
    most = max((count for count, _ in sums.values()), default=0)
    return [
        {"state": state, "count": sums[state][0], "award": sums[state][1], "bar": sums[state][0] * 1000 // most}
        for state in STATES
        if state in sums
    ]
