"""The hot path: plain functions compiled from the marshmallow schemas, which accept and make exactly the same.

The leaves are the fields' own :attr:`~connectors.leaf.Leaf.read`; only how objects and lists nest is done anew. A
compiled reader does not say where a fault is: whoever meets one lets marshmallow name them all.
"""

import dataclasses
from collections.abc import Callable
from operator import itemgetter
from typing import Any

from marshmallow import fields

from connectors.faults import Fault
from connectors.leaf import Leaf
from connectors.parts import ByCode, Part, PartSchema, Rows

Reader = Callable[[Any], Any]
"""Reads one JSON value; raises ``Fault`` where it is wrong."""

Optional = tuple[str, Reader, Callable[[], Any]]
"""Name in JSON, reader of what is there, and maker of what stands for absence."""


def compiled(schema: PartSchema) -> Reader:
    """A function that reads what ``schema`` loads, into the same types.

    Raises:
        TypeError: the schema declares a field that has no compiled form, or not exactly the fields of its type.
    """
    declared = dict(schema.load_fields)
    parts = [(part, declared.pop(part.name)) for part in dataclasses.fields(schema.makes)]
    if declared:
        raise TypeError(f"{schema.makes.__name__} has no {', '.join(declared)}")
    needed = [(part.name, _key(part, field), _reader(field)) for part, field in parts if field.required]
    optional = [(part.name, _optional(part, field)) for part, field in parts if not field.required]
    make = _with_claimed_part(schema.makes) if schema.has_claimed_part else schema.makes
    names = [name for name, _, _ in needed] + [name for name, _ in optional]
    return _read_object(
        [(key, reader) for _, key, reader in needed],
        [slot for _, slot in optional],
        _in_order(make, [names.index(part.name) for part, _ in parts]),
    )


def _read_object(
    members: list[tuple[str, Reader]], optional: list[Optional], make: Callable[[list[Any]], Any]
) -> Reader:
    needed = len(members)

    def read(value: Any) -> Any:  # noqa: ANN401 - the type is the schema's
        if type(value) is not dict:
            raise Fault("object.expected")
        try:
            parts = [reader(value[key]) for key, reader in members]
        except KeyError:
            raise Fault("field.required") from None
        seen = needed
        for key, reader, absent in optional:
            found = value.get(key)
            if found is not None:
                parts.append(reader(found))
                seen += 1
            else:
                parts.append(absent())
                seen += key in value
        if seen != len(value):
            raise Fault("field.unknown")
        return make(parts)

    return read


def _in_order(make: Callable[..., Any], order: list[int]) -> Callable[[list[Any]], Any]:
    """``make`` for parts that are listed in another order than it takes them."""
    if order == sorted(order):
        return lambda parts: make(*parts)
    arrange = itemgetter(*order)
    return lambda parts: make(*arrange(parts))


def _key(part: "dataclasses.Field[Any]", field: fields.Field[Any]) -> str:
    return part.name if field.data_key is None else field.data_key


def _optional(part: "dataclasses.Field[Any]", field: fields.Field[Any]) -> Optional:
    key, reader = _key(part, field), _reader(field)
    if part.default_factory is not dataclasses.MISSING:
        return key, reader, part.default_factory
    default = None if part.default is dataclasses.MISSING else part.default
    return key, reader, lambda: default


def _reader(field: fields.Field[Any]) -> Reader:
    match field:
        case Leaf():
            return field.read
        case Part():
            schema = field.schema
            if isinstance(schema, PartSchema):
                return compiled(schema)
        case Rows():
            return _rows(_reader(field.inner), field.longest)
        case ByCode():
            return _by_code(field.key.read, _reader(field.value), field.longest)
    raise TypeError(f"{type(field).__name__} has no compiled form")


def _rows(read: Reader, longest: int) -> Reader:
    def read_rows(value: Any) -> tuple[Any, ...]:  # noqa: ANN401 - any JSON
        if type(value) is not list:
            raise Fault("list.expected")
        if len(value) > longest:
            raise Fault("list.too_long")
        return tuple(map(read, value))

    return read_rows


def _by_code(read_key: Reader, read_value: Reader, longest: int) -> Reader:
    def read_members(value: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
        if type(value) is not dict:
            raise Fault("object.expected")
        if len(value) > longest:
            raise Fault("list.too_long")
        return {read_key(key): read_value(inner) for key, inner in value.items()}

    return read_members


def _with_claimed_part(make: type) -> Callable[..., Any]:
    """``make`` for a type whose ``claimed`` is a part of ``amount``, by default the whole."""
    names = [part.name for part in dataclasses.fields(make)]
    whole, claimed = names.index("amount"), names.index("claimed")

    def made(*parts: Any) -> Any:  # noqa: ANN401 - the parts of ``make``
        if parts[claimed] is None:
            parts = (*parts[:claimed], parts[whole], *parts[claimed + 1 :])
        elif parts[claimed] > parts[whole]:
            raise Fault("claimed_amount.above_amount")
        return make(*parts)

    return made
