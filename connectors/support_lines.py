"""Support records by the column: what a run of lines states, read without an object for each record (P3).

The readers are the fields' own (:mod:`connectors.claim_schema`), and each different value is read once. What is read
is exactly what :func:`connectors.reading.read_support_record` makes of each line. Where one of them is not plainly
sound, or tells of cancelled invoices, there is no answer: whoever asks then reads line by line, which names the fault.
"""

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeVar

from connectors.claim_schema import EXTERNAL_ID, MAX_ROWS, SUPPORT_KINDS, SupportKeySchema, SupportRecordSchema
from connectors.faults import Fault
from connectors.fields import REMEMBERED_VALUES
from connectors.leaf import Leaf, Read
from connectors.parts import PartSchema
from tenants.kernel.strict_json import decode_lines

Value = TypeVar("Value", bound=Hashable)
Made = TypeVar("Made")


class Amount(NamedTuple):
    """An amount in fen, and as JSON prints it."""

    fen: int | None
    printed: str


class Columns(NamedTuple):
    """Records of one platform and tenant; no text in them holds a quote, a backslash or a control character."""

    platform: str
    tenant: str
    external_ids: Sequence[str]
    enterprises: Sequence[str]
    days: Sequence[str]
    """Each as ``YYYY-MM-DD``."""
    counts: Sequence[int]
    """How many keys each record has; the keys themselves follow one another in the columns below."""
    kinds: Sequence[str]
    values: Sequence[str]
    amounts: Sequence[Amount]
    providers: Sequence[str | None]


def read_columns(lines: Sequence[bytes]) -> Columns | None:
    """What the lines state, or ``None``: see above."""
    records = decode_lines(lines, bounded=False, members=_members)
    try:
        return None if not records else _columns(records)
    except (Fault, TypeError):  # a list where a text is expected does not hash
        return None


def _members(records: list[Any]) -> int:
    """How many members the records and their keys have; none where they are not of that form."""
    if set(map(type, records)) != {dict}:
        return 0
    keys = [record.get("keys") for record in records]
    if set(map(type, keys)) != {list}:
        return 0
    listed = list(chain.from_iterable(keys))
    if not {dict}.issuperset(map(type, listed)):
        return 0
    return sum(map(len, records)) + sum(map(len, listed))


def _columns(records: Sequence[Any]) -> Columns | None:
    if set(map(frozenset, set(map(tuple, records)))) != {_MEMBERS}:
        return None
    platforms, external_ids, tenants, enterprises, keys, days = zip(*map(_of_record, records), strict=True)
    counts = list(map(len, keys))
    if set(map(type, keys)) != {list} or min(counts) == 0 or max(counts) > MAX_ROWS:
        return None
    listed: list[Any] = list(chain.from_iterable(keys))
    shapes = set(map(tuple, listed))
    if not all(_NEEDED.issubset(shape) and _KEY_MEMBERS.issuperset(shape) for shape in shapes):
        return None
    kinds, values = zip(*map(_of_key, listed), strict=True)
    whose = set(zip(platforms, tenants, strict=True))
    if len(whose) > 1 or not _PLAIN_KINDS.issuperset(kinds):
        return None
    if not _EXTERNAL_IDS.fullmatch("\n".join(external_ids)):
        return None
    [(platform, tenant)] = whose
    lengths = set(map(len, values))
    if not "".join(values).isalnum() or min(lengths) == 0 or max(lengths) > _SHORT:
        values = tuple(map(_value, values))
    return Columns(
        _platform(platform),
        _tenant(tenant),
        external_ids,
        _each(_enterprise, enterprises),
        _each(_day, days),
        counts,
        kinds,
        values,
        _optional(_amount, "amount", listed, shapes),
        _optional(_provider, "provider_uscc", listed, shapes),
    )


def _each(read: Callable[[Value], Made], values: Iterable[Value]) -> list[Made]:
    """The values as they are read, each different one once."""
    listed = list(values)
    made = {value: read(value) for value in set(listed)}
    return list(map(made.__getitem__, listed))


def _optional(
    read: Callable[[str | None], Made], name: str, listed: Sequence[Any], shapes: Iterable[Sequence[str]]
) -> list[Made]:
    """The same of a member that need not be there; ``shapes`` are all that there are of the keys."""
    if not any(name in shape for shape in shapes):
        return [read(None)] * len(listed)
    return _each(read, [key.get(name) for key in listed])


def _leaf(schema: type[PartSchema], name: str) -> Read[Any]:
    field = schema().load_fields[name]
    if not isinstance(field, Leaf):
        raise TypeError(f"{name} is an object or a list")
    return field.read


_MEMBERS: Final = frozenset(SupportRecordSchema().load_fields)
_KEY_MEMBERS: Final = frozenset(SupportKeySchema().load_fields)
_NEEDED: Final = frozenset({"kind", "value"})
_PLAIN_KINDS: Final = frozenset(SUPPORT_KINDS) - {"red_letter"}
_EXTERNAL_IDS: Final = re.compile(rf"{EXTERNAL_ID}(?:\n{EXTERNAL_ID})*+")
_SHORT: Final = 64
"""Letters and digits alone, so many at most, need no look at each of them."""
_of_record: Final = itemgetter("platform", "external_id", "tenant", "enterprise_uscc", "keys", "supported_on")
_of_key: Final = itemgetter("kind", "value")
_platform: Final = _leaf(SupportRecordSchema, "platform")
_tenant: Final = _leaf(SupportRecordSchema, "tenant")
_enterprise: Final = _leaf(SupportRecordSchema, "enterprise_uscc")
_read_day: Final = _leaf(SupportRecordSchema, "supported_on")
_value: Final = _leaf(SupportKeySchema, "value")
_read_amount: Final = _leaf(SupportKeySchema, "amount")
_read_provider: Final = _leaf(SupportKeySchema, "provider_uscc")


def _day(text: str) -> str:
    return str(_read_day(text).isoformat())


def _provider(text: str | None) -> str | None:
    return None if text is None else str(_read_provider(text))


@lru_cache(REMEMBERED_VALUES)
def _amount(text: str | None) -> Amount:
    if text is None:
        return Amount(None, "null")
    money = _read_amount(text)
    return Amount(money.fen, f'"{money}"')
