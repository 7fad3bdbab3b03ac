"""Filing: what an intake decided is written, each kind of row in one statement, the audit chain last."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from clearing.claims import registry
from clearing.claims.approval import claim_notice, settle
from clearing.claims.assessment import result_json
from clearing.claims.case import Assessed, Desk
from clearing.claims.quota import write_transfers
from clearing.claims.records import ClaimRow, ClaimView, HoldRow, facts_json, write_claims
from clearing.claims.registry import Locked
from clearing.claims.vault import Vault
from connectors.reading import submission_json
from connectors.submission import Submission
from tenants.kernel.canonical import Json, canonical_bytes, sha256
from tenants.kernel.change import Change, record
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work, insert_rows
from tenants.kernel.ids import claim_number, new_id
from tenants.kernel.money import Money
from tenants.kernel.sealing import Place

CORRECTION_LIFE: Final = timedelta(days=30)
"""How long a claim sent back keeps its keys where no policy says it."""


def file_claims(
    work: Work, vault: Vault, desk: Desk, assessed: Sequence[Assessed], locked: Locked, limits: Mapping[str, Money]
) -> dict[UUID, ClaimView]:
    """Write the assessed claims with all that belongs to them, and answer how they now stand."""
    if not assessed:
        return {}
    numbers = _claim_numbers(work.connection, desk.tenant, assessed)
    rows = [_row(work, desk, one, numbers) for one in assessed]
    holds = {one.case.claim_id: _holds(work, one) for one in assessed}
    results = {one.case.claim_id: result_json(one.assessment) for one in assessed}
    masked = {one.case.claim_id: submission_json(one.case.submission, mask=True) for one in assessed}
    write_claims(work.connection, rows)
    _write_revisions(work, vault, desk, assessed, masked)
    _write_assessments(work, desk.tenant, assessed, results)
    _write_holds(work.connection, desk.tenant, [hold for found in holds.values() for hold in found])
    corrected = [one.case.claim_id for one in assessed if one.case.earlier is not None]
    if corrected:
        registry.release(work.connection, corrected)
    registry.write_holdings(work.connection, locked.added)
    _write_transfers(work, desk.tenant, assessed, limits)
    approved = [row.id for row in rows if row.state == "approved"]
    if approved:
        settle(work, vault, desk.tenant, approved)
    record(work.connection, [_change(desk, one, row) for one, row in zip(assessed, rows, strict=True)], work.at)
    return {row.id: ClaimView(row, row.state, masked[row.id], results[row.id], tuple(holds[row.id])) for row in rows}


def _row(work: Work, desk: Desk, one: Assessed, numbers: dict[UUID, str]) -> ClaimRow:
    case, claim, verdict = one.case, one.case.submission, one.assessment
    earlier = case.earlier
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
        award_fen=verdict.award.fen,
        matching_fen=0 if verdict.matching is None else verdict.matching.amount.fen,
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


def _claim_numbers(connection: Connection, tenant: str, assessed: Sequence[Assessed]) -> dict[UUID, str]:
    """The next numbers of each year's series for the claims that are new, in their order."""
    by_year: dict[int, list[UUID]] = {}
    for one in assessed:
        if one.case.earlier is None:
            by_year.setdefault(shanghai_day(one.case.submission.submitted_at).year, []).append(one.case.claim_id)
    numbers: dict[UUID, str] = {}
    for year, claim_ids in sorted(by_year.items()):
        code, latest = connection.exec_driver_sql(
            "insert into number_series (tenant, series, year, latest) values (%s, 'claim', %s, %s) "
            "on conflict (tenant, series, year) do update set latest = number_series.latest + excluded.latest "
            "returning (select code from tenant t where t.tenant = number_series.tenant), latest",
            (tenant, year, len(claim_ids)),
        ).one()
        first = latest - len(claim_ids) + 1
        numbers |= {claim_id: claim_number(code, year, first + n) for n, claim_id in enumerate(claim_ids)}
    return numbers


def _holds(work: Work, one: Assessed) -> list[HoldRow]:
    if one.assessment.state != "on_hold":
        return []
    return [
        HoldRow(
            id=new_id(),
            claim_id=one.case.claim_id,
            code=entry.rule,
            place=str(entry.inputs.get("place", "")),
            detail=canonical_bytes({"message": {"zh": entry.message.zh, "en": entry.message.en}}).decode(),
            opened_at=work.at,
        )
        for entry in one.assessment.trace
        if entry.verdict == "hold"
    ]


def _write_revisions(
    work: Work, vault: Vault, desk: Desk, assessed: Sequence[Assessed], masked: dict[UUID, dict[str, Json]]
) -> None:
    insert_rows(
        work.connection,
        "claim_revision",
        ("tenant", "claim_id", "revision", "submission", "sealed", "client_id", "received_at"),
        [
            (
                desk.tenant,
                one.case.claim_id,
                one.case.revision,
                canonical_bytes(masked[one.case.claim_id]).decode(),
                vault.sealer.seal(
                    account_numbers(one.case.submission),
                    sealed_place(desk.tenant, one.case.claim_id, one.case.revision),
                ),
                desk.client_id,
                work.at,
            )
            for one in assessed
        ],
    )


def sealed_place(tenant: str, claim_id: UUID, revision: int) -> Place:
    """Where a revision's account numbers are sealed."""
    return Place("claim_revision", "sealed", tenant, f"{claim_id}/{revision}")


def account_numbers(claim: Submission) -> str:
    """The account numbers of a submission, as the JSON text that is sealed: payee's, then each receipt's payer's."""
    payers: list[Json] = [receipt.payer_account for receipt in claim.receipts]
    return canonical_bytes({"payee": claim.payee.account_number, "payers": payers}).decode()


def _write_assessments(
    work: Work, tenant: str, assessed: Sequence[Assessed], results: dict[UUID, dict[str, Json]]
) -> None:
    """One row a revision; ``seq`` counts assessments, of which a re-assessment may add more later."""
    rows = []
    for one in assessed:
        result = canonical_bytes(results[one.case.claim_id])
        facts = canonical_bytes(facts_json(one.facts)).decode()
        rows.append(
            (
                tenant, one.case.claim_id, one.case.revision, one.case.revision, one.assessment.policy_version, facts,
                result.decode(), sha256(result), "submitted", work.at,
            )
        )  # fmt: skip
    insert_rows(
        work.connection,
        "assessment",
        (
            "tenant", "claim_id", "seq", "revision", "policy_version", "facts", "result", "result_sha256", "reason",
            "at",
        ),
        rows,
    )  # fmt: skip


def _write_holds(connection: Connection, tenant: str, holds: Sequence[HoldRow]) -> None:
    insert_rows(
        connection,
        "hold",
        ("tenant", "id", "claim_id", "code", "place", "detail", "opened_at"),
        [(tenant, h.id, h.claim_id, h.code, h.place, h.detail, h.opened_at) for h in holds],
    )


def _write_transfers(work: Work, tenant: str, assessed: Sequence[Assessed], limits: Mapping[str, Money]) -> None:
    transfers = [transfer for one in assessed for transfer in one.transfers]
    write_transfers(work.connection, tenant, transfers, limits, work.at)
    used = [one.case.submission.reservation_id for one in assessed if one.uses_reservation]
    if used:
        work.connection.exec_driver_sql(
            "update reservation set state = 'used' where tenant = %s and id = any(%s)", (tenant, used)
        )


def _change(desk: Desk, one: Assessed, row: ClaimRow) -> Change:
    earlier = one.case.earlier
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
            "award": str(one.assessment.award),
            "content": row.content_mac.hex(),
        },
        jobs=(claim_notice(row),),
    )
