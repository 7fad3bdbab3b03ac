"""What a claim takes: of the enterprise's annual cap, of the year's budget, and of its linked region's matching."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from settlement import ledger
from settlement.ledger import AccountState, Transfer
from tenants.kernel.money import ZERO, Money


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts that one claim draws on."""

    scheme: str
    year: int
    uscc: str
    linked_region: str | None

    @property
    def quota(self) -> str:
        """The enterprise's annual cap."""
        return ledger.quota_account(self.scheme, self.year, self.uscc)

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

    @property
    def enterprise_accounts(self) -> tuple[str, ...]:
        """The accounts that are the enterprise's own, to be locked before the registry's keys."""
        return (self.quota,) if self.matching is None else (self.matching, self.quota)

    def reserve(self, award: Money, matching: Money, subject_id: UUID) -> list[Transfer]:
        """The pending transfers that set an award and its matching aside."""
        taken = [
            (self.quota, ledger.quota_used_account(self.scheme, self.year), award, "quota"),
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

    def __init__(self, states: dict[str, AccountState]) -> None:
        self._taken = {code: state.taken for code, state in states.items()}
        self._limit = {code: state.limit for code, state in states.items()}
        self.new_limits: dict[str, Money] = {}

    def taken(self, code: str | None) -> Money:
        """What has been taken from the account."""
        return ZERO if code is None else self._taken.get(code, ZERO)

    def left(self, code: str) -> Money | None:
        """What may still be taken; ``None`` where the account has no limit."""
        limit = self._limit.get(code)
        return None if limit is None else limit - self.taken(code)

    def cap(self, code: str | None, cap: Money | None) -> None:
        """Make the cap the account's limit, though never below what is taken already."""
        if code is None or cap is None:
            return
        limit = max(cap, self.taken(code))
        if self._limit.get(code) != limit:
            self._limit[code] = limit
            self.new_limits[code] = limit

    def add(self, states: dict[str, AccountState]) -> None:
        """Take in more locked accounts."""
        for code, state in states.items():
            self._taken[code] = state.taken
            self._limit[code] = state.limit

    def draw(self, transfers: Sequence[Transfer]) -> None:
        """Take the transfers' amounts from their accounts."""
        for transfer in transfers:
            self._taken[transfer.debit] = self.taken(transfer.debit) + transfer.amount

    def give_back(self, transfers: Sequence[Transfer]) -> None:
        """Free what the transfers had taken."""
        for transfer in transfers:
            self._taken[transfer.debit] = self.taken(transfer.debit) - transfer.amount


def write_transfers(
    connection: Connection, tenant: str, transfers: Sequence[Transfer], limits: Mapping[str, Money], at: datetime
) -> None:
    """Set the new limits, open the accounts on the other side, and append the transfers."""
    ledger.set_limits(connection, tenant, limits)
    ledger.open_accounts(connection, tenant, {transfer.credit: False for transfer in transfers})
    ledger.append(connection, tenant, transfers, at)


def lock_purse(connection: Connection, tenant: str, enterprise_accounts: Sequence[str]) -> Purse:
    """Open and lock the enterprises' accounts."""
    return Purse(ledger.open_and_lock(connection, tenant, enterprise_accounts) if enterprise_accounts else {})


def lock_budgets(connection: Connection, tenant: str, purse: Purse, budgets: Sequence[str]) -> None:
    """Open the budgets and lock those that have an appropriation: only these can run out."""
    if not budgets:
        return
    ledger.open_accounts(connection, tenant, dict.fromkeys(budgets, True))
    limited = ledger.limited_accounts(connection, tenant, budgets)
    purse.add(ledger.lock_accounts(connection, tenant, limited) if limited else {})
