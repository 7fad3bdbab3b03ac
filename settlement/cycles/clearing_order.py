"""Orders between tenants: each signed with the key of the tenant that pays (payment, pay-in) or receives (pay-out).

An order holds account numbers, so it is sealed at rest, and so is its payment file. Where a bank is connected, it goes
through it as a batch's file does; what becomes of it is in ``settlement.cycles.order_outcomes``.
"""

import json
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from settlement.bank.call_states import state_after
from settlement.bank.connections import agent_of
from settlement.batches.batch import Batch, lock_batch
from settlement.cycles.cycle import Cycle, find_cycle, owed_in
from settlement.cycles.netting import Parts, Payment, parts
from settlement.formats.amount_in_words import amount_in_words
from settlement.office import Office
from settlement.payouts.instruction import CURRENCY, Account, end_to_end_id
from settlement.payouts.payout_account import debtor_account
from settlement.signatures.keys import ensure_payout_key, public_keys, refuse_revoked
from settlement.signatures.signing import ORDER, compact_signer, verify_compact
from tenants.instance import SANDBOX
from tenants.kernel.canonical import Json, canonical_bytes, plain
from tenants.kernel.errors import not_found
from tenants.kernel.ids import new_id
from tenants.kernel.money import Money
from tenants.kernel.sealing import Place
from tenants.kernel.statements import insert_rows


@dataclass(frozen=True, slots=True)
class Order:
    """One order as stored, opened: ``jws`` is its signed form.

    ``state``: ``ordered`` until it is sent; then ``prepared``, ``sent``, ``unknown``, ``accepted``, ``rejected``,
    ``paid``, ``received`` (the receiver's bank has told so, too) or ``returned``; ``replaced`` or ``cancelled`` once it
    has ended.
    """

    id: UUID
    tenant: str
    kind: str
    counterparty: str | None
    amount: Money
    jws: str
    created_at: datetime
    cycle_id: UUID | None
    batch_id: UUID | None
    replaces: UUID | None
    state: str
    paid_at: datetime | None
    """When the payer's bank told of it."""
    received_at: datetime | None
    """When the receiver's did."""

    @property
    def reference(self) -> str:
        """The end-to-end id by which the bank names it."""
        return end_to_end_id(self.id)

    @property
    def message_id(self) -> str:
        """The id of its payment file, which no batch's can be."""
        return ORDER_MESSAGE + self.reference

    @property
    def ended(self) -> bool:
        """Whether it is not to be paid any more."""
        return self.state in {"replaced", "cancelled"}

    @property
    def said(self) -> dict[str, Any]:
        """What was signed; it was verified when it was made."""
        payload = self.jws.split(".")[1]
        content: dict[str, Any] = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return content

    @property
    def debtor(self) -> Account | None:
        """The account that pays; ``None`` where the settlement agent's was not known."""
        return _opened_account(self.said["debtor"])

    @property
    def creditor(self) -> Account | None:
        """The account that is paid; ``None`` likewise."""
        return _opened_account(self.said["creditor"])

    def json(self) -> dict[str, Json]:
        """The order in the form of the API."""
        return {
            "id": str(self.id),
            "tenant": self.tenant,
            "kind": self.kind,
            "counterparty": self.counterparty,
            "amount": str(self.amount),
            "state": self.state,
            "paid_at": plain(self.paid_at),
            "received_at": plain(self.received_at),
            "end_to_end_id": self.reference,
            "replaces": None if self.replaces is None else str(self.replaces),
            "jws": self.jws,
            "created_at": plain(self.created_at),
        }


KIND: Final = {(True, True): "payment", (True, False): "pay_in", (False, True): "pay_out"}
"""By whether there is a payer and a receiver; the missing side is the set's settlement agent."""
ORDER_MESSAGE: Final = "CO-"
"""How the message id of an order's file begins."""
RECEIVED: Final = "received"
"""The state of an order of which both banks have told: the payer's that it left, the receiver's that it came."""
PAYMENT: Final = "payment"
PAY_OUT: Final = "pay_out"
PAY_IN: Final = "pay_in"
_SELECT: Final = (
    "select o.id, o.tenant, o.kind, o.counterparty, o.amount_fen, o.jws_sealed, o.created_at, o.cycle_id, o.batch_id, "
    "o.replaces, e.order_id is not null as ended, exists (select 1 from clearing_order r where r.tenant = o.tenant "
    "and r.replaces = o.id) as replaced, array(select x.outcome from clearing_order_outcome x "
    "where x.tenant = o.tenant and x.order_id = o.id) as outcomes, (select x.at from clearing_order_outcome x "
    "where x.tenant = o.tenant and x.order_id = o.id and x.outcome = 'paid') as paid_at, (select q.received_at "
    "from clearing_order_receipt q where q.order_tenant = o.tenant and q.order_id = o.id) as received_at, "
    "s.id as submission_id, c.kind as call_kind, "
    "c.outcome as call_outcome from clearing_order o "
    "left join clearing_order_end e on e.tenant = o.tenant and e.order_id = o.id "
    "left join bank_submission s on s.tenant = o.tenant and s.order_id = o.id "
    "left join lateral (select k.kind, a.outcome from bank_call k left join bank_answer a on a.tenant = k.tenant "
    "and a.call_id = k.id where k.tenant = s.tenant and k.submission_id = s.id order by k.seq desc limit 1) c on true "
)


