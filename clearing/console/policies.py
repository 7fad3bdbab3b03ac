"""Policies: the versions of every scheme on a time line, which of them is in force, and where a new one begins."""

from typing import Any

from flask import Response

from clearing.api.frame import principal
from clearing.api.policies import DRAFT_READERS
from clearing.console.screen import as_api, screen, show, within
from clearing.tenancy.policies import list_versions
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.profile import load_tenants

blueprint = screen("policies", "/policies")


@blueprint.get("")
@as_api("policies.get_policies")
def list_page() -> Response:
    """Every version of the person's regions, by scheme, and which is in force."""
    return show("policies.html", **within(_read))


def short_name(version: str) -> str:
    """What follows ``tenant/scheme/`` in a version's name."""
    return version.rpartition("/")[2]


def _read(work: Work) -> dict[str, Any]:
    today, unapproved = shanghai_day(work.at), principal().may(*DRAFT_READERS)
    schemes = []
    for profile in load_tenants():
        for scheme in profile.schemes if profile.tenant in principal().tenants else ():
            versions: list[Any] = list_versions(work.connection, profile.tenant, scheme.code, unapproved=unapproved)
            begun = [one for one in versions if one["state"] == "approved" and one["effective_on"] <= today.isoformat()]
            current = begun[-1]["version"] if begun else None
            if versions or scheme.assessed:
                schemes.append(
                    {"tenant": profile.tenant, "scheme": scheme.code, "versions": versions, "current": current}
                )
    return {"schemes": schemes, "today": today, "short_name": short_name}
