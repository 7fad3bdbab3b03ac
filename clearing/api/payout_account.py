"""``/v1/tenants/{tenant}/payout-account``: the fiscal account that a tenant pays from."""

from flask import Response

from clearing.api.batch_acts import office
from clearing.api.batches import READERS
from clearing.api.frame import Answer, in_transaction, needs, principal
from clearing.api.noun import Noun
from connectors.claim_schema import PayeeSchema
from connectors.submission import Payee
from settlement.payouts.instruction import Account
from settlement.payouts.payout_account import ShownAccount, set_payout_account, show_payout_account
from tenants.kernel.database import Work

blueprint = Noun(
    "payout_account",
    __name__,
    url_prefix="/v1/tenants/<tenant>/payout-account",
    description="拨付账户 / the account a tenant pays from",
)


@blueprint.get("")
@needs(*READERS, "policies:write")
def get_payout_account(tenant: str) -> Response:
    """The account, its number masked."""
    return in_transaction(lambda work: Answer(show_payout_account(work.connection, tenant).json()), (tenant,))


@blueprint.put("")
@needs("batches:write", "policies:write")
@blueprint.arguments(PayeeSchema)
def put_payout_account(given: Payee, tenant: str) -> Response:
    """Set the account that the next batches are paid from."""
    return in_transaction(lambda work: Answer(set_account(work, tenant, given).json()), (tenant,))


def set_account(work: Work, tenant: str, given: Payee) -> ShownAccount:
    """Set the tenant's account, as the caller."""
    account = Account(given.account_name, given.account_number, given.bank_name, given.cnaps)
    return set_payout_account(work.connection, tenant, account, office(), principal().subject, work.at)
