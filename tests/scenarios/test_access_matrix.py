"""Every operation of the interface with every scope, without a token, and with another tenant's things."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from tenants.principal import SCOPES
from tests.intake.bodies import JIANGSU, WUJIANG, claim
from tests.scenarios.callers import TENANTS, Callers
from tests.scenarios.test_claims_over_http import ON
from tests.service.running import Api, Reply, RunningService

CLAIM_READERS = {"claims:read", "claims:write", "reviews:write", "audit:read"}
TENANT_READERS = {"claims:read", "reviews:write", "policies:write", "policies:approve", "batches:write", "audit:read"}
BATCH_READERS = {"batches:write", "batches:release", "audit:read"}
STANDING_READERS = {*(TENANT_READERS - {"batches:write"}), "claims:write"}
STANDING_WRITERS = {"claims:write", "policies:write"}
OVERSEERS = {"reviews:write", "policies:write", "policies:approve", "audit:read"}
OPERATION_READERS = {"clearing:operate", "audit:read"}
ANYBODY = set(SCOPES) | {""}
"""Operations that need no token at all."""

TENANT, BATCH = "/v1/tenants/{tenant}", "/v1/tenants/{tenant}/batches/{batch_id}"
CAME_BACK = "/v1/tenants/{tenant}/came-back/{obligation_id}"
QUALIFICATION = "/v1/enterprises/{uscc}/qualifications/{tenant}/{year}"
ADMISSION = "/v1/providers/{uscc}/admissions/{tenant}"
SCHEME = "/v1/tenants/{tenant}/schemes/{scheme}"
AGREEMENT, CYCLE = "/v1/tenants/{tenant}/agreements/{agreement_id}", "/v1/clearing/cycles/{cycle_id}"
ORDER = "/v1/tenants/{tenant}/clearing-orders/{order_id}"
AGREEMENT_READERS = {"policies:write", "policies:approve", *BATCH_READERS}
CYCLE_READERS = {"clearing:operate", *BATCH_READERS}
PULL_READERS = {"claims:read", "claims:write", "clearing:operate", "audit:read"}
PULL_OPERATORS = {"claims:write", "clearing:operate"}
MATRIX: dict[tuple[str, str], set[str]] = {
    ("post", "/v1/claims"): {"claims:write"},
    ("get", "/v1/claims"): CLAIM_READERS,
    ("get", "/v1/claims/{claim_id}"): CLAIM_READERS,
    ("get", "/v1/claims/{claim_id}/trace"): CLAIM_READERS,
    ("get", "/v1/claims/{claim_id}/history"): CLAIM_READERS,
    ("get", "/v1/claims/{claim_id}/explanation"): CLAIM_READERS,
    ("get", "/v1/claims/{claim_id}/recomputation"): CLAIM_READERS,
    ("post", "/v1/claims/{claim_id}/withdraw"): {"claims:write"},
    ("post", "/v1/claims/{claim_id}/reviews"): {"reviews:write"},
    ("post", "/v1/claims/{claim_id}/holds/{hold_id}/resolution"): {"reviews:write"},
    ("post", "/v1/claims/{claim_id}/objections"): {"reviews:write"},
    ("post", "/v1/claims/{claim_id}/payee-corrections"): {"batches:write"},
    ("get", "/v1/claims/{claim_id}/payee-corrections"): {*BATCH_READERS, "reviews:write"},
    ("post", "/v1/claims/{claim_id}/payee-corrections/{correction_id}/decision"): {"batches:release"},
    ("post", "/v1/claims/{claim_id}/reissue"): {"batches:write"},
    ("post", "/v1/claims/{claim_id}/clawbacks"): {"reviews:write"},
    ("get", "/v1/claims/{claim_id}/clawbacks"): {*BATCH_READERS, "reviews:write", "claims:read"},
    ("post", "/v1/claims/{claim_id}/clawbacks/{clawback_id}/recoveries"): {"batches:write"},
    ("post", "/v1/claims/bulk"): {"claims:write"},
    ("post", "/v1/reservations"): {"claims:write"},
    ("get", "/v1/reservations"): CLAIM_READERS,
    ("get", "/v1/reservations/{reservation_id}"): CLAIM_READERS,
    ("post", "/v1/reservations/{reservation_id}/confirm"): {"reviews:write"},
    ("post", "/v1/reservations/{reservation_id}/cancel"): {"claims:write", "reviews:write"},
    ("post", "/v1/support-records"): {"support:write"},
    ("post", "/v1/support-records/bulk"): {"support:write"},
    ("get", "/v1/cases"): {"reviews:write", "audit:read"},
    ("get", "/v1/cases/{case_id}"): {"reviews:write", "audit:read"},
    ("post", "/v1/cases/{case_id}/assignment"): {"reviews:write"},
    ("post", "/v1/cases/{case_id}/hold"): {"reviews:write"},
    ("post", "/v1/cases/{case_id}/resolution"): {"reviews:write"},
    ("get", "/v1/forms"): {"claims:write", "support:write"},
    ("post", "/v1/forms/claims"): {"claims:write"},
    ("post", "/v1/forms/claims/bulk"): {"claims:write"},
    ("post", "/v1/forms/reservations"): {"claims:write"},
    ("post", "/v1/forms/support-records"): {"support:write"},
    ("get", "/v1/registry/probes"): {"audit:read"},
    ("get", "/v1/similar-pairs"): {"reviews:write", "audit:read"},
    ("get", "/v1/similar-pairs/{pair_id}"): {"reviews:write", "audit:read"},
    ("post", "/v1/similar-pairs/{pair_id}/resolution"): {"reviews:write"},
    ("get", f"{SCHEME}/policies"): TENANT_READERS,
    ("get", f"{SCHEME}/policies/{{version}}"): TENANT_READERS,
    ("post", f"{SCHEME}/policies"): {"policies:write"},
    ("get", f"{SCHEME}/policies/{{version}}/diff"): TENANT_READERS,
    ("post", f"{SCHEME}/policies/{{version}}/simulate"): {"policies:write", "policies:approve"},
    ("post", f"{SCHEME}/policies/{{version}}/submit"): {"policies:write"},
    ("post", f"{SCHEME}/policies/{{version}}/approve"): {"policies:approve"},
    ("post", f"{SCHEME}/policies/{{version}}/reject"): {"policies:approve"},
    ("get", f"{SCHEME}/budgets/{{year}}"): TENANT_READERS,
    ("put", f"{SCHEME}/budgets/{{year}}"): {"policies:write"},
    ("post", f"{SCHEME}/budgets/{{year}}/division"): {"policies:approve"},
    ("get", f"{TENANT}/linked-regions/{{year}}"): TENANT_READERS,
    ("put", f"{TENANT}/linked-regions/{{year}}"): {"policies:write"},
    ("post", f"{TENANT}/linked-regions/{{year}}/decision"): {"policies:approve"},
    ("get", f"{TENANT}/linkages"): TENANT_READERS,
    ("post", f"{TENANT}/linkages"): {"policies:write"},
    ("get", f"{TENANT}/linkages/{{linkage_id}}"): TENANT_READERS,
    ("post", f"{TENANT}/linkages/{{linkage_id}}/decision"): {"policies:approve"},
    ("get", "/v1/quotas"): TENANT_READERS,
    ("get", QUALIFICATION): STANDING_READERS,
    ("put", QUALIFICATION): STANDING_WRITERS,
    ("post", f"{QUALIFICATION}/decision"): {"reviews:write"},
    ("get", f"{TENANT}/qualifications"): STANDING_READERS,
    ("post", f"{TENANT}/qualifications/import"): STANDING_WRITERS,
    ("get", ADMISSION): STANDING_READERS,
    ("put", ADMISSION): STANDING_WRITERS,
    ("post", f"{ADMISSION}/decision"): {"reviews:write"},
    ("get", f"{TENANT}/admissions"): STANDING_READERS,
    ("post", f"{TENANT}/admissions/import"): STANDING_WRITERS,
    ("post", "/v1/claims/{claim_id}/provider-confirmation"): {"claims:write"},
    ("post", f"{TENANT}/interests"): {"reviews:write", "policies:write"},
    ("get", f"{TENANT}/interests"): OVERSEERS,
    ("post", f"{TENANT}/interests/{{interest_id}}/end"): {"policies:write"},
    ("post", f"{TENANT}/districts"): {"policies:write"},
    ("get", f"{TENANT}/districts"): OVERSEERS,
    ("post", f"{TENANT}/districts/{{district_id}}/end"): {"policies:write"},
    ("post", f"{TENANT}/samples"): {"reviews:write"},
    ("get", f"{TENANT}/samples"): OVERSEERS,
    ("get", f"{TENANT}/samples/{{sample_id}}"): OVERSEERS,
    ("post", f"{TENANT}/samples/{{sample_id}}/items/{{line}}/decision"): {"reviews:write"},
    ("get", f"{TENANT}/clients"): {"policies:write", "audit:read"},
    ("get", f"{TENANT}/clients/{{client_id}}/terms"): {"policies:write", "audit:read"},
    ("put", f"{TENANT}/clients/{{client_id}}/terms"): {"policies:write"},
    ("get", f"{TENANT}/accounts"): {"policies:write", "clearing:operate", "audit:read"},
    ("post", f"{TENANT}/accounts/{{login}}/roles"): {"policies:write", "clearing:operate"},
    ("post", f"{TENANT}/accounts/{{login}}/revoke"): {"policies:write", "clearing:operate"},
    ("post", f"{TENANT}/accounts/{{login}}/unlock"): {"policies:write", "clearing:operate"},
    ("get", f"{TENANT}/account-proposals"): {"policies:write", "clearing:operate", "audit:read"},
    ("post", f"{TENANT}/account-proposals"): {"policies:write"},
    ("get", f"{TENANT}/account-proposals/{{proposal_id}}"): {"policies:write", "clearing:operate", "audit:read"},
    ("post", f"{TENANT}/account-proposals/{{proposal_id}}/approve"): {"policies:write", "clearing:operate"},
    ("post", f"{TENANT}/account-proposals/{{proposal_id}}/reject"): {"policies:write", "clearing:operate"},
    ("get", f"{TENANT}/calendar/{{year}}"): TENANT_READERS,
    ("put", f"{TENANT}/calendar/{{year}}"): {"policies:write"},
    ("get", f"{TENANT}/trust-list"): STANDING_READERS,
    ("put", f"{TENANT}/trust-list"): {"policies:write"},
    ("post", f"{TENANT}/trust-list/decision"): {"policies:approve"},
    ("get", f"{TENANT}/payout-account"): {*BATCH_READERS, "policies:write"},
    ("put", f"{TENANT}/payout-account"): {"batches:write", "policies:write"},
    ("post", f"{TENANT}/batches"): {"batches:write"},
    ("get", f"{TENANT}/batches"): BATCH_READERS,
    ("get", BATCH): BATCH_READERS,
    ("get", f"{BATCH}/items"): BATCH_READERS,
    ("post", f"{BATCH}/publish"): {"batches:write"},
    ("post", f"{BATCH}/seal"): {"batches:write"},
    ("post", f"{BATCH}/release"): {"batches:release"},
    ("post", f"{BATCH}/cancel"): {"batches:write"},
    ("post", f"{BATCH}/close"): {"batches:write"},
    ("get", f"{BATCH}/files"): BATCH_READERS,
    ("post", f"{BATCH}/sending"): {"batches:release"},
    ("get", f"{BATCH}/sending"): BATCH_READERS,
    ("post", f"{BATCH}/statements"): {"batches:write"},
    ("get", f"{BATCH}/statements"): BATCH_READERS,
    ("get", f"{BATCH}/statements/{{statement_id}}"): BATCH_READERS,
    ("get", f"{BATCH}/statements/{{statement_id}}/lines"): BATCH_READERS,
    ("get", f"{BATCH}/files/{{name}}"): BATCH_READERS,
    ("get", f"{BATCH}/settlement"): BATCH_READERS,
    ("post", f"{BATCH}/settlement"): {"batches:write"},
    ("get", f"{BATCH}/settlement/lines"): BATCH_READERS,
    ("get", f"{TENANT}/came-back"): BATCH_READERS,
    ("post", f"{CAME_BACK}/payee-corrections"): {"batches:write"},
    ("get", f"{CAME_BACK}/payee-corrections"): BATCH_READERS,
    ("post", f"{CAME_BACK}/payee-corrections/{{correction_id}}/decision"): {"batches:release"},
    ("post", f"{CAME_BACK}/reissue"): {"batches:write"},
    ("get", f"{TENANT}/suspense"): BATCH_READERS,
    ("get", f"{TENANT}/months"): BATCH_READERS,
    ("get", f"{TENANT}/months/{{month}}"): BATCH_READERS,
    ("post", f"{TENANT}/months/{{month}}/close"): {"batches:write"},
    ("get", f"{TENANT}/months/{{month}}/export"): BATCH_READERS,
    ("get", f"{TENANT}/suspense/resolutions"): BATCH_READERS,
    ("post", f"{TENANT}/suspense/resolutions"): {"batches:write"},
    ("get", f"{TENANT}/suspense/resolutions/{{resolution_id}}"): BATCH_READERS,
    ("post", f"{TENANT}/suspense/resolutions/{{resolution_id}}/decision"): {"batches:release", "clearing:operate"},
    ("get", f"{TENANT}/exposure-holds"): BATCH_READERS,
    ("get", f"{TENANT}/matching"): BATCH_READERS,
    ("get", f"{SCHEME}/rewards/{{year}}"): BATCH_READERS,
    ("post", f"{SCHEME}/rewards/{{year}}"): {"batches:write"},
    ("get", f"{TENANT}/matching/regions"): BATCH_READERS,
    ("post", f"{TENANT}/matching/{{claim_id}}/payment"): {"batches:write"},
    ("post", f"{TENANT}/matching/{{claim_id}}/recovery"): {"batches:write"},
    ("get", f"{TENANT}/release-limit"): {*BATCH_READERS, "policies:write"},
    ("put", f"{TENANT}/release-limit"): {"policies:write"},
    ("post", f"{BATCH}/exposure-hold/lift"): {"batches:release"},
    ("get", f"{BATCH}/pay-in"): {"batches:write", "batches:release"},
    ("post", f"{BATCH}/pay-in/confirmation"): {"clearing:operate"},
    ("get", f"{TENANT}/agreements"): AGREEMENT_READERS,
    ("put", f"{TENANT}/agreements"): {"policies:write"},
    ("get", AGREEMENT): AGREEMENT_READERS,
    ("post", f"{AGREEMENT}/approve"): {"policies:approve"},
    ("post", f"{AGREEMENT}/refuse"): {"policies:approve"},
    ("post", "/v1/clearing/cycles"): {"clearing:operate"},
    ("get", "/v1/clearing/cycles"): CYCLE_READERS,
    ("get", CYCLE): CYCLE_READERS,
    ("post", f"{CYCLE}/close"): {"clearing:operate"},
    ("post", f"{CYCLE}/settle"): {"clearing:operate"},
    ("post", f"{CYCLE}/confirmations"): {"batches:release"},
    ("get", f"{CYCLE}/positions"): CYCLE_READERS,
    ("get", f"{CYCLE}/debts"): CYCLE_READERS,
    ("get", f"{CYCLE}/orders"): {"batches:write", "batches:release"},
    ("post", f"{BATCH}/objections"): {"reviews:write"},
    ("get", f"{TENANT}/held-items"): {*BATCH_READERS, "reviews:write"},
    ("post", f"{TENANT}/held-items/{{obligation_id}}/resolution"): {"reviews:write"},
    ("post", f"{TENANT}/held-items/{{obligation_id}}/upholding"): {"reviews:write"},
    ("post", f"{TENANT}/held-items/{{obligation_id}}/upholding/decision"): {"reviews:write"},
    ("get", ORDER): {"batches:write", "batches:release"},
    ("get", f"{ORDER}/file"): {"batches:write", "batches:release"},
    ("post", f"{ORDER}/sending"): {"batches:release"},
    ("post", f"{ORDER}/statements"): {"batches:write"},
    ("get", f"{ORDER}/statements/{{statement_id}}"): {"batches:write", "batches:release"},
    ("post", f"{ORDER}/remedies"): {"batches:write"},
    ("post", f"{ORDER}/remedies/{{remedy_id}}/decision"): {"batches:release", "clearing:operate"},
    ("get", f"{TENANT}/months/{{month}}/differences"): BATCH_READERS,
    ("get", f"{TENANT}/ledger/accounts"): BATCH_READERS,
    ("get", f"{TENANT}/ledger/statement"): BATCH_READERS,
    ("get", f"{TENANT}/ledger/journal"): BATCH_READERS,
    ("get", "/v1/audit"): {"audit:read"},
    ("get", "/v1/audit/verification"): {"audit:read"},
    ("get", "/v1/audit/proof/{entry}"): {"audit:read"},
    ("get", "/v1/events"): {"claims:read"},
    ("post", "/v1/webhooks"): {"claims:write"},
    ("get", "/v1/webhooks"): {"claims:read", "claims:write"},
    ("get", "/v1/webhooks/{endpoint_id}"): {"claims:read", "claims:write"},
    ("post", "/v1/webhooks/{endpoint_id}/disable"): {"claims:write"},
    ("post", "/v1/webhooks/{endpoint_id}/replay"): {"claims:write"},
    ("post", "/v1/pull-sources"): {"claims:write"},
    ("get", "/v1/pull-sources"): PULL_READERS,
    ("get", "/v1/pull-sources/{source_id}"): PULL_READERS,
    ("post", "/v1/pull-sources/{source_id}/disable"): PULL_OPERATORS,
    ("post", "/v1/pull-sources/{source_id}/poll"): PULL_OPERATORS,
    ("post", "/v1/pull-sources/{source_id}/token"): {"claims:write"},
    ("post", "/v1/pull-sources/{source_id}/replay"): PULL_OPERATORS,
    ("get", "/v1/dead-letters"): PULL_READERS,
    ("get", "/v1/dead-letters/{letter_id}"): PULL_READERS,
    ("post", "/v1/dead-letters/{letter_id}/replay"): PULL_OPERATORS,
    ("post", "/v1/dead-letters/{letter_id}/dismiss"): PULL_OPERATORS,
    ("get", "/v1/operations/connectors"): OPERATION_READERS,
    ("get", "/v1/operations/jobs"): OPERATION_READERS,
    ("post", "/v1/operations/jobs/{job_id}/retry"): {"clearing:operate"},
    ("get", "/v1/operations/clients"): OPERATION_READERS,
    ("get", "/v1/operations/clients/{client_id}"): OPERATION_READERS,
    ("post", "/v1/operations/clients/{client_id}/keys"): {"clearing:operate"},
    ("post", "/v1/operations/clients/{client_id}/keys/{kid}/revoke"): {"clearing:operate"},
    ("get", "/v1/operations/clients/{client_id}/requests"): OPERATION_READERS,
    ("get", "/v1/operations/webhooks"): OPERATION_READERS,
    ("get", "/v1/operations/webhooks/{endpoint_id}/messages"): OPERATION_READERS,
    ("post", "/v1/operations/webhooks/{endpoint_id}/resend"): {"clearing:operate"},
    ("get", "/v1/operations/receipts"): OPERATION_READERS,
    ("get", f"{TENANT}/signing-keys"): OPERATION_READERS,
    ("post", f"{TENANT}/signing-keys/rotate"): {"clearing:operate"},
    ("post", f"{TENANT}/signing-keys/{{kid}}/revoke"): {"clearing:operate"},
    ("get", "/notices"): ANYBODY,
    ("get", "/notices/style.css"): ANYBODY,
    ("get", "/notices/{tenant}/{batch_no}"): ANYBODY,
    ("post", "/notices/{tenant}/{batch_no}/objections"): ANYBODY,
    ("post", "/v1/payouts/verification"): ANYBODY,
    ("get", "/.well-known/jwks.json"): ANYBODY,
    ("get", "/.well-known/jwks/{tenant}.json"): ANYBODY,
    ("get", "/v1/demo/clock"): {"clearing:operate"},
    ("put", "/v1/demo/clock"): {"clearing:operate"},
}
METHODS = {"get", "post", "put", "delete", "patch"}
NDJSON = ("/v1/claims/bulk", "/v1/support-records/bulk", "/v1/forms/claims/bulk")


@dataclass(frozen=True)
class Things:
    """Ids of one tenant's things."""

    tenant: str
    scheme: str
    claim_id: str
    hold_id: str
    batch_id: str
    reservation_id: str
    case_id: str

    def place(self, path: str) -> str:
        """The path with these ids in it."""
        known = {
            "tenant": self.tenant, "scheme": self.scheme, "hold_id": self.hold_id, "batch_id": self.batch_id,
            "reservation_id": self.reservation_id, "case_id": self.case_id, "version": "2024-01-01", "year": "2024",
            "name": "manifest.json", "batch_no": "nothing", "entry": "1", "uscc": "91320300MA1K3F1U0X", "line": "1",
        }  # fmt: skip
        return path.format_map(defaultdict(lambda: self.claim_id, known))


