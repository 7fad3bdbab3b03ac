"""Attempts to mix: a wrong database, secrets folder, backup, key or environment is refused, and nothing is done."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from clearing.embedded import addresses_of
from clearing.migrations import migrate
from clearing.preparation import prepare
from clearing.readiness import faults
from clearing.sandbox.resetting import reset
from clearing.service import open_service
from clearing.settings import Settings
from tenants.instance import SANDBOX, MixedInstancesError, stored_mark
from tenants.kernel.database import open_engine
from tests.intake.bodies import claim
from tests.sandbox.conftest import Keys
from tests.service.running import Api, RunningService

Both = tuple[RunningService, RunningService]


SUBMISSION = (
    "with bound as (select * from bind_scope('jiangsu', null)) "
    "insert into bank_submission (tenant, id, batch_id, message_id, method, file_name, file_sha256, ordered_by, "
    "ordered_at) select 'jiangsu', gen_random_uuid(), gen_random_uuid(), 'BT-1', 'http', 'pain.001.xml', "
    "repeat('0', 64), 'x', now() from bound"
)


def refused(service: RunningService, *arguments: str) -> str:
    """What a command says that is refused."""
    done = service.run(*arguments, check=False)
    assert done.returncode not in {0, 1}, done
    assert "Traceback" not in done.stderr
    return done.stderr


def test_each_serves_as_what_it_is_and_as_nothing_else(running_both: Both) -> None:
    real, sandbox = running_both
    assert "never becomes a sandbox" in refused(real, "sandbox", "create")
    assert not (real.data_dir / "secrets" / "instance").exists()
    assert "never reset" in str(emptying(real, sandbox).value)


def emptying(real: RunningService, sandbox: RunningService) -> "pytest.ExceptionInfo[MixedInstancesError]":
    """A reset with a sandbox's settings and secrets that is led to the real database."""
    there, here = addresses_of(real.data_dir), addresses_of(sandbox.data_dir)
    assert there is not None
    assert here is not None
    settings = Settings(here.app_url, here.redis_url, sandbox.data_dir / "secrets", sandbox=True)
    with pytest.raises(MixedInstancesError) as caught:
        reset(there.owner_url, settings, None, keep_keys=False)
    owner = open_engine(there.owner_url)
    with owner.connect() as connection:
        assert connection.exec_driver_sql("select count(*) from tenant").scalar_one() == 6
    owner.dispose()
    return caught


@pytest.mark.usefixtures("put_back")
def test_a_sandboxs_database_with_a_real_instances_secrets_is_refused_and_the_other_way_round(
    running_both: Both,
) -> None:
    real, sandbox = running_both
    swap(real.data_dir / "secrets", sandbox.data_dir / "secrets", "kek", "registry-key", "checkpoint-key", "instance")
    assert "CLEARING_DATABASE_URL" in refused(sandbox, "client", "list")
    assert "CLEARING_DATABASE_URL" in refused(real, "seed")


@pytest.mark.usefixtures("put_back")
def test_a_real_instances_keys_do_not_become_a_sandboxs_by_the_mark_beside_them(running_both: Both) -> None:
    real, sandbox = running_both
    shutil.copy(real.data_dir / "secrets" / "kek", sandbox.data_dir / "secrets" / "kek")
    assert "copied from another" in refused(sandbox, "client", "list")


@pytest.mark.long
def test_a_backup_of_the_other_kind_that_was_put_back_is_refused(both: Both) -> None:
    """The whole cluster is changed for the other's, as a restored image does it; the passwords go with it."""
    for service in both:
        aside = service.data_dir.with_name(f"{service.data_dir.name}-own")
        subprocess.run(["/bin/cp", "-a", service.data_dir, aside], check=True)
    real, sandbox = both
    for service, of in ((sandbox, "real-own"), (real, "sandbox-own")):
        origin, cluster = service.data_dir.with_name(of), Path("servers") / "postgres"
        shutil.rmtree(service.data_dir / cluster)
        subprocess.run(["/bin/cp", "-a", origin / cluster, service.data_dir / cluster], check=True)
        for name in ("owner-password", "app-password", "auditor-password"):
            shutil.copy(origin / "secrets" / name, service.data_dir / "secrets" / name)
        assert "restored" in refused(service, "client", "list")
        assert "restored" in refused(service, "serve", *(["--sandbox"] if service is sandbox else []))
    assert "never reset" in refused(sandbox, "sandbox", "reset", "--yes")


@pytest.mark.long
def test_serving_says_what_is_served(both: Both) -> None:
    real, sandbox = both
    assert "never becomes a sandbox" in refused(real, "serve", "--sandbox")
    assert "--sandbox" in refused(sandbox, "serve")


