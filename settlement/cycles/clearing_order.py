"""Orders between tenants: each signed with the key of the tenant that pays (payment, pay-in) or receives (pay-out).

An order holds account numbers, so it is sealed at rest.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from settlement.batches.batch import Batch
from settlement.cycles.cycle import Cycle
from settlement.cycles.netting import Payment
from settlement.formats.amount_in_words import amount_in_words
from settlement.office import Office
from settlement.payouts.instruction import CURRENCY, Account
from settlement.payouts.payout_account import debtor_account
from settlement.signatures.keys import ensure_payout_key, public_keys, refuse_revoked
from settlement.signatures.signing import ORDER, compact_signer, verify_compact
from tenants.instance import SANDBOX
from tenants.kernel.canonical import Json, canonical_bytes, plain
from tenants.kernel.errors import not_found
from tenants.kernel.ids import new_id
from tenants.kernel.money import Money
from tenants.kernel.sealing import Place


@dataclass(frozen=True, slots=True)
class Order:
    """One order as stored, opened: ``jws`` is its signed form."""

    id: UUID
    tenant: str
    kind: str
    counterparty: str | None
    amount: Money
    jws: str
    created_at: datetime

    def json(self) -> dict[str, Json]:
        """The order in the form of the API."""
        return {
            "id": str(self.id),
            "tenant": self.tenant,
            "kind": self.kind,
            "counterparty": self.counterparty,
            "amount": str(self.amount),
            "jws": self.jws,
            "created_at": plain(self.created_at),
        }


KIND: Final = {(True, True): "payment", (True, False): "pay_in", (False, True): "pay_out"}
"""By whether there is a payer and a receiver; the missing side is the set's settlement agent."""
_COLUMNS: Final = "id, tenant, kind, counterparty, amount_fen, jws_sealed, created_at"


def make_orders(connection: Connection, cycle: Cycle, due: Iterable[Payment], office: Office, at: datetime) -> None:
    """Sign and store an order for each payment.

    Raises:
        Conflict: ``payout_account.unset``, ``payout_account.demonstration``, ``key.revoked``; nothing is stored.
    """
    for payment in due:
        tenant = payment.payer or payment.receiver
        if tenant is None:
            raise ValueError("a payment has a payer or a receiver")
        body: dict[str, object] = {
            "kind": KIND[payment.payer is not None, payment.receiver is not None],
            "cycle": cycle.name,
            "cycle_id": cycle.id,
            "payer": payment.payer,
            "receiver": payment.receiver,
            "debtor": _account(connection, payment.payer, office),
            "creditor": _account(connection, payment.receiver, office),
        }
        _make(connection, tenant, body, payment.amount, office, at)


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
        "debtor": _account(connection, batch.tenant, office),
        "creditor": agent.payload(),
    }
    _make(connection, batch.tenant, body, batch.total, office, at)


def _make(
    connection: Connection, tenant: str, body: dict[str, object], amount: Money, office: Office, at: datetime
) -> None:
    order_id, key = new_id(), ensure_payout_key(connection, tenant, office, at)
    payload = canonical_bytes(
        body
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
        "created_at) values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            tenant, order_id, body.get("cycle_id"), body.get("batch_id"), body["kind"], counterparty, amount.fen,
            office.sealer.seal(token, order_place(tenant, order_id)), at,
        ),
    )  # fmt: skip
    refuse_revoked(connection, tenant, key.kid)


def list_orders(connection: Connection, cycle_id: UUID, tenants: Iterable[str], office: Office) -> list[Order]:
    """The tenants' own orders of the cycle, opened."""
    rows = connection.exec_driver_sql(
        f"select {_COLUMNS} from clearing_order where cycle_id = %s and tenant = any(%s) order by tenant, id",  # noqa: S608
        (cycle_id, list(tenants)),
    )
    return [_opened(row, office) for row in rows]


def pay_in_of(connection: Connection, batch: Batch, office: Office) -> Order:
    """The batch's order to its settlement agent, opened.

    Raises:
        NotFound: no agent pays the batch, or it is not instructed yet.
    """
    row = connection.exec_driver_sql(
        f"select {_COLUMNS} from clearing_order where tenant = %s and batch_id = %s",  # noqa: S608 - our own columns
        (batch.tenant, batch.id),
    ).one_or_none()
    if row is None:
        raise not_found("缴存指令", "pay-in order")
    return _opened(row, office)


def _opened(row: Any, office: Office) -> Order:  # noqa: ANN401 - a row of _COLUMNS
    token = office.sealer.unseal(bytes(row.jws_sealed), order_place(row.tenant, row.id))
    return Order(row.id, row.tenant, row.kind, row.counterparty, Money(row.amount_fen), token, row.created_at)


def order_place(tenant: str, order_id: UUID) -> Place:
    """Where an order is sealed."""
    return Place("clearing_order", "jws_sealed", tenant, str(order_id))


def _account(connection: Connection, tenant: str | None, office: Office) -> Json:
    return None if tenant is None else dict(debtor_account(connection, tenant, office).payload())
