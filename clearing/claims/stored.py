"""Submissions and facts as they were stored, read back: the same values, so that the same bytes follow from them.

What is stored was checked when it came and is in canonical form, so nothing is checked again here. Account numbers are
masked in what is stored; no rule reads them.
"""

from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import orjson

from clearing.claims.facts import (
    DirectoryEntry,
    EarlierUse,
    Facts,
    KeyState,
    LinkedRegion,
    LinkedTerms,
    Reservation,
    Standing,
)
from connectors.submission import (
    Contract,
    Declarations,
    Document,
    Enterprise,
    Invoice,
    Payee,
    Provider,
    ProviderQualification,
    Receipt,
    RelatedParty,
    ServiceLine,
    Submission,
    TypeProof,
)
from tenants.kernel.money import Money
from tenants.kernel.rate import Rate, parse_rate

DAYS_KEPT: Final = 4_096
RATES_KEPT: Final = 256
AMOUNTS_KEPT: Final = 16_384
"""A claim says most of its amounts several times."""
Json = Mapping[str, Any]


def read_stored_submission(text: str | bytes) -> Submission:
    """The submission that ``claim_revision.submission`` spells.

    Raises:
        KeyError, TypeError, ValueError: it is no stored submission.
    """
    said: Json = orjson.loads(text)
    payee = said["payee"]
    return Submission(
        external_id=said["external_id"],
        tenant=said["tenant"],
        scheme=said["scheme"],
        mode=said["mode"],
        submitted_at=datetime.fromisoformat(said["submitted_at"]),
        enterprise=_enterprise(said["enterprise"]),
        provider=_provider(said["provider"]),
        contract=_contract(said["contract"]),
        services=tuple(map(_service, said["services"])),
        invoices=tuple(map(_invoice, said["invoices"])),
        receipts=tuple(map(_receipt, said["receipts"])),
        documents=tuple(
            Document(each["kind"], each["sha256"], each["media_type"], each["bytes"]) for each in said["documents"]
        ),
        declarations=_declarations(said["declarations"]),
        payee=Payee(payee["account_name"], payee["account_number"], payee["bank_name"], payee["cnaps"]),
        reservation_id=_id(said["reservation_id"]),
        restores=_id(said["restores"]),
        duplicate_explanation=said["duplicate_explanation"],
    )


def read_stored_facts(text: str | bytes) -> Facts:
    """The facts that ``assessment.facts`` spells.

    Raises:
        KeyError, TypeError, ValueError: they are no stored facts.
    """
    said: Json = orjson.loads(text)
    linked, reserved = said["linked_region"], said["reservation"]
    return Facts(
        contract_number=said["contract_number"],
        quota_taken=_money(said["quota_taken"]),
        budget_left=_optional_money(said["budget_left"]),
        linked_region=None if linked is None else _linked(linked),
        matching_taken=_money(said["matching_taken"]),
        keys=tuple(map(_key, said["keys"])),
        reservation=None if reserved is None else _reservation(reserved),
        enterprise=_standing(said["enterprise"]),
        provider=_standing(said["provider"]),
        budget_share=_optional_money(said.get("budget_share")),
    )


def _linked(said: Json) -> LinkedRegion:
    terms = said.get("terms")
    own = None if terms is None else LinkedTerms(parse_rate(terms["share"]), _money(terms["cap"]), terms["cite"])
    return LinkedRegion(said["division"], tuple(said["types"]), own)


def _enterprise(said: Json) -> Enterprise:
    founded = said["established_on"]
    return Enterprise(
        uscc=said["uscc"],
        name=said["name"],
        division=said["division"],
        types=tuple(said["types"]),
        type_proofs={code: _proof(proof) for code, proof in said["type_proofs"].items()},
        prior_year_revenue=_optional_money(said["prior_year_revenue"]),
        established_on=None if founded is None else _day(founded),
        resident_of=tuple(said["resident_of"]),
    )


