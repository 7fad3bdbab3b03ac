"""The hot path: plain functions compiled from the marshmallow schemas, which accept and make exactly the same.

The leaves are the fields' own :attr:`~connectors.leaf.Leaf.read`; only how objects and lists nest is done anew. A
compiled reader does not say where a fault is: whoever meets one lets marshmallow name them all.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

from marshmallow import fields

from connectors.faults import Fault
from connectors.leaf import Leaf
from connectors.parts import ByCode, Part, PartSchema, Rows

Reader = Callable[[Any], Any]
"""Reads one JSON value; raises ``Fault`` where it is wrong."""

Member = tuple[str, Reader, Callable[[], Any] | None]
"""Name in JSON, reader of what is there, and, where it need not be there, maker of what stands for absence."""


def compiled(schema: PartSchema) -> Reader:
    """A function that reads what ``schema`` loads, into the same types.

    Raises:
        TypeError: the schema declares a field that has no compiled form, or not exactly the fields of its type.
    """
    declared = dict(schema.load_fields)
    parts = [(part, declared.pop(part.name)) for part in dataclasses.fields(schema.makes)]
    if declared:
        raise TypeError(f"{schema.makes.__name__} has no {', '.join(declared)}")
    make = _with_claimed_part(schema.makes) if schema.has_claimed_part else schema.makes
    members = [(_key(part, field), _reader(field), None if field.required else _absent(part)) for part, field in parts]
    return _read_object(members, make)


def _read_object(members: list[Member], make: Callable[..., Any]) -> Reader:
    """A function written out for these members, so that reading one costs no loop; its text is made of numbers only."""
    names: dict[str, Any] = {"make": make, "Fault": Fault}
    needed, lines = 0, list[str]()
    for number, (key, reader, absent) in enumerate(members):
        names |= {f"key{number}": key, f"read{number}": reader, f"absent{number}": absent}
        if absent is None:
            needed += 1
            lines.append(f"        part{number} = read{number}(value[key{number}])")
    text = [
        "def read(value):",
        "    if type(value) is not dict:",
        "        raise Fault('object.expected')",
        "    try:",
        *(lines or ["        pass"]),
        "    except KeyError:",
        "        raise Fault('field.required') from None",
        f"    seen = {needed}",
    ]
    for number, (_, _, absent) in enumerate(members):
        if absent is not None:
            text += [
                f"    found = value.get(key{number})",
                "    if found is not None:",
                f"        part{number} = read{number}(found)",
                "        seen += 1",
                "    else:",
                f"        part{number} = absent{number}()",
                f"        seen += key{number} in value",
            ]
    parts = ", ".join(f"part{number}" for number in range(len(members)))
    text += ["    if seen != len(value):", "        raise Fault('field.unknown')", f"    return make({parts})"]
    exec("\n".join(text), names)  # noqa: S102 - nothing of it comes from outside
    written_out: Reader = names["read"]
    return written_out


def _key(part: "dataclasses.Field[Any]", field: fields.Field[Any]) -> str:
    return part.name if field.data_key is None else field.data_key


def _absent(part: "dataclasses.Field[Any]") -> Callable[[], Any]:
    """What stands for a member that is not there."""
    if part.default_factory is not dataclasses.MISSING:
        return part.default_factory
    default = None if part.default is dataclasses.MISSING else part.default
    return lambda: default


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
