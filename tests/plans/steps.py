"""The steps of a plan as it ran, and the rows that they read."""

import json
from typing import Any

from sqlalchemy import Connection

Step = dict[str, Any]


def plan(connection: Connection, statement: str, values: Any) -> list[Step]:
    """Every step of the plan of a statement as it ran."""
    told = connection.exec_driver_sql(f"explain (analyze, format json) {statement}", values).scalar_one()
    steps = [(told if isinstance(told, list) else json.loads(told))[0]["Plan"]]
    for step in steps:
        steps.extend(step.get("Plans", ()))
    return steps


def walked(steps: list[Step]) -> set[str]:
    """The tables that the plan reads from beginning to end."""
    return {step["Relation Name"] for step in steps if step["Node Type"] == "Seq Scan"}


def touched(steps: list[Step]) -> float:
    """How many rows the plan's scans read, kept or not, by the means over their loops that the plan tells."""
    read = [step for step in steps if "Relation Name" in step]
    rows: float = sum((one["Actual Rows"] + one.get("Rows Removed by Filter", 0)) * one["Actual Loops"] for one in read)
    return rows
