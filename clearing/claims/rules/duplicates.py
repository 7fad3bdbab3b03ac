"""Rule 18: the same spending is never supported twice (the table of ``dedup.md``).

Of the other side a finding tells the platform, the month and a reference, and nothing else.
"""

from collections.abc import Callable, Iterable
from typing import Final

from clearing.claims.facts import EarlierUse, KeyState
from clearing.claims.rules.finding import CORRECT, HOLD, PASS, REJECT, Fault, Finding, Ruling, Wording, labelled
from clearing.claims.rules.sheet import Rule, Sheet
from tenants.policy import Policy
from tenants.profile import platform_words

GUARDED: Final = frozenset({"invoice", "receipt"})
"""Kinds whose fen are counted against a face total."""

_READS: Final = ("place", "places")
_SAYS: Final = ("other_side",)
_WHERE_ZH: Final = "（{places}；另见 {other_side}）。"
_WHERE_EN: Final = " ({places}; see {other_side})."

NO_DUPLICATE: Final = Wording(
    "未发现重复：已核对 {count} 个标识。", "No duplicate among {count} identities.", (), ("count",)
)
WORDINGS: Final = {
    "duplicate.cross_scheme": Wording(
        f"同一企业的发票或银行回单已在其他券种或平台获得支持，不得重复支持{_WHERE_ZH}",
        f"The same enterprise's invoice or receipt is already supported by another scheme or platform{_WHERE_EN}",
        _READS,
        _SAYS,
    ),
    "duplicate.project": Wording(
        f"同一合同项目已在其他券种或平台获得支持，不得重复支持{_WHERE_ZH}",
        f"The same contract is already supported by another scheme or platform{_WHERE_EN}",
        _READS,
        _SAYS,
    ),
    "duplicate.invoice_exhausted": Wording(
        "发票可用金额已用尽：票面 {counted} 元，已用 {taken} 元，本次 {claimed} 元，超出 {excess} 元（{places}）。",
        "The invoice is used up: face {counted} yuan, {taken} yuan used, {claimed} yuan now, {excess} yuan too much "
        "({places}).",
        (*_READS, "counted_fen", "taken_fen", "claimed_fen"),
        ("excess_fen", "other_side"),
    ),
    "duplicate.red_letter": Wording(
        "发票已红冲：票面 {counted} 元，红冲及已用 {taken} 元，本次 {claimed} 元，超出 {excess} 元（{places}）。",
        "A red-letter invoice cancels the invoice: face {counted} yuan, {taken} yuan cancelled or used, {claimed} yuan "
        "now, {excess} yuan too much ({places}).",
        (*_READS, "counted_fen", "taken_fen", "claimed_fen"),
        ("excess_fen", "other_side"),
    ),
    "duplicate.receipt_exhausted": Wording(
        "银行回单可用金额不足：回单 {counted} 元，已用 {taken} 元，本次 {claimed} 元，超出 {excess} 元，"
        "请补正（{places}）。",
        "The receipt is used up: {counted} yuan, {taken} yuan used, {claimed} yuan now, {excess} yuan too much; please "
        "correct ({places}).",
        (*_READS, "counted_fen", "taken_fen", "claimed_fen"),
        ("excess_fen", "other_side"),
    ),
    "duplicate.explanation_missing": Wording(
        f"同一发票再次使用，须上传重复说明{_WHERE_ZH}",
        f"The invoice is used again; an explanation must be uploaded{_WHERE_EN}",
        _READS,
        _SAYS,
    ),
    "duplicate.invoice_reuse": Wording(
        f"同一发票再次使用，已附重复说明，待人工核对{_WHERE_ZH}",
        f"The invoice is used again with an explanation; a reviewer decides{_WHERE_EN}",
        _READS,
        _SAYS,
    ),
    "duplicate.foreign_invoice": Wording(
        f"该发票已被另一企业使用，待人工核对{_WHERE_ZH}",
        f"Another enterprise uses this invoice; a reviewer decides{_WHERE_EN}",
        _READS,
        _SAYS,
    ),
    "duplicate.foreign_receipt": Wording(
        f"该银行回单已被另一企业使用，待人工核对{_WHERE_ZH}",
        f"Another enterprise uses this receipt; a reviewer decides{_WHERE_EN}",
        _READS,
        _SAYS,
    ),
    "duplicate.document_reuse": Wording(
        f"报告或发票影像与已有申请的文件完全相同，待人工核对{_WHERE_ZH}",
        f"A report or invoice image is the same file as in another claim; a reviewer decides{_WHERE_EN}",
        _READS,
        _SAYS,
    ),
    "duplicate.amount_conflict": Wording(
        f"各平台所报票面金额不一致，以较小者计，待人工核对{_WHERE_ZH}",
        f"Platforms state different face totals; the smaller counts, and a reviewer decides{_WHERE_EN}",
        _READS,
        _SAYS,
    ),
}
"""Every code of rule 18, in the order in which it is reported."""
VERDICTS: Final = {
    "duplicate.cross_scheme": REJECT,
    "duplicate.project": REJECT,
    "duplicate.invoice_exhausted": REJECT,
    "duplicate.red_letter": REJECT,
    "duplicate.receipt_exhausted": CORRECT,
    "duplicate.explanation_missing": CORRECT,
    "duplicate.invoice_reuse": HOLD,
    "duplicate.foreign_invoice": HOLD,
    "duplicate.foreign_receipt": HOLD,
    "duplicate.document_reuse": HOLD,
    "duplicate.amount_conflict": HOLD,
}
_OTHER_SIDE: Final = Wording(
    "{platform} {month} 编号 {reference}",
    "{platform} {month} reference {reference}",
    ("platform", "month", "reference"),
)