def absent(tenant: str = "jiangsu") -> Things:
    return Things(tenant, "provincial", *(str(uuid4()) for _ in range(5)))


def operations(service: RunningService) -> list[tuple[str, str]]:
    paths = service.api.get("/v1/openapi.json").json["paths"]
    return [(method, path) for path, known in paths.items() for method in known if method in METHODS]


def perform(caller: Api, method: str, path: str, things: Things) -> Reply:
    """The operation with a body that is empty: rights are asked about before it is read."""
    if method == "get":
        return caller.get(things.place(path))
    kind = "application/x-ndjson" if path in NDJSON else "application/json"
    body = b"" if path in NDJSON else b"{}"
    return caller.call(method.upper(), things.place(path), body, Content_Type=kind)


def test_every_operation_of_the_interface_is_in_the_matrix(service: RunningService) -> None:
    assert set(operations(service)) == set(MATRIX)


@pytest.fixture(scope="session")
def clients(callers: Callers) -> tuple[Api, ...]:
    """A platform's client and a person's, each with every scope, for one tenant only."""
    return (
        callers.made("jssic", ("jiangsu",), SCOPES, None),
        callers.made(None, ("jiangsu",), SCOPES, "全权"),
    )


def narrowed(client: Api, scope: str) -> Api:
    """The same client with a token of one scope."""
    return Api(client.address, client.client_id, client.client_secret, scope)


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("which", [0, 1])
def test_a_scope_opens_its_own_operations_and_no_other(clients: tuple[Api, ...], scope: str, which: int) -> None:
    caller = narrowed(clients[which], scope)
    wrong = []
    for (method, path), scopes in MATRIX.items():
        reply = perform(caller, method, path, absent())
        refused = reply.status == 403 and reply.code == "scope.missing"
        if refused is (scope in scopes) or reply.status == 401 or reply.status >= 500:
            wrong.append((method, path, reply))
    assert wrong == []


