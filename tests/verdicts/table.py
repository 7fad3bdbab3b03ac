"""The table of verdicts, one line a cell: how a second claim shares a key with an earlier one, and what becomes of it.

The earlier claim is one of Jiangsu's provincial scheme, submitted through its platform jssic, over an invoice of
10,000 yuan under a contract that bears it once (or, in a cell that uses a part, twice).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.intake.bodies import JIANGSU, WUJIANG, Body, Programme, account_of, buyer, claim, part, receipt, seller

AMOUNT: Final = "10000.00"
HALF: Final = "5000.00"
PLATFORMS: Final = {"same": "jssic", "other": "delta"}
PROGRAMMES: Final[dict[str, Programme]] = {"same": JIANGSU, "other": WUJIANG}


@dataclass(frozen=True, slots=True)
class Cell:
    """One line; ``use``: the whole of the shared spending, half of it, or half of it with an explanation."""

    kind: str
    enterprise: str
    scheme: str
    platform: str
    use: str
    earlier: str
    verdict: str
    code: str

    @property
    def name(self) -> str:
        """What the line is about."""
        whose = f"{self.enterprise} enterprise, {self.scheme} scheme, {self.platform} platform"
        return f"{self.kind} ({self.use}), {whose}, {self.earlier}"

    @property
    def codes(self) -> set[str]:
        """The codes that the second claim is answered with."""
        return set() if self.code == "-" else {self.code}


def _read() -> tuple[Cell, ...]:
    lines = (Path(__file__).parent / "table.txt").read_text(encoding="utf-8").splitlines()
    return tuple(Cell(*line.split()) for line in lines if not line.startswith("#"))


CELLS: Final = _read()


def earlier_claim(cell: Cell) -> Body:
    """The claim that comes first: of an enterprise that both schemes serve."""
    body = claim(JIANGSU, AMOUNT, by=buyer(WUJIANG), to=seller(WUJIANG))
    if cell.use != "whole":
        body["contract"]["amount"] = "20000.00"
        part(body, HALF)
        body["receipts"] = [receipt(AMOUNT, claimed_amount=HALF)]
    return body


def second_claim(cell: Cell, first: Body) -> Body:
    """A claim that shares the cell's key with the first and nothing else but, where it says so, its enterprise."""
    body = claim(PROGRAMMES[cell.scheme], AMOUNT)
    if cell.enterprise == "same":
        body["enterprise"] = first["enterprise"]
        body["payee"] = first["payee"]
    elif cell.scheme == "same":  # another enterprise, of the same region as the first
        other = buyer(WUJIANG)
        body["enterprise"] |= {"uscc": other.uscc, "name": other.name, "division": other.division}
        body["payee"] = account_of(other)
    _SHARE[cell.kind](cell, first, body)
    return body


def _invoice(cell: Cell, first: Body, body: Body) -> None:
    if cell.use != "whole":
        part(body, HALF)
    if cell.use == "explained":
        body["duplicate_explanation"] = "发票含两次检测，本次申请第二次的费用。"
    body["invoices"][0]["number"] = first["invoices"][0]["number"]


def _contract(cell: Cell, first: Body, body: Body) -> None:
    body["contract"] = first["contract"]
    body["provider"] = first["provider"]


def _receipt(cell: Cell, first: Body, body: Body) -> None:
    if cell.use != "whole":
        part(body, HALF)
        body["receipts"] = [receipt(AMOUNT, claimed_amount=HALF)]
    body["receipts"][0]["serial"] = first["receipts"][0]["serial"]


def _document(cell: Cell, first: Body, body: Body) -> None:
    body["documents"][1]["sha256"] = first["documents"][1]["sha256"]


_SHARE: Final = {"invoice": _invoice, "contract": _contract, "receipt": _receipt, "document": _document}
