"""What a claim takes: of the enterprise's annual cap, of the year's budget, and of its linked region's matching."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from settlement import ledger
from settlement.ledger import AccountState, States, Transfer
from tenants.kernel.arrays import texts
from tenants.kernel.money import ZERO, Money
from tenants.kernel.statements import Query


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts that one claim draws on; ``cap`` names the annual cap where it is not the scheme's own."""

    scheme: str
    year: int
    uscc: str
    linked_region: str | None
    cap: str | None = None

    @property
    def quota(self) -> str:
        """The enterprise's annual cap, which schemes may share."""
        return ledger.quota_account(self.cap or self.scheme, self.year, self.uscc)

    @property
    def budget(self) -> str:
        """The scheme's appropriation of the quota year."""
        return ledger.budget_account(self.scheme, self.year)

    @property
    def matching(self) -> str | None:
        """The enterprise's annual matching cap in its linked region."""
        if self.linked_region is None:
            return None
        return ledger.matching_account(self.scheme, self.year, self.linked_region, self.uscc)

    def caps(self, annual: Money | None, matching: Money | None) -> tuple[tuple[str, Money | None], ...]:
        """The accounts that are the enterprise's own with their caps, to be locked before the registry's keys."""
        own = ((self.quota, annual),)
        return own if self.matching is None else (*own, (self.matching, matching))

    def reserve(self, award: Money, matching: Money, subject_id: UUID) -> list[Transfer]:
        """The pending transfers that set an award and its matching aside."""
        taken = [
            (self.quota, ledger.quota_used_account(self.cap or self.scheme, self.year), award, "quota"),
            (self.budget, ledger.obligations_account(self.scheme, self.year), award, "award"),
        ]
        if self.matching is not None and self.linked_region is not None:
            payable = ledger.matching_payable_account(self.scheme, self.year, self.linked_region)
            taken.append((self.matching, payable, matching, "matching"))
        return [
            ledger.pending(debit, credit, amount, reason, subject_id)
            for debit, credit, amount, reason in taken
            if amount
        ]


class Purse:
    """The locked accounts of one transaction, as they stand and as it draws on them."""

    def __init__(self, *states: States, waited_for: Collection[str] = ()) -> None:
        known: dict[str, AccountState] = {code: state for part in states for code, state in part.items()}
        self._taken = {code: state.taken for code, state in known.items()}
        self._limit = {code: state.limit for code, state in known.items()}
        self._waited_for = set(waited_for)

    def taken(self, code: str | None) -> Money:
        """What has been taken from the account."""
        return ZERO if code is None else self._taken.get(code, ZERO)

    def left(self, code: str) -> Money | None:
        """What may still be taken; ``None`` where the account has no limit."""
        limit = self._limit.get(code)
        return None if limit is None else limit - self.taken(code)

    def wait_for(self, code: str) -> None:
        """Note that a claim waits for the account's money: what is left is not for those who come later."""
        self._waited_for.add(code)

    def left_for_newcomers(self, code: str) -> Money | None:
        """What may still be taken by a claim that comes now: nothing while others wait for it."""
        left = self.left(code)
        return ZERO if left is not None and code in self._waited_for else left

    def draw(self, transfers: Sequence[Transfer]) -> None:
        """Take the transfers' amounts from their accounts."""
        for transfer in transfers:
            self._taken[transfer.debit] = self.taken(transfer.debit) + transfer.amount

    def give_back(self, transfers: Sequence[Transfer]) -> None:
        """Free what the transfers had taken."""
        for transfer in transfers:
            self._taken[transfer.debit] = self.taken(transfer.debit) - transfer.amount


def purse_query(tenant: str, caps: Sequence[tuple[str, Money | None]]) -> Query[States]:
    """Open and lock the enterprises' accounts, each with its cap as the limit; of several caps the highest."""
    limits: dict[str, Money | None] = {}
    for code, cap in caps:
        known = limits.get(code)
        limits[code] = cap if known is None or (cap is not None and cap > known) else known
    return ledger.open_and_lock(tenant, limits)


def accounts_now(tenant: str, codes: Collection[str]) -> Query[States]:
    """The counted accounts as they stand, not locked: what is read here may be over at once."""
    return Query(
        "select code, debits_pending_fen + debits_posted_fen - credits_posted_fen, limit_fen from ledger_account "
        "where tenant = %s and code = any(%s)",
        (tenant, texts(sorted(codes))),
        lambda rows: {
            code: AccountState(Money(taken), None if limit is None else Money(limit)) for code, taken, limit in rows
        },
    )


def returned_quota(
    connection: Connection, tenant: str, claim_id: UUID, amount: Money, reason: str, subject_id: UUID
) -> list[Transfer]:
    """The transfer that gives some of a claim's quota back to the very cap that it was taken from, shared or not."""
    return [
        ledger.posted(each.credit, each.debit, amount, reason, subject_id)
        for each in ledger.standing_transfers(connection, tenant, [claim_id])
        if each.debit.startswith("quota/")
    ]
