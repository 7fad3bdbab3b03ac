"""What a caller does with batches, for the interface and for the console: each act once, within a transaction."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import structlog
from flask import Response

from clearing.api.frame import current, principal
from clearing.service import Service
from settlement.batches.batch import Batch, find_batch, lock_batch
from settlement.batches.batch_files import StoredFile, find_file, read_part
from settlement.batches.batch_settlement import close_paid
from settlement.batches.batch_steps import CutOrder, close, cut, publish
from settlement.batches.cut_offs import application_cut_off, published_cut_offs
from settlement.batches.home_region import HOME_REGION, close_settled
from settlement.batches.obligation import KINDS
from settlement.batches.paid_in import FOR_BANKS, require_paid_in
from settlement.batches.publicity import publicity_terms
from settlement.batches.release import release
from settlement.batches.seal import seal
from settlement.cycles.exposure import find_hold
from settlement.office import Office
from tenants.kernel.database import Scope, Work, run
from tenants.kernel.errors import FieldError, Invalid, Text
from tenants.policy_store import approved_policies

_log = structlog.get_logger()


def cut_as_ordered(work: Work, tenant: str, order: dict[str, Any]) -> Batch:
    """Cut what the order asks for, as the caller; the order is what :class:`BatchOrderSchema` made.

    Raises:
        Invalid: there is no such kind, or not of this mode; or no such scheme.
    """
    cut_order = order_of(work, tenant, order)
    return cut(work.connection, cut_order, principal().subject, work.at)


def order_of(work: Work, tenant: str, order: dict[str, Any]) -> CutOrder:
    """What the batch is to take.

    Raises:
        Invalid: see :func:`cut_as_ordered`.
        Conflict: the scheme is paid by published cut-offs, none is named, and none has passed.
    """
    kind = _kind(order)
    policies = approved_policies(
        work.connection, tenant, [order["scheme"]], demonstration=current().settings.demonstration
    )
    if kind is None and not policies.has_scheme(order["scheme"]):
        raise faulty("/scheme", "scheme.unknown", "该区域没有这个券种。", "The tenant has no such scheme.")
    published = published_cut_offs(policies.of_scheme(order["scheme"])) if kind is None else ()
    named = order["cut_off"]
    cut_off_at = application_cut_off(published, named, work.at) if published else named or work.at
    return CutOrder(
        tenant, order["scheme"], order["mode"], cut_off_at, kind, order["counterparty"], by_application=bool(published)
    )


def publish_by_policy(work: Work, tenant: str, batch_id: UUID) -> Batch:
    """Publish the batch, as the caller, for the working days of the scheme's policy."""
    batch = find_batch(work.connection, tenant, batch_id)
    terms = publicity_terms(work.connection, batch, work.at, demonstration=current().settings.demonstration)
    return publish(work.connection, tenant, batch_id, terms, principal().subject, work.at)


def download(tenant: str, batch_id: UUID, name: str) -> Response:
    """One file of the batch as an attachment, read part by part.

    Raises:
        Conflict: ``batch.not_paid_in``: a bank would act on it, and the agent that pays has not got the money.
    """
    service, scope = current(), Scope((tenant,))

    def found(work: Work) -> tuple[Batch, StoredFile]:
        batch = find_batch(work.connection, tenant, batch_id)
        if name in FOR_BANKS:
            require_paid_in(work.connection, batch)
        return batch, find_file(work.connection, tenant, batch_id, name)

    batch, file = run(service.engine, scope, service.machine, found)
    response = Response(_parts(service, scope, batch, file), mimetype=file.media_type)
    response.content_length = file.size_bytes
    response.set_etag(file.sha256)
    response.headers["Content-Disposition"] = f'attachment; filename="{batch.batch_no}-{file.name}"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def seal_as_caller(work: Work, tenant: str, batch_id: UUID) -> Batch:
    """Seal the batch, as the caller."""
    return seal(work.connection, tenant, batch_id, office(), principal().subject, work.at)


def release_as_caller(work: Work, tenant: str, batch_id: UUID) -> Batch:
    """Release the batch, as the caller, in a transaction within :func:`release_tenants`."""
    batch = release(work.connection, tenant, batch_id, office(), principal().subject, work.at)
    hold = find_hold(work.connection, tenant, batch_id) if batch.form == HOME_REGION else None
    if hold is not None and hold.lifted_at is None:
        _log.warning("exposure_held", tenant=tenant, batch=batch.batch_no, owed=str(hold.owed), limit=str(hold.limit))
    return batch


def close_as_caller(work: Work, tenant: str, batch_id: UUID, reason: str | None = None) -> Batch:
    """Close a batch that is empty or settled, or whose debts to the home region are settled, as the caller.

    ``reason``: why what came back of it is not issued again.
    """
    batch, actor = lock_batch(work.connection, tenant, batch_id), principal().subject
    if batch.settled_at is not None:
        return close_paid(work.connection, batch, reason, office(), actor, work.at)
    if batch.form == HOME_REGION and batch.released_at is not None:
        return close_settled(work.connection, batch, actor, work.at)
    return close(work.connection, tenant, batch_id, actor, work.at)


def release_tenants(tenant: str, batch_id: UUID) -> tuple[str, ...]:
    """The tenants whose books a release writes to: the batch's, and the home region that pays its own providers."""
    service = current()

    def find(work: Work) -> Batch:
        return find_batch(work.connection, tenant, batch_id)

    batch = run(service.engine, Scope((tenant,)), service.machine, find)
    return (tenant, batch.counterparty) if batch.form == HOME_REGION and batch.counterparty else (tenant,)


def office() -> Office:
    """What settlement needs of this service."""
    return current().office


def _kind(body: dict[str, Any]) -> str | None:
    """The kind of obligations that are wanted; ``None`` for approved claims.

    Raises:
        Invalid: there is no such kind, or not of this mode, or it goes by no agreement.
    """
    kind: str | None = body["kind"]
    if kind in {None, body["mode"]}:
        return None
    if body["mode"] not in KINDS.get(str(kind), ()):
        raise faulty("/kind", "kind.unknown", "没有此方式下的这类批次。", "There is no such kind of this mode.")
    if body["counterparty"] is not None:
        said = ("此类批次不按协议兑付。", "A batch of this kind goes by no agreement.")
        raise faulty("/counterparty", "counterparty.kind", *said)
    return kind


def _parts(service: Service, scope: Scope, batch: Batch, file: StoredFile) -> Iterator[bytes]:
    """The file's parts, each read in a transaction of its own, so that a slow reader holds no connection."""
    sealer = service.vault.sealer
    for part in range(1, file.parts + 1):

        def read(work: Work, number: int = part) -> bytes:
            return read_part(work.connection, batch, file.name, number, sealer)

        yield run(service.engine, scope, service.machine, read)


def faulty(pointer: str, code: str, zh: str, en: str) -> Invalid:
    """The answer to one fault of an order."""
    return Invalid("input.invalid", zh, en, errors=(FieldError(pointer, code, Text(zh, en)),))
