"""Everything that is stored about one subject, gathered from all tables in one pass over each.

A subject is whatever the audit chain speaks of by an id: a claim, a reservation, a support record, a batch, a setting.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from clearing.verification.entries import COLUMNS, JOINED, Entry, awards_after, entry_of
from clearing.verification.snapshot import ROWS_AT_ONCE, WIDE_ROWS_AT_ONCE, Row, Snapshot, together


@dataclass(frozen=True, slots=True)
class Dossier:
    """All rows of one subject; each list is in the order in which its rows were made."""

    tenant: str
    subject_id: UUID
    rows: Mapping[str, list[Row]]
    entries: list[Entry]
    awards: Mapping[int, int | None]
    """The award in fen after each entry, by its number; ``None`` before any said one."""

    def __getitem__(self, table: str) -> list[Row]:
        return self.rows[table]

    def only(self, table: str) -> Row | None:
        """The subject's row in a table that has at most one."""
        rows = self.rows[table]
        return rows[0] if rows else None


_CLAIMS: Final = """
select tenant, id, claim_no, platform, external_id, scheme, mode, state, next_stage, revision, content_mac,
       policy_version, quota_year, enterprise_uscc, enterprise_name, provider_uscc, provider_name, division, base_fen,
       computed_fen, award_fen, matching_fen, correction_due_on, reservation_id, submitted_at, received_at, changed_at
  from claim order by tenant, id
"""
_REVISIONS: Final = """
select tenant, claim_id, revision, submission, sealed, client_id, received_at
  from claim_revision order by tenant, claim_id, revision
"""
_ASSESSMENTS: Final = """
select tenant, claim_id, seq, revision, policy_version, facts, result, result_sha256, reason, at
  from assessment order by tenant, claim_id, seq
"""
_HOLDS: Final = """
select tenant, claim_id, id, code, place, detail, opened_at, resolved_at, resolved_by, outcome, reason
  from hold order by tenant, claim_id, opened_at, id
"""
_REVIEWS: Final = """
select tenant, claim_id, id, revision, stage, outcome, award_fen, reason, reviewer, person, at
  from review order by tenant, claim_id, at, id
"""
_ENTRIES: Final = f"select {COLUMNS} from {JOINED} order by e.tenant, e.subject_id, e.seq"  # noqa: S608 - our own text
_TRANSFERS: Final = """
select tenant, subject_id, id, kind, debit, credit, amount_fen, pending_id, reverses, reason, at
  from ledger_transfer order by tenant, subject_id, id
"""
_HOLDINGS: Final = """
select h.tenant, h.holder_id, h.digest, h.exclusion_group, h.holder_kind, h.scheme, h.platform, h.enterprise_digest,
       h.month, h.status, h.claimed_fen, h.stated_fen, k.kind, k.key_version
  from registry_holding h
  left join registry_key k on k.digest = h.digest and k.exclusion_group = h.exclusion_group
 order by h.tenant, h.holder_id
"""
_PROBES: Final = """
select s.tenant, p.seeker_id, p.tenant as met_tenant, p.id, p.kind, p.holder_id, p.platform, p.month, p.client_id, p.at
  from registry_probe p
  join (select tenant, id from claim union all select tenant, id from support_record) s on s.id = p.seeker_id
 order by s.tenant, p.seeker_id, p.at, p.id
"""
_PAIRS: Final = """
select tenant, claim_id, id, place, other_reference, other_platform, other_month, other_place, probability_parts,
       fields, model_sha256, hold_id, found_at, resolved_at, resolved_by, outcome, reason
  from similar_pair order by tenant, claim_id, found_at, id
"""
_OBLIGATIONS: Final = """
select tenant, id, claim_no, platform, scheme, mode, quota_year, enterprise_name, provider_name, provider_uscc,
       payee_name, account_name, account_sealed, payee_digest, bank_name, cnaps, amount_fen, approved_at, released_at,
       held_at, batch_id, provider_division, kind, funder, origin_id, due_on,
       applied_at
  from obligation order by tenant, id
"""
_ITEMS: Final = """
select tenant, claim_id, batch_id, line, amount_fen, removed_at, removed_reason
  from batch_item order by tenant, claim_id, removed_at nulls last, batch_id
"""
_OBJECTIONS: Final = """
select tenant, claim_id, id, batch_id, made_by, made_at, reason, contact_sealed, source_digest
  from objection order by tenant, claim_id, made_at, id
"""
_OBJECTIONS_RESOLVED: Final = """
select tenant, obligation_id, objection_id, reason, resolved_by, resolved_at, upholding_id
  from objection_resolution order by tenant, obligation_id, resolved_at, objection_id
"""
_UPHOLDINGS: Final = """
select tenant, obligation_id, id, objection_id, outcome, keeps_fen, reason, proposed_by, proposed_at
  from objection_upholding order by tenant, obligation_id, proposed_at, id
"""
_UPHOLDING_DECISIONS: Final = """
select tenant, obligation_id, upholding_id, objection_id, proposed_by, outcome, reason, instead_id, decided_by,
       decided_at
  from objection_upholding_decision order by tenant, obligation_id, decided_at, upholding_id
"""
_NOTICES: Final = """
select tenant, subject_id, id, kind, platform, payload, created_at
  from outbox where kind not in
       ('payout.paid', 'payout.returned', 'payout.rejected', 'payout.reissued', 'payout.withdrawn')
 order by tenant, subject_id, created_at, id
"""
_RESERVATIONS: Final = """
select tenant, id, reservation_no, platform, external_id, scheme, mode, state, enterprise_uscc, enterprise_name,
       provider_uscc, provider_name, contract_number, request, quota_year, amount_fen, expires_on, requested_at,
       confirmed_at, confirmed_by, computed_fen, lowered_reason
  from reservation order by tenant, id
"""
_SUPPORT: Final = """
select tenant, id, platform, external_id, content_mac, supported_on, keys, client_id, received_at, chunk_id, red_letter,
       seen
  from support_record order by tenant, id
"""
_RECEIPTS: Final = """
select tenant, id, platform, day_on, submissions, claimed_fen, support_records, issued_at from receipt
 order by tenant, id
"""
_CASES: Final = """
select tenant, c.id, which, kind, code, opened_at, due_on, later_tenant, later_kind, later_id, later_platform,
       later_month, later_owner, earlier_tenant, earlier_kind, earlier_id, earlier_platform, earlier_month,
       earlier_owner, resolved_at, resolved_by, resolved_for, outcome, reason
  from (select later_tenant as tenant, 'later' as which, * from duplicate_case
        union all
        select earlier_tenant, 'earlier', * from duplicate_case where earlier_tenant <> later_tenant) c
 order by tenant, c.id
"""
_QUALIFICATIONS: Final = """
select tenant, id, scheme, year, uscc, name, division, enterprise_type, proof, policy_version, at_once, state, from_on,
       through_on, entered_by, entered_at, decided_by, decided_at, reason
  from qualification order by tenant, id
"""
_ADMISSIONS: Final = """
select tenant, id, scheme, uscc, name, division, kind, direct, established_on, on_platform, platform_number, proofs,
       policy_version, state, from_on, through_on, publicity_through_on, calendar_version, exit_ground, entered_by,
       entered_at, decided_by, decided_at, reason
  from admission order by tenant, id
"""

