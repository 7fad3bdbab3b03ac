"""When the relay wakes a worker, and how long a failure waits."""

from datetime import timedelta

from alembic.config import Config
from alembic.script import ScriptDirectory

from clearing import migrations
from clearing.migrations import newest_revision
from clearing.relay import LONGEST_WAIT, STUCK_ATTEMPTS, is_notice, wait_after
from clearing.workers import JOB_KINDS


def test_a_failure_waits_twice_as_long_each_time_and_never_for_ever() -> None:
    assert [wait_after(number) for number in (1, 2, 3)] == [timedelta(seconds=second) for second in (2, 4, 8)]
    assert wait_after(10_000) == LONGEST_WAIT
    assert sum((wait_after(number) for number in range(1, STUCK_ATTEMPTS)), timedelta()) < timedelta(minutes=10)


def test_a_kind_is_a_notice_unless_a_worker_has_a_job_of_that_name() -> None:
    assert "batch.instruct" in JOB_KINDS
    assert not is_notice("batch.instruct", JOB_KINDS)
    for kind in ("claim.in_review", "batch.sealed", "payout.settled", "reservation.confirmed"):
        assert is_notice(kind, JOB_KINDS)
    assert not is_notice("nonsense", JOB_KINDS)


def test_the_revision_read_from_the_file_names_is_the_one_that_alembic_goes_to() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations.__path__[0]))
    assert ScriptDirectory.from_config(config).get_current_head() == newest_revision()
