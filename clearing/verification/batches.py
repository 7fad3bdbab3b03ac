"""Batches: their steps are those of the chain, by different people, after the notice; their items add up."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

import chinese_calendar  # type: ignore[import-untyped] # the library has no types

from clearing.verification.context import Context
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.dossiers import Dossier
from clearing.verification.entries import SHANGHAI, Entry, witness
from clearing.verification.notices import Notice, notice_differences
from clearing.verification.snapshot import Row, Snapshot
from clearing.verification.terms import goes_by_cut_offs, in_force
from tenants.kernel.canonical import canonical_bytes
from tenants.kernel.money import Money

COLUMNS: Final = (
    "tenant, id, batch_no, scheme, mode, kind, state, cut_off_at, item_count, total_fen, cut_by, cut_at, state_by, "
    "published_by, published_on, publicity_through_on, publicity_provisional, calendar_version, working_days, "
    "sealed_by, sealed_at, seal_no, merkle_root, previous_seal, seal_jws, seal_sha256, released_by, released_at, "
    "instructed_at, manifest_no, manifest_sha256, settled_at, form, counterparty, agreement_id, version"
)
STEPS: Final[Mapping[str, tuple[frozenset[str | None], str]]] = {
    "batch.cut": (frozenset({None}), "cut"),
    "batch.published": (frozenset({"cut"}), "in_publicity"),
    "batch.objection": (frozenset({"in_publicity"}), "in_publicity"),
    "batch.freeze": (frozenset({"cut", "in_publicity"}), ""),
    "batch.dated": (frozenset({"in_publicity"}), "in_publicity"),
    "batch.sealed": (frozenset({"in_publicity"}), "sealed"),
    "batch.first_release": (frozenset({"sealed"}), "sealed"),
    "batch.released": (frozenset({"sealed"}), "released"),
    "batch.instructed": (frozenset({"released"}), "instructed"),
    "batch.settled": (frozenset({"instructed"}), "settled"),
    "batch.cancelled": (frozenset({"cut", "in_publicity"}), "cancelled"),
    "batch.closed": (frozenset({"cut", "in_publicity", "sealed", "released", "settled"}), "closed"),
}
"""From which states each step leads to which."""
COUNTING: Final = frozenset({"batch.published", "batch.dated"})
"""Steps that count the notice's last day."""
DOERS: Final = {
    "batch.cut": ("cut_by", "cut_at"),
    "batch.published": ("published_by", None),
    "batch.sealed": ("sealed_by", "sealed_at"),
    "batch.released": ("released_by", "released_at"),
    "batch.instructed": (None, "instructed_at"),
    "batch.settled": (None, "settled_at"),
}
"""The columns that keep who did a step, and when."""
ANNOUNCED: Final = frozenset({"home_region", "matching", "reissue"})
"""Kinds whose items follow from claims that were in public notice before: announced for one working day."""
_ONE_DAY: Final = timedelta(days=1)
_SATURDAY: Final = 5

_ITEMS: Final = """
select b.tenant, b.id, b.state, b.item_count, b.total_fen, b.cut_off_at, coalesce(i.items, 0) as items,
       coalesce(i.misplaced, 0) as misplaced, coalesce(i.live, 0) as live, coalesce(i.live_fen, 0)::bigint as live_fen,
       coalesce(i.cancelled, 0) as cancelled, coalesce(i.cancelled_fen, 0)::bigint as cancelled_fen, i.latest_live,
       i.latest_applied,
       (select array_agg(p order by p) from unnest(i.platforms) p) as platforms
  from batch b left join (
       select i.tenant, i.batch_id, count(*) as items, count(*) filter (where i.line <> i.place) as misplaced,
              count(*) filter (where i.removed_at is null) as live,
              sum(i.amount_fen) filter (where i.removed_at is null) as live_fen,
              count(*) filter (where i.removed_reason = 'cancelled') as cancelled,
              sum(i.amount_fen) filter (where i.removed_reason = 'cancelled') as cancelled_fen,
              max(o.approved_at) filter (where i.removed_at is null) as latest_live,
              max(coalesce(o.applied_at, o.approved_at)) filter (where i.removed_at is null) as latest_applied,
              array_agg(distinct o.platform) as platforms
         from (select *, row_number() over (partition by tenant, batch_id order by claim_id) as place from batch_item) i
         left join obligation o on o.tenant = i.tenant and o.id = i.claim_id
        group by i.tenant, i.batch_id) i on i.tenant = b.tenant and i.batch_id = b.id
"""


