"""``clearing bench``: every benchmark gives its figures over a handful, so that none is broken when it is wanted."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FEW = {
    "assessment": 30, "batch": 60, "bulk_claims": 300, "console": 500, "door": 20, "files": 60, "http_claims": 60,
    "import": 300, "near_duplicates": 600, "registry": 2_000, "registry_growth": 20_000, "rehearsal": 2_100, "start": 5,
    "statements": 60, "support_records": 500, "verify": 60,
}  # fmt: skip
LONG = frozenset({"bulk_claims", "console", "http_claims", "rehearsal", "start"})
"""Those that take their time, however few claims they are over."""
FIGURE = re.compile(r"\d+(\.\d+)? ?(/s|ms|µs|s|%|x|×|MiB|claims/s|records/s)(\b|$| )", re.MULTILINE)


def bench(*given: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "clearing", "bench", *given]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ | {"LC_ALL": "C.UTF-8"}
    )


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.long) if name in LONG else name for name in sorted(FEW)]
)
def test_a_benchmark_gives_its_figures(name: str) -> None:
    done = bench(name, "--count", str(FEW[name]))
    assert done.returncode == 0, done.stdout + done.stderr
    assert FIGURE.search(done.stdout), done.stdout
    assert "no figure" not in done.stdout + done.stderr


def test_no_benchmark_is_left_out() -> None:
    assert {path.stem.removeprefix("bench_") for path in (ROOT / "tests/benchmarks").glob("bench_*.py")} == FEW.keys()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--count", "5"), "--count goes with a named benchmark"),
        (("nothing",), "no such benchmark: nothing; assessment, "),
        (("door", "--count", "0"), "--count"),
    ],
)
def test_what_cannot_be_measured_is_refused(given: tuple[str, ...], said: str) -> None:
    done = bench(*given)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_benchmark_that_proves_itself_wrong_ends_without_a_figure() -> None:
    done = bench("registry", "--count", "1")
    assert done.returncode == 3
    assert "registry: 未得出结果 / no figure" in done.stderr
