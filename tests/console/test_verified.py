"""After everything that the console's tests did, the independent auditor finds nothing."""

from clearing.verification.examination import differences
from clearing.verification.snapshot import open_snapshot
from tests.console.world import World, approved

AHEAD = "clock.back"
"""These tests let the machine's clock run ahead of the database's, which an auditor must find strange."""


def test_the_auditor_finds_nothing_after_all_that_people_did(world: World) -> None:
    approved(world, 1)
    visitor = world.visitor("finance-maker")
    visitor.send("/console", "/console/sign-out")
    settings = world.service.settings
    with open_snapshot(world.story.addresses.auditor_url) as snapshot:
        found = list(differences(snapshot, settings.secrets_folder, settings.checkpoints_folder))
    assert [each for each in found if each.subject != AHEAD] == []
    assert snapshot.tally["accounts"] > 5
    assert snapshot.tally["sessions"] > 0
