"""The statement of a batch (结算单): what became of its instructions, signed; sums that add up to the sealed total.

The first one closes the batch. What comes back later makes the next one possible, which names the one before it. A
statement is as of its instant: what is booked of the batch afterwards is later (``settlement.batches.settling``), so
that its lines can be written again at any time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from settlement.batches.batch import Batch, change_batch, lock_batch, record_step
from settlement.batches.batch_states import CLOSE_PAID, already_done, require_start
from settlement.office import Office
from settlement.payouts.payments import prepare_for_whole_batch, stream
from settlement.signatures.keys import ensure_payout_key, public_keys, refuse_revoked
from settlement.signatures.signing import SETTLEMENT, compact_signer, verify_compact
from tenants.kernel.canonical import Json, canonical_bytes, plain
from tenants.kernel.change import Change, record
from tenants.kernel.errors import Conflict, Invalid, not_found
from tenants.kernel.money import Money
from tenants.kernel.statements import insert_rows

FIRST: Final = "0" * 64
"""What stands for the previous statement's hash in a batch's first."""
BECAME: Final = ("paid", "returned", "rejected", "open")
"""What became of an instruction; ``open``: the bank has not told yet."""


@dataclass(frozen=True, slots=True)
class Sum:
    """How many, and how much."""

    count: int
    amount: Money

    def json(self) -> dict[str, Json]:
        """The sum in the form of the API."""
        return {"count": self.count, "amount": str(self.amount)}


NOTHING: Final = Sum(0, Money(0))


@dataclass(frozen=True, slots=True)
class Sums:
    """What the instructions of a batch came to; the first four add up to its total.

    ``reissued``: of what came back, what is owed again: instructions of which every claim is, and the claims' money.
    """

    paid: Sum
    returned: Sum
    rejected: Sum
    open: Sum
    reissued: Sum

    @property
    def came_back(self) -> Sum:
        """What was returned or rejected."""
        return Sum(self.returned.count + self.rejected.count, self.returned.amount + self.rejected.amount)

    def json(self) -> dict[str, Json]:
        """The sums in the form of the API."""
        return {name: getattr(self, name).json() for name in (*BECAME, "reissued")}


@dataclass(frozen=True, slots=True)
class Settlement:
    """One row of ``batch_settlement``; the field names are the columns'."""

    tenant: str
    batch_id: UUID
    number: int
    item_count: int
    total_fen: int
    paid_count: int
    paid_fen: int
    returned_count: int
    returned_fen: int
    rejected_count: int
    rejected_fen: int
    reissued_count: int
    reissued_fen: int
    lines_sha256: str
    previous_sha256: str
    jws: str
    sha256: str
    reason: str | None
    made_by: str
    made_at: datetime

    @property
    def sums(self) -> Sums:
        """The sums that it states; nothing is open once a batch is settled."""
        return Sums(
            paid=Sum(self.paid_count, Money(self.paid_fen)),
            returned=Sum(self.returned_count, Money(self.returned_fen)),
            rejected=Sum(self.rejected_count, Money(self.rejected_fen)),
            open=NOTHING,
            reissued=Sum(self.reissued_count, Money(self.reissued_fen)),
        )

    def json(self) -> dict[str, Json]:
        """The statement in the form of the API."""
        return {
            "number": self.number,
            "item_count": self.item_count,
            "total": str(Money(self.total_fen)),
            **self.sums.json(),
            "lines_sha256": self.lines_sha256,
            "previous_sha256": self.previous_sha256,
            "sha256": self.sha256,
            "jws": self.jws,
            "reason": self.reason,
            "made_by": self.made_by,
            "made_at": plain(self.made_at),
        }