def test_nothing_but_the_public_pages_is_open_without_a_token(service: RunningService) -> None:
    for (method, path), scopes in MATRIX.items():
        reply = perform(service.api, method, path, absent())
        assert (reply.status == 401) is ("" not in scopes), (method, path, reply)
        if reply.status == 401:
            assert (reply.code, reply.headers["WWW-Authenticate"]) == ("token.missing", "Bearer")


@pytest.mark.parametrize("token", ["", "x", "Bearer", "x" * 5000, "你好", "\u00ff"])
def test_a_token_that_is_none_opens_nothing(service: RunningService, token: str) -> None:
    reply = service.api.get("/v1/claims", Authorization=f"Bearer {token}".encode().decode("latin-1"))
    assert reply.status == 401
    assert reply.code in {"token.missing", "token.invalid"}


def test_a_client_asks_for_no_scope_beyond_its_own(callers: Callers) -> None:
    platform = callers.platform("jssic", "jiangsu", scopes=("claims:read",))
    asked = platform.ask_token(scope="claims:read claims:write batches:release")
    granted = asked.json.get("scope", "").split() if asked.status == 200 else []
    assert set(granted) <= {"claims:read"}


@pytest.fixture(scope="session")
def foreign(callers: Callers, delta: Api) -> Things:
    """A claim on hold, a reservation and a batch of Wujiang's."""
    body = claim(WUJIANG, on=ON)
    assert delta.post("/v1/claims", body).status == 201
    other = claim(WUJIANG, on=ON)
    other["invoices"][0]["number"] = body["invoices"][0]["number"]
    held = delta.post("/v1/claims", other).json
    asked = claim(WUJIANG, on=ON, mode="cross_redemption")
    shared = ("external_id", "tenant", "scheme", "mode", "enterprise", "provider", "contract")
    request = {name: asked[name] for name in shared} | {"requested_at": f"{ON}T12:00:00+08:00"}
    reservation = delta.post("/v1/reservations", request)
    assert reservation.status == 201, reservation
    finance = callers.person("钱会", "batches:write", tenants=("wujiang",))
    batch = finance.post("/v1/tenants/wujiang/batches", {"scheme": "delta", "mode": "common_use"})
    assert batch.status == 201, batch
    reviewer = callers.person("吴审", "reviews:write", tenants=("wujiang",))
    [case] = reviewer.get(f"/v1/cases?subject={held['id']}").json["items"]
    ids = (held["id"], held["holds"][0]["id"], batch.json["id"], reservation.json["id"], case["id"])
    return Things("wujiang", "delta", *ids)


