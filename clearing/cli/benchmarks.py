"""``bench``: the measurements of ``tests/benchmarks``, where the source tree is there."""

import runpy
from pathlib import Path

import click

FOLDER = Path(__file__).parents[2] / "tests" / "benchmarks"


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("names", nargs=-1)
def bench(names: tuple[str, ...]) -> int:
    """性能测量 / Run the benchmarks, all or those named; each prints its ratio to the baseline of the same run."""
    from clearing.cli.program import OK, UNAVAILABLE

    known = [path.stem.removeprefix("bench_") for path in sorted(FOLDER.glob("bench_*.py"))]
    if not known:
        click.echo(f"没有源代码目录 {FOLDER}。 The source tree with the benchmarks is not here.", err=True)
        return UNAVAILABLE
    for name in names:
        if name not in known:
            raise click.BadParameter(f"没有 {name} / no such benchmark: {name}; {', '.join(known)}", param_hint="NAMES")
    failed = [name for name in names or known if not _passes(name)]
    for name in failed:
        click.echo(f"{name}: 未得出结果 / no figure", err=True)
    return UNAVAILABLE if failed else OK


def _passes(name: str) -> bool:
    click.echo(f"── {name}")
    try:
        runpy.run_module(f"tests.benchmarks.bench_{name}", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        return ended.code in {None, 0}
    return True
