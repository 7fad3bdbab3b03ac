"""Conformance: what a platform's engineer runs against their own system, and learns what is wrong with it.

Three parts, each by itself: the receiver of webhooks, the outlet that this service pulls from, and samples of what the
platform submits. Nothing is sent to the clearing service, and nothing in it is needed; but where a sandbox is named,
the samples go the whole way through it.
"""

from connectors.conformance.outlet import check_outlet
from connectors.conformance.receiver import check_receiver
from connectors.conformance.report import Report, as_html, as_json, as_text
from connectors.conformance.samples import check_samples
from connectors.conformance.sandbox import check_sandbox

__all__ = [
    "Report", "as_html", "as_json", "as_text", "check_outlet", "check_receiver", "check_samples", "check_sandbox",
]  # fmt: skip
