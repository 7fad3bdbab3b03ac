"""What was asked back and what came back: by the chain's word, within what was paid, in the year it was paid from."""

from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from clearing.verification.amounts import fen_of
from clearing.verification.claim_money import place_of_transfer, shown_flows, standing_flows
from clearing.verification.context import Context
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.dossiers import Dossier
from clearing.verification.entries import Entry, witness
from clearing.verification.notices import notice_differences
from clearing.verification.snapshot import Row, Snapshot
from tenants.kernel.canonical import canonical_bytes
from tenants.kernel.money import Money

_BOUNDS: Final = """
select k.tenant, k.claim_id, min(k.id::text) as id, sum(k.amount_fen)::bigint as asked, o.amount_fen,
       payout_state(k.tenant, k.claim_id) as state
  from clawback k left join obligation o on o.tenant = k.tenant and o.id = k.claim_id
 group by k.tenant, k.claim_id, o.amount_fen
having o.amount_fen is null or sum(k.amount_fen) > o.amount_fen
    or payout_state(k.tenant, k.claim_id) is distinct from 'paid'
"""
_SANCTIONS: Final = """
select k.tenant, k.id from clawback k left join standing s on s.tenant = k.tenant and s.id = k.sanction_id
  join claim c on c.tenant = k.tenant and c.id = k.claim_id
 where k.sanction_id is not null and (s.kind, s.uscc, s.set_by, s.set_at, s.cite) is distinct from
                                     ('sanction', c.enterprise_uscc, k.made_by, k.made_at, k.reason)
"""


def clawback_bound_differences(snapshot: Snapshot) -> Iterator[Difference]:
    """More asked back than was paid, or of what was never paid, or with a sanction that is another's."""
    for row in snapshot.stream(_BOUNDS):
        place = f"clawback/{row.tenant}/{row.id}/amount_fen"
        yield differs("clawback.bound", place, f"at most {row.amount_fen} of what is paid", (row.asked, row.state))
    for row in snapshot.stream(_SANCTIONS):
        yield differs("clawback.sanction", f"clawback/{row.tenant}/{row.id}/sanction_id", "its enterprise's", None)


def clawback_differences(dossier: Dossier, row: Row, context: Context) -> Iterator[Difference]:
    """What is wrong with one clawback, its recoveries and its money."""
    place = f"clawback/{row.tenant}/{row.id}"
    if not dossier.entries or dossier.entries[0].action != "clawback.made":
        yield differs("clawback.unwitnessed", place, "entries of the audit chain", None)
        return
    made, *recovered = dossier.entries
    said = made.details
    expected: dict[str, Any] = {
        "claim_id": UUID(said["claim"]),
        "amount_fen": fen_of(said["amount"]),
        "reason": made.reason,
        "sanction_id": None if said["sanction"] is None else UUID(said["sanction"]),
        "made_by": made.actor,
    }
    yield from compared("clawback.witness", place, expected, row)
    if not made.witnesses(row.made_at):
        yield differs("clawback.witness", f"{place}/made_at", made.at, row.made_at)
    yield from _recoveries(dossier, row, recovered)
    yield from _money(dossier, row, context)
    yield from notice_differences(dossier, [("payout.clawed_back", row.platform, _payload(row, made), made)])


def _payload(row: Row, made: Entry) -> str:
    return canonical_bytes(
        {
            "claim_id": str(row.claim_id),
            "claim_no": row.claim_no,
            "external_id": row.external_id,
            "tenant": row.tenant,
            "amount": made.details["amount"],
            "whole": made.details["whole"],
        }
    ).decode()


def _recoveries(dossier: Dossier, row: Row, entries: list[Entry]) -> Iterator[Difference]:
    place = f"clawback_recovery/{row.tenant}/{row.id}"
    found = {each.id: each for each in dossier["clawback_recovery"]}
    said = {UUID(entry.details["recovery"]): entry for entry in entries}
    for missing in said.keys() ^ found.keys():
        yield differs("clawback.recovery", f"{place}/{missing}", missing in said, missing in found)
    for recovery_id in said.keys() & found.keys():
        entry, one = said[recovery_id], found[recovery_id]
        expected = {
            "amount_fen": fen_of(entry.details["amount"]),
            "bank_reference": entry.details["bank_reference"],
            "recorded_by": entry.actor,
        }
        yield from compared("clawback.recovery", f"{place}/{recovery_id}", expected, one)
        if not entry.witnesses(one.recorded_at):
            yield differs("clawback.recovery", f"{place}/{recovery_id}/recorded_at", entry.at, one.recorded_at)
    total = sum(each.amount_fen for each in found.values())
    if total > row.amount_fen:
        yield differs("clawback.recovery", place, f"at most {Money(row.amount_fen)}", Money(total))


def _money(dossier: Dossier, row: Row, context: Context) -> Iterator[Difference]:
    year, terms = f"{row.scheme}/{row.quota_year}", context.policies.get((row.tenant, row.policy_version or ""))
    capped = f"{row.scheme if terms is None else terms.cap}/{row.quota_year}"
    flows = [(f"paid/{year}", f"clawback/{year}", row.amount_fen)]
    for one in dossier["clawback_recovery"]:
        flows.append((f"clawback/{year}", f"budget/{year}", one.amount_fen))
        flows.append((f"quota-used/{capped}", f"quota/{capped}/{row.enterprise_uscc}", one.amount_fen))
    standing = standing_flows(dossier)
    if standing != sorted(flows):
        place = f"ledger_transfer/{row.tenant}/{row.id}"
        yield differs("claim.owed", place, shown_flows(sorted(flows)), shown_flows(standing))
    for transfer in dossier["ledger_transfer"]:
        action = "clawback.made" if transfer.debit.startswith("paid/") else "clawback.recovered"
        reason = action.replace("made", "clawback").split(".")[1].replace("recovered", "recovery")
        if witness(dossier.entries, transfer.at, action) is None or transfer.reason != reason or transfer.reverses:
            found = (transfer.at, transfer.reason)
            yield differs("transfer.witness", place_of_transfer(transfer), "what was asked or came back", found)