def make_orders(connection: Connection, cycle: Cycle, due: Iterable[Payment], office: Office, at: datetime) -> None:
    """Sign and store an order for each payment; the transaction is bound to all that have a position.

    Raises:
        Conflict: ``payout_account.unset``, ``payout_account.demonstration``, ``key.revoked``; nothing is stored.
    """
    wanted = list(due)
    concerned = sorted({side for one in wanted for side in (one.payer, one.receiver) if side is not None})
    owed = owed_in(connection, cycle.id, concerned)
    for payment in wanted:
        order_again(connection, cycle, payment, parts(payment, owed), None, office, at)


def order_again(
    connection: Connection,
    cycle: Cycle,
    payment: Payment,
    of: Parts,
    replaces: UUID | None,
    office: Office,
    at: datetime,
) -> UUID:
    """Sign and store one order of the cycle, in place of the one that it ``replaces`` where that is named; its id.

    Raises:
        Conflict: as :func:`make_orders`.
    """
    tenant = payment.payer or payment.receiver
    if tenant is None:
        raise ValueError("a payment has a payer or a receiver")
    body: dict[str, object] = {
        "kind": KIND[payment.payer is not None, payment.receiver is not None],
        "cycle": cycle.name,
        "cycle_id": cycle.id,
        "payer": payment.payer,
        "receiver": payment.receiver,
        "debtor": _account(connection, payment.payer, cycle, office),
        "creditor": _account(connection, payment.receiver, cycle, office),
    }
    made = _make(connection, tenant, body, payment.amount, replaces, office, at)
    insert_rows(
        connection,
        "clearing_order_part",
        ("tenant", "order_id", "scheme", "quota_year", "fen"),
        [(tenant, made, scheme, year, fen) for (scheme, year), fen in of.items()],
    )
    return made


def make_pay_in(connection: Connection, batch: Batch, agent: Account, office: Office, at: datetime) -> None:
    """Sign and store the order that pays a batch's total in to its settlement agent.

    Raises:
        Conflict: as above.
    """
    body: dict[str, object] = {
        "kind": "agent_pay_in",
        "batch": batch.batch_no,
        "batch_id": batch.id,
        "payer": batch.tenant,
        "receiver": None,
        "debtor": dict(debtor_account(connection, batch.tenant, office).payload()),
        "creditor": agent.payload(),
    }
    _make(connection, batch.tenant, body, batch.total, None, office, at)


def pay_in_again(connection: Connection, order: Order, office: Office, at: datetime) -> UUID:
    """Sign and store a batch's pay-in anew, from the account of now to the agent's as it was agreed; its id.

    Raises:
        Conflict: as above.
    """
    said = order.said
    body: dict[str, object] = {name: said[name] for name in ("kind", "batch", "payer", "receiver", "creditor")}
    body |= {"batch_id": order.batch_id, "debtor": dict(debtor_account(connection, order.tenant, office).payload())}
    return _make(connection, order.tenant, body, order.amount, order.id, office, at)


def _make(
    connection: Connection,
    tenant: str,
    body: dict[str, object],
    amount: Money,
    replaces: UUID | None,
    office: Office,
    at: datetime,
) -> UUID:
    order_id, key = new_id(), ensure_payout_key(connection, tenant, office, at)
    link = {} if replaces is None else {"replaces": replaces}
    payload = canonical_bytes(
        body
        | link
        | {
            "order_id": order_id,
            "amount": amount,
            "amount_in_words": amount_in_words(amount),
            "currency": CURRENCY,
            "created_at": at,
            "kid": key.kid,
        }
        | ({"environment": SANDBOX} if office.sandbox else {})
    )
    token = compact_signer(key, ORDER)(payload)
    verified, public = verify_compact(token, ORDER, public_keys(connection, tenant))
    public.require_valid_at(at)
    if verified != payload:
        raise RuntimeError("the order does not verify")
    counterparty = body["receiver"] if body["kind"] == "payment" else None
    connection.exec_driver_sql(
        "insert into clearing_order (tenant, id, cycle_id, batch_id, kind, counterparty, amount_fen, jws_sealed, "
        "created_at, replaces) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            tenant, order_id, body.get("cycle_id"), body.get("batch_id"), body["kind"], counterparty, amount.fen,
            office.sealer.seal(token, order_place(tenant, order_id)), at, replaces,
        ),
    )  # fmt: skip
    refuse_revoked(connection, tenant, key.kid)
    return order_id


