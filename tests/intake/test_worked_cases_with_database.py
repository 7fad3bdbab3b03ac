"""The worked cases of the specification through intake on the real database, to the fen."""

from typing import Any

import pytest

from tests.claims.claims_of_cases import CASES, read_case
from tests.intake.counter import PLATFORMS, Counter, assessed, codes
from tests.intake.linking import link

INTAKE_CASES = sorted(path.stem for path in CASES.glob("*.json") if "claim" in read_case(path.stem)["steps"][0])


def test_the_specification_has_worked_cases_for_intake() -> None:
    assert len(INTAKE_CASES) >= 10


@pytest.mark.parametrize("name", INTAKE_CASES)
def test_a_worked_case_gives_its_figures_to_the_fen(counter: Counter, name: str) -> None:
    case = read_case(name)
    for year, regions in case["facts"].get("linked_regions", {}).items():
        link(counter, int(year), regions)
    for step in case["steps"]:
        claim = step["claim"]
        stored = counter.submit(claim, step.get("platform", PLATFORMS[claim["tenant"]]))
        seen: dict[str, Any] = assessed(stored) | {"state": stored.row.state}
        matching = seen["matching"]
        seen["matching"] = "0.00" if matching is None else matching["amount"]
        wanted = dict(step["expect"])
        assert codes(stored).issuperset(wanted.pop("codes", []))
        assert {key: seen[key] for key in wanted} == wanted
        assert stored.row.award_fen == (0 if stored.row.state in {"rejected", "needs_correction"} else _fen(seen))


def _fen(seen: dict[str, Any]) -> int:
    return int(seen["award"].replace(".", ""))
