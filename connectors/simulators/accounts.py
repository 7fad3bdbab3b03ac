"""A platform's own accounts: what it sent on each day, and what it was told of that, laid side by side (对账)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from connectors.client import ClaimAnswer
from connectors.simulators.conduct import Form
from connectors.spelling import amount
from tenants.kernel.canonical import Json
from tenants.kernel.money import ZERO, Money, total

INVOICES: Final = "发票"
AMOUNT: Final = "发票金额"
CLAIMED: Final = "本次使用金额"
PAID: Final = "paid"
PAID_OUT: Final = "payout.paid"
CAME_BACK: Final = "payout.returned"


@dataclass(slots=True)
class Accounts:
    """What was sent, by claim and revision, and by support record; what the nightly receipts said, by tenant and day.

    Only a local platform states support records, all of them of its one tenant. ``payouts`` are the payments that
    arrived and stayed, by claim and number, each with its tenant.
    """

    sent: dict[tuple[str, int], tuple[str, date, Money]] = field(default_factory=dict)
    registered: dict[str, date] = field(default_factory=dict)
    receipts: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    payouts: dict[tuple[str, int], tuple[str, Money]] = field(default_factory=dict)

    def enter(self, claim: ClaimAnswer, form: Form, on: date) -> None:
        """A claim that the service has: sent again it is entered once."""
        self.sent.setdefault((claim.external_id, claim.revision), (claim.tenant, on, claimed_in(form)))

    def enter_record(self, number: str, on: date) -> None:
        """A support record that the service has: sent again it is entered once."""
        self.registered.setdefault(number, on)

    def take(self, tenant: str, receipt: Mapping[str, Any]) -> None:
        """A nightly receipt."""
        self.receipts[tenant, receipt["day"]] = receipt

    def settle(self, told: Mapping[str, Any]) -> None:
        """What became of one payment of one claim."""
        data = told["data"]
        if told["type"] == PAID_OUT:
            self.payouts[data["claim_id"], data["payment"]] = (told["tenant"], Money.parse(data["amount"]))
        elif told["type"] == CAME_BACK:
            self.payouts.pop((data["claim_id"], data["payment"]), None)

    def paid_out(self) -> dict[str, Json]:
        """What the banks' word says that was paid, by tenant."""
        return _summed(self.payouts.values())

    def compared(self) -> list[Json]:
        """Each receipt beside what was sent on its day."""
        found: list[Json] = []
        for (tenant, day), receipt in sorted(self.receipts.items()):
            own = [amount for of, on, amount in self.sent.values() if (of, on.isoformat()) == (tenant, day)]
            records = sum(on.isoformat() == day for on in self.registered.values())
            ours: dict[str, Json] = {
                "submissions": len(own), "claimed": str(total(own)), "support_records": records,
            }  # fmt: skip
            theirs: dict[str, Json] = {name: receipt[name] for name in ours}
            found.append({"tenant": tenant, "day": day, "ours": ours, "theirs": theirs, "agrees": ours == theirs})
        return found


def claimed_in(form: Form) -> Money:
    """What the form claims of its invoices: the part of each that is used, or the whole."""
    spelt = (amount(row.get(CLAIMED) or row[AMOUNT]) for row in form.get(INVOICES, ()))
    return total(Money.parse(str(one)) for one in spelt)


def paid_by_tenant(claims: list[ClaimAnswer]) -> dict[str, Json]:
    """What the claims that are paid were awarded, by tenant."""
    return _summed((claim.tenant, claim.award) for claim in claims if claim.state == PAID)


def _summed(amounts: Iterable[tuple[str, Money]]) -> dict[str, Json]:
    found: dict[str, Money] = {}
    for tenant, one in amounts:
        found[tenant] = found.get(tenant, ZERO) + one
    return {tenant: str(one) for tenant, one in sorted(found.items())}
