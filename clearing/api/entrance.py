"""What a known caller is held to before a call is looked at: where it calls from, and that it signs where it must."""

from typing import Final
from urllib.parse import quote

from flask import g, request

from clearing.api.address import public_url
from clearing.service import Service
from tenants.kernel.database import Scope, run
from tenants.kernel.errors import Forbidden, Malformed
from tenants.principal import Principal
from tenants.request_signature import HEADER, check_meant, read_statement
from tenants.signed_requests import Signed, keep_signed

INPUT: Final = "Signature-Input"
SIGNATURE: Final = "Signature"
_PATH: Final = "/:@!$&'()*+,;=-._~"
"""What stands in a path as it is (RFC 3986); anything else is percent-encoded."""
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
    is_message = any(name in request.headers for name in (INPUT, SIGNATURE))
    text = request.headers.get(HEADER)
    if text is None and not is_message:
        if any(terms.signature_required for terms in caller.terms):
            raise Forbidden(
                "signature.missing",
                f"本客户端的请求须签名：请在 {HEADER} 中附上对请求体的分离式 JWS，或用 {SIGNATURE}（RFC 9421）。",
                f"This client signs its requests: put a detached JWS over the body into {HEADER}, or sign the message "
                f"(RFC 9421) in {SIGNATURE}.",
            )
        return
    if text is not None and is_message:
        raise Malformed(
            "signature.ambiguous",
            f"请只用一种签名：{HEADER} 或 {SIGNATURE}。",
            f"Sign in one way: {HEADER} or {SIGNATURE}.",
        )
    statement = _jws(text, service) if text is not None else _message(service)
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


def _jws(text: str, service: Service) -> Signed:
    statement = read_statement(text)
    query = request.environ["QUERY_STRING"]
    check_meant(statement, request.method, f"{request.path}?{query}" if query else request.path, service.machine.now())
    return statement


def _message(service: Service) -> Signed:
    """The message signature of this request, whose target is the one under which clients call this service."""
    # as few callers sign so, no start waits for the library
    from tenants.message_signature import check_fresh, read_message  # noqa: PLC0415 - see above

    address = public_url()
    if address is None:
        raise Forbidden(
            "signature.address_unset",
            "运营方未设置 CLEARING_PUBLIC_URL，无法核对消息签名的地址；请改用 X-Signature 或联系运营方。",
            "The operator has not set CLEARING_PUBLIC_URL, so that a message's target cannot be checked: use "
            "X-Signature, or tell the operator.",
        )
    path = quote(request.environ["PATH_INFO"].encode("latin-1"), safe=_PATH)
    query = request.environ["QUERY_STRING"]
    url = f"{address}{path}?{query}" if query else f"{address}{path}"
    headers = {name.lower(): value for name, value in request.headers.items()}
    statement = read_message(request.method, url, headers)
    check_fresh(statement, service.machine.now())
    return statement
