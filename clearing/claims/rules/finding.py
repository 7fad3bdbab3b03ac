"""Findings: what one rule says, kept as a ruling and raw values; text and JSON are made only when asked for.

A value's name says its unit: ``base_fen`` is whole fen and is shown as yuan under the name ``base``; ``place`` and
``places`` are JSON pointers, which the data keep and people read as what they point at.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from functools import lru_cache
from operator import itemgetter
from string import Formatter
from typing import Any, Final, NamedTuple

import orjson

from clearing.claims.rules.pointed import place_words
from tenants.kernel.canonical import Json, plain
from tenants.kernel.clock import print_instant
from tenants.kernel.errors import Text
from tenants.kernel.money import FEN_PER_YUAN, Money, in_thousands
from tenants.kernel.rate import print_rate

PASS: Final = "pass"  # noqa: S105 - a verdict
INFO: Final = "info"
HOLD: Final = "hold"
CORRECT: Final = "correct"
REJECT: Final = "reject"
GRAVITY: Final = {PASS: 0, INFO: 0, HOLD: 1, CORRECT: 2, REJECT: 3}
"""The gravest verdict of all rules decides."""

PRINTED_KEPT: Final = 8_192
"""Findings kept in printed form: many claims are told the same."""
RATES_KEPT: Final = 256
DAYS_KEPT: Final = 2_048
_FEN: Final = "_fen"
_POINTERS: Final = frozenset({"place", "places"})


@dataclass(frozen=True, slots=True, eq=False)
class Wording:
    """What a finding says in both languages, with ``{name}`` for each value; ``reads`` and ``says`` name the values.

    ``reads`` are what the rule looked at, ``says`` what it worked out; a finding's values follow in that order.
    """

    zh: str
    en: str
    reads: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    names: tuple[str, ...] = field(init=False)
    in_fen: tuple[bool, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Work out under which names the values are shown, and which of them are fen."""
        units = self.reads + self.says
        object.__setattr__(self, "names", tuple(name.removesuffix(_FEN) for name in units))
        object.__setattr__(self, "in_fen", tuple(name.endswith(_FEN) for name in units))


@dataclass(frozen=True, slots=True)
class Ruling:
    """One answer that a rule may give under one policy: code, verdict, clause, wording."""

    rule: str
    verdict: str
    cite: str
    wording: Wording
    gravity: int = field(init=False, repr=False)
    hashed: int = field(init=False, repr=False)
    form: "Form | None" = field(init=False, repr=False, compare=False, default=None)
    """How its findings are written out, once one was."""

    def __post_init__(self) -> None:
        """Work out gravity and hash once."""
        object.__setattr__(self, "gravity", GRAVITY[self.verdict])
        object.__setattr__(self, "hashed", hash((self.rule, self.verdict, self.cite, self.wording)))

    def __hash__(self) -> int:
        return self.hashed


Finding = tuple[Ruling, tuple[object, ...]]
"""A ruling with the values of one claim. A plain pair, because every claim makes some twenty-five of them."""


class Label(NamedTuple):
    """A code with what people call it."""

    code: str
    zh: str
    en: str


def labelled(code: str, words: Text) -> Label:
    """The code with these words."""
    return Label(code, words.zh, words.en)


class Fault(NamedTuple):
    """One of several faults that a rule found: its code, its wording, and the values."""

    code: str
    wording: Wording
    values: tuple[object, ...] = ()


class Printed(NamedTuple):
    """A finding's JSON and texts."""

    inputs: dict[str, Json]
    output: dict[str, Json]
    message: Text


def print_finding(finding: Finding) -> Printed:
    """The finding as JSON data and as text in both languages."""
    ruling, values = finding
    data, message = _spell(ruling.wording, values)
    read = ruling.wording.names[: len(ruling.wording.reads)]
    return Printed({name: data.pop(name) for name in read}, data, message)


def finding_bytes(finding: Finding) -> bytes:
    """The finding as canonical JSON (RFC 8785), in both languages: the bytes of :func:`finding_json`."""
    return trace_bytes((finding,))


