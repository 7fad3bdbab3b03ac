"""Filing: what an intake decided is written, each kind of row at once, the audit chain last."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import count
from typing import Final
from uuid import UUID

import orjson
from sqlalchemy import Connection

from clearing.claims import registry
from clearing.claims.approval import claim_notice, settle
from clearing.claims.assessment import Assessment, TraceEntry, result_bytes
from clearing.claims.case import TAKES_MONEY, Assessed, Case, Desk
from clearing.claims.facts import facts_bytes
from clearing.claims.handover import revision_place
from clearing.claims.probes import Looks
from clearing.claims.records import ClaimRow, ClaimView, HoldRow, claim_write
from clearing.claims.registry import Locked
from clearing.claims.suspicions import hold_cases
from clearing.claims.vault import Vault
from connectors.printing import masked, stored_submission
from connectors.submission import Submission
from settlement import ledger
from settlement.ledger import Transfer
from tenants.kernel.canonical import Json, canonical_bytes, sha256
from tenants.kernel.change import Change, Heads, appended, chain_heads
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.ids import claim_number, new_id
from tenants.kernel.money import Money
from tenants.kernel.statements import Query, Write, made_ready, read, read_all, write_all

Filed = dict[UUID, ClaimView]
"""The claims of one transaction as they are answered, by id."""
CORRECTION_LIFE: Final = timedelta(days=30)
"""How long a claim sent back keeps its keys where no policy says it."""


@dataclass(frozen=True, slots=True)
class Papers:
    """What is filed of submissions whatever their assessments say, made ready before anything is locked for them."""

    shown: tuple[dict[str, Json], ...]
    """The submissions, masked."""
    revisions: Write

    def of_first(self, count: int) -> "Papers":
        """Those of the first of the submissions, where not all are taken in."""
        if count == len(self.shown):
            return self
        return Papers(self.shown[:count], replace(self.revisions, rows=self.revisions.rows[:count], made=None))


def papers_of(work: Work, vault: Vault, desk: Desk, cases: Sequence[Case]) -> Papers:
    """Mask the submissions, and seal the account numbers that they state."""
    shown = tuple([masked(case.printed) for case in cases])
    return Papers(shown, made_ready(_revisions(work, vault, desk, cases, shown)))


def file_claims(
    work: Work,
    vault: Vault,
    desk: Desk,
    assessed: Sequence[Assessed],
    papers: Papers,
    locked: Locked,
    accounts: Collection[str],
) -> Filed:
    """Write the assessed claims with all that belongs to them, and answer how they now stand.

    ``papers`` are theirs; ``accounts`` are open and locked. All is made ready before the locks that others of the
    tenant wait for are taken: budgets, the claims' numbers and the audit chain come last, for the shortest time.
    """
    transfers = [transfer for one in assessed for transfer in one.transfers]
    holds = [tuple(hold_rows_of(work.at, one.case.claim_id, one.assessment)) for one in assessed]
    looks = Looks((one.holder, one.others) for one in assessed)
    writes = [
        made_ready(write)
        for write in (
            papers.revisions,
            _assessments(work, desk.tenant, assessed),
            hold_write(desk.tenant, [hold for each in holds for hold in each]),
            registry.holding_write(locked.added),
            ledger.transfer_write(desk.tenant, transfers, work.at),
            *looks.writes(desk.client_id, work.at),
        )
    ]
    cases, opening = hold_cases(work, desk.actor, [hold for each in holds for hold in each], locked)
    corrected = [one.case.claim_id for one in assessed if one.case.earlier is not None]
    registry.release(work.connection, corrected)
    _use_reservations(work, desk.tenant, assessed)
    chains = {desk.tenant, *(change.tenant for change in opening)}
    series, heads = _lock_last(work.connection, desk.tenant, assessed, transfers, accounts, chains)
    numbers = _claim_numbers(assessed, series)
    rows = [_row(work, desk, one, numbers) for one in assessed]
    writes.insert(0, claim_write(rows))
    if approved := [row.id for row in rows if row.state == "approved"]:
        # the trust list replaces review: what settles them reads what is written here, and tells the chains of it
        write_all(work.connection, writes)
        settle(work, vault, desk.tenant, approved)
        writes, heads = [], read(work.connection, chain_heads(chains))
    changes = [_change(desk, one.case.earlier, row, looks) for one, row in zip(assessed, rows, strict=True)]
    write_all(work.connection, (*writes, cases, *appended(heads, [*changes, *opening], work.at)))
    return {
        row.id: ClaimView(row, row.state, submission, one.assessment, held)
        for row, submission, one, held in zip(rows, papers.shown, assessed, holds, strict=True)
    }


def _row(work: Work, desk: Desk, one: Assessed, numbers: dict[UUID, str]) -> ClaimRow:
    case, claim, verdict = one.case, one.case.submission, one.assessment
    earlier, granted = case.earlier, verdict.state in TAKES_MONEY
    return ClaimRow(
        tenant=desk.tenant,
        id=case.claim_id,
        claim_no=numbers[case.claim_id] if earlier is None else earlier.claim_no,
        platform=desk.platform,
        external_id=claim.external_id,
        scheme=claim.scheme,
        mode=claim.mode,
        state=verdict.state,
        next_stage=verdict.next_stage,
        revision=case.revision,
        content_mac=case.content_mac,
        policy_version=verdict.policy_version,
        quota_year=verdict.quota_year,
        enterprise_uscc=claim.enterprise.uscc,
        enterprise_name=claim.enterprise.name,
        provider_uscc=claim.provider.uscc,
        provider_name=claim.provider.name,
        division=claim.enterprise.division,
        base_fen=verdict.base.fen,
        computed_fen=verdict.computed.fen,
        award_fen=verdict.award.fen if granted else 0,
        matching_fen=verdict.matching.amount.fen if granted and verdict.matching is not None else 0,
        correction_due_on=_correction_due_on(work, one),
        reservation_id=claim.reservation_id if one.uses_reservation else None,
        submitted_at=claim.submitted_at,
        received_at=work.at if earlier is None else earlier.received_at,
        changed_at=work.at,
    )


def _correction_due_on(work: Work, one: Assessed) -> date | None:
    if one.assessment.state != "needs_correction":
        return None
    policy = one.case.policy
    life = CORRECTION_LIFE if policy is None else timedelta(days=policy.review.correction_days.value)
    return shanghai_day(work.at + life)


def _lock_last(
    connection: Connection,
    tenant: str,
    assessed: Sequence[Assessed],
    transfers: Sequence[Transfer],
    accounts: Collection[str],
    chains: Collection[str],
) -> tuple[dict[int, tuple[str, int]], Heads]:
    """Make the other accounts ready, take the claims' numbers, and lock the chains' heads.

    One round trip, in the order of the house. Of each year's series the tenant's code and the first of the numbers.
    """
    new = Counter(shanghai_day(one.case.submission.submitted_at).year for one in assessed if one.case.earlier is None)
    taken = [_numbers_taken(tenant, year, new[year]) for year in sorted(new)]
    *_, heads = answers = read_all(connection, *ledger.ready(tenant, transfers, accounts), *taken, chain_heads(chains))
    return dict(zip(sorted(new), answers[-1 - len(taken) : -1], strict=True)), heads


def _claim_numbers(assessed: Sequence[Assessed], series: Mapping[int, tuple[str, int]]) -> dict[UUID, str]:
    """The numbers of the claims that are new, in their order."""
    codes = {year: code for year, (code, _) in series.items()}
    following = {year: count(first) for year, (_, first) in series.items()}
    numbers = {}
    for one in assessed:
        if one.case.earlier is None:
            year = one.case.policy_on.year
            numbers[one.case.claim_id] = claim_number(codes[year], year, next(following[year]))
    return numbers


def _numbers_taken(tenant: str, year: int, wanted: int) -> Query[tuple[str, int]]:
    """The tenant's code and the first of the numbers taken."""
    return Query(
        "insert into number_series (tenant, series, year, latest) values (%s, 'claim', %s, %s) "
        "on conflict (tenant, series, year) do update set latest = number_series.latest + excluded.latest "
        "returning (select code from tenant t where t.tenant = number_series.tenant), latest",
        (tenant, year, wanted),
        lambda rows: (rows[0][0], rows[0][1] - wanted + 1),
    )


