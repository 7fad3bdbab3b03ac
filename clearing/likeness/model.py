"""The model: by which fields two lines are compared, in which steps, and what each step weighs.

A line is one invoice of one claim. Each field has levels, the most telling first; ``m`` is how often the level is met
by two lines of one spending, ``u`` by two that merely share the block. The weight of a level is log2(m/u) (Fellegi and
Sunter). The conditions are SQL that DuckDB and Spark both read, so that one model serves both. ``model.json`` holds the
shipped probabilities, counted over generated pairs; where a registry has pairs of its own they count on top of these.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from tenants.kernel.errors import Text

SHIPPED: Final = Path(__file__).with_name("model.json")
PARTS: Final = 1_000_000
"""Probabilities are whole parts of a million wherever they are kept: no float is stored."""
PRIOR_PAIRS: Final = 500
"""How many pairs the shipped probabilities weigh against those that a registry has of its own."""


@dataclass(frozen=True, slots=True)
class Level:
    """One step of likeness in a field: its condition over ``x_l`` and ``x_r``, and what it says to people."""

    condition: str
    said: Text


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a line and its levels; none of them met is the last, ``OTHER``."""

    name: str
    said: Text
    levels: tuple[Level, ...]


def _digits(name: str, equal: Text, slip: Text, swapped: Text, near: Text) -> tuple[Level, ...]:
    """Equal, one character off, the same characters in another order, two characters off."""
    return (
        Level(f"{name}_l = {name}_r", equal),
        Level(f"levenshtein({name}_l, {name}_r) <= 1", slip),
        Level(f"{name}_sorted_l = {name}_sorted_r and levenshtein({name}_l, {name}_r) <= 3", swapped),
        Level(f"levenshtein({name}_l, {name}_r) <= 2", near),
    )


EQUAL: Final = Text("相同", "equal")
SLIP: Final = Text("差一个字符", "one character off")
SWAPPED: Final = Text("字符相同而次序不同", "the same characters in another order")
NEAR: Final = Text("差两个字符", "two characters off")
OTHER: Final = Text("不同", "different")

FIELDS: Final = (
    Field(
        "invoice",
        Text("发票号码", "invoice number"),
        (
            Level(
                "length(invoice_l) = length(invoice_r) and substr(invoice_l, 1, length(invoice_l) - 2) = "
                "substr(invoice_r, 1, length(invoice_r) - 2)",
                Text("只差末两位", "only the last two digits differ"),
            ),
            *_digits("invoice", EQUAL, SLIP, SWAPPED, NEAR)[1:],
        ),
    ),
    Field(
        "issued_on",
        Text("开票日期", "day of issue"),
        (
            Level("issued_on_l = issued_on_r", EQUAL),
            Level("abs(issued_day_l - issued_day_r) <= 2", Text("相差不超过两天", "within two days")),
            Level("levenshtein(issued_on_l, issued_on_r) <= 1", SLIP),
            Level("issued_on_sorted_l = issued_on_sorted_r", SWAPPED),
        ),
    ),
    Field(
        "amount",
        Text("金额", "amount"),
        (
            Level("amount_l = amount_r", EQUAL),
            Level("levenshtein(amount_l, amount_r) <= 1", SLIP),
            Level("amount_sorted_l = amount_sorted_r", SWAPPED),
            Level(
                "abs(amount_fen_l - amount_fen_r) * 100 <= amount_fen_l",
                Text("相差不超过百分之一", "within one percent"),
            ),
        ),
    ),
    Field(
        "provider",
        Text("服务机构", "provider"),
        (
            Level("provider_l = provider_r", EQUAL),
            Level("levenshtein(provider_name_l, provider_name_r) <= 2", Text("名称相近", "the names are alike")),
        ),
    ),
    Field("contract", Text("合同编号", "contract number"), _digits("contract", EQUAL, SLIP, SWAPPED, NEAR)),
    Field(
        "title",
        Text("合同名称", "contract title"),
        (
            Level("title_l = title_r", EQUAL),
            Level("levenshtein(title_l, title_r) <= 2", Text("相近", "alike")),
            Level("levenshtein(title_l, title_r) * 3 <= length(title_l)", Text("大体相近", "much alike")),
        ),
    ),
    Field("receipt", Text("银行回单号", "bank receipt"), _digits("receipt", EQUAL, SLIP, SWAPPED, NEAR)),
)
"""Every field in the order in which it is explained; ``OTHER`` is the level below the last."""