_SUBMISSIONS: Final = """
select tenant, id, batch_id, order_id, message_id, method, file_name, file_sha256, ordered_by, ordered_at
  from bank_submission order by tenant, id
"""
_CALLS: Final = """
select tenant, submission_id, id, seq, kind, cleared_by, made_at from bank_call order by tenant, submission_id, seq, id
"""
_ANSWERS: Final = """
select tenant, submission_id, call_id, kind, outcome, detail, answered_at
  from bank_answer order by tenant, submission_id, answered_at, call_id
"""
_STATEMENTS: Final = """
select tenant, id, batch_id, order_id, format, sha256, size_bytes, line_count, lines_sha256, imported_by, imported_at
  from bank_statement order by tenant, id
"""
_CORRECTIONS: Final = """
select tenant, id, obligation_id, instruction_id, came_back, account_name, account_sealed, account_tail, payee_digest,
       bank_name, cnaps, reason, proposed_by, proposed_at
  from account_correction order by tenant, id
"""
_DECISIONS: Final = """
select tenant, correction_id, proposed_by, outcome, reason, cooling_through_on, decided_by, decided_at
  from account_correction_decision order by tenant, correction_id
"""
_REISSUES: Final = """
select tenant, obligation_id, of_obligation, attempt, correction_id, cooling_through_on, made_by, made_at
  from reissue order by tenant, obligation_id
"""
_SETTLEMENTS: Final = """
select tenant, batch_id, number, lines_sha256, sha256, reason, made_by, made_at
  from batch_settlement order by tenant, batch_id, number
"""
_RESOLUTIONS: Final = """
select tenant, id, kind, instruction_id, order_tenant, order_id, outcome, amount_fen, charge_fen, reason, proposed_by,
       proposed_at
  from suspense_resolution order by tenant, id
"""
_SUSPENSE_PARTS: Final = """
select tenant, resolution_id, part, statement_id, line, kind, amount_fen
  from suspense_part order by tenant, resolution_id, part
"""
_SUSPENSE_DECISIONS: Final = """
select tenant, resolution_id, proposed_by, outcome, reason, decided_by, decided_at
  from suspense_decision order by tenant, resolution_id
"""
_MONTHS: Final = """
select tenant, id, month_on, report_sha256, previous_sha256, closed_by, closed_at from month_close order by tenant, id
"""
_CLAWBACKS: Final = """
select k.tenant, k.id, k.claim_id, k.amount_fen, k.reason, k.sanction_id, k.made_by, k.made_at, c.scheme, c.quota_year,
       c.enterprise_uscc, c.claim_no, c.external_id, c.platform, c.policy_version
  from clawback k left join claim c on c.tenant = k.tenant and c.id = k.claim_id order by k.tenant, k.id
"""
_RECOVERIES: Final = """
select tenant, clawback_id, id, amount_fen, bank_reference, recorded_by, recorded_at
  from clawback_recovery order by tenant, clawback_id, recorded_at, id
"""
_ASKED_BACK: Final = """
with recursive given_up (tenant, id, amount_fen) as (
    select o.tenant, o.id, o.amount_fen from objection_upholding u
      join objection_upholding_decision d on d.tenant = u.tenant and d.upholding_id = u.id and d.outcome = 'approve'
      join obligation o on o.tenant = u.tenant and o.id = u.obligation_id and o.kind = 'reissue'
     where u.outcome = 'withdrawn'
    union all
    select r.tenant, r.of_obligation, g.amount_fen
      from given_up g join reissue r on r.tenant = g.tenant and r.obligation_id = g.id)
select tenant, claim_id, sum(amount_fen)::bigint as amount_fen from (
    select tenant, claim_id, amount_fen from clawback
    union all
    select g.tenant, g.id, g.amount_fen from given_up g join claim c on c.tenant = g.tenant and c.id = g.id) back
 group by 1, 2 order by 1, 2
"""
_OUTCOMES: Final = """
select c.tenant, c.claim_id, o.instruction_id as id, o.outcome, o.at
  from instruction_claim c join instruction_outcome o on o.tenant = c.tenant and o.instruction_id = c.instruction_id
 order by c.tenant, c.claim_id, o.at
"""

