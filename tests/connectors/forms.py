"""Filled forms of every platform, made from the demonstration's generated claims."""

from copy import deepcopy
from functools import cache
from typing import Any, Final

from clearing.demonstration.claims import generate
from connectors.all_connectors import connector_of
from connectors.connector import Connector
from connectors.form_writing import write_form

Form = dict[str, Any]

PLATFORMS: Final = ("jssic", "delta", "shanxi-inno")


@cache
def bodies(platform: str) -> tuple[Form, ...]:
    """Generated claims of the platform, with external ids in its own manner."""
    found = []
    for number, one in enumerate(one for one in generate(77, 200) if one.platform == platform):
        body = deepcopy(one.body)
        if platform == "jssic":
            body["external_id"] = f"CXQ20240829{number:04d}"
        if platform != "shanxi-inno":
            body["enterprise"]["types"] = body["enterprise"]["types"][:1]
        found.append(body)
    return tuple(found)


def connector_for(platform: str) -> Connector:
    found = connector_of(platform, "claim")
    assert found is not None
    return found


def filled(platform: str, body: Form) -> Form:
    """The form as the platform's screens hold it."""
    form = write_form(connector_for(platform).document, body)
    if platform == "jssic":
        form["订单类型"] = "线上下单" if body["provider"]["on_platform"] else "线下下单"
        proof: Form = next(iter(body["enterprise"]["type_proofs"].values()), {})
        if "number" in proof:
            form["企业"]["资格编号"] = proof["number"]
    if platform == "shanxi-inno":
        form["绑定"] = {"服务机构确认时间": "2024-08-29 10:00:00"}
    return form


def some_form(platform: str) -> Form:
    """One filled form, to be spoilt."""
    return deepcopy(filled(platform, bodies(platform)[0]))
