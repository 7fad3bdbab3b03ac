"""What differs between two versions of a policy, in words that a lawyer reads, each with both clauses."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime
from fractions import Fraction
from typing import Any, Final

from tenants.kernel.canonical import Json, plain
from tenants.kernel.errors import Text
from tenants.kernel.money import Money
from tenants.kernel.rate import print_rate
from tenants.policy import Policy, Term, Unset
from tenants.policy_codes import code_words

KEYS: Final = ("code", "kind", "year")
"""What names an entry of a table: entries are compared with the entry of the same name, wherever it stands."""
PRESENT: Final = True
"""The value of an entry that is there."""
OF_IDENTITY: Final = frozenset({"tenant", "scheme"})

WORDS: Final[Mapping[str, Text]] = {
    "effective": Text("施行日期", "effective date"),
    "source": Text("来源文件", "source document"),
    "zh": Text("中文名称", "Chinese name"),
    "en": Text("英文名称", "English name"),
    "modes": Text("兑付模式", "modes"),
    "enterprise": Text("企业条件", "enterprise"),
    "divisions": Text("行政区划", "divisions"),
    "requires_qualification": Text("是否须先取得资格", "qualification required"),
    "types": Text("企业类型", "enterprise type"),
    "proof": Text("证明方式", "way of proof"),
    "certificate_years": Text("证书有效年数", "years that a certificate proves"),
    "documents": Text("证明材料", "documents of proof"),
    "needs_review": Text("是否须审核", "review needed"),
    "revenue_ceiling": Text("上年度营业收入上限", "ceiling of last year's revenue"),
    "zones": Text("分区", "zone"),
    "rate": Text("支持比例", "support rate"),
    "annual_cap": Text("年度额度上限", "annual cap"),
    "residences": Text("入驻地", "residences"),
    "provincial_to_local": Text("省地联动比例", "matching ratio, province to locality"),
    "matching_cap": Text("联动配套年度上限", "annual cap of matching"),
    "provider_divisions": Text("服务机构行政区划", "providers' divisions"),
    "provider": Text("服务机构条件", "provider"),
    "directory": Text("入库要求", "directory entry"),
    "minimum_age_years": Text("注册年限", "years since registration"),
    "direct_kinds": Text("直接入库的机构类别", "kinds admitted directly"),
    "services": Text("服务事项", "service item"),
    "qualifications": Text("所需资质", "qualifications needed"),
    "registered_instrument": Text("仪器须在平台登记", "instrument registered on the platform"),
    "related_party": Text("关联关系", "related parties"),
    "grounds": Text("排除的关联情形", "relations that exclude"),
    "shareholder_percent": Text("同一股东持股比例（%）", "common shareholder's percent"),
    "exclusions": Text("不支持情形", "exclusion"),
    "declared": Text("以企业声明为据", "by the enterprise's declaration"),
    "items": Text("所涉服务事项", "service items"),
    "evidence": Text("佐证材料", "evidence"),
    "at_least": Text("最少份数", "at least"),
    "at_most": Text("最多份数", "at most"),
    "media_types": Text("文件格式", "media types"),
    "max_bytes": Text("单个文件大小上限（字节）", "largest size in bytes"),
    "offline_only": Text("仅线下订单需要", "for orders off the platform only"),
    "quota_year": Text("额度年度", "quota year"),
    "basis": Text("年度归属依据", "date that decides the year"),
    "starts": Text("年度起始日", "first day of the year"),
    "cut_offs": Text("申请截止时间", "cut-offs"),
    "at": Text("截止时刻", "instants"),
    "limits": Text("核定限制", "limits"),
    "rounding": Text("尾数处理", "rounding"),
    "budget_rule": Text("预算不足时的处理", "when the budget is short"),
    "claim_cap": Text("单笔上限", "cap for one claim"),
    "duplicates": Text("重复支持", "duplicates"),
    "exclusion_group": Text("互斥组", "exclusion group"),
    "reservation_modes": Text("须先确认额度的模式", "modes that need a reservation"),
    "review": Text("审核", "review"),
    "chain": Text("审核环节", "stages"),
    "provider_confirmation": Text("服务机构先行确认", "provider confirms first"),
    "trust_list": Text("服务承诺制", "trust list"),
    "correction_days": Text("补正期限（日）", "days for a correction"),
    "trusted_chain": Text("免审名单机构的环节", "stages of providers on the trust list"),
    "sample_share": Text("抽查比例", "share that is sampled"),
    "shared_cap": Text("共用的年度上限", "annual cap that schemes share"),
    "payout": Text("拨付", "payout"),
    "publicity_days": Text("公示工作日", "working days of publicity"),
    "agent": Text("可委托第三方结算", "settlement agent"),
    "rhythm": Text("拨付周期", "rhythm"),
    "within_months": Text("拨付期限（月）", "months until payment"),
    "matching_due_months": Text("联动配套期限（月）", "months until matching is due"),
    "funders": Text("出资方", "funder"),
    "share": Text("分担比例", "share"),
    "sanction_years": Text("惩戒年数", "years of a sanction"),
    "reward": Text("服务机构奖励", "provider's reward"),
    "cap": Text("奖励上限", "cap of the reward"),
    "full_support_through": Text("全额支持的首段金额", "first amount supported in full"),
    "service_classes": Text("服务类别", "class of services"),
    "demonstration": Text("演示政策", "demonstration"),
    "correction": Text("更正序号", "number of the correction"),
    "cite": Text("依据", "clause"),
}
"""What each member of a policy is called."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value of a policy: what the members on its way are called, the value, and the clause behind it."""

    words: tuple[Text, ...]
    value: Any
    cite: str


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs: its place, what happens to it, and what both versions say."""

    place: str
    change: str
    text: Text
    before: Leaf | None
    after: Leaf | None

    def json(self) -> dict[str, Json]:
        """The difference as it is answered."""
        return {
            "place": self.place,
            "change": self.change,
            "zh": self.text.zh,
            "en": self.text.en,
            "before": None if self.before is None else _shown(self.before),
            "after": None if self.after is None else _shown(self.after),
        }


def differences(before: Policy, after: Policy) -> list[Difference]:
    """Everything that the later version says otherwise, in the order of the document; nothing where they agree."""
    old, new = dict(_leaves(before)), dict(_leaves(after))
    found = []
    for place in [*new, *(place for place in old if place not in new)]:
        was, now = old.get(place), new.get(place)
        if was is None or now is None or was.value != now.value:
            found.append(_changed(place, was, now))
        elif was.cite != now.cite:
            found.append(_cited(place, was, now))
    return found


def _leaves(policy: Policy) -> Iterator[tuple[str, Leaf]]:
    for field in fields(policy):
        if field.name not in OF_IDENTITY:
            yield from _under(f"/{field.name}", (WORDS[field.name],), getattr(policy, field.name), policy.source)


def _under(place: str, words: tuple[Text, ...], value: Any, cite: str) -> Iterator[tuple[str, Leaf]]:  # noqa: ANN401
    if isinstance(value, Term):
        yield place, Leaf(words, value.value, value.cite)
    elif isinstance(value, tuple) and value and is_dataclass(value[0]):
        for entry in value:
            yield from _entry(place, words, entry)
    elif is_dataclass(value):
        own = getattr(value, "cite", cite)
        for field in fields(value):
            if field.name not in {*KEYS, "cite"}:
                yield from _under(f"{place}/{field.name}", (*words, WORDS[field.name]), getattr(value, field.name), own)
    elif value is not None:
        yield place, Leaf(words, value, cite)


def _entry(place: str, words: tuple[Text, ...], entry: Any) -> Iterator[tuple[str, Leaf]]:  # noqa: ANN401
    """An entry of a table under its name; that it is there is a leaf of its own."""
    key = next(name for name in KEYS if hasattr(entry, name))
    name = str(getattr(entry, key))
    known = code_words(name)
    called = Text(getattr(entry, "zh", known.zh), getattr(entry, "en", known.en))
    yield f"{place}/{name}", Leaf((*words, called), PRESENT, getattr(entry, "cite", ""))
    yield from _under(f"{place}/{name}", (*words, called), entry, "")


def _changed(place: str, was: Leaf | None, now: Leaf | None) -> Difference:
    leaf = now or was
    if leaf is None:
        raise ValueError("nothing differs")
    subject = _subject(leaf)
    if was is None:
        zh = f"新增{subject.zh}：{_zh(leaf)}" if leaf.value is not True else f"新增{subject.zh}"
        en = f"Added {subject.en}: {_en(leaf)}" if leaf.value is not True else f"Added {subject.en}"
        return Difference(place, "added", _with_clause(zh, en, "", leaf.cite), None, leaf)
    if now is None:
        zh, en = f"删去{subject.zh}（原为{_zh(was)}）", f"Removed {subject.en} (was {_en(was)})"
        if was.value is True:
            zh, en = f"删去{subject.zh}", f"Removed {subject.en}"
        return Difference(place, "removed", _with_clause(zh, en, was.cite, ""), was, None)
    zh = f"{subject.zh}由{_zh(was)}改为{_zh(now)}"
    en = f"{subject.en} changes from {_en(was)} to {_en(now)}"
    return Difference(place, "changed", _with_clause(zh, en, was.cite, now.cite), was, now)


def _cited(place: str, was: Leaf, now: Leaf) -> Difference:
    subject = _subject(now)
    zh = f"{subject.zh}不变，依据由“{was.cite}”改为“{now.cite}”。"
    en = f"{subject.en} stays; its clause changes from “{was.cite}” to “{now.cite}”."
    return Difference(place, "cited", Text(zh, en), was, now)


def _with_clause(zh: str, en: str, before: str, after: str) -> Text:
    clauses = [cite for cite in dict.fromkeys((before, after)) if cite]
    if not clauses:
        return Text(f"{zh}。", f"{en}.")
    return Text(f"{zh}（依据：{'；现：'.join(clauses)}）。", f"{en} (clause: {'; now: '.join(clauses)}).")


def _subject(leaf: Leaf) -> Text:
    return Text("·".join(word.zh for word in leaf.words), " / ".join(word.en for word in leaf.words))


def _shown(leaf: Leaf) -> dict[str, Json]:
    value = leaf.value.value if isinstance(leaf.value, Unset) else leaf.value
    return {"value": plain(value), "cite": leaf.cite}


@dataclass(frozen=True, slots=True)
class _Language:
    """The little words of one language."""

    yes: str
    no: str
    unset: str
    yuan: str
    between: str
    none: str


_CHINESE: Final = _Language("是", "否", "未定", "元", "、", "无")
_ENGLISH: Final = _Language("yes", "no", "unset", " yuan", ", ", "none")


def _zh(leaf: Leaf) -> str:
    return _said(leaf.value, _CHINESE) if leaf.words[-1] is not _RATIO else _ratio(leaf.value)


def _en(leaf: Leaf) -> str:
    return _said(leaf.value, _ENGLISH) if leaf.words[-1] is not _RATIO else _ratio(leaf.value)


_RATIO: Final = WORDS["provincial_to_local"]


def _ratio(value: Fraction) -> str:
    return f"{value.numerator}:{value.denominator}"


def _said(value: Any, words: _Language) -> str:  # noqa: ANN401 - any value of a policy
    match value:
        case Unset():
            return words.unset
        case bool():
            return words.yes if value else words.no
        case Money():
            return f"{value:,}{words.yuan}"
        case Fraction():
            return _proportion(value)
        case tuple():
            return words.between.join(_said(each, words) for each in value) or words.none
        case datetime() | date():
            return str(plain(value))
        case str():
            called = code_words(value)
            return called.zh if words is _CHINESE else called.en
        case _:
            return str(value)


def _proportion(value: Fraction) -> str:
    """In percent where it is a part of something and that ends."""
    percent = print_rate(value * 100)
    return f"{percent}%" if value <= 1 and "/" not in percent else print_rate(value)
