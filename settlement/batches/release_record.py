"""The releaser's signature on a seal: made at the release, with the releaser's own key, over what the maker sealed.

The maker's signature is the seal itself. A release record repeats its root, totals and predecessor and names it by its
hash, so that neither stands for another batch; above the tenant's limit two people make one each.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from settlement.batches.batch import Batch
from settlement.office import Office
from settlement.signatures.keys import ensure_key, public_keys, refuse_revoked
from settlement.signatures.signing import RELEASE, Purpose, compact_signer, verify_compact
from tenants.kernel.canonical import canonical_bytes
from tenants.kernel.errors import Conflict


@dataclass(frozen=True, slots=True)
class Turn:
    """Which of the needed releases one is: ``number`` of ``needed``, from 1."""

    number: int
    needed: int


ONLY: Final = Turn(1, 1)
FIRST: Final = Turn(1, 2)
SECOND: Final = Turn(2, 2)


def sign_release(connection: Connection, batch: Batch, turn: Turn, office: Office, actor: str, at: datetime) -> None:
    """Sign the locked, sealed batch as its releaser, and keep the signature once it verifies as published (I16).

    Raises:
        Conflict: ``key.revoked``: the person's release key was revoked, and nobody has made them another one yet.
    """
    key = ensure_key(connection, batch.tenant, Purpose.RELEASE, office, at, actor)
    payload = canonical_bytes(
        {
            "tenant": batch.tenant, "batch": batch.batch_no, "batch_id": batch.id, "seal_no": batch.seal_no,
            "seal_sha256": batch.seal_sha256, "merkle_root": batch.merkle_root, "count": batch.item_count,
            "total": batch.total, "previous_seal": batch.previous_seal, "number": turn.number, "needed": turn.needed,
            "released_by": actor, "released_at": at, "kid": key.kid,
        }
    )  # fmt: skip
    token = compact_signer(key, RELEASE)(payload)
    verified, public = verify_compact(token, RELEASE, public_keys(connection, batch.tenant))
    public.require_valid_at(at)
    if verified != payload:
        raise RuntimeError("the release does not verify")
    connection.exec_driver_sql(
        "insert into release_signature (tenant, batch_id, number, needed, released_by, released_at, jws) "
        "values (%s, %s, %s, %s, %s, %s, %s)",
        (batch.tenant, batch.id, turn.number, turn.needed, actor, at, token),
    )
    refuse_revoked(connection, batch.tenant, key.kid)


def release_tokens(connection: Connection, batch: Batch) -> tuple[str, ...]:
    """The releasers' signatures as compact JWS, in the order in which they were made.

    Raises:
        Conflict: ``batch.unsigned``: it was released without them.
    """
    tokens = connection.exec_driver_sql(
        "select jws from release_signature where tenant = %s and batch_id = %s order by number",
        (batch.tenant, batch.id),
    ).scalars()
    if found := tuple(tokens):
        return found
    raise Conflict(
        "batch.unsigned",
        f"批次 {batch.batch_no} 没有放行人的签名，不能生成指令。",
        f"Batch {batch.batch_no} is not signed by its releaser; nothing is instructed.",
    )
