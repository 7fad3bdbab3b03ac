"""The claim's schema as OpenAPI 3.1, which clients generate their code from."""

from typing import Any

import pytest
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from connectors.claim_schema import DOCUMENT_KINDS
from connectors.reading import ClaimSchema


@pytest.fixture(scope="module")
def schemas() -> dict[str, Any]:
    spec = APISpec(title="t", version="1", openapi_version="3.1.0", plugins=[MarshmallowPlugin()])
    spec.components.schema("Claim", schema=ClaimSchema)
    found: dict[str, Any] = spec.to_dict()["components"]["schemas"]
    return found


def _validator(schemas: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({"$ref": "#/components/schemas/Claim", "components": {"schemas": schemas}})


def test_money_days_and_choices_are_described(schemas: dict[str, Any]) -> None:
    amount = schemas["Contract"]["properties"]["amount"]
    assert amount["type"] == "string"
    assert amount["pattern"].startswith("^(0|")
    assert schemas["Contract"]["properties"]["signed_on"]["format"] == "date"
    assert schemas["Document"]["properties"]["kind"]["enum"] == list(DOCUMENT_KINDS)
    assert schemas["Document"]["properties"]["bytes"]["type"] == "integer"
    assert schemas["Claim"]["properties"]["invoices"]["maxItems"] == 500


def test_optional_fields_take_null_and_required_ones_are_listed(schemas: dict[str, Any]) -> None:
    invoice = schemas["Invoice"]
    assert invoice["properties"]["claimed_amount"]["type"] == ["string", "null"]
    assert set(invoice["required"]) == {"number", "issued_on", "amount"}
    assert "claimed" not in invoice["properties"]


def test_a_sound_claim_satisfies_the_published_schema(schemas: dict[str, Any], claim: dict[str, Any]) -> None:
    assert [error.message for error in _validator(schemas).iter_errors(claim)] == []


def test_a_number_for_money_violates_the_published_schema(schemas: dict[str, Any], claim: dict[str, Any]) -> None:
    claim["contract"]["amount"] = 1000000
    assert [list(error.path) for error in _validator(schemas).iter_errors(claim)] == [["contract", "amount"]]


def test_unknown_fields_violate_the_published_schema(schemas: dict[str, Any], claim: dict[str, Any]) -> None:
    claim["payee"]["iban"] = "x"
    assert [list(error.path) for error in _validator(schemas).iter_errors(claim)] == [["payee"]]
