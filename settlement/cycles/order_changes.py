"""What becomes of orders between tenants that are not paid as they were signed: by a remedy, or by an explanation.

A cancelled order is owed again: its parts go back from ``netted`` to what stands between the two, in both books, and
into the window that is open now, so that the positions of both windows add up to zero. Where a pay-in is cancelled,
the agent has that much less to pay out: the largest pay-outs are made smaller, each by a linked new order. What was
paid short or too much is carried likewise, and a new order says what was paid.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from settlement import ledger
from settlement.cycles.clearing_order import (
    PAY_IN,
    PAY_OUT,
    Order,
    list_orders,
    order_again,
    parts_of,
    pay_in_again,
)
from settlement.cycles.cycle import Cycle, find_cycle, hold_open
from settlement.cycles.netting import Parts, Payment, Year, shared_out
from settlement.cycles.order_outcomes import require_everyone, settle_paid_cycles
from settlement.office import Office
from tenants.kernel.canonical import Json
from tenants.kernel.change import Change, lock_chains
from tenants.kernel.errors import Conflict
from tenants.kernel.ids import new_id
from tenants.kernel.money import ZERO, Money
from tenants.kernel.statements import insert_rows

CARRIED: Final = "carried"


@dataclass(frozen=True, slots=True)
class Cause:
    """What two people decided: a ``remedy``, or the ``resolution`` of something in suspense."""

    kind: str
    tenant: str
    id: UUID


class OrderChanges:
    """What two people decided of an order as it is carried out; what the chains are to say gathers in ``changes``."""

    def __init__(self, connection: Connection, cause: Cause, office: Office, actor: str, at: datetime) -> None:
        self.changes: list[Change] = []
        self._connection = connection
        self._cause = cause
        self._office = office
        self._actor = actor
        self._at = at

    def replace(self, order: Order) -> None:
        """Order the same again, from and to the accounts of now."""
        self._hold_chains()
        self._end(order)
        if order.cycle_id is None:
            made = pay_in_again(self._connection, order, self._office, self._at)
        else:
            cycle = find_cycle(self._connection, order.cycle_id)
            parts = parts_of(self._connection, order)
            made = order_again(
                self._connection, cycle, _payment(order, order.amount), parts, order.id, self._office, self._at
            )
        self._tell(order, "replaced", {"made": str(made), "amount": str(order.amount)})

    def cancel(self, order: Order) -> None:
        """Owe again, in the window that is open, what the order would have paid."""
        self._carry_on(order, order.amount)

    def restate(self, order: Order, paid: Money) -> UUID:
        """Say what was really paid by a new order, and carry the difference into the window that is open; its id.

        What it is short is owed again, what is too much is owed the other way.
        """
        made = self._carry_on(order, order.amount - paid)
        if made is None:
            raise ValueError("something was paid")
        return made

    def _carry_on(self, order: Order, left: Money) -> UUID | None:
        """End the order and carry so much of it, below zero what was too much; the order of the rest, if any."""
        if order.cycle_id is None:
            raise ValueError("a batch's pay-in is never carried")
        cycle = find_cycle(self._connection, order.cycle_id)
        parts = parts_of(self._connection, order)
        smaller: dict[UUID, tuple[Order, Money]] = {}
        if order.counterparty is not None:
            shares = [(order.counterparty, left.fen)]
        else:
            smaller = self._pay_outs(cycle, left)
            shares = [(each.tenant, taken.fen) for each, taken in smaller.values()]
        carried = shared_out(parts, shares) if left > ZERO else _too_much(parts, shares)
        window = find_cycle(self._connection, hold_open(self._connection, cycle.agreement_set))
        for other, years in carried.items():
            self._move(order, other, years)
        self._hold_chains()
        self._end(order)
        made = self._rest(cycle, order, left, _less(parts, carried.values()))
        if made is None:
            self._tell(order, "cancelled", {"amount": str(order.amount), "window": window.name})
        else:
            self._tell(order, "replaced", {"made": str(made), "amount": str(order.amount - left)})
        for other, years in carried.items():
            self._carry(order, other, years, window)
        for pay_out, taken in smaller.values():
            self._make_smaller(cycle, pay_out, taken, carried[pay_out.tenant])
        if made is None:
            self.changes += settle_paid_cycles(self._connection, [cycle.id], self._at)
        return made

    def _rest(self, cycle: Cycle, order: Order, left: Money, kept: Mapping[Year, int]) -> UUID | None:
        """The order of what is not carried, ``kept``; ``None`` where all of it is."""
        if left == order.amount:
            return None
        rest = _payment(order, order.amount - left)
        return order_again(self._connection, cycle, rest, kept, order.id, self._office, self._at)

    def _pay_outs(self, cycle: Cycle, amount: Money) -> dict[UUID, tuple[Order, Money]]:
        """Which pay-outs shrink by how much: the largest first, of those that nothing was sent of.

        Where it is below zero, the largest grows.
        """
        everyone = require_everyone(self._connection)
        orders = list_orders(self._connection, cycle.id, everyone, self._office)
        waiting = [each for each in orders if each.kind == PAY_OUT and each.state == "ordered"]
        left, found = amount, dict[UUID, tuple[Order, Money]]()
        for each in sorted(waiting, key=lambda one: (-one.amount.fen, one.tenant)):
            if not left:
                break
            taken = min(left, each.amount)
            found[each.id] = each, taken
            left -= taken
        if left:
            raise Conflict(
                "order.paid_out",
                f"清算专户已付出款项，差额 {left:,} 元无法并入付款：不能取消或结转，只能重新下达，或由银行补付、退回。",
                f"The agent has paid out already, and {left:,} yuan go into no pay-out any more: the pay-in is ordered "
                "anew, or the bank pays the rest or gives it back.",
            )
        return found

    def _make_smaller(self, cycle: Cycle, pay_out: Order, taken: Money, carried: Mapping[Year, int]) -> None:
        left = pay_out.amount - taken
        self._end(pay_out)
        if not left:
            self._tell(pay_out, "cancelled", {"amount": str(pay_out.amount)})
            return
        back = {year: -fen for year, fen in carried.items()}  # a pay-out's parts are what the agent owes, below zero
        kept = _less(parts_of(self._connection, pay_out), [back])
        made = order_again(self._connection, cycle, _payment(pay_out, left), kept, pay_out.id, self._office, self._at)
        self._tell(pay_out, "replaced", {"made": str(made), "amount": str(left)})

    def _end(self, order: Order) -> None:
        insert_rows(
            self._connection,
            "clearing_order_end",
            ("tenant", "order_id", f"{self._cause.kind}_tenant", f"{self._cause.kind}_id", "ended_at"),
            [(order.tenant, order.id, self._cause.tenant, self._cause.id, self._at)],
        )

    def _move(self, order: Order, other: str, years: Mapping[Year, int]) -> None:
        """Back from what was netted to what stands between the two, in both books."""
        for side, against, sign in ((order.tenant, other, 1), (other, order.tenant, -1)):
            transfers = []
            for (scheme, year), fen in years.items():
                sides = ledger.netted_account(scheme, year), ledger.clearing_account(scheme, year, against)
                transfers.append(
                    ledger.posted(*(sides if sign * fen > 0 else sides[::-1]), Money(abs(fen)), CARRIED, order.id)
                )
            codes = {code for each in transfers for code in (each.debit, each.credit)}
            ledger.open_accounts(self._connection, side, dict.fromkeys(codes, False))
            ledger.append(self._connection, side, transfers, self._at)

    def _carry(self, order: Order, other: str, years: Mapping[Year, int], window: Cycle) -> None:
        netting = "multilateral" if order.kind == PAY_IN else "bilateral"
        rows: list[tuple[Any, ...]] = []
        for (scheme, year), fen in years.items():
            debtor, creditor = (order.tenant, other) if fen > 0 else (other, order.tenant)
            rows.append((
                debtor, new_id(), creditor, window.id, netting, scheme, year, abs(fen), order.tenant, order.id,
                self._at,
            ))  # fmt: skip
        insert_rows(
            self._connection,
            "clearing_carry",
            (
                "tenant", "id", "creditor", "cycle_id", "netting", "scheme", "quota_year", "amount_fen",
                "order_tenant", "order_id", "posted_at",
            ),
            rows,
        )  # fmt: skip
        owed: list[Json] = [
            {"id": str(row[1]), "tenant": row[0], "creditor": row[2], "scheme": row[5], "quota_year": row[6],
             "amount": str(Money(row[7]))}
            for row in rows
        ]  # fmt: skip
        details: dict[str, Json] = {
            "window": window.name, "order_tenant": order.tenant, "netting": netting, "owed": owed,
        }  # fmt: skip
        for side in sorted({order.tenant, other}):
            self.changes.append(Change(side, self._actor, "order.carried", order.id, details=details))

    def _hold_chains(self) -> None:
        """A new order may make a key, which is told: all chains are held first, in their order."""
        lock_chains(self._connection, require_everyone(self._connection))

    def _tell(self, order: Order, what: str, details: dict[str, Json]) -> None:
        said: dict[str, Json] = {
            **details,
            self._cause.kind: str(self._cause.id),
            f"{self._cause.kind}_tenant": self._cause.tenant,
            "kind": order.kind,
        }
        self.changes.append(
            Change(order.tenant, self._actor, f"order.{what}", order.id, order.state, what, details=said)
        )


def _payment(order: Order, amount: Money) -> Payment:
    if order.kind == PAY_OUT:
        return Payment(None, order.tenant, amount)
    return Payment(order.tenant, order.counterparty, amount)


def _less(parts: Parts, carried: Iterable[Mapping[Year, int]]) -> dict[Year, int]:
    """What is left of the parts once this is carried, in the order of years."""
    left = dict(parts)
    for years in carried:
        for year, fen in years.items():
            left[year] = left.get(year, 0) - fen
    return {year: fen for year, fen in sorted(left.items()) if fen}


def _too_much(parts: Parts, shares: Sequence[tuple[str, int]]) -> dict[str, dict[Year, int]]:
    """What was paid too much falls on the first year of which anything is paid."""
    year = min(year for year, fen in parts.items() if fen > 0)
    return {who: {year: fen} for who, fen in shares}
