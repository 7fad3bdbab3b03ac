"""The demonstration's bank: what a bank would answer to a batch, made by the simulator; in demonstration mode only.

It pays every order of the batch's payment file in full, on the demonstration's day. The answer is a download, or is
handed in by the same click, by the way that a real one takes.
"""

import tempfile
from pathlib import Path
from typing import Final
from uuid import UUID

from flask import Response
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.frame import current
from clearing.console.bank import bank_answered, statement_address
from clearing.console.screen import act, as_api, problem_page, screen, within
from settlement.bank.simulator import Books
from settlement.bank.simulator.answers import camt053, entries_of
from settlement.batches.batch import find_batch
from settlement.batches.batch_files import find_file, read_part
from settlement.payouts.payout_account import debtor_account
from settlement.statements.reconciliation import Imported
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work

blueprint = screen("demo_bank", "/batches/<tenant>/<uuid:batch_id>/bank/demonstration")

ORDERS: Final = "pain.001.xml"


@blueprint.get("/answer.xml")
@as_api("batches.get_file")
def download_answer(tenant: str, batch_id: UUID) -> Response:
    """The bank's statement of the day, as a file to hand in."""
    batch_no, content = within(lambda work: _answer(work, tenant, batch_id), (tenant,))
    headers = {"Content-Disposition": f'attachment; filename="{batch_no}-demonstration-camt.053.xml"'}
    return Response(content, mimetype="application/xml", headers=headers)


@blueprint.post("/answer")
@as_api("batches.get_file", "batches.post_statement")
def hand_in_answer(tenant: str, batch_id: UUID) -> AnyResponse:
    """Let the bank pay, and hand in what it says."""

    def take_in() -> Imported:
        def use_case(work: Work) -> Imported:
            with tempfile.TemporaryDirectory(prefix="statement-") as folder:
                path = Path(folder) / "statement"
                path.write_bytes(_answer(work, tenant, batch_id)[1])
                return bank_answered(work, tenant, batch_id, path)

        return within(use_case, (tenant,))

    return act(take_in, problem_page, lambda imported: statement_address(tenant, imported))


def _answer(work: Work, tenant: str, batch_id: UUID) -> tuple[str, bytes]:
    """The batch's number, and the camt.053 of a bank that made its payments.

    Raises:
        NotFound: there is no such batch, or it has no payment file yet.
    """
    service = current()
    batch = find_batch(work.connection, tenant, batch_id)
    file = find_file(work.connection, tenant, batch_id, ORDERS)
    parts = range(1, file.parts + 1)
    orders = b"".join(read_part(work.connection, batch, ORDERS, part, service.vault.sealer) for part in parts)
    books = Books()
    books.receive(batch.batch_no, orders)
    account = debtor_account(work.connection, tenant, service.office).account_number
    return batch.batch_no, camt053(str(account), entries_of(books.execute()), shanghai_day(work.at))
