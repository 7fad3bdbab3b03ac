"""Debts between tenants: each is one claim of a released batch, once, in both tenants' books alike."""

from collections.abc import Iterator
from typing import Any, Final

from clearing.verification.context import Context
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.snapshot import Row, Snapshot
from clearing.verification.unsealing import OpenedSecrets
from tenants.kernel.money import Money

_COPIED: Final = (
    "claim_no", "platform", "scheme", "mode", "quota_year", "enterprise_name", "provider_name", "provider_uscc",
    "payee_name", "account_name", "payee_digest", "bank_name", "cnaps", "amount_fen", "provider_division",
)  # fmt: skip
"""What the home tenant's obligation says as the funder's does."""

_DEBTS: Final = f"""
select d.tenant, d.claim_id, d.creditor, d.obligation_id, d.batch_id, d.cycle_id, d.scheme, d.quota_year, d.amount_fen,
       d.transfer_id, d.creditor_transfer_id, d.posted_at, d.moved, d.owed_account, d.clearing_account,
       d.mirror_account,
       b.batch_no, b.scheme as b_scheme, b.counterparty as b_counterparty, b.released_at as b_released_at,
       b.agreement_id as b_agreement_id, i.amount_fen as i_amount_fen, o.quota_year as o_quota_year,
       o.account_sealed as o_account_sealed, c.agreement_set as c_agreement_set,
       h.id as h_id, h.kind as h_kind, h.funder as h_funder, h.origin_id as h_origin_id, h.due_on as h_due_on,
       h.approved_at as h_approved_at, h.released_at as h_released_at, h.account_sealed as h_account_sealed,
       {", ".join(f"o.{name} as o_{name}, h.{name} as h_{name}" for name in _COPIED if name != "quota_year")},
       h.quota_year as h_quota_year,
       (t.debit, t.credit, t.amount_fen, t.kind, t.subject_id, t.at, t.reason) as transfer,
       (m.debit, m.credit, m.amount_fen, m.kind, m.subject_id, m.at, m.reason) as mirror
  from clearing_debt d
  left join batch b on b.tenant = d.tenant and b.id = d.batch_id
  left join batch_item i on i.tenant = d.tenant and i.batch_id = d.batch_id and i.claim_id = d.claim_id
                        and i.removed_at is null
  left join obligation o on o.tenant = d.tenant and o.id = d.claim_id
  left join obligation h on h.tenant = d.creditor and h.id = d.obligation_id
  left join clearing_cycle c on c.id = d.cycle_id
  left join ledger_transfer t on t.tenant = d.tenant and t.id = d.transfer_id
  left join ledger_transfer m on m.tenant = d.creditor and m.id = d.creditor_transfer_id
 order by d.tenant, d.claim_id
"""  # noqa: S608 - our own text
_MISSING: Final = """
select i.tenant, i.claim_id, b.batch_no from batch b
  join batch_item i on i.tenant = b.tenant and i.batch_id = b.id and i.removed_at is null
 where b.form = 'home_region' and b.released_at is not null
   and not exists (select 1 from clearing_debt d where d.tenant = i.tenant and d.claim_id = i.claim_id
                      and d.batch_id = b.id)
"""
_OWED_TWICE: Final = """
select creditor, obligation_id, count(*) as times from clearing_debt group by 1, 2 having count(*) > 1
"""
_HANDED: Final = """
select o.tenant, o.id from obligation o where o.kind = 'home_region'
   and not exists (select 1 from clearing_debt d where d.creditor = o.tenant and d.obligation_id = o.id)
"""
_HOLDS: Final = """
select tenant, batch_id, counterparty, owed_fen, limit_fen, approver, held_by, held_at, lifted_by, lifted_at, reason
  from exposure_hold
"""


def debt_differences(snapshot: Snapshot, context: Context) -> Iterator[Difference]:
    """What is wrong with any debt, and with the obligations that came of them."""
    for row in snapshot.counted("clearing debts", snapshot.stream(_DEBTS)):
        place = f"clearing_debt/{row.tenant}/{row.claim_id}"
        yield from _batch(place, row, context)
        yield from _books(place, row)
        yield from _handed(row, context.secrets)
    for row in snapshot.stream(_MISSING):
        yield differs("debt.missing", f"clearing_debt/{row.tenant}/{row.claim_id}", row.batch_no, None)
    for row in snapshot.rows(_OWED_TWICE):
        yield differs("debt.once", f"obligation/{row.creditor}/{row.obligation_id}", 1, row.times)
    for row in snapshot.stream(_HANDED):
        yield differs("debt.handed", f"obligation/{row.tenant}/{row.id}", "a debt of its funder", None)
    yield from _holds(snapshot, context)
    yield from _received(snapshot, context)


def _batch(place: str, row: Row, context: Context) -> Iterator[Difference]:
    """It is the item of a batch that was released by an agreement, in a window of the agreement's set."""
    agreement = context.agreements.get(row.b_agreement_id)
    wanted: dict[str, Any] = {
        "creditor": row.b_counterparty,
        "scheme": row.b_scheme,
        "quota_year": row.o_quota_year,
        "amount_fen": row.i_amount_fen,
        "posted_at": row.b_released_at,
        "moved": False,
        "owed_account": f"obligations/{row.scheme}/{row.quota_year}",
        "clearing_account": f"clearing/{row.scheme}/{row.quota_year}/{row.creditor}",
        "mirror_account": f"clearing/{row.scheme}/{row.quota_year}/{row.tenant}",
    }
    yield from compared("debt.row", place, wanted, row)
    agreed = None if agreement is None else agreement.agreement_set
    if row.c_agreement_set != agreed or agreed is None:
        yield differs("debt.window", f"{place}/cycle_id", agreed, row.c_agreement_set)