_COLUMNS: Final = tuple(field.name for field in fields(Settlement))
_LINES: Final = (
    "select i.line, i.id, i.amount_fen, "
    "case when bool_or(o.outcome = 'returned') then 'returned' when bool_or(o.outcome = 'rejected') then 'rejected' "
    "when bool_or(o.outcome = 'paid') then 'paid' else 'open' end as became, "
    "max(o.at) filter (where o.outcome <> 'accepted') as told_at "
    "from instruction i left join instruction_outcome o on o.tenant = i.tenant and o.instruction_id = i.id "
    "and o.at <= %s where i.tenant = %s and i.batch_id = %s group by i.line, i.id, i.amount_fen"
)
_REISSUED: Final = (
    "select c.instruction_id, count(*) as claims, count(r.obligation_id) as again, "
    "coalesce(sum(b.amount_fen) filter (where r.obligation_id is not null), 0) as fen from instruction i "
    "join instruction_claim c on c.tenant = i.tenant and c.instruction_id = i.id "
    "join obligation b on b.tenant = c.tenant and b.id = c.claim_id "
    "left join reissue r on r.tenant = c.tenant and r.of_obligation = c.claim_id and r.made_at <= %s and not exists ("
    "select 1 from reissue_undone e where e.tenant = r.tenant and e.obligation_id = r.obligation_id "
    "and e.decided_at <= %s) "
    "where i.tenant = %s and i.batch_id = %s group by c.instruction_id"
)


def close_paid(
    connection: Connection, batch: Batch, reason: str | None, office: Office, actor: str, at: datetime
) -> Batch:
    """Close the locked batch with its signed statement, once the bank has told of each instruction.

    What came back has to be issued again first, or the ``reason`` says why it is not.

    Raises:
        Conflict: ``batch.state``, ``batch.not_reissued``, ``key.revoked``.
    """
    if already_done(batch, CLOSE_PAID, actor):
        return batch
    require_start(batch, CLOSE_PAID)
    made = _make(connection, batch, 1, FIRST, reason, office, actor, at)
    closed = change_batch(connection, batch, state=CLOSE_PAID.ends, state_by=actor)
    record_step(connection, batch, closed, CLOSE_PAID.ends, actor, at, reason=reason)
    _tell(connection, made)
    return closed


def state_again(
    connection: Connection, tenant: str, batch_id: UUID, reason: str | None, office: Office, actor: str, at: datetime
) -> Settlement:
    """Sign the next statement of a closed batch, of which something has changed since the last: money came back.

    Where nothing has changed, the last one is answered.

    Raises:
        NotFound: the tenant has no such batch.
        Conflict: ``batch.not_closed``, ``batch.not_reissued``, ``key.revoked``.
    """
    batch = lock_batch(connection, tenant, batch_id)
    made = list_settlements(connection, batch)
    if not made:
        raise Conflict(
            "batch.not_closed",
            f"批次 {batch.batch_no} 尚未以结算单关闭。",
            f"Batch {batch.batch_no} has not been closed with a statement.",
        )
    last = made[-1]
    if sums_of(connection, batch, at) == last.sums:
        return last
    stated = _make(connection, batch, last.number + 1, last.sha256, reason, office, actor, at)
    _tell(connection, stated)
    return stated


def sums_of(connection: Connection, batch: Batch, at: datetime) -> Sums:
    """What the batch's instructions came to, as of the instant."""
    rows = connection.exec_driver_sql(
        f"with line as ({_LINES}), again as ({_REISSUED}) "  # noqa: S608 - our own statements
        "select l.became, count(*) as instructions, sum(l.amount_fen)::bigint as fen, "
        "count(*) filter (where a.again = a.claims) as again, coalesce(sum(a.fen), 0)::bigint as again_fen "
        "from line l left join again a on a.instruction_id = l.id and l.became in ('returned', 'rejected') "
        "group by l.became",
        (at, batch.tenant, batch.id, at, at, batch.tenant, batch.id),
    ).all()
    found = {row.became: Sum(row.instructions, Money(row.fen)) for row in rows}
    again = Sum(sum(row.again for row in rows), Money(sum(row.again_fen for row in rows)))
    return Sums(**{name: found.get(name, NOTHING) for name in BECAME}, reissued=again)


def list_settlements(connection: Connection, batch: Batch) -> list[Settlement]:
    """The batch's statements, the first one first."""
    rows = connection.exec_driver_sql(
        f"select {', '.join(_COLUMNS)} from batch_settlement "  # noqa: S608 - our own columns
        "where tenant = %s and batch_id = %s order by number",
        (batch.tenant, batch.id),
    )
    return [Settlement(*row) for row in rows]


def find_settlement(connection: Connection, batch: Batch, number: int) -> Settlement:
    """One statement of the batch.

    Raises:
        NotFound: there is none of this number.
    """
    found = next((each for each in list_settlements(connection, batch) if each.number == number), None)
    if found is None:
        raise not_found("结算单", "statement")
    return found


