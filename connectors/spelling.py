"""How platforms and people write values, brought to the one spelling that the canonical claim takes.

A spelling changes how a value is written and never what it says. What it cannot read it leaves as it is, so that the
claim's own fields name the fault; only a word that is not on its list is refused here.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Final

from connectors.divisions import division_named
from connectors.faults import Fault
from tenants.kernel.canonical import Json

Spelling = Callable[[Json], Json]

_AMOUNT: Final = re.compile(r"[¥￥]?\s*(?P<whole>\d{1,3}(?:,\d{3})+|\d+)(?P<decimals>\.\d+)?\s*元?\Z", re.ASCII)
_IN_WAN: Final = re.compile(r"(?P<whole>\d{1,9})(?:\.(?P<decimals>\d{1,6}))?\s*(?:万元?)?\Z", re.ASCII)
_DAY: Final = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?\Z", re.ASCII)
_LOCAL_TIME: Final = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})[ T](\d{1,2}:\d{2})(:\d{2})?\Z", re.ASCII)
_PERCENT: Final = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)\s*%?\Z", re.ASCII)
_WAN_DECIMALS: Final = 6
"""万元 with six decimals is fen."""
_FEN_DIGITS: Final = 2
_YES: Final = frozenset({"是", "有", "真", "true", "yes", "y", "√"})
_NO: Final = frozenset({"否", "无", "没有", "假", "false", "no", "n", "×"})
_MEDIA_TYPES: Final[Mapping[str, str]] = {
    "pdf": "application/pdf",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
}


def as_sent(value: Json) -> Json:
    """Names and numbers that identify spending: kept as they came, so that a disguise stays on record."""
    return value


def plain(value: Json) -> Json:
    """A text without white space around it, ideographic spaces included."""
    return value.strip() if isinstance(value, str) else value


def ascii_width(value: Json) -> Json:
    """A text in NFKC, so that full-width digits and letters are ordinary ones; for codes, never for names."""
    return unicodedata.normalize("NFKC", value).strip() if isinstance(value, str) else value


def amount(value: Json) -> Json:
    """Yuan: ``¥50,000``, ``１５０００元`` and the whole number 15000 are all ``50000`` and ``15000`` as texts."""
    if type(value) is int:
        return str(value)
    text = ascii_width(value)
    found = _AMOUNT.match(text) if isinstance(text, str) else None
    if found is None:
        return plain(value)
    whole = found["whole"].replace(",", "").lstrip("0") or "0"
    decimals = found["decimals"] or ""
    return whole + (decimals if len(decimals) <= _FEN_DIGITS + 1 else _without_zeros(decimals))


def _without_zeros(decimals: str) -> str:
    """Decimals without the zeros that say nothing; more than two that do say something stay, and are refused."""
    kept = decimals.rstrip("0")
    return "" if kept == "." else kept


def amount_in_wan(value: Json) -> Json:
    """Ten thousands of yuan (万元), exactly: ``3800`` is ``38000000.00``."""
    text = str(value) if type(value) is int else ascii_width(value)
    found = _IN_WAN.match(text) if isinstance(text, str) else None
    if found is None:
        return plain(value)
    fen = (found["whole"] + (found["decimals"] or "").ljust(_WAN_DECIMALS, "0")).lstrip("0").rjust(_FEN_DIGITS + 1, "0")
    return f"{fen[:-_FEN_DIGITS]}.{fen[-_FEN_DIGITS:]}"


def day(value: Json) -> Json:
    """A day: ``2024-8-5``, ``2024/08/05``, ``2024.8.5`` and ``2024年8月5日`` are ``2024-08-05``."""
    text = ascii_width(value)
    found = _DAY.match(text) if isinstance(text, str) else None
    return plain(value) if found is None else f"{found[1]}-{int(found[2]):02d}-{int(found[3]):02d}"


def instant(value: Json) -> Json:
    """An instant; one without an offset is local time (+08:00)."""
    text = ascii_width(value)
    found = _LOCAL_TIME.match(text) if isinstance(text, str) else None
    if found is None:
        return plain(value)
    clock = found[4].rjust(5, "0") + (found[5] or ":00")
    return f"{found[1]}-{int(found[2]):02d}-{int(found[3]):02d}T{clock}+08:00"


def yes_or_no(value: Json) -> Json:
    """是 or 否.

    Raises:
        Fault: another word.
    """
    text = ascii_width(value)
    if not isinstance(text, str):
        return value
    if text.lower() in _YES | _NO:
        return text.lower() in _YES
    raise Fault("label.unknown", "是、否")


def percent(value: Json) -> Json:
    """A percentage: ``33.4%`` is ``33.4``."""
    text = str(value) if type(value) is int else ascii_width(value)
    found = _PERCENT.match(text) if isinstance(text, str) else None
    return plain(value) if found is None else found[1]


def division(value: Json) -> Json:
    """A division: its six digits, or the names of province, city and county."""
    text = ascii_width(value)
    if not isinstance(text, str) or text.isdigit():
        return text
    return division_named(re.split(r"[\s/,，、-]+", text)) or text


def file(value: Json) -> Json:
    """A file, as its name, size and digest: the media type is what the name ends in."""
    if not isinstance(value, dict):
        return value
    name = value.get("文件名")
    ending = name.rpartition(".")[2].lower() if isinstance(name, str) else ""
    found: dict[str, Json] = {"media_type": _MEDIA_TYPES.get(ending, name)}
    known = {"字节数": "bytes", "SHA-256": "sha256"}
    for label, inner in value.items():
        if label != "文件名":
            found[known.get(label, label)] = plain(inner)
    return found


SPELLINGS: Final[Mapping[str, Spelling]] = {
    "text": as_sent,
    "code": ascii_width,
    "amount": amount,
    "amount_in_wan": amount_in_wan,
    "day": day,
    "instant": instant,
    "yes_or_no": yes_or_no,
    "percent": percent,
    "division": division,
    "file": file,
}
"""Each spelling by the name that the form documents use; ``label`` and ``labels`` need a list of words besides."""