_STREAMS: Final[Mapping[str, tuple[str, int]]] = {
    "claim": (_CLAIMS, ROWS_AT_ONCE),
    "claim_revision": (_REVISIONS, WIDE_ROWS_AT_ONCE),
    "assessment": (_ASSESSMENTS, WIDE_ROWS_AT_ONCE),
    "hold": (_HOLDS, ROWS_AT_ONCE),
    "review": (_REVIEWS, ROWS_AT_ONCE),
    "entry": (_ENTRIES, ROWS_AT_ONCE),
    "ledger_transfer": (_TRANSFERS, ROWS_AT_ONCE),
    "registry_holding": (_HOLDINGS, ROWS_AT_ONCE),
    "similar_pair": (_PAIRS, ROWS_AT_ONCE),
    "registry_probe": (_PROBES, ROWS_AT_ONCE),
    "obligation": (_OBLIGATIONS, ROWS_AT_ONCE),
    "batch_item": (_ITEMS, ROWS_AT_ONCE),
    "objection": (_OBJECTIONS, ROWS_AT_ONCE),
    "objection_resolution": (_OBJECTIONS_RESOLVED, ROWS_AT_ONCE),
    "objection_upholding": (_UPHOLDINGS, ROWS_AT_ONCE),
    "objection_upholding_decision": (_UPHOLDING_DECISIONS, ROWS_AT_ONCE),
    "outbox": (_NOTICES, ROWS_AT_ONCE),
    "reservation": (_RESERVATIONS, ROWS_AT_ONCE),
    "support_record": (_SUPPORT, ROWS_AT_ONCE),
    "duplicate_case": (_CASES, ROWS_AT_ONCE),
    "qualification": (_QUALIFICATIONS, ROWS_AT_ONCE),
    "admission": (_ADMISSIONS, ROWS_AT_ONCE),
    "bank_submission": (_SUBMISSIONS, ROWS_AT_ONCE),
    "bank_call": (_CALLS, ROWS_AT_ONCE),
    "bank_answer": (_ANSWERS, ROWS_AT_ONCE),
    "bank_statement": (_STATEMENTS, ROWS_AT_ONCE),
    "account_correction": (_CORRECTIONS, ROWS_AT_ONCE),
    "account_correction_decision": (_DECISIONS, ROWS_AT_ONCE),
    "reissue": (_REISSUES, ROWS_AT_ONCE),
    "batch_settlement": (_SETTLEMENTS, ROWS_AT_ONCE),
    "suspense_resolution": (_RESOLUTIONS, ROWS_AT_ONCE),
    "suspense_part": (_SUSPENSE_PARTS, ROWS_AT_ONCE),
    "suspense_decision": (_SUSPENSE_DECISIONS, ROWS_AT_ONCE),
    "month_close": (_MONTHS, ROWS_AT_ONCE),
    "clawback": (_CLAWBACKS, ROWS_AT_ONCE),
    "clawback_recovery": (_RECOVERIES, ROWS_AT_ONCE),
    "asked_back": (_ASKED_BACK, ROWS_AT_ONCE),
    "instruction_outcome": (_OUTCOMES, ROWS_AT_ONCE),
    "receipt": (_RECEIPTS, ROWS_AT_ONCE),
    "batch": ("select tenant, id from batch order by tenant, id", ROWS_AT_ONCE),
}
"""Each table's statement, ordered by tenant and subject, and how many of its rows are fetched at once."""

PLACES: Final[Mapping[str, str]] = {
    "claim_revision": "revision",
    "assessment": "seq",
    "hold": "id",
    "review": "id",
    "ledger_transfer": "id",
    "registry_probe": "id",
    "similar_pair": "id",
    "batch_item": "batch_id",
    "objection": "id",
    "outbox": "id",
}
"""What tells the rows of one subject apart in each table."""


def dossiers(snapshot: Snapshot) -> Iterator[Dossier]:
    """Every subject that any row belongs to."""
    streams = {
        name: snapshot.stream(statement, rows_at_once=rows_at_once)
        for name, (statement, rows_at_once) in _STREAMS.items()
    }
    for (tenant, subject_id), rows in together(streams):
        entries = [entry_of(row) for row in rows.pop("entry")]
        yield Dossier(tenant, subject_id, rows, entries, awards_after(entries))


def place_of(table: str, tenant: str, name: Any, row: Row | None = None) -> str:  # noqa: ANN401 - a number or id
    """Where a row of a subject is: ``table/tenant/name``, and what tells it apart from the subject's others."""
    place = f"{table}/{tenant}/{name}"
    if row is None or table not in PLACES:
        return place
    return f"{place}/{getattr(row, PLACES[table])}"
