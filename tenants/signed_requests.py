"""Signed requests as evidence: each signature is taken once, kept sealed with the exact body, and told by chains."""

import zlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from tenants.kernel.canonical import canonical_bytes, sha256
from tenants.kernel.change import Change, record
from tenants.kernel.database import Work
from tenants.kernel.errors import Conflict
from tenants.kernel.ids import new_id
from tenants.kernel.sealing import Place, Sealer


class Signed(Protocol):
    """What a signature of a request says, of whichever of the two kinds it is."""

    @property
    def kid(self) -> str:
        """The key that it names."""
        ...

    @property
    def once(self) -> str:
        """What is used up by one request."""
        ...

    def check(self, body: bytes, jwk: str | None) -> Mapping[str, str]:
        """Refuse it where it does not hold under the key; the evidence, where it does."""
        ...


def told(evidence: Mapping[str, str]) -> dict[str, str]:
    """What the chain tells of the evidence: the digest of the JWS, or of the signature base and its signature."""
    if "jws" in evidence:
        return {"jws_sha256": sha256(evidence["jws"].encode()).hex()}
    return {"message_sha256": sha256(f"{evidence['message']}\n{evidence['signature']}".encode()).hex()}


def keep_signed(
    work: Work, sealer: Sealer, client_id: str, tenants: Sequence[str], statement: Signed, body: bytes
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
    evidence = statement.check(body, jwk)
    request_id, tellers = new_id(), sorted(tenants)
    place = Place("signed_request", "sealed", tellers[0], str(request_id))
    packed = b64encode(zlib.compress(body)).decode()
    sealed = sealer.seal(canonical_bytes({**evidence, "body": packed}).decode(), place)
    taken = work.connection.exec_driver_sql(
        "insert into signed_request (id, client_id, kid, jti_sha256, tenants, sealed, received_at) "
        "values (%s, %s, %s, %s, %s, %s, %s) on conflict (client_id, jti_sha256) do nothing",
        (request_id, client_id, statement.kid, sha256(statement.once.encode()), tellers, sealed, work.at),
    )
    if taken.rowcount != 1:
        raise Conflict(
            "signature.replayed",
            "此签名（jti 或 nonce）已使用过；每次发送请重新签名。",
            "This signature (its jti or nonce) was used before; sign anew for each sending.",
        )
    details = {"client_id": client_id, "kid": statement.kid, **told(evidence)}
    changes = [
        Change(tenant, client_id, "request.signed", request_id, to_state="received", details=details)
        for tenant in tellers
    ]
    record(work.connection, changes, work.at)
    return request_id
