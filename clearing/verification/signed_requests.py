"""Requests that clients signed: each opens, its signature holds under the client's key, and the chains tell of it.

The signature is checked by itself here: ES256, for a JWS (RFC 7515, 7797) over the encoded header, a full stop and the
bytes; for a message signature (RFC 9421) over its base, whose ``content-digest`` (RFC 9530) is that of the bytes.
"""

import base64
import hashlib
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from clearing.verification.difference import Difference, differs
from clearing.verification.entries import COLUMNS, JOINED, Entry, entry_of
from clearing.verification.snapshot import Row, Snapshot
from clearing.verification.unsealing import OpenedSecrets

SIGNED: Final = "request.signed"
_REQUESTS: Final = """
select s.id, s.client_id, s.kid, s.jti_sha256, s.tenants, s.sealed, s.received_at, k.public_jwk, k.revoked_at
      , c.tenants as clients_tenants
  from signed_request s left join client_key k on k.client_id = s.client_id and k.kid = s.kid
  left join client c on c.client_id = s.client_id order by s.id
"""
_ENTRIES: Final = f"select {COLUMNS} from {JOINED} where e.tenant = any(%s) and e.subject_id = any(%s)"  # noqa: S608
_STRAYS: Final = """
select e.tenant, e.subject_id from audit_entry e left join signed_request s on s.id = e.subject_id
 where e.action = 'request.signed' and (s.id is null or not e.tenant = any(s.tenants))
"""
_AT_ONCE: Final = 200
_DIGESTS: Final = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}
_IN_PARTS: Final = {'"@authority"', '"@path"', '"@query"'}
_PARAMETER: Final = re.compile(r';(keyid|nonce)="((?:[^"\\]|\\.)*)"')


def signed_request_differences(snapshot: Snapshot, secrets: OpenedSecrets | None) -> Iterator[Difference]:
    """Requests whose signature does not hold, of which the chains tell otherwise, and those that are gone."""
    held: list[Row] = []
    for row in snapshot.counted("signed requests", snapshot.stream(_REQUESTS)):
        held.append(row)
        if len(held) == _AT_ONCE:
            yield from _checked(snapshot, held, secrets)
            held = []
    yield from _checked(snapshot, held, secrets)
    for row in snapshot.rows(_STRAYS):
        yield differs("setting.absent", f"signed_request/{row.subject_id}", f"one row, says {row.tenant}", None)


