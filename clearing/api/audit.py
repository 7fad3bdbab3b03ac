"""``/v1/audit``: the tenant's audit chain, searched, checked as a whole, and proved entry by entry."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from flask import Response
from marshmallow import Schema, fields, validate

from clearing.api.frame import Answer, current, in_transaction, needs, principal, respond
from clearing.api.noun import Noun, PageSchema, bad_query, read_cursor, write_cursor
from clearing.auditing.proof import Checked, chain_head, check_chain, prove
from clearing.auditing.search import Found, Page, Wanted, found_by, search
from clearing.checkpoints import Checkpoints
from connectors.fields import DayField
from tenants.kernel.database import Scope, Work, run
from tenants.kernel.errors import not_found

blueprint = Noun("audit", __name__, url_prefix="/v1/audit", description="审计 / audit chain")

MAX_TEXT: Final = 200
MAX_SEQ_DIGITS: Final = 15
Result = TypeVar("Result")


class TenantSchema(Schema):
    """Whose chain."""

    tenant = fields.String(required=True)


class AuditQuerySchema(PageSchema, TenantSchema):
    """Which entries: by person, action (or a beginning that ends in a dot), object and day."""

    actor = fields.String(validate=validate.Length(1, MAX_TEXT))
    action = fields.String(validate=validate.Length(1, MAX_TEXT))
    subject = fields.UUID()
    object = fields.String(
        validate=validate.Length(1, MAX_TEXT),
        metadata={"description": "申请、批次或额度确认的编号 / number of a claim, batch or reservation"},
    )
    on_from = DayField(optional=True)
    on_through = DayField(optional=True)


@blueprint.get("")
@needs("audit:read")
@blueprint.arguments(AuditQuerySchema, location="query")
def search_entries(query: dict[str, Any]) -> Response:
    """List entries of the tenant's chain, the newest first. A page may hold few and still have a next one."""
    tenant = own_tenant(query["tenant"])

    def use_case(work: Work) -> Answer:
        found = searched(work, query)
        following = None if found.next_before is None else write_cursor(str(found.next_before))
        return Answer({"items": [*found.items], "next_cursor": following})

    return in_transaction(use_case, (tenant,))


@blueprint.get("/verification")
@needs("audit:read")
@blueprint.arguments(TenantSchema, location="query")
def verify_chain(query: dict[str, str]) -> Response:
    """Recompute the tenant's whole chain, and hold it against every signed checkpoint."""
    return respond(Answer(verified(own_tenant(query["tenant"])).json()))


@blueprint.get("/proof/<int:entry>")
@needs("audit:read")
@blueprint.arguments(TenantSchema, location="query")
def prove_entry(query: dict[str, str], entry: int) -> Response:
    """Prove one entry, given by its number in the tenant's chain, up to the next signed checkpoint."""
    tenant = own_tenant(query["tenant"])
    checkpoints = Checkpoints.of(current().settings)
    return in_transaction(lambda work: Answer(prove(work.connection, checkpoints, tenant, entry)), (tenant,))


def own_tenant(tenant: str) -> str:
    """The tenant, if it is one of the caller's.

    Raises:
        NotFound: it is not, or there is none.
    """
    if tenant not in principal().tenants:
        raise not_found("区域", "tenant")
    return tenant


def searched(work: Work, query: dict[str, Any]) -> Page:
    """The page of entries that the query, as its schema made it, asks for.

    Raises:
        Invalid: the cursor is not one of ours.
    """
    return search(work.connection, query["tenant"], _wanted(query), _before(query["cursor"]), query["limit"])


def counted(work: Work, query: dict[str, Any], most: int | None) -> Found:
    """How many entries the query finds in all, whatever page it asks for; see :func:`found_by` for ``most``."""
    return found_by(work.connection, query["tenant"], _wanted(query), most)


def _wanted(query: dict[str, Any]) -> Wanted:
    names = ("actor", "action", "subject", "object", "on_from", "on_through")
    return Wanted(**{name: query.get(name) for name in names})


def verified(tenant: str) -> Checked:
    """The check of the tenant's whole chain."""
    service, scope = current(), Scope((tenant,))

    def within(use_case: Callable[[Work], Result]) -> Result:
        return run(service.engine, scope, service.machine, use_case)

    checkpoints = Checkpoints.of(service.settings)
    signed = {one.seq: one.hash for one in checkpoints.every(tenant)} if tenant in checkpoints.tenants() else {}
    return check_chain(within, within(lambda work: chain_head(work.connection, tenant)), signed)


def _before(cursor: str | None) -> int | None:
    text = read_cursor(cursor)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= MAX_SEQ_DIGITS):
        raise bad_query("cursor", "游标无效，请从第一页开始。", "The cursor is not valid; start from the first page.")
    return int(text)
