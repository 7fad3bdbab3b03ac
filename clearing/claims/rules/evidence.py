"""Rules 13 and 14: the evidence is complete, each invoice can be told apart, and the dates are possible."""

import sys
from typing import Final

from clearing.claims.fingerprint import invoice_identities
from clearing.claims.invoice_qr import read_invoice_qr
from clearing.claims.rules.finding import CORRECT, PASS, Fault, Finding, Label, Ruling, Wording
from clearing.claims.rules.parties import document_label
from clearing.claims.rules.provider import stands_on_platform
from clearing.claims.rules.sheet import Rule, Sheet
from connectors.submission import Document, Invoice
from tenants.catalogue import EvidenceNeed
from tenants.policy import Policy

SHA256_DIGITS: Final = 64
DIGITAL_NUMBER_DIGITS: Final = 20
"""A fully digital invoice's number, which is an identity as it stands."""

COMPLETE: Final = Wording("佐证材料齐全。", "The evidence is complete.")
INCOMPLETE: Final = Wording("佐证材料须补正：{faults}。", "The evidence needs correction: {faults}.", (), ("faults",))
MISSING: Final = Wording(
    "缺少{kind}（须 {at_least} 份，有 {count} 份）",
    "{kind} is missing ({at_least} needed, {count} there)",
    ("kind", "at_least", "count"),
)
SURPLUS: Final = Wording(
    "{kind}过多（至多 {at_most} 份，有 {count} 份）",
    "too many of {kind} ({at_most} at most, {count} there)",
    ("kind", "at_most", "count"),
)
UNREADABLE: Final = Wording(
    "{kind}无法读取（{place}：内容为空或缺少 SHA-256）",
    "{kind} cannot be read ({place}: empty, or without its SHA-256)",
    ("kind", "place"),
)
WRONG_TYPE: Final = Wording(
    "{kind}格式不符（{place}：{media_type}，须为 {allowed}）",
    "{kind} has the wrong type ({place}: {media_type}; allowed: {allowed})",
    ("kind", "place", "media_type", "allowed"),
)
TOO_LARGE: Final = Wording(
    "{kind}过大（{place}：{size_bytes} 字节，至多 {max_bytes} 字节）",
    "{kind} is too large ({place}: {size_bytes} bytes, at most {max_bytes})",
    ("kind", "place", "size_bytes", "max_bytes"),
)
NO_INVOICE: Final = Wording("没有发票信息", "no invoice is stated")
NO_RECEIPT: Final = Wording("没有银行回单信息", "no bank receipt is stated")

CODE_MISSING: Final = Wording(
    "发票无法识别（{places}）：须为 20 位数电票号码，或 8 位号码并填报 10、12 位发票代码或销售方统一社会信用代码。",
    "The invoice cannot be told apart ({places}): it needs a number of 20 digits, or one of 8 digits with its code of "
    "10 or 12 digits or the seller's USCC.",
    ("place", "places"),
)

QR_DIFFERS: Final = Wording(
    "发票二维码所载开票日期或金额与所填的不一致，请核对后补正（{places}）。",
    "The invoice's QR code says another day or amount than the claim does; please check and correct ({places}).",
    ("place", "places"),
)

DATES_FIT: Final = Wording(
    "各日期先后合理（合同签订 {signed_on}，政策日 {policy_on}）。",
    "The dates are in order (contract signed {signed_on}, policy date {policy_on}).",
    ("signed_on", "policy_on"),
)
DATES_WRONG: Final = Wording(
    "日期须补正（合同签订 {signed_on}，政策日 {policy_on}）：{faults}。",
    "Dates need correction (contract signed {signed_on}, policy date {policy_on}): {faults}.",
    ("signed_on", "policy_on"),
    ("faults",),
)
COMPLETED_BEFORE: Final = Wording(
    "服务完成日 {day} 早于合同签订（{place}）", "completed on {day}, before the contract ({place})", ("day", "place")
)
COMPLETED_AFTER: Final = Wording(
    "服务完成日 {day} 晚于政策日（{place}）", "completed on {day}, in the future ({place})", ("day", "place")
)
INVOICED_AFTER: Final = Wording(
    "开票日 {day} 晚于政策日（{place}）", "invoiced on {day}, in the future ({place})", ("day", "place")
)
PAID_BEFORE: Final = Wording(
    "付款日 {day} 早于合同签订（{place}）", "paid on {day}, before the contract was signed ({place})", ("day", "place")
)
PAID_AFTER: Final = Wording(
    "付款日 {day} 晚于政策日（{place}）", "paid on {day}, in the future ({place})", ("day", "place")
)


