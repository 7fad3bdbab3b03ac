"""What a rehearsal found, added up: states, money, caps and budgets; by zone, type and month; and claim by claim."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from clearing.claims.rehearsal import Figures, Rehearsed
from clearing.claims.rules.finding import PASS, print_finding
from tenants.kernel.canonical import Json
from tenants.kernel.money import Money
from tenants.policy import Policy


@dataclass(slots=True)
class _Sums:
    """Claims and money of one group, in whole fen."""

    claims: int = 0
    changed: int = 0
    before_fen: int = 0
    after_fen: int = 0
    matching_before_fen: int = 0
    matching_after_fen: int = 0

    def add(self, one: Rehearsed, *, changed: bool) -> None:
        """Count one claim."""
        before, after = one.past.before, one.after
        self.claims += 1
        self.changed += changed
        self.before_fen += before.taken_fen
        self.after_fen += after.taken_fen
        self.matching_before_fen += before.matched_fen
        self.matching_after_fen += after.matched_fen

    def merge(self, other: "_Sums") -> None:
        """Count another group's claims too."""
        self.claims += other.claims
        self.changed += other.changed
        self.before_fen += other.before_fen
        self.after_fen += other.after_fen
        self.matching_before_fen += other.matching_before_fen
        self.matching_after_fen += other.matching_after_fen

    def json(self) -> dict[str, Json]:
        """The group as it is shown."""
        return {
            "claims": self.claims,
            "changed": self.changed,
            "award": _change(self.before_fen, self.after_fen),
            "matching": _change(self.matching_before_fen, self.matching_after_fen),
        }


@dataclass(slots=True)
class Report:
    """The sums of one rehearsal, as far as it has come."""

    policy: Policy
    changed: int = 0
    cells: dict[tuple[str, str, str], _Sums] = field(default_factory=lambda: defaultdict(_Sums))
    """By zone, type and month."""
    standing_fen: list[int] = field(default_factory=lambda: [0, 0])
    states: Counter[tuple[str, str]] = field(default_factory=Counter)
    cuts: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0, 0]))
    years: dict[int, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))

    def add(self, one: Rehearsed) -> None:
        """Count one claim, by its last assessment."""
        if not one.counts:
            return
        before, after, changed = one.past.before, one.after, one.changed
        self.changed += changed
        kind = after.enterprise_type or before.enterprise_type or "none"
        self.cells[one.zone, kind, one.month].add(one, changed=changed)
        if before.state != after.state:
            self.states[before.state, after.state] += 1
        held, would = one.standing_fen
        self.standing_fen[0] += held
        self.standing_fen[1] += would
        if before.quota_year is not None:
            self.years[before.quota_year][0] += held
        if after.quota_year is not None:
            self.years[after.quota_year][1] += would
        self._add_cuts(0, before)
        self._add_cuts(2, after)

    def _add_cuts(self, place: int, figures: Figures) -> None:
        for name, fen in figures.cut.items():
            self.cuts[name][place] += 1
            self.cuts[name][place + 1] += fen

    def json(self, budgets: Mapping[int, Mapping[str, Json]]) -> dict[str, Json]:
        """The report; ``budgets`` are the years' appropriations and what is left of them."""
        whole, zones, types, months = self._groups()
        return {
            "version": self.policy.version,
            **whole.json(),
            "unchanged": whole.claims - whole.changed,
            "standing": _change(*self.standing_fen),
            "states": [
                {"before": before, "after": after, "claims": claims}
                for (before, after), claims in sorted(self.states.items())
            ],
            "caps": [
                {
                    "cap": name,
                    "before": {"claims": cut[0], "amount": str(Money(cut[1]))},
                    "after": {"claims": cut[2], "amount": str(Money(cut[3]))},
                }
                for name, cut in sorted(self.cuts.items())
            ],
            "budgets": [_budget(year, taken, budgets.get(year, {})) for year, taken in sorted(self.years.items())],
            "zones": _groups("zone", zones, {zone.code: (zone.zh, zone.en) for zone in self.policy.zones}),
            "types": _groups("type", types, {k.code: (k.zh, k.en) for k in self.policy.enterprise.types}),
            "months": _groups("month", months, {}),
        }

    def _groups(self) -> tuple[_Sums, dict[str, _Sums], dict[str, _Sums], dict[str, _Sums]]:
        """All claims, and these by zone, by type and by month."""
        whole, groups = _Sums(), (dict[str, _Sums](), dict[str, _Sums](), dict[str, _Sums]())
        for codes, sums in self.cells.items():
            whole.merge(sums)
            for group, code in zip(groups, codes, strict=True):
                group.setdefault(code, _Sums()).merge(sums)
        return whole, *groups


def changed_json(one: Rehearsed) -> dict[str, Json]:
    """One changed claim: before and after, the difference, and what the version says where it does not simply pass."""
    before, after = one.past.before, one.after
    findings: list[Json] = []
    for finding in one.verdict.findings:
        ruling = finding[0]
        if ruling.verdict != PASS:
            said = print_finding(finding).message
            findings.append(
                {"rule": ruling.rule, "verdict": ruling.verdict, "cite": ruling.cite, "zh": said.zh, "en": said.en}
            )
    return {
        "claim_id": str(one.past.claim_id),
        "claim_no": one.past.claim_no,
        "zone": one.zone,
        "type": after.enterprise_type or before.enterprise_type,
        "month": one.month,
        "before": _figures(before),
        "after": _figures(after),
        "difference": str(Money(after.taken_fen - before.taken_fen)),
        "findings": findings,
    }


def _figures(figures: Figures) -> dict[str, Json]:
    return {
        "state": figures.state,
        "award": str(Money(figures.award_fen)),
        "matching": str(Money(figures.matching_fen)),
        "cut": {name: str(Money(fen)) for name, fen in figures.cut.items()},
        "quota_year": figures.quota_year,
    }


def _change(before_fen: int, after_fen: int) -> dict[str, Json]:
    return {
        "before": str(Money(before_fen)),
        "after": str(Money(after_fen)),
        "difference": str(Money(after_fen - before_fen)),
    }


def _budget(year: int, taken_fen: list[int], known: Mapping[str, Json]) -> dict[str, Json]:
    """A year's budget: what is left of it now, and what would be; ``null`` where none was set."""
    held_fen, would_fen = taken_fen
    left = known.get("left")
    would_be = None if left is None else str(Money(_fen(str(left)) - (would_fen - held_fen)))
    return {
        "year": year,
        "appropriated": known.get("amount"),
        "taken": _change(held_fen, would_fen),
        "left": left,
        "left_after": would_be,
    }


def _fen(text: str) -> int:
    return int(text.replace(".", ""))


def _groups(name: str, groups: Mapping[str, _Sums], words: Mapping[str, tuple[str, str]]) -> list[Json]:
    found: list[Json] = []
    for code, sums in sorted(groups.items()):
        zh, en = words.get(code, (code, code))
        found.append({name: code, "zh": zh, "en": en, **sums.json()})
    return found