def duplicates(policy: Policy) -> Rule:
    """Rule 18: one finding a code, whatever the number of keys behind it."""
    cite = policy.duplicates.exclusion_group.cite
    none = Ruling("duplicate.*", PASS, cite, NO_DUPLICATE)
    rulings = {code: Ruling(code, VERDICTS[code], cite, wording) for code, wording in WORDINGS.items()}

    def rule(sheet: Sheet) -> tuple[Finding, ...]:
        keys = sheet.facts.keys
        for key in keys:
            if key.uses or key.amount_conflict or (key.kind in GUARDED and _excess_fen(key) > 0):
                break
        else:
            return ((none, (len(keys),)),)
        explained = _is_explained(sheet)
        met: dict[str, list[KeyState]] = {}
        for key in keys:
            for code in _CODES[key.kind](key, explained):
                met.setdefault(code, []).append(key)
        found = tuple((rulings[code], _values(WORDINGS[code], met[code])) for code in WORDINGS if code in met)
        return found or ((none, (len(keys),)),)

    return rule


def _is_explained(sheet: Sheet) -> bool:
    """An explanation is a text or an uploaded document."""
    stated = sheet.claim.duplicate_explanation
    uploaded = any(document.kind == "duplicate_explanation" for document in sheet.claim.documents)
    return uploaded or bool(stated and stated.strip())


def _invoice(key: KeyState, explained: bool) -> Iterable[str]:  # noqa: FBT001 - one form for all kinds
    own = [use for use in key.uses if use.same_enterprise]
    if key.cancelled.fen and _excess_fen(key) > 0:
        yield "duplicate.red_letter"
    if any(not use.same_programme for use in own):
        yield "duplicate.cross_scheme"
    elif key.cancelled.fen and _excess_fen(key) > 0:
        pass
    elif own:
        within = _excess_fen(key) <= 0
        reuse = "duplicate.invoice_reuse" if explained else "duplicate.explanation_missing"
        yield reuse if within else "duplicate.invoice_exhausted"
    elif not key.uses and not key.amount_conflict and _excess_fen(key) > 0:
        yield "duplicate.invoice_exhausted"
    if len(own) < len(key.uses):
        yield "duplicate.foreign_invoice"
    if key.amount_conflict:
        yield "duplicate.amount_conflict"


def _receipt(key: KeyState, explained: bool) -> Iterable[str]:  # noqa: ARG001, FBT001 - one form for all kinds
    own = [use for use in key.uses if use.same_enterprise]
    if any(not use.same_programme for use in own):
        yield "duplicate.cross_scheme"
    elif (own or not key.uses) and not key.amount_conflict and _excess_fen(key) > 0:
        yield "duplicate.receipt_exhausted"
    if len(own) < len(key.uses):
        yield "duplicate.foreign_receipt"
    if key.amount_conflict:
        yield "duplicate.amount_conflict"


def _contract(key: KeyState, explained: bool) -> Iterable[str]:  # noqa: ARG001, FBT001 - one form for all kinds
    if any(use.same_enterprise and not use.same_programme for use in key.uses):
        yield "duplicate.project"


def _document(key: KeyState, explained: bool) -> Iterable[str]:  # noqa: ARG001, FBT001 - one form for all kinds
    if key.uses:
        yield "duplicate.document_reuse"


_CODES: Final[dict[str, Callable[[KeyState, bool], Iterable[str]]]] = {
    "invoice": _invoice,
    "receipt": _receipt,
    "contract": _contract,
    "document": _document,
}


def _excess_fen(key: KeyState) -> int:
    return key.taken.fen + key.claimed.fen - key.counted.fen


def _values(wording: Wording, keys: list[KeyState]) -> tuple[object, ...]:
    places = tuple(key.place for key in keys)
    others = tuple(dict.fromkeys(_other_side(use) for key in keys for use in key.uses))
    values: tuple[object, ...] = (places[0], places)
    if "excess_fen" in wording.says:
        worst = max(keys, key=_excess_fen)
        values = (*values, worst.counted.fen, worst.taken.fen, worst.claimed.fen, _excess_fen(worst))
    return (*values, others)


def _other_side(use: EarlierUse) -> Fault:
    platform = labelled(use.platform, platform_words(use.platform))
    return Fault("use", _OTHER_SIDE, (platform, use.month, use.reference))
