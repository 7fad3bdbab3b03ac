"""An award told to people (按什么、依据哪条、算出多少): its steps, from which anybody computes it again by hand.

Made from the stored trace alone, so that it tells of a past award what was known then.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tenants.kernel.canonical import Json
from tenants.kernel.errors import Text
from tenants.kernel.money import Money, in_thousands
from tenants.kernel.rate import parse_rate, print_rate

Entry = Mapping[str, Any]
STAGES: Final = {
    "center": Text("中心审核", "The centre's review"),
    "authority": Text("主管部门审批", "The authority's approval"),
    "city": Text("市科技局初审", "The city bureau's review"),
    "province": Text("省科技厅审核", "The provincial department's review"),
}
Said = tuple[Text, str]
"""What a step says, and the amount that it leaves."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: the rule and clause, what it says, the amount in yuan that it leaves, and its numbers."""

    rule: str
    cite: str
    text: Text
    amount: str
    numbers: Mapping[str, Json]

    def json(self, number: int) -> dict[str, Json]:
        """The step as data."""
        return {
            "step": number,
            "rule": self.rule,
            "cite": self.cite,
            "zh": self.text.zh,
            "en": self.text.en,
            "amount": self.amount,
            "numbers": dict(self.numbers),
        }


@dataclass(frozen=True, slots=True)
class Lowered:
    """A reviewer's lower award: the stage, the amount, and the reason."""

    stage: str
    award: Money
    reason: str


def explain(result: Entry, lowered: Sequence[Lowered] = ()) -> dict[str, Json]:
    """The award's steps as text in both languages and as data; in a refusal or a hold, why there is none."""
    trace = {entry["rule"]: entry for entry in result["trace"]}
    steps = [step for rule, tell in _TELLERS for step in _told(trace, rule, tell)]
    award = str(result["award"])
    for each in lowered:
        steps.append(_review(each, award))
        award = str(each.award)
    matching = result["matching"]
    steps += _told(trace, "matching", _matching)
    stops = [entry for entry in result["trace"] if entry["verdict"] in {"reject", "correct", "hold"}]
    return {
        "policy_version": result["policy_version"],
        "award": award,
        "matching": None if matching is None else dict(matching),
        "zh": "\n".join(_lines([step.text.zh for step in steps], [_stop(stop, "zh") for stop in stops], award, _ZH)),
        "en": "\n".join(_lines([step.text.en for step in steps], [_stop(stop, "en") for stop in stops], award, _EN)),
        "steps": [step.json(number) for number, step in enumerate(steps, 1)],
        "stops": [{"rule": e["rule"], "verdict": e["verdict"], "cite": e["cite"], **e["message"]} for e in stops],
    }


@dataclass(frozen=True, slots=True)
class _Words:
    """The fixed words of one language."""

    step: str
    stop: str
    award: str


_ZH: Final = _Words("{number}. {text}", "· {text}", "核定金额：{award} 元。")
_EN: Final = _Words("{number}. {text}", "· {text}", "Award: {award} yuan.")


def _lines(steps: Sequence[str], stops: Sequence[str], award: str, words: _Words) -> list[str]:
    told = [words.step.format(number=number, text=text) for number, text in enumerate(steps, 1)]
    return [*told, *(words.stop.format(text=stop) for stop in stops), words.award.format(award=in_thousands(award))]


def _stop(entry: Entry, language: str) -> str:
    message = str(entry["message"][language])
    return f"{message}〔{entry['cite']}〕" if language == "zh" else f"{message} [{entry['cite']}]"


def _told(trace: Mapping[str, Entry], rule: str, tell: "Callable[[Entry], Said | None]") -> list[Step]:
    entry = trace.get(rule)
    said = None if entry is None else tell(entry)
    if entry is None or said is None:
        return []
    text, amount = said
    cited = Text(f"{text.zh}〔{entry['cite']}〕", f"{text.en} [{entry['cite']}]")
    return [Step(rule, entry["cite"], cited, amount, {**entry["inputs"], **entry["output"]})]


def _services(entry: Entry) -> Said | None:
    listed = entry["output"].get("listed")
    if listed is None:
        return None
    removed, kept = entry["output"].get("removed"), in_thousands(listed)
    if removed is None:
        return Text(f"目录内服务合计 {kept} 元。", f"Services in the catalogue: {kept} yuan."), listed
    out = in_thousands(removed)
    return Text(
        f"目录外服务 {out} 元不计，目录内服务合计 {kept} 元。",
        f"Services outside the catalogue, {out} yuan, do not count; those in it: {kept} yuan.",
    ), listed


def _rate(entry: Entry) -> Said | None:
    numbers = {**entry["inputs"], **entry["output"]}
    if "computed" not in numbers:
        return None
    if "blended" in numbers:
        return _by_class(numbers)
    services, invoices, base, computed = _amounts(numbers, "services", "invoices", "base", "computed")
    rate = _percent(numbers["rate"])
    return Text(
        f"基数：服务 {services} 元与本年度发票 {invoices} 元取小 = {base} 元；{base} × {rate} = {computed} 元"
        "（分以下舍去）。",
        f"Base: the smaller of services {services} and invoices {invoices} = {base} yuan; {base} × {rate} = {computed} "
        "yuan (rounded down to the fen).",
    ), str(numbers["computed"])


