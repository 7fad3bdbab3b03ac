"""Rules 15 and 16: what was paid covers what was invoiced, and what was invoiced stays within the contract."""

from typing import Final

from clearing.claims.rules.finding import CORRECT, INFO, PASS, Finding, Ruling, Wording
from clearing.claims.rules.sheet import Rule, Sheet
from tenants.policy import Policy

CROSS_REDEMPTION: Final = "cross_redemption"

EQUAL: Final = Wording(
    "银行回单合计 {receipts} 元，与发票合计 {invoices} 元相等。",
    "Receipts of {receipts} yuan equal invoices of {invoices} yuan.",
    ("receipts_fen", "invoices_fen"),
)
UNEQUAL: Final = Wording(
    "银行回单合计 {receipts} 元，与发票合计 {invoices} 元不等，相差 {difference} 元，请补正。",
    "Receipts of {receipts} yuan do not equal invoices of {invoices} yuan; they differ by {difference} yuan.",
    ("receipts_fen", "invoices_fen"),
    ("difference_fen",),
)
COVERED: Final = Wording(
    "银行回单合计 {receipts} 元加券面 {face} 元，足以支付发票合计 {invoices} 元。",
    "Receipts of {receipts} yuan and the voucher's {face} yuan cover invoices of {invoices} yuan.",
    ("receipts_fen", "face_fen", "invoices_fen"),
)
UNCOVERED: Final = Wording(
    "银行回单合计 {receipts} 元加券面 {face} 元，不足以支付发票合计 {invoices} 元，差 {difference} 元，请补正。",
    "Receipts of {receipts} yuan and the voucher's {face} yuan do not cover invoices of {invoices} yuan; "
    "{difference} yuan are missing.",
    ("receipts_fen", "face_fen", "invoices_fen"),
    ("difference_fen",),
)
NO_FACE: Final = Wording(
    "没有可用的额度确认，券面金额未知，未核对回单合计。",
    "Without a usable reservation the voucher's face value is unknown; receipts were not compared.",
)

WITHIN_CONTRACT: Final = Wording(
    "本次发票 {invoices} 元加同一合同已申请的 {earlier} 元，未超过合同金额 {contract} 元。",
    "Invoices of {invoices} yuan and {earlier} yuan claimed before stay within the contract's {contract} yuan.",
    ("invoices_fen", "earlier_fen", "contract_fen"),
)
ABOVE_CONTRACT: Final = Wording(
    "本次发票 {invoices} 元加同一合同已申请的 {earlier} 元，超过合同金额 {contract} 元，超出 {excess} 元，请补正。",
    "Invoices of {invoices} yuan and {earlier} yuan claimed before are {excess} yuan above the contract's "
    "{contract} yuan.",
    ("invoices_fen", "earlier_fen", "contract_fen"),
    ("excess_fen",),
)


def receipts(policy: Policy) -> Rule:
    """Rule 15: equal to the fen in common use; in cross-redemption receipts and face value cover the invoices."""
    cite = next((need.cite for need in policy.evidence if need.kind == "receipt_image"), policy.source)
    equal, covered = (Ruling("totals.receipts", PASS, cite, wording) for wording in (EQUAL, COVERED))
    unequal, uncovered = (Ruling("totals.receipts", CORRECT, cite, wording) for wording in (UNEQUAL, UNCOVERED))
    no_face: tuple[Finding, ...] = ((Ruling("totals.receipts", INFO, cite, NO_FACE), ()),)

    def rule(sheet: Sheet) -> tuple[Finding, ...]:
        claim = sheet.claim
        paid_fen = invoiced_fen = 0
        for receipt in claim.receipts:
            paid_fen += receipt.claimed.fen
        for invoice in claim.invoices:
            invoiced_fen += invoice.claimed.fen
        if claim.mode != CROSS_REDEMPTION:
            if paid_fen == invoiced_fen:
                return ((equal, (paid_fen, invoiced_fen)),)
            return ((unequal, (paid_fen, invoiced_fen, abs(paid_fen - invoiced_fen))),)
        reservation = sheet.facts.reservation
        if reservation is None or not sheet.reservation_usable:
            return no_face
        face_fen = reservation.amount.fen
        if paid_fen + face_fen >= invoiced_fen:
            return ((covered, (paid_fen, face_fen, invoiced_fen)),)
        return ((uncovered, (paid_fen, face_fen, invoiced_fen, invoiced_fen - paid_fen - face_fen)),)

    return rule


def contract(policy: Policy) -> Rule:
    """Rule 16: with all live claims of the contract, invoices stay within the smallest amount stated for it."""
    cite = next((need.cite for need in policy.evidence if need.kind == "contract"), policy.source)
    within = Ruling("totals.contract", PASS, cite, WITHIN_CONTRACT)
    above = Ruling("totals.contract", CORRECT, cite, ABOVE_CONTRACT)

    def rule(sheet: Sheet) -> tuple[Finding, ...]:
        invoiced_fen = earlier_fen = 0
        for invoice in sheet.claim.invoices:
            invoiced_fen += invoice.claimed.fen
        amount_fen = sheet.claim.contract.amount.fen
        for key in sheet.facts.keys:
            if key.kind == "contract":
                earlier_fen += key.taken.fen
                amount_fen = min(amount_fen, key.counted.fen or amount_fen)
        excess_fen = invoiced_fen + earlier_fen - amount_fen
        if excess_fen <= 0:
            return ((within, (invoiced_fen, earlier_fen, amount_fen)),)
        return ((above, (invoiced_fen, earlier_fen, amount_fen, excess_fen)),)

    return rule
