"""Clearing cycles (I13): each window has the debts of its cells, positions that add up to zero, and its steps."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final
from uuid import UUID

from clearing.verification.chain import Settings
from clearing.verification.context import Context
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.entries import Entry
from clearing.verification.netting import Cell, due, sums
from clearing.verification.orders import order_differences
from clearing.verification.snapshot import Row, Snapshot
from tenants.kernel.money import Money

_CYCLES: Final = """
select id, agreement_set, currency, cycle_no, state, opened_by, opened_at, closed_by, closed_at, confirmed_at,
       settled_by, settled_at from clearing_cycle order by agreement_set, currency, cycle_no
"""
_CELLS: Final = "select tenant, cycle_id, creditor, netting, debts, gross_fen from clearing_cell order by 2, 1, 3, 4"
_POSITIONS: Final = (
    "select tenant, cycle_id, payable_fen, receivable_fen, net_fen, confirmed_by, confirmed_at from clearing_position"
)
_DEBTS: Final = """
select tenant, cycle_id, creditor, netting, count(*) as debts, sum(amount_fen)::bigint as fen
  from (select tenant, cycle_id, creditor, netting, amount_fen from clearing_debt union all
        select tenant, cycle_id, creditor, netting, amount_fen from clearing_carry) d group by 1, 2, 3, 4
"""
_NETTED: Final = """
with owed as (
    select tenant, cycle_id, creditor, scheme, quota_year, amount_fen from clearing_debt union all
    select tenant, cycle_id, creditor, scheme, quota_year, amount_fen from clearing_carry),
expected as (
    select tenant, cycle_id, 'clearing/' || scheme || '/' || quota_year || '/' || creditor as debit,
           'netted/' || scheme || '/' || quota_year as credit, sum(amount_fen)::bigint as fen
      from owed group by 1, 2, 3, 4
    union all
    select creditor, cycle_id, 'netted/' || scheme || '/' || quota_year,
           'clearing/' || scheme || '/' || quota_year || '/' || tenant, sum(amount_fen)::bigint
      from owed group by 1, 2, 3, 4),
wanted as (select e.*, c.confirmed_at, 'CY-' || c.agreement_set || '-' || lpad(c.cycle_no::text, 4, '0') as name
             from expected e join clearing_cycle c on c.id = e.cycle_id where c.confirmed_at is not null)
select coalesce(w.tenant, t.tenant) as tenant, coalesce(w.cycle_id, t.subject_id) as cycle_id, t.id,
       (w.debit, w.credit, w.fen, w.confirmed_at, w.name) as expected,
       (t.debit, t.credit, t.amount_fen, t.at, t.reason) as found
  from wanted w full join (select * from ledger_transfer x where (debit like 'netted/%%' or credit like 'netted/%%')
             and not exists (select 1 from clearing_order o where o.id = x.subject_id)) t
    on t.tenant = w.tenant and t.subject_id = w.cycle_id and t.debit = w.debit and t.credit = w.credit
 where (w.debit, w.credit, w.fen, w.confirmed_at, w.name) is distinct from
       (t.debit, t.credit, t.amount_fen, t.at, t.reason)
