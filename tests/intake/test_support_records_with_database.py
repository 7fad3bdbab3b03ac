"""Support records: spending that a local platform has paid blocks every claim on it, and nothing more."""

from typing import Any

import pytest

from tests.intake.bodies import JIANGSU, WUJIANG, Body, buyer, claim, seller
from tests.intake.counter import Counter, codes


def record(body: Body, *keys: dict[str, Any], external_id: str | None = None) -> Body:
    """The local platform's record of what the claim's enterprise was given."""
    return {
        "platform": "wujiang-local",
        "external_id": external_id or f"S-{body['external_id']}",
        "tenant": "wujiang",
        "enterprise_uscc": body["enterprise"]["uscc"],
        "keys": list(keys),
        "supported_on": "2024-06-03",
    }


def wujiang_body() -> Body:
    return claim(JIANGSU, by=buyer(WUJIANG), to=seller(WUJIANG))


def invoice_key(body: Body) -> dict[str, Any]:
    return {"kind": "invoice", "value": body["invoices"][0]["number"], "amount": "10000.00"}


KEYS = [
    ("invoice", "duplicate.cross_scheme"),
    ("receipt", "duplicate.cross_scheme"),
    ("contract", "duplicate.project"),
    ("document", "duplicate.document_reuse"),
]


def key_of(body: Body, kind: str) -> dict[str, Any]:
    match kind:
        case "invoice":
            return invoice_key(body)
        case "receipt":
            return {"kind": "receipt", "value": body["receipts"][0]["serial"], "amount": "10000.00"}
        case "contract":
            provider = body["provider"]["uscc"]
            return {"kind": "contract", "value": body["contract"]["number"], "provider_uscc": provider}
        case _:
            return {"kind": "document", "value": body["documents"][1]["sha256"]}


@pytest.mark.parametrize(("kind", "code"), KEYS)
def test_spending_supported_elsewhere_is_not_supported_again(counter: Counter, kind: str, code: str) -> None:
    body = wujiang_body()
    registered = counter.support(record(body, key_of(body, kind)))
    assert (registered.status, registered.keys, registered.collisions) == (201, 1, ())
    assert codes(counter.submit(body)) == {code}


def test_a_record_blocks_in_any_disguise_and_every_programme(counter: Counter) -> None:
    body = wujiang_body()
    number = body["invoices"][0]["number"]
    disguised = invoice_key(body) | {"value": f"№ {number[:4]} {number[4:]}"}
    counter.support(record(body, disguised))
    other = claim(WUJIANG)
    other["enterprise"] = body["enterprise"]
    other["invoices"] = body["invoices"]
    assert codes(counter.submit(other)) == {"duplicate.cross_scheme"}


def test_a_record_of_another_enterprise_holds_the_claim(counter: Counter) -> None:
    body, stranger = wujiang_body(), wujiang_body()
    counter.support(record(stranger, invoice_key(body)))
    assert codes(counter.submit(body)) == {"duplicate.foreign_invoice"}


def test_a_record_says_where_its_keys_are_held_already(counter: Counter) -> None:
    body = wujiang_body()
    first = counter.submit(body)
    registered = counter.support(record(body, invoice_key(body)))
    assert registered.status == 201
    assert registered.collisions == (
        {
            "kind": "invoice",
            "place": "/keys/0",
            "other_side": [{"platform": "jssic", "month": "2024-08", "reference": str(first.row.id)}],
        },
    )


def test_a_late_record_still_blocks_when_the_claim_before_it_is_gone(counter: Counter) -> None:
    body = wujiang_body()
    first = counter.submit(body)
    counter.support(record(body, invoice_key(body)))
    counter.withdraw(first)
    body["external_id"] += "-again"
    assert codes(counter.submit(body)) == {"duplicate.cross_scheme"}


def test_a_record_that_names_an_invoice_twice_takes_it_once(counter: Counter) -> None:
    body = wujiang_body()
    first = invoice_key(body) | {"amount": "4000.00"}
    second = first | {"amount": "6000.00", "value": " ".join(body["invoices"][0]["number"])}
    registered = counter.support(record(body, first, second))
    assert (registered.status, registered.keys) == (201, 1)
    holdings = counter.rows("select claimed_fen from registry_holding where holder_id = %s", registered.record_id)
    assert holdings == [(1_000_000,)]
    assert codes(counter.submit(body)) == {"duplicate.cross_scheme"}


def test_the_same_record_again_changes_nothing(counter: Counter) -> None:
    body = wujiang_body()
    first = counter.support(record(body, invoice_key(body)))
    second = counter.support(record(body, invoice_key(body)))
    assert (second.status, second.record_id) == (200, first.record_id)