BODIES: dict[str, Any] = {
    "/v1/similar-pairs/{pair_id}/resolution": {"outcome": "dismiss", "reason": "试探"},
    "/v1/claims/{claim_id}/withdraw": {},
    "/v1/claims/{claim_id}/reviews": {"stage": "center", "outcome": "reject", "reason": "试探"},
    "/v1/claims/{claim_id}/holds/{hold_id}/resolution": {"outcome": "reject", "reason": "试探"},
    "/v1/claims/{claim_id}/objections": {"reason": "试探试探试探"},
    "/v1/cases/{case_id}/assignment": {"owner": "试探"},
    "/v1/cases/{case_id}/hold": {"reason": "试探"},
    "/v1/cases/{case_id}/resolution": {"outcome": "distinct", "reason": "试探"},
    "/v1/claims/{claim_id}/payee-corrections": {
        "payee": {
            "account_name": "试探", "account_number": "6222000011112222", "bank_name": "试探", "cnaps": "102100099996",
        },
        "reason": "试探",
    },
    "/v1/claims/{claim_id}/payee-corrections/{correction_id}/decision": {"outcome": "approve"},
    f"{SCHEME}/policies": {"effective_on": "2030-01-01", "document": "试探"},
    f"{SCHEME}/policies/{{version}}/reject": {"reason": "试探"},
    "/v1/claims/{claim_id}/clawbacks": {"amount": "1.00", "reason": "试探"},
    "/v1/claims/{claim_id}/clawbacks/{clawback_id}/recoveries": {"amount": "1.00", "bank_reference": "试探"},
    f"{SCHEME}/budgets/{{year}}": {"amount": "0.00"},
    f"{TENANT}/linked-regions/{{year}}": {"regions": {}},
    f"{TENANT}/linked-regions/{{year}}/decision": {"version": 1, "outcome": "approve"},
    f"{TENANT}/payout-account": {
        "account_name": "试探", "account_number": "6222000011112222", "bank_name": "试探", "cnaps": "102100099996",
    },
    f"{TENANT}/batches": {"scheme": "delta", "mode": "common_use"},
    "/v1/claims/{claim_id}/provider-confirmation": {"confirmed": False, "reason": "试探"},
    f"{TENANT}/interests": {"person": "试探", "uscc": "91320300MA1K3F1U0X", "ground": "试探"},
    f"{TENANT}/interests/{{interest_id}}/end": {"reason": "试探"},
    f"{TENANT}/samples": {"scheme": "delta", "from_on": "2024-01-01", "through_on": "2024-01-31", "share": "1"},
    f"{TENANT}/samples/{{sample_id}}/items/{{line}}/decision": {"outcome": "sound"},
    f"{TENANT}/calendar/{{year}}": {"cite": "试探", "holidays": ["2024-01-01"], "workdays": []},
    QUALIFICATION: {"name": "试探", "enterprise_type": "tech_sme", "number": "202432050900000001"},
    f"{QUALIFICATION}/decision": {"outcome": "refuse", "reason": "试探"},
    f"{TENANT}/accounts/{{login}}/roles": {"roles": ["auditor"], "reason": "试探"},
    f"{TENANT}/accounts/{{login}}/revoke": {"reason": "试探"},
    f"{TENANT}/account-proposals": {
        "kind": "account", "login": "probe", "person": "试探", "name": "试探", "roles": ["auditor"], "reason": "试探",
    },
    f"{TENANT}/account-proposals/{{proposal_id}}/reject": {"reason": "试探"},
    f"{TENANT}/clients/{{client_id}}/terms": {"signature_required": False, "networks": []},
    ADMISSION: {"name": "试探", "division": "320100", "kind": "university"},
    f"{ADMISSION}/decision": {"outcome": "exit", "ground": "other", "reason": "试探"},
    f"{TENANT}/trust-list": {"cite": "试探", "providers": {}},
    f"{TENANT}/trust-list/decision": {"version": 1, "outcome": "approve"},
    f"{BATCH}/exposure-hold/lift": {"reason": "试探"},
    f"{BATCH}/pay-in/confirmation": {"reason": "试探"},
    f"{BATCH}/settlement": {},
    f"{CAME_BACK}/payee-corrections": {
        "payee": {
            "account_name": "试探", "account_number": "6222000011112222", "bank_name": "试探", "cnaps": "102100099996",
        },
        "reason": "试探",
    },
    f"{CAME_BACK}/payee-corrections/{{correction_id}}/decision": {"outcome": "approve"},
    f"{TENANT}/suspense/resolutions": {
        "kind": "unrelated", "reason": "试探", "lines": [{"statement_id": str(uuid4()), "line": 1}],
    },
    f"{TENANT}/suspense/resolutions/{{resolution_id}}/decision": {"outcome": "approve"},
    f"{TENANT}/release-limit": {"limit": "1.00"},
    f"{SCHEME}/rewards/{{year}}": {
        "provider_uscc": "12100000400000624D", "amount": "1.00", "reason": "试探",
        "payee": {
            "account_name": "试探", "account_number": "6222000011112222", "bank_name": "试探", "cnaps": "102100099996",
        },
    },
    f"{TENANT}/matching/{{claim_id}}/recovery": {"amount": "1.00", "recovered_on": "2024-09-30", "document": "试探"},
    f"{TENANT}/matching/{{claim_id}}/payment": {"paid_on": "2024-09-30", "document": "试探"},
    f"{TENANT}/agreements": {
        "counterparty": "jiashan", "form": "direct", "effective_on": "2099-01-01", "document": "试探",
    },
    f"{AGREEMENT}/refuse": {"reason": "试探"},
    f"{CYCLE}/confirmations": {"tenant": "wujiang", "net": "0.00"},
    f"{BATCH}/objections": {"claim_no": "RW-JS-2024-0001", "reason": "试探"},
    f"{TENANT}/held-items/{{obligation_id}}/resolution": {"reason": "试探"},
    f"{TENANT}/held-items/{{obligation_id}}/upholding": {"outcome": "withdrawn", "reason": "试探"},
    f"{TENANT}/held-items/{{obligation_id}}/upholding/decision": {"outcome": "refuse", "reason": "试探"},
    f"{ORDER}/remedies": {"kind": "replace", "reason": "试探"},
    f"{ORDER}/remedies/{{remedy_id}}/decision": {"outcome": "approve"},
    "/v1/webhooks/{endpoint_id}/replay": {"after": 0},
    "/v1/operations/webhooks/{endpoint_id}/resend": {"after": 0},
    "/v1/operations/clients/{client_id}/keys": {"kty": "EC", "crv": "P-256", "x": "x", "y": "y"},
    f"{TENANT}/signing-keys/{{kid}}/revoke": {"reason": "试探"},
    "/v1/pull-sources/{source_id}/token": {"token": "a-token-of-the-platform"},
    "/v1/dead-letters/{letter_id}/dismiss": {"reason": "试探"},
}  # fmt: skip
OF_A_TENANT = [
    (method, path)
    for method, path in MATRIX
    if "{" in path and not path.startswith(("/notices", "/.well", "/v1/audit"))
]


