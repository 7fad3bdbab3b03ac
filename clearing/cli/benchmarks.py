"""``bench``: the measurements of ``tests/benchmarks``, where the source tree is there."""

import subprocess
import sys
from pathlib import Path

import click

from clearing.cli.program import OK, UNAVAILABLE

FOLDER = Path(__file__).parents[2] / "tests" / "benchmarks"


@click.command()
@click.argument("names", nargs=-1)
@click.option(
    "--count", type=click.IntRange(min=1), help="How many claims, lines, records, keys or pairs a named one is over."
)
def bench(names: tuple[str, ...], count: int | None) -> int:
    """性能测量 / Run the benchmarks, all or those named; each prints its ratio to the baseline of the same run."""
    if count is not None and not names:
        raise click.UsageError("--count 须指明测量项 / --count goes with a named benchmark")
    known = [path.stem.removeprefix("bench_") for path in sorted(FOLDER.glob("bench_*.py"))]
    if not known:
        click.echo(f"没有源代码目录 {FOLDER}。 The source tree with the benchmarks is not here.", err=True)
        return UNAVAILABLE
    for name in names:
        if name not in known:
            raise click.BadParameter(f"没有 {name} / no such benchmark: {name}; {', '.join(known)}", param_hint="NAMES")
    failed = [name for name in names or known if not _passes(name, [] if count is None else [f"--count={count}"])]
    for name in failed:
        click.echo(f"{name}: 未得出结果 / no figure", err=True)
    return UNAVAILABLE if failed else OK


def _passes(name: str, options: list[str]) -> bool:
    """Run one in a process of its own, so that none warms or burdens the next."""
    click.echo(f"── {name}")
    # not as a module: a crew's processes, which know the service's main module, would each import the benchmark again
    command = [sys.executable, "-c", f"from tests.benchmarks.bench_{name} import main; main()", *options]
    return subprocess.run(command, cwd=FOLDER.parents[1], check=False).returncode == OK
