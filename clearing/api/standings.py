"""Enterprises' qualifications, providers' admissions and the trust list: entered by one person, decided by another."""

from collections.abc import Callable
from datetime import date
from typing import Any, Final

from flask import Response, request

from clearing.api.frame import Answer, current, in_transaction, needs, principal
from clearing.api.noun import Noun, cursor_id, page, require_type, too_large
from clearing.api.standing_form import (
    YEARS,
    AdmissionDecisionSchema,
    AdmissionQuerySchema,
    ApplicationSchema,
    EntrySchema,
    QualificationDecisionSchema,
    QualificationQuerySchema,
    SchemeSchema,
    TrustDecisionSchema,
    TrustListSchema,
    YearQuerySchema,
)
from clearing.tenancy import admissions, qualifications, trust_lists
from clearing.tenancy.admissions import ADMISSIONS, Decision, Entry
from clearing.tenancy.governing import Year, governed_year, governing_policy
from clearing.tenancy.imports import import_admissions, import_qualifications
from clearing.tenancy.proofs import Application
from clearing.tenancy.qualifications import QUALIFICATIONS
from clearing.tenancy.standing_table import Row, StandingTable
from connectors.faults import Fault, explain
from connectors.fields import UsccField
from tenants.kernel.canonical import Json
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.errors import FieldError, Invalid
from tenants.policy import Policy

blueprint = Noun(
    "standings", __name__, url_prefix="/v1", description="资格、入库、免审名单 / who may apply, be paid for"
)

READERS: Final = ("claims:read", "claims:write", "reviews:write", "policies:write", "policies:approve", "audit:read")
WRITERS: Final = ("claims:write", "policies:write")
YEAR: Final = f"<int(min={YEARS[0]}, max={YEARS[1]}):year>"
QUALIFICATION: Final = f"/enterprises/<uscc>/qualifications/<tenant>/{YEAR}"
ADMISSION: Final = "/providers/<uscc>/admissions/<tenant>"
TRUST_LIST: Final = "/tenants/<tenant>/trust-list"
MAX_TABLE_BYTES: Final = 8 * 2**20
TABLES: Final = ("text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")


@blueprint.get(QUALIFICATION)
@needs(*READERS)
@blueprint.arguments(SchemeSchema, location="query")
def get_qualification(query: dict[str, Any], uscc: str, tenant: str, year: int) -> Response:
    """An enterprise's qualification of the year, with those before it."""

    def use_case(work: Work) -> Answer:
        return Answer(_of_enterprise(work, _year(work, tenant, query["scheme"], year), uscc))

    return in_transaction(use_case, (tenant,))


@blueprint.put(QUALIFICATION)
@needs(*WRITERS)
@blueprint.arguments(SchemeSchema, location="query")
@blueprint.arguments(ApplicationSchema)
def put_qualification(query: dict[str, Any], body: dict[str, Any], uscc: str, tenant: str, year: int) -> Response:
    """Apply for the year: admitted at once where the type needs no review and its proof holds."""
    application = Application(
        _uscc(uscc), **{**body, "documents": tuple(body["documents"]), "resident_of": tuple(body["resident_of"])}
    )

    def use_case(work: Work) -> Answer:
        of = _year(work, tenant, query["scheme"], year)
        qualifications.apply_for(work, principal().subject, of, application)
        return Answer(_of_enterprise(work, of, application.uscc))

    return in_transaction(use_case, (tenant,), RACED)


@blueprint.post(f"{QUALIFICATION}/decision")
@needs("reviews:write")
@blueprint.arguments(SchemeSchema, location="query")
@blueprint.arguments(QualificationDecisionSchema)
def decide_qualification(query: dict[str, Any], body: dict[str, Any], uscc: str, tenant: str, year: int) -> Response:
    """Admit, refuse or withdraw; never by who entered it."""

    def use_case(work: Work) -> Answer:
        of = _year(work, tenant, query["scheme"], year)
        qualifications.decide(work, principal().subject, of, uscc, body["outcome"], body["reason"])
        return Answer(_of_enterprise(work, of, uscc))

    return in_transaction(use_case, (tenant,))