def settlement_lines(
    connection: Connection, batch: Batch, at: datetime, after: int = 0, limit: int | None = None
) -> Iterator[bytes]:
    """The statement's lines as of the instant, canonical JSON, one for each instruction in their order."""
    rows = stream(
        connection,
        f"select * from ({_LINES}) l where line > %s order by line limit %s",  # noqa: S608 - our own statement
        (at, batch.tenant, batch.id, after, limit),
    )
    for row in rows:
        yield _line(row)


def _line(row: Any) -> bytes:  # noqa: ANN401 - a row of _LINES
    return (
        canonical_bytes(
            {
                "line": row.line,
                "instruction_id": row.id,
                "amount": Money(row.amount_fen),
                "outcome": row.became,
                "told_at": row.told_at,
            }
        )
        + b"\n"
    )


def _make(
    connection: Connection,
    batch: Batch,
    number: int,
    previous: str,
    reason: str | None,
    office: Office,
    actor: str,
    at: datetime,
) -> Settlement:
    prepare_for_whole_batch(connection)
    sums = sums_of(connection, batch, at)
    if sums.reissued != sums.came_back:
        if not reason:
            raise _not_reissued(batch, sums)
    elif reason is not None:
        raise Invalid("settlement.reason", "没有未重新拨付的退款，无须说明。", "There is nothing to explain.")
    digest = sha256()
    for line in settlement_lines(connection, batch, at):
        digest.update(line)
    content: dict[str, object] = {
        "batch": batch.batch_no,
        "batch_id": batch.id,
        "tenant": batch.tenant,
        "scheme": batch.scheme,
        "mode": batch.mode,
        "kind": batch.kind,
        "number": number,
        "previous_sha256": previous,
        "batch_root": batch.merkle_root,
        "seal_sha256": batch.seal_sha256,
        "manifest_sha256": batch.manifest_sha256,
        "item_count": batch.item_count,
        "total": batch.total,
        **sums.json(),
        "lines_sha256": digest.hexdigest(),
        "reason": reason,
        "made_at": at,
    }
    token = _signed(connection, batch.tenant, content, office, at)
    made = Settlement(
        batch.tenant, batch.id, number, batch.item_count, batch.total_fen, sums.paid.count, sums.paid.amount.fen,
        sums.returned.count, sums.returned.amount.fen, sums.rejected.count, sums.rejected.amount.fen,
        sums.reissued.count, sums.reissued.amount.fen, digest.hexdigest(), previous, token,
        sha256(token.encode()).hexdigest(), reason, actor, at,
    )  # fmt: skip
    insert_rows(connection, "batch_settlement", _COLUMNS, [tuple(getattr(made, name) for name in _COLUMNS)])
    return made


def _signed(connection: Connection, tenant: str, content: dict[str, object], office: Office, at: datetime) -> str:
    """The statement as a compact JWS, verified with the public key as it is published (I16)."""
    key = ensure_payout_key(connection, tenant, office, at)
    payload = canonical_bytes(content | {"kid": key.kid})
    token = compact_signer(key, SETTLEMENT)(payload)
    verified, public = verify_compact(token, SETTLEMENT, public_keys(connection, tenant))
    public.require_valid_at(at)
    if verified != payload:
        raise RuntimeError("the statement does not verify")
    refuse_revoked(connection, tenant, key.kid)
    return token


def _tell(connection: Connection, made: Settlement) -> None:
    details: dict[str, Json] = {"number": made.number, "sha256": made.sha256, "lines_sha256": made.lines_sha256}
    change = Change(made.tenant, made.made_by, "settlement.stated", made.batch_id, reason=made.reason, details=details)
    record(connection, [change], made.made_at)


def _not_reissued(batch: Batch, sums: Sums) -> Conflict:
    left = sums.came_back.count - sums.reissued.count
    return Conflict(
        "batch.not_reissued",
        f"批次 {batch.batch_no} 有 {left} 条退回或被拒的指令尚未重新拨付；请先重新拨付，或说明不再拨付的理由。",
        f"Of batch {batch.batch_no}, {left} instructions came back and are not issued again: do so, or say why not.",
    )
