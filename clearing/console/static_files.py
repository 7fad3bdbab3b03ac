"""Our style sheet, script and icon, each under an address that changes with its content."""

from typing import Final

from flask import Response

from clearing.console.filters import STATIC, asset
from clearing.console.screen import screen
from tenants.kernel.errors import not_found

blueprint = screen("static_files", "/static", signed_in=False)

TYPES: Final = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
KEPT_SECONDS: Final = 31_536_000


@blueprint.get("/<version>/<name>")
def get_file(version: str, name: str) -> Response:
    """One of our files."""
    if name not in TYPES or asset(name) != f"/console/static/{version}/{name}":
        raise not_found("文件", "file")
    headers = {"Cache-Control": f"public, max-age={KEPT_SECONDS}, immutable"}
    return Response((STATIC / name).read_bytes(), content_type=TYPES[name], headers=headers)
