"""What a known caller is held to before a call is looked at: where it calls from, and that it signs where it must."""

from typing import Final

from flask import g, request

from clearing.service import Service
from tenants.kernel.database import Scope, run
from tenants.kernel.errors import Forbidden
from tenants.principal import Principal
from tenants.request_signature import HEADER, check_meant, read_statement
from tenants.signed_requests import keep_signed

READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def check_address(caller: Principal) -> None:
    """Refuse a caller from where one of its tenants does not let it in.

    The address is the connection's, or what the proxies before the service say; see ``clearing.app``.

    Raises:
        Forbidden: ``client.address_refused``.
    """
    if not all(terms.lets_in(request.remote_addr) for terms in caller.terms):
        raise Forbidden(
            "client.address_refused",
            f"本客户端不得从 {request.remote_addr} 访问，请向区域管理员登记地址。",
            f"This client may not call from {request.remote_addr}; have the tenant's administrator add the address.",
        )


def check_signed(service: Service, caller: Principal) -> None:
    """Check the signature of a writing call: where the caller signed it, and where a tenant asks for it.

    A signature that holds is kept as evidence before the call goes on, and is used up by it.

    Raises:
        Forbidden: it is missing, stale, for another request, of another key, or does not hold over the body.
        Malformed: it cannot be read.
        Conflict: it was used before.
    """
    if request.method in READING:
        return
    text = request.headers.get(HEADER)
    if text is None:
        if any(terms.signature_required for terms in caller.terms):
            raise Forbidden(
                "signature.missing",
                f"本客户端的请求须签名：请在 {HEADER} 中附上对请求体的分离式 JWS。",
                f"This client signs its requests: put a detached JWS over the body into {HEADER}.",
            )
        return
    statement = read_statement(text)
    query = request.environ["QUERY_STRING"]
    check_meant(statement, request.method, f"{request.path}?{query}" if query else request.path, service.machine.now())
    body = request.get_data()
    scope = Scope(caller.tenants, caller.platform)
    sealer = service.vault.sealer
    run(
        service.engine,
        scope,
        service.machine,
        lambda work: keep_signed(work, sealer, caller.client_id, caller.tenants, statement, body),
    )
    g.read_whole = True