BLOCKS: Final = (
    ("enterprise", "provider"),
    ("enterprise", "amount"),
    ("enterprise", "issued_on"),
)
"""Two lines are compared where they agree in all columns of one of these: a slip leaves at least one untouched."""


@dataclass(frozen=True, slots=True)
class Model:
    """The probabilities: of each field ``(m, u)`` of each level, ``OTHER`` last; of a blocked pair that it is one."""

    match_parts: int
    levels: Mapping[str, tuple[tuple[int, int], ...]]

    @property
    def digest(self) -> str:
        """Names the model that a pair was found with."""
        return sha256(self.text().encode()).hexdigest()

    def text(self) -> str:
        """The model as it is shipped."""
        return json.dumps({"match_parts": self.match_parts, "levels": self.levels}, sort_keys=True)

    def settings(self) -> dict[str, Any]:
        """The model in Splink's form."""
        return {
            "link_type": "dedupe_only",
            "unique_id_column_name": "unique_id",
            "probability_two_random_records_match": self.match_parts / PARTS,
            "comparisons": [_comparison(field, self.levels[field.name]) for field in FIELDS],
            "blocking_rules_to_generate_predictions": [
                {"blocking_rule": " and ".join(f"l.{column} = r.{column}" for column in block)} for block in BLOCKS
            ],
            "retain_matching_columns": True,
            "retain_intermediate_calculation_columns": True,
            "additional_columns_to_retain": ["claim_id"],
        }


def _comparison(field: Field, probabilities: Sequence[tuple[int, int]]) -> dict[str, Any]:
    absent = f"{field.name}_l is null or {field.name}_r is null"
    levels: list[dict[str, Any]] = [{"sql_condition": absent, "label_for_charts": "absent", "is_null_level": True}]
    conditions = [*((level.condition, level.said.en) for level in field.levels), ("ELSE", OTHER.en)]
    for (condition, said), (m_parts, u_parts) in zip(conditions, probabilities, strict=True):
        levels.append(
            {
                "sql_condition": condition,
                "label_for_charts": said,
                "m_probability": m_parts / PARTS,
                "u_probability": u_parts / PARTS,
            }
        )
    return {"output_column_name": field.name, "comparison_levels": levels}


@cache
def shipped_model() -> Model:
    """The model that comes with the product."""
    return read_model(SHIPPED.read_text(encoding="utf-8"))


def read_model(text: str) -> Model:
    """The model in a text that :meth:`Model.text` made."""
    said = json.loads(text)
    return Model(said["match_parts"], {name: tuple((m, u) for m, u in pairs) for name, pairs in said["levels"].items()})


def even_model() -> Model:
    """A model that knows nothing: with it the engine only tells which level each pair meets."""
    return Model(PARTS // 2, {field.name: ((1, 1),) * (len(field.levels) + 1) for field in FIELDS})


Counts = Mapping[str, Sequence[tuple[int, int]]]
"""Of each field how many pairs of one spending, and how many others, met each level, ``OTHER`` last."""


def trained(counts: Counts, matches: int, others: int, prior: Model | None) -> Model:
    """The model of these counts, with the prior's probabilities counted in as ``PRIOR_PAIRS`` pairs of each kind."""
    levels = {}
    for field in FIELDS:
        seen = counts[field.name]
        size = len(seen)
        before = [(PARTS // size, PARTS // size)] * size if prior is None else prior.levels[field.name]
        weight = size if prior is None else PRIOR_PAIRS
        levels[field.name] = tuple(
            (_parts(m, weight, earlier[0], [s[0] for s in seen]), _parts(u, weight, earlier[1], [s[1] for s in seen]))
            for (m, u), earlier in zip(seen, before, strict=True)
        )
    total = matches + others
    share = matches * PARTS // total if total and prior is None else (prior.match_parts if prior else PARTS // 2)
    return Model(min(max(share, 1), PARTS - 1), levels)


def _parts(count: int, weight: int, before_parts: int, all_counts: Sequence[int]) -> int:
    """The smoothed share of a level; never nothing, so that no single field decides alone."""
    return max(1, (count * PARTS + weight * before_parts) // (sum(all_counts) + weight))
