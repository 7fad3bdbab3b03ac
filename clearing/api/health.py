"""``/healthz``, ``/readyz`` and ``/metrics``: for machines that watch over the service."""

from typing import cast

from flask import Blueprint, Response, current_app

from clearing.api.frame import current
from clearing.metrics import CONTENT_TYPE, exposition
from clearing.readiness import Readiness
from tenants.kernel.canonical import canonical_bytes
from tenants.kernel.errors import RETRY_AFTER_SECONDS, Unavailable

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def live() -> Response:
    """The process answers."""
    return _json({"status": "ok"})


@blueprint.get("/readyz")
def ready() -> Response:
    """The service can be used.

    Raises:
        Unavailable: ``service.not_ready``; ``errors`` names each part that is away.
    """
    found = cast("Readiness", current_app.extensions["clearing-readiness"]).faults()
    if found:
        raise Unavailable(
            "service.not_ready",
            "服务尚不可用，原因见 errors。",
            "The service cannot be used; errors says why.",
            errors=found,
            retry_after_seconds=RETRY_AFTER_SECONDS,
        )
    return _json({"status": "ready", "environment": current().settings.mark})


@blueprint.get("/metrics")
def metrics() -> Response:
    """Figures in Prometheus' text form."""
    service = current()
    return Response(
        exposition(service.engine, service.machine, service.settings.looks_per_hour), content_type=CONTENT_TYPE
    )


def _json(body: dict[str, str]) -> Response:
    return Response(canonical_bytes(body), mimetype="application/json")