def list_orders(connection: Connection, cycle_id: UUID, tenants: Iterable[str], office: Office) -> list[Order]:
    """The tenants' own orders of the cycle, opened."""
    rows = connection.exec_driver_sql(
        f"{_SELECT} where o.cycle_id = %s and o.tenant = any(%s) order by o.tenant, o.id",
        (cycle_id, list(tenants)),
    )
    return [_opened(row, office) for row in rows]


def find_order(connection: Connection, tenant: str, order_id: UUID, office: Office) -> Order:
    """One order of the tenant, opened.

    Raises:
        NotFound: it has none with this id.
    """
    found = find_orders(connection, tenant, [order_id], office)
    if not found:
        raise not_found("清算指令", "clearing order")
    return found[0]


def find_orders(connection: Connection, tenant: str, order_ids: Sequence[UUID], office: Office) -> list[Order]:
    """Those of the tenant's orders, opened."""
    rows = connection.exec_driver_sql(
        f"{_SELECT} where o.tenant = %s and o.id = any(%s) order by o.id", (tenant, list(order_ids))
    )
    return [_opened(row, office) for row in rows]


def hold_order(connection: Connection, order: Order) -> None:
    """Hold what the order belongs to, so that of two who act on it at once one sees what the other did."""
    if order.cycle_id is not None:
        find_cycle(connection, order.cycle_id, lock=True)
    elif order.batch_id is not None:
        lock_batch(connection, order.tenant, order.batch_id)


def parts_of(connection: Connection, order: Order) -> dict[tuple[str, int], int]:
    """What of each scheme and year the order settles, in fen, as it was netted."""
    rows = connection.exec_driver_sql(
        "select scheme, quota_year, fen from clearing_order_part where tenant = %s and order_id = %s order by 1, 2",
        (order.tenant, order.id),
    )
    return {(row.scheme, row.quota_year): row.fen for row in rows}


def pay_in_of(connection: Connection, batch: Batch, office: Office) -> Order:
    """The batch's order to its settlement agent that stands, opened.

    Raises:
        NotFound: no agent pays the batch, or it is not instructed yet.
    """
    row = connection.exec_driver_sql(
        f"{_SELECT} where o.tenant = %s and o.batch_id = %s and e.order_id is null", (batch.tenant, batch.id)
    ).one_or_none()
    if row is None:
        raise not_found("缴存指令", "pay-in order")
    return _opened(row, office)


def _opened(row: Any, office: Office) -> Order:  # noqa: ANN401 - a row of _SELECT
    token = office.sealer.unseal(bytes(row.jws_sealed), order_place(row.tenant, row.id))
    return Order(
        row.id, row.tenant, row.kind, row.counterparty, Money(row.amount_fen), token, row.created_at, row.cycle_id,
        row.batch_id, row.replaces, _state(row), row.paid_at, row.received_at,
    )  # fmt: skip


def _state(row: Any) -> str:  # noqa: ANN401 - a row of _SELECT
    if row.ended:
        return "replaced" if row.replaced else "cancelled"
    for outcome in ("returned", "paid", "rejected", "accepted"):
        if outcome in row.outcomes:
            return RECEIVED if outcome == "paid" and row.received_at is not None else outcome
    return "ordered" if row.submission_id is None else state_after(row.call_kind, row.call_outcome)


def order_place(tenant: str, order_id: UUID) -> Place:
    """Where an order is sealed."""
    return Place("clearing_order", "jws_sealed", tenant, str(order_id))


def _account(connection: Connection, tenant: str | None, cycle: Cycle, office: Office) -> Json:
    if tenant is not None:
        return dict(debtor_account(connection, tenant, office).payload())
    agent = office.banks.get(agent_of(cycle.agreement_set))
    return None if agent is None or agent.account is None else dict(agent.account.payload())


def _opened_account(said: dict[str, str] | None) -> Account | None:
    return None if said is None else Account(**said)
