"""Whole columns as PostgreSQL's binary arrays: made at once, where the driver would go value by value.

A statement that takes its rows as ``unnest(%s, %s, …)`` stays the same for one row as for a thousand, and the server
reads neither JSON nor text. An array is its header, then each element behind its length; ``None`` is the length -1.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import chain, repeat
from struct import Struct, error, pack
from typing import Any, Final
from uuid import UUID

from psycopg.adapt import AdaptersMap, Dumper
from psycopg.pq import Format

_BOOL: Final = 16
_INT8: Final = 20
_INT4: Final = 23
_DATE: Final = 1082
_TIMESTAMPTZ: Final = 1184
_INT2: Final = 21
_TEXT: Final = 25
_BYTEA: Final = 17
_UUID: Final = 2950
_NULL: Final = b"\xff\xff\xff\xff"
_UUID_BYTES: Final = 16
_UUID_LENGTH: Final = pack("!i", _UUID_BYTES)
_ELEMENT: Final = Struct("!i")


class Column(bytes):
    """One column in its binary form."""

    __slots__ = ()


class Cells(Column):
    """An array whose type the statement says."""

    __slots__ = ()


class Bigints(Column):
    """``bigint[]``."""

    __slots__ = ()


class Smallints(Column):
    """``smallint[]``."""

    __slots__ = ()


class Texts(Column):
    """``text[]``."""

    __slots__ = ()


class Byteas(Column):
    """``bytea[]``."""

    __slots__ = ()


class Uuids(Column):
    """``uuid[]``."""

    __slots__ = ()


def bigints(values: Sequence[int | None]) -> Bigints:
    """Whole numbers of 64 bits."""
    return Bigints(_header(_INT8, len(values), has_null=None in values) + _BIGINTS(values))


def smallints(values: Sequence[int]) -> Smallints:
    """Whole numbers of 16 bits."""
    if _are_one(values):
        return Smallints(_header(_INT2, len(values)) + _SMALLINTS(values[:1]) * len(values))
    return Smallints(_header(_INT2, len(values)) + _SMALLINTS(values))


def texts(values: Sequence[str]) -> Texts:
    """Texts; where they are few, each is encoded once."""
    different = set(values)
    if len(different) == 1:
        return Texts(_header(_TEXT, len(values)) + _sized([values[0].encode()])[0] * len(values))
    if len(different) < len(values) >> 2:
        parts = dict(zip(different, _sized([text.encode() for text in different]), strict=True))
        return Texts(_header(_TEXT, len(values)) + b"".join(map(parts.__getitem__, values)))
    return Texts(_header(_TEXT, len(values)) + b"".join(_sized([text.encode() for text in values])))


def byteas(values: Sequence[bytes]) -> Byteas:
    """Bytes."""
    lengths = set(map(len, values))
    if len(lengths) == 1:
        between = _ELEMENT.pack(*lengths)
        return Byteas(_header(_BYTEA, len(values)) + between + between.join(values))
    return Byteas(_header(_BYTEA, len(values)) + b"".join(_sized(values)))


def uuids(values: Sequence[bytes]) -> Uuids:
    """Identifiers, each as its 16 bytes."""
    length = _ELEMENT.pack(_UUID_BYTES)
    return Uuids(_header(_UUID, len(values)) + (length + length.join(values) if values else b""))


def _are_one(values: Sequence[int]) -> bool:
    """Whether all are the same, as a column often is."""
    return len(set(values)) == 1


def cells(kind: str, values: Sequence[Any]) -> Cells:
    """A column of any values of the ``kind``, PostgreSQL's name of a type; ``None`` is ``null``.

    Of a text its UTF-8 bytes are taken as well.

    Raises:
        TypeError: one of the values is none of the kind.
    """
    element, form = _KINDS[kind]
    count = len(values)
    try:
        if count > 1 and values[0] == values[-1] and len(set(values)) == 1:  # as one tenant and instant of many rows
            return Cells(_header(element, count, has_null=values[0] is None) + form(values[:1]) * count)
        return Cells(_header(element, count, has_null=None in values) + form(values))
    except (AttributeError, UnicodeEncodeError, error) as fault:
        raise TypeError(f"no {kind}: {fault}") from fault


def _text_cells(values: Sequence[str | bytes | None]) -> bytes:
    try:
        return _sizes_and_bytes(list(map(str.encode, values)))  # type: ignore[arg-type] # as nearly every column is
    except TypeError:
        return _byte_cells([value.encode() if isinstance(value, str) else value for value in values])


def _byte_cells(values: Sequence[bytes | None]) -> bytes:
    if None not in values:
        return _sizes_and_bytes(values)  # type: ignore[arg-type] # no ``None``
    length = _ELEMENT.pack
    return b"".join([_NULL if value is None else length(len(value)) + value for value in values])


def _sizes_and_bytes(values: Sequence[bytes]) -> bytes:
    return b"".join(chain.from_iterable(zip(map(_ELEMENT.pack, map(len, values)), values, strict=True)))


def _uuid_cells(values: Sequence[UUID | None]) -> bytes:
    return b"".join([_NULL if value is None else _UUID_LENGTH + value.int.to_bytes(16) for value in values])


def _number_cells(form: str) -> Callable[[Sequence[int | None]], bytes]:
    one = Struct("!i" + form)
    length, packed = one.size - _ELEMENT.size, one.pack

    def numbers(values: Sequence[int | None]) -> bytes:
        if None not in values:
            return b"".join(map(packed, repeat(length), values))
        return b"".join([_NULL if value is None else packed(length, value) for value in values])

    return numbers


def _day_cells(values: Sequence[date | None]) -> bytes:
    return _DAYS([None if value is None else value.toordinal() - _FIRST_DAY for value in values])


def _instant_cells(values: Sequence[datetime | None]) -> bytes:
    return _BIGINTS([None if value is None else (value - _FIRST_INSTANT) // _MICROSECOND for value in values])


def _sized(values: Sequence[bytes]) -> list[bytes]:
    """Each value behind its length."""
    length = _ELEMENT.pack
    return [length(len(value)) + value for value in values]


def _header(element: int, count: int, *, has_null: bool = False) -> bytes:
    if not count:
        return pack("!iiI", 0, 0, element)
    return pack("!iiIii", 1, has_null, element, count, 1)


def _dumper(element_array: int) -> type[Dumper]:
    class ColumnDumper(Dumper):
        format = Format.BINARY
        oid = element_array

        def dump(self, obj: Column) -> bytes:
            return obj

    return ColumnDumper


def register_columns(adapters: AdaptersMap) -> None:
    """Let the connections that are made with these adapters take columns."""
    for kind, array in _ARRAYS.items():
        adapters.register_dumper(kind, _dumper(array))


_BIGINTS: Final = _number_cells("q")
_SMALLINTS: Final = _number_cells("h")
_DAYS: Final = _number_cells("i")
_FIRST_INSTANT: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""From which PostgreSQL counts days and microseconds."""
_FIRST_DAY: Final = _FIRST_INSTANT.toordinal()
_MICROSECOND: Final = timedelta(microseconds=1)
_KINDS: Final[dict[str, tuple[int, Callable[[Sequence[Any]], bytes]]]] = {
    "text": (_TEXT, _text_cells),
    "bytea": (_BYTEA, _byte_cells),
    "uuid": (_UUID, _uuid_cells),
    "bigint": (_INT8, _BIGINTS),
    "integer": (_INT4, _number_cells("i")),
    "smallint": (_INT2, _SMALLINTS),
    "boolean": (_BOOL, _number_cells("?")),
    "date": (_DATE, _day_cells),
    "timestamptz": (_TIMESTAMPTZ, _instant_cells),
}
_ARRAYS: Final[dict[type[Column], int]] = {
    Cells: 0,
    Bigints: 1016,
    Smallints: 1005,
    Texts: 1009,
    Byteas: 1001,
    Uuids: 2951,
}
"""The types of arrays, as PostgreSQL numbers them."""
