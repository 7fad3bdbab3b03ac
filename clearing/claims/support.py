"""Support records (支持记录): spending that a platform says was subsidised elsewhere takes its keys in the registry."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import orjson
from sqlalchemy.exc import IntegrityError

from clearing.claims import registry
from clearing.claims.collisions import Collisions, lock_claims_met
from clearing.claims.fingerprint import canonical_contract, canonical_invoice, canonical_serial
from clearing.claims.intake import DEFAULT_GROUP
from clearing.claims.keyring import RACED as KEYS_CHANGED
from clearing.claims.keyring import Versions, written
from clearing.claims.probes import Looks
from clearing.claims.registry import RED_LETTER, Holder, Key, Locked, lock_keys
from clearing.claims.vault import Vault
from connectors.submission import SupportKey, SupportRecord
from tenants.kernel.canonical import Json, printed_part
from tenants.kernel.change import Change, change_writes
from tenants.kernel.database import Work, broken_constraint
from tenants.kernel.errors import Conflict, FieldError, Invalid, Problem, Text
from tenants.kernel.ids import new_id
from tenants.kernel.money import ZERO
from tenants.kernel.statements import Write, write_all

RACED: Final = frozenset({"support_record_external_id", "registry_key_fen_once", KEYS_CHANGED})
SCHEME: Final = "local"
"""The scheme of what a local platform paid outside this service."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A support record as stored: 201 new, 200 as it was; ``collisions`` are the keys that others hold already."""

    status: int
    record_id: UUID
    keys: int
    collisions: tuple[dict[str, Json], ...]


def register_support(
    work: Work, vault: Vault, client_id: str, actor: str, records: Sequence[SupportRecord]
) -> list[Registered | Problem]:
    """Register the records of one tenant and platform in their order; one that stands among them again is known.

    A record that meets claims here freezes those that are unpaid and opens a case between both sides for each.

    Raises:
        StartAgainError: another tenant's claims are met, see :func:`tenants.kernel.database.reach`.
    """
    macs = [vault.content_mac(content(one)) for one in records]
    before = _stored(work, records)
    versions = written(work.connection, vault.keyring)
    fresh: list[Fresh] = []
    answers: list[Registered | Problem | UUID] = []
    for one, mac in zip(records, macs, strict=True):
        known = before.get(one.external_id)
        if known is not None:
            answers.append(_again(known, mac))
            continue
        keys, faults = _keys(versions, one)
        if faults:
            answers.append(Invalid("support_record.invalid", "支持记录有误。", "The record has faults.", errors=faults))
            continue
        fresh.append((one, mac, new_id(), keys))
        before[one.external_id] = (fresh[-1][2], mac, len(keys))
        answers.append(fresh[-1][2])
    taken = _take(work, versions, client_id, actor, fresh)
    return [taken[one] if isinstance(one, UUID) else one for one in answers]


def taken_id(error: IntegrityError) -> Problem:
    """The answer where the platform used the external id before, for a tenant that this client does not speak for.

    Raises:
        IntegrityError: the error is another one.
    """
    if broken_constraint(error) != "support_record_external_id":
        raise error
    return Conflict(
        "support_record.content_differs",
        "此 external_id 已用于内容不同的支持记录。",
        "This external_id came before with other content.",
    )


def content(one: SupportRecord) -> bytes:
    """The record's canonical bytes (RFC 8785): what "the same content" means.

    Texts, amounts and a day under our own keys: there is no number for which sorted JSON would be another form.
    """
    return orjson.dumps(
        {
            "platform": one.platform,
            "external_id": one.external_id,
            "tenant": one.tenant,
            "enterprise_uscc": one.enterprise_uscc,
            "supported_on": one.supported_on,
            "keys": [{"kind": k.kind, "value": k.value, "amount": k.amount, "by": k.provider_uscc} for k in one.keys],
        },
        printed_part,
        orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER | orjson.OPT_PASSTHROUGH_DATETIME,
    )


def _stored(work: Work, records: Sequence[SupportRecord]) -> dict[str, tuple[UUID, bytes, int]]:
    rows = work.connection.exec_driver_sql(
        "select external_id, id, content_mac, keys from support_record where platform = any(%s) "
        "and external_id = any(%s)",
        (sorted({one.platform for one in records}), [one.external_id for one in records]),
    )
    return {external_id: (record_id, bytes(mac), keys) for external_id, record_id, mac, keys in rows}


def _again(known: tuple[UUID, bytes, int], mac: bytes) -> Registered | Problem:
    record_id, stored, keys = known
    if stored == mac:
        return Registered(200, record_id, keys, ())
    return Conflict(
        "support_record.content_differs",
        "此 external_id 已用于内容不同的支持记录。",
        "This external_id came before with other content.",
    )


def _keys(versions: Versions, one: SupportRecord) -> tuple[tuple[Key, ...], tuple[FieldError, ...]]:
    """The record's keys, each identity once: of two mentions the amounts are added."""
    keys: dict[tuple[str, str], Key] = {}
    faults = list(_red_letter_faults(one))
    for position, key in enumerate(one.keys):
        text = _IDENTITY[key.kind](one, key)
        kind = "invoice" if key.kind == "red_letter" else key.kind
        if text:
            earlier = keys.get((kind, text))
            place = f"/keys/{position}" if earlier is None else earlier.place
            amount = (key.amount or ZERO) + (ZERO if earlier is None else earlier.claimed)
            stated = None if key.kind == "red_letter" else amount or None
            keys[kind, text] = Key(kind, place, stated, amount, versions.digests(kind, text))
        else:
            said = Text("无法识别的编号。", "This is no identity that can be read.")
            faults.append(FieldError(f"/keys/{position}/value", "key.unreadable", said))
    if not one.keys:
        faults.append(FieldError("/keys", "keys.missing", Text("至少一项。", "At least one key is needed.")))
    return tuple(keys.values()), tuple(faults)


