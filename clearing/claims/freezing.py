"""Freezing (暂停): an unpaid claim that turns out to be suspect waits on hold, wherever it stands before the seal."""

from dataclasses import dataclass, replace
from typing import Final

from clearing.claims.approval import claim_notice, reserve_again
from clearing.claims.records import ClaimRow, write_claims
from settlement.batches.batch_states import FREEZE
from settlement.batches.batch_steps import take_out
from settlement.batches.obligation import take_back
from tenants.kernel.canonical import Json, canonical_bytes
from tenants.kernel.change import Change, lock_chains
from tenants.kernel.database import Work
from tenants.kernel.ids import new_id
from tenants.kernel.statements import insert_rows

FROZEN: Final = "claim.frozen"
SUSPECTED_CODE: Final = "duplicate.suspected"
"""The code of the hold by which a reviewer freezes the own side of a case."""
KEY_CODE: Final = "client.compromised"
"""The code of the hold on everything that a stolen key submitted."""
SIMILAR_CODE: Final = "duplicate.similar"
"""The code of the hold by which the search for near duplicates freezes a claim."""
SAMPLE_CODE: Final = "sample.unsound"
"""The code of the hold on a claim that a sample found unsound before it was paid."""
_FREEZABLE: Final = frozenset({"on_hold", "in_review", "approved"})
_MESSAGES: Final = {
    "duplicate.collision": {
        "zh": "其他平台报告该支出已在别处获得支持，待人工核对。",
        "en": "A platform states that this spending was supported elsewhere; a reviewer decides.",
    },
    SIMILAR_CODE: {
        "zh": "与已有申请高度相似，疑似重复，待人工核对。",
        "en": "The claim is much like an earlier one; a reviewer decides.",
    },
    SUSPECTED_CODE: {
        "zh": "疑似重复，审核人员已暂停该申请。",
        "en": "A duplicate is suspected; a reviewer has frozen the claim.",
    },
    SAMPLE_CODE: {
        "zh": "抽查发现该申请不实，待人工处理。",
        "en": "A sample found the claim unsound; a reviewer decides.",
    },
    KEY_CODE: {
        "zh": "提交该申请的客户端密钥可能已泄露，待人工核对。",
        "en": "The key that submitted this claim may be stolen; a reviewer decides.",
    },
}


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Why a claim is frozen: the code of its hold, who says so, and what may be known of the other side."""

    code: str
    reason: str
    other_side: dict[str, Json]


def is_sealed(work: Work, row: ClaimRow) -> bool:
    """Whether the claim's batch is sealed, so that only a clawback can take its money back; the batch is locked."""
    if row.state != "approved":
        return False
    states = work.connection.exec_driver_sql(
        "select b.state from batch b where b.tenant = %s and b.id = ("
        "select batch_id from obligation where tenant = %s and id = %s and released_at is null) for no key update",
        (row.tenant, row.tenant, row.id),
    ).scalars()
    return any(state not in FREEZE.starts for state in states)


def freeze(work: Work, row: ClaimRow, suspicion: Suspicion, actor: str) -> tuple[ClaimRow, Change] | None:
    """Hold the locked claim; ``None`` (and nothing done) where it is paid, in correction, or ended.

    Its award stays reserved until it is decided; an approved one is taken back from settlement, out of its batch.
    """
    if row.state not in _FREEZABLE or is_sealed(work, row):
        return None
    if row.state == "approved":
        reserve_again(work, row, "frozen")
        if is_batched(work, row):
            lock_chains(work.connection, work.scope.tenants)  # its batch tells of it at once, in one of them
            take_out(work.connection, row.tenant, row.id, suspicion.reason, actor, work.at, FREEZE)
        else:
            take_back(work.connection, row.tenant, row.id, work.at)
    held = replace(row, state="on_hold", next_stage=None, changed_at=work.at)
    write_claims(work.connection, [held])
    detail = canonical_bytes({"message": dict(_MESSAGES[suspicion.code]), "other_side": [suspicion.other_side]})
    insert_rows(
        work.connection,
        "hold",
        ("tenant", "id", "claim_id", "code", "place", "detail", "opened_at"),
        [(row.tenant, new_id(), row.id, suspicion.code, "", detail.decode(), work.at)],
    )
    change = Change(
        tenant=row.tenant,
        actor=actor,
        action=FROZEN,
        subject_id=row.id,
        from_state=row.state,
        to_state=held.state,
        reason=suspicion.reason,
        details={"claim_no": row.claim_no, "about": suspicion.code, "other_side": suspicion.other_side},
        jobs=(claim_notice(held),),
    )
    return held, change


def is_batched(work: Work, row: ClaimRow) -> bool:
    """Whether the approved claim is in a batch."""
    return (
        work.connection.exec_driver_sql(
            "select 1 from obligation where tenant = %s and id = %s and batch_id is not null and released_at is null",
            (row.tenant, row.id),
        ).one_or_none()
        is not None
    )
