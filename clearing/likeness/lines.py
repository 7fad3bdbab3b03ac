"""Lines: what the engine compares of a claim, one line an invoice, each text as a canonical form of itself."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from clearing.claims.fingerprint import canonical_contract_number, canonical_invoice, canonical_serial
from clearing.likeness.engine import Line
from clearing.likeness.model import FIELDS, OTHER
from tenants.kernel.money import Money

_OCR: Final = str.maketrans("OQDILZSBG", "000112586")
"""Letters that a scan takes for digits; only for likeness, never for an identity."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a line is made of, as the claim states it."""

    claim_id: str
    position: int
    enterprise: str
    provider: str
    provider_name: str
    invoice: str
    issued_on: date
    amount_fen: int
    contract: str
    title: str
    receipt: str

    @property
    def unique_id(self) -> str:
        """The line's name: its claim and the position of its invoice."""
        return f"{self.claim_id}/{self.position}"

    def line(self) -> Line:
        """The row for the engine."""
        contract = _read_alike(canonical_contract_number(self.contract))
        receipt = _read_alike(canonical_serial(self.receipt))
        amount = str(self.amount_fen)
        issued_on = f"{self.issued_on:%Y%m%d}"
        return (
            self.unique_id, self.claim_id, self.enterprise, self.provider,
            canonical_contract_number(self.provider_name), self.invoice, _sorted(self.invoice),
            issued_on, _sorted(issued_on), self.issued_on.toordinal(), amount, _sorted(amount), self.amount_fen,
            contract or None, _sorted(contract), canonical_contract_number(self.title) or None,
            receipt or None, _sorted(receipt),
        )  # fmt: skip


def facts_of(claim_id: str, submission: Mapping[str, Any]) -> Iterator[Facts]:
    """The facts of each invoice of a stored submission; one that has no identity cannot be compared."""
    receipts = submission["receipts"]
    for position, invoice in enumerate(submission["invoices"]):
        number = canonical_invoice(invoice["number"], invoice["code"])
        if number:
            yield Facts(
                claim_id=claim_id,
                position=position,
                enterprise=submission["enterprise"]["uscc"],
                provider=submission["provider"]["uscc"],
                provider_name=submission["provider"]["name"],
                invoice=number,
                issued_on=date.fromisoformat(invoice["issued_on"]),
                amount_fen=Money.parse(invoice["amount"]).fen,
                contract=submission["contract"]["number"],
                title=submission["contract"]["title"],
                receipt=receipts[position]["serial"] if position < len(receipts) else "",
            )


def explained(levels: tuple[int, ...]) -> str:
    """What each field says of a pair, as canonical JSON: a level's number counts down to 0, ``OTHER``."""
    said = []
    for field, level in zip(FIELDS, levels, strict=True):
        if level >= 0:
            text = OTHER if level == 0 else field.levels[len(field.levels) - level].said
            said.append({"field": field.name, "level": level, "en": text.en, "zh": text.zh})
    return json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _read_alike(text: str) -> str:
    return text.translate(_OCR)


def _sorted(text: str) -> str:
    return "".join(sorted(text))