def hold_rows_of(at: datetime, claim_id: UUID, assessment: Assessment) -> list[HoldRow]:
    """A hold for each finding that holds the claim, with what it says of the other side."""
    if assessment.state != "on_hold":
        return []
    return [HoldRow(new_id(), claim_id, entry.rule, _place(entry), _detail(entry), at) for entry in assessment.holding]


def _place(entry: TraceEntry) -> str:
    """Where in the submission the finding points, several pointers with a space between."""
    places = entry.inputs.get("places") or [entry.inputs.get("place") or ""]
    return " ".join(map(str, places)) if isinstance(places, list) else str(places)


def _detail(entry: TraceEntry) -> str:
    message = {"zh": entry.message.zh, "en": entry.message.en}
    return canonical_bytes({"message": message, "other_side": entry.output.get("other_side") or []}).decode()


def _revisions(work: Work, vault: Vault, desk: Desk, cases: Sequence[Case], shown: Sequence[dict[str, Json]]) -> Write:
    rows = []
    for case, submission in zip(cases, shown, strict=True):
        claim_id, revision = case.claim_id, case.revision
        sealed = vault.sealer.seal(account_numbers(case.submission), revision_place(desk.tenant, claim_id, revision))
        stored = stored_submission(submission)
        rows.append((desk.tenant, claim_id, revision, stored, sealed, desk.client_id, work.at))
    columns = ("tenant", "claim_id", "revision", "submission", "sealed", "client_id", "received_at")
    kinds = ("text", "uuid", "integer", "text", "bytea", "text", "timestamptz")
    return Write("claim_revision", columns, rows, kinds=kinds)