_CALENDARS: Final = """
select tenant, year, version, holidays, workdays, set_at from calendar_year order by tenant, year, set_at, version
"""


def read_batches(snapshot: Snapshot) -> dict[tuple[str, Any], Row]:
    """All batches by tenant and id: there is one now and then, not one for each claim."""
    return {(row.tenant, row.id): row for row in snapshot.rows(f"select {COLUMNS} from batch")}  # noqa: S608 - ours


class BatchCheck:
    """What the checks of batches share: the sums of their items, and the calendar."""

    def __init__(self, snapshot: Snapshot, context: Context) -> None:
        self._context = context
        self._firsts = {
            (row.tenant, row.batch_id): row
            for row in snapshot.rows("select tenant, batch_id, released_by, released_at from first_release")
        }
        self._sums = {(row.tenant, row.id): row for row in snapshot.rows(_ITEMS)}
        self._years: dict[tuple[str, int], list[Row]] = {}
        for row in snapshot.rows(_CALENDARS):
            self._years.setdefault((row.tenant, row.year), []).append(row)

    def differences(self, dossier: Dossier) -> Iterator[Difference]:
        """What is wrong with one batch, but for its seal, its instructions and its files."""
        batch = self._context.batches[dossier.tenant, dossier.subject_id]
        place = f"batch/{batch.tenant}/{batch.batch_no}"
        if not dossier.entries:
            yield differs("batch.unwitnessed", place, "entries of the audit chain", None)
            return
        sums = self._sums[dossier.tenant, dossier.subject_id]
        entries = [entry for entry in dossier.entries if entry.action.startswith("batch.")]
        yield from _history(place, batch, entries)
        yield from _people(place, batch, entries[0])
        yield from self._releasers(batch, entries)
        yield from self._agreement(place, batch, entries[0])
        yield from self._notice(place, batch, entries)
        yield from self._items(place, batch, sums)
        yield from notice_differences(dossier, _notices(batch, sums.platforms or [], entries))

    def _releasers(self, batch: Row, entries: list[Entry]) -> Iterator[Difference]:
        """The first of two releases is the one of the chain, and another person's than everything else (I19)."""
        place, row = f"first_release/{batch.tenant}/{batch.id}", self._firsts.get((batch.tenant, batch.id))
        said = [entry for entry in entries if entry.action == "batch.first_release"]
        if (row is None) != (not said) or len(said) > 1:
            yield differs("batch.releasers", place, len(said), None if row is None else row.released_by)
        if row is not None and said:
            if row.released_by != said[0].actor or not said[0].witnesses(row.released_at):
                expected, found = (said[0].actor, said[0].at), (row.released_by, row.released_at)
                yield differs("batch.releasers", place, expected, found)
            if row.released_by in {batch.cut_by, batch.published_by, batch.sealed_by, batch.released_by}:
                yield differs("batch.releasers", f"{place}/released_by", "a person of its own", row.released_by)

    def _items(self, place: str, batch: Row, sums: Row) -> Iterator[Difference]:
        taken_out = batch.state == "cancelled"
        count, fen = (sums.cancelled, sums.cancelled_fen) if taken_out else (sums.live, sums.live_fen)
        if (batch.item_count, batch.total_fen) != (count, fen):
            expected, found = (count, str(Money(fen))), (batch.item_count, str(Money(batch.total_fen)))
            yield differs("batch.totals", f"batch_item/{batch.tenant}/{batch.batch_no}", expected, found)
        if sums.misplaced:
            where = f"batch_item/{batch.tenant}/{batch.id}/line"
            yield differs("batch.lines", where, f"lines 1 to {sums.items} by claim", f"{sums.misplaced} misplaced")
        if batch.cut_off_at > batch.cut_at:
            yield differs("batch.cut_off", f"{place}/cut_off_at", f"not after {batch.cut_at}", batch.cut_off_at)
        policies, own = self._context.policies, batch.kind == batch.mode
        applied = own and goes_by_cut_offs(policies, batch.tenant, batch.scheme, batch.cut_at)
        latest = sums.latest_applied if applied else sums.latest_live
        if latest is not None and latest > batch.cut_off_at:
            yield differs("batch.cut_off", f"{place}/cut_off_at", f"not before {latest}", batch.cut_off_at)
        if applied and sums.latest_live is not None and sums.latest_live > batch.cut_at:
            yield differs("batch.cut_off", f"{place}/cut_at", f"not before {sums.latest_live}", batch.cut_at)

    def _agreement(self, place: str, batch: Row, cut: Entry) -> Iterator[Difference]:
        """The batch goes by an agreement of its tenant's with the other side that was in force at the cut."""
        said = {name: cut.details.get(name) for name in ("form", "counterparty", "agreement_id")}
        found = {"form": batch.form, "counterparty": batch.counterparty,
                 "agreement_id": None if batch.agreement_id is None else str(batch.agreement_id)}  # fmt: skip
        for name, value in said.items():
            if value != found[name]:
                yield differs("batch.witness", f"{place}/{name}", value, found[name])
        ends = batch.form == "home_region" or batch.settled_at is not None
        if batch.state == "closed" and batch.released_at is not None and not ends:
            yield differs("batch.step", f"{place}/state", "settled", batch.state)
        if batch.agreement_id is None:
            return
        agreement = self._context.agreements.get(batch.agreement_id)
        sides = set() if agreement is None else {agreement.tenant, agreement.counterparty}
        if agreement is None or sides != {batch.tenant, batch.counterparty} or agreement.form != batch.form:
            yield differs("batch.agreement", f"{place}/agreement_id", "an agreement of both", batch.agreement_id)
        elif agreement.state != "approved" or agreement.effective_on > at_day(batch.cut_at):
            yield differs(
                "batch.agreement", f"agreement/{agreement.tenant}/{agreement.id}", "in force", agreement.state
            )

    def _notice(self, place: str, batch: Row, entries: list[Entry]) -> Iterator[Difference]:
        """The public notice ran its working days, and was over before the seal (I10)."""
        published = next((entry for entry in entries if entry.action == "batch.published"), None)
        if published is None or batch.published_on is None:
            return
        day = published.at.astimezone(SHANGHAI).date()
        if batch.published_on != day and not (published.raised and batch.published_on < day):
            yield differs("batch.witness", f"{place}/published_on", day, batch.published_on)
        terms = in_force(self._context.policies, batch.tenant, batch.scheme, batch.published_on, published.at)
        days = None if terms is None else terms.publicity_days
        if batch.kind in ANNOUNCED:
            days = 1
        if batch.working_days != days:
            yield differs("batch.publicity", f"{place}/working_days", days, batch.working_days)
        yield from self._counted(place, batch, entries)

    def _counted(self, place: str, batch: Row, entries: list[Entry]) -> Iterator[Difference]:
        """The notice's last day follows from the calendar that was known when it was counted."""
        counted = next(entry for entry in reversed(entries) if entry.action in COUNTING)
        through, provisional = self._through(batch, counted.at)
        sealing = next((entry for entry in entries if entry.action == "batch.sealed"), None)
        if provisional and sealing is not None:  # the seal counts a provisional day again
            counted = sealing
            through, provisional = self._through(batch, counted.at)
        if batch.publicity_through_on != through:
            yield differs("batch.publicity", f"{place}/publicity_through_on", through, batch.publicity_through_on)
        if batch.publicity_provisional and not provisional and batch.sealed_at is not None:
            found = batch.publicity_provisional
            yield differs("batch.publicity", f"{place}/publicity_provisional", provisional, found)
        if not batch.publicity_provisional and provisional:
            found = batch.publicity_provisional
            yield differs("batch.publicity", f"{place}/publicity_provisional", provisional, found)
        loaded = self._loaded(batch.tenant, counted.at)
        if not batch.calendar_version.startswith("chinesecalendar-") or not batch.calendar_version.endswith(loaded):
            yield differs("batch.publicity", f"{place}/calendar_version", f"…{loaded}", batch.calendar_version)
        sealed_on = None if batch.sealed_at is None else batch.sealed_at.astimezone(SHANGHAI).date()
        if sealed_on is not None and sealed_on <= batch.publicity_through_on:
            yield differs("batch.publicity", f"{place}/sealed_at", f"after {batch.publicity_through_on}", sealed_on)

    def _through(self, batch: Row, at: datetime) -> tuple[date, bool]:
        """The last day and whether it is provisional, by the calendar as it was known at the instant."""
        day, left, provisional = batch.published_on, batch.working_days, False
        while left > 0:
            day += _ONE_DAY
            works, is_known = self._works(batch.tenant, day, at)
            left -= works
            provisional = provisional or not is_known
        return day, provisional

    def _works(self, tenant: str, day: date, at: datetime) -> tuple[bool, bool]:
        """Whether people work on the day, and whether its year was published by then."""
        loaded = next((row for row in reversed(self._years.get((tenant, day.year), [])) if row.set_at <= at), None)
        if loaded is not None:
            return day in loaded.workdays or (day not in loaded.holidays and day.weekday() < _SATURDAY), True
        try:
            return bool(chinese_calendar.is_workday(day)), True
        except NotImplementedError:
            return day.weekday() < _SATURDAY, False

    def _loaded(self, tenant: str, at: datetime) -> str:
        """What the loaded years add to the calendar's version at the instant: ``+2027:loaded-1``."""
        latest = {
            row.year: row.version
            for (of, _), rows in self._years.items()
            if of == tenant
            for row in rows
            if row.set_at <= at
        }
        return "".join(f"+{year}:{latest[year]}" for year in sorted(latest))