@pytest.mark.parametrize(("method", "path"), OF_A_TENANT)
@pytest.mark.parametrize("which", [0, 1])
def test_what_is_foreign_answers_like_what_is_absent_to_the_byte(
    clients: tuple[Api, ...], foreign: Things, method: str, path: str, which: int
) -> None:
    caller = clients[which]
    nobody = absent("atlantis") if "{tenant}" in path else absent()
    answers = [tried(caller, method, path, things) for things in (foreign, nobody)]
    assert answers[0].status == 404, answers
    assert answers[0].body == answers[1].body


@pytest.mark.parametrize(("method", "path"), [(method, path) for method, path in OF_A_TENANT if BATCH in path])
def test_a_foreign_id_under_the_own_tenant_is_absent(
    clients: tuple[Api, ...], foreign: Things, method: str, path: str
) -> None:
    lost = absent()
    mixed = Things(
        "jiangsu", "provincial", lost.claim_id, lost.hold_id, foreign.batch_id, lost.reservation_id, lost.case_id
    )
    answers = [tried(clients[1], method, path, things) for things in (mixed, lost)]
    assert [(answer.status, answer.code) for answer in answers] == [(404, "not_found")] * 2
    assert answers[0].body == answers[1].body


def tried(caller: Api, method: str, path: str, things: Things) -> Reply:
    if method == "get":
        return caller.get(things.place(path))
    return caller._send(method.upper(), things.place(path), BODIES.get(path), {})


