"""The pilot regions' own platforms: what they paid themselves, as support records that block duplicates (S3 三（一）).

No screen or interface of theirs is published: the form is this service's own. Platform and tenant are who sends it.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from connectors.connector import Connector, Rule, connector
from connectors.mapping import Mapped
from connectors.spelling import amount, ascii_width, plain
from tenants.kernel.canonical import Json

TENANTS: Final = ("qingpu", "wujiang", "jiashan", "maanshan")


def sent_by(tenant: str) -> Rule:
    """The record is of the tenant's local platform."""

    def rule(form: Mapping[str, Any], mapped: Mapped) -> None:
        mapped.put(("platform",), f"{tenant}-local", ())
        mapped.put(("tenant",), tenant, ())
        del form

    return rule


def spending_has_its_keys(form: Mapping[str, Any], mapped: Mapped) -> None:
    """Every invoice, contract and receipt of the record is one identity of its spending.

    The code and the number of a legacy invoice are one.
    """
    mapped.data.setdefault("keys", [])
    for kind, label, number, row in _rows(form):
        key = _KEYS[kind](row)
        at = len(mapped.data["keys"])
        mapped.data["keys"].append({"kind": kind, **{name: value for name, (value, _) in key.items() if value}})
        mapped.origins["keys", at] = (label, number)
        for name, (_, source) in key.items():
            mapped.origins["keys", at, name] = (label, number, source)


def _rows(form: Mapping[str, Any]) -> Iterator[tuple[str, str, int, Mapping[str, Any]]]:
    for kind, label in (("invoice", "发票"), ("contract", "合同"), ("receipt", "银行回单")):
        rows = form.get(label)
        for number, row in enumerate(rows if isinstance(rows, list) else ()):
            if isinstance(row, dict):
                yield kind, label, number, row


Parts = dict[str, tuple[Json, str]]
"""Each part of a key with the column that it comes from."""


def _invoice(row: Mapping[str, Any]) -> Parts:
    number, code = plain(row.get("发票号码")), plain(row.get("发票代码"))
    joined = f"{code}{number}" if isinstance(code, str) and code and isinstance(number, str) else number
    return {"value": (joined, "发票号码"), "amount": (amount(row.get("已支持金额")), "已支持金额")}


def _contract(row: Mapping[str, Any]) -> Parts:
    provider = ascii_width(row.get("服务机构统一社会信用代码"))
    return {
        "value": (plain(row.get("合同编号")), "合同编号"),
        "provider_uscc": (provider, "服务机构统一社会信用代码"),
    }


def _receipt(row: Mapping[str, Any]) -> Parts:
    return {"value": (plain(row.get("回单流水号")), "回单流水号")}


_KEYS: Final[Mapping[str, Callable[[Mapping[str, Any]], Parts]]] = {
    "invoice": _invoice,
    "contract": _contract,
    "receipt": _receipt,
}

CONNECTORS: Final[tuple[Connector, ...]] = tuple(
    connector(f"{tenant}-local", "local.paid", sent_by(tenant), spending_has_its_keys) for tenant in TENANTS
)
