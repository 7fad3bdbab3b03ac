"""What administrators set: accounts to pay from, linked regions, budgets, records, calendars, clients."""

from collections.abc import Iterator
from typing import Final
from uuid import NAMESPACE_OID, UUID, uuid5

from clearing.verification.chain import Settings
from clearing.verification.claim_content import mask
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.entries import Entry, witness
from clearing.verification.linked_regions import linked_region_differences
from clearing.verification.snapshot import Snapshot
from clearing.verification.unsealing import OpenedSecrets
from tenants.kernel.money import Money

_BUDGETS: Final = UUID("6e1f2f0e-4c1b-4f7c-9a56-0c9d4f1f7a10")
"""The name space of a year's budget in the audit chain."""

SCOPES: Final = frozenset(
    {
        "claims:write", "claims:read", "claims:import", "support:write", "reviews:write", "policies:write",
        "policies:approve", "batches:write", "batches:release", "clearing:operate", "audit:read",
    }
)  # fmt: skip

_ACCOUNTS: Final = (
    "select p.tenant, account_name, account_number_sealed, account_number_tail, bank_name, cnaps, set_by, set_at "
    "from payout_account p"
)
_BUDGETED: Final = """
select a.tenant, a.code, a.limit_fen,
       coalesce(sum(case t.debit when 'treasury' then t.amount_fen else -t.amount_fen end), 0)::bigint
       as appropriated,
       array_agg(t.subject_id) filter (where t.id is not null) as subjects,
       array_agg(t.at order by t.id) filter (where t.id is not null) as times,
       array_agg(t.reason order by t.id) filter (where t.id is not null) as reasons,
       array_agg(t.id order by t.id) filter (where t.id is not null) as ids
  from ledger_account a left join ledger_transfer t on t.tenant = a.tenant
       and ((t.debit = 'treasury' and t.credit = a.code) or (t.credit = 'treasury' and t.debit = a.code))
 where a.code like 'budget/%%'
 group by a.tenant, a.code, a.limit_fen
"""
_RECORDS: Final = """
select 'standing' as what, tenant, id, set_by, set_at, kind || ' ' || uscc || ' ' || from_on || ' ' || through_on
       || ' ' || cite || coalesce(to_jsonb(s) ->> 'on_platform', '') as said from standing s
"""
_CALENDARS: Final = "select tenant, year, version, holidays, workdays, cite, set_by, set_at from calendar_year"

_ON_RECORD: Final = (
    "select uscc from standing union select uscc from qualification union select uscc from admission "
    "union select uscc from trust_listing"
)
_ABSENT_CLIENTS: Final = """
select distinct used.client_id from (
    select client_id from access_token union select client_id from idempotency_key
    union select client_id from client_assertion union select client_id from client_key
    union select client_id from claim_revision union select client_id from support_record) used
 where not exists (select 1 from client c where c.client_id = used.client_id)
"""
_WRONG_TOKENS: Final = """
select encode(t.token_sha256, 'hex') as token, t.scopes, c.scopes as allowed, t.issued_at, t.expires_at
  from access_token t join client c on c.client_id = t.client_id
 where not t.scopes <@ c.scopes or t.expires_at <> t.issued_at + interval '1 hour' or t.issued_at < c.created_at
"""
_CLOCK: Final = """
select c.demonstration_at + greatest(clock_timestamp() - c.set_at, interval '0') as now,
       c.set_at > clock_timestamp() or not c.only_row as wrong, (select max(at) from audit_head) as latest,
       exists (select 1 from policy_version where demonstration) as demonstrates
  from (select 1) always left join service_clock c on true
"""


def settings_differences(snapshot: Snapshot, settings: Settings, secrets: OpenedSecrets | None) -> Iterator[Difference]:
    """What is set otherwise than the chain says it was."""
    yield from _accounts(snapshot, settings, secrets)
    yield from linked_region_differences(snapshot, settings)
    yield from _budgets(snapshot, settings)
    yield from _divisions(settings)
    yield from _release_limits(snapshot, settings)
    kept = {(row.tenant, row.id) for row in snapshot.rows("select tenant, id from standing")}
    for (tenant, subject), entries in settings.items():
        if entries[0].action.startswith("standing.") and (tenant, subject) not in kept:
            yield differs("setting.absent", f"standing/{tenant}/{subject}", "one row", None)
    for row in snapshot.rows(_RECORDS):
        action = f"{row.what.split('_')[0]}."
        said = [
            entry
            for (tenant, subject), entries in settings.items()
            for entry in entries
            if tenant == row.tenant and entry.action.startswith(action) and row.id in {None, subject}
        ]
        entry = witness(said, row.set_at)
        if entry is None or entry.actor != row.set_by:
            yield differs("setting.unwitnessed", f"{row.what}/{row.tenant}/{row.id or ''}", "an entry", row.set_at)
        elif row.said is not None:
            details = (entry.details.get(name, "") for name in ("kind", "uscc", "from_on", "through_on"))
            wanted = f"{' '.join(details)} {entry.reason}"
            if wanted != row.said:
                yield differs("setting.witness", f"{row.what}/{row.tenant}/{row.id}", wanted, row.said)
    yield from _calendars(snapshot, settings)
    yield from _tenants(snapshot, settings)
    yield from _clients(snapshot)
    yield from _clock(snapshot)


