"""Reading pain.001: its head, and its transactions as lines."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple
from uuid import UUID

from lxml import etree

from settlement.offline.records import Line

_SHAPE: Final[tuple[tuple[str, str | None], ...]] = (
    ("PmtId", None),
    ("InstrId", "instruction_id"),
    ("EndToEndId", "end_to_end_id"),
    ("Amt", None),
    ("InstdAmt", "amount"),
    ("CdtrAgt", None),
    ("FinInstnId", None),
    ("ClrSysMmbId", None),
    ("ClrSysId", None),
    ("Cd", "clearing_system"),
    ("MmbId", "cnaps"),
    ("Nm", "bank_name"),
    ("Cdtr", None),
    ("Nm", "payee"),
    ("CdtrAcct", None),
    ("Id", None),
    ("Othr", None),
    ("Id", "account_number"),
    ("RmtInf", None),
    ("Ustrd", "remittance"),
)
"""The elements of one transaction in document order, and the field that each holds."""
_ELEMENTS: Final = tuple(name for name, _ in _SHAPE)
FIELDS: Final = (*(field for _, field in _SHAPE if field), "currency", "shape")
_HEAD_PATHS: Final[Mapping[str, str]] = {
    "GrpHdr/MsgId": "batch",
    "GrpHdr/CreDtTm": "created_at",
    "GrpHdr/NbOfTxs": "count",
    "GrpHdr/CtrlSum": "total",
    "PmtInf/PmtInfId": "batch",
    "PmtInf/PmtMtd": "method",
    "PmtInf/NbOfTxs": "count",
    "PmtInf/CtrlSum": "total",
    "PmtInf/ReqdExctnDt/Dt": "execution_on",
    "PmtInf/Dbtr/Nm": "payer",
    "PmtInf/DbtrAcct/Id/Othr/Id": "payer_account_number",
    "PmtInf/DbtrAgt/FinInstnId/Nm": "payer_bank_name",
    "PmtInf/DbtrAgt/FinInstnId/ClrSysMmbId/MmbId": "payer_cnaps",
}


class Head(NamedTuple):
    """A value of the message's head: where it stands, what it is called, what it says."""

    path: str
    name: str
    value: str


def pain_head(path: Path, schema: str) -> list[Head]:
    """The values of the message's head.

    Raises:
        ValueError: the file cannot be read as a message of this schema.
    """
    namespace = _namespace(schema)
    try:
        with path.open("rb") as file:
            for _, transaction in _transactions(file, namespace):
                message = transaction.getparent().getparent()
                return [
                    Head(place, name, message.findtext(_qualified(place, namespace)) or "")
                    for place, name in _HEAD_PATHS.items()
                ]
    except (etree.XMLSyntaxError, AttributeError) as fault:
        raise ValueError(str(fault)) from fault
    raise ValueError("there is no transaction")


def pain_lines(path: Path, schema: str) -> Iterator[Line]:
    """The transactions; one line with a fault where the file cannot be read on."""
    namespace = _namespace(schema)
    try:
        with path.open("rb") as file:
            for _, transaction in _transactions(file, namespace):
                yield Line(transaction.sourceline or 0, _record(transaction, namespace))
                transaction.clear()
                while (earlier := transaction.getprevious()) is not None and earlier.tag == transaction.tag:
                    transaction.getparent().remove(earlier)
    except etree.XMLSyntaxError as fault:
        yield Line(fault.lineno or 0, None, ("无法读取。", "It cannot be read."))


def _transactions(file: BinaryIO, namespace: str) -> Any:  # noqa: ANN401 - lxml's stubs do not know iterparse
    return etree.iterparse(file, tag=f"{namespace}CdtTrfTxInf", resolve_entities=False, no_network=True, load_dtd=False)


def _record(transaction: etree._Element, namespace: str) -> dict[str, str]:
    elements = list(transaction.iterdescendants())
    record = dict.fromkeys(FIELDS, "")
    if [element.tag for element in elements] != _qualified_elements(namespace):
        record["shape"] = " ".join(str(element.tag).removeprefix(namespace) for element in elements)
    for (name, field), element in zip(_SHAPE, elements, strict=False):
        if field and (not record["shape"] or element.tag == namespace + name):
            record[field] = element.text or ""
        if field == "amount":
            record["currency"] = element.get("Ccy", "")
    with suppress(ValueError):
        record["instruction_id"] = str(UUID(hex=record["instruction_id"]))
    return record


@cache
def _qualified_elements(namespace: str) -> list[str]:
    return [namespace + name for name in _ELEMENTS]


def namespace_of(schema: str) -> str:
    """The namespace of a message of this schema."""
    return f"urn:iso:std:iso:20022:tech:xsd:{schema}"


def _namespace(schema: str) -> str:
    return f"{{{namespace_of(schema)}}}"


def _qualified(path: str, namespace: str) -> str:
    return "/".join(namespace + name for name in path.split("/"))
