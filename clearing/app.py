"""The web application: every noun of the interface in one Flask application."""

import os
from types import ModuleType
from typing import Any, Final

from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from flask import Flask
from flask_smorest import Api
from marshmallow import fields

from clearing.api import (
    account_proposals,
    accounts,
    address,
    agreements,
    audit,
    batch_clearing,
    batches,
    bulk,
    calendars,
    came_back,
    cases,
    claims,
    clawbacks,
    clearing_orders,
    clients,
    cycles,
    dead_letters,
    demo_clock,
    docs,
    edge,
    events,
    explanations,
    forms,
    health,
    held_items,
    jwks,
    ledger,
    linkages,
    matching,
    months,
    notices,
    objections,
    operations,
    oversight,
    payout_account,
    payouts,
    policies,
    probes,
    pull_sources,
    reissues,
    reservations,
    rewards,
    sending,
    settlements,
    signing_keys,
    similar_pairs,
    standings,
    statements,
    support_records,
    suspense,
    tenants,
    webhooks,
)
from clearing.api.frame import open_frame
from clearing.api.limits import limit_open_calls
from clearing.api.problems import answer_problems
from clearing.api.token import serve_tokens
from clearing.console.application import open_console
from clearing.logs import configure_logs
from clearing.operating.requests import RequestLog
from clearing.proxies import TrustedProxies
from clearing.readiness import Readiness
from clearing.service import Service, open_service
from clearing.settings import settings_from
from tenants.instance import BAND

NOUNS: Final[tuple[ModuleType, ...]] = (
    claims,
    explanations,
    bulk,
    objections,
    similar_pairs,
    reservations,
    support_records,
    cases,
    forms,
    probes,
    tenants,
    linkages,
    clients,
    accounts,
    account_proposals,
    calendars,
    standings,
    oversight,
    policies,
    payout_account,
    batches,
    batch_clearing,
    agreements,
    cycles,
    clearing_orders,
    matching,
    rewards,
    ledger,
    sending,
    statements,
    settlements,
    suspense,
    months,
    held_items,
    reissues,
    came_back,
    clawbacks,
    audit,
    events,
    webhooks,
    pull_sources,
    dead_letters,
    operations,
    signing_keys,
    notices,
    payouts,
    jwks,
)
"""Modules of the interface, in the order of its description; each has a ``blueprint``, some share one."""

PAGES: Final[tuple[ModuleType, ...]] = (
    health,
    docs,
)
"""Modules outside the interface's description; each has a plain Flask ``blueprint``."""

MAX_BODY_BYTES: Final = 8 * 1024 * 1024
"""The largest body of any call: one chunk of a bulk submission."""

DESCRIPTION: Final = """\
科技创新券跨区域通兑清算服务的接口。金额为元，以字符串书写，两位小数；日期为 `YYYY-MM-DD`；时刻为 RFC 3339。
错误为 RFC 9457 problem+json，默认中文，`Accept-Language: en` 为英文。

The interface of the interregional clearing service for innovation vouchers. Money is a decimal string in yuan; days are
`YYYY-MM-DD`; instants RFC 3339. Errors are RFC 9457 problems, in Chinese unless `Accept-Language: en` is sent.

写入请求可以签名（区域可要求必须签名），密钥为客户端登记的 P-256 公钥。`X-Signature` 为对请求体原始字节的分离式 JWS
（RFC 7515 附录 F、RFC 7797），头部为
`{"alg":"ES256","kid":…,"b64":false,"crit":["b64"],"iat":秒,"jti":一次性,"method":"POST","path":"/v1/claims"}`；
或用 HTTP 消息签名（RFC 9421）：`Signature-Input` 覆盖 `@method`、`@target-uri`、`content-digest`
（RFC 9530，按所发送的字节），含 `created`、`keyid`、一次性 `nonce`，算法 `ecdsa-p256-sha256`。
NDJSON 批量可用 `Content-Encoding: gzip`，解压后不超过 64 MiB。
每个应答都有 `Clearing-Environment: real | sandbox`；沙箱的凭据以 `test_` 开头，两类环境互不接受对方的凭据。

A writing request may be signed, and must be where a tenant asks for it, with the client's registered P-256 key.
`X-Signature` is a detached JWS (RFC 7515 appendix F, RFC 7797) over the body's bytes as they are sent, with the header
shown above; `jti` is good once, `iat` within five minutes. Or the message is signed (RFC 9421): one signature over
`@method`, `@target-uri` (or `@authority`, `@path`, `@query`) and `content-digest` (RFC 9530, over the bytes as they are
sent), with `created`, `keyid` and a `nonce` that is good once, by `ecdsa-p256-sha256`. Bulk NDJSON may be sent with
`Content-Encoding: gzip`. Every answer says `Clearing-Environment: real | sandbox`; a sandbox's credentials begin with
`test_`, and neither kind of instance takes the other's.
"""


class _Converter(OpenAPIConverter):
    """Describes fields without ``default: null``, which says nothing, and which no enumeration of values has."""

    def field2default(self, field: fields.Field[Any], **named: object) -> dict[str, Any]:
        """The field's default, unless it is null."""
        found: dict[str, Any] = super().field2default(field, **named)
        return {} if found == {"default": None} else found


class _Marshmallow(MarshmallowPlugin):
    Converter = _Converter


class _Api(Api):  # type: ignore[misc]  # flask-smorest ships no types
    """flask-smorest without its error handler, which is no problem+json and drops ``Allow``."""

    def _register_error_handlers(self) -> None:
        answer_problems(self._app)


def create_app(service: Service) -> Flask:
    """The application over this service."""
    app = Flask("clearing", static_folder=None)
    app.config.update(
        API_TITLE="科技创新券跨区域通兑清算 / Innovation voucher clearing",
        API_VERSION="1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/v1",
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        MAX_FORM_MEMORY_SIZE=edge.MAX_FORM_BYTES,
    )
    app.url_map.strict_slashes = False
    open_frame(app.extensions, service)
    app.extensions["clearing-requests"] = RequestLog(service.queue)
    app.extensions["clearing-readiness"] = Readiness(service)
    edge.watch(app)
    address.refuse_hostile_addresses(app)
    api = _Api(app, spec_kwargs=_description())
    nouns = NOUNS + ((demo_clock,) if service.settings.demonstration else ())
    for blueprint in dict.fromkeys(noun.blueprint for noun in nouns):
        api.register_blueprint(blueprint)
    for page in PAGES:
        app.register_blueprint(page.blueprint)
    if service.settings.sandbox:
        app.jinja_env.globals["band"] = BAND
    open_console(app, service.machine, demonstrates=service.settings.demonstration)
    serve_tokens(app)
    limit_open_calls(app)
    proxied = TrustedProxies(app.wsgi_app, service.settings.trusted_proxies)
    app.wsgi_app = proxied  # type: ignore[method-assign]  # Flask's documented way
    return app


def wsgi() -> Flask:
    """The application of a server such as gunicorn (``gunicorn 'clearing.app:wsgi()'``), set up by the environment.

    Raises:
        SettingsError: the environment names not all that is needed.
    """
    configure_logs("web")
    return create_app(open_service(settings_from(os.environ)))


def _description() -> dict[str, Any]:
    flow = {"clientCredentials": {"tokenUrl": "/oauth/token", "scopes": {}}}
    return {
        "marshmallow_plugin": _Marshmallow(),
        "info": {"description": DESCRIPTION},
        "servers": [{"url": "/"}],
        "security": [{"oauth2": []}],
        "components": {"securitySchemes": {"oauth2": {"type": "oauth2", "flows": flow}}},
    }
