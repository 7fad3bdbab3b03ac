"""Near duplicates: pairs of claims that look like one spending, next to each other, dismissed or confirmed."""

from http import HTTPStatus
from typing import Final
from uuid import UUID

from flask import Response, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.claims import reviewer
from clearing.api.frame import principal
from clearing.api.noun import load
from clearing.api.similar_pairs import PairDecisionSchema, PairQuerySchema
from clearing.console.desk_words import PAIR_STATES
from clearing.console.export import Column
from clearing.console.filters import platform_name, tenant_name
from clearing.console.forms import plain_form
from clearing.console.lists import Figure, Listing, shown
from clearing.console.screen import act, as_api, screen, show, within
from clearing.console.words import word
from clearing.likeness.comparison import compared_json, pair_json
from clearing.likeness.holding import decide_pair
from clearing.likeness.pairs import PairView, list_pairs, pair_totals, view_pair
from tenants.kernel.database import Work
from tenants.kernel.errors import Problem

blueprint = screen("pairs", "/pairs")

DONE: Final = {"dismiss": "pair-dismissed", "confirm": "pair-confirmed"}


@blueprint.get("")
@as_api("similar-pairs.list_similar_pairs")
def list_page() -> Response:
    """One page of the pairs that the address asks for, the first found first."""
    listing = _listing().page()
    rows = listing["items"]
    listing["items"] = None if rows is None else [pair_json(pair) for pair in rows]
    return shown("pairs.html", listing, states=PAIR_STATES, tenants=principal().tenants)


@blueprint.get("/export.<any(csv,xlsx):form>")
@as_api("similar-pairs.list_similar_pairs")
def export(form: str) -> Response:
    """The pairs that the address asks for, all of them, as a file."""
    return _listing().export(form)


def _listing() -> Listing[PairView, UUID]:
    return Listing(
        name="pairs",
        schema=PairQuerySchema,
        read=lambda work, query, after, limit: list_pairs(
            work.connection, query.get("tenant"), query.get("state"), after, limit
        ),
        totals=lambda work, query, most: pair_totals(work.connection, query.get("tenant"), query.get("state"), most),
        key=lambda pair: pair.row.id,
        columns=_columns,
        figures=lambda: (Figure(_("后到申请核定合计（元）"), None),),
    )


@blueprint.get("/<uuid:pair_id>")
@as_api("similar-pairs.get_pair")
def pair_page(pair_id: UUID) -> Response:
    """One pair with both claims next to each other."""
    return _page(pair_id)


@blueprint.post("/<uuid:pair_id>/resolution")
@as_api("similar-pairs.decide_similar_pair")
def decide(pair_id: UUID) -> AnyResponse:
    """Dismiss the pair, or confirm it, which refuses the claim that it holds."""

    def use_case(work: Work) -> str:
        given = load(PairDecisionSchema(), plain_form("outcome", "reason", required=("outcome", "reason")))
        decide_pair(work, reviewer(), pair_id, given["outcome"], given["reason"])
        return DONE[given["outcome"]]

    return act(
        lambda: within(use_case),
        lambda problem: _page(pair_id, problem),
        lambda done: f"/console/pairs/{pair_id}?done={done}",
    )


def _page(pair_id: UUID, problem: Problem | None = None) -> Response:
    pair = within(lambda work: compared_json(work.connection, view_pair(work.connection, pair_id)))
    status = HTTPStatus.OK if problem is None else problem.status
    given = request.form if problem is not None else {}
    return show("pair.html", status, pair=pair, problem=problem, given=given)


def _columns() -> tuple[Column[PairView], ...]:
    return (
        Column(_("发现时间"), lambda pair: str(pair_json(pair)["found_at"])),
        Column(_("区域"), lambda pair: tenant_name(pair.row.tenant)),
        Column(_("后到申请"), lambda pair: pair.claim_no),
        Column(_("状态"), lambda pair: word("pair_state", pair.state)),
        Column(_("作用"), lambda pair: word("pair_effect", str(pair_json(pair)["effect"]))),
        Column(_("相似度"), lambda pair: str(pair_json(pair)["likelihood"] or "")),
        Column(_("对方平台"), lambda pair: platform_name(pair.row.other_platform)),
        Column(_("对方月份"), lambda pair: pair.row.other_month),
        Column(_("对方编号"), lambda pair: str(pair.row.other_reference)),
        Column(_("理由"), lambda pair: pair.reason or ""),
    )
