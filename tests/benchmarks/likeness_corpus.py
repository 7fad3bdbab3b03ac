"""A corpus of labelled pairs: lines of one spending under mechanical variants, and lines that merely look alike.

An enterprise buys from a few providers, month after month: the same price, the same title with another month, invoice
numbers of one roll, several invoices a day. That is what a near duplicate has to be told apart from. A variant changes
what a hand or a scan changes; its invoice number is always another, since an equal one is the registry's to find.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random
from typing import Final

from clearing.likeness.lines import Facts

MIXED_UP: Final = {
    "0": "68",
    "1": "74",
    "2": "7",
    "3": "8",
    "4": "19",
    "5": "6",
    "6": "058",
    "7": "12",
    "8": "036",
    "9": "4",
}
LETTERS: Final = {"0": "O", "1": "l", "8": "B", "5": "S", "2": "Z"}
SUFFIXES: Final = ("有限公司", "研究院", "检测中心", "大学")
SUBJECTS: Final = (
    "磨损性能测试",
    "电磁兼容检测",
    "材料成分分析",
    "疲劳寿命试验",
    "软件测评",
    "环境可靠性试验",
    "光谱分析",
    "流体仿真计算",
)
PREFIXES: Final = ("KD", "HT", "JS", "SB")
FORMS: Final = ("技术服务合同", "委托检测合同", "技术开发合同", "测试服务协议")
NAMES: Final = "江河湖海山川云天星月华兴盛达远景东南西北中科创新信诚明德"
LINES_PER_ENTERPRISE: Final = 15


@dataclass(frozen=True, slots=True)
class Pair:
    """Two lines by name, whether they are one spending, and what made them differ."""

    left: str
    right: str
    same: bool
    kind: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """The lines and the labelled pairs."""

    lines: list[Facts]
    pairs: list[Pair]


def corpus(seed: int, pairs: int) -> Corpus:
    """Half of the pairs are one spending, half are not."""
    maker = _Maker(Random(seed))
    while len(maker.pairs) < pairs:
        maker.enterprise()
    return Corpus(maker.lines, maker.pairs[:pairs])


class _Maker:
    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._count = 0
        self.lines: list[Facts] = []
        self.pairs: list[Pair] = []

    def enterprise(self) -> None:
        """One enterprise: five spendings, each with a variant and a look-alike."""
        uscc = "91" + self._digits(16)
        self._providers = [("12" + self._digits(16), self._provider_name()) for _ in range(2)]
        for _ in range(LINES_PER_ENTERPRISE // 3):
            base = self._base(uscc)
            kind, vary = self._rng.choice(VARIANTS)
            like, resemble = self._rng.choices(LOOK_ALIKES, [weight for weight, *_ in LOOK_ALIKES])[0][1:]
            self.lines.append(base)
            self._add(base, self._new_claim(vary(self._rng, base)), same=True, kind=kind)
            self._add(base, self._new_claim(resemble(self._rng, base, self._providers)), same=False, kind=like)

    def _add(self, base: Facts, other: Facts, *, same: bool, kind: str) -> None:
        self.lines.append(other)
        left, right = sorted((base.unique_id, other.unique_id))
        self.pairs.append(Pair(left, right, same, kind))

    def _new_claim(self, facts: Facts) -> Facts:
        self._count += 1
        return replace(facts, claim_id=f"{self._count:08d}")

    def _base(self, uscc: str) -> Facts:
        rng = self._rng
        provider, name = rng.choice(self._providers)
        issued_on = date(2024, 1, 1) + timedelta(days=rng.randrange(330))
        subject = rng.choice(SUBJECTS)
        number = self._invoice(issued_on)
        yuan = rng.choice((rng.randrange(2000, 400_000), rng.randrange(20, 4000) * 100))
        return self._new_claim(
            Facts(
                claim_id="",
                position=0,
                enterprise=uscc,
                provider=provider,
                provider_name=name,
                invoice=number,
                issued_on=issued_on,
                amount_fen=yuan * 100 + rng.choice((0, 0, 0, rng.randrange(100))),
                contract=f"{rng.choice(PREFIXES)}-{issued_on.year}-{self._digits(rng.choice((3, 4, 6)))}",
                title=f"{subject}{rng.choice(FORMS)}",
                receipt=f"HD{self._digits(14)}",
            )
        )

    def _invoice(self, issued_on: date) -> str:
        if self._rng.random() < 0.25:
            return f"{self._digits(12)}{self._digits(8)}"
        return f"{issued_on:%y}32{self._digits(16)}"

    def _provider_name(self) -> str:
        return "".join(self._rng.sample(NAMES, 4)) + self._rng.choice(SUFFIXES)

    def _digits(self, count: int) -> str:
        return "".join(self._rng.choices("0123456789", k=count))


# ----------------------------------------------------------------------------------------------------------- variants


def one_digit(rng: Random, text: str) -> str:
    """One digit read as one that looks like it."""
    places = [place for place, character in enumerate(text) if character in MIXED_UP]
    if not places:
        return text + "1"
    place = rng.choice(places)
    return text[:place] + rng.choice(MIXED_UP[text[place]]) + text[place + 1 :]


def transposed(rng: Random, text: str) -> str:
    """Two neighbouring digits exchanged; of equal ones alone, one is misread."""
    places = [n for n in range(len(text) - 1) if text[n] != text[n + 1] and text[n].isdigit() and text[n + 1].isdigit()]
    if not places:
        return one_digit(rng, text)
    place = rng.choice(places)
    return text[:place] + text[place + 1] + text[place] + text[place + 2 :]


def _number(rng: Random, facts: Facts) -> Facts:
    return replace(facts, invoice=rng.choice((one_digit, transposed))(rng, facts.invoice))


def _two_digits(rng: Random, facts: Facts) -> Facts:
    changed = one_digit(rng, one_digit(rng, facts.invoice))
    return replace(facts, invoice=changed) if changed != facts.invoice else _number(rng, facts)


def _day(rng: Random, facts: Facts) -> Facts:
    return replace(_number(rng, facts), issued_on=facts.issued_on + timedelta(days=rng.choice((-2, -1, 1, 2, 10))))


def _amount(rng: Random, facts: Facts) -> Facts:
    return replace(_number(rng, facts), amount_fen=int(rng.choice((one_digit, transposed))(rng, str(facts.amount_fen))))


def _letters(rng: Random, facts: Facts) -> Facts:
    contract = "".join(LETTERS.get(c, c) if rng.random() < 0.5 else c for c in facts.contract)
    return replace(_number(rng, facts), contract=contract)


def _contract(rng: Random, facts: Facts) -> Facts:
    return replace(_number(rng, facts), contract=rng.choice((one_digit, transposed))(rng, facts.contract))


def _renamed(rng: Random, facts: Facts) -> Facts:
    return replace(_number(rng, facts), contract=facts.contract + rng.choice(("-1", "补", "-2", "A")))


def _title(rng: Random, facts: Facts) -> Facts:
    place = rng.randrange(len(facts.title))
    title = rng.choice((facts.title[:place] + facts.title[place + 1 :], f"关于{facts.title}", facts.title + "书"))
    return replace(_number(rng, facts), title=title)


def _provider(rng: Random, facts: Facts) -> Facts:
    return replace(_number(rng, facts), provider_name=facts.provider_name.removesuffix("有限公司") + "（总部）")


def _receipt(rng: Random, facts: Facts) -> Facts:
    return replace(_number(rng, facts), receipt=rng.choice((one_digit, transposed))(rng, facts.receipt))


def _new_receipt(rng: Random, facts: Facts) -> Facts:
    receipt = f"HD{''.join(rng.choices('0123456789', k=14))}"
    return replace(_number(rng, facts), receipt=receipt)


def _day_and_amount(rng: Random, facts: Facts) -> Facts:
    return replace(_day(rng, facts), amount_fen=_amount(rng, facts).amount_fen)


def _everything(rng: Random, facts: Facts) -> Facts:
    return _receipt(rng, _title(rng, _contract(rng, facts)))


VARIANTS: Final[tuple[tuple[str, Callable[[Random, Facts], Facts]], ...]] = (
    ("invoice number", _number),
    ("invoice number, two digits", _two_digits),
    ("day too", _day),
    ("amount too", _amount),
    ("contract number scanned as letters", _letters),
    ("contract number too", _contract),
    ("contract renamed", _renamed),
    ("title too", _title),
    ("provider's name too", _provider),
    ("receipt too", _receipt),
    ("another receipt", _new_receipt),
    ("day and amount too", _day_and_amount),
    ("contract, title and receipt too", _everything),
)


# -------------------------------------------------------------------------------------------------------- look-alikes

_Resemble = Callable[[Random, Facts, list[tuple[str, str]]], Facts]


def _next_number(rng: Random, number: str, most: int) -> str:
    return str(int(number) + rng.randrange(1, most)).zfill(len(number))[-len(number) :]


def _fresh(rng: Random, facts: Facts) -> Facts:
    number = facts.invoice[:4] + "".join(rng.choices("0123456789", k=len(facts.invoice) - 4))
    return replace(facts, invoice=number, receipt=f"HD{''.join(rng.choices('0123456789', k=14))}")


def _monthly(rng: Random, facts: Facts, _: list[tuple[str, str]]) -> Facts:
    """The next month under one frame contract: the same price and title."""
    return replace(_fresh(rng, facts), issued_on=facts.issued_on + timedelta(days=rng.choice((28, 29, 30, 31))))


def _same_roll(rng: Random, facts: Facts, _: list[tuple[str, str]]) -> Facts:
    """Another invoice of the same day and contract, of the same roll, over another amount."""
    amount = facts.amount_fen * rng.randrange(30, 300) // 100 + rng.randrange(1, 5000)
    number = _next_number(rng, facts.invoice, 9)
    return replace(_fresh(rng, facts), invoice=number, amount_fen=amount)


def _monthly_roll(rng: Random, facts: Facts, _: list[tuple[str, str]]) -> Facts:
    """The next month at the same price, with a number of the same roll and a contract of its own."""
    later = _monthly(rng, facts, _)
    return replace(later, invoice=_next_number(rng, facts.invoice, 40), contract=_other_contract(rng, facts))


def _other_subject(rng: Random, facts: Facts, _: list[tuple[str, str]]) -> Facts:
    """The same provider, another matter."""
    return replace(
        _fresh(rng, facts),
        title=f"{rng.choice(SUBJECTS)}{rng.choice(FORMS)}",
        contract=_other_contract(rng, facts),
        amount_fen=rng.randrange(2000, 400_000) * 100,
        issued_on=facts.issued_on + timedelta(days=rng.randrange(-60, 60)),
    )


def _same_price_elsewhere(rng: Random, facts: Facts, providers: list[tuple[str, str]]) -> Facts:
    """Another provider at the same price on the same day."""
    provider, name = next(each for each in providers if each[0] != facts.provider)
    other = replace(_fresh(rng, facts), provider=provider, provider_name=name, contract=_other_contract(rng, facts))
    return replace(other, title=f"{rng.choice(SUBJECTS)}{rng.choice(FORMS)}")


def _second_machine(rng: Random, facts: Facts, _: list[tuple[str, str]]) -> Facts:
    """The same test of a second machine, on the same day at the same price, under a contract of its own."""
    number = _next_number(rng, facts.invoice, 9)
    contract = _other_contract(rng, facts)
    return replace(_fresh(rng, facts), invoice=number, contract=contract, title=facts.title + "第二台")


def _instalment(rng: Random, facts: Facts, _: list[tuple[str, str]]) -> Facts:
    """The other half of one price: the next number of the roll, the same day, contract and amount; only a person can
    tell it from a re-typed number."""
    return replace(_fresh(rng, facts), invoice=_next_number(rng, facts.invoice, 3))


def _other_contract(rng: Random, facts: Facts) -> str:
    return facts.contract[:8] + "".join(rng.choices("0123456789", k=4))


LOOK_ALIKES: Final[tuple[tuple[int, str, _Resemble], ...]] = (
    (30, "next month, same contract and price", _monthly),
    (20, "same roll and day, other amount", _same_roll),
    (15, "next month, same roll and price", _monthly_roll),
    (20, "same provider, other matter", _other_subject),
    (10, "same price and day, other provider", _same_price_elsewhere),
    (5, "second machine, same day and price", _second_machine),
    (1, "the other half of one price, next number", _instalment),
)


def kinds(pairs: list[Pair]) -> Iterator[str]:
    """Every kind there is, once."""
    yield from dict.fromkeys(pair.kind for pair in pairs)
