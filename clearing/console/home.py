"""Home: what waits for me, what is late, this year's budgets and how they burn down, claims by state, net positions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from flask import Response, current_app
from flask_babel import gettext as _

from clearing.api.frame import principal
from clearing.claims.queue import Counted, Waiting, next_in_review, waiting_claims
from clearing.console.chart import Chart, lines
from clearing.console.filters import scheme_name, tenant_name
from clearing.console.home_figures import Figures
from clearing.console.lists import COUNTED
from clearing.console.screen import as_api, may, screen, show, within
from clearing.console.words import STATES
from clearing.relay import STUCK_ATTEMPTS
from clearing.tenancy import waiting
from clearing.tenancy.budgets import read_budget
from settlement.batches.batch import Batch, list_batches
from settlement.batches.preview import open_amounts
from settlement.cycles.exposure import exposures
from settlement.matching_list import overdue_count
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.money import ZERO, Money
from tenants.principal import Principal
from tenants.profile import load_tenants

blueprint = screen("home")

OPEN_BATCHES: Final = ("cut", "in_publicity", "sealed", "released")
MOST_BATCHES: Final = 50
COMMITS_NOTHING: Final = frozenset({"rejected", "withdrawn", "needs_correction", "clawed_back"})
"""States in which a claim takes nothing of a budget."""


@dataclass(frozen=True, slots=True)
class Task:
    """A batch that waits for one of my steps, or is late."""

    batch: Batch
    step: str
    late: bool = False
    provisional: bool = False


@dataclass(frozen=True, slots=True)
class Tile:
    """Something that waits for me, or is late: how much of what, and where it is."""

    count: int
    text: str
    path: str
    kind: str = ""


@blueprint.get("/")
@as_api("claims.list_claims")
def home() -> Response:
    """The home page of whoever is here."""
    me = principal()
    shown = within(lambda work: _read(work, me))
    figures: Figures = current_app.extensions["console-figures"]
    counts = figures.of(me.tenants)
    claims: Sequence[Counted] = () if counts is None else counts.claims
    burnt = _burn_down(shown["budgets"], claims, shown["today"])
    return show("home.html", counts=counts, states=_by_state(claims), burnt=burnt, charts=_charts(burnt), **shown)


def _read(work: Work, me: Principal) -> dict[str, Any]:
    today = shanghai_day(work.at)
    open_claims = waiting_claims(work.connection, today)
    reviews = may("claims.review_claim")
    return {
        "today": today,
        "waiting": open_claims,
        "next_claim": next_in_review(work.connection, me.person or "", None) if reviews else None,
        "reviews": reviews,
        "tiles": [tile for tile in (*_tiles(work, me, today), *_late(work, me, today)) if tile.count],
        "tasks": _tasks(work, me, today),
        "open_amounts": open_amounts(work.connection) if may("batches.cut_batch") else [],
        "budgets": [budget for budget in _budgets(work, me, today.year) if budget["amount"] is not None],
        "open_count": _open(open_claims),
        "nets": _nets(work, me) if may("cycles.get_positions") else [],
    }


def _tiles(work: Work, me: Principal, today: date) -> list[Tile]:
    """What waits for a decision that the person may make."""
    tiles = []
    submitted, drafts = waiting.policies_waiting(work.connection, me.subject)
    if may("policies.approve_policy"):
        tiles.append(Tile(submitted, _("个政策版本待您批准"), "/console/policies"))
        lists = waiting.trust_lists_waiting(work.connection, me.subject)
        tiles.append(Tile(lists, _("份免审名单待您批准"), "/console/registers/trust-list/" + me.tenants[0]))
        regions = waiting.linked_regions_waiting(work.connection, me.subject)
        tiles.append(Tile(regions, _("份联动地区名单待您批准"), "/console/settings/" + me.tenants[0]))
        linked = waiting.linkages_waiting(work.connection, me.subject)
        place = f"/console/settings/{me.tenants[0]}/linkages?state=proposed"
        tiles.append(Tile(linked, _("份联动承诺待您核准"), place))
    if may("policies.post_policy"):
        tiles.append(Tile(drafts, _("份政策草稿尚未提交"), "/console/policies"))
    if may("standings.decide_qualification"):
        enterprises, providers = waiting.applications_waiting(work.connection)
        place = "/console/registers/{}/" + me.tenants[0] + "?state=applied"
        tiles.append(Tile(enterprises, _("家企业待审资格"), place.format("qualifications")))
        tiles.append(Tile(providers, _("家服务机构待审入库"), place.format("admissions")))
    if may("account_proposals.approve_proposal"):
        proposals = waiting.account_proposals_waiting(work.connection, me.subject)
        place = f"/console/accounts/{me.tenants[0]}/proposals?state=proposed"
        tiles.append(Tile(proposals, _("份账号提议待您批准"), place))
    if may("cases.list_cases"):
        cases = waiting.open_cases(work.connection, today)
        tiles.append(Tile(cases.open - cases.overdue, _("件疑似重复待处理"), "/console/cases"))
        tiles.append(Tile(cases.overdue, _("件疑似重复已逾期"), "/console/cases?overdue=true", "late"))
    return tiles


def _late(work: Work, me: Principal, today: date) -> list[Tile]:
    """What is late: matching that regions owe, and work of the machines that does not get done."""
    tiles = []
    if may("matching.get_regions"):
        for tenant in me.tenants:
            late = overdue_count(work.connection, tenant, today, COUNTED)
            text = _("笔联动配套逾期未付给%(tenant)s", tenant=tenant_name(tenant))
            tiles.append(Tile(late, text, f"/console/claims?tenant={tenant}", "late"))
    if me.may("clearing:operate"):
        for jobs in waiting.stuck_jobs(work.connection, STUCK_ATTEMPTS):
            text = _("项后台任务多次失败：%(kind)s", kind=jobs.kind)
            tiles.append(Tile(jobs.count, text, "/console/audit", "late"))
    return tiles


def _nets(work: Work, me: Principal) -> list[dict[str, Any]]:
    """What each of the person's regions is owed by each other, less what it owes, of all windows not settled yet."""
    owed = exposures(work.connection, me.tenants)
    pairs = {(mine, other) for pair in owed for mine, other in (pair, pair[::-1]) if mine in me.tenants}
    found = []
    for mine, other in sorted(pairs):
        gets, owes = owed.get((other, mine), ZERO), owed.get((mine, other), ZERO)
        found.append({"tenant": mine, "other": other, "gets": gets, "owes": owes, "net_fen": gets.fen - owes.fen})
    return found