def test_services_look_at_the_database_each_time_they_connect(running_both: Both) -> None:
    real, sandbox = running_both
    addresses, others = addresses_of(sandbox.data_dir), addresses_of(real.data_dir)
    assert addresses is not None
    assert others is not None
    as_sandbox = Settings(others.app_url, others.redis_url, sandbox.data_dir / "secrets", sandbox=True)
    as_real = Settings(addresses.app_url, addresses.redis_url, real.data_dir / "secrets")
    for settings in (as_sandbox, as_real):
        service = open_service(settings)
        with pytest.raises(MixedInstancesError), service.engine.connect():
            pass
        assert next(fault.code for fault in faults(service)) == "instance.mixed"
        with pytest.raises(MixedInstancesError):
            prepare(settings, None)
        service.engine.dispose()
    owner = open_engine(others.owner_url)
    with pytest.raises(MixedInstancesError):
        migrate(owner, SANDBOX)
    with owner.connect() as connection:
        assert stored_mark(connection) == "real"
    owner.dispose()


@pytest.mark.long
def test_every_command_that_the_environment_leads_astray_is_refused(running_both: Both) -> None:
    real, sandbox = running_both
    others = addresses_of(real.data_dir)
    assert others is not None
    named = {
        "CLEARING_DATABASE_URL": others.app_url, "CLEARING_REDIS_URL": others.redis_url,
        "CLEARING_OWNER_DATABASE_URL": others.owner_url, "CLEARING_INSTANCE": "sandbox",
        "CLEARING_SECRETS_DIR": str(sandbox.data_dir / "secrets"),
        "CLEARING_CHECKPOINTS_DIR": str(sandbox.data_dir / "checkpoints"),
    }  # fmt: skip
    commands = (("work",), ("schedule",), ("migrate",), ("seed",), ("sandbox", "create"), ("sandbox", "reset", "--yes"))
    for command in commands:
        arguments, environment = [sys.executable, "-m", "clearing", *command], os.environ | named
        done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode in {2, 3}, (command, done)
        assert "real instance" in done.stderr, (command, done)


@pytest.mark.parametrize(
    "statement",
    ["update instance set mark = 'real'", "delete from instance", "truncate instance",
     "insert into instance (mark) values ('real')", "insert into instance (only_row, mark) values (false, 'real')"],
)  # fmt: skip
@pytest.mark.parametrize("role", ["app", "owner"])
def test_the_mark_is_never_changed(sandbox: RunningService, statement: str, role: str) -> None:
    addresses = addresses_of(sandbox.data_dir)
    assert addresses is not None
    engine = open_engine(addresses.app_url if role == "app" else addresses.owner_url)
    with pytest.raises(DBAPIError), engine.begin() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()


def test_the_database_itself_lets_no_payment_of_a_sandbox_out(sandbox: RunningService) -> None:
    addresses = addresses_of(sandbox.data_dir)
    assert addresses is not None
    engine = open_engine(addresses.app_url)
    with pytest.raises(DBAPIError, match="sends no payment by http"), engine.begin() as connection:
        connection.exec_driver_sql(SUBMISSION)
    engine.dispose()


def test_a_real_instances_credentials_are_refused_before_they_are_looked_up(
    sandbox: RunningService, keys: Keys
) -> None:
    good = keys.platform("jssic")
    assert good.client_id is not None
    assert good.client_id.startswith("test_jssic-")
    assert good.client_secret.startswith("test_")
    assert good.sign_in().startswith("test_")
    for client_id, secret in (
        (good.client_id.removeprefix("test_"), good.client_secret),
        (good.client_id, good.client_secret.removeprefix("test_")),
    ):
        answer = Api(sandbox.address, client_id, secret).ask_token()
        assert (answer.status, answer.json["error"]) == (401, "invalid_client")
        assert answer.json["error_description"].startswith("client.other_instance: ")
    real = Api(sandbox.address, "x", token=good.token.removeprefix("test_") if good.token else "")
    answer = real.post("/v1/claims", claim())
    assert (answer.status, answer.code) == (401, "token.other_instance")
    assert "test_" in answer.json["detail"]
    assert "real instance" in real.get("/v1/claims", Accept_Language="en").json["detail"]


def swap(one: Path, other: Path, *names: str) -> None:
    """Change the files of two folders for one another."""
    for name in names:
        held = [(folder / name).read_bytes() if (folder / name).exists() else None for folder in (one, other)]
        for folder, content in zip((other, one), held, strict=True):
            if content is None:
                (folder / name).unlink(missing_ok=True)
            else:
                (folder / name).write_bytes(content)
