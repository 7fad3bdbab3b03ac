"""``clearing sandbox`` on a real instance: nothing is emptied and no clock is moved."""

from datetime import datetime, timedelta

import pytest

from clearing.demonstration_clock import demonstration_time
from tenants.instance import MixedInstancesError
from tenants.kernel.clock import SystemClock
from tests.cli.commands import command
from tests.console.world import World


def time_of(world: World) -> datetime:
    with world.service.engine.connect() as connection:
        now = demonstration_time(connection, SystemClock())
    assert now is not None, "the world is a demonstration's"
    return now


def test_a_real_instances_time_is_not_moved(world: World) -> None:
    before = time_of(world)
    with pytest.raises(MixedInstancesError):
        command(world.story, "sandbox", "advance", "--to", "2031-01-01T00:00:00+08:00")
    assert time_of(world) - before < timedelta(days=1)
