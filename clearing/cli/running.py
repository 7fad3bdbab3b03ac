"""``serve``, ``work``, ``schedule`` and ``demo``: what runs until it is told to end."""

import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import click

DEFAULT_PORT = 8000
MAX_WEB_PROCESSES = 6
"""What the embedded PostgreSQL has connections for; larger services run gunicorn beside a server of their own."""


class Bind(click.ParamType[tuple[str, int]]):
    """``HOST:PORT``."""

    name = "HOST:PORT"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """The host, without brackets, and the port."""
        if isinstance(value, tuple):
            return value
        host, _, port = str(value).rpartition(":")
        if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 2**16:
            self.fail(f"{value!r}: 须为 HOST:PORT / give HOST:PORT", param, ctx)
        return host.strip("[]"), int(port)


class Instant(click.ParamType[datetime]):
    """An instant of RFC 3339 with its offset."""

    name = "RFC3339"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The instant."""
        from marshmallow import ValidationError

        from connectors.fields import InstantField

        if isinstance(value, datetime):
            return value
        try:
            at: datetime = InstantField().deserialize(value)
        except ValidationError:
            self.fail(f"{value!r}: 须为带时区的时刻 / give an instant such as 2024-09-27T09:00:00+08:00", param, ctx)
        return at


@click.command()
@click.option(
    "--bind", type=Bind(), default=f"127.0.0.1:{DEFAULT_PORT}", show_default=True, help="Address to serve at."
)
@click.option("--demo-clock", type=Instant(), help="Demonstration mode; the later of this and the stored time holds.")
@click.option(
    "--web-processes",
    type=click.IntRange(1, MAX_WEB_PROCESSES),
    default=2,
    show_default=True,
    help="How many processes answer HTTP.",
)
@click.option("--sandbox", is_flag=True, help="Serve a sandbox; an empty data folder becomes one.")
@click.pass_obj
def serve(
    data_dir: Path, bind: tuple[str, int], demo_clock: datetime | None, web_processes: int, sandbox: bool
) -> None:
    """启动整个服务，直到 Ctrl-C / Run everything here until Ctrl-C or SIGTERM; migrates and seeds by itself."""
    from clearing.serving import Plan, serve

    host, port = bind
    serve(Plan(data_dir, os.environ, host, port, web_processes, demo_clock, sandbox, _say))


def _say(said: str) -> None:
    with suppress(OSError):  # nobody reads any more, and that is no reason to stop serving
        click.echo(said, err=True)


@click.command()
@click.pass_obj
def work(data_dir: Path) -> None:
    """只运行一个任务进程 / Run one worker, until Ctrl-C or SIGTERM."""
    from clearing.cli.opening import opened_service
    from clearing.logs import configure_logs
    from clearing.workers import run_worker

    configure_logs("worker")
    with opened_service(data_dir) as service:
        run_worker(service)


@click.command()
@click.pass_obj
def schedule(data_dir: Path) -> None:
    """只运行一个调度进程 / Run one scheduler (relay, deadlines, checkpoints), until Ctrl-C or SIGTERM."""
    from clearing.cli.opening import opened_service
    from clearing.logs import configure_logs
    from clearing.schedule import run_scheduler

    configure_logs("scheduler")
    with opened_service(data_dir) as service:
        run_scheduler(service)


@click.command()
@click.option("--once", is_flag=True, help="End when all is shown, instead of going on serving.")
@click.option(
    "--bind", type=Bind(), default=f"127.0.0.1:{DEFAULT_PORT}", show_default=True, help="Address to serve at."
)
@click.pass_obj
def demo(data_dir: Path, once: bool, bind: tuple[str, int]) -> int:
    """完整演示，从申请到拨付指令 / The whole demonstration, from claims to signed payouts."""
    from clearing.demonstration.run import run

    return int(run(data_dir, bind, once=once) or 0)