@blueprint.get("/tenants/<tenant>/qualifications")
@needs(*READERS)
@blueprint.arguments(QualificationQuerySchema, location="query")
def list_qualifications(query: dict[str, Any], tenant: str) -> Response:
    """List the tenant's qualifications, the oldest first."""
    return _listed(QUALIFICATIONS, qualifications.qualification_json, query, tenant)


@blueprint.post("/tenants/<tenant>/qualifications/import")
@needs(*WRITERS)
@blueprint.arguments(YearQuerySchema, location="query")
@blueprint.doc(requestBody={"required": True, "content": {kind: {"schema": {"type": "string"}} for kind in TABLES}})
def post_qualifications(query: dict[str, Any], tenant: str) -> Response:
    """Enter the rows of a CSV (UTF-8, GB18030) or XLSX: all of them, or none and every faulty cell named."""
    content = _table()

    def use_case(work: Work) -> Answer:
        of = _year(work, tenant, query["scheme"], query["year"])
        return Answer(import_qualifications(work, principal().subject, of, content).json())

    return in_transaction(use_case, (tenant,), RACED)


@blueprint.get(ADMISSION)
@needs(*READERS)
@blueprint.arguments(SchemeSchema, location="query")
def get_admission(query: dict[str, Any], uscc: str, tenant: str) -> Response:
    """A provider's admission to the scheme's directory, with those before it."""

    def use_case(work: Work) -> Answer:
        return Answer(_of_provider(work, _policy(work, tenant, query["scheme"]), uscc))

    return in_transaction(use_case, (tenant,))


@blueprint.put(ADMISSION)
@needs(*WRITERS)
@blueprint.arguments(SchemeSchema, location="query")
@blueprint.arguments(EntrySchema)
def put_admission(query: dict[str, Any], body: dict[str, Any], uscc: str, tenant: str) -> Response:
    """Enter a provider: admitted at once where the policy admits its kind directly."""
    proofs = tuple(body.pop("qualifications"))
    entry = Entry(_uscc(uscc), proofs=proofs, **body)

    def use_case(work: Work) -> Answer:
        policy = _policy(work, tenant, query["scheme"])
        admissions.enter(work, principal().subject, policy, entry)
        return Answer(_of_provider(work, policy, entry.uscc))

    return in_transaction(use_case, (tenant,), RACED)


@blueprint.post(f"{ADMISSION}/decision")
@needs("reviews:write")
@blueprint.arguments(SchemeSchema, location="query")
@blueprint.arguments(AdmissionDecisionSchema)
def decide_admission(query: dict[str, Any], body: dict[str, Any], uscc: str, tenant: str) -> Response:
    """Admit (it counts after the public notice), refuse, or let the provider leave; never by who entered it."""
    decision = Decision(body["outcome"], body["reason"], body["ground"])

    def use_case(work: Work) -> Answer:
        policy = _policy(work, tenant, query["scheme"])
        admissions.decide(work, principal().subject, policy, uscc, decision)
        return Answer(_of_provider(work, policy, uscc))

    return in_transaction(use_case, (tenant,))


@blueprint.get("/tenants/<tenant>/admissions")
@needs(*READERS)
@blueprint.arguments(AdmissionQuerySchema, location="query")
def list_admissions(query: dict[str, Any], tenant: str) -> Response:
    """List the directory, the oldest entry first."""
    return _listed(ADMISSIONS, admissions.admission_json, query, tenant)


@blueprint.post("/tenants/<tenant>/admissions/import")
@needs(*WRITERS)
@blueprint.arguments(SchemeSchema, location="query")
@blueprint.doc(requestBody={"required": True, "content": {kind: {"schema": {"type": "string"}} for kind in TABLES}})
def post_admissions(query: dict[str, Any], tenant: str) -> Response:
    """Enter the rows of a CSV (UTF-8, GB18030) or XLSX: all of them, or none and every faulty cell named."""
    content = _table()

    def use_case(work: Work) -> Answer:
        policy = _policy(work, tenant, query["scheme"])
        return Answer(import_admissions(work, principal().subject, policy, content).json())

    return in_transaction(use_case, (tenant,), RACED)


