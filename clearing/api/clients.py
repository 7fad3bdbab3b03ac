"""``/v1/tenants/{tenant}/clients``: who may act for a tenant, and what the tenant asks of each."""

from typing import Any

from flask import Response
from marshmallow import Schema, fields, validate

from clearing.api.frame import Answer, in_transaction, needs, principal
from clearing.api.noun import Noun, PageSchema, page, read_cursor
from connectors.fields import MoneyField
from connectors.leaf import BooleanField
from tenants.client_terms import MAX_NETWORKS, Terms, networks_from, set_terms, terms_of
from tenants.credentials import ClientRow, clients_of
from tenants.kernel.canonical import Json
from tenants.kernel.clock import print_instant
from tenants.kernel.database import Work

blueprint = Noun("clients", __name__, url_prefix="/v1/tenants/<tenant>/clients", description="客户端 / clients")

READERS = ("policies:write", "audit:read")


class TermsSchema(Schema):
    """What the tenant asks of the client; the whole of it."""

    signature_required = BooleanField()
    networks = fields.List(
        fields.String(validate=validate.Length(max=64)),
        required=True,
        validate=validate.Length(max=MAX_NETWORKS),
        metadata={"description": "where it may call from, in CIDR notation; empty: from anywhere"},
    )
    ceiling = MoneyField(
        zero=True, optional=True, about="每日限额（元），空为不限 / what it may claim in a day; null: anything"
    )


@blueprint.get("")
@needs(*READERS)
@blueprint.arguments(PageSchema, location="query")
def list_clients(query: dict[str, Any], tenant: str) -> Response:
    """The clients that may act for the tenant, revoked ones too, with what it asks of each."""
    limit, after = query["limit"], read_cursor(query["cursor"]) or ""

    def use_case(work: Work) -> Answer:
        rows = clients_of(work.connection, tenant, after, limit + 1)
        return Answer(page(rows, limit, _json, lambda row: row.client_id))

    return in_transaction(use_case, (tenant,))


@blueprint.get("/<client_id>/terms")
@needs(*READERS)
def get_terms(tenant: str, client_id: str) -> Response:
    """What the tenant asks of the client."""
    return in_transaction(lambda work: Answer(terms_of(work.connection, tenant, client_id).json()), (tenant,))


@blueprint.put("/<client_id>/terms")
@needs("policies:write")
@blueprint.arguments(TermsSchema)
def put_terms(body: dict[str, Any], tenant: str, client_id: str) -> Response:
    """Ask this of the client: signed requests, known addresses, a ceiling a day; known everywhere within seconds."""
    terms = Terms(body["signature_required"], networks_from(body["networks"]), body.get("ceiling"))

    def use_case(work: Work) -> Answer:
        set_terms(work, tenant, client_id, terms, principal().subject)
        return Answer(terms.json())

    return in_transaction(use_case, (tenant,))


def _json(row: ClientRow) -> Json:
    return {
        "client_id": row.client_id,
        "platform": row.platform,
        "person": row.person,
        "scopes": list(row.scopes),
        "created_at": print_instant(row.created_at),
        "revoked_at": None if row.revoked_at is None else print_instant(row.revoked_at),
        "terms": row.terms.json(),
    }
