"""A submission as JSON again: for answers, with account numbers masked, and as the bytes that "same content" means."""

from collections.abc import Mapping
from typing import cast

import orjson

from connectors.submission import (
    Contract,
    Declarations,
    Enterprise,
    Invoice,
    Provider,
    Receipt,
    ReservationRequest,
    Submission,
    SupportRecord,
)
from tenants.kernel.canonical import Json
from tenants.kernel.clock import print_instant
from tenants.kernel.rate import print_rate
from tenants.kernel.sealing import mask_account


def submission_json(given: Submission, *, mask: bool = True) -> dict[str, Json]:
    """The submission in the form of ``POST /v1/claims``, absent optional fields as ``null`` or empty.

    With ``mask`` account numbers show their last four digits only; without it, reading the answer gives ``given``.
    """
    payee = given.payee
    return {
        "external_id": given.external_id,
        "tenant": given.tenant,
        "scheme": given.scheme,
        "mode": given.mode,
        "submitted_at": print_instant(given.submitted_at),
        "enterprise": _enterprise(given.enterprise),
        "provider": _provider(given.provider),
        "contract": _contract(given.contract),
        "services": [
            {
                "item": line.item,
                "name": line.name,
                "instrument": line.instrument,
                "amount": str(line.amount),
                "completed_on": line.completed_on.isoformat(),
            }
            for line in given.services
        ],
        "invoices": [_invoice(invoice) for invoice in given.invoices],
        "receipts": [_receipt(receipt, mask=mask) for receipt in given.receipts],
        "documents": [
            {
                "kind": document.kind,
                "sha256": document.sha256,
                "media_type": document.media_type,
                "bytes": document.size_bytes,
            }
            for document in given.documents
        ],
        "declarations": _declarations(given.declarations),
        "payee": {
            "account_name": payee.account_name,
            "account_number": mask_account(payee.account_number) if mask else payee.account_number,
            "bank_name": payee.bank_name,
            "cnaps": payee.cnaps,
        },
        "reservation_id": None if given.reservation_id is None else str(given.reservation_id),
        "restores": None if given.restores is None else str(given.restores),
        "duplicate_explanation": given.duplicate_explanation,
    }


def request_json(given: ReservationRequest) -> dict[str, Json]:
    """A reservation's request in the form in which it came."""
    services: list[Json] = [
        {"item": each.item, "name": each.name, "amount": str(each.amount)} for each in given.services
    ]
    return {
        "external_id": given.external_id,
        "tenant": given.tenant,
        "scheme": given.scheme,
        "mode": given.mode,
        "requested_at": print_instant(given.requested_at),
        "enterprise": _enterprise(given.enterprise),
        "provider": _provider(given.provider),
        "contract": _contract(given.contract),
        "amount": None if given.amount is None else str(given.amount),
    } | ({"services": services} if services else {})


def support_record_json(given: SupportRecord) -> dict[str, Json]:
    """The support record in the form of ``POST /v1/support-records``."""
    return {
        "platform": given.platform,
        "external_id": given.external_id,
        "tenant": given.tenant,
        "enterprise_uscc": given.enterprise_uscc,
        "keys": [
            {
                "kind": key.kind,
                "value": key.value,
                "amount": None if key.amount is None else str(key.amount),
                "provider_uscc": key.provider_uscc,
            }
            for key in given.keys
        ],
        "supported_on": given.supported_on.isoformat(),
    }


def masked(printed: Mapping[str, Json]) -> dict[str, Json]:
    """What :func:`submission_json` gave without ``mask``, as it gives it with it."""
    payee, receipts = (
        cast("Mapping[str, str]", printed["payee"]),
        cast("list[Mapping[str, str | None]]", printed["receipts"]),
    )
    return {
        **printed,
        "payee": {**payee, "account_number": mask_account(payee["account_number"])},
        "receipts": [
            {**receipt, "payer_account": None if (payer := receipt["payer_account"]) is None else mask_account(payer)}
            for receipt in receipts
        ],
    }