def complete(policy: Policy) -> Rule:
    """Rule 13: each kind as often as the scheme asks, readable, of an allowed type and size.

    Kinds that the scheme does not ask for change nothing.
    """
    needs = {need.kind: need for need in policy.evidence}
    forms = {need.kind: (need.media_types, need.max_bytes or sys.maxsize) for need in policy.evidence}
    always = tuple((need.kind, need.at_least, need.at_most or sys.maxsize) for need in _asked(policy, offline=False))
    offline = tuple((need.kind, need.at_least, need.at_most or sys.maxsize) for need in _asked(policy, offline=True))
    cites = "；".join(dict.fromkeys(need.cite for need in policy.evidence))
    passed: tuple[Finding, ...] = ((Ruling("evidence.complete", PASS, cites, COMPLETE), ()),)
    none_there = dict.fromkeys(needs, 0)

    def rule(sheet: Sheet) -> tuple[Finding, ...]:
        claim = sheet.claim
        counts = none_there.copy()
        faults: tuple[Fault, ...] = ()
        for document in claim.documents:
            kind = document.kind
            if kind not in forms:
                continue
            counts[kind] += 1
            media_types, max_bytes = forms[kind]
            in_form = not media_types or document.media_type in media_types
            if not in_form or not 0 < document.size_bytes <= max_bytes or len(document.sha256) != SHA256_DIGITS:
                faults = (*faults, _form_fault(needs[kind], document, claim.documents.index(document)))
        asked = always if not offline or stands_on_platform(sheet) else offline
        missing: tuple[Fault, ...] = ()
        for kind, at_least, at_most in asked:
            if not at_least <= counts[kind] <= at_most:
                missing = (*missing, _count_fault(needs[kind], counts[kind]))
        if not claim.invoices or not claim.receipts:
            missing += () if claim.invoices else (Fault("no_invoice", NO_INVOICE),)
            missing += () if claim.receipts else (Fault("no_receipt", NO_RECEIPT),)
        if not missing and not faults:
            return passed
        named = "；".join(dict.fromkeys(_cites_of(needs, missing + faults))) or cites
        return ((Ruling("evidence.complete", CORRECT, named, INCOMPLETE), (missing + faults,)),)

    return rule


def _asked(policy: Policy, *, offline: bool) -> tuple[EvidenceNeed, ...]:
    """What an order on the platform needs, or all that one off the platform (线下订单) needs."""
    return tuple(need for need in policy.evidence if offline or not need.offline_only)


def _cites_of(needs: dict[str, EvidenceNeed], faults: tuple[Fault, ...]) -> tuple[str, ...]:
    kinds = [fault.values[0].code for fault in faults if fault.values and isinstance(fault.values[0], Label)]
    return tuple(needs[kind].cite for kind in kinds)


def _count_fault(need: EvidenceNeed, count: int) -> Fault:
    label = document_label(need.kind)
    if count < need.at_least:
        return Fault("missing", MISSING, (label, need.at_least, count))
    return Fault("surplus", SURPLUS, (label, need.at_most, count))


def _form_fault(need: EvidenceNeed, document: Document, index: int) -> Fault:
    label, place = document_label(need.kind), f"/documents/{index}"
    if len(document.sha256) != SHA256_DIGITS or document.size_bytes <= 0:
        return Fault("unreadable", UNREADABLE, (label, place))
    if need.media_types and document.media_type not in need.media_types:
        return Fault("wrong_type", WRONG_TYPE, (label, place, document.media_type, need.media_types))
    return Fault("too_large", TOO_LARGE, (label, place, document.size_bytes, need.max_bytes))


def invoice_code(policy: Policy) -> Rule:
    """Rule 13 as well: an invoice without an identity, such as 8 digits alone, could be claimed twice unseen.

    Where a platform sends the text of the QR code, day and amount that are not the code's are another invoice's.
    """
    cite = policy.duplicates.exclusion_group.cite
    unknown = Ruling("invoice.code_missing", CORRECT, cite, CODE_MISSING)
    another = Ruling("invoice.qr_differs", CORRECT, cite, QR_DIFFERS)

    def rule(sheet: Sheet) -> tuple[Finding, ...]:
        places: tuple[str, ...] = ()
        differing: tuple[str, ...] = ()
        for index, invoice in enumerate(sheet.claim.invoices):
            if not _has_identity(invoice):
                places = (*places, f"/invoices/{index}")
            elif _contradicts_its_code(invoice):
                differing = (*differing, f"/invoices/{index}")
        return tuple((ruling, (at[0], at)) for ruling, at in ((unknown, places), (another, differing)) if at)

    return rule


def _has_identity(invoice: Invoice) -> bool:
    number = invoice.number
    if len(number) == DIGITAL_NUMBER_DIGITS and number.isdecimal() and number.isascii():
        return True
    return bool(invoice_identities(invoice))


def _contradicts_its_code(invoice: Invoice) -> bool:
    scanned = read_invoice_qr(invoice.number)
    return scanned is not None and scanned.differs(invoice.issued_on, invoice.amount)


def dates(policy: Policy) -> Rule:
    """Rule 14: nothing is completed or paid before the contract was signed, and nothing lies in the future."""
    cites = "；".join(dict.fromkeys(need.cite for need in policy.evidence if not need.offline_only))
    fit = Ruling("evidence.dates", PASS, cites, DATES_FIT)
    wrong = Ruling("evidence.dates", CORRECT, cites, DATES_WRONG)

    def rule(sheet: Sheet) -> tuple[Finding, ...]:
        claim, today = sheet.claim, sheet.policy_on
        signed_on = claim.contract.signed_on
        faults: tuple[Fault, ...] = ()
        for index, line in enumerate(claim.services):
            day = line.completed_on
            if not signed_on <= day <= today:
                place = f"/services/{index}/completed_on"
                before = day < signed_on
                faults = (*faults, Fault("completion", COMPLETED_BEFORE if before else COMPLETED_AFTER, (day, place)))
        for index, invoice in enumerate(claim.invoices):
            if invoice.issued_on > today:
                values = (invoice.issued_on, f"/invoices/{index}/issued_on")
                faults = (*faults, Fault("invoice", INVOICED_AFTER, values))
        for index, receipt in enumerate(claim.receipts):
            day = receipt.paid_on
            if not signed_on <= day <= today:
                place = f"/receipts/{index}/paid_on"
                faults = (*faults, Fault("receipt", PAID_BEFORE if day < signed_on else PAID_AFTER, (day, place)))
        return ((wrong, (signed_on, today, faults)),) if faults else ((fit, (signed_on, today)),)

    return rule
