"""One spending in every disguise that somebody has thought of: each meets the claim that has it, none is a new one."""

from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.intake.bodies import Body, claim, invoice
from tests.intake.counter import Counter, codes

CODE: Final = "032002400111"
Disguise = Callable[[Body], None]


def _number(change: Callable[[str], str]) -> Disguise:
    def disguise(body: Body) -> None:
        body["invoices"][0]["number"] = change(body["invoices"][0]["number"])

    return disguise


def _grouped(separator: str) -> Disguise:
    return _number(lambda number: separator.join(number[start : start + 4] for start in range(0, len(number), 4)))


def _digits(nought: str) -> Disguise:
    return _number(lambda number: "".join(chr(ord(nought) + int(digit)) for digit in number))


def _as_qr_code(body: Body) -> None:
    of = body["invoices"][0]
    day = of["issued_on"].replace("-", "")
    of["number"] = f"01,32,,{of['number']},{of['amount']},{day},,3B2F"


def _taken_apart(body: Body) -> None:
    number = body["invoices"][0]["number"]
    body["invoices"][0] |= {"code": number[:12], "number": number[12:]}


INVOICES: Final[dict[str, Disguise]] = {
    "as it is": _number(str),
    "full width": _digits("０"),
    "Arabic-Indic digits": _digits("٠"),
    "Devanagari digits": _digits("०"),
    "mathematical digits": _digits("𝟎"),
    "spaces": _grouped(" "),
    "no-break spaces": _grouped("\u00a0"),
    "ideographic spaces": _grouped("\u3000"),
    "thin spaces": _grouped("\u2009"),
    "zero-width spaces": _grouped("\u200b"),
    "word joiners": _grouped("\u2060"),
    "hyphens": _grouped("-"),
    "en dashes": _grouped("–"),
    "full-width hyphens": _grouped("－"),
    "slashes": _grouped("/"),
    "commas": _grouped(","),
    "No.": _number(lambda number: f"No.{number}"),
    "№": _number(lambda number: f"№ {number}"),
    "full-width No": _number(lambda number: f"Ｎｏ．{number}"),
    "发票号码": _number(lambda number: f"发票号码：{number}"),
    "發票號碼": _number(lambda number: f"發票號碼：{number}"),
    "brackets": _number(lambda number: f"【{number}】"),
    "apostrophe": _number(lambda number: f"'{number}"),
    "code and number apart": _taken_apart,
    "QR code": _as_qr_code,
}


def _contract(change: Callable[[str], str]) -> Disguise:
    def disguise(body: Body) -> None:
        body["contract"]["number"] = change(body["contract"]["number"])

    return disguise


PROJECTS: Final[dict[str, Disguise]] = {
    "as it is": _contract(str),
    "lower case": _contract(str.lower),
    "full width": _contract(lambda n: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in n)),
    "spaces": _contract(" ".join),
    "other brackets": _contract(lambda n: n.replace("（", "〔").replace("）", "〕")),
    "square brackets": _contract(lambda n: n.replace("（", "[").replace("）", "]")),
    "no brackets": _contract(lambda n: n.replace("（", "").replace("）", "")),
    "slashes": _contract(lambda n: n.replace("-", "/")),
    "Cyrillic letters": _contract(lambda n: n.replace("K", "К").replace("B", "В")),
    "Greek letters": _contract(lambda n: n.replace("K", "Κ").replace("B", "Β")),
    "traditional characters": _contract(
        lambda n: n.replace("号", "號").replace("检测", "檢測").replace("协议", "協議")
    ),
    "zero-width joiners": _contract("\u200d".join),
}


def _answers(counter: Counter, disguises: dict[str, Disguise], second: Callable[[Disguise], Body]) -> dict[str, Any]:
    bodies = [second(disguise) for disguise in disguises.values()]
    outcomes = counter.submit_all(bodies, "jssic")
    return dict(zip(disguises, (one.view and (one.view.row.state, codes(one.view)) for one in outcomes), strict=True))


def test_a_stranger_with_an_invoice_in_any_disguise_is_held(counter: Counter) -> None:
    first = claim()
    counter.submit(first)

    def second(disguise: Disguise) -> Body:
        body = claim()
        body["invoices"] = [dict(first["invoices"][0])]
        disguise(body)
        return body

    assert len(INVOICES) > 20
    held = ("on_hold", {"duplicate.foreign_invoice"})
    assert _answers(counter, INVOICES, second) == dict.fromkeys(INVOICES, held)


def test_a_project_in_any_disguise_is_refused_in_another_programme(counter: Counter) -> None:
    first = claim()
    first["contract"]["number"] = f"KB（2024）检测协议-{first['external_id'][-6:]}号"
    counter.submit(first, "delta")

    def second(disguise: Disguise) -> Body:
        body = claim()
        body |= {name: first[name] for name in ("enterprise", "provider", "payee")}
        body["contract"] = dict(first["contract"])
        disguise(body)
        return body

    refused = ("rejected", {"duplicate.project"})
    assert _answers(counter, PROJECTS, second) == dict.fromkeys(PROJECTS, refused)


@pytest.mark.parametrize(("day", "amount"), [("20240101", "10000.00"), ("20240809", "9999.99")])
def test_a_qr_code_of_another_day_or_amount_is_sent_back(counter: Counter, day: str, amount: str) -> None:
    body = claim()
    number = body["invoices"][0]["number"]
    body["invoices"] = [invoice("10000.00", number=f"01,32,,{number},{amount},{day},,3B2F")]
    second = counter.submit(body)
    assert (second.row.state, codes(second)) == ("needs_correction", {"invoice.qr_differs"})
