"""Connectors: how every platform stands, what waits for it, and where somebody has to look."""

from flask import Response

from clearing.api.operations import standings
from clearing.console.screen import as_api, screen, show, within

blueprint = screen("connectors", "/connectors")


@blueprint.get("")
@as_api("operations.get_connectors")
def overview() -> Response:
    """Every platform that submits for the person's regions."""
    return show("connectors.html", platforms=within(standings))
