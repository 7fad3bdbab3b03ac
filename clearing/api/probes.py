"""``/v1/registry/probes``: who of other tenants met what the tenant holds, for its auditor."""

from typing import Any

from flask import Response
from marshmallow import fields

from clearing.api.frame import Answer, in_transaction, needs
from clearing.api.noun import Noun, PageSchema, cursor_id, page
from clearing.claims.probes import Look, looks_at
from tenants.kernel.canonical import Json, plain
from tenants.kernel.database import Work

blueprint = Noun("registry", __name__, url_prefix="/v1/registry", description="查重登记 / the blind registry")


class ProbeQuerySchema(PageSchema):
    """The filters of the list."""

    tenant = fields.String()


@blueprint.get("/probes")
@needs("audit:read")
@blueprint.arguments(ProbeQuerySchema, location="query")
def list_probes(query: dict[str, Any]) -> Response:
    """List the looks at what the caller's tenants hold, the oldest first.

    Of the other side each tells the platform, the month and a reference that its tenant can look up, and nothing else.
    """
    limit, after = query["limit"], cursor_id(query["cursor"])

    def use_case(work: Work) -> Answer:
        looks = looks_at(work.connection, query.get("tenant"), after, limit + 1)
        return Answer(page(looks, limit, _json, lambda look: str(look.id)))

    return in_transaction(use_case)


def _json(look: Look) -> dict[str, Json]:
    return {
        "id": str(look.id),
        "tenant": look.tenant,
        "kind": look.kind,
        "reference": str(look.own_reference),
        "other_side": {"platform": look.platform, "month": look.month, "reference": str(look.reference)},
        "at": plain(look.at),
    }
