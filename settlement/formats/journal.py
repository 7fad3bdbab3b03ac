"""The ledger as a plain-text journal that outside bookkeeping programs accept, balance and check.

One transaction a transfer. A debit is positive. What is pending stands on accounts of its own until it is posted or
voided, so that nothing of the ledger is left out (no sub-accounts, which beancount would add to the one above).
The balances at the end are sums that the database worked out by itself, stated as assertions: a program that adds the
transactions up to anything else says so.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final, Protocol
from uuid import UUID

from tenants.kernel.money import Money

CURRENCY: Final = "CNY"
ROOTS: Final = {"treasury": "Assets", "quota": "Equity", "quota-used": "Equity", "matching": "Equity"}
"""By kind of account; every other kind is a liability: money that the tenant holds for, or owes to, somebody."""
_PENDING: Final = "Pending"
_WIDENED: Final = str.maketrans({";": "；", "|": "｜", '"': "”", "\\": "＼", "\n": " ", "\r": " "})


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account holds: moved, and pending; debits less credits."""

    code: str
    moved: Money
    held: Money


@dataclass(frozen=True, slots=True)
class Entry:
    """One transfer. ``kind``: ``pending``, ``post``, ``void`` or ``posted``."""

    transfer_id: UUID
    on: date
    kind: str
    debit: str
    credit: str
    amount: Money
    reason: str
    subject_id: UUID


Posting = tuple[str, Money]


class Dialect(Protocol):
    """How one program writes things down."""

    def head(self, title: str, opened_on: date, accounts: Iterable[str]) -> Iterator[str]:
        """The journal's title, and its accounts."""
        ...

    def transaction(
        self, on: date, text: str, postings: Iterable[Posting], named: dict[str, str], *, pending: bool
    ) -> Iterator[str]:
        """One transaction."""
        ...

    def assertions(self, on: date, balances: Iterable[Posting]) -> Iterator[str]:
        """The balances at the beginning of the day."""
        ...


class Hledger:
    """The journal format of hledger, which is that of Ledger."""

    def head(self, title: str, opened_on: date, accounts: Iterable[str]) -> Iterator[str]:
        """See :class:`Dialect`."""
        yield f"; {title.translate(_WIDENED)}, from {opened_on}"
        yield f"commodity 1000.00 {CURRENCY}"
        for account in accounts:
            yield f"account {account}"
        yield ""

    def transaction(
        self, on: date, text: str, postings: Iterable[Posting], named: dict[str, str], *, pending: bool
    ) -> Iterator[str]:
        """See :class:`Dialect`."""
        tags = ", ".join(f"{name}:{value}" for name, value in named.items())
        yield f"{on} {'!' if pending else '*'} {text.translate(_WIDENED)}" + (f"  ; {tags}" if tags else "")
        for account, amount in postings:
            yield f"    {account}  {amount} {CURRENCY}"
        yield ""

    def assertions(self, on: date, balances: Iterable[Posting]) -> Iterator[str]:
        """See :class:`Dialect`."""
        yield f"{on} * balances"
        for account, amount in balances:
            yield f"    {account}  0.00 {CURRENCY} = {amount} {CURRENCY}"
        yield ""


class Beancount:
    """The journal format of beancount."""

    def head(self, title: str, opened_on: date, accounts: Iterable[str]) -> Iterator[str]:
        """See :class:`Dialect`."""
        yield f'option "title" "{title.translate(_WIDENED)}"'
        yield f'option "operating_currency" "{CURRENCY}"'
        for account in accounts:
            yield f"{opened_on} open {account} {CURRENCY}"
        yield ""

    def transaction(
        self, on: date, text: str, postings: Iterable[Posting], named: dict[str, str], *, pending: bool
    ) -> Iterator[str]:
        """See :class:`Dialect`."""
        yield f'{on} {"!" if pending else "*"} "{text.translate(_WIDENED)}"'
        for name, value in named.items():
            yield f'  {name}: "{value}"'
        for account, amount in postings:
            yield f"  {account}  {amount} {CURRENCY}"
        yield ""

    def assertions(self, on: date, balances: Iterable[Posting]) -> Iterator[str]:
        """See :class:`Dialect`."""
        for account, amount in balances:
            yield f"{on} balance {account}  {amount} {CURRENCY}"
        yield ""


DIALECTS: Final[dict[str, Dialect]] = {"hledger": Hledger(), "beancount": Beancount()}


def account_name(code: str, *within: str) -> str:
    """The account's name in a journal: ``budget/provincial/2024`` is ``Liabilities:Budget:Provincial:2024``."""
    parts = code.split("/")
    return ":".join([ROOTS.get(parts[0], "Liabilities"), *within, *(part[:1].upper() + part[1:] for part in parts)])


def pending_name(code: str) -> str:
    """The name of what is pending on the account."""
    return account_name(code, _PENDING)


def opening(dialect: Dialect, title: str, opened_on: date, balances: Iterable[Balance]) -> Iterator[str]:
    """The head, and the balances with which the period begins."""
    known = list(balances)
    yield from dialect.head(
        title, opened_on, (name for each in known for name in (account_name(each.code), pending_name(each.code)))
    )
    carried = [posting for each in known for posting in _balances(each) if posting[1]]
    if carried:
        yield from dialect.transaction(opened_on, "opening balances", carried, {}, pending=False)


def transaction(dialect: Dialect, entry: Entry) -> Iterator[str]:
    """One transfer."""
    sides = [(entry.debit, entry.amount), (entry.credit, _negative(entry.amount))]
    postings: list[Posting] = []
    if entry.kind in {"post", "void"}:
        postings += [(pending_name(code), _negative(amount)) for code, amount in sides]
    if entry.kind == "pending":
        postings += [(pending_name(code), amount) for code, amount in sides]
    if entry.kind in {"post", "posted"}:
        postings += [(account_name(code), amount) for code, amount in sides]
    named = {"transfer": str(entry.transfer_id), "subject": str(entry.subject_id)}
    text = f"{entry.kind}: {entry.reason}"
    yield from dialect.transaction(entry.on, text, postings, named, pending=entry.kind == "pending")


def closing(dialect: Dialect, on: date, balances: Iterable[Balance]) -> Iterator[str]:
    """The assertions of what every account holds at the beginning of the day."""
    yield from dialect.assertions(on, (posting for each in balances for posting in _balances(each)))


def _balances(balance: Balance) -> tuple[Posting, Posting]:
    return (account_name(balance.code), balance.moved), (pending_name(balance.code), balance.held)


def _negative(amount: Money) -> Money:
    return Money(-amount.fen)
