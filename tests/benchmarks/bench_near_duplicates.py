"""Near duplicates: precision and recall over 50,000 labelled pairs, none of which the model was trained on.

    python -m tests.benchmarks.bench_near_duplicates [--count PAIRS] [--ship]

The shipped model is counted over a corpus of another seed (``--ship`` writes it). Every blocked pair above the
threshold counts, labelled or not: what is above and no variant is a false one. A near duplicate only ever holds.
"""

import sys
import time
from collections import Counter
from typing import Final

from clearing.likeness.engine import DuckEngine, Scored
from clearing.likeness.model import PARTS, SHIPPED, Model, even_model, shipped_model
from clearing.likeness.training import Known, counted
from tests.benchmarks.baselines import machine, no_figure, options
from tests.benchmarks.likeness_corpus import Corpus, corpus, kinds

PAIRS: Final = 50_000
SEED: Final = 20_240_830
TRAINING_SEED: Final = 11
TRAINING_PAIRS: Final = 20_000
THRESHOLDS: Final = (500_000, 800_000, 900_000, 950_000, 990_000, 999_000)
GOAL: Final = 0.99


def same_pairs(given: Corpus) -> set[frozenset[str]]:
    """The pairs that are one spending."""
    return {frozenset((pair.left, pair.right)) for pair in given.pairs if pair.same}


def model_of(given: Corpus) -> Model:
    """The model counted over the corpus."""
    met = DuckEngine(2).pairs([facts.line() for facts in given.lines], even_model(), 0)
    return counted(met, Known(frozenset(same_pairs(given))), None)


def figures(found: list[Scored], given: Corpus, threshold: int) -> tuple[float, float, int]:
    """Precision, recall and how many pairs are above the threshold."""
    same = same_pairs(given)
    above = {frozenset((pair.left, pair.right)) for pair in found if pair.parts >= threshold}
    right = len(above & same)
    return (right / len(above) if above else 0.0, right / len(same), len(above))


def main() -> None:
    """Score the corpus and print what was found."""
    parser = options(PAIRS)
    parser.add_argument("--ship", action="store_true")
    wanted = parser.parse_args()
    if wanted.ship:
        SHIPPED.write_text(model_of(corpus(TRAINING_SEED, TRAINING_PAIRS)).text() + "\n", encoding="utf-8")
    given = corpus(SEED, wanted.count)
    if len(given.pairs) != wanted.count or len({facts.unique_id for facts in given.lines}) != len(given.lines):
        no_figure("the corpus is not what it says")
    lines = [facts.line() for facts in given.lines]
    begun = time.perf_counter()
    found = DuckEngine(2).pairs(lines, shipped_model(), 1)
    seconds = time.perf_counter() - begun
    say = sys.stdout.write
    say(f"Near duplicates, {wanted.count} labelled pairs, {len(lines)} lines ({machine()})\n")
    say(f"    compared and scored in {seconds:.1f} s; {len(found)} blocked pairs with any likelihood\n")
    for threshold in THRESHOLDS:
        precision, recall, count = figures(found, given, threshold)
        met = "  both ≥ 99 %" if min(precision, recall) >= GOAL else ""
        figure = f"precision {precision:8.3%}  recall {recall:8.3%}  {count} pairs above{met}"
        say(f"    threshold {threshold / PARTS:.3f}  {figure}\n")
    missed(found, given)
    say("    wrong automatic refusals 0: a pair holds the later claim, and nothing here refuses one\n")


def missed(found: list[Scored], given: Corpus, threshold: int = 990_000) -> None:
    """Which kinds of variants are missed, and which look-alikes are taken, at the shipped threshold of 99 %."""
    above = {frozenset((pair.left, pair.right)) for pair in found if pair.parts >= threshold}
    counts = Counter(pair.kind for pair in given.pairs)
    wrong = Counter(pair.kind for pair in given.pairs if (frozenset((pair.left, pair.right)) in above) is not pair.same)
    for kind in kinds(given.pairs):
        sys.stdout.write(f"        {kind:40} {wrong[kind]:5} wrong of {counts[kind]}\n")


if __name__ == "__main__":
    main()
