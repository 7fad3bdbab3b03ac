"""Reconciliation (对账): a bank's answer is imported once, each line classed, matched ones booked, the others shown.

One transaction: killed at any moment it leaves nothing, and the same file may be handed in again. What came in is
kept sealed. Money that moved and does not match waits in suspense; no line is ever adjusted to fit.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from settlement import ledger
from settlement.batches.batch import find_batch, find_batch_by_number
from settlement.batches.settling import hold_batches, settle_decided
from settlement.cycles.clearing_order import ORDER_MESSAGE, PAY_OUT, Order, find_order, find_orders
from settlement.cycles.order_file import no_agent
from settlement.cycles.order_outcomes import (
    OrderOutcome,
    book_orders,
    reject_order,
    require_everyone,
    settle_paid_cycles,
)
from settlement.cycles.order_receipts import Arrival, book_arrivals
from settlement.office import Office
from settlement.payouts.instruction import Account
from settlement.payouts.outcomes import Outcome, book, reject_message
from settlement.payouts.paying_account import paying_account
from settlement.payouts.payments import look_up_by_index, prepare_for_whole_batch
from settlement.statements.expectations import (
    expected_of,
    instruction_named,
    movement_of,
    ordered_rows,
    seen_movements,
)
from settlement.statements.line import CREDIT, DEBIT, STATUS, Owner, StatementLine
from settlement.statements.matching import (
    MATCHED,
    PAID,
    UNKNOWN,
    Booked,
    Expected,
    Verdict,
    judge,
    surplus_after,
)
from settlement.statements.order_lines import NamedOrder, named_orders
from settlement.statements.pain002 import WHOLE
from settlement.statements.reading import format_of, read_lines
from settlement.statements.statement_file import digest_of, keep_file
from settlement.statements.statement_records import (
    LINE_COLUMNS,
    LINE_KINDS,
    BankStatement,
    find_statement_of_file,
    insert_statement,
    lines_digest,
)
from tenants.kernel.canonical import Json
from tenants.kernel.change import Change, lock_chains, record
from tenants.kernel.errors import NotFound
from tenants.kernel.ids import new_id
from tenants.kernel.money import Money
from tenants.kernel.sealing import mask_account
from tenants.kernel.statements import Write, write_all

LINES_AT_ONCE: Final = 500
_ID_CHARACTERS: Final = 26
_FIRST: Final = frozenset({STATUS, DEBIT})
_LAST: Final = frozenset({CREDIT})
"""What came back is looked at last, so that a file may tell of the return before the payment."""


@dataclass(frozen=True, slots=True)
class Imported:
    """The statement, and whether it had been imported before, when nothing was changed."""

    statement: BankStatement
    before: bool


def import_statement(
    connection: Connection, tenant: str, batch_id: UUID, path: Path, actor: str, at: datetime, office: Office
) -> Imported:
    """Import the bank's answer that lies at the path.

    It is about the account that the batch is paid from: the settlement agent's, where an agent pays it.

    The transaction has to be bound to the tenants that match the tenant's awards too: what came back takes its
    matching with it.

    Raises:
        NotFound: the tenant has no such batch.
        Conflict: ``payout_account.unset``.
        settlement.statements.line.StatementRefused: the file as a whole; nothing is stored.
    """
    batch = find_batch(connection, tenant, batch_id)
    payer = paying_account(connection, batch, office)
    return _import(connection, tenant, _HandedIn(batch.batch_no, payer, batch_id=batch_id), path, actor, at, office)


def import_order_statement(
    connection: Connection, tenant: str, order_id: UUID, path: Path, actor: str, at: datetime, office: Office
) -> Imported:
    """Import the bank's answer about the account that an order between tenants is paid from.

    For what a settlement agent pays out that is the agent's. Lines of other batches and orders of the tenant are taken
    as well; the transaction has to be bound to everybody.

    Raises:
        NotFound: the tenant has no such order.
        Conflict: ``order.no_agent``.
        StartAgainError: the transaction is bound to fewer.
        settlement.statements.line.StatementRefused: the file as a whole; nothing is stored.
    """
    order = find_order(connection, tenant, order_id, office)
    require_everyone(connection)
    payer = order.debtor
    if payer is None:
        raise no_agent()
    handed_in = _HandedIn(order.message_id, payer, order_id=order_id, of_agent=order.kind == PAY_OUT)
    return _import(connection, tenant, handed_in, path, actor, at, office)


@dataclass(frozen=True, slots=True)
class _HandedIn:
    """At what a file was handed in: its number, and the account that it has to be about.

    ``of_agent``: others are paid from that account too, so that what is unknown is not the tenant's to explain.
    """

    number: str
    payer: Account
    batch_id: UUID | None = None
    order_id: UUID | None = None
    of_agent: bool = False


def _import(
    connection: Connection, tenant: str, at_what: _HandedIn, path: Path, actor: str, at: datetime, office: Office
) -> Imported:
    _one_at_a_time(connection, tenant)
    digest = digest_of(path)
    known = find_statement_of_file(connection, tenant, digest)
    if known is not None:
        return Imported(known, before=True)
    prepare_for_whole_batch(connection)
    kind = format_of(path)
    run = _Run(connection, tenant, new_id(), office, at, at_what)
    owner = Owner(at_what.payer.account_number, run.knows)
    first = _Pass(read_lines(path, kind, owner), _FIRST)
    look_up_by_index(connection)
    run.take(iter(first))
    if first.left:
        run.take(iter(_Pass(read_lines(path, kind, owner), _LAST)))
    prepare_for_whole_batch(connection)
    statement = BankStatement(
        tenant, run.statement_id, at_what.batch_id, kind, digest, path.stat().st_size, sum(run.classes.values()),
        lines_digest(connection, tenant, run.statement_id), actor, at, at_what.order_id,
    )  # fmt: skip
    insert_statement(connection, statement)
    keep_file(connection, statement, path, office)
    told = [*run.changes, *settle_paid_cycles(connection, run.cycles, at)]
    lock_chains(connection, {tenant, *(change.tenant for change in told)})
    settle_decided(connection, tenant, run.batches, at)
    details: dict[str, Json] = {
        "batch_no": at_what.number, "format": kind, "sha256": digest, "size": statement.size_bytes,
        "lines": statement.line_count, "lines_sha256": statement.lines_sha256, "classes": dict(run.classes),
    }  # fmt: skip
    change = Change(tenant, actor, "statement.imported", statement.id, None, "imported", details=details)
    record(connection, [change, *told], at)
    return Imported(statement, before=False)


class _Pass:
    """The lines of some kinds, one after the other; ``left`` says how many others were passed over."""

    def __init__(self, lines: Iterator[StatementLine], kinds: frozenset[str]) -> None:
        self._lines, self._kinds, self.left = lines, kinds, 0

    def __iter__(self) -> Iterator[StatementLine]:
        for line in self._lines:
            if line.kind in self._kinds:
                yield line
            else:
                self.left += 1


class _Run:
    """One import: the lines are taken by pages, each page looked up, judged and written at once."""

    def __init__(
        self,
        connection: Connection,
        tenant: str,
        statement_id: UUID,
        office: Office,
        at: datetime,
        handed_in: _HandedIn,
    ) -> None:
        self.classes: Counter[str] = Counter()
        self.statement_id = statement_id
        self.batches: set[UUID] = set()
        """Whose instructions its lines name; they are locked."""
        self.cycles: set[UUID] = set()
        """Whose orders its lines name; they are locked."""
        self.changes: list[Change] = []
        """What the chains are to say of orders between tenants."""
        self._handed_in = handed_in
        self._connection = connection
        self._tenant = tenant
        self._office = office
        self._at = at
        self._opened = False

    def knows(self, message_id: str) -> bool:
        """Whether a message is one of the tenant's batches, or of its orders."""
        if self._order_of(message_id) is not None:
            return True
        try:
            return find_batch_by_number(self._connection, self._tenant, message_id).instructed_at is not None
        except NotFound:
            return False

    def take(self, lines: Iterator[StatementLine]) -> None:
        """Take lines until there are none left."""
        while page := list(islice(lines, LINES_AT_ONCE)):
            expected, orders = self._expected(page)
            seen = seen_movements(self._connection, self._tenant, page)
            rows, outcomes, suspense, ordered, arrived = [], [], [], list[OrderOutcome](), list[Arrival]()
            for line in page:
                key = movement_of(line)
                named = None if line.reference is None else expected.get(line.reference)
                order = None if line.reference is None else orders.get(line.reference)
                before = key is not None and key in seen
                if line.reference == WHOLE:
                    verdict, named = Verdict(MATCHED), None
                    self._reject_all(line)
                else:
                    verdict = self._judged(line, named, order, seen=before)
                if key is not None:
                    seen.add(key)
                rows.append(self._row(line, named if order is None else None, verdict))
                self.classes[verdict.line_class] += 1
                if named is not None and verdict.outcome is not None and line.reference is not None:
                    if order is None:
                        outcomes.append(Outcome(named.instruction_id, verdict.outcome, named.amount, line.line))
                    elif order.receiving:
                        arrived.append(Arrival(order.order, line.line))
                    else:
                        ordered.append(OrderOutcome(order.order, verdict.outcome, line.line))
                    told = PAID if order is not None and order.receiving else verdict.outcome
                    expected[line.reference] = named.after(told, Booked(self.statement_id, line.booked_on))
                elif named is not None and line.reference is not None:
                    expected[line.reference] = surplus_after(named, line, verdict)
                if verdict.to_suspense and line.amount is not None:
                    suspense.append(_unexplained(line, line.amount, self.statement_id))
            write_all(self._connection, [Write("bank_line", LINE_COLUMNS, rows, kinds=LINE_KINDS)])
            self._book(outcomes, ordered, arrived)
            self._suspend(suspense)

    def _judged(self, line: StatementLine, named: Expected | None, order: NamedOrder | None, *, seen: bool) -> Verdict:
        if order is not None and named is not None:
            return order.judge(line, named, self.statement_id, seen=seen)
        verdict = judge(line, named, self.statement_id, seen=seen)
        foreign = self._handed_in.of_agent and verdict.line_class == UNKNOWN
        return replace(verdict, to_suspense=False) if foreign else verdict

    def _book(self, outcomes: list[Outcome], ordered: list[OrderOutcome], arrived: list[Arrival]) -> None:
        sealer, at = self._office.sealer, self._at
        book(self._connection, self._tenant, outcomes, sealer, at, statement_id=self.statement_id)
        self.changes += book_orders(self._connection, ordered, at, statement_id=self.statement_id)
        self.changes += book_arrivals(self._connection, self._tenant, arrived, at, statement_id=self.statement_id)

    def _suspend(self, transfers: list[ledger.Transfer]) -> None:
        if transfers and not self._opened:
            ledger.open_accounts(self._connection, self._tenant, {ledger.BANK: False, ledger.SUSPENSE: False})
            self._opened = True
        ledger.append(self._connection, self._tenant, transfers, self._at)

    def _reject_all(self, line: StatementLine) -> None:
        order = self._order_of(str(line.bank_reference))
        if order is not None:
            self.cycles |= named_orders(self._connection, self._tenant, [order.id], self._office).cycles
            self.changes += reject_order(
                self._connection, self._tenant, order.id, self._office, self._at, statement_id=self.statement_id
            )
            return
        batch = find_batch_by_number(self._connection, self._tenant, str(line.bank_reference))
        self._hold({batch.id})
        sealer = self._office.sealer
        reject_message(self._connection, self._tenant, batch.id, sealer, self._at, statement_id=self.statement_id)

    def _order_of(self, message_id: str) -> Order | None:
        """The tenant's order whose file the message was."""
        order_id = instruction_named(message_id.removeprefix(ORDER_MESSAGE))
        if order_id is None or not message_id.startswith(ORDER_MESSAGE):
            return None
        found = find_orders(self._connection, self._tenant, [order_id], self._office)
        return found[0] if found else None

    def _expected(self, page: Sequence[StatementLine]) -> tuple[dict[str, Expected], dict[str, NamedOrder]]:
        """The instructions and orders that the lines name, by end-to-end id; and of the orders, what tells them."""
        named = {
            line.reference: instruction_id
            for line in page
            if line.reference is not None and (instruction_id := instruction_named(line.reference)) is not None
        }
        rows = ordered_rows(self._connection, self._tenant, list(named.values()))
        self._hold({row.batch_id for row in rows})
        found = expected_of(self._connection, self._tenant, rows, self._office.sealer)
        expected = {
            reference: found[instruction_id] for reference, instruction_id in named.items() if instruction_id in found
        }
        others = [instruction_id for instruction_id in named.values() if instruction_id not in found]
        ordered = named_orders(
            self._connection, self._tenant, others, self._office, self._handed_in.payer.account_number
        )
        self.cycles |= ordered.cycles
        return expected | ordered.expected, ordered.orders

    def _hold(self, batch_ids: set[UUID]) -> None:
        """Lock the batches that are not locked yet, before anything is booked of them."""
        hold_batches(self._connection, self._tenant, batch_ids - self.batches, self._at)
        self.batches |= batch_ids

    def _row(self, line: StatementLine, named: Expected | None, verdict: Verdict) -> tuple[Any, ...]:
        said = verdict.disagreements
        disagreements = json.dumps([asdict(each) for each in said], ensure_ascii=False) if said else "[]"
        tail = None if line.account_number is None else mask_account(line.account_number)
        return (
            self._tenant, self.statement_id, line.line, line.kind, verdict.line_class, line.status,
            None if line.reference is None else line.reference[:_ID_CHARACTERS],
            None if named is None else named.instruction_id,
            None if line.amount is None else line.amount.fen, line.name, tail,
            line.booked_on, line.bank_reference, line.reason if line.fault is None else line.fault,
            verdict.outcome, verdict.to_suspense, disagreements,
        )  # fmt: skip


def _unexplained(line: StatementLine, amount: Money, statement_id: UUID) -> ledger.Transfer:
    """What left the account without an explanation, or came into it."""
    debit, credit = (ledger.BANK, ledger.SUSPENSE) if line.kind == DEBIT else (ledger.SUSPENSE, ledger.BANK)
    return ledger.posted(debit, credit, amount, f"line {line.line}", statement_id)


def _one_at_a_time(connection: Connection, tenant: str) -> None:
    """Imports of one tenant wait for each other, so that two files never judge one instruction at once."""
    connection.exec_driver_sql("select 1 from payout_account where tenant = %s for no key update", (tenant,))