def trace_bytes(findings: Iterable[Finding]) -> bytes:
    """The findings as canonical JSON one behind the other, a comma between.

    Of those that name amounts hardly two are the same: they are made anew. The others are kept.
    """
    parts = []
    for ruling, values in findings:
        form = ruling.form or _form(ruling)
        if not values and form.constant is not None:
            parts.append(form.constant)
        elif form.of_amounts:
            parts.append(_filled_in(form, values))
        else:
            parts.append(kept_bytes(form, values))
    return b",".join(parts)


class Form:
    """A ruling's canonical JSON with ``%b`` for each value; equal only to itself, so that it is a quick key."""

    __slots__ = ("chosen", "constant", "of_amounts", "spellings", "text")

    def __init__(self, text: bytes, places: tuple[int, ...], wording: Wording) -> None:
        self.text = text
        self.spellings = tuple(map(_spelling, wording.names, wording.in_fen))
        self.of_amounts = any(wording.in_fen)
        self.constant = None if self.spellings else text % ()
        # which value's which spelling: three times its number; one more for its Chinese, two more for its English
        self.chosen: Callable[[list[bytes]], tuple[bytes, ...]] = (
            itemgetter(*places) if len(places) > 1 else lambda spelt: tuple([spelt[place] for place in places])
        )


def _filled_in(form: Form, values: tuple[object, ...]) -> bytes:
    spelt: list[bytes] = []
    for spelling, value in zip(form.spellings, values, strict=True):
        spelt += spelling(value)
    return form.text % form.chosen(spelt)


@lru_cache(maxsize=PRINTED_KEPT)
def kept_bytes(form: Form, values: tuple[object, ...]) -> bytes:
    """A finding that many claims have."""
    return _filled_in(form, values)


def _form(ruling: Ruling) -> Form:
    """Write the ruling out, once, so that each of its findings has only its values to put in."""
    wording, places = ruling.wording, list[int]()

    def members(names: tuple[str, ...], first: int) -> str:
        numbered = sorted((name, number) for number, name in enumerate(names, first))
        places.extend(3 * number for _, number in numbered)
        return ",".join(f"{_literal(name, quoted=True)}:%b" for name, _ in numbered)

    def message(text: str, spelling: int) -> str:
        parts = ""
        for literal, name, _, _ in Formatter().parse(text):
            parts += _literal(literal)
            if name is not None:
                places.append(3 * wording.names.index(name) + spelling)
                parts += "%b"
        return parts

    cite, rule, verdict = (_literal(text, quoted=True) for text in (ruling.cite, ruling.rule, ruling.verdict))
    read = len(wording.reads)
    text = (
        f'{{"cite":{cite},"inputs":{{{members(wording.names[:read], 0)}}},'
        f'"message":{{"en":"{message(wording.en, 2)}","zh":"{message(wording.zh, 1)}"}},'
        f'"output":{{{members(wording.names[read:], read)}}},"rule":{rule},"verdict":{verdict}}}'
    )
    form = Form(text.encode(), tuple(places), wording)
    object.__setattr__(ruling, "form", form)
    return form


def _literal(text: str, *, quoted: bool = False) -> str:
    written = orjson.dumps(text).decode()
    return (written if quoted else written[1:-1]).replace("%", "%%")


Spelt = tuple[bytes, bytes, bytes]
"""A value as JSON, and in Chinese and English as within a text of JSON."""


def _written_out(shown: "Shown") -> Spelt:
    data, zh, en = shown
    return orjson.dumps(data, option=orjson.OPT_SORT_KEYS), orjson.dumps(zh)[1:-1], orjson.dumps(en)[1:-1]


def _spelling(name: str, in_fen: bool) -> Callable[[object], Spelt]:  # noqa: FBT001 - as a wording has it
    """How the values of this name are spelt."""
    return _spelt_fen if in_fen else _spelt_pointer if name in _POINTERS else _spelt


@lru_cache(maxsize=PRINTED_KEPT, typed=True)
def _spelt_fen(value: object) -> Spelt:
    if isinstance(value, int):
        if type(value) is not int or value < 0:
            return _written_out(_money(Money(value)))
        yuan, fen = divmod(value, FEN_PER_YUAN)
        said = b"%b.%02d" % (f"{yuan:,}".encode(), fen)
        return b'"%d.%02d"' % (yuan, fen), said, said
    return _spelt(value)