def _history(place: str, batch: Row, entries: list[Entry]) -> Iterator[Difference]:
    for entry in entries:
        froms, to = STEPS.get(entry.action, (frozenset(), ""))
        if entry.from_state not in froms or entry.to_state != (to or entry.from_state):
            found = f"{entry.action}: {entry.from_state} → {entry.to_state}"
            yield differs("batch.step", f"{place}/entry/{entry.seq}", "a step that there is", found)
    for before, after in pairwise(entries):
        if after.from_state != before.to_state:
            yield differs("batch.step", f"{place}/entry/{after.seq}", before.to_state, after.from_state)
    last, steps = entries[-1], [entry for entry in entries if entry.changes_state]
    expected = {
        "state": last.to_state,
        "state_by": steps[-1].actor if steps else None,
        "batch_no": last.details.get("batch_no"),
        "item_count": last.details.get("count"),
    }
    yield from compared("batch.witness", place, expected, batch)
    if last.details.get("total") != str(Money(batch.total_fen)):
        yield differs("batch.witness", f"{place}/total_fen", last.details.get("total"), Money(batch.total_fen))
    for action, (doer, at) in DOERS.items():
        said = [entry for entry in entries if entry.action == action]
        actor = said[-1].actor if said else None
        if doer is not None and getattr(batch, doer) != actor:
            yield differs("batch.witness", f"{place}/{doer}", actor, getattr(batch, doer))
        if at is not None and (
            bool(said) != (getattr(batch, at) is not None) or (said and not witness(said, getattr(batch, at)))
        ):
            yield differs("batch.witness", f"{place}/{at}", said[-1].at if said else None, getattr(batch, at))
    if batch.version != _version(entries):
        yield differs("batch.witness", f"{place}/version", _version(entries), batch.version)