def account_numbers(claim: Submission) -> str:
    """The account numbers of a submission, as the JSON text that is sealed: payee's, then each receipt's payer's."""
    payers = [receipt.payer_account for receipt in claim.receipts]
    return orjson.dumps({"payee": claim.payee.account_number, "payers": payers}).decode()  # canonical: texts in order


def _assessments(work: Work, tenant: str, assessed: Sequence[Assessed]) -> Write:
    """One row a revision; ``seq`` counts assessments, of which re-assessments may have added more."""
    rows = []
    corrected = [one.case.claim_id for one in assessed if one.case.earlier is not None]
    numbers = next_seq(work.connection, tenant, corrected) if corrected else {}
    for one in assessed:
        claim_id, revision = one.case.claim_id, one.case.revision
        seq = numbers.get(claim_id, 1)
        facts, result = one.written or (facts_bytes(one.facts), result_bytes(one.assessment))
        version = one.assessment.policy_version
        digest = sha256(result)
        rows.append((tenant, claim_id, seq, revision, version, facts, result, digest, "submitted", work.at))
    return Write("assessment", ASSESSMENT_COLUMNS, rows, kinds=ASSESSMENT_KINDS)


def next_seq(connection: Connection, tenant: str, claim_ids: Sequence[UUID]) -> dict[UUID, int]:
    """The number of each claim's next assessment, for those that have any."""
    rows = connection.exec_driver_sql(
        "select claim_id, max(seq) + 1 from assessment where tenant = %s and claim_id = any(%s) group by claim_id",
        (tenant, list(claim_ids)),
    )
    return dict(tuple(row) for row in rows)


ASSESSMENT_COLUMNS: Final = (
    "tenant", "claim_id", "seq", "revision", "policy_version", "facts", "result", "result_sha256", "reason", "at",
)  # fmt: skip
ASSESSMENT_KINDS: Final = (
    "text", "uuid", "integer", "integer", "text", "text", "text", "bytea", "text", "timestamptz",
)  # fmt: skip


def hold_write(tenant: str, holds: Sequence[HoldRow]) -> Write:
    """The holds as rows to be written."""
    return Write(
        "hold",
        ("tenant", "id", "claim_id", "code", "place", "detail", "opened_at"),
        [(tenant, h.id, h.claim_id, h.code, h.place, h.detail, h.opened_at) for h in holds],
    )


def _use_reservations(work: Work, tenant: str, assessed: Sequence[Assessed]) -> None:
    used = [one.case.submission.reservation_id for one in assessed if one.uses_reservation]
    if used:
        work.connection.exec_driver_sql(
            "update reservation set state = 'used' where tenant = %s and id = any(%s)", (tenant, used)
        )


def _change(desk: Desk, earlier: ClaimRow | None, row: ClaimRow, looks: Looks) -> Change:
    return Change(
        tenant=desk.tenant,
        actor=desk.actor,
        action="claim.submitted" if earlier is None else "claim.corrected",
        subject_id=row.id,
        from_state=None if earlier is None else earlier.state,
        to_state=row.state,
        details={
            "claim_no": row.claim_no,
            "platform": row.platform,
            "external_id": row.external_id,
            "revision": row.revision,
            "policy_version": row.policy_version,
            "award": str(Money(row.award_fen)),
            "content": row.content_mac.hex(),
            **looks.seen(row.id),
        },
        jobs=(claim_notice(row),),
    )
