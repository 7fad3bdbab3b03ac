"""A tenant of a test's own with policies of its own, in the shared database."""

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import Engine

from clearing.seed import AUTHOR
from tenants.kernel.canonical import sha256
from tenants.kernel.change import Change, record
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import Scope, Work, run
from tenants.policy import Policy
from tenants.policy_document import load_shipped, print_policy
from tenants.policy_store import policy_subject
from tests.intake.bodies import JIANGSU, Programme
from tests.settlement_service.bench import APPROVED, new_tenant


def shipped(tenant: str, scheme: str) -> Policy:
    """The shipped policy of law."""
    return next(d.policy for d in load_shipped() if (d.policy.tenant, d.policy.scheme) == (tenant, scheme))


def own_programme(
    owner: Engine, app: Engine, change: Callable[[Policy], Policy], programme: Programme = JIANGSU
) -> Programme:
    """A new tenant with the shipped policy of the programme, changed, and the programme under that tenant."""
    tenant = new_tenant(owner)
    store_policy(app, change(replace(shipped(programme.tenant, programme.scheme), tenant=tenant)))
    return replace(programme, tenant=tenant)


def store_policy(app: Engine, policy: Policy) -> None:
    """Store the version as approved, with its entry of the chain."""
    text = print_policy(policy)
    digest = sha256(text.encode()).hex()

    def use_case(work: Work) -> None:
        work.connection.exec_driver_sql(
            "insert into policy_version (tenant, scheme, version, effective_on, document, content_sha256, "
            "demonstration, state, author, approver, recorded_at, approved_at, kind, correction) "
            "values (%s, %s, %s, %s, %s, %s, %s, 'approved', %s, 'test approver', %s, %s, 'shipped', 0)",
            (
                policy.tenant, policy.scheme, policy.version, policy.effective_on, text, digest, policy.demonstration,
                AUTHOR, work.at, work.at,
            ),
        )  # fmt: skip
        details = {"version": policy.version, "content_sha256": digest, "approver": "test approver"}
        subject = policy_subject(policy.version)
        record(
            work.connection,
            [Change(policy.tenant, AUTHOR, "policy.approved", subject, None, "approved", details=details)],
            work.at,
        )

    run(app, Scope((policy.tenant,)), FixedClock(APPROVED), use_case)
