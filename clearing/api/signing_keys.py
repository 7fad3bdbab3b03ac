"""``/v1/tenants/{tenant}/signing-keys``: the keys that a tenant signs payouts with, rotated and revoked."""

from typing import Final

from flask import Response
from marshmallow import Schema

from clearing.api.batch_acts import office
from clearing.api.batches import MAX_REASON_CHARACTERS
from clearing.api.frame import Answer, in_transaction, needs, principal
from clearing.api.noun import Noun
from connectors.leaf import TextField
from settlement.signatures import keys
from settlement.signatures.signing import PublicKey, Purpose
from tenants.kernel.canonical import Json, plain
from tenants.kernel.database import Work

blueprint = Noun(
    "signing_keys", __name__, url_prefix="/v1/tenants/<tenant>/signing-keys", description="签名密钥 / signing keys"
)

OPERATOR: Final = "clearing:operate"


class RevocationSchema(Schema):
    """Why the key is refused from now on."""

    reason = TextField(MAX_REASON_CHARACTERS)


@blueprint.get("")
@needs(OPERATOR, "audit:read")
def get_keys(tenant: str) -> Response:
    """List the tenant's keys, present and past."""

    def use_case(work: Work) -> Answer:
        found = keys.public_keys(work.connection, tenant).values()
        return Answer({"items": [key_json(key) for key in found], "next_cursor": None})

    return in_transaction(use_case, (tenant,))


@blueprint.post("/rotate")
@needs(OPERATOR)
def rotate_key(tenant: str) -> Response:
    """Retire the key that signs payouts and make its successor; what was signed before stays verifiable."""
    return in_transaction(lambda work: Answer(key_json(rotated_by_caller(work, tenant)), 201), (tenant,))


@blueprint.post("/<kid>/revoke")
@needs(OPERATOR)
@blueprint.arguments(RevocationSchema)
def revoke_key(body: dict[str, str], tenant: str, kid: str) -> Response:
    """Refuse the key's signatures from now on."""

    def use_case(work: Work) -> Answer:
        return Answer(
            key_json(keys.revoke_key(work.connection, tenant, kid, principal().subject, body["reason"], work.at))
        )

    return in_transaction(use_case, (tenant,))


def rotated_by_caller(work: Work, tenant: str) -> PublicKey:
    """Make the tenant's next key for payouts, as the caller."""
    return keys.rotate_key(work.connection, tenant, Purpose.PAYOUT, office(), principal().subject, work.at)


def key_json(key: PublicKey) -> dict[str, Json]:
    """The key in the form of the API."""
    return {name: plain(value) for name, value in key.jwk().items()}
