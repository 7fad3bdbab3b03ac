"""P12: the start of the embedded service on an existing folder, from the command to `/readyz`.

python -m tests.benchmarks.bench_start
"""

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Final

from clearing.demonstration.claims import generate
from tests.benchmarks.baselines import asked, machine, no_figure
from tests.service.running import DEMO_CLOCK, RunningService

STARTS: Final = 5
CLAIMS: Final = 200
GOAL_SECONDS: Final = 3


def main() -> None:
    """Fill a folder, stop, and start on it several times, once after a kill."""
    count = asked(CLAIMS)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        service = RunningService(Path(folder, "data"), "--demo-clock", DEMO_CLOCK)
        try:
            first = service.start()
            _fill(service, count)
            starts = []
            for _ in range(STARTS):
                service.stop()
                starts.append(service.start())
            service.kill_all()
            killed = service.start()
            _prove(service, count)
        finally:
            service.end()
    sys.stdout.write(
        f"P12 start on an existing folder, {STARTS} times ({machine()})\n"
        f"    ready after {statistics.median(starts):.2f} s at the median, {max(starts):.2f} s at most "
        f"(goal {GOAL_SECONDS} s)\n"
        f"    first start on an empty folder {first:.2f} s, after SIGKILL of everything {killed:.2f} s\n"
    )


def _fill(service: RunningService, count: int) -> None:
    caller = service.platform("jssic")
    for one in generate(3, count):
        if one.platform == "jssic":
            caller.post("/v1/claims", one.body)


def _prove(service: RunningService, count: int) -> None:
    stored = service.platform("jssic").get("/v1/claims?limit=500").json["items"]
    wanted = sum(one.platform == "jssic" for one in generate(3, count))
    if len(stored) != wanted:
        no_figure(f"{wanted} claims were stored, {len(stored)} are there")


if __name__ == "__main__":
    main()
