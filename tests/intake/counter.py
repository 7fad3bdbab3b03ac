"""The counter (受理窗口): intake, review and the rest as short calls, each one transaction as a client's call is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import Engine

from clearing.claims import case_list, deciding, intake, reservations, review, support, suspicions
from clearing.claims.case import Desk, Outcome
from clearing.claims.listing import traces_of
from clearing.claims.records import ClaimView, claim_json, view_claim
from clearing.claims.review import Decision, Reviewer
from clearing.claims.support import Registered
from clearing.claims.vault import Vault
from connectors.claim_schema import ReservationSchema, SupportRecordSchema
from connectors.reading import read_submission
from settlement.batches.batch import Batch
from settlement.batches.batch_steps import CutOrder, cut, publish
from settlement.batches.publicity import PublicityTerms
from settlement.batches.seal import seal
from settlement.office import Office
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import Scope, Work, run, transaction
from tenants.kernel.errors import Problem
from tenants.kernel.money import Money
from tenants.kernel.secrets import Secrets
from tenants.kernel.workdays import official_calendar
from tests.intake.bodies import Body

T = TypeVar("T")

PLATFORMS: Final = {"jiangsu": "jssic", "wujiang": "delta", "shanxi-hainan": "shanxi-inno"}
TENANTS: Final = tuple(PLATFORMS)


@dataclass(frozen=True)
class Counter:
    """Calls at business time ``at``; without it, an hour after what is submitted, or after the claim last changed."""

    app: Engine
    vault: Vault
    at: datetime | None = None
    secrets: Secrets | None = None
    demonstration: bool = True
    may_import: bool = False

    def later(self, **span: int) -> "Counter":
        """The counter at so much later a time; it has to have one."""
        assert self.at is not None
        return replace(self, at=self.at + timedelta(**span))

    def submit_all(self, bodies: Sequence[Body], platform: str | None = None) -> list[Outcome]:
        """Submit claims of one tenant in one transaction, and answer each outcome."""
        claims = [read_submission(body) for body in bodies]
        tenant = claims[0].tenant
        desk = Desk(
            tenant, platform or PLATFORMS[tenant], "test-client", "test-client", self.may_import, self.demonstration
        )
        at = self.at or max(claim.submitted_at for claim in claims) + timedelta(hours=1)
        return run(
            self.app,
            Scope((tenant,), desk.platform),
            FixedClock(at),
            lambda work: intake.submit(work, self.vault, desk, claims),
            intake.RACED,
        )

    def outcome(self, body: Body, platform: str | None = None) -> Outcome:
        """Submit one claim, and answer what became of it."""
        return self.submit_all([body], platform)[0]

    def submit(self, body: Body, platform: str | None = None) -> ClaimView:
        """Submit one claim, which is stored: how it now stands."""
        outcome = self.outcome(body, platform)
        assert outcome.view is not None, outcome.problem
        return outcome.view

    def refused(self, body: Body, platform: str | None = None) -> Problem:
        """Submit one claim, which is not stored: why not."""
        outcome = self.outcome(body, platform)
        assert outcome.problem is not None, outcome.view
        assert outcome.view is None
        return outcome.problem

    def do(self, use_case: Callable[[Work], T], tenant: str, after: ClaimView | None = None) -> T:
        """Run a use case for the tenant's own people, an hour after the claim last changed."""
        at = self.at or (after.row.changed_at + timedelta(hours=1) if after else _LATE)
        return run(self.app, Scope((tenant,)), FixedClock(at), use_case)

    def view(self, claim: ClaimView) -> ClaimView:
        """How the claim stands now."""
        return self.do(lambda work: view_claim(work.connection, claim.row.id), claim.row.tenant)

    def review(
        self,
        claim: ClaimView,
        outcome: str = "approve",
        *,
        stage: str = "center",
        award: str | None = None,
        reason: str | None = None,
        person: str | None = None,
    ) -> ClaimView:
        """Decide one stage."""
        decision = Decision(stage, outcome, None if award is None else Money.parse(award), reason)
        reviewer = self.reviewer(person)
        return self.do(
            lambda work: review.review(work, self.vault, reviewer, claim.row.id, decision), claim.row.tenant, claim
        )

    def resolve(self, claim: ClaimView, code: str, outcome: str = "clear", person: str | None = None) -> ClaimView:
        """Decide the claim's open hold with this code."""
        hold = next(hold for hold in claim.holds if hold.code == code and hold.resolved_at is None)
        reviewer = self.reviewer(person)
        return self.do(
            lambda work: review.resolve_hold(work, reviewer, claim.row.id, hold.id, outcome, "已核实"),
            claim.row.tenant,
            claim,
        )

    def withdraw(self, claim: ClaimView) -> ClaimView:
        """Withdraw the claim, as its platform does."""
        return self.do(lambda work: review.withdraw(work, "test-client", claim.row.id, None), claim.row.tenant, claim)

    def reviewer(self, person: str | None) -> Reviewer:
        """A reviewer, as a person or as a client that is no person."""
        return Reviewer(person or "test-reviewer", person, self.demonstration)

    def support(self, body: Body) -> Registered:
        """Register one support record, which is stored."""
        found = self._support(body)
        assert isinstance(found, Registered), found
        return found

    def refused_support(self, body: Body) -> Problem:
        """Register one support record, which is not stored: why not."""
        found = self._support(body)
        assert isinstance(found, Problem), found
        return found

    def _support(self, body: Body) -> Registered | Problem:
        record: Any = SupportRecordSchema().load(body)
        return run(
            self.app,
            Scope((body["tenant"],), body["platform"]),
            FixedClock(self.at or _LATE),
            lambda work: support.register_support(work, self.vault, "test-client", "test-client", [record]),
            support.RACED,
        )[0]

    def paid(self, body: Body) -> ClaimView:
        """Submit a claim and bring it into a sealed batch; the rows of the batch are all that is looked at later."""
        view = self.review(self.submit(body))
        batch = self.cut()
        terms = PublicityTerms(5, official_calendar())
        tenant, office = view.row.tenant, Office(self.known_secrets(), demonstration=True)
        self.do(lambda work: publish(work.connection, tenant, batch.id, terms, "maker", _CUT), tenant)
        self.do(lambda work: seal(work.connection, tenant, batch.id, office, "maker", _SEALED), tenant)
        return self.view(view)

    def known_secrets(self) -> Secrets:
        """The service's secrets, which a seal needs."""
        assert self.secrets is not None
        return self.secrets

    def cases(self, tenant: str, claim: ClaimView | None = None) -> list[Any]:
        """The tenant's cases, or those about one claim, as the interface shows them to its people."""
        wanted = case_list.Wanted((tenant,), subject_id=None if claim is None else claim.row.id)
        found: list[Any] = self.do(
            lambda work: [
                suspicions.case_json(row, (tenant,), work.at.date())
                for row in case_list.list_cases(work.connection, wanted, None, 100)
            ],
            tenant,
        )
        return found

    def decide(self, case: Any, outcome: str, tenants: Sequence[str] = ()) -> Any:
        """Decide a case for its tenant, or for these."""
        mine, verdict = tuple(tenants) or (case["tenant"],), deciding.Verdict(outcome, "已核实")
        row = run(
            self.app,
            Scope(mine),
            FixedClock(self.at or _LATE),
            lambda work: deciding.resolve(work, self.reviewer("case-reviewer"), mine, UUID(case["id"]), verdict),
        )
        return suspicions.case_json(row, mine, _LATE.date())

    def hold_own(self, case: Any) -> None:
        """Freeze the own side of a case."""
        mine = (case["tenant"],)
        self.do(
            lambda work: deciding.hold_own_side(work, "case-reviewer", mine, UUID(case["id"]), "待核实"), case["tenant"]
        )

    def assign(self, case: Any, owner: str) -> None:
        """Give a case to somebody of its tenant."""
        mine = (case["tenant"],)
        self.do(lambda work: deciding.assign(work, "case-reviewer", mine, UUID(case["id"]), owner), case["tenant"])

    def cut(self, tenant: str = "jiangsu", scheme: str = "provincial") -> Batch:
        """Cut a batch of all that is approved."""
        order = CutOrder(tenant, scheme, "common_use", _CUT)
        return self.do(lambda work: cut(work.connection, order, "maker", _CUT), tenant)

    def reserve(self, body: Body, platform: str) -> reservations.ReservationRow:
        """Ask for quota."""
        request: Any = ReservationSchema().load(body)
        return self.do(
            lambda work: reservations.reserve(work, platform, "test-client", request, demonstration=self.demonstration)[
                0
            ],
            body["tenant"],
        )

    def confirm(self, reservation: reservations.ReservationRow) -> reservations.ReservationRow:
        """Confirm the quota asked for."""
        return self.do(
            lambda work: reservations.confirm(work, "test-reviewer", reservation.id, demonstration=self.demonstration),
            reservation.tenant,
        )

    def rows(self, statement: str, *values: Any, tenants: Sequence[str] = TENANTS) -> list[Any]:
        """What a query of the application's role answers."""
        with transaction(self.app, Scope(tuple(tenants)), FixedClock(_LATE)) as work:
            return list(work.connection.exec_driver_sql(statement, values))


_CUT: Final = datetime.fromisoformat("2024-09-02T08:00:00+08:00")
_SEALED: Final = datetime.fromisoformat("2024-09-20T08:00:00+08:00")
_LATE: Final = datetime.fromisoformat("2024-09-02T09:00:00+08:00")
"""When something is done that follows no claim."""


def assessed(claim: ClaimView) -> Any:
    """The assessment as it is answered."""
    return claim_json(claim, english=True)["assessment"]


def traces(counter: Counter, claim: ClaimView) -> list[Any]:
    """Every stored assessment of the claim with its whole trace."""
    found: list[Any] = counter.do(lambda work: traces_of(work.connection, claim.row.id), claim.row.tenant)
    return found


def codes(claim: ClaimView) -> set[str]:
    """The codes of the rules that did not let the claim pass: correct, hold and reject."""
    return {found["rule"] for found in assessed(claim)["findings"] if found["verdict"] in {"correct", "hold", "reject"}}


def award(claim: ClaimView) -> str:
    """What the claim is granted now."""
    return str(Money(claim.row.award_fen))


def open_holds(claim: ClaimView) -> set[str]:
    """The codes of the claim's open holds."""
    return {hold.code for hold in claim.holds if hold.resolved_at is None}
