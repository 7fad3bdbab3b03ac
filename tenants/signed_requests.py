"""Signed requests as evidence: each signature is taken once, kept sealed with the exact body, and told by chains."""

import zlib
from base64 import b64encode
from collections.abc import Sequence
from uuid import UUID

from tenants.kernel.canonical import canonical_bytes, sha256
from tenants.kernel.change import Change, record
from tenants.kernel.database import Work
from tenants.kernel.errors import Conflict
from tenants.kernel.ids import new_id
from tenants.kernel.sealing import Place, Sealer
from tenants.request_signature import Statement, check_signature


def keep_signed(
    work: Work, sealer: Sealer, client_id: str, tenants: Sequence[str], statement: Statement, body: bytes
) -> UUID:
    """Check the signature under the client's key, and keep it with the body that it signs.

    The key's row is read under a lock: a signature is taken before its key is revoked, or not at all (I25).

    Raises:
        Forbidden: ``signature.key_unknown`` or ``signature.wrong``.
        Conflict: ``signature.replayed``: it was taken before.
    """
    jwk = work.connection.exec_driver_sql(
        "select public_jwk from client_key where client_id = %s and kid = %s and revoked_at is null for share",
        (client_id, statement.kid),
    ).scalar_one_or_none()
    check_signature(statement, body, jwk)
    request_id, tellers = new_id(), sorted(tenants)
    place = Place("signed_request", "sealed", tellers[0], str(request_id))
    packed = b64encode(zlib.compress(body)).decode()
    sealed = sealer.seal(canonical_bytes({"jws": statement.text, "body": packed}).decode(), place)
    taken = work.connection.exec_driver_sql(
        "insert into signed_request (id, client_id, kid, jti_sha256, tenants, sealed, received_at) "
        "values (%s, %s, %s, %s, %s, %s, %s) on conflict (client_id, jti_sha256) do nothing",
        (request_id, client_id, statement.kid, sha256(statement.jti.encode()), tellers, sealed, work.at),
    )
    if taken.rowcount != 1:
        raise Conflict(
            "signature.replayed",
            "此签名（jti）已使用过；每次发送请重新签名。",
            "This signature (its jti) was used before; sign anew for each sending.",
        )
    details = {"client_id": client_id, "kid": statement.kid, "jws_sha256": sha256(statement.text.encode()).hex()}
    changes = [
        Change(tenant, client_id, "request.signed", request_id, to_state="received", details=details)
        for tenant in tellers
    ]
    record(work.connection, changes, work.at)
    return request_id