def _burn_down(budgets: Sequence[dict[str, Any]], claims: Sequence[Counted], today: date) -> list[dict[str, Any]]:
    """Of each budget of the year, what was left of it at the end of each month, by the claims that it bears now."""
    months = [f"{today.year}-{month:02}" for month in range(1, today.month + 1)]
    found = []
    for budget in budgets if claims else ():
        left, taken = Money.parse(budget["amount"]).fen, dict.fromkeys(months, 0)
        for one in claims:
            mine = (one.tenant, one.scheme, one.quota_year) == (budget["tenant"], budget["scheme"], today.year)
            if mine and one.state not in COMMITS_NOTHING:
                month = min(max(one.month, months[0]), months[-1])
                taken[month] += one.award.fen
        lefts = []
        for month in months:
            left -= taken[month]
            lefts.append({"month": month, "taken": Money(taken[month]), "left": left})
        found.append({"tenant": budget["tenant"], "scheme": budget["scheme"], "months": lefts})
    return found


def _charts(burnt: Sequence[dict[str, Any]]) -> list[Chart]:
    if not burnt:
        return []
    months = [one["month"] for one in burnt[0]["months"]]
    series = [
        (
            f"{tenant_name(one['tenant'])} · {scheme_name(one['tenant'], one['scheme'])}",
            [max(each["left"], 0) for each in one["months"]],
        )
        for one in burnt
    ]
    return [lines(_("各月末预算余额的折线图，数值见旁边的表"), _("元"), months, series)]


def _open(waiting_now: Sequence[Waiting]) -> dict[str, tuple[int, Money, int]]:
    sums: dict[str, tuple[int, Money, int]] = {}
    for one in waiting_now:
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


def _by_state(rows: Sequence[Counted]) -> list[dict[str, Any]]:
    """Each state that occurs, in the order of a claim's life, with its share of the longest bar in thousandths."""
    sums: dict[str, tuple[int, Money]] = {}
    for one in rows:
        before = sums.get(one.state, (0, ZERO))
        sums[one.state] = (before[0] + one.count, before[1] + one.award)
    most = max((count for count, _award in sums.values()), default=0)
    return [
        {"state": state, "count": sums[state][0], "award": sums[state][1], "bar": sums[state][0] * 1000 // most}
        for state in STATES
        if state in sums
    ]
