"""P9: claims from a file, their refused lines corrected and fed in again, and all of them exported: memory stays flat.

    python -m tests.benchmarks.bench_import [--count LINES]

One line in a hundred is refused and comes back in the file of errors, is corrected there, and goes in from there. The
ratio is that of the memory at the end to the memory after the first tenth. A million lines are the goal's measure.
"""

import json
import os
import sys
import time
from datetime import date
from pathlib import Path
from typing import Final

import psutil

from clearing.claims.listing import Filter
from clearing.service import Service
from clearing.transfers.exporting import exported, write_claims
from clearing.transfers.importing import Importer, Summary
from clearing.transfers.sources import open_source
from tenants.principal import Principal
from tests.benchmarks.baselines import asked, machine, no_figure
from tests.benchmarks.prepared_service import prepared_service
from tests.intake.bodies import claim

LINES: Final = 20_000
GOAL_MEBIBYTES: Final = 256
REFUSED_ONE_IN: Final = 100
TENTH: Final = 10
CALLER: Final = Principal("bench", "bench", "jssic", ("jiangsu",), frozenset({"claims:write", "claims:import"}))


def write_file(path: Path, lines: int) -> int:
    """So many claims, some of them with an amount that is none; how many of those."""
    refused = 0
    with path.open("w", encoding="utf-8") as file:
        for number in range(lines):
            body = claim(on=date(2024, 9, 30))
            if number % REFUSED_ONE_IN == 0:
                body["contract"]["amount"] = "壹万元"
                refused += 1
            file.write(json.dumps(body, ensure_ascii=False) + "\n")
    return refused


def correct(path: Path) -> None:
    """What a person does to the file of errors, line by line in its wrapping."""
    corrected = path.with_suffix(".corrected")
    with path.open(encoding="utf-8") as given, corrected.open("w", encoding="utf-8") as file:
        for line in given:
            told = json.loads(line)
            told["record"]["contract"]["amount"] = "1000000.00"
            file.write(json.dumps(told, ensure_ascii=False) + "\n")
    corrected.replace(path)


class Memory:
    """What this process holds, looked at after every transaction."""

    def __init__(self, lines: int) -> None:
        self._process, self._early = psutil.Process(), lines // TENTH
        self.early = self.most = 0

    def look(self, summary: Summary) -> None:
        """Note the most of the first tenth, and the most of all."""
        now = self._process.memory_info().rss
        self.most = max(self.most, now)
        if summary.read <= self._early or self.early == 0:
            self.early = max(self.early, now)


def imported(service: Service, path: Path, errors: Path, memory: Memory) -> tuple[float, Summary]:
    """Seconds of one import of the file, and its counts."""
    begun = time.perf_counter()
    with open_source(path, errors, None, support=False, caller=CALLER) as source:
        summary = Importer(service, CALLER).run(source, memory.look)
    return time.perf_counter() - begun, summary


def measured(service: Service, folder: Path, lines: int) -> None:
    """Measure, prove, print."""
    path, errors = folder / "claims.ndjson", folder / "claims.errors.ndjson"
    wrong, memory = write_file(path, lines), Memory(lines)
    seconds, tally = imported(service, path, errors, memory)
    if (tally.read, tally.stored, tally.refused) != (lines, lines - wrong, wrong):
        no_figure(f"{tally.stored} of {lines} stored, {tally.refused} refused")
    correct(errors)
    _, second = imported(service, errors, folder / "again.errors.ndjson", Memory(wrong))
    if (second.stored, second.refused) != (wrong, 0):
        no_figure(f"{second.stored} of {wrong} corrected lines stored, {second.refused} refused")
    begun = time.perf_counter()
    count = write_claims(folder / "all.csv", exported(service, CALLER.tenants, Filter.from_query({})), "utf-8")
    out = time.perf_counter() - begun
    if count != lines:
        no_figure(f"{count} of {lines} exported")
    memory.look(Summary(read=lines))
    grown = (memory.most - memory.early) / 2**20
    said = [
        f"P9  {lines} claims from a file and out again ({machine()})",
        f"    import {lines / seconds:10.0f} lines/s, {wrong} refused, corrected and taken in",
        f"    export {lines / out:10.0f} claims/s",
        (
            f"    memory {memory.early / 2**20:.0f} MiB after a tenth, {memory.most / 2**20:.0f} MiB at most: "
            f"ratio {memory.most / memory.early:.2f}, grown by {grown:.0f} MiB (goal: {GOAL_MEBIBYTES} at most)"
        ),
    ]
    sys.stdout.write("\n".join(said) + "\n")


def main() -> None:
    """Run on servers of its own."""
    lines = asked(LINES)
    with prepared_service() as (service, _addresses, folder):
        measured(service, folder, lines)


if __name__ == "__main__":
    os.umask(0o077)
    main()
