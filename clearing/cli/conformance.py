"""``conformance``: what a platform's engineer runs against their own system before it is connected."""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connectors.conformance.check import Result

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command("conformance")
@click.option("--receiver", type=(str, _FILE), help="URL of your receiver of webhooks, and the file with its secret.")
@click.option(
    "--outlet", type=(str, _FILE), help="URL of your outlet that is pulled from, and the file with its token."
)
@click.option("--samples", type=_FILE, help="File of what you submit, one JSON a line.")
@click.option(
    "--sandbox", type=(str, _FILE), help="URL of a sandbox, through which the samples go, and its test-keys.json."
)
@click.option("--platform", default="", help="Your platform's code, such as jssic: by whose form records are read.")
@click.option(
    "--what", type=click.Choice(["claims", "reservations", "support_records"]), default="claims", show_default=True
)
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write the report as a page, too.")
@click.option("--json", "as_json_wanted", is_flag=True, help="Print JSON.")
def conformance(
    receiver: tuple[str, Path] | None,
    outlet: tuple[str, Path] | None,
    samples: Path | None,
    sandbox: tuple[str, Path] | None,
    platform: str,
    what: str,
    html: Path | None,
    as_json_wanted: bool,
) -> int:
    """对接自检：接收端、拉取端、报送样例 / Check your receiver, your outlet and your samples; exit 1 names faults.

    With --sandbox the samples are submitted there, reviewed, published, sealed and instructed: the whole flow.
    """
    from clearing.cli.program import FINDINGS, OK
    from connectors.conformance import Report, as_html, as_json, as_text

    if receiver is None and outlet is None and samples is None:
        raise click.UsageError("请给出 --receiver、--outlet 或 --samples / give one of them at least")
    if sandbox is not None and (samples is None or not platform or what != "claims"):
        raise click.UsageError(
            "--sandbox 须与 --samples（申请）和 --platform 同用 / goes with --samples, of claims, and --platform"
        )
    results: list[Result] = []
    if receiver is not None:
        results += _receiver(receiver[0], _secret(receiver[1]))
    if outlet is not None:
        results += _outlet(outlet[0], _secret(outlet[1]), platform, what)
    if samples is not None:
        results += _samples(samples.read_bytes(), platform, what)
    if sandbox is not None and samples is not None:
        results += _sandbox(sandbox[0], sandbox[1].read_bytes(), platform, samples.read_bytes())
    report = Report(results)
    if html is not None:
        html.write_text(as_html(report), encoding="utf-8")
    click.echo(as_json(report) if as_json_wanted else as_text(report), nl=False)
    return FINDINGS if report.failures else OK


def _receiver(url: str, secret: str) -> "Iterator[Result]":
    from connectors.conformance import check_receiver
    from tenants.kernel.clock import SystemClock

    return check_receiver(url, secret, SystemClock())


def _outlet(url: str, token: str, platform: str, what: str) -> "Iterator[Result]":
    from connectors.conformance import check_outlet
    from connectors.record import read_record

    return check_outlet(url, token, partial(read_record, platform, what))


def _samples(content: bytes, platform: str, what: str) -> "Iterator[Result]":
    from connectors.conformance import check_samples
    from connectors.record import read_record

    return check_samples(content, partial(read_record, platform, what))


def _sandbox(url: str, keys: bytes, platform: str, samples: bytes) -> "Iterator[Result]":
    from connectors.conformance import check_sandbox

    return check_sandbox(url, _known_keys(keys, platform), platform, samples)


def _known_keys(keys: bytes, platform: str) -> dict[str, Any]:
    try:
        read: dict[str, Any] = json.loads(keys)
        known = platform in read["platforms"] and bool(read["staff"])
    except (ValueError, KeyError, TypeError) as error:
        raise click.BadParameter("不是 test-keys.json / no test-keys.json", param_hint="--sandbox") from error
    if not known:
        raise click.BadParameter(f"其中没有平台 {platform} / it has no {platform}", param_hint="--platform")
    return read


def _secret(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()