def _by_class(numbers: Entry) -> Said:
    """The first amount in full and the rest at the blended rate, whose parts are said too."""
    classes = [(in_thousands(part["amount"]), _percent(part["rate"])) for part in numbers["classes"]]
    services, invoices, base, full = _amounts(numbers, "services", "invoices", "base", "full")
    sums = " + ".join(f"{amount} × {rate}" for amount, rate in classes)
    rest, computed = _amounts(numbers, "rest", "computed")
    blended = numbers["blended"]
    return Text(
        f"基数：服务 {services} 元与本年度发票 {invoices} 元取小 = {base} 元；首段 {full} 元全额；"
        f"混合比例 = （{sums}）÷ {services} = {blended}；{full} + {rest} × {blended} = {computed} 元（分以下舍去）。",
        f"Base: the smaller of services {services} and invoices {invoices} = {base} yuan; the first {full} in full; "
        f"blended rate = ({sums}) / {services} = {blended}; {full} + {rest} × {blended} = {computed} yuan (down to the "
        "fen).",
    ), str(numbers["computed"])


def _claim_cap(entry: Entry) -> Said | None:
    if "cut" not in entry["output"]:
        return None
    before, cap, left = _amounts({**entry["inputs"], **entry["output"]}, "before", "cap", "award")
    return Text(
        f"单笔上限 {cap} 元：{before} 与 {cap} 取小 = {left} 元。",
        f"The claim's cap is {cap} yuan: the smaller of {before} and {cap} = {left} yuan.",
    ), str(entry["output"]["award"])


def _reservation(entry: Entry) -> Said | None:
    amount = entry["inputs"].get("amount")
    if amount is None:
        return None
    before = entry["inputs"].get("before", entry["inputs"].get("award"))
    left = entry["output"].get("award", before)
    confirmed, due, award = (in_thousands(each) for each in (amount, before, left))
    return Text(
        f"额度确认 {confirmed} 元：{due} 与 {confirmed} 取小 = {award} 元。",
        f"The reservation is {confirmed} yuan: the smaller of {due} and {confirmed} = {award} yuan.",
    ), left


def _annual_cap(entry: Entry) -> Said | None:
    inputs, output = entry["inputs"], entry["output"]
    before = inputs.get("before", inputs.get("award"))
    after = output.get("award", before)
    cap, taken, left = _amounts({**inputs, **output}, "cap", "taken", "left")
    due, award = in_thousands(before), in_thousands(after)
    return Text(
        f"年度上限：{cap} − 已用 {taken} = 余 {left} 元；{due} 与 {left} 取小 = {award} 元。",
        f"The year's cap: {cap} − {taken} taken = {left} left; the smaller of {due} and {left} = {award} yuan.",
    ), after


def _budget(entry: Entry) -> Said | None:
    inputs, output = entry["inputs"], entry["output"]
    if "share" in inputs and entry["verdict"] in {"pass", "info"}:
        return _share(inputs)
    if "left" not in inputs or entry["verdict"] not in {"pass", "info"}:
        return None
    before = inputs.get("before", inputs.get("award"))
    after = output.get("award", before)
    left, due, award = (in_thousands(each) for each in (inputs["left"], before, after))
    return Text(
        f"年度预算余 {left} 元：{due} 与 {left} 取小 = {award} 元。",
        f"Of the year's budget {left} are left: the smaller of {due} and {left} = {award} yuan.",
    ), after


def _share(inputs: Entry) -> Said:
    before, share = inputs.get("before", inputs.get("award")), inputs["share"]
    after = str(min(Money.parse(before), Money.parse(share)))
    due, part, award = in_thousands(before), in_thousands(share), in_thousands(after)
    return Text(
        f"年度预算按比例分配，分得 {part} 元：{due} 与 {part} 取小 = {award} 元。",
        f"The year's budget is divided; the share is {part}: the smaller of {due} and {part} = {award} yuan.",
    ), after


def _matching(entry: Entry) -> Said | None:
    inputs, output = entry["inputs"], entry["output"]
    if "matching" not in output:
        return None
    left = in_thousands(max(Money.parse(inputs["cap"]) - Money.parse(inputs["taken"]), Money(0)))
    region, ratio = inputs["linked_region"], print_rate(parse_rate(inputs["ratio"]))
    award, cap, taken = _amounts(inputs, "award", "cap", "taken")
    computed, matching = _amounts(output, "computed", "matching")
    return Text(
        f"联动配套（{region}）：{award} × {ratio} = {computed} 元；"
        f"配套上限 {cap} − 已用 {taken} = 余 {left} 元；取小 = {matching} 元。",
        f"Matching by {region}: {award} × {ratio} = {computed} yuan; its cap {cap} − {taken} taken = {left} left; the "
        f"smaller = {matching} yuan.",
    ), output["matching"]


def _review(lowered: Lowered, before: str) -> Step:
    stage = STAGES.get(lowered.stage, Text(f"审核（{lowered.stage}）", f"Review ({lowered.stage})"))
    text = Text(
        f"{stage.zh}由 {in_thousands(before)} 元核减至 {lowered.award:,} 元，理由：{lowered.reason}。",
        f"{stage.en} lowers {in_thousands(before)} yuan to {lowered.award:,} yuan: {lowered.reason}.",
    )
    return Step("review", "", text, str(lowered.award), {"before": before, "award": str(lowered.award)})


def _amounts(numbers: Entry, *names: str) -> tuple[str, ...]:
    """The amounts of these names as people read them."""
    return tuple(in_thousands(numbers[name]) for name in names)


def _percent(rate: str) -> str:
    percent = print_rate(parse_rate(rate) * 100)
    return rate if "/" in percent else f"{percent}%"


_TELLERS: Final[tuple[tuple[str, Callable[[Entry], Said | None]], ...]] = (
    ("service.catalogue", _services),
    ("award.rate", _rate),
    ("award.claim_cap", _claim_cap),
    ("award.reservation", _reservation),
    ("award.annual_cap", _annual_cap),
    ("award.budget", _budget),
)
"""The rules that make an award, in their order, and what tells of each."""
