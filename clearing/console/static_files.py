"""Our style sheet, scripts and icon, and plotly's script, each under an address that changes with its content."""

from typing import Final

from flask import Response, request

from clearing.console.chart import SCRIPT, plotly_compressed
from clearing.console.filters import asset, content_of
from clearing.console.screen import screen
from tenants.kernel.errors import not_found

blueprint = screen("static_files", "/static", signed_in=False)

TYPES: Final = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "chart.js": "text/javascript; charset=utf-8",
    SCRIPT: "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
KEPT_SECONDS: Final = 31_536_000


@blueprint.get("/<version>/<name>")
def get_file(version: str, name: str) -> Response:
    """One of the files; the large one compressed for whoever unpacks it."""
    if name not in TYPES or asset(name) != f"/console/static/{version}/{name}":
        raise not_found("文件", "file")
    headers = {"Cache-Control": f"public, max-age={KEPT_SECONDS}, immutable"}
    content = content_of(name)
    if name == SCRIPT and request.accept_encodings["gzip"]:
        content = plotly_compressed()
        headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return Response(content, content_type=TYPES[name], headers=headers)
