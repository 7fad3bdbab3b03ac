"""Founding: an empty instance becomes a sandbox, and gets what there is to try with.

The mark is put beside the secrets first and into the database with its first migration, so that there is no instant at
which an unmarked sandbox could be used. Each step may be done again: what was broken off is gone on with.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import Engine

from clearing.migrations import current_revision
from clearing.places import Places
from clearing.preparation import PreparationError, Prepared, migrate_schema, prepare
from clearing.sandbox.test_keys import complete_keys
from clearing.settings import Settings
from clearing.tenancy.budgets import read_budget, set_budget
from tenants.instance import SANDBOX, MixedInstancesError, mark_of_secrets, mark_secrets, stored_mark
from tenants.kernel.clock import SystemClock, shanghai_day
from tenants.kernel.database import Scope, Work, open_engine, run
from tenants.kernel.money import Money
from tenants.profile import tenant_codes

ACTOR: Final = "sandbox"
BUDGET: Final = Money(100_000_000_00)
"""What each scheme may spend in a year, in fen: enough that no trial meets its end by chance."""


@dataclass(frozen=True, slots=True)
class Founded:
    """A sandbox that can be used, and whether its test keys are new."""

    prepared: Prepared
    keys_made: bool


def mark_place(places: Places) -> Places:
    """Mark the secrets of an instance in which nothing is yet as a sandbox's; the places as they then are.

    Raises:
        MixedInstancesError: the instance is in use, and not as a sandbox.
        PreparationError: the secrets folder cannot be written.
    """
    folder = places.settings.secrets_folder
    if mark_of_secrets(folder) != SANDBOX:
        engine = open_engine(places.owner_url or places.settings.database_url)
        try:
            _require_unused(engine)
        finally:
            engine.dispose()
        try:
            mark_secrets(folder)
        except OSError as error:
            raise PreparationError(
                f"无法在密钥目录 {folder} 写入沙箱标记（{error.strerror}）。"
                "请在该目录可写时运行一次 clearing sandbox create。",
                f"The sandbox's mark cannot be written into the secrets folder {folder} ({error.strerror}). Run "
                "clearing sandbox create once where the folder can be written.",
            ) from error
    return replace(places, settings=replace(places.settings, sandbox=True))


def _require_unused(engine: Engine) -> None:
    with engine.connect() as connection:
        if current_revision(connection) is None or stored_mark(connection) == SANDBOX:
            return
    raise MixedInstancesError(
        "此数据库已作为正式环境使用，不能改作沙箱。请为沙箱另选 --data-dir（或另一数据库与密钥目录）。",
        "This database is in use as a real instance's and never becomes a sandbox. Choose another --data-dir for that, "
        "or another database and secrets folder.",
    )


def found(places: Places, at: datetime | None) -> Founded:
    """Make the sandbox, or go on making it; ``at``: from where its clock runs, the machine's time where it is left out.

    Raises:
        MixedInstancesError: as for :func:`mark_place`.
    """
    places = mark_place(places)
    if places.owner_url is not None:
        migrate_schema(places.owner_url, SANDBOX)
    return furnish(places.settings, prepare(places.settings, at))


def furnish(settings: Settings, prepared: Prepared) -> Founded:
    """Give a sandbox that is seeded budgets and test keys, where it has none."""
    machine, tenants = SystemClock(), tenant_codes()
    engine = open_engine(settings.database_url)
    try:
        run(engine, Scope(tenants), machine, _fund)
        made = complete_keys(engine, machine, settings.secrets_folder, tenants)
    finally:
        engine.dispose()
    return Founded(prepared, made)


def _fund(work: Work) -> None:
    """A budget for every scheme, for the clock's year and those beside it, where none was set."""
    schemes = work.connection.exec_driver_sql("select distinct tenant, scheme from policy_version order by 1, 2").all()
    this_year = shanghai_day(work.at).year
    for tenant, scheme in schemes:
        for year in (this_year - 1, this_year, this_year + 1):
            if read_budget(work.connection, tenant, scheme, year)["amount"] is None:
                set_budget(work, ACTOR, tenant, scheme, year, BUDGET, "沙箱预置 / sandbox")