def _proof(said: Json) -> TypeProof:
    issued_on = said.get("issued_on")
    return TypeProof(said.get("number"), None if issued_on is None else _day(issued_on))


def _provider(said: Json) -> Provider:
    founded = said["established_on"]
    return Provider(
        uscc=said["uscc"],
        name=said["name"],
        division=said["division"],
        kind=said["kind"],
        established_on=None if founded is None else _day(founded),
        on_platform=said["on_platform"],
        qualifications=tuple(
            ProviderQualification(held["kind"], _day(held["valid_through"])) for held in said["qualifications"]
        ),
    )


def _contract(said: Json) -> Contract:
    return Contract(said["number"], said["title"], _day(said["signed_on"]), _money(said["amount"]))


def _service(said: Json) -> ServiceLine:
    return ServiceLine(
        said["item"], said["name"], _money(said["amount"]), _day(said["completed_on"]), said["instrument"]
    )


def _invoice(said: Json) -> Invoice:
    return Invoice(
        said["number"],
        _day(said["issued_on"]),
        _money(said["amount"]),
        _money(said["claimed_amount"]),
        said["code"],
        said["seller_uscc"],
        said["buyer_uscc"],
    )


def _receipt(said: Json) -> Receipt:
    return Receipt(
        said["serial"],
        _day(said["paid_on"]),
        _money(said["amount"]),
        _money(said["claimed_amount"]),
        said["payer_account"],
    )


def _declarations(said: Json) -> Declarations:
    relation = said["related_party"]
    return Declarations(
        RelatedParty(
            relation["direct_equity"],
            relation["same_legal_representative"],
            _rate(relation["common_shareholder_percent"]),
            relation["control"],
        ),
        said["statutory_testing"],
        said["publicly_funded"],
        said["subcontracted"],
        said["rd_related"],
    )


def _key(said: Json) -> KeyState:
    return KeyState(
        said["kind"],
        said["place"],
        _money(said["counted"]),
        _money(said["taken"]),
        _money(said["claimed"]),
        said["amount_conflict"],
        tuple(
            EarlierUse(use["same_enterprise"], use["same_programme"], use["platform"], use["month"], use["reference"])
            for use in said["uses"]
        ),
    )


def _reservation(said: Json) -> Reservation:
    return Reservation(
        UUID(said["reservation_id"]),
        said["state"],
        _day(said["expires_on"]),
        said["enterprise_uscc"],
        said["provider_uscc"],
        said["contract_number"],
        _money(said["amount"]),
    )


def _standing(said: Json) -> Standing:
    through, entry = said["sanctioned_through"], said.get("directory")
    if through is None and said["qualified"] is None and said["admitted"] is None and not said["trust_listed"]:
        return _UNKNOWN
    return Standing(
        None if through is None else _day(through),
        said["qualified"],
        said["admitted"],
        said["on_platform"],
        said["trust_listed"],
        None if entry is None else _directory_entry(entry),
    )


def _directory_entry(said: Json) -> DirectoryEntry:
    founded = said["established_on"]
    return DirectoryEntry(
        said["kind"],
        None if founded is None else _day(founded),
        tuple((kind, _day(valid_through)) for kind, valid_through in said["qualifications"]),
    )


_UNKNOWN: Final = Standing()


@lru_cache(maxsize=AMOUNTS_KEPT)
def _money(text: str) -> Money:
    """An amount in its canonical form: digits, a point, two digits."""
    return Money(int(text[:-3] + text[-2:]))


def _optional_money(text: str | None) -> Money | None:
    return None if text is None else _money(text)


@lru_cache(maxsize=DAYS_KEPT)
def _day(text: str) -> date:
    return date.fromisoformat(text)


@lru_cache(maxsize=RATES_KEPT)
def _rate(text: str) -> Rate:
    return parse_rate(text)


def _id(text: str | None) -> UUID | None:
    return None if text is None else UUID(text)