def is_red_letter(one: SupportRecord) -> bool:
    """Whether the record tells of cancelled invoices, and of no support."""
    return any(key.kind == "red_letter" for key in one.keys)


def _red_letter_faults(one: SupportRecord) -> Iterator[FieldError]:
    """What a record of cancelled invoices holds besides, and where it does not say how much is cancelled."""
    if not is_red_letter(one):
        return
    for position, key in enumerate(one.keys):
        if key.kind != "red_letter":
            said = Text("红字发票须单独报送。", "Cancelled invoices are stated in a record of their own.")
            yield FieldError(f"/keys/{position}/kind", "key.mixed", said)
        elif not key.amount:
            said = Text("请填写红冲金额。", "The amount that is cancelled is needed.")
            yield FieldError(f"/keys/{position}/amount", "amount.missing", said)


def _contract(one: SupportRecord, key: SupportKey) -> str:
    return "" if key.provider_uscc is None else canonical_contract(one.enterprise_uscc, key.provider_uscc, key.value)


_IDENTITY: Final[Mapping[str, Callable[[SupportRecord, SupportKey], str]]] = {
    "invoice": lambda _, key: canonical_invoice(key.value),
    "red_letter": lambda _, key: canonical_invoice(key.value),
    "contract": _contract,
    "receipt": lambda _, key: canonical_serial(key.value),
    "document": lambda _, key: key.value.lower(),
}


_COLUMNS: Final = (
    "tenant", "id", "platform", "external_id", "content_mac", "supported_on", "keys", "client_id", "received_at",
)  # fmt: skip
Fresh = tuple[SupportRecord, bytes, UUID, tuple[Key, ...]]


def _take(
    work: Work, versions: Versions, client_id: str, actor: str, fresh: list[Fresh]
) -> dict[UUID, Registered | Problem]:
    if not fresh:
        return {}
    wanted = [key for *_, keys in fresh for key in keys]
    met = Collisions(work, actor, lock_claims_met(work, wanted, {one.tenant for one, *_ in fresh}))
    locked = lock_keys(work.connection, {DEFAULT_GROUP: wanted}, list(met.claims))
    taken: dict[UUID, Registered | Problem] = {}
    looked = []
    enterprises = {uscc: versions.enterprise(uscc) for uscc in {one.enterprise_uscc for one, *_ in fresh}}
    for one, _, record_id, keys in fresh:
        holder = _holder(enterprises[one.enterprise_uscc], one, record_id)
        if locked.is_free(keys, holder):
            locked.take(keys, holder)
            taken[record_id] = Registered(201, record_id, len(keys), ())
            continue
        looked.append((holder, locked.others(keys, holder)))
        held = [key for key in keys if locked.holders_of(key, holder)]
        collisions = tuple(_collision(locked, key, holder) for key in held if locked.state_of(key, holder).uses)
        met.meet(locked, holder, held)
        locked.take(keys, holder)
        taken[record_id] = Registered(201, record_id, len(keys), collisions)
    stored = [
        (one.tenant, record_id, one.platform, one.external_id, mac, one.supported_on, len(keys), client_id, work.at)
        for one, mac, record_id, keys in fresh
    ]
    looks = Looks(looked)
    changes = [_change(actor, one, record_id, len(keys), looks) for one, _, record_id, keys in fresh]
    write_all(
        work.connection,
        (
            Write("support_record", _COLUMNS, stored),
            registry.holding_write(locked.added),
            met.write,
            *looks.writes(client_id, work.at),
            *change_writes(work.connection, [*changes, *met.changes], work.at),
        ),
    )
    return taken


def _holder(enterprise: Mapping[int, bytes], one: SupportRecord, record_id: UUID) -> Holder:
    return Holder(
        holder_id=record_id,
        kind="support",
        tenant=one.tenant,
        scheme=RED_LETTER if is_red_letter(one) else SCHEME,
        platform=one.platform,
        enterprise=enterprise,
        month=f"{one.supported_on:%Y-%m}",
        exclusion_group=DEFAULT_GROUP,
    )


def _collision(locked: Locked, key: Key, holder: Holder) -> dict[str, Json]:
    uses = locked.state_of(key, holder).uses
    other_side: list[Json] = [{"platform": u.platform, "month": u.month, "reference": u.reference} for u in uses]
    return {"kind": key.kind, "place": key.place, "other_side": other_side}


def _change(actor: str, one: SupportRecord, record_id: UUID, keys: int, looks: Looks) -> Change:
    details: dict[str, Json] = {"platform": one.platform, "external_id": one.external_id, "keys": keys}
    if is_red_letter(one):
        details["red_letter"] = True
    return Change(
        tenant=one.tenant,
        actor=actor,
        action="support_record.registered",
        subject_id=record_id,
        to_state="live",
        details={**details, **looks.seen(record_id)},
    )
