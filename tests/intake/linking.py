"""A year's linked regions, proposed by one person and approved by another."""

from collections.abc import Mapping, Sequence

from clearing.tenancy import linked_regions
from tenants.kernel.database import Work
from tests.intake.counter import Counter


def link(counter: Counter, year: int, regions: Mapping[str, Sequence[str]]) -> None:
    """Let Jiangsu's awards of the year be matched by these regions."""

    def use_case(work: Work) -> None:
        made = linked_regions.propose(work, "admin", "jiangsu", year, regions)
        linked_regions.decide(work, "approver", "jiangsu", year, made.version, "approve", None)

    counter.do(use_case, "jiangsu")
