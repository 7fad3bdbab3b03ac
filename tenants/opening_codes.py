"""Opening codes: who approves an account or a reset holds the link of its invitation, who proposed it the code.

Neither of the two alone can enrol in the person's place and so act in two names. A code is kept sealed, so that its
proposer can read it again until the invitation is taken up; it is shown to nobody else.
"""

import secrets
from collections.abc import Sequence
from hmac import compare_digest
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from tenants.kernel.sealing import Place, Sealer

LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without those that are taken for one another."""
LENGTH: Final = 16
TOGETHER: Final = 4


def new_code() -> str:
    """Eighty bits, in groups that can be told on the phone: ``K7QX-…``."""
    drawn = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
    return "-".join(drawn[at : at + TOGETHER] for at in range(0, LENGTH, TOGETHER))


def is_code(typed: str, code: str) -> bool:
    """Whether a person typed the code, in whatever case and groups."""
    return compare_digest(_bare(typed).encode(), _bare(code).encode())


def _bare(code: str) -> str:
    return code.upper().replace("-", "").replace(" ", "")


def place_of(tenant: str, proposal_id: UUID) -> Place:
    """Where a proposal's code is sealed."""
    return Place("account_proposal", "code_sealed", tenant, str(proposal_id))


def codes_of_proposer(
    connection: Connection, sealer: Sealer, tenant: str, proposals: Sequence[UUID], person: str
) -> dict[UUID, str]:
    """The codes of those of the proposals that the person made and that may still be taken up."""
    rows = connection.exec_driver_sql(
        "select p.id, p.code_sealed from account_proposal p where p.tenant = %s and p.id = any(%s) "
        "and p.proposed_by = %s and p.state <> 'rejected' and p.code_sealed is not null and not exists ("
        "select 1 from account_invitation i join account_enrolment e on e.invitation_id = i.id "
        "where i.proposal_tenant = p.tenant and i.proposal_id = p.id)",
        (tenant, list(proposals), person),
    )
    return {row.id: sealer.unseal(bytes(row.code_sealed), place_of(tenant, row.id)) for row in rows}
