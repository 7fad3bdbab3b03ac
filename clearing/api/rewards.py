"""``/v1/tenants/{tenant}/schemes/{scheme}/rewards/{year}``: who may be rewarded for a year, and the grants."""

from typing import Any, Final

from flask import Response
from marshmallow import Schema

from clearing.api.batches import MAX_REASON_CHARACTERS, READERS
from clearing.api.frame import Answer, current, in_transaction, needs, principal
from clearing.api.noun import Noun, PageSchema, bad_query, page, read_cursor
from clearing.api.tenants import YEAR
from clearing.claims.rewards import GRANTED, Grant, candidates, grant_reward, terms_of
from connectors.claim_schema import PayeeSchema
from connectors.fields import MoneyField, UsccField
from connectors.leaf import TextField
from connectors.parts import Part
from settlement.payouts.instruction import Account
from tenants.kernel.database import Work

blueprint = Noun(
    "rewards",
    __name__,
    url_prefix=f"/v1/tenants/<tenant>/schemes/<scheme>/rewards/{YEAR}",
    description="服务机构年度奖励 / yearly rewards of providers",
)

_CODE_CHARACTERS: Final = 18


class GrantSchema(Schema):
    """One provider's reward."""

    provider_uscc = UsccField()
    amount = MoneyField(about="奖励金额（元），不超过上限 / not above the provider's ceiling")
    payee = Part(PayeeSchema)
    reason = TextField(MAX_REASON_CHARACTERS, about="服务效益评价等依据 / why")


@blueprint.get("")
@needs(*READERS)
@blueprint.arguments(PageSchema, location="query")
def get_candidates(query: dict[str, Any], tenant: str, scheme: str, year: int) -> Response:
    """List the providers of the year's paid claims: their services, what each may get, and what each was granted."""
    limit, after = query["limit"], read_cursor(query["cursor"]) or ""
    if len(after) > _CODE_CHARACTERS or not after.isprintable():
        raise bad_query("cursor", "游标无效，请从第一页开始。", "The cursor is not valid.")
    demonstration = current().settings.demonstration

    def use_case(work: Work) -> Answer:
        terms = terms_of(work, tenant, scheme, year, demonstration=demonstration)
        found = candidates(work, tenant, scheme, year, terms, after, limit + 1)
        return Answer(page(found, limit, lambda each: each.json(), lambda each: each.provider_uscc))

    return in_transaction(use_case, (tenant,))


@blueprint.post("")
@needs("batches:write")
@blueprint.arguments(GrantSchema)
@blueprint.response(201, description="the reward, which the next batch of kind incentive pays")
def post_reward(body: dict[str, Any], tenant: str, scheme: str, year: int) -> Response:
    """Grant one provider its reward of a year that is over."""
    payee = body["payee"]
    account = Account(payee.account_name, payee.account_number, payee.bank_name, payee.cnaps)
    grant = Grant(body["provider_uscc"], body["amount"], account, body["reason"])
    service, actor = current(), principal().subject

    def use_case(work: Work) -> Answer:
        terms = terms_of(work, tenant, scheme, year, demonstration=service.settings.demonstration)
        return Answer(grant_reward(work, service.vault, tenant, scheme, year, grant, terms, actor), 201)

    return in_transaction(use_case, (tenant,), frozenset({GRANTED}))
