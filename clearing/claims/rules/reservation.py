"""Rules 19 and 22: the quota confirmed for the intended contract (额度确认)."""

from typing import Final

from clearing.claims.rules.finding import INFO, PASS, REJECT, Fault, Finding, Ruling, Wording, labelled
from clearing.claims.rules.sheet import Rule, Sheet
from tenants.kernel.errors import Text
from tenants.policy import Policy

CONFIRMED: Final = "confirmed"
STATES: Final = {
    "requested": Text("待确认", "requested"),
    CONFIRMED: Text("已确认", "confirmed"),
    "used": Text("已使用", "used"),
    "cancelled": Text("已取消", "cancelled"),
    "expired": Text("已过期", "expired"),
}

NOT_NEEDED: Final = Wording("本模式无须先确认额度。", "This mode needs no reservation.")
USABLE: Final = Wording(
    "额度确认有效：{amount} 元，至 {expires_on}。",
    "The reservation holds: {amount} yuan, through {expires_on}.",
    ("amount", "expires_on"),
)
UNUSABLE: Final = Wording(
    "通兑须有有效的额度确认：{faults}。", "Cross-redemption needs a reservation that holds: {faults}.", (), ("faults",)
)
IGNORED: Final = Wording(
    "所附额度确认不可用，本模式下不作限制：{faults}。",
    "The reservation does not hold and binds nothing in this mode: {faults}.",
    (),
    ("faults",),
)
ABSENT: Final = Wording("没有额度确认", "there is none")
STATE: Final = Wording("状态为“{state}”，不能使用", "its state is “{state}”, not confirmed", ("state",))
EXPIRED: Final = Wording("已于 {expires_on} 到期", "it expired on {expires_on}", ("expires_on",))
OTHER_ENTERPRISE: Final = Wording("企业不符", "it is another enterprise's")
OTHER_PROVIDER: Final = Wording("服务机构不符", "it names another provider")
OTHER_CONTRACT: Final = Wording("合同编号不符", "it names another contract")

WITHIN: Final = Wording(
    "核定 {award} 元，不高于额度确认的 {amount} 元。",
    "{award} yuan are not above the reservation's {amount} yuan.",
    ("award_fen", "amount"),
)
ABOVE: Final = Wording(
    "额度确认为 {amount} 元，由 {before} 元核减 {cut} 元至 {award} 元。",
    "The reservation is {amount} yuan: {before} yuan less {cut} yuan leaves {award} yuan.",
    ("before_fen", "amount"),
    ("cut_fen", "award_fen"),
)
NO_RESERVATION: Final = Wording("没有可用的额度确认，不作限制。", "There is no usable reservation to stay within.")


def faults_of(sheet: Sheet) -> tuple[Fault, ...]:
    """Why the reservation on record cannot be used for this claim; nothing where it can."""
    reservation = sheet.facts.reservation
    if reservation is None:
        return (Fault("absent", ABSENT),)
    claim = sheet.claim
    faults = (
        (
            reservation.state != CONFIRMED,
            Fault("state", STATE, (labelled(reservation.state, STATES[reservation.state]),)),
        ),
        (reservation.expires_on < sheet.policy_on, Fault("expired", EXPIRED, (reservation.expires_on,))),
        (reservation.enterprise_uscc != claim.enterprise.uscc, Fault("enterprise", OTHER_ENTERPRISE)),
        (reservation.provider_uscc != claim.provider.uscc, Fault("provider", OTHER_PROVIDER)),
        (reservation.contract_number != sheet.facts.contract_number, Fault("contract", OTHER_CONTRACT)),
    )
    return tuple(fault for wrong, fault in faults if wrong)


def reservation(policy: Policy) -> Rule:
    """Rule 19: in the modes that need one, a confirmed, unexpired reservation of the same parties and contract."""
    cite, needing = policy.reservation_modes.cite, frozenset(policy.reservation_modes.value)
    not_needed: tuple[Finding, ...] = ((Ruling("reservation", PASS, cite, NOT_NEEDED), ()),)
    usable = Ruling("reservation", PASS, cite, USABLE)
    unusable, ignored = (Ruling("reservation", REJECT, cite, UNUSABLE), Ruling("reservation", INFO, cite, IGNORED))

    def rule(sheet: Sheet) -> tuple[Finding, ...]:
        needed = sheet.claim.mode in needing
        held = sheet.facts.reservation
        if held is None and not needed:
            return not_needed
        faults = faults_of(sheet)
        if held is not None and not faults:
            return ((usable, (held.amount, held.expires_on)),)
        return ((unusable if needed else ignored, (faults,)),)

    return rule


def reserved_amount(policy: Policy) -> Rule:
    """Rule 22: not above the reservation's amount, which in cross-redemption is the face value."""
    cite = policy.reservation_modes.cite
    unbound: tuple[Finding, ...] = ((Ruling("award.reservation", PASS, cite, NO_RESERVATION), ()),)
    within = Ruling("award.reservation", PASS, cite, WITHIN)
    above = Ruling("award.reservation", INFO, cite, ABOVE)

    def rule(sheet: Sheet) -> tuple[Finding, ...]:
        held = sheet.facts.reservation
        if sheet.incomplete:
            return ()
        if held is None or not sheet.reservation_usable:
            return unbound
        before_fen, amount_fen = sheet.award_fen, held.amount.fen
        if before_fen <= amount_fen:
            return ((within, (before_fen, held.amount)),)
        sheet.award_fen = amount_fen
        sheet.cut["reservation"] = before_fen - amount_fen
        return ((above, (before_fen, held.amount, before_fen - amount_fen, amount_fen)),)

    return rule
