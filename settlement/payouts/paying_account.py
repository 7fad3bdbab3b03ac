"""The account that a batch's instructions are drawn on: the tenant's, or the settlement agent's."""

from sqlalchemy import Connection

from settlement.agreements.agreement import agent_account, find_agreement
from settlement.batches.batch import Batch
from settlement.office import Office
from settlement.payouts.instruction import Account
from settlement.payouts.payout_account import debtor_account


def paying_account(connection: Connection, batch: Batch, office: Office) -> Account:
    """The account to pay the batch's payees from, opened.

    Raises:
        Conflict: ``payout_account.unset``, or ``payout_account.demonstration`` outside demonstration mode.
    """
    own = debtor_account(connection, batch.tenant, office)
    if batch.form != "agent" or batch.agreement_id is None:
        return own
    return agent_account(connection, find_agreement(connection, batch.tenant, batch.agreement_id), office)
