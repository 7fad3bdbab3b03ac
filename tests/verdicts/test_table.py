"""The complete table of dedup.md: kind × enterprise × scheme × platform × state of the earlier claim, a line a cell."""

from itertools import product

import pytest

from tests.intake.counter import codes
from tests.verdicts.conftest import Played
from tests.verdicts.table import CELLS, Cell

EITHER = ("same", "other")
STATES = (
    "on_hold", "in_review", "needs_correction", "corrected", "approved", "batched", "paid", "overdue", "rejected",
    "withdrawn", "clawed_back",
)  # fmt: skip

OF_THE_STAGE = {
    "client.absent", "claim.client", "review.witness", "clock.absent", "outbox.notice", "outbox.stuck",
}  # fmt: skip
"""What the auditor misses on a stage: clients that log in, a running clock, and workers that deliver notices."""


@pytest.mark.parametrize("cell", CELLS, ids=[cell.name for cell in CELLS])
def test_a_second_claim_is_answered_as_the_table_says(played: Played, cell: Cell) -> None:
    second = played.second[cell]
    assert (second.row.state, codes(second)) == (cell.verdict, cell.codes)


def test_the_table_has_every_cell_once() -> None:
    kinds = ("invoice", "contract", "receipt", "document")
    wanted = set(product(kinds, EITHER, EITHER, EITHER, ("whole",), STATES))
    found = [(c.kind, c.enterprise, c.scheme, c.platform, c.use, c.earlier) for c in CELLS]
    assert len(set(found)) == len(found)
    assert wanted <= set(found)


def test_the_auditor_finds_nothing_wrong_in_all_that_was_played(played: Played) -> None:
    found = {each.subject for each in played.differences}
    assert found <= OF_THE_STAGE
