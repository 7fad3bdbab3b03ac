"""ISO 20022 ``pain.001.001.09`` or ``.11``: the customer credit transfer initiation, one transaction a line.

Numbers are never cut, since a cut account is another account; names are cut to the schema's 140 characters. The text
is made from templates, a quarter of the time of an element tree; :func:`schema_faults` then reads it as anyone would.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from importlib.metadata import distribution
from typing import Any, BinaryIO, Final
from uuid import UUID

from lxml import etree

from settlement.formats.payout_batch import PayoutBatch, claims_text, counted
from settlement.payouts.instruction import CURRENCY, Account, Instruction, end_to_end_id
from tenants.kernel.clock import print_instant
from tenants.kernel.money import Money

PAIN001: Final = "pain.001.xml"
"""The name of the message among a batch's files."""
VERSIONS: Final = ("09", "11")
MAX_NAME_CHARS: Final = 140
MAX_PURPOSE_CHARS: Final = 60
"""Leaves room for claim references in the 140 characters of the remittance line."""

_SCHEMA_PACKAGE: Final = "sepaxml"
_MAX_FAULTS: Final = 20

_AGENT: Final = (
    "<FinInstnId><ClrSysMmbId><ClrSysId><Cd>CNAPS</Cd></ClrSysId><MmbId>{cnaps}</MmbId></ClrSysMmbId>"
    "<Nm>{bank_name}</Nm></FinInstnId>"
)
"""CNAPS is the code of China's payment system in the external code list of ISO 20022."""
_ACCOUNT: Final = "<Id><Othr><Id>{account_number}</Id></Othr></Id>"
_HEAD: Final = (
    "<?xml version='1.0' encoding='UTF-8'?>\n"
    '<Document xmlns="{namespace}"><CstmrCdtTrfInitn><GrpHdr><MsgId>{batch}</MsgId><CreDtTm>{created_at}</CreDtTm>'
    "<NbOfTxs>{count}</NbOfTxs><CtrlSum>{total}</CtrlSum><InitgPty><Nm>{tenant_name}</Nm></InitgPty></GrpHdr>\n"
    "<PmtInf><PmtInfId>{batch}</PmtInfId><PmtMtd>TRF</PmtMtd><NbOfTxs>{count}</NbOfTxs><CtrlSum>{total}</CtrlSum>"
    "<ReqdExctnDt><Dt>{execution_on}</Dt></ReqdExctnDt><Dbtr><Nm>{account_name}</Nm></Dbtr>"
    f"<DbtrAcct>{_ACCOUNT}<Ccy>{CURRENCY}</Ccy></DbtrAcct><DbtrAgt>{_AGENT}</DbtrAgt>\n"
)
_TRANSACTION: Final = (
    "<CdtTrfTxInf><PmtId><InstrId>%s</InstrId><EndToEndId>%s</EndToEndId></PmtId>"
    f'<Amt><InstdAmt Ccy="{CURRENCY}">%s</InstdAmt></Amt><CdtrAgt>%s</CdtrAgt>'
    f"<Cdtr><Nm>%s</Nm></Cdtr><CdtrAcct>{_ACCOUNT.format(account_number='%s')}</CdtrAcct>"
    "<RmtInf><Ustrd>%s</Ustrd></RmtInf></CdtTrfTxInf>\n"
).encode()
MESSAGE_TAIL: Final = b"</PmtInf></CstmrCdtTrfInitn></Document>\n"


def write_pain001(out: BinaryIO, batch: PayoutBatch, instructions: Iterable[Instruction], version: str = "09") -> None:
    """Write the message: one payment information block, one transaction for each instruction.

    The message id is the batch number, so that a bank knows the same batch again.

    Raises:
        ValueError: a version that is not in ``VERSIONS``.
        TotalsError: the instructions are not those of the batch; what was written is then to be thrown away.
    """
    out.write(message_head(batch, version))
    out.writelines(transactions([instruction]) for _, instruction in counted(batch, instructions))
    out.write(MESSAGE_TAIL)


def message_head(batch: PayoutBatch, version: str) -> bytes:
    """The message up to its first transaction.

    Raises:
        ValueError: a version that is not in ``VERSIONS``.
    """
    return _head(batch, version).encode()