def test_what_a_stranger_tried_changed_nothing(clients: tuple[Api, ...], foreign: Things, delta: Api) -> None:
    before = delta.get(f"/v1/claims/{foreign.claim_id}").body
    for method, path in OF_A_TENANT:
        for caller in clients:
            tried(caller, method, path, foreign)
    assert delta.get(f"/v1/claims/{foreign.claim_id}").body == before
    assert delta.get(f"/v1/reservations/{foreign.reservation_id}").json["state"] == "requested"


def test_lists_and_counts_hold_nothing_of_a_foreign_tenant(clients: tuple[Api, ...], foreign: Things) -> None:
    for caller in clients:
        for path in ("/v1/claims?limit=500", "/v1/reservations?limit=500"):
            assert {item["tenant"] for item in caller.get(path).json["items"]} <= {"jiangsu"}
        assert caller.get("/v1/claims?tenant=wujiang").json["items"] == []
        assert caller.get("/v1/cases?tenant=wujiang").json["items"] == []
        assert caller.get(f"/v1/cases?subject={foreign.claim_id}").json["items"] == []
    uscc = claim(JIANGSU)["enterprise"]["uscc"]
    for tenant in set(TENANTS) - {"jiangsu"}:
        query = f"scheme=delta&enterprise={uscc}&year=2024"
        known, unknown = (clients[1].get(f"/v1/quotas?tenant={one}&{query}") for one in (tenant, "atlantis"))
        assert known.body.replace(tenant.encode(), b"atlantis") == unknown.body


def test_a_neighbour_platform_of_the_same_tenant_sees_nothing_either(callers: Callers, jssic: Api) -> None:
    own = jssic.post("/v1/claims", claim(on=ON)).json
    neighbour = callers.platform("delta", "jiangsu")
    assert neighbour.get(f"/v1/claims/{own['id']}").status == 404
    assert neighbour.post(f"/v1/claims/{own['id']}/withdraw").status == 404
    assert neighbour.get(f"/v1/claims?external_id={own['external_id']}").json["items"] == []


def test_a_staff_client_submits_no_claim(callers: Callers) -> None:
    staff = callers.person("孙某", "claims:write", "support:write")
    reply = staff.post("/v1/claims", claim(on=ON))
    assert (reply.status, reply.code) == (403, "platform.missing")


def test_a_platform_submits_for_its_own_tenants_only_and_learns_of_no_other(jssic: Api) -> None:
    answers = [jssic.post("/v1/claims", claim(WUJIANG, on=ON, tenant=one)) for one in ("wujiang", "atlantis")]
    assert [answer.status for answer in answers] == [422, 422]
    assert answers[0].body == answers[1].body