def _version(entries: list[Entry]) -> int:
    """The version starts at one and counts each written change; a cut writes its totals."""
    return 1 + len(entries)


def _people(place: str, batch: Row, cut: Entry) -> Iterator[Difference]:
    makers = {batch.cut_by, batch.published_by, batch.sealed_by}
    if batch.released_by is not None and batch.released_by in makers:
        yield differs("batch.four_eyes", f"{place}/released_by", "none of those who made it", batch.released_by)
    kind = cut.details.get("kind", batch.mode)
    if batch.kind != kind:
        yield differs("batch.kind", f"{place}/kind", kind, batch.kind)


def _notices(batch: Row, platforms: list[str], entries: list[Entry]) -> list[Notice]:
    """The job of a release, and for each platform a notice of each new state."""
    notices: list[Notice] = []
    for entry in entries:
        if entry.action == "batch.released" and batch.form != "home_region":
            notices.append(("batch.instruct", None, "{}", entry))
        if entry.action in {"batch.objection", "batch.freeze", "batch.first_release", "batch.dated"}:
            continue
        payload = canonical_bytes(
            {
                "batch_id": batch.id,
                "batch_no": batch.batch_no,
                "tenant": batch.tenant,
                "scheme": batch.scheme,
                "mode": batch.mode,
                "state": entry.to_state,
            }
        ).decode()
        notices += [(f"batch.{entry.to_state}", platform, payload, entry) for platform in platforms]
    return notices


def at_day(at: datetime) -> date:
    """The business day in Asia/Shanghai."""
    return at.astimezone(SHANGHAI).date()