def transactions(instructions: Iterable[Instruction]) -> bytes:
    """The transactions of instructions, as they follow each other in the message."""
    return b"".join([_transaction(instruction) for instruction in instructions])


def schema_faults(source: BinaryIO, version: str = "09") -> list[str]:
    """What the official schema finds wrong; empty when the message is valid. The file is streamed.

    Raises:
        ValueError: a version that is not in ``VERSIONS``.
    """
    tag = f"{{{_namespace(version)}}}CdtTrfTxInf"
    # no ``resolve_entities=False`` here: beside a schema it makes lxml 6.1 pass over the end of a truncated file
    events = etree.iterparse(source, tag=tag, schema=_schema(version), no_network=True, load_dtd=False)
    try:
        for _, element in events:
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
    except etree.XMLSyntaxError as fault:
        return [entry.message for entry in events.error_log][:_MAX_FAULTS] or [str(fault)]
    return []


def schema_check(version: str) -> Callable[[bytes], list[str]]:
    """What finds the faults of whole short messages, as :func:`schema_faults` does; for one thread.

    Read first, then looked at: of a message that fits in memory that takes less time than both at once.

    Raises:
        ValueError: a version that is not in ``VERSIONS``.
    """
    schema, parser = _schema(version), etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)

    def faults(message: bytes) -> list[str]:
        try:
            schema.assertValid(etree.fromstring(message, parser))
        except (etree.XMLSyntaxError, etree.DocumentInvalid) as fault:
            log: Any = fault.error_log  # of which the stubs say nothing
            return [entry.message for entry in log][:_MAX_FAULTS] or [str(fault)]
        return []

    return faults


def _head(batch: PayoutBatch, version: str) -> str:
    return _HEAD.format(
        namespace=_namespace(version),
        batch=batch.batch,
        created_at=print_instant(batch.created_at),
        count=batch.count,
        total=batch.total,
        tenant_name=_text(batch.tenant_name),
        execution_on=batch.execution_on.isoformat(),
        **_party(batch.debtor),
    )


def _transaction(instruction: Instruction) -> bytes:
    return transaction(
        instruction.instruction_id, instruction.creditor, instruction.amount, instruction.purpose, instruction.claims
    )


def transaction(instruction_id: UUID, payee: Account, amount: Money, purpose: str, claims: tuple[str, ...]) -> bytes:
    """One transaction of the message."""
    purpose = purpose[:MAX_PURPOSE_CHARS]
    remittance = f"{purpose} {claims_text(claims, MAX_NAME_CHARS - len(purpose) - 1)}"
    return _TRANSACTION % (
        instruction_id.hex.encode(), end_to_end_id(instruction_id).encode(), str(amount).encode(),
        _agent(payee.cnaps, payee.bank_name), _text(payee.account_name).encode(), payee.account_number.encode(),
        _text(remittance).encode(),
    )  # fmt: skip


@lru_cache(maxsize=1024)  # many payees have one bank
def _agent(cnaps: str, bank_name: str) -> bytes:
    return _AGENT.format(cnaps=cnaps, bank_name=_text(bank_name)).encode()


def _party(account: Account) -> dict[str, str]:
    return {
        "account_name": _text(account.account_name),
        "account_number": account.account_number,
        "bank_name": _text(account.bank_name),
        "cnaps": account.cnaps,
    }


def _text(text: str) -> str:
    """The text as element content, cut to what the schema takes."""
    text = text[:MAX_NAME_CHARS]
    if "&" in text or "<" in text or ">" in text:
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text


def _namespace(version: str) -> str:
    if version not in VERSIONS:
        raise ValueError(f"pain.001.001.{version} is not written here")
    return f"urn:iso:std:iso:20022:tech:xsd:pain.001.001.{version}"


def _schema(version: str) -> etree.XMLSchema:
    """The official schema as an installed package carries it; nothing of that package is run."""
    path = distribution(_SCHEMA_PACKAGE).locate_file(f"{_SCHEMA_PACKAGE}/schemas/pain.001.001.{version}.xsd")
    return etree.XMLSchema(etree.parse(str(path)))