"""

Matrix = Mapping[tuple[str, str, str], tuple[int, int]]
"""Count and fen by debtor, creditor and netting."""


def cycle_differences(snapshot: Snapshot, context: Context) -> Iterator[Difference]:
    """What is wrong with any window."""
    told: defaultdict[UUID, dict[str, list[Entry]]] = defaultdict(dict)
    for (tenant, subject), entries in context.settings.items():
        if entries[0].action.startswith("cycle."):
            told[subject][tenant] = entries
    owed, stored = _matrix(snapshot, _DEBTS, "fen"), _matrix(snapshot, _CELLS, "gross_fen")
    positions: defaultdict[UUID, dict[str, Row]] = defaultdict(dict)
    for row in snapshot.rows(_POSITIONS):
        positions[row.cycle_id][row.tenant] = row
    numbers: Counter[tuple[str, str]] = Counter()
    cycles = snapshot.rows(_CYCLES)
    for cycle in cycles:
        snapshot.tally["clearing cycles"] += 1
        place = f"clearing_cycle/{cycle.agreement_set}/{cycle.cycle_no}"
        numbers[cycle.agreement_set, cycle.currency] += 1
        if cycle.cycle_no != numbers[cycle.agreement_set, cycle.currency]:
            yield differs(
                "cycle.number", f"{place}/cycle_no", numbers[cycle.agreement_set, cycle.currency], cycle.cycle_no
            )
        yield from _steps(place, cycle, told.pop(cycle.id, {}))
        yield from _matrices(cycle, owed.pop(cycle.id, {}), stored.pop(cycle.id, {}), positions.pop(cycle.id, {}))
    for what, rows in (
        ("clearing_debt", owed),
        ("clearing_cell", stored),
        ("clearing_position", positions),
        ("clearing_cycle", told),
    ):
        for cycle_id in rows:
            yield differs("cycle.absent", f"{what}/{cycle_id}", "a cycle", None)
    yield from _witnessed_positions(snapshot, context.settings)
    for row in snapshot.stream(_NETTED):
        where = f"ledger_transfer/{row.tenant}/{row.id or row.cycle_id}"
        yield differs("cycle.netted", where, row.expected, row.found)
    payments = {cycle.id: _due(snapshot, cycle) for cycle in cycles}
    yield from order_differences(snapshot, {cycle.id: cycle for cycle in cycles}, payments, context)


def _due(snapshot: Snapshot, cycle: Row) -> list[Any]:
    if cycle.confirmed_at is None:
        return []
    rows = snapshot.rows("select tenant, creditor, netting, gross_fen from clearing_cell where cycle_id = %s", cycle.id)
    return list(due((row.tenant, row.creditor, row.netting, row.gross_fen) for row in rows))


def _matrix(snapshot: Snapshot, statement: str, fen: str) -> dict[UUID, dict[tuple[str, str, str], tuple[int, int]]]:
    found: defaultdict[UUID, dict[tuple[str, str, str], tuple[int, int]]] = defaultdict(dict)
    for row in snapshot.rows(statement):
        found[row.cycle_id][row.tenant, row.creditor, row.netting] = (row.debts, getattr(row, fen))
    return found


def _matrices(cycle: Row, owed: Matrix, stored: Matrix, positions: Mapping[str, Row]) -> Iterator[Difference]:
    wanted = {} if cycle.state == "open" else owed
    for key in sorted(wanted.keys() | stored.keys()):
        if wanted.get(key) != stored.get(key):
            place = f"clearing_cell/{key[0]}/{cycle.agreement_set}/{cycle.cycle_no}/{key[1]}"
            yield differs("cycle.matrix", place, wanted.get(key), stored.get(key))
    cells: list[Cell] = [(*key, fen) for key, (_, fen) in wanted.items()]
    expected = sums(cells)
    for tenant in sorted(expected.keys() | positions.keys()):
        row, place = positions.get(tenant), f"clearing_position/{tenant}/{cycle.agreement_set}/{cycle.cycle_no}"
        found = None if row is None else (row.payable_fen, row.receivable_fen)
        if found != expected.get(tenant):
            yield differs("cycle.position", place, expected.get(tenant), found)
        if row is not None and row.net_fen != row.receivable_fen - row.payable_fen:
            yield differs("cycle.position", f"{place}/net_fen", row.receivable_fen - row.payable_fen, row.net_fen)
        if row is not None and cycle.confirmed_at is not None and row.confirmed_at is None:
            yield differs("cycle.confirmed", f"{place}/confirmed_at", "a confirmation", None)
        if row is not None and row.confirmed_by is not None and row.confirmed_by == cycle.closed_by:
            yield differs("cycle.people", f"{place}/confirmed_by", "another than who closed", row.confirmed_by)
    if sum(row.receivable_fen - row.payable_fen for row in positions.values()):
        place = f"clearing_cycle/{cycle.agreement_set}/{cycle.cycle_no}"
        yield differs(
            "cycle.zero_sum", place, 0, sum(row.receivable_fen - row.payable_fen for row in positions.values())
        )


_BEFORE: Final = {
    "cycle.opened": None,
    "cycle.closed": "open",
    "cycle.ordered": "closed",
    "cycle.settled": "confirmed",
}
"""From which state each step leads on."""


def _steps(place: str, cycle: Row, told: Mapping[str, list[Entry]]) -> Iterator[Difference]:
    """Every chain that tells of a step of the cycle tells the same of it, and the row says so too."""
    name = f"CY-{cycle.agreement_set}-{cycle.cycle_no:04d}"
    expected: dict[str, Any] = dict.fromkeys(
        ("opened_by", "opened_at", "closed_by", "closed_at", "confirmed_at", "settled_by", "settled_at"), None
    )
    state = None
    for entry in (each for entries in told.values() for each in entries if each.action in _BEFORE):
        said = (entry.details.get("cycle"), entry.details.get("agreement_set"), entry.details.get("currency"))
        if said != (name, cycle.agreement_set, cycle.currency):
            yield differs("cycle.witness", f"{place}/cycle_no", said, (name, cycle.agreement_set, cycle.currency))
        if entry.from_state != _BEFORE[entry.action]:
            yield differs("cycle.step", f"{place}/entry/{entry.seq}", _BEFORE[entry.action], entry.from_state)
        state = max(state or "", entry.to_state or "", key=_rank)
        for who, when in _columns(entry):
            at = getattr(cycle, when)
            if expected[when] is None or not entry.witnesses(at):
                expected[when] = at if entry.witnesses(at) else entry.at
            if who is not None:
                expected[who] = entry.actor
    yield from compared("cycle.witness", place, {**expected, "state": state}, cycle)


def _columns(entry: Entry) -> list[tuple[str | None, str]]:
    """Who and when, as the row keeps it; a window without debts is settled by its closing."""
    match entry.action:
        case "cycle.opened":
            return [("opened_by", "opened_at")]
        case "cycle.closed" if entry.to_state == "settled":
            return [("closed_by", "closed_at"), (None, "confirmed_at"), ("settled_by", "settled_at")]
        case "cycle.closed":
            return [("closed_by", "closed_at")]
        case "cycle.ordered":
            return [(None, "confirmed_at")]
        case _:
            return [("settled_by", "settled_at")]


def _rank(state: str) -> int:
    return ("", "open", "closed", "confirmed", "settled").index(state)


def _witnessed_positions(snapshot: Snapshot, settings: Settings) -> Iterator[Difference]:
    """Each tenant's chain says its position as it is, and who confirmed it when."""
    rows = {(row.tenant, row.cycle_id): row for row in snapshot.rows(_POSITIONS)}
    for (tenant, subject), entries in settings.items():
        for entry in entries:
            row, place = rows.get((tenant, subject)), f"clearing_position/{tenant}/{subject}"
            if entry.action == "cycle.closed":
                said = (entry.details["payable"], entry.details["receivable"])
                found = (0, 0) if row is None else (row.payable_fen, row.receivable_fen)
                if said != (str(Money(found[0])), str(Money(found[1]))):
                    yield differs("cycle.position", place, said, found)
            if entry.action == "cycle.confirmed" and (
                row is None
                or (row.confirmed_by, entry.details["net"]) != (entry.actor, str(Money(row.net_fen)))
                or not entry.witnesses(row.confirmed_at)
            ):
                found_now = None if row is None else (row.confirmed_by, row.confirmed_at, row.net_fen)
                yield differs("cycle.confirmed", place, (entry.actor, entry.at, entry.details["net"]), found_now)
    for (tenant, subject), row in rows.items():
        said_so = [e for e in settings.get((tenant, subject), []) if e.action == "cycle.confirmed"]
        if (row.confirmed_at is not None) != bool(said_so):
            yield differs("cycle.confirmed", f"clearing_position/{tenant}/{subject}", bool(said_so), row.confirmed_at)
