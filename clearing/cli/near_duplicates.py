"""``near-duplicates``: the search for re-typed spending, and the model it uses."""

import os
from pathlib import Path

import click

from clearing.cli import words


@click.group("near-duplicates")
def near_duplicates() -> None:
    """疑似重复的检索 / The search for near duplicates."""


@near_duplicates.command()
@click.pass_obj
def sweep(data_dir: Path) -> None:
    """检索上次以来的申请，直至没有新的 / Compare what came since the last sweep, until nothing new is left."""
    from clearing.cli.opening import opened_service
    from clearing.likeness.engine import engine_from
    from clearing.likeness.sweep import sweep as sweep_once

    comparer = engine_from(os.environ)
    claims = held = cases = 0
    with opened_service(data_dir) as service:
        while True:
            swept = sweep_once(service.engine, service.machine, comparer)
            claims, held, cases = claims + swept.claims, held + swept.held, cases + swept.cases
            if not swept.came:
                break
    click.echo(f"已检索 / swept: {claims} claims, {held} held, {cases} audit cases")


@near_duplicates.command()
@click.option(
    "--person", type=words.PERSON, required=True, help="Who does this; it stands in every tenant's audit chain."
)
@click.pass_obj
def train(data_dir: Path, person: str) -> None:
    """以本登记自身的重复训练模型 / Count the model over the registry's own known pairs."""
    from clearing.cli.opening import opened_service
    from clearing.likeness.engine import engine_from
    from clearing.likeness.trained import train_and_keep

    with opened_service(data_dir) as service:
        known = train_and_keep(service.engine, service.machine, engine_from(os.environ), person)
    click.echo(f"已训练 / trained over {known} known pairs")
