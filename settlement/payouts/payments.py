"""What a batch pays, read as a stream from its items: its instructions and their totals.

An item's position counts the items that are in the batch, from 1 in the order of their lines; it is fixed once the
batch is sealed. Claims that are paid to the same account make one instruction.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Connection, CursorResult

from settlement.batches.batch import Batch
from settlement.batches.obligation import account_opener
from settlement.formats.payout_batch import PayoutBatch
from settlement.office import Office
from settlement.payouts.instruction import Account, Instruction, Item
from tenants.instance import PURPOSE
from tenants.kernel.clock import shanghai_day
from tenants.kernel.ids import new_id
from tenants.kernel.money import Money

ROWS_AT_ONCE: Final = 1000
WORK_LIMIT: Final = "30min"
"""How long sealing and instructing may compute between two statements; the service's ordinary limit is shorter."""
LOOK_FOR_CLIENT: Final = "1s"
VALID_FOR: Final = timedelta(days=30)
"""How long a bank may act on an instruction; afterwards finance has to ask before it is paid."""

LIVE_ITEMS: Final = (
    "select row_number() over (order by i.line) as position, i.claim_id, i.amount_fen, o.claim_no, o.account_name, "
    "o.account_sealed, o.bank_name, o.cnaps, o.payee_digest, o.quota_year "
    "from batch_item i join obligation o on o.tenant = i.tenant and o.id = i.claim_id "
    "where i.tenant = %s and i.batch_id = %s and i.removed_at is null"
)
"""The items that are in a batch, with their positions; its parameters are the tenant and the batch's id."""

_BY_PAYEE: Final = (
    "select l.*, min(l.position) over (partition by l.payee_digest) as first, c.instruction_id "  # noqa: S608 - our own
    f"from ({LIVE_ITEMS}) l "
    "left join instruction_claim c on c.tenant = %s and c.claim_id = l.claim_id"
)
_IN_ORDER: Final = f"select * from ({_BY_PAYEE}) p where p.first > %s order by p.first, p.position"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Signing:
    """What the instructions of a batch share that is not in its rows."""

    root: str
    debtor: Account
    created_at: datetime
    key_id: str

    @property
    def created_on(self) -> date:
        """The day in Asia/Shanghai from which a bank may act on them."""
        return shanghai_day(self.created_at)


def prepare_for_whole_batch(connection: Connection) -> None:
    """Set this transaction up for statements over all items of a batch.

    A table that just grew has no statistics yet, and a nested loop over two such tables takes quadratic time: 20,000
    claims took 50 s instead of 2. One statement may go over a million items, and between two all files may be
    computed, so that the ordinary limits of both are lifted. The server looks whether this process is still there: it
    would else go on with the statement of one that was killed, and hold the batch until it is done.
    """
    _plan(connection, nestloop="off", hashjoin="on", mergejoin="on", seqscan="on")
    connection.exec_driver_sql("set local plan_cache_mode = auto")
    connection.exec_driver_sql(f"set local statement_timeout = '{WORK_LIMIT}'")
    connection.exec_driver_sql(f"set local idle_in_transaction_session_timeout = '{WORK_LIMIT}'")
    connection.exec_driver_sql(f"set local client_connection_check_interval = '{LOOK_FOR_CLIENT}'")


def look_up_by_index(connection: Connection) -> None:
    """Have the next statements look rows up in an index, one by one: right for few of very many, in their order.

    Without statistics the planner could as well read a whole table each time, and a plan that was made while a table
    was empty be kept when it is full. ``prepare_for_whole_batch`` ends it.
    """
    _plan(connection, nestloop="on", hashjoin="off", mergejoin="off", seqscan="off")
    connection.exec_driver_sql("set local plan_cache_mode = force_custom_plan")


def _plan(connection: Connection, **ways: str) -> None:
    for way, allowed in ways.items():
        connection.exec_driver_sql(f"set local enable_{way} = {allowed}")


def instructions(
    connection: Connection, batch: Batch, signing: Signing, office: Office, after: int = 0
) -> Iterator[Instruction]:
    """The batch's instructions in the order of their first items: those whose first item is behind ``after``.

    Before the release an instruction has no id yet: each then gets one that is never stored.
    """
    rows = stream(connection, _IN_ORDER, (batch.tenant, batch.id, batch.tenant, after))
    opened, purpose = account_opener(office.sealer, batch.tenant), purpose_of(batch, office)
    through_on = signing.created_on + VALID_FOR
    for _, group in groupby(rows, key=attrgetter("first")):
        own = list(group)
        payee = own[0]
        yield Instruction(
            instruction_id=payee.instruction_id or new_id(),
            tenant=batch.tenant,
            batch=batch.batch_no,
            batch_id=batch.id,
            batch_root=signing.root,
            debtor=signing.debtor,
            creditor=Account(
                payee.account_name, opened(str(payee.claim_id), payee.account_sealed), payee.bank_name, payee.cnaps
            ),
            amount=Money(sum([row.amount_fen for row in own])),
            purpose=purpose,
            items=tuple([Item(row.position, row.claim_no, Money(row.amount_fen)) for row in own]),
            created_at=signing.created_at,
            valid_through_on=through_on,
            key_id=signing.key_id,
        )


def payout_batch(connection: Connection, batch: Batch, signing: Signing, office: Office) -> PayoutBatch:
    """The control totals that every file carries, counted from the items."""
    count, items, fen = connection.exec_driver_sql(
        "select count(distinct payee_digest), count(*), coalesce(sum(amount_fen), 0)::bigint "  # noqa: S608 - our own
        f"from ({LIVE_ITEMS}) l",
        (batch.tenant, batch.id),
    ).one()
    return _with_totals(connection, batch, signing, office, (count, items, fen))


def rehearsed_batch(connection: Connection, batch: Batch, signing: Signing, office: Office) -> PayoutBatch:
    """The same of a message that pays each item by itself, by the batch's own control totals: nothing is counted."""
    return _with_totals(connection, batch, signing, office, (batch.item_count, batch.item_count, batch.total_fen))


def _with_totals(
    connection: Connection, batch: Batch, signing: Signing, office: Office, totals: tuple[int, int, int]
) -> PayoutBatch:
    """What the files of the batch carry: ``totals`` are instructions, items and the sum in fen."""
    tenant_name = connection.exec_driver_sql(
        "select name_zh from tenant where tenant = %s", (batch.tenant,)
    ).scalar_one()
    count, items, fen = totals
    return PayoutBatch(
        tenant=batch.tenant,
        tenant_name=tenant_name,
        title=f"{_mark(office)}{tenant_name}科技创新券兑付",
        batch=batch.batch_no,
        batch_id=batch.id,
        batch_root=signing.root,
        debtor=signing.debtor,
        count=count,
        item_count=items,
        total=Money(fen),
        created_at=signing.created_at,
        execution_on=signing.created_on,
        sandbox=office.sandbox,
    )


def stream(connection: Connection, statement: str, values: tuple[object, ...]) -> CursorResult[Any]:
    """The statement's rows through a cursor on the server, so that memory does not grow with their number."""
    return connection.exec_driver_sql(
        statement, values, execution_options={"stream_results": True, "max_row_buffer": ROWS_AT_ONCE}
    )


def purpose_of(batch: Batch, office: Office) -> str:
    """What every payment of the batch says it is for."""
    return f"{_mark(office)}科技创新券兑付 {batch.batch_no}"


def _mark(office: Office) -> str:
    """What a sandbox's payments begin with, on every list and in every file."""
    return PURPOSE if office.sandbox else ""
