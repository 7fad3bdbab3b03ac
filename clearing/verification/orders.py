"""Orders between tenants and to settlement agents: signed, for exactly what the netting or the batch makes due."""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from uuid import UUID

import orjson

from clearing.verification.context import Context
from clearing.verification.difference import Difference, differs
from clearing.verification.netting import Due
from clearing.verification.numerals import in_capitals
from clearing.verification.signatures import ORDER, BadSignatureError, opened
from clearing.verification.snapshot import Row, Snapshot
from tenants.kernel.canonical import plain
from tenants.kernel.money import Money

_ORDERS: Final = """
select o.tenant, o.id, o.cycle_id, o.batch_id, o.kind, o.counterparty, o.amount_fen, o.jws_sealed, o.created_at,
       o.replaces, e.ended_at as r_ended_at, p.kind as r_kind, p.counterparty as r_counterparty,
       p.cycle_id as r_cycle_id, p.batch_id as r_batch_id, p.amount_fen - coalesce((
           select sum(case when (k.creditor = o.tenant) = (o.kind = 'pay_out') then k.amount_fen else -k.amount_fen end)
             from clearing_carry k
             join (select tenant, order_id, remedy_id as cause_id from clearing_remedy_decision
                    where outcome = 'approve' union all
                   select order_tenant, order_id, id from suspense_resolution where kind = 'carry') d
               on d.tenant = k.order_tenant and d.order_id = k.order_id
            where d.cause_id in (e.remedy_id, e.resolution_id) and o.tenant in (k.tenant, k.creditor)), 0)
           as r_left_fen
  from clearing_order o
  left join clearing_order p on p.tenant = o.tenant and p.id = o.replaces
  left join clearing_order_end e on e.tenant = o.tenant and e.order_id = o.replaces
 order by o.tenant, o.id
"""
_KINDS: Final = {(True, True): "payment", (True, False): "pay_in", (False, True): "pay_out"}

Key = tuple[UUID, str, str, str | None]
"""Cycle or batch, tenant, kind, counterparty."""


def order_differences(
    snapshot: Snapshot, cycles: Mapping[UUID, Row], due: Mapping[UUID, list[Due]], context: Context
) -> Iterator[Difference]:
    """Orders that are missing, too many, or say something else."""
    wanted = {key: fen for cycle_id, payments in due.items() for key, fen in _expected(cycle_id, payments)}
    paid_in: dict[Key, Row] = {
        (batch.id, batch.tenant, "agent_pay_in", None): batch
        for batch in context.batches.values()
        if batch.form == "agent" and batch.instructed_at is not None
    }
    wanted |= {key: batch.total_fen for key, batch in paid_in.items()}
    for row in snapshot.counted("clearing orders", snapshot.stream(_ORDERS)):
        place = f"clearing_order/{row.tenant}/{row.id}"
        key: Key = (row.batch_id or row.cycle_id, row.tenant, row.kind, row.counterparty)
        if (row.batch_id is None) is not (row.kind != "agent_pay_in") or (row.cycle_id is None) is (
            row.batch_id is None
        ):
            yield differs("order.due", f"{place}/kind", "an order of a cycle or of a batch", row.kind)
        owner = cycles.get(row.cycle_id) if row.batch_id is None else paid_in.get(key)
        if row.replaces is None:
            fen, at = (
                wanted.pop(key, None),
                owner and (owner.confirmed_at if row.batch_id is None else owner.instructed_at),
            )
        else:
            fen, at = row.r_left_fen, row.r_ended_at
            replaced = (row.r_cycle_id, row.r_batch_id, row.r_kind, row.r_counterparty)
            if replaced != (row.cycle_id, row.batch_id, row.kind, row.counterparty):
                yield differs("order.due", f"{place}/replaces", "an order of the same", replaced)
        if fen != row.amount_fen:
            yield differs("order.due", f"{place}/amount_fen", fen, row.amount_fen)
        if owner is None:
            continue
        if at != row.created_at:
            yield differs("order.due", f"{place}/created_at", at, row.created_at)
        if context.secrets is not None:
            yield from _signed(place, row, owner, context)
    for (_, tenant, kind, counterparty), fen in wanted.items():
        yield differs("order.due", f"clearing_order/{tenant}/{kind}/{counterparty or ''}", Money(fen), None)


def _expected(cycle_id: UUID, payments: list[Due]) -> Iterator[tuple[Key, int]]:
    for payer, receiver, fen in payments:
        kind = _KINDS[payer is not None, receiver is not None]
        yield (cycle_id, payer or receiver or "", kind, receiver if kind == "payment" else None), fen


def _signed(place: str, row: Row, owner: Row, context: Context) -> Iterator[Difference]:
    if context.secrets is None:
        return
    token = context.secrets.field_value(bytes(row.jws_sealed), "clearing_order", "jws_sealed", row.tenant, str(row.id))
    try:
        payload, key = opened((token or b"").decode(), ORDER, context.keys)
        said: dict[str, Any] = orjson.loads(payload)
    except (BadSignatureError, ValueError) as fault:
        yield differs("order.signature", f"{place}/jws_sealed", "an order of the tenant's payout key", str(fault))
        return
    refusal = key.refusal(row.tenant, row.created_at)
    if refusal is not None or said.get("kid") != key.kid:
        yield differs("order.signature", f"{place}/jws_sealed", said.get("kid"), refusal or key.kid)
    sides = {"payer": row.tenant, "receiver": row.counterparty}
    if row.kind == "pay_out":
        sides = {"payer": None, "receiver": row.tenant}
    expected = {
        "order_id": str(row.id), "kind": row.kind, "amount": str(Money(row.amount_fen)),
        "amount_in_words": in_capitals(row.amount_fen), "currency": "CNY", "created_at": plain(row.created_at), **sides,
        "replaces": None if row.replaces is None else str(row.replaces),
    }  # fmt: skip
    if row.batch_id is None:
        name = f"CY-{owner.agreement_set}-{owner.cycle_no:04d}"
        expected |= {"cycle": name, "cycle_id": str(row.cycle_id)}
    else:
        expected |= {"batch": owner.batch_no, "batch_id": str(row.batch_id)}
    for name, value in expected.items():
        if said.get(name) != value:
            yield differs("order.content", f"{place}/{name}", value, said.get(name))
