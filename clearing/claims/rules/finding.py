"""Findings: what one rule says, kept as a ruling and raw values; text and JSON are made only when asked for.

A value's name says its unit: ``base_fen`` is whole fen and is shown as yuan under the name ``base``; ``place`` and
``places`` are JSON pointers, which the data keep and people read as what they point at.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from functools import lru_cache
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
RULINGS_KEPT: Final = 8_192
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


@lru_cache(maxsize=PRINTED_KEPT)
def finding_bytes(finding: Finding) -> bytes:
    """The finding as canonical JSON (RFC 8785), in both languages: the bytes of :func:`finding_json`."""
    ruling, values = finding
    form = _form(ruling)
    spelt: list[str] = []
    wording = ruling.wording
    for name, in_fen, value in zip(wording.names, wording.in_fen, values, strict=True):
        if in_fen and type(value) is int and value >= 0:
            yuan, fen = divmod(value, FEN_PER_YUAN)
            said = f"{yuan:,}.{fen:02d}"
            spelt += f'"{yuan}.{fen:02d}"', said, said
        elif in_fen and isinstance(value, int):
            spelt += _spelt(Money(value))
        elif name in _POINTERS:
            spelt += _written_out(_pointed(value))
        elif isinstance(value, tuple):
            spelt += _written_out(show(value))
        else:
            spelt += _spelt(value)
    return (form.text % tuple([spelt[place] for place in form.places])).encode()


class Form(NamedTuple):
    """A ruling's canonical JSON with ``%s`` for each value, and which value's which spelling stands there."""

    text: str
    places: tuple[int, ...]
    """Three times the value's number; one more for its Chinese, two more for its English spelling."""


@lru_cache(maxsize=RULINGS_KEPT)
def _form(ruling: Ruling) -> Form:
    """Write the ruling out, so that each of its findings has only its values to put in."""
    wording, places = ruling.wording, list[int]()

    def members(names: tuple[str, ...], first: int) -> str:
        numbered = sorted((name, number) for number, name in enumerate(names, first))
        places.extend(3 * number for _, number in numbered)
        return ",".join(f"{_literal(name, quoted=True)}:%s" for name, _ in numbered)

    def message(text: str, spelling: int) -> str:
        parts = ""
        for literal, name, _, _ in Formatter().parse(text):
            parts += _literal(literal)
            if name is not None:
                places.append(3 * wording.names.index(name) + spelling)
                parts += "%s"
        return parts

    cite, rule, verdict = (_literal(text, quoted=True) for text in (ruling.cite, ruling.rule, ruling.verdict))
    read = len(wording.reads)
    text = (
        f'{{"cite":{cite},"inputs":{{{members(wording.names[:read], 0)}}},'
        f'"message":{{"en":"{message(wording.en, 2)}","zh":"{message(wording.zh, 1)}"}},'
        f'"output":{{{members(wording.names[read:], read)}}},"rule":{rule},"verdict":{verdict}}}'
    )
    return Form(text, tuple(places))


def _literal(text: str, *, quoted: bool = False) -> str:
    written = orjson.dumps(text).decode()
    return (written if quoted else written[1:-1]).replace("%", "%%")


def _written_out(shown: "Shown") -> tuple[str, str, str]:
    """The value as JSON, and in Chinese and English as within a text of JSON."""
    data, zh, en = shown
    return (
        orjson.dumps(data, option=orjson.OPT_SORT_KEYS).decode(),
        orjson.dumps(zh).decode()[1:-1],
        orjson.dumps(en).decode()[1:-1],
    )


@lru_cache(maxsize=PRINTED_KEPT, typed=True)
def _spelt(value: object) -> tuple[str, str, str]:
    return _written_out(show(value))


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
