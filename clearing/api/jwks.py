"""``/.well-known``: every tenant's public keys, present and past, revoked ones marked (RFC 7517)."""

from flask import Response

from clearing.api.frame import current
from clearing.api.noun import Noun
from settlement.signatures.keys import jwks
from tenants.instance import SANDBOX
from tenants.kernel.canonical import canonical_bytes
from tenants.kernel.database import Scope, Work, run
from tenants.kernel.errors import not_found

blueprint = Noun("jwks", __name__, url_prefix="/.well-known", description="公钥 / public keys")

MEDIA_TYPE = "application/jwk-set+json"
LIFE_SECONDS = 60
"""How long a reader may keep the set: a revocation is to be seen soon."""


@blueprint.get("/jwks.json")
@blueprint.doc(security=[])
def all_keys() -> Response:
    """The public keys of all tenants."""
    return _keys(None)


@blueprint.get("/jwks/<tenant>.json")
@blueprint.doc(security=[])
def tenant_keys(tenant: str) -> Response:
    """The public keys of one tenant."""
    return _keys(tenant)


def _keys(tenant: str | None) -> Response:
    def use_case(work: Work) -> bytes:
        known = work.connection.exec_driver_sql("select tenant from tenant").scalars().all()
        if tenant is not None and tenant not in known:
            raise not_found("区域", "tenant")
        keys = jwks(work.connection, tenant)
        return canonical_bytes({**keys, "environment": SANDBOX} if sandbox else keys)

    service = current()
    sandbox = service.settings.sandbox
    body = run(service.engine, Scope(()), service.machine, use_case)
    headers = {"Cache-Control": f"public, max-age={LIFE_SECONDS}"}
    return Response(body, mimetype=MEDIA_TYPE, headers=headers)
