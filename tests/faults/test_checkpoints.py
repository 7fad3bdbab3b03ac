"""Signed checkpoints: an old backup put back is seen at the start, and so is a changed chain."""

import shutil
import subprocess
from pathlib import Path

import pytest

from clearing.checkpoints import Checkpoint, CheckpointError, Checkpoints
from clearing.settings import Settings
from tests.faults.faults import database
from tests.intake.bodies import claim
from tests.service.running import READY_SECONDS, RunningService, until


def checkpoints(service: RunningService) -> Checkpoints:
    """The service's own checkpoints."""
    return Checkpoints.of(Settings("", "", service.data_dir / "secrets", checkpoints=service.data_dir / "checkpoints"))


def newest(service: RunningService) -> Checkpoint:
    """The newest checkpoint of Jiangsu."""
    found = checkpoints(service).newest("jiangsu")
    assert found is not None
    return found


def refusal(service: RunningService) -> str:
    """What the service says when it refuses to start."""
    service.output.write_text("")
    service.begin()
    assert service.process is not None
    assert service.process.wait(READY_SECONDS) == 1
    said = service.output.read_text()
    assert "Traceback" not in said
    return said


def test_an_old_backup_put_back_is_refused_with_what_is_missing(own: RunningService) -> None:
    cluster = own.data_dir / "servers" / "postgres"
    backup = own.data_dir.with_name("backup")
    subprocess.run(["/bin/cp", "-a", cluster, backup], check=True)
    own.start()
    before = newest(own)
    assert own.platform("jssic").post("/v1/claims", claim()).status == 201
    own.stop()
    own.start()  # a start signs what is new
    until(lambda: newest(own).seq > before.seq)
    own.stop()
    shutil.rmtree(cluster)
    subprocess.run(["/bin/cp", "-a", backup, cluster], check=True)
    said = refusal(own)
    assert f"entry {newest(own).seq} of jiangsu" in said
    assert "old backup" in said


def test_a_changed_chain_is_seen_while_the_service_runs_and_refused_at_the_next_start(hurt: RunningService) -> None:
    with database(hurt, "owner") as owner:
        owner.execute("alter table audit_entry disable trigger user")
        owner.execute("alter table audit_entry no force row level security")
        owner.execute(
            "update audit_entry set hash = sha256('x') where tenant = 'jiangsu' and seq = %s", (newest(hurt).seq,)
        )
    answer = hurt.api.get("/readyz")
    assert answer.status == 503
    assert answer.json["errors"][0]["pointer"] == "/checkpoints"
    hurt.stop()
    assert "jiangsu" in refusal(hurt)


def test_a_forged_checkpoint_is_refused(own: RunningService) -> None:
    path = own.data_dir / "checkpoints" / "jiangsu.jsonl"
    path.write_text(path.read_text().replace('"jws":"e', '"jws":"f'))
    assert str(path) in refusal(own)


def test_a_lost_checkpoint_key_is_not_replaced_by_a_new_one(own: RunningService) -> None:
    (own.data_dir / "secrets" / "checkpoint-key").unlink()
    assert "checkpoint-key" in refusal(own)


def test_a_line_cut_short_by_a_crash_is_dropped_and_the_chain_goes_on(own: RunningService) -> None:
    path = own.data_dir / "checkpoints" / "jiangsu.jsonl"
    before, kept = newest(own), [one.seq for one in checkpoints(own).every("jiangsu")]
    with path.open("ab") as file:
        file.write(b'{"jws":"cut sho')
    assert newest(own) == before
    own.start()
    assert own.platform("jssic").post("/v1/claims", claim()).status == 201
    own.stop()
    own.start()
    until(lambda: newest(own).seq > before.seq)
    assert b"cut sho" not in path.read_bytes()
    signed = [one.seq for one in checkpoints(own).every("jiangsu")]
    new = signed[len(kept) :]  # of the claim, and perhaps of what the scheduler noted after it
    assert signed[: len(kept)] == kept
    assert new
    assert new == sorted({seq for seq in new if seq > before.seq})


def test_the_key_is_for_its_owner_alone_and_signs_nothing_else(own: RunningService, tmp_path: Path) -> None:
    key = own.data_dir / "secrets" / "checkpoint-key"
    assert key.stat().st_mode & 0o777 == 0o600
    strange = Settings("", "", tmp_path / "secrets", checkpoints=own.data_dir / "checkpoints")
    strange.secrets_folder.mkdir()
    with pytest.raises(CheckpointError, match="checkpoint-key"):
        Checkpoints.of(strange)