def _spelt_pointer(value: object) -> Spelt:
    return _written_out(_pointed(value))


def _spelt(value: object) -> Spelt:
    """Of a tuple the members' kinds would not be told apart: it is spelt anew."""
    return _written_out(show(value)) if isinstance(value, tuple) else _spelt_one(value)


@lru_cache(maxsize=PRINTED_KEPT, typed=True)
def _spelt_one(value: object) -> Spelt:
    return _written_out(show(value))


def forget_written() -> None:
    """Forget what was written out before, as a measurement wants it."""
    for kept in (kept_bytes, _spelt_fen, _spelt_one):
        kept.cache_clear()


def finding_json(finding: Finding) -> dict[str, Json]:
    """The finding as one entry of a trace."""
    ruling, printed = finding[0], print_finding(finding)
    return {
        "rule": ruling.rule,
        "verdict": ruling.verdict,
        "cite": ruling.cite,
        "inputs": printed.inputs,
        "output": printed.output,
        "message": {"zh": printed.message.zh, "en": printed.message.en},
    }


Shown = tuple[Json, str, str]
"""A value as JSON, in Chinese and in English."""


def _spell(wording: Wording, values: tuple[object, ...]) -> tuple[dict[str, Json], Text]:
    data: dict[str, Json] = {}
    zh: dict[str, str] = {}
    en: dict[str, str] = {}
    for name, in_fen, value in zip(wording.names, wording.in_fen, values, strict=True):
        if in_fen and isinstance(value, int):
            data[name], zh[name], en[name] = _money(Money(value))
        elif name in _POINTERS:
            data[name], zh[name], en[name] = _pointed(value)
        else:
            data[name], zh[name], en[name] = show(value)
    return data, Text(wording.zh.format_map(zh), wording.en.format_map(en))


def show(value: object) -> Shown:
    """The value as JSON and as people read it."""
    return _FORMS[type(value)](value)


@lru_cache(maxsize=RATES_KEPT)
def show_rate(rate: Fraction) -> Shown:
    """As JSON the exact rate; for people in percent where that ends."""
    exact, percent = print_rate(rate), print_rate(rate * 100)
    text = exact if "/" in percent else f"{percent}%"
    return exact, text, text


@lru_cache(maxsize=DAYS_KEPT)
def _day(day: date) -> Shown:
    text = day.isoformat()
    return text, text, text


def _money(value: Money) -> Shown:
    text = in_thousands(value)
    return str(value), text, text


def _pointed(value: object) -> Shown:
    if isinstance(value, str):
        words = place_words(value)
        return value, words.zh, words.en
    pointers = value if isinstance(value, tuple) else ()
    return _list(tuple(labelled(pointer, place_words(pointer)) for pointer in pointers))


def _fault(fault: Fault) -> Shown:
    data, message = _spell(fault.wording, fault.values)
    return {"fault": fault.code, **data}, message.zh, message.en


def _list(values: tuple[object, ...]) -> Shown:
    shown = [show(each) for each in values]
    faults = bool(values) and isinstance(values[0], Fault)
    zh = ("；" if faults else "、").join(each[1] for each in shown)
    en = ("; " if faults else ", ").join(each[2] for each in shown)
    return [each[0] for each in shown], zh or "无", en or "none"


def _printed(form: Callable[[Any], str]) -> Callable[[Any], Shown]:
    return lambda value: (plain(value), form(value), form(value))


_FORMS: Final[dict[type, Callable[[Any], Shown]]] = {
    str: lambda value: (value, value, value),
    int: _printed(str),
    bool: lambda value: (value, "是" if value else "否", "yes" if value else "no"),
    type(None): lambda _: (None, "无", "none"),
    Money: _money,
    Fraction: show_rate,
    date: _day,
    datetime: _printed(print_instant),
    Label: lambda label: label,
    Fault: _fault,
    tuple: _list,
}
