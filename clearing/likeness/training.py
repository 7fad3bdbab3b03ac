"""Training: the probabilities counted over a registry's own pairs, on top of those that are shipped.

Pairs known to be one spending are those that a reviewer confirmed, and those over one and the same invoice, in which
the invoice number itself tells nothing of slips and is not counted. Every other pair of a block counts as two
spendings: the few that are not yet known weigh next to nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from clearing.likeness.engine import Engine, Line, Scored
from clearing.likeness.model import FIELDS, Model, even_model, trained

ENOUGH_PAIRS: Final = 30
"""With fewer known pairs of its own a registry uses the shipped model as it is."""

Couple = frozenset[str]
"""The names of two lines."""
EXACT: Final = "invoice"
"""The field that is not counted over pairs of one invoice."""


@dataclass(frozen=True, slots=True)
class Known:
    """The pairs known to be one spending: by a person, and by one invoice number."""

    confirmed: frozenset[Couple]
    of_one_invoice: frozenset[Couple] = frozenset()


def train(engine: Engine, lines: Sequence[Line], known: Known, prior: Model) -> tuple[Model | None, int]:
    """The model of these lines, and over how many known pairs; ``None`` where they are too few."""
    met = engine.pairs(lines, even_model(), 0)
    same = known.confirmed | known.of_one_invoice
    count = sum(frozenset((pair.left, pair.right)) in same for pair in met)
    return (counted(met, known, prior) if count >= ENOUGH_PAIRS else None), count


def counted(met: Iterable[Scored], known: Known, prior: Model | None) -> Model:
    """The model of pairs whose levels are known."""
    counts = {field.name: [[0, 0] for _ in range(len(field.levels) + 1)] for field in FIELDS}
    totals = [0, 0]
    for pair in met:
        couple = frozenset((pair.left, pair.right))
        of_one_invoice = couple in known.of_one_invoice
        side = 0 if of_one_invoice or couple in known.confirmed else 1
        totals[side] += 1
        for field, level in zip(FIELDS, pair.levels, strict=True):
            if level >= 0 and not (of_one_invoice and field.name == EXACT):
                counts[field.name][len(field.levels) - level][side] += 1
    seen = {name: [(m, u) for m, u in levels] for name, levels in counts.items()}
    return trained(seen, totals[0], totals[1], prior)