def _books(place: str, row: Row) -> Iterator[Difference]:
    """The transfer of the one, and its mirror with the other."""
    rest = (row.amount_fen, "posted")
    act = (row.b_released_at, row.batch_no)
    for column, subject, sides, found in (
        ("transfer_id", row.claim_id, (row.owed_account, row.clearing_account), row.transfer),
        ("creditor_transfer_id", row.obligation_id, (row.mirror_account, row.owed_account), row.mirror),
    ):
        wanted = (*sides, *rest, subject, *act)
        if tuple(found) != wanted:
            yield differs("debt.books", f"{place}/{column}", wanted, found)


def _handed(row: Row, secrets: OpenedSecrets | None) -> Iterator[Difference]:
    """The home tenant's obligation says what the funder's says."""
    place = f"obligation/{row.creditor}/{row.obligation_id}"
    if row.h_id is None:
        yield differs("debt.handed", place, "one row", None)
        return
    for name in _COPIED:
        wanted, found = getattr(row, f"o_{name}"), getattr(row, f"h_{name}")
        if wanted != found:
            yield differs("debt.handed", f"{place}/{name}", wanted, found)
    for name, wanted in (
        ("kind", "home_region"), ("funder", row.tenant), ("origin_id", row.claim_id), ("due_on", None),
        ("approved_at", row.b_released_at), ("released_at", None),
    ):  # fmt: skip
        found = getattr(row, f"h_{name}")
        if wanted != found:
            yield differs("debt.handed", f"{place}/{name}", wanted, found)
    if secrets is not None and row.o_account_sealed is not None:
        numbers = [
            secrets.field_value(bytes(sealed), "obligation", "account_sealed", tenant, str(subject))
            for sealed, tenant, subject in (
                (row.o_account_sealed, row.tenant, row.claim_id),
                (row.h_account_sealed, row.creditor, row.obligation_id),
            )
        ]
        if numbers[0] is None or numbers[0] != numbers[1]:
            yield differs("debt.handed", f"{place}/account_sealed", "the funder's account number", "another")


def _holds(snapshot: Snapshot, context: Context) -> Iterator[Difference]:
    """Every hold at a limit was opened and lifted as the chain says, by the approver whom the agreement names."""
    seen = set()
    for row in snapshot.rows(_HOLDS):
        place = f"exposure_hold/{row.tenant}/{row.batch_id}"
        seen.add((row.tenant, row.batch_id))
        entries = [e for e in context.settings.get((row.tenant, row.batch_id), []) if e.action.startswith("exposure.")]
        if not entries:
            yield differs("exposure.unwitnessed", place, "an entry of the audit chain", None)
            continue
        held, lifted = entries[0], entries[1] if len(entries) > 1 else None
        batch = context.batches.get((row.tenant, row.batch_id))
        agreement = None if batch is None else context.agreements.get(batch.agreement_id)
        expected = {
            "counterparty": held.details.get("counterparty"),
            "approver": None if agreement is None else agreement.exposure_approver,
            "held_by": held.actor,
            "held_at": row.held_at if held.witnesses(row.held_at) else held.at,
            "lifted_by": None if lifted is None else lifted.actor,
            "lifted_at": None if lifted is None else row.lifted_at if lifted.witnesses(row.lifted_at) else lifted.at,
            "reason": None if lifted is None else lifted.reason,
            "limit_fen": None if agreement is None else agreement.exposure_limit_fen,
        }
        yield from compared("exposure.witness", place, expected, row)
        for name, fen in (("owed", row.owed_fen), ("limit", row.limit_fen)):
            if held.details.get(name) != str(Money(fen)):
                yield differs("exposure.witness", f"{place}/{name}_fen", held.details.get(name), Money(fen))
        if lifted is not None and lifted.actor != row.approver:
            yield differs("exposure.people", f"{place}/approver", lifted.actor, row.approver)
    for (tenant, subject), entries in context.settings.items():
        if any(e.action == "exposure.held" for e in entries) and (tenant, subject) not in seen:
            yield differs("exposure.unwitnessed", f"exposure_hold/{tenant}/{subject}", "one row", None)


def _received(snapshot: Snapshot, context: Context) -> Iterator[Difference]:
    """The home tenant's chain says of each batch how many obligations it took over, and their sum."""
    taken = {
        (row.tenant, row.batch_id): (row.items, row.fen)
        for row in snapshot.rows(
            "select creditor as tenant, batch_id, count(*) as items, sum(amount_fen)::bigint as fen "
            "from clearing_debt group by 1, 2"
        )
    }
    for (tenant, subject), entries in context.settings.items():
        for entry in entries:
            if entry.action == "obligations.received":
                items, fen = taken.pop((tenant, subject), (0, 0))
                said = (entry.details.get("count"), entry.details.get("total"))
                if said != (items, str(Money(fen))):
                    yield differs("debt.received", f"obligation/{tenant}/{subject}", said, (items, str(Money(fen))))
    for tenant, subject in taken:
        yield differs("debt.received", f"obligation/{tenant}/{subject}", "an entry of the audit chain", None)
