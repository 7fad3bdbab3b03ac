"""The keys of a support record: what it names, in the canonical form that every claim on the same spending has."""

from collections.abc import Iterator
from typing import Final

from clearing.claims.fingerprint import canonical_contract, canonical_invoice, canonical_serial
from clearing.claims.keyring import Versions
from clearing.claims.registry import Key
from connectors.submission import SupportRecord
from tenants.kernel.errors import FieldError, Text
from tenants.kernel.money import ZERO


def keys_stated(
    versions: Versions, one: SupportRecord, *, red_letter: bool
) -> tuple[tuple[Key, ...], tuple[FieldError, ...]]:
    """The record's keys, each identity once: of two mentions the amounts are added."""
    keys: dict[tuple[str, str], Key] = {}
    faults = list(_red_letter_faults(one)) if red_letter else []
    for position, key in enumerate(one.keys):
        text = identity(key.kind, key.value, one.enterprise_uscc, key.provider_uscc)
        kind = "invoice" if key.kind == "red_letter" else key.kind
        if text:
            earlier = keys.get((kind, text))
            place = f"/keys/{position}" if earlier is None else earlier.place
            amount = key.amount or ZERO
            if earlier is not None:
                amount += earlier.claimed
            stated = None if key.kind == "red_letter" else amount or None
            keys[kind, text] = Key(kind, place, stated, amount, versions.digests(kind, text))
        else:
            said = Text("无法识别的编号。", "This is no identity that can be read.")
            faults.append(FieldError(f"/keys/{position}/value", "key.unreadable", said))
    if not one.keys:
        faults.append(FieldError("/keys", "keys.missing", Text("至少一项。", "At least one key is needed.")))
    return tuple(keys.values()), tuple(faults)


def is_red_letter(one: SupportRecord) -> bool:
    """Whether the record tells of cancelled invoices, and of no support."""
    return "red_letter" in [key.kind for key in one.keys]


def _red_letter_faults(one: SupportRecord) -> Iterator[FieldError]:
    """What a record of cancelled invoices holds besides, and where it does not say how much is cancelled."""
    for position, key in enumerate(one.keys):
        if key.kind != "red_letter":
            said = Text("红字发票须单独报送。", "Cancelled invoices are stated in a record of their own.")
            yield FieldError(f"/keys/{position}/kind", "key.mixed", said)
        elif not key.amount:
            said = Text("请填写红冲金额。", "The amount that is cancelled is needed.")
            yield FieldError(f"/keys/{position}/amount", "amount.missing", said)


def identity(kind: str, value: str, enterprise_uscc: str, provider_uscc: str | None) -> str:
    """The canonical form of what a key names; empty where it cannot be read."""
    if kind in _INVOICES:
        return canonical_invoice(value)
    if kind == "contract":
        return "" if provider_uscc is None else canonical_contract(enterprise_uscc, provider_uscc, value)
    return canonical_serial(value) if kind == "receipt" else value.lower()


_INVOICES: Final = frozenset({"invoice", "red_letter"})
