"""Objections (异议): a complaint during publicity takes one item out of its batch and holds it until it is decided.

A claim is held itself. What has no claim of its own (a reward, a payment issued again, matching money, what is paid for
another region) is held as it is: see ``settlement.batches.held_items``.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final
from uuid import UUID

from clearing.claims.approval import claim_notice, reserve_again
from clearing.claims.records import ClaimRow, ClaimView, lock_claim, view_claim, write_claims
from clearing.claims.vault import Vault
from settlement.batches.batch import Batch, find_batch_by_number
from settlement.batches.batch_states import OBJECT
from settlement.batches.batch_steps import CANCELLED, not_in_publicity, take_out
from tenants.kernel.canonical import Json, canonical_bytes
from tenants.kernel.change import Change, record
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.errors import Conflict, TooManyRequests, not_found
from tenants.kernel.ids import new_id
from tenants.kernel.sealing import Place
from tenants.kernel.statements import insert_rows

HOLD: Final = "objection"
"""The code of the hold that an objection opens."""
PUBLIC: Final = "public"
"""Who acts where somebody objects without logging in."""
WINDOW: Final = timedelta(hours=1)
PER_SOURCE: Final = 5
PER_TENANT: Final = 50
"""How many objections from one address, and from the public at all, a tenant takes within ``WINDOW``."""
MOST_TOLD: Final = 500
"""How many outcomes of objections a notice shows."""

_SOURCE: Final = b"objection-source\x00"


@dataclass(frozen=True, slots=True)
class Complaint:
    """What somebody says against a claim, and how the tenant can ask back."""

    reason: str
    contact: str | None = None


def object_to_claim(work: Work, vault: Vault, claim_id: UUID, complaint: Complaint, actor: str) -> ClaimView:
    """Take the claim out of its batch in publicity and hold it; its award stays reserved until it is decided.

    Raises:
        NotFound: there is no such claim.
        Conflict: ``claim.not_in_publicity``.
    """
    _object(work, vault, lock_claim(work.connection, claim_id), complaint, actor, None)
    return view_claim(work.connection, claim_id)


def object_publicly(work: Work, vault: Vault, batch: Batch, claim_no: str, complaint: Complaint, source: str) -> None:
    """Object without login to one item of a batch whose notice is still running.

    Raises:
        NotFound: the batch holds no such item.
        Conflict: ``publicity.over``, ``claim.not_in_publicity``.
        TooManyRequests: ``objection.too_many``.
    """
    if not notice_is_open(work, batch):
        raise Conflict(
            "publicity.over", "公示期已结束，不能再提出异议。", "The notice has ended; it is too late to object."
        )
    digest = vault.content_mac(_SOURCE + source.encode())
    _refuse_flood(work, batch.tenant, digest)
    _object_to_item(work, vault, batch, claim_no, complaint, PUBLIC, digest)


def object_to_item(work: Work, vault: Vault, batch: Batch, claim_no: str, complaint: Complaint, actor: str) -> None:
    """A reviewer takes one item of whatever kind out of its batch in publicity.

    Raises:
        NotFound: the batch holds no such item; or it has no claim, and the reviewer is bound to a city's claims.
        Conflict: ``claim.not_in_publicity``.
    """
    _object_to_item(work, vault, batch, claim_no, complaint, actor, None)


def _object_to_item(
    work: Work,
    vault: Vault,
    batch: Batch,
    claim_no: str,
    complaint: Complaint,
    actor: str,
    digest: bytes | None,
) -> None:
    item = work.connection.exec_driver_sql(
        "select i.claim_id, i.removed_at, o.kind, (select bound_districts()) is not null as bound from batch_item i "
        "join obligation o on o.tenant = i.tenant and o.id = i.claim_id "
        "where i.tenant = %s and i.batch_id = %s and o.claim_no = %s",
        (batch.tenant, batch.id, claim_no),
    ).one_or_none()
    if item is None or (item.kind is not None and item.bound):
        raise not_found("兑付申请", "claim")
    if item.removed_at is not None:
        raise not_in_publicity()
    if item.kind is None:
        _object(work, vault, lock_claim(work.connection, item.claim_id), complaint, actor, digest)
    else:
        _hold(work, vault, batch.tenant, item.claim_id, claim_no, complaint, actor, digest)


def notice_of(work: Work, tenant: str, batch_no: str) -> Batch:
    """The batch whose notice was published; it stays readable after its last day.

    Raises:
        NotFound: there is no such batch, or it was not published, or it was cancelled.
    """
    batch = find_batch_by_number(work.connection, tenant, batch_no)
    if batch.published_on is None or batch.state == CANCELLED:
        raise not_found("公示", "notice")
    return batch


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one item that an objection took out of a batch.

    ``state``: ``on_hold``; ``resumed``: to be paid; ``withdrawn``, ``lowered`` or ``returned``: the objection was
    right; ``ended``: it is not paid for another reason.
    """

    claim_no: str
    state: str

    def json(self) -> dict[str, Json]:
        """As everybody may read it: nothing of who objected, and why."""
        return {"claim_no": self.claim_no, "state": self.state}