@blueprint.get(TRUST_LIST)
@needs(*READERS)
def get_trust_list(tenant: str) -> Response:
    """The trust list in force, and the one proposed."""
    return in_transaction(lambda work: Answer(trust_lists.read(work.connection, tenant)), (tenant,))


@blueprint.put(TRUST_LIST)
@needs("policies:write")
@blueprint.arguments(TrustListSchema)
def put_trust_list(body: dict[str, Any], tenant: str) -> Response:
    """Propose the whole list anew; it counts once another person has approved it."""
    listings = [trust_lists.Listing(uscc, **one) for uscc, one in body["providers"].items()]

    def use_case(work: Work) -> Answer:
        made = trust_lists.propose(work, principal().subject, tenant, body["cite"], listings)
        return Answer(made.json())

    return in_transaction(use_case, (tenant,))


@blueprint.post(f"{TRUST_LIST}/decision")
@needs("policies:approve")
@blueprint.arguments(TrustDecisionSchema)
def decide_trust_list(body: dict[str, Any], tenant: str) -> Response:
    """Approve or reject the version that was proposed; never by who proposed it."""

    def use_case(work: Work) -> Answer:
        done = trust_lists.decide(work, principal().subject, tenant, body["version"], body["outcome"], body["reason"])
        return Answer(done.json())

    return in_transaction(use_case, (tenant,))


RACED: Final = frozenset({"qualification_waits_once", "qualification_stands_once", "admission_waits_once"})
"""Constraints that only a race can break here."""


def _year(work: Work, tenant: str, scheme: str | None, year: int) -> Year:
    return governed_year(work, tenant, scheme, year, demonstration=current().settings.demonstration)


def _policy(work: Work, tenant: str, scheme: str | None) -> Policy:
    on = shanghai_day(work.at)
    return governing_policy(work, tenant, scheme, on, demonstration=current().settings.demonstration)


def _of_enterprise(work: Work, year: Year, uscc: str) -> dict[str, Json]:
    return _latest(work, QUALIFICATIONS, qualifications.qualification_json, year.scope, uscc)


def _of_provider(work: Work, policy: Policy, uscc: str) -> dict[str, Json]:
    return _latest(work, ADMISSIONS, admissions.admission_json, (policy.tenant, policy.scheme), uscc)


def _latest(
    work: Work,
    table: StandingTable[Row],
    shown: Callable[[Row, date], dict[str, Json]],
    scope: tuple[object, ...],
    uscc: str,
) -> dict[str, Json]:
    """The party's latest row, with those before it."""
    today = shanghai_day(work.at)
    latest, *earlier = (shown(row, today) for row in table.of_party(work.connection, scope, uscc))
    return latest | {"earlier": list[Json](earlier)}


def _listed(
    table: StandingTable[Row], shown: Callable[[Row, date], dict[str, Json]], query: dict[str, Any], tenant: str
) -> Response:
    """A page of the tenant's rows, each as on the day that it is read."""
    limit, after = query["limit"], cursor_id(query["cursor"])

    def use_case(work: Work) -> Answer:
        rows = table.listed(work.connection, tenant, query, after, limit + 1)
        today = shanghai_day(work.at)
        return Answer(page(rows, limit, lambda row: shown(row, today), lambda row: str(row.id)))

    return in_transaction(use_case, (tenant,))


def _uscc(text: str) -> str:
    """The credit code in the path.

    Raises:
        Invalid: it is none.
    """
    try:
        return UsccField().read(text)
    except Fault as fault:
        code, said = explain(str(fault))
        raise Invalid("input.invalid", said.zh, said.en, errors=(FieldError("/uscc", code, said),)) from fault


def _table() -> bytes:
    """The uploaded table.

    Raises:
        UnsupportedMediaType: it is sent as something else.
        TooLarge: it is over ``MAX_TABLE_BYTES``.
    """
    require_type(request.mimetype if request.mimetype in TABLES else TABLES[0])
    if (request.content_length or 0) > MAX_TABLE_BYTES:
        raise too_large(MAX_TABLE_BYTES)
    return request.get_data()