def _accounts(snapshot: Snapshot, settings: Settings, secrets: OpenedSecrets | None) -> Iterator[Difference]:
    seen = set()
    for row in snapshot.rows(_ACCOUNTS):
        place = f"payout_account/{row.tenant}"
        entries = settings.get((row.tenant, uuid5(NAMESPACE_OID, f"payout-account/{row.tenant}")), [])
        seen.add(row.tenant)
        if not entries:
            yield differs("setting.unwitnessed", place, "an entry of the audit chain", None)
            continue
        last = entries[-1]
        expected = {
            "account_name": last.details.get("account_name"),
            "account_number_tail": last.details.get("account_number"),
            "cnaps": last.details.get("cnaps"),
            "set_by": last.actor,
            **{name: last.details[name] for name in ("bank_name", "demonstration") if name in last.details},
        }
        yield from compared("setting.witness", place, expected, row)
        if not last.witnesses(row.set_at):
            yield differs("setting.witness", f"{place}/set_at", last.at, row.set_at)
        if secrets is not None:
            sealed = bytes(row.account_number_sealed)
            number = secrets.field_value(sealed, "payout_account", "account_number_sealed", row.tenant, row.tenant)
            if number is None or mask(number.decode()) != row.account_number_tail:
                yield differs("setting.sealed", f"{place}/account_number_sealed", row.account_number_tail, "another")
    yield from _absent(settings, "payout_account.", seen, "payout_account")


def _absent(settings: Settings, action: str, seen: set[str], table: str) -> Iterator[Difference]:
    for (tenant, _), entries in settings.items():
        if entries[0].action.startswith(action) and tenant not in seen:
            yield differs("setting.absent", f"{table}/{tenant}", "one row", None)


def _release_limits(snapshot: Snapshot, settings: Settings) -> Iterator[Difference]:
    """The sum above which a batch takes two releasers is what was last set."""
    seen = set()
    for row in snapshot.rows("select tenant, limit_fen, set_by, set_at from release_limit"):
        entries = settings.get((row.tenant, uuid5(NAMESPACE_OID, f"release-limit/{row.tenant}")), [])
        seen.add(row.tenant)
        place = f"release_limit/{row.tenant}"
        if not entries:
            yield differs("setting.unwitnessed", place, "an entry of the audit chain", None)
            continue
        last = entries[-1]
        yield from compared("setting.witness", place, {"set_by": last.actor}, row)
        if last.details.get("limit") != str(Money(row.limit_fen)):
            yield differs("setting.witness", f"{place}/limit_fen", last.details.get("limit"), Money(row.limit_fen))
        if not last.witnesses(row.set_at):
            yield differs("setting.witness", f"{place}/set_at", last.at, row.set_at)
    yield from _absent(settings, "release_limit.", seen, "release_limit")


def _budgets(snapshot: Snapshot, settings: Settings) -> Iterator[Difference]:
    """A year's appropriation is what was last set; an account without one has no limit."""
    for row in snapshot.stream(_BUDGETED):
        _, scheme, year = row.code.split("/")
        subject = uuid5(_BUDGETS, f"{row.tenant}/{scheme}/{year}")
        entries = settings.get((row.tenant, subject), [])
        place = f"ledger_account/{row.tenant}/{row.code}"
        amount = Money.parse(entries[-1].details["after"]["amount"]).fen if entries else 0
        if row.appropriated != amount:
            yield differs("budget.appropriation", place, Money(amount), Money(row.appropriated))
        if row.limit_fen != (0 if entries else None):
            yield differs("budget.limit", f"{place}/limit_fen", 0 if entries else None, row.limit_fen)
        for transfer, of, at, reason in zip(
            row.ids or (), row.subjects or (), row.times or (), row.reasons or (), strict=True
        ):
            where = f"ledger_transfer/{row.tenant}/{transfer}"
            if of != subject or witness(entries, at) is None:
                yield differs("budget.witness", where, "the act that set the budget", (of, at))
            if reason not in {"appropriation", "appropriation lowered"}:
                yield differs("transfer.reason", f"{where}/reason", "appropriation", reason)


def _calendars(snapshot: Snapshot, settings: Settings) -> Iterator[Difference]:
    """Each loading of a year is what its entry says, and none is missing."""
    rows = {(row.tenant, row.year, row.version): row for row in snapshot.rows(_CALENDARS)}
    said: dict[tuple[str, int, str], Entry] = {}
    for (tenant, _), entries in settings.items():
        for entry in entries:
            if entry.action == "calendar.loaded":
                after = entry.details["after"]
                said[tenant, int(after["year"]), after["version"]] = entry
    for key in sorted(rows.keys() | said.keys()):
        place = f"calendar_year/{key[0]}/{key[1]}/{key[2]}"
        row, told = rows.get(key), said.get(key)
        if row is None or told is None:
            yield differs("setting.unwitnessed", place, told and told.at, row and row.set_at)
            continue
        after = told.details["after"]
        found = {
            "holidays": [day.isoformat() for day in row.holidays],
            "workdays": [day.isoformat() for day in row.workdays],
            "cite": row.cite,
        }
        for column, value in found.items():
            if after[column] != value:
                yield differs("setting.witness", f"{place}/{column}", after[column], value)
        if told.actor != row.set_by or not told.witnesses(row.set_at):
            yield differs("setting.witness", f"{place}/set_at", (told.actor, told.at), (row.set_by, row.set_at))