def outcomes_of(work: Work, batch: Batch) -> list[Outcome]:
    """What became of the first ``MOST_TOLD`` objections to the batch's items, in the order in which they were made.

    An item without a claim ended with its hold where both ended at once; where an objection was dismissed, it did not.
    """
    rows = work.connection.exec_driver_sql(
        "select o.claim_no, case when o.kind is null then case when c.state in ('on_hold', 'needs_correction') "
        "then 'on_hold' when c.state in ('rejected', 'withdrawn') then 'withdrawn' else 'resumed' end "
        "when r.objection_id is null then 'on_hold' when u.outcome is not null then u.outcome "
        "when o.released_at = r.resolved_at then 'ended' else 'resumed' end as state "
        "from objection j join obligation o on o.tenant = j.tenant and o.id = j.claim_id "
        "left join claim c on c.tenant = j.tenant and c.id = j.claim_id "
        "left join objection_resolution r on r.tenant = j.tenant and r.objection_id = j.id "
        "left join objection_upholding u on u.tenant = j.tenant and u.id = r.upholding_id "
        "where j.tenant = %s and j.batch_id = %s order by j.made_at, j.id limit %s",
        (batch.tenant, batch.id, MOST_TOLD),
    )
    return [Outcome(row.claim_no, row.state) for row in rows]


def notice_is_open(work: Work, batch: Batch) -> bool:
    """Whether the public can object today: from the publication through the last day of the notice."""
    return (
        batch.state in OBJECT.starts
        and batch.publicity_through_on is not None
        and shanghai_day(work.at) <= batch.publicity_through_on
    )


def _object(
    work: Work, vault: Vault, row: ClaimRow, complaint: Complaint, actor: str, source_digest: bytes | None
) -> None:
    reserve_again(work, row, HOLD)
    batch = take_out(work.connection, row.tenant, row.id, complaint.reason, actor, work.at)
    _write(work, vault, row, batch, complaint, actor, source_digest)
    held = replace(row, state="on_hold", next_stage=None, changed_at=work.at)
    write_claims(work.connection, [held])
    change = Change(
        tenant=row.tenant,
        actor=actor,
        action="claim.objection",
        subject_id=row.id,
        from_state=row.state,
        to_state=held.state,
        reason=complaint.reason,
        details={"claim_no": row.claim_no, "batch_no": batch.batch_no},
        jobs=(claim_notice(held),),
    )
    record(work.connection, [change], work.at)


def _hold(
    work: Work,
    vault: Vault,
    tenant: str,
    obligation_id: UUID,
    number: str,
    complaint: Complaint,
    actor: str,
    source_digest: bytes | None,
) -> None:
    """Hold an item that has no claim of its own; its money stays owed."""
    batch = take_out(work.connection, tenant, obligation_id, complaint.reason, actor, work.at, held=True)
    objection_id = _keep(work, vault, batch, obligation_id, complaint, actor, source_digest)
    details: dict[str, Json] = {
        "claim_no": number, "batch_no": batch.batch_no, "kind": batch.kind, "objection": str(objection_id),
    }  # fmt: skip
    change = Change(
        tenant, actor, "item.objection", obligation_id, "in_publicity", "on_hold", complaint.reason, details
    )
    record(work.connection, [change], work.at)


def _keep(
    work: Work,
    vault: Vault,
    batch: Batch,
    obligation_id: UUID,
    complaint: Complaint,
    actor: str,
    source_digest: bytes | None,
) -> UUID:
    """Store the objection, its contact sealed; its id."""
    objection_id = new_id()
    place = Place("objection", "contact_sealed", batch.tenant, str(objection_id))
    contact = None if complaint.contact is None else vault.sealer.seal(complaint.contact, place)
    insert_rows(
        work.connection,
        "objection",
        ("tenant", "id", "batch_id", "claim_id", "made_by", "made_at", "reason", "contact_sealed", "source_digest"),
        [
            (
                batch.tenant,
                objection_id,
                batch.id,
                obligation_id,
                actor,
                work.at,
                complaint.reason,
                contact,
                source_digest,
            )
        ],
    )
    return objection_id


def _write(
    work: Work, vault: Vault, row: ClaimRow, batch: Batch, complaint: Complaint, actor: str, source_digest: bytes | None
) -> None:
    _keep(work, vault, batch, row.id, complaint, actor, source_digest)
    said = {
        "zh": f"公示期内收到异议：{complaint.reason}",
        "en": f"An objection was made during publicity: {complaint.reason}",
    }
    detail = canonical_bytes({"message": said}).decode()
    insert_rows(
        work.connection,
        "hold",
        ("tenant", "id", "claim_id", "code", "place", "detail", "opened_at"),
        [(row.tenant, new_id(), row.id, HOLD, batch.batch_no, detail, work.at)],
    )


def _refuse_flood(work: Work, tenant: str, source_digest: bytes) -> None:
    from_source, in_all = work.connection.exec_driver_sql(
        "select count(*) filter (where source_digest = %s), count(*) from objection "
        "where tenant = %s and source_digest is not null and made_at > %s",
        (source_digest, tenant, work.at - WINDOW),
    ).one()
    if from_source >= PER_SOURCE or in_all >= PER_TENANT:
        raise TooManyRequests(
            "objection.too_many",
            "提交过于频繁，请稍后再试，或直接联系管理中心。",
            "Too many objections for now; try again later or call the management center.",
            retry_after_seconds=int(WINDOW.total_seconds()),
        )
