"""A disk that fills up under the service: refusals, no loss, and all is well when there is room again."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.faults import events, require_whole, submit
from tests.intake.bodies import claim
from tests.service.running import RunningService, until

MEGABYTE = 1024 * 1024
SIZE = 320 * MEGABYTE


@pytest.fixture
def small(started_once: Path, place: Path) -> Iterator[RunningService]:
    """A service on a small disk of its own."""
    disk = place / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        [shutil.which("mount") or "/bin/false", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", disk], check=False
    )
    if mounted.returncode != 0:
        pytest.skip("a small file system can be mounted by root only")
    try:
        subprocess.run(["/bin/cp", "-a", started_once, disk / "data"], check=True)
        service = RunningService(disk / "data", "--demo-clock", "2024-09-27T09:00:00+08:00")
        service.output = place / "out"
        service.start()
        yield service
        service.end()
    finally:
        subprocess.run([shutil.which("umount") or "/bin/false", "--lazy", disk], check=True)


def fill(path: Path) -> None:
    """Write until there is no room left."""
    with path.open("wb") as file:
        room = os.statvfs(path).f_bavail * os.statvfs(path).f_frsize
        while room > 0:
            try:
                room -= file.write(b"\0" * min(room, MEGABYTE))
            except OSError:
                return


def test_a_full_disk_refuses_new_claims_and_loses_none_that_was_acknowledged(small: RunningService) -> None:
    platform = small.platform("jssic")
    acknowledged = [submit(platform, claim())]
    filler = small.data_dir.parent / "filler"
    fill(filler)
    refused = None
    for _ in range(2000):
        body = claim()
        answer = platform.post("/v1/claims", body)
        if answer.status == 503:
            refused = body
            break
        assert answer.status == 201, answer
        acknowledged.append(answer.json["id"])
    assert refused is not None
    filler.unlink()
    until(small.is_ready, seconds=60)
    acknowledged.append(submit(platform, refused))
    stored = {item["id"] for item in platform.get("/v1/claims?limit=500").json["items"]}
    assert stored >= set(acknowledged[-500:])
    until(lambda: len(events(platform)) >= len(acknowledged), seconds=60)
    assert sorted(event["subject_id"] for event in events(platform)) == sorted(acknowledged)
    require_whole(small)
