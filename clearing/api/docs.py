"""``/docs``: the interface to browse and try, by Swagger UI from the installed package; nothing comes from outside."""

import functools
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, send_file

from clearing.api.frame import current
from tenants.instance import BAND
from tenants.kernel.errors import not_found

blueprint = Blueprint("docs", __name__, url_prefix="/docs")

PACKAGE: Final = "flask_openapi3_swagger"
FILES: Final = {
    "swagger-ui.css": ("css/swagger-ui.css", "text/css"),
    "swagger-ui-bundle.js": ("js/swagger-ui-bundle.js", "text/javascript"),
}
DAY_SECONDS: Final = 86_400

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)

_PAGE: Final = """\
<!doctype html>
<html lang="zh">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>接口文档 / API documentation</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<div id="docs">正在载入…… / Loading…</div>
<noscript>本页需要脚本；接口描述见 <a href="/v1/openapi.json">/v1/openapi.json</a>。</noscript>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</html>
"""
_TOP: Final = '<link rel="stylesheet" href="/docs/swagger-ui.css">\n'
_START: Final = """\
SwaggerUIBundle({ url: "/v1/openapi.json", dom_id: "#docs", deepLinking: true, validatorUrl: null });
"""


@blueprint.get("")
def page() -> Response:
    """The page."""
    band = f"<p><strong>{BAND.zh} {BAND.en}</strong></p>\n" if current().settings.sandbox else ""
    text = _PAGE.replace(_TOP, _TOP + band)
    return Response(text, content_type="text/html; charset=utf-8", headers={"Content-Security-Policy": _POLICY})


@blueprint.get("/start.js")
def start() -> Response:
    """The script that starts the page; a policy without inline scripts asks for a file."""
    return Response(_START, content_type="text/javascript; charset=utf-8")


@blueprint.get("/<name>")
def file(name: str) -> Response:
    """One file of Swagger UI.

    Raises:
        NotFound: no such file.
    """
    if name not in FILES:
        raise not_found("文件", "file")
    path, kind = FILES[name]
    response = send_file(_folder() / path, mimetype=kind, max_age=DAY_SECONDS)
    response.headers["Cache-Control"] = f"public, max-age={DAY_SECONDS}"
    return response


@functools.cache
def _folder() -> Path:
    """Where the files lie; the package itself, which wants another framework, is not imported."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise RuntimeError(f"the package {PACKAGE} is not installed")
    return Path(spec.origin).parent / "templates" / "swagger"
