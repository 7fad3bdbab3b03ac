"""Intake: submissions of one platform for one tenant become claims, in one transaction however many they are.

The order of locks is the same everywhere: earlier claims, reservations, the enterprises' accounts, the registry's
keys, budgets, and last the audit chain. Each step is one statement for all submissions; the claims are then assessed
one after the other, each seeing what those before it took. What fails leaves nothing behind.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final, NamedTuple
from uuid import UUID

from clearing.claims import registry
from clearing.claims.activation import assess_held_up, schemes_held_up
from clearing.claims.assessment import (
    ON_HOLD,
    Assessment,
    annual_cap,
    assess,
    matching_cap,
    result_bytes,
    target_quota_year,
)
from clearing.claims.case import TAKES_KEYS, TAKES_MONEY, Assessed, Case, Desk, Drawn, Outcome
from clearing.claims.ceilings import DAY_PASSED, day_left
from clearing.claims.claim_keys import TAKEN_MEANWHILE, FreeKeys, asks_first, digests_of, free_cases, take_keys
from clearing.claims.facts import Facts, facts_bytes
from clearing.claims.filing import file_claims, papers_of
from clearing.claims.fingerprint import canonical_contract_number, identities
from clearing.claims.free_keys import known_keys_of_chunk
from clearing.claims.keyring import RACED as KEYS_CHANGED
from clearing.claims.keyring import Versions, written_versions
from clearing.claims.probes import met_this_hour, too_many
from clearing.claims.quota import Accounts, Purse, accounts_now, purse_query
from clearing.claims.records import ClaimRow, ClaimView, by_external_id, view_claims
from clearing.claims.registry import Holder, Key, Locked, holdings_of, key_queries, keys_of
from clearing.claims.surroundings import Standings, Surroundings, read_surroundings, restorable_claims, standing_query
from clearing.claims.vault import Vault
from clearing.claims.waitlist import queues
from connectors.printing import printed_content, submission_json
from connectors.submission import Submission
from settlement.ledger import States, Transfer, ended, lock_limited
from tenants.kernel.canonical import Json
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.errors import Conflict, FieldError, Invalid, Problem, Text
from tenants.kernel.ids import new_id
from tenants.kernel.money import ZERO, Money
from tenants.kernel.statements import read, read_all
from tenants.policy_store import Policies, approved_versions, policies_named

FUTURE_TOLERANCE: Final = timedelta(minutes=5)
LATE_DELIVERY: Final = timedelta(days=30)
CHUNK_CLAIMS: Final = 500
"""Claims in one transaction: enough to spread its cost, few enough to hold locks only briefly."""

RACED: Final = frozenset(
    {
        "claim_external_id", "ledger_account_within_limit", "registry_key_fen_once", TAKEN_MEANWHILE, KEYS_CHANGED,
        DAY_PASSED,
    }
)  # fmt: skip
"""Constraints that only a race can break here; the transaction then runs again and sees the winner."""

DEFAULT_GROUP: Final = "national"
"""The exclusion group of a claim that no policy governs, and of what was supported outside this service: the one that
the shipped policies name, in which every scheme excludes every other."""

SCHEMES: Final = frozenset({"delta", "provincial", "local"})
"""The schemes of the glossary; a tenant may have others by its own policies."""


def submit(work: Work, vault: Vault, desk: Desk, submissions: Sequence[Submission]) -> list[Outcome]:
    """Take the submissions in, in their order; each external id may stand among them only once.

    The answer has one outcome a submission, in the same order.
    """
    earlier, approved, standings, written, met, day, held_up = read_all(
        work.connection,
        by_external_id(desk.platform, [claim.external_id for claim in submissions]),
        approved_versions(desk.tenant, [claim.scheme for claim in submissions], demonstration=desk.demonstration),
        standing_query(desk.tenant, submissions, _possible_years(submissions)),
        written_versions(),
        met_this_hour(desk.client_id, work.at),
        day_left(desk.tenant, desk.client_id, work.at),
        schemes_held_up(desk.tenant, [claim.scheme for claim in submissions]),
    )
    policies = policies_named(work.connection, desk.tenant, approved)
    assess_held_up(work, vault, desk.tenant, policies, held_up, demonstration=desk.demonstration)
    restorable = restorable_claims(work.connection, desk.platform, submissions)
    opened: list[Case | UUID | Problem] = []
    for claim in submissions:
        printed = submission_json(claim, mask=False)
        mac = vault.content_mac(printed_content(printed))
        before = earlier.get(claim.external_id)
        if before is not None and before.content_mac == mac:
            opened.append(before.id)
        else:
            refusal = _refusal(work, desk, policies, claim, before) or _restoration_fault(claim, restorable)
            refusal = refusal or day.take(claim)
            opened.append(refusal or _open(policies, claim, printed, mac, before))
    cases = [one for one in opened if isinstance(one, Case)]
    stored = _take_in(work, vault, desk, vault.under(written), cases, standings, met)
    known = {view.row.id: view for view in view_claims(work.connection, [o for o in opened if isinstance(o, UUID)])}
    return [_outcome(work, one, stored, known) for one in opened]


def _outcome(
    work: Work, opened: Case | UUID | Problem, stored: dict[UUID, ClaimView], known: dict[UUID, ClaimView]
) -> Outcome:
    if isinstance(opened, Problem):
        return Outcome(opened.status, problem=opened)
    if isinstance(opened, UUID):
        return Outcome(200, view=known[opened])
    if opened.claim_id not in stored:
        problem = too_many(work.at)
        return Outcome(problem.status, problem=problem)
    return Outcome(201, view=stored[opened.claim_id])


def _open(
    policies: Policies, claim: Submission, printed: dict[str, Json], mac: bytes, earlier: ClaimRow | None
) -> Case:
    policy_on = shanghai_day(claim.submitted_at)
    policy = policies.in_force(claim.scheme, policy_on)
    year = policy_on.year if policy is None else target_quota_year(policy, claim)
    return Case(claim, printed, mac, new_id() if earlier is None else earlier.id, earlier, policy_on, policy, year)


def _refusal(
    work: Work, desk: Desk, policies: Policies, submission: Submission, earlier: ClaimRow | None
) -> Problem | None:
    if earlier is not None and earlier.state != "needs_correction":
        return Conflict(
            "claim.content_differs",
            f"申请 {submission.external_id} 已受理（{earlier.claim_no}），内容与本次不同；只有待补正的申请才能更改。",
            f"{submission.external_id} was taken in before ({earlier.claim_no}) with other content; "
            "only a claim that needs correction may change.",
        )
    if not policies.has_scheme(submission.scheme) and submission.scheme not in SCHEMES:
        return _at("/scheme", "scheme.unknown", "本区域没有这个券种。", "This tenant has no such scheme.")
    if submission.submitted_at > work.at + FUTURE_TOLERANCE:
        return _at(
            "/submitted_at",
            "submitted_at.future",
            "提交时间晚于当前时间。",
            "The time of submission lies in the future.",
        )
    if submission.submitted_at < work.at - LATE_DELIVERY and not desk.may_import:
        return _at(
            "/submitted_at",
            "submitted_at.too_old",
            f"提交时间早于 {LATE_DELIVERY.days} 天前；补录历史数据需要 claims:import 权限。",
            f"The time of submission is over {LATE_DELIVERY.days} days ago; history needs the scope claims:import.",
        )
    return None


def _restoration_fault(claim: Submission, restorable: Mapping[UUID, str]) -> Problem | None:
    if claim.restores is None or restorable.get(claim.restores) == claim.enterprise.uscc:
        return None
    return _at(
        "/restores",
        "restores.invalid",
        "restores 须指向本企业、本平台已驳回或已撤回的申请。",
        "restores must name a rejected or withdrawn claim of this enterprise and platform.",
    )


def _at(pointer: str, code: str, zh: str, en: str) -> Invalid:
    return Invalid("claim.invalid", zh, en, errors=(FieldError(pointer, code, Text(zh, en)),))


def _possible_years(claims: Sequence[Submission]) -> list[int]:
    """Every quota year that the claims can fall in: it begins in its own calendar year or in the one before."""
    days = {shanghai_day(claim.submitted_at) for claim in claims} | {i.issued_on for c in claims for i in c.invoices}
    return sorted({day.year for day in days} | {day.year + 1 for day in days})


def _take_in(
    work: Work,
    vault: Vault,
    desk: Desk,
    versions: Versions,
    cases: Sequence[Case],
    standings: Standings,
    met: int,
) -> dict[UUID, ClaimView]:
    """Lock what the cases touch, in the order of the house, assess them one after the other, and file them.

    Of cases that come when the client has met too many foreign keys nothing is stored, whatever they would have met.
    """
    if not cases or _exhausted(desk, met):
        return {}
    around = read_surroundings(work.connection, desk.tenant, [case.submission for case in cases], standings)
    drawn = [_draw_up(versions, desk, around, case) for case in cases]
    papers = papers_of(work, vault, desk, cases)
    free = FreeKeys()
    early = _assess_early(work, desk, around, free, drawn)
    own, locked, budgets, waited_for = _lock(work, desk, free, drawn)
    purse = Purse(own, budgets, waited_for=waited_for)
    assessed = []
    for one in drawn:
        if not _exhausted(desk, met):
            keys = free if one.case.claim_id in free.holders else locked
            assessed.append(_assess(around, purse, keys, one, early.get(one.case.claim_id)))
            met += len(assessed[-1].others)
    registry.release(work.connection, free.given_back())
    return file_claims(work, vault, desk, assessed, papers.of_first(len(assessed)), locked, own)


class Early(NamedTuple):
    """How a case was assessed before its accounts were locked; it stands where the facts are the same behind the locks.

    An assessment is a pure function of claim, policy and facts, so that nothing else has to be compared.
    """

    facts: Facts
    assessment: Assessment
    transfers: list[Transfer]
    written: tuple[bytes, bytes]


def _assess_early(
    work: Work, desk: Desk, around: Surroundings, free: FreeKeys, drawn: Sequence[Drawn]
) -> dict[UUID, Early]:
    """Assess a bulk by the accounts as they stand now, as if all of its keys were free.

    The enterprises' accounts are the first thing that chunks wait for: what others do while this one assesses and
    prints is theirs to do. Where a budget is limited each claim changes what the next one reads: such wait for it.
    """
    found: dict[UUID, Early] = {}
    if not asks_first(drawn):
        return found
    codes = {code for one in drawn for code in (one.accounts.quota, one.accounts.matching, one.accounts.budget) if code}
    purse = Purse(read(work.connection, accounts_now(desk.tenant, codes)))
    for one in drawn:
        case = one.case
        if case.submission.reservation_id is not None or purse.left(one.accounts.budget) is not None:
            continue
        facts = _facts(around, purse, free, one)
        assessment = assess(case.submission, case.policy, facts)
        transfers = _transfers(one, assessment)
        purse.draw(transfers)
        written = facts_bytes(facts), result_bytes(assessment)
        found[case.claim_id] = Early(facts, assessment, transfers, written)
    return found


def _transfers(drawn: Drawn, assessment: Assessment) -> list[Transfer]:
    """What sets the award and its matching aside."""
    if assessment.state not in TAKES_MONEY:
        return []
    matching = ZERO if assessment.matching is None else assessment.matching.amount
    return drawn.accounts.reserve(assessment.award, matching, drawn.case.claim_id)


def _lock(
    work: Work, desk: Desk, free: FreeKeys, drawn: Sequence[Drawn]
) -> tuple[States, Locked, States, frozenset[str]]:
    """Lock the enterprises' accounts, the keys and the budgets, and read them.

    Of a bulk the keys that nobody ever held are taken at once, for claims that will nearly all be let hold them.
    """
    codes = {one.accounts.budget for one in drawn}
    caps = purse_query(desk.tenant, [cap for one in drawn for cap in _caps(one)])
    last = lock_limited(desk.tenant, codes), queues(desk.tenant, codes)
    if not asks_first(drawn):
        wanted: dict[str, list[Key]] = {}
        for one in drawn:
            wanted.setdefault(one.holder.exclusion_group, []).extend(one.keys)
        keys = key_queries(wanted, [one.case.claim_id for one in drawn if one.case.earlier is not None])
        own, _, locked, budgets, waited_for = read_all(work.connection, caps, *keys, *last)
        return own, locked, budgets, waited_for
    own, known = read_all(work.connection, caps, known_keys_of_chunk(digests_of(drawn)))
    free.holders = free_cases(drawn, known)
    met = [one for one in drawn if one.case.claim_id not in free.holders]
    _, locked, budgets, waited_for = read_all(
        work.connection,
        take_keys(desk.tenant, desk.platform, drawn, free.holders),
        holdings_of(digests_of(met)),
        *last,
    )
    return own, locked, budgets, waited_for


def _exhausted(desk: Desk, met: int) -> bool:
    return desk.looks_per_hour is not None and met >= desk.looks_per_hour


def _draw_up(versions: Versions, desk: Desk, around: Surroundings, case: Case) -> Drawn:
    """Name the accounts and keys that the case touches."""
    claim, on = case.submission, case.policy_on
    linked = around.linked_region(case.year, claim.enterprise.division, claim.scheme, on)
    return Drawn(
        case=case,
        linked=linked,
        accounts=Accounts(
            claim.scheme,
            case.year,
            claim.enterprise.uscc,
            None if linked is None else linked.division,
            None if case.policy is None else case.policy.cap,
        ),
        holder=Holder(
            holder_id=case.claim_id,
            kind="claim",
            tenant=desk.tenant,
            scheme=claim.scheme,
            platform=desk.platform,
            enterprise=versions.enterprise(claim.enterprise.uscc),
            month=f"{on.year:04d}-{on.month:02d}",
            exclusion_group=DEFAULT_GROUP if case.policy is None else case.policy.exclusion_group,
        ),
        keys=keys_of(identities(claim), versions.digests),
    )


def _caps(drawn: Drawn) -> tuple[tuple[str, Money | None], ...]:
    case = drawn.case
    if case.policy is None:
        return drawn.accounts.caps(None, None)
    own = matching_cap(case.policy, case.submission, drawn.linked)
    return drawn.accounts.caps(annual_cap(case.policy, case.submission), own)


def _assess(
    around: Surroundings, purse: Purse, locked: Locked | FreeKeys, drawn: Drawn, early: Early | None
) -> Assessed:
    """Assess one case, and let it take what its verdict lets it take."""
    case = drawn.case
    reserved = around.reserved(case.submission.reservation_id)
    facts = _facts(around, purse, locked, drawn)
    if early is None or early.facts != facts:
        early = None
        assessment = assess(case.submission, case.policy, facts)
    else:
        assessment = early.assessment
    others = locked.others(drawn.keys, drawn.holder)
    if assessment.waitlisted and assessment.state == ON_HOLD:
        purse.wait_for(drawn.accounts.budget)
    if assessment.state in TAKES_KEYS:
        locked.take(drawn.keys, drawn.holder)
    transfers: tuple[Transfer, ...] = ()
    uses_reservation = False
    if assessment.state in TAKES_MONEY:
        purse.give_back(reserved)
        around.use(case.submission.reservation_id)
        taken = _transfers(drawn, assessment) if early is None else early.transfers
        purse.draw(taken)
        transfers = (*(ended(transfer, "void", "reservation used") for transfer in reserved), *taken)
        uses_reservation = bool(reserved)
    written = None if early is None else early.written
    return Assessed(case, facts, assessment, transfers, uses_reservation, drawn.holder, others, written)


_NOTHING: Final = Purse()


def _facts(around: Surroundings, purse: Purse, locked: Locked | FreeKeys, drawn: Drawn) -> Facts:
    """What the assessment reads; what the claim's own reservation set aside counts as still free."""
    claim, accounts = drawn.case.submission, drawn.accounts
    on = drawn.case.policy_on
    set_aside = _NOTHING
    if reserved := around.reserved(claim.reservation_id):
        set_aside = Purse()
        set_aside.draw(reserved)
    budget_left = purse.left_for_newcomers(accounts.budget)
    return Facts(
        contract_number=canonical_contract_number(claim.contract.number),
        quota_taken=purse.taken(accounts.quota) - set_aside.taken(accounts.quota),
        budget_left=None if budget_left is None else budget_left + set_aside.taken(accounts.budget),
        linked_region=drawn.linked,
        matching_taken=purse.taken(accounts.matching),
        keys=locked.states_of(drawn.keys, drawn.holder),
        reservation=around.reservation(claim.reservation_id),
        enterprise=around.enterprise(claim.enterprise.uscc, claim.scheme, drawn.case.year, on),
        provider=around.provider(claim.provider.uscc, claim.scheme, on),
    )