def _divisions(settings: Settings) -> Iterator[Difference]:
    """A division gives nobody more than is due, in proportion to the fen, and in all what there was or what was due."""
    for (tenant, _), entries in settings.items():
        for entry in entries:
            if entry.action != "budget.divided":
                continue
            said = entry.details
            dues = [Money.parse(line["due"]).fen for line in said["claims"]]
            shares = [Money.parse(line["share"]).fen for line in said["claims"]]
            pot = max(int(said["pot"].replace(".", "")), 0)
            if shares != _shared(pot, dues):
                place = f"audit_entry/{tenant}/{entry.seq}/details/claims"
                yield differs("budget.division", place, _shared(pot, dues), shares)


def _shared(pot: int, dues: list[int]) -> list[int]:
    """Each part rounded down, and a fen more for those that lost most by it until the pot is empty."""
    owed = sum(dues)
    if owed <= pot:
        return dues
    parts = [pot * due // owed for due in dues]
    by_loss = sorted(range(len(dues)), key=lambda place: parts[place] * owed - pot * dues[place])
    for place in by_loss[: pot - sum(parts)]:
        parts[place] += 1
    return parts


def _tenants(snapshot: Snapshot, settings: Settings) -> Iterator[Difference]:
    """A tenant was there before its first act."""
    first: dict[str, Entry] = {}
    for (tenant, _), entries in settings.items():
        if tenant not in first or entries[0].seq < first[tenant].seq:
            first[tenant] = entries[0]
    rows = snapshot.rows(
        "select coalesce(t.tenant, h.tenant) as tenant, t.created_at from tenant t full join audit_head h "
        "on h.tenant = t.tenant"
    )
    for row in rows:
        snapshot.tally["tenants"] += 1
        if row.created_at is None:
            yield differs("tenant.absent", f"tenant/{row.tenant}", "one row", None)
            continue
        entry = first.get(row.tenant)
        if entry is not None and row.created_at > entry.at:
            yield differs("tenant.created", f"tenant/{row.tenant}/created_at", f"not after {entry.at}", row.created_at)


def _clients(snapshot: Snapshot) -> Iterator[Difference]:
    """Clients are well-formed; their tokens give no more than they have, for an hour at most."""
    statement = (
        "select client_id, secret_hash, platform, tenants, scopes, person, created_at, revoked_at, "
        "tenants <@ (select array_agg(tenant) from tenant) as known from client"
    )
    for row in snapshot.stream(statement):
        snapshot.tally["clients"] += 1
        place = f"client/{row.client_id}"
        begins = f"{row.platform or 'client'}-"
        if not row.client_id.removeprefix("test_").startswith(begins):
            yield differs("client.form", f"{place}/platform", begins, row.client_id)
        if len(row.secret_hash) != 64 or not set(row.secret_hash) <= set("0123456789abcdef"):  # noqa: PLR2004 - SHA-256
            yield differs("client.form", f"{place}/secret_hash", "64 hexadecimal digits", row.secret_hash)
        if not row.known:
            yield differs("client.form", f"{place}/tenants", "tenants that there are", row.tenants)
        if not set(row.scopes) <= SCOPES:
            yield differs("client.form", f"{place}/scopes", SCOPES, row.scopes)
        if row.revoked_at is not None and row.revoked_at < row.created_at:
            yield differs("client.form", f"{place}/revoked_at", f"not before {row.created_at}", row.revoked_at)
    for row in snapshot.rows(_ABSENT_CLIENTS):
        yield differs("client.absent", f"client/{row.client_id}", "one row", None)
    for row in snapshot.rows(_WRONG_TOKENS):
        yield differs(
            "client.token", f"access_token/{row.token}", row.allowed, (row.scopes, row.issued_at, row.expires_at)
        )


def _clock(snapshot: Snapshot) -> Iterator[Difference]:
    """The demonstration clock never stands before what has happened by it."""
    for row in snapshot.rows(_CLOCK):
        if row.now is None:
            if row.demonstrates:
                yield differs("clock.absent", "service_clock/demonstration_at", "one row", None)
        elif row.wrong or (row.latest is not None and row.now < row.latest):
            yield differs("clock.back", "service_clock/demonstration_at", f"not before {row.latest}", row.now)


def on_record(snapshot: Snapshot) -> frozenset[str]:
    """Credit codes of which any tenant keeps a record."""
    return frozenset(row.uscc for row in snapshot.rows(_ON_RECORD))
