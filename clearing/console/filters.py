"""How pages print what they show: amounts, days, instants, rates; digits are never cut nor turned into numbers."""

import hashlib
import re
from collections.abc import Mapping
from datetime import date, datetime
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from flask import Flask

from clearing.api.frame import principal
from clearing.claims.rules.pointed import place_words
from clearing.console.chart import SCRIPT, plotly_script
from clearing.console.deed_words import CAUSES
from clearing.console.language import LANGUAGES, said, speaks_english
from clearing.console.screen import may
from clearing.console.visit import visitor
from clearing.console.words import word
from settlement.formats.amount_in_words import amount_in_words
from tenants.kernel.clock import SHANGHAI
from tenants.kernel.money import Money, in_thousands
from tenants.profile import load_tenants, platform_words

_CLIENT: Final = re.compile(r"([a-z]+(?:-[a-z]+)*)-[0-9a-f]{12}", re.ASCII)
_STATES_OF: Final = {"claim": "state", "batch": "batch_state", "reservation": "reservation", "payout": "payment"}
"""By what an event is about, the kind of words for the state that it tells."""
STATIC: Final = Path(__file__).parent / "static"


def furnish(app: Flask) -> None:
    """Give the pages their filters and names."""
    app.jinja_env.filters.update(
        yuan=yuan, day=day, month=month, instant=instant, event=event_name, percent=percent, capital=capital, fen=Money
    )
    app.jinja_env.filters.update(likelihood=likelihood, actor=actor, cause=cause, bank_reason=bank_reason)
    app.jinja_env.globals.update(
        asset=asset, languages=LANGUAGES, link=link, may=may, said=said, speaks_english=speaks_english,
        tenant_name=tenant_name, scheme_name=scheme_name, platform_name=platform_name, visitor=visitor, word=word,
        account_name=account_name, place_words=place_words, platform_choices=platform_choices,
    )  # fmt: skip


def yuan(amount: Money | str | None) -> str:
    """An amount in yuan with its thousands apart: ``408,000.00``."""
    if amount is None:
        return "—"
    return in_thousands(amount)


def capital(amount: Money | str) -> str:
    """An amount in capital Chinese numerals (人民币大写)."""
    return amount_in_words(Money.parse(amount) if isinstance(amount, str) else amount)


def day(value: date | str | None) -> str:
    """A day: ``2024年9月27日``, or ``27 Sep 2024``."""
    if value is None or value == "":
        return "—"
    on = date.fromisoformat(value) if isinstance(value, str) else value
    return f"{on.day} {on:%b} {on.year}" if speaks_english() else f"{on.year}年{on.month}月{on.day}日"


def month(value: str | None) -> str:
    """A month as stored, ``2024-09``: ``2024年9月``, or ``Sep 2024``."""
    if not value:
        return "—"
    first = date.fromisoformat(f"{value}-01")
    return f"{first:%b} {first.year}" if speaks_english() else f"{first.year}年{first.month}月"


def instant(value: datetime | str | None) -> str:
    """An instant in Asia/Shanghai, to the minute."""
    if value is None or value == "":
        return "—"
    at = (datetime.fromisoformat(value) if isinstance(value, str) else value).astimezone(SHANGHAI)
    return f"{day(at.date())} {at:%H:%M}"


def percent(rate: str | None) -> str:
    """A rate as stated, such as ``0.35``, in percent: ``35%``."""
    if rate is None:
        return "—"
    if "/" in rate or ":" in rate:
        return rate
    hundredfold = Fraction(rate) * 100
    if hundredfold.denominator == 1:
        return f"{hundredfold.numerator}%"
    return f"{hundredfold.numerator}/{hundredfold.denominator}%"


def likelihood(text: str | None) -> str:
    """A likelihood as stated with four places, such as ``0.9876``, in percent: ``98.76%``."""
    if text is None:
        return "—"
    hundredths = int(text.replace(".", ""))
    return f"{hundredths // 100}.{hundredths % 100:02d}%"


def actor(name: str | None) -> str:
    """Who acted: a person's name as it is, a client with its platform's, or a word for the service or the public."""
    client = _CLIENT.fullmatch(name or "")
    if name and client and platform_name(client[1]) != client[1]:
        return f"{platform_name(client[1])} {name}"
    return word("actor", name)


def cause(reason: str | None) -> str:
    """Why something was done: a person's words as they are, or ours in the page's language with what they end in."""
    if not reason:
        return ""
    for beginning, meaning in CAUSES.items():
        if reason.startswith(beginning):
            rest = reason.removeprefix(beginning).lstrip(": ")
            return f"{meaning} {rest}" if rest else str(meaning)
    return reason


def bank_reason(code: str | None) -> str:
    """Why a bank refused or returned, with its code: ``账户已销户（AC04）``; other words of the bank as they are."""
    meaning = word("bank_reason", code)
    if meaning == (code or ""):
        return meaning
    return f"{meaning} ({code})" if speaks_english() else f"{meaning}（{code}）"


def account_name(tenant: str, account: str) -> str:
    """A ledger account in words, such as ``预算 · 江苏省科技创新券 · 2024``; codes that it ends in stay."""
    kind, *rest = account.split("/")
    return " · ".join([word("account", kind), *(scheme_name(tenant, part) for part in rest)])


def link(path: str, given: Mapping[str, Any], **changed: Any) -> str:  # noqa: ANN401 - values of a query
    """The address with these query parameters, less those that are empty."""
    values = {name: value for name, value in {**given, **changed}.items() if value not in {None, ""}}
    return f"{path}?{urlencode(values)}" if values else path


def tenant_name(tenant: str) -> str:
    """The tenant's name."""
    return next(
        (profile.en if speaks_english() else profile.zh for profile in load_tenants() if profile.tenant == tenant),
        tenant,
    )


def scheme_name(tenant: str, scheme: str) -> str:
    """The scheme's name: the tenant's own, or of the province around it, whose awards it matches."""
    own = [profile for profile in load_tenants() if profile.tenant == tenant]
    divisions = tuple(division for profile in own for division in profile.divisions)
    around = [one for one in load_tenants() if any(each.startswith(one.divisions) for each in divisions)]
    for profile in (*own, *around):
        for each in profile.schemes:
            if each.code == scheme:
                return each.en if speaks_english() else each.zh
    return scheme


def platform_name(platform: str) -> str:
    """The platform's name."""
    return said(platform_words(platform))


def platform_choices(chosen: str | None) -> list[tuple[str, str]]:
    """The platforms of the person's regions by name, and the chosen one whichever it is."""
    mine = principal().tenants
    codes = {each.code for profile in load_tenants() if profile.tenant in mine for each in profile.platforms}
    return sorted((code, platform_name(code)) for code in codes | ({chosen} if chosen else set()))


def event_name(kind: str) -> str:
    """What an event or job is about, such as ``兑付申请 · 已通过`` for ``claim.approved``."""
    called = word("event", kind)
    subject, _dot, state = kind.partition(".")
    if called != kind or subject not in _STATES_OF:
        return called
    return f"{word('event_subject', subject)} · {word(_STATES_OF[subject], state)}"


@cache
def asset(name: str) -> str:
    """The address of one of the files, which changes with its content, so that browsers may keep it."""
    digest = hashlib.sha256(content_of(name)).hexdigest()[:16]
    return f"/console/static/{digest}/{name}"


def content_of(name: str) -> bytes:
    """What the file holds: one of ours, or plotly's script."""
    return plotly_script() if name == SCRIPT else (STATIC / name).read_bytes()
