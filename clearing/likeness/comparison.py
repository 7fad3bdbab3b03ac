"""Two claims side by side, for whoever may read them; the row-level security of the reader decides what is shown."""

import json
from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import Connection

from clearing.claims.records import ClaimView, view_claims
from clearing.likeness.model import FIELDS
from clearing.likeness.pairs import PairView
from tenants.kernel.canonical import Json, plain


def pair_json(pair: PairView) -> dict[str, Json]:
    """The pair in a list: which claim is held, for what, how likely it is, and how it was decided."""
    row = pair.row
    return {
        "id": str(row.id),
        "tenant": row.tenant,
        "claim_id": str(row.claim_id),
        "claim_no": pair.claim_no,
        "place": row.place,
        "other_side": {
            "platform": row.other_platform,
            "month": row.other_month,
            "reference": str(row.other_reference),
        },
        "likelihood": None if row.probability_parts is None else _decimal(row.probability_parts),
        "fields": [] if row.fields is None else json.loads(row.fields),
        "effect": "case" if row.hold_id is None else "hold",
        "hold_id": None if row.hold_id is None else str(row.hold_id),
        "state": pair.state,
        "found_at": plain(row.found_at),
        "resolved_at": plain(pair.resolved_at),
        "resolved_by": pair.resolved_by,
        "reason": pair.reason,
    }


def compared_json(connection: Connection, pair: PairView) -> dict[str, Json]:
    """The pair with both claims' fields next to each other, as far as the caller may read them."""
    row = pair.row
    views = {view.row.id: view for view in view_claims(connection, [row.claim_id, row.other_reference])}
    own, other = views.get(row.claim_id), views.get(row.other_reference)
    sides: list[Json] = [] if own is None else [_side(own, row.place)]
    comparable = other is not None and row.other_place is not None
    if other is not None and row.other_place is not None:
        sides.append(_side(other, row.other_place))
    said = {} if row.fields is None else {one["field"]: one for one in json.loads(row.fields)}
    comparison = [_compared(field.name, field.said.zh, field.said.en, sides, said) for field in FIELDS]
    return {**pair_json(pair), "sides": sides, "comparison": cast("Json", comparison if comparable else [])}


def _side(view: ClaimView, place: str) -> dict[str, Json]:
    """One claim as it is compared; the place is an RFC 6901 pointer into it."""
    claim: dict[str, Any] = cast("dict[str, Any]", view.submission)
    position = int(place.rsplit("/", 1)[-1])
    invoice, receipts = claim["invoices"][position], claim["receipts"]
    return {
        "claim_id": str(view.row.id),
        "claim_no": view.row.claim_no,
        "platform": view.row.platform,
        "state": view.state_now,
        "submitted_at": plain(view.row.submitted_at),
        "enterprise": claim["enterprise"]["name"],
        "values": {
            "invoice": f"{invoice['code'] or ''}{invoice['number']}",
            "issued_on": invoice["issued_on"],
            "amount": invoice["amount"],
            "provider": claim["provider"]["name"],
            "contract": claim["contract"]["number"],
            "title": claim["contract"]["title"],
            "receipt": receipts[position]["serial"] if position < len(receipts) else None,
        },
    }


def _compared(name: str, zh: str, en: str, sides: list[Json], said: Mapping[str, Any]) -> dict[str, Json]:
    values = [cast("dict[str, Any]", side)["values"][name] for side in sides]
    found = said.get(name)
    return {
        "field": name,
        "name": {"zh": zh, "en": en},
        "values": cast("Json", values),
        "likeness": None if found is None else {"zh": found["zh"], "en": found["en"]},
    }


def _decimal(parts: int) -> str:
    """Parts of a million as a decimal text with four places."""
    return f"{parts // 1_000_000}.{parts % 1_000_000 // 100:04d}"
