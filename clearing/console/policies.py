"""Policies as they are: the versions of a scheme on a time line, and one version value by value with its citations."""

import tomllib
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from flask import Response
from flask_babel import gettext as _

from clearing.api.frame import principal
from clearing.api.policies import DRAFT_READERS
from clearing.console.screen import as_api, screen, show, within
from clearing.tenancy.policies import list_versions, read_version
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.profile import load_tenants

blueprint = screen("policies", "/policies")


@blueprint.get("")
@as_api("policies.get_policies")
def list_page() -> Response:
    """Every version of the person's regions, by scheme, and which is in force."""
    return show("policies.html", **within(_read))


@blueprint.get("/<tenant>/<scheme>/<path:version>")
@as_api("policies.get_policy")
def version_page(tenant: str, scheme: str, version: str) -> Response:
    """One version: form and document side by side."""
    stored = within(
        lambda work: read_version(
            work.connection, tenant, scheme, unquote(version), unapproved=principal().may(*DRAFT_READERS)
        ),
        (tenant,),
    )
    document = str(stored["document"])
    return show(
        "policy.html",
        tenant=tenant,
        scheme=scheme,
        stored=stored,
        document=document,
        terms=[*_terms(tomllib.loads(document))],
    )


def _read(work: Work) -> dict[str, Any]:
    today, unapproved = shanghai_day(work.at), principal().may(*DRAFT_READERS)
    schemes = []
    for profile in load_tenants():
        for scheme in profile.schemes if profile.tenant in principal().tenants else ():
            versions: list[Any] = list_versions(work.connection, profile.tenant, scheme.code, unapproved=unapproved)
            begun = [one for one in versions if one["state"] == "approved" and one["effective_on"] <= today.isoformat()]
            current = begun[-1]["version"] if begun else None
            if versions:
                schemes.append(
                    {"tenant": profile.tenant, "scheme": scheme.code, "versions": versions, "current": current}
                )
    return {"schemes": schemes, "today": today}


def _terms(table: Any, path: str = "") -> Iterator[dict[str, Any]]:  # noqa: ANN401 - TOML's data
    """Every value that stands with a citation, by its place in the document."""
    if isinstance(table, dict):
        if "cite" in table:
            rest = {
                name: value
                for name, value in table.items()
                if name not in {"cite", "note"} and not isinstance(value, dict)
            }
            yield {
                "place": path,
                "value": _spelt(rest.get("value", rest)),
                "cite": table["cite"],
                "note": table.get("note"),
            }
        for name, inner in table.items():
            yield from _terms(inner, f"{path}.{name}" if path else name)
    elif isinstance(table, list):
        for number, inner in enumerate(table, 1):
            code = inner.get("code", number) if isinstance(inner, dict) else number
            yield from _terms(inner, f"{path}[{code}]")


def _spelt(value: Any) -> str:  # noqa: ANN401 - TOML's data
    if isinstance(value, dict):
        return "；".join(
            f"{name}={_spelt(inner)}" for name, inner in value.items() if not isinstance(inner, list) or inner
        )
    if isinstance(value, bool):
        return str(_("是") if value else _("否"))
    if isinstance(value, list):
        return "、".join(_spelt(inner) for inner in value if not isinstance(inner, dict | list)) or "—"
    return str(value)
