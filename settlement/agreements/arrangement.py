"""Who pays a provider: by the division in which it is registered, and the agreement with whoever governs there."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from settlement.agreements.agreement import Agreement, in_force
from tenants.kernel.errors import Conflict


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Division prefixes with the side that each belongs to; a provider belongs to its longest.

    ``paid_otherwise``: the sides whose providers the tenant does not pay itself.
    """

    prefixes: tuple[str, ...]
    sides: tuple[str, ...]
    paid_otherwise: Mapping[str, Agreement]

    def agreement_with(self, counterparty: str) -> Agreement:
        """The agreement by which the counterparty's providers are paid.

        Raises:
            Conflict: ``agreement.none``: the tenant pays them itself.
        """
        agreement = self.paid_otherwise.get(counterparty)
        if agreement is None:
            raise Conflict(
                "agreement.none",
                f"与 {counterparty} 之间没有生效的代理或垫付协议；其服务机构由本区域直接兑付。",
                f"No agreement with {counterparty} is in force but for direct payment: cut a batch without it.",
            )
        return agreement


def arrangement(connection: Connection, tenant: str, on: date) -> Arrangement:
    """How the tenant's cross-redemption claims are paid on the day."""
    agreements = in_force(connection, tenant, on)
    governed = [
        (division, side)
        for side, divisions in connection.exec_driver_sql("select tenant, divisions from tenant order by tenant")
        for division in divisions
    ]
    governed += [(_prefix(side), side) for side in agreements if side.isdecimal()]
    return Arrangement(
        tuple(prefix for prefix, _ in governed),
        tuple(side for _, side in governed),
        {side: agreement for side, agreement in agreements.items() if agreement.form != "direct" and side != tenant},
    )


def _prefix(division: str) -> str:
    """What every division below begins with: ``310000`` is the whole of Shanghai."""
    while len(division) > _PROVINCE_DIGITS and division.endswith("00"):
        division = division[:-2]
    return division


_PROVINCE_DIGITS = 2