def _checked(snapshot: Snapshot, rows: list[Row], secrets: OpenedSecrets | None) -> Iterator[Difference]:
    told: dict[tuple[Any, str], list[Entry]] = {}
    tenants = sorted({tenant for row in rows for tenant in row.tenants})
    for entry in snapshot.rows(_ENTRIES, tenants, [row.id for row in rows]) if rows else []:
        told.setdefault((entry.subject_id, entry.tenant), []).append(entry_of(entry))
    for row in rows:
        place = f"signed_request/{row.id}"
        opened = None if secrets is None else _opened(row, secrets)
        if secrets is not None:
            yield from _signature_differences(place, row, opened)
        if row.clients_tenants is None or sorted(row.clients_tenants) != list(row.tenants):
            yield differs("request.tenants", f"{place}/tenants", row.clients_tenants, row.tenants)
        for tenant in row.tenants:
            yield from _witnessed(place, row, told.get((row.id, tenant), []), tenant, opened)


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What was kept of one request, read without belief: what it names, and what was signed."""

    kid: str
    once: str
    signed: bytes
    signature: bytes
    text: str
    """What the chain tells the digest of, under the name ``told``."""
    told: str
    digest_fits: bool = True


def _opened(row: Row, secrets: OpenedSecrets) -> _Evidence | None:
    """The signature and the body that it signs."""
    value = secrets.field_value(bytes(row.sealed), "signed_request", "sealed", row.tenants[0], str(row.id))
    if value is None:
        return None
    said = orjson.loads(value)
    body = zlib.decompress(base64.b64decode(said["body"]))
    return _of_jws(said["jws"], body) if "jws" in said else _of_message(said["message"], said["signature"], body)


def _of_jws(jws: str, body: bytes) -> _Evidence:
    encoded, _, signature = jws.partition("..")
    header = orjson.loads(_decoded(encoded))
    signed = encoded.encode() + b"." + body
    return _Evidence(header["kid"], header["jti"], signed, _decoded(signature), jws, "jws_sha256")


def _of_message(base: str, signature: str, body: bytes) -> _Evidence:
    """A signature base (RFC 9421 section 2.5): a line for each covered component, then the parameters."""
    *lines, last = base.split("\n")
    found = {name: value for name, _, value in (line.partition(": ") for line in lines)}
    parameters = last.removeprefix('"@signature-params": ')
    covered, _, rest = parameters.partition(")")
    named = covered.removeprefix("(").split()
    given = {match[1]: match[2] for match in _PARAMETER.finditer(rest)}
    whole = '"@target-uri"' in found or found.keys() >= _IN_PARTS
    in_order = named == list(found) and len(found) == len(lines) and last != parameters
    fits = in_order and whole and '"@method"' in found and _is_digest(found.get('"content-digest"', ""), body)
    made = base64.b64decode(signature)
    text = f"{base}\n{signature}"
    return _Evidence(given["keyid"], given["nonce"], base.encode(), made, text, "message_sha256", fits)


def _is_digest(given: str, body: bytes) -> bool:
    """Whether every digest that the field names (RFC 9530) is the body's, and there is one."""
    members = [one.strip().partition("=") for one in given.split(",")]
    return all(
        name in _DIGESTS and value == f":{base64.b64encode(_DIGESTS[name](body).digest()).decode()}:"
        for name, _, value in members
    )


def _signature_differences(place: str, row: Row, opened: _Evidence | None) -> Iterator[Difference]:
    if opened is None:
        yield differs("request.sealed", f"{place}/sealed", "what opens here", None)
        return
    if row.public_jwk is None:
        yield differs("request.key", f"{place}/kid", "a key of the client", row.kid)
        return
    if opened.kid != row.kid:
        yield differs("request.key", f"{place}/kid", opened.kid, row.kid)
    if hashlib.sha256(opened.once.encode()).digest() != bytes(row.jti_sha256):
        yield differs("request.once", f"{place}/jti_sha256", opened.once, row.jti_sha256)
    if not opened.digest_fits or not _holds(orjson.loads(row.public_jwk), opened.signed, opened.signature):
        yield differs("request.signature", place, "a signature that holds", row.kid)


def _holds(jwk: dict[str, str], signed: bytes, signature: bytes) -> bool:
    x, y = (int.from_bytes(_decoded(jwk[name])) for name in ("x", "y"))
    key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    half = len(signature) // 2
    r, s = int.from_bytes(signature[:half]), int.from_bytes(signature[half:])
    try:
        key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _witnessed(
    place: str, row: Row, entries: list[Entry], tenant: str, opened: _Evidence | None
) -> Iterator[Difference]:
    if len(entries) != 1:
        yield differs("request.witness", place, f"one entry of {tenant}'s chain", len(entries))
        return
    entry, said = entries[0], {"client_id": row.client_id, "kid": row.kid}
    found = {name: entry.details.get(name) for name in said}
    if found != said or entry.actor != row.client_id:
        yield differs("request.witness", place, found, said)
    if opened is not None and entry.contradicts(opened.told, opened.text):
        yield differs("request.witness", f"{place}/sealed", entry.details.get(opened.told), "another signature")
    if not entry.witnesses(row.received_at):
        yield differs("request.witness", f"{place}/received_at", entry.at, row.received_at)
    if row.revoked_at is not None and row.received_at > row.revoked_at:
        yield differs("request.key", f"{place}/received_at", f"not after {row.revoked_at}", row.received_at)


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
