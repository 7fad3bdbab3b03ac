"""Rules 1 and 2: the version in force, what it leaves unset, and the modes it offers."""

from typing import Final

from clearing.claims.rules.finding import HOLD, INFO, PASS, REJECT, Fault, Finding, Label, Ruling, Wording
from clearing.claims.rules.quota_years import Standing
from clearing.claims.rules.sheet import Rule, Sheet
from tenants.kernel.errors import Text
from tenants.policy import UNSET, Policy, Zone

MODES: Final = {
    "common_use": Text("通用", "common use"),
    "cross_redemption": Text("通兑", "cross-redemption"),
}

IN_FORCE: Final = Wording(
    "适用政策版本 {version}（{effective_on} 起施行），政策日 {policy_on}。",
    "Version {version}, effective on {effective_on}, applies on the policy date {policy_on}.",
    ("policy_on", "effective_on"),
    ("version",),
)
LATER_VERSION: Final = Wording(
    "按其后施行的版本 {version}（{effective_on} 起）核定；政策日为 {policy_on}。",
    "Assessed by the later version {version}, effective on {effective_on}; the policy date is {policy_on}.",
    ("policy_on", "effective_on"),
    ("version",),
)
NONE_IN_FORCE: Final = Wording(
    "{tenant} 的券种 {scheme} 在 {policy_on} 没有施行中的政策版本，不予受理。",
    "The scheme {scheme} of {tenant} has no policy version in force on {policy_on}.",
    ("tenant", "scheme", "policy_on"),
)
NONE_IN_FORCE_CITE: Final = "核定规则 1"
"""There is no document to cite where there is no policy."""
INCOMPLETE: Final = Wording(
    "政策尚缺数值：{missing}。申请已受理并占用查重标识，待数值确定后按受理顺序核定，现不计算金额。",
    "The policy lacks values: {missing}. The claim is received and its identities are held; it is assessed in its "
    "order when the values are set, and nothing is computed now.",
    (),
    ("missing",),
)
UNSET_RATE: Final = Wording("支持比例未定", "the support rate is unset")
UNSET_CAP: Final = Wording("年度额度上限未定", "the annual cap is unset")
UNSET_CUT_OFFS: Final = Wording(
    "{year} 年度的申请截止时间尚未公布", "the cut-offs of {year} are not published yet", ("year",)
)
MODE_OFFERED: Final = Wording("本券种提供{mode}模式。", "The scheme offers {mode}.", ("mode",), ("offered",))
MODE_MISSING: Final = Wording(
    "本券种不提供{mode}模式，只提供：{offered}。",
    "The scheme does not offer {mode}, only: {offered}.",
    ("mode",),
    ("offered",),
)


def in_force(policy: Policy) -> Rule:
    """Rule 1: which version applies; that one does is the caller's finding."""
    cite, version, effective_on = policy.effective.cite, policy.version, policy.effective_on

    applies = Ruling("policy.in_force", PASS, cite, IN_FORCE)
    later = Ruling("policy.in_force", INFO, cite, LATER_VERSION)

    def rule(sheet: Sheet) -> tuple[Finding, ...]:
        ruling = later if effective_on > sheet.policy_on else applies
        return ((ruling, (sheet.policy_on, effective_on, version)),)

    return rule


def none_in_force(tenant: str, scheme: str, policy_on: object) -> Finding:
    """Rule 1 without a policy: the only finding, since every other rule compares with a policy's value."""
    return _NONE_IN_FORCE, (tenant, scheme, policy_on)


_NONE_IN_FORCE: Final = Ruling("policy.in_force", REJECT, NONE_IN_FORCE_CITE, NONE_IN_FORCE)


def complete(policy: Policy) -> Rule:
    """What the version leaves unset and this claim needs: the claim holds and nothing is computed."""
    missing_in = {zone.code: _unset(zone) for zone in policy.zones}
    cut_offs_cite = policy.quota_year.cut_offs[-1].cite if policy.quota_year.cut_offs else ""

    def rule(sheet: Sheet) -> tuple[Finding, ...]:
        faults, cites = missing_in[sheet.zone.code]
        if sheet.windowed.standing is Standing.UNSET:
            faults = (*faults, Fault("cut_offs", UNSET_CUT_OFFS, (sheet.windowed.year,)))
            cites = (*cites, cut_offs_cite)
        if not faults:
            return ()
        sheet.incomplete = True
        return ((Ruling("policy.incomplete", HOLD, "；".join(cites), INCOMPLETE), (faults,)),)

    return rule


def _unset(zone: Zone) -> tuple[tuple[Fault, ...], tuple[str, ...]]:
    terms = ((zone.rate, Fault("rate", UNSET_RATE)), (zone.annual_cap, Fault("annual_cap", UNSET_CAP)))
    unset = [(fault, term.cite) for term, fault in terms if term.value is UNSET]
    return tuple(fault for fault, _ in unset), tuple(cite for _, cite in unset)


def mode(policy: Policy) -> Rule:
    """Rule 2: the scheme offers the mode."""
    cite = policy.modes.cite
    offered = tuple(mode_label(code) for code in policy.modes.value)
    is_offered = Ruling("policy.mode", PASS, cite, MODE_OFFERED)
    missing = Ruling("policy.mode", REJECT, cite, MODE_MISSING)
    passed: dict[str, tuple[Finding, ...]] = {label.code: ((is_offered, (label, offered)),) for label in offered}

    def rule(sheet: Sheet) -> tuple[Finding, ...]:
        code = sheet.claim.mode
        if code in passed:
            return passed[code]
        return ((missing, (mode_label(code), offered)),)

    return rule


def mode_label(code: str) -> Label:
    """The mode as people call it."""
    name = MODES.get(code)
    return Label(code, code, code) if name is None else Label(code, name.zh, name.en)
