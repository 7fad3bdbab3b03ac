"""The payment file of one order between tenants, and the bank that it goes to."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from hashlib import sha256
from io import BytesIO
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from settlement.bank.connections import BankConnection, agent_of
from settlement.cycles.clearing_order import PAY_OUT, Order, find_orders
from settlement.cycles.cycle import find_cycle
from settlement.formats.pain001 import VERSIONS, schema_faults, write_pain001
from settlement.formats.payout_batch import PayoutBatch
from settlement.office import Office
from settlement.payouts.instruction import Instruction, Item
from settlement.payouts.payments import VALID_FOR
from settlement.signatures.keys import public_keys, refuse_revoked
from settlement.signatures.signing import ORDER, verify_compact
from tenants.kernel.clock import shanghai_day
from tenants.kernel.errors import Conflict
from tenants.kernel.sealing import Place
from tenants.kernel.statements import insert_rows

ORDER_FILE: Final = "order.pain.001.xml"
"""The name by which a submission calls an order's file."""


def bank_of(connection: Connection, order: Order, banks: Mapping[str, BankConnection]) -> BankConnection | None:
    """The way to the bank that pays the order: its tenant's, or the settlement agent's for what that pays out."""
    if order.kind != PAY_OUT or order.cycle_id is None:
        return banks.get(order.tenant)
    return banks.get(agent_of(find_cycle(connection, order.cycle_id).agreement_set))


def order_file(connection: Connection, order: Order, office: Office) -> bytes:
    """The order's payment file, made when it is first wanted and the same for ever.

    Raises:
        Conflict: ``order.no_agent``: the settlement agent's account was not known when it was ordered;
            ``key.revoked``.
        settlement.signatures.signing.SignatureRefused: it is not as it was signed.
    """
    row = connection.exec_driver_sql(
        "select sealed from clearing_order_file where tenant = %s and order_id = %s", (order.tenant, order.id)
    ).one_or_none()
    if row is not None:
        return b64decode(office.sealer.unseal(bytes(row.sealed), file_place(order.tenant, order.id)))
    _, key = verify_compact(order.jws, ORDER, public_keys(connection, order.tenant))
    refuse_revoked(connection, order.tenant, key.kid)
    bank = bank_of(connection, order, office.banks)
    content = _pain001(connection, order, VERSIONS[0] if bank is None else bank.pain_version)
    sealed = office.sealer.seal(b64encode(content).decode("ascii"), file_place(order.tenant, order.id))
    insert_rows(
        connection,
        "clearing_order_file",
        ("tenant", "order_id", "sha256", "size_bytes", "sealed"),
        [(order.tenant, order.id, sha256(content).hexdigest(), len(content), sealed)],
    )
    return content


def _pain001(connection: Connection, order: Order, version: str) -> bytes:
    debtor, creditor, said = order.debtor, order.creditor, order.said
    if debtor is None or creditor is None:
        raise no_agent()
    name = connection.exec_driver_sql("select name_zh from tenant where tenant = %s", (order.tenant,)).scalar_one()
    day, of = shanghai_day(order.created_at), said.get("cycle") or said["batch"]
    root = sha256(order.jws.encode()).hexdigest()
    line = Instruction(
        instruction_id=order.id, tenant=order.tenant, batch=order.message_id, batch_id=order.id, batch_root=root,
        debtor=debtor, creditor=creditor, amount=order.amount, purpose=f"科技创新券清算 {of}",
        items=(Item(1, of, order.amount),), created_at=order.created_at, valid_through_on=day + VALID_FOR,
        key_id=said["kid"],
    )  # fmt: skip
    whole = PayoutBatch(
        tenant=order.tenant, tenant_name=name, title=f"{name}科技创新券清算", batch=order.message_id, batch_id=order.id,
        batch_root=root, debtor=debtor, count=1, item_count=1, total=order.amount, created_at=order.created_at,
        execution_on=day,
    )  # fmt: skip
    out = BytesIO()
    write_pain001(out, whole, [line], version)
    out.seek(0)
    if faults := schema_faults(out, version):
        raise RuntimeError(f"the order's file is not valid: {faults[0]}")
    return out.getvalue()


def file_place(tenant: str, order_id: UUID) -> Place:
    """Where an order's payment file is sealed."""
    return Place("clearing_order_file", "sealed", tenant, str(order_id))


def no_agent() -> Conflict:
    """The answer where the settlement agent's account is not in an order."""
    return Conflict(
        "order.no_agent",
        "该指令签发时未配置清算专户，没有可发送的付款文件；款项付清后由运营人员确认结清。",
        "The settlement agent's account was not configured when this was ordered: there is no file to send. "
        "The operator settles the cycle once it is paid.",
    )


def require_sendable(connection: Connection, order: Order, office: Office) -> BankConnection:
    """The way to the bank that pays the held order, which stands, is undecided, and whose money is there.

    Raises:
        Conflict: ``bank.not_configured``, ``order.ended``, ``order.decided``, ``order.unexplained``,
            ``order.not_paid_in``.
    """
    bank = bank_of(connection, order, office.banks)
    if bank is None:
        raise Conflict(
            "bank.not_configured",
            "付款方没有配置银行通道，请下载付款文件自行提交，再导入银行回单。",
            "No bank is configured for who pays; download the file, hand it in, and import the bank's answer.",
        )
    [now] = find_orders(connection, order.tenant, [order.id], office)
    if now.ended:
        raise Conflict("order.ended", "该指令已被替换或取消，不能发送。", "The order has ended; it is not sent.")
    if now.state != "ordered":
        raise Conflict(
            "order.decided", "银行已告知该指令的结果，不能再发送。", "The bank has told of the order; it is not sent."
        )
    if is_unexplained(connection, order):
        raise Conflict(
            "order.unexplained",
            "银行已付出写明该指令（或其所替换指令）的款项，尚在待查：须先由两人说明，以免重复支付。",
            "Money left that names this order, or what it replaces, and lies in suspense: two people explain it "
            "first, lest it is paid twice.",
        )
    if order.kind == PAY_OUT and (left := not_paid_in(connection, order)):
        raise Conflict(
            "order.not_paid_in",
            f"清算专户尚有 {left} 笔缴存未到账，不能付出。",
            f"{left} pay-ins have not arrived with the settlement agent: it pays nothing out yet.",
        )
    return bank


def is_unexplained(connection: Connection, order: Order) -> bool:
    """Whether money left for the order, or for what it replaces, that nobody has explained."""
    found: bool = connection.exec_driver_sql("select order_unexplained(%s, %s)", (order.tenant, order.id)).scalar_one()
    return found


def not_paid_in(connection: Connection, order: Order) -> int:
    """How many pay-ins of the cycle stand unpaid: the owner's function sees those of all tenants."""
    count: int = connection.exec_driver_sql("select not_paid_in(%s)", (order.cycle_id,)).scalar_one()
    return count


def can_be_sent(connection: Connection, order: Order, banks: Mapping[str, BankConnection]) -> bool:
    """Whether a bank is connected that would pay the order as it stands."""
    whole = order.debtor is not None and order.creditor is not None
    return whole and not order.ended and bank_of(connection, order, banks) is not None