def canonical_content(given: Submission) -> bytes:
    """RFC 8785 bytes of the submission: equal where and only where two submissions say the same.

    Absent fields are left out, so that an optional field that a later version adds changes no earlier content.
    Account numbers are in clear: keep the digest of these bytes, not the bytes.
    """
    return printed_content(submission_json(given, mask=False))


def printed_content(printed: Mapping[str, Json]) -> bytes:
    """The bytes of :func:`canonical_content`, from what :func:`submission_json` gave without ``mask``."""
    return orjson.dumps(_without_absent(printed), option=orjson.OPT_SORT_KEYS)


def stored_submission(printed: Mapping[str, Json]) -> bytes:
    """RFC 8785 bytes of what :func:`submission_json` gave: texts, small integers and our own keys.

    The keys of type proofs are the catalogue's codes, which the reader has checked.
    """
    return orjson.dumps(printed, option=orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER)


def _without_absent(members: Mapping[str, Json]) -> dict[str, Json]:
    """The members but for ``null`` and empty lists; an empty object stays, for a type may have an empty proof."""
    kept: dict[str, Json] = {}
    for name, value in members.items():
        if type(value) is str:
            kept[name] = value
        elif type(value) is dict:
            kept[name] = _without_absent(value)
        elif type(value) is list:
            if value:
                kept[name] = [_without_absent(item) if type(item) is dict else item for item in value]
        elif value is not None:
            kept[name] = value
    return kept


def _enterprise(enterprise: Enterprise) -> Json:
    revenue, founded = enterprise.prior_year_revenue, enterprise.established_on
    return {
        "uscc": enterprise.uscc,
        "name": enterprise.name,
        "division": enterprise.division,
        "types": list(enterprise.types),
        "type_proofs": {
            code: {
                **({} if proof.number is None else {"number": proof.number}),
                **({} if proof.issued_on is None else {"issued_on": proof.issued_on.isoformat()}),
            }
            for code, proof in enterprise.type_proofs.items()
        },
        "prior_year_revenue": None if revenue is None else str(revenue),
        "established_on": None if founded is None else founded.isoformat(),
        "resident_of": list(enterprise.resident_of),
    }


def _provider(provider: Provider) -> Json:
    founded = provider.established_on
    return {
        "uscc": provider.uscc,
        "name": provider.name,
        "division": provider.division,
        "kind": provider.kind,
        "established_on": None if founded is None else founded.isoformat(),
        "on_platform": provider.on_platform,
        "qualifications": [
            {"kind": held.kind, "valid_through": held.valid_through.isoformat()} for held in provider.qualifications
        ],
    }


def _contract(contract: Contract) -> Json:
    return {
        "number": contract.number,
        "title": contract.title,
        "signed_on": contract.signed_on.isoformat(),
        "amount": str(contract.amount),
    }


def _invoice(invoice: Invoice) -> Json:
    return {
        "number": invoice.number,
        "code": invoice.code,
        "issued_on": invoice.issued_on.isoformat(),
        "amount": str(invoice.amount),
        "claimed_amount": str(invoice.claimed),
        "seller_uscc": invoice.seller_uscc,
        "buyer_uscc": invoice.buyer_uscc,
    }


def _receipt(receipt: Receipt, *, mask: bool) -> Json:
    payer = receipt.payer_account
    return {
        "serial": receipt.serial,
        "paid_on": receipt.paid_on.isoformat(),
        "amount": str(receipt.amount),
        "claimed_amount": str(receipt.claimed),
        "payer_account": mask_account(payer) if mask and payer is not None else payer,
    }


def _declarations(declared: Declarations) -> Json:
    relation = declared.related_party
    return {
        "related_party": {
            "direct_equity": relation.direct_equity,
            "same_legal_representative": relation.same_legal_representative,
            "common_shareholder_percent": print_rate(relation.common_shareholder_percent),
            "control": relation.control,
        },
        "statutory_testing": declared.statutory_testing,
        "publicly_funded": declared.publicly_funded,
        "subcontracted": declared.subcontracted,
        "rd_related": declared.rd_related,
    }
