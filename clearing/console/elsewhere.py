"""Addresses below the console where nothing is."""

from typing import NoReturn

from clearing.console.screen import as_api, screen
from tenants.kernel.errors import not_found

blueprint = screen("elsewhere")


@blueprint.get("/<path:anything>")
@as_api()
def nothing_here(anything: str) -> NoReturn:  # noqa: ARG001 - whatever stands there
    """Say that there is no such page."""
    raise not_found("页面", "page")
