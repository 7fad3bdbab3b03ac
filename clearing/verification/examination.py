"""The whole verification: every check, in an order in which each stands on those before it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from clearing.verification.account_proposals import invitation_differences, proposal_differences
from clearing.verification.accounts import account_differences
from clearing.verification.agreements import agreement_differences, read_agreements
from clearing.verification.bank_statements import bank_file_differences, bank_line_differences, outcome_differences
from clearing.verification.batches import read_batches
from clearing.verification.chain import Chains, Settings
from clearing.verification.checkpoints import Checkpoint, read_checkpoints
from clearing.verification.clawbacks import clawback_bound_differences
from clearing.verification.client_keys import client_key_differences
from clearing.verification.client_terms import client_terms_differences
from clearing.verification.context import Context
from clearing.verification.cycles import cycle_differences
from clearing.verification.debts import debt_differences
from clearing.verification.difference import Difference, differs, guarded
from clearing.verification.districts import district_differences
from clearing.verification.files import file_differences
from clearing.verification.instance import instance_differences
from clearing.verification.key_versions import key_version_differences, key_versions
from clearing.verification.keys import KeyCheck
from clearing.verification.ledger import ledger_differences
from clearing.verification.linkages import committed, linkage_differences
from clearing.verification.manifests import manifest_chain_differences
from clearing.verification.matching import matching_differences
from clearing.verification.months import month_differences
from clearing.verification.numbers import number_differences
from clearing.verification.order_receipts import order_receipt_differences
from clearing.verification.order_ways import order_way_differences
from clearing.verification.outbox import idempotency_differences, outbox_differences
from clearing.verification.oversight import oversight_differences
from clearing.verification.pay_ins import pay_in_differences
from clearing.verification.payout_notices import payout_notice_differences
from clearing.verification.payouts import payout_differences
from clearing.verification.policies import PolicyCheck
from clearing.verification.probes import probe_table_differences
from clearing.verification.pulling import pull_differences
from clearing.verification.quotas import quota_differences
from clearing.verification.receipts import receipt_differences
from clearing.verification.registry import registry_differences
from clearing.verification.reissues import link_differences
from clearing.verification.releases import release_differences
from clearing.verification.rewards import reward_differences
from clearing.verification.seals import seal_differences
from clearing.verification.sendings import sent_file_differences
from clearing.verification.settings import on_record, settings_differences
from clearing.verification.settlements import settlement_differences
from clearing.verification.signed_requests import signed_request_differences
from clearing.verification.similar_pairs import (
    model_differences,
    other_side_differences,
    similar_case_differences,
)
from clearing.verification.snapshot import Snapshot, open_snapshot
from clearing.verification.standings import trust_list_differences
from clearing.verification.structure import is_migrated, structure_differences
from clearing.verification.subjects import subject_differences
from clearing.verification.support_chunks import chunk_differences
from clearing.verification.suspense import suspense_bound_differences
from clearing.verification.unsealing import OpenedSecrets, SecretsError
from clearing.verification.webhooks import webhook_differences

_PAYOUT_ACCOUNTS: Final = "select tenant, account_name, bank_name, cnaps, set_at from payout_account"
_USED_ONCE: Final = """
select r.tenant, r.reservation_no, r.state, count(c.id) as claims from reservation r
  left join claim c on c.tenant = r.tenant and c.reservation_id = r.id
 group by r.tenant, r.reservation_no, r.state having (r.state = 'used') <> (count(c.id) = 1) or count(c.id) > 1
"""


def verify_database(
    auditor_url: str, secrets_folder: Path | None, checkpoints_folder: Path | None
) -> Iterator[Difference]:
    """Everything that is stored, recomputed within one snapshot; each difference as it is found.

    Without the secrets, what is sealed or keyed is not looked at; without the checkpoints, a chain that was replaced
    whole is not noticed.

    Raises:
        psycopg.Error: the database is away, or the role does not see all rows.
    """
    with open_snapshot(auditor_url) as snapshot:
        yield from differences(snapshot, secrets_folder, checkpoints_folder)


def differences(
    snapshot: Snapshot, secrets_folder: Path | None, checkpoints_folder: Path | None
) -> Iterator[Difference]:
    """All differences within a snapshot that is open: of the structure first, then of the rows."""
    if not is_migrated(snapshot):
        yield differs("structure.empty", "structure", "a migrated database", None)
        return
    yield from structure_differences(snapshot)
    yield from row_differences(snapshot, secrets_folder, checkpoints_folder)


def row_differences(
    snapshot: Snapshot, secrets_folder: Path | None, checkpoints_folder: Path | None
) -> Iterator[Difference]:
    """What is wrong with the rows, whatever the structure lets happen to them."""
    secrets: OpenedSecrets | None = None
    if secrets_folder is not None:
        try:
            secrets = OpenedSecrets.read(secrets_folder)
        except SecretsError as fault:
            yield differs("secrets.unreadable", f"secrets/{secrets_folder}", "the service's secrets", str(fault))
    checkpoints: dict[str, list[Checkpoint]] = {}
    if checkpoints_folder is not None:
        checkpoints, wrong = read_checkpoints(checkpoints_folder, secrets_folder)
        yield from wrong
        snapshot.tally["checkpoints"] += sum(map(len, checkpoints.values()))
    chains = Chains(snapshot, checkpoints)
    yield from guarded("audit_entry", chains.differences())
    yield from guarded("instance", instance_differences(snapshot, chains.settings, secrets_folder))
    keys = KeyCheck(snapshot, chains.settings, secrets)
    yield from guarded("signing_key", keys.differences())
    policies = PolicyCheck(snapshot, chains.settings)
    yield from guarded("policy_version", policies.differences())
    agreements = read_agreements(snapshot)
    yield from guarded("agreement", agreement_differences(snapshot, agreements, chains.settings, secrets))
    yield from _kept_settings(snapshot, chains.settings, secrets)
    context = Context(
        policies=policies.terms,
        keys=keys.keys,
        settings=chains.settings,
        batches=read_batches(snapshot),
        agreements=agreements,
        clients={row.client_id: row for row in snapshot.rows("select client_id, platform, person from client")},
        payout_accounts={row.tenant: row for row in snapshot.rows(_PAYOUT_ACCOUNTS)},
        on_record=on_record(snapshot),
        linkages=committed(chains.settings),
        key_versions=key_versions(snapshot),
        secrets=secrets,
    )
    yield from _by_table(snapshot, context)
    yield from subject_differences(snapshot, context)
    yield from _settled(snapshot, context)
    yield from guarded("outbox", outbox_differences(snapshot, chains.settings))
    yield from guarded("idempotency_key", idempotency_differences(snapshot))
    yield from guarded("client_key", client_key_differences(snapshot, chains.settings))
    yield from guarded("client_terms", client_terms_differences(snapshot, chains.settings))
    yield from guarded("signed_request", signed_request_differences(snapshot, secrets))
    yield from guarded("receipt", receipt_differences(snapshot))
    yield from guarded("webhook_endpoint", webhook_differences(snapshot, chains.settings, secrets))
    yield from guarded("pull_source", pull_differences(snapshot, chains.settings, secrets))


def _kept_settings(snapshot: Snapshot, settings: Settings, secrets: OpenedSecrets | None) -> Iterator[Difference]:
    """What people set: the registry's keys, models, budgets and regions, trust lists, samples, accounts."""
    yield from guarded("registry_key_version", key_version_differences(snapshot, settings, secrets))
    yield from guarded("similarity_model", model_differences(snapshot, settings))
    yield from guarded("setting", settings_differences(snapshot, settings, secrets))
    yield from guarded("trust_list", trust_list_differences(snapshot, settings))
    yield from guarded("reviewer_district", district_differences(snapshot, settings))
    yield from guarded("linkage", linkage_differences(snapshot, settings))
    yield from guarded("sample", oversight_differences(snapshot, settings))
    yield from guarded("console_account", account_differences(snapshot, settings))
    yield from guarded("account_proposal", proposal_differences(snapshot, settings))
    yield from guarded("account_invitation", invitation_differences(snapshot, settings))


def _settled(snapshot: Snapshot, context: Context) -> Iterator[Difference]:
    """What was settled: debts, matching, rewards, cycles, seals, instructions and files."""
    yield from guarded("clearing_debt", debt_differences(snapshot, context))
    yield from guarded("matching_due", matching_differences(snapshot, context))
    yield from guarded("provider_reward", reward_differences(snapshot, context))
    yield from guarded("clearing_cycle", cycle_differences(snapshot, context))
    yield from guarded("clearing_order", order_way_differences(snapshot, context))
    yield from guarded("clearing_order_receipt", order_receipt_differences(snapshot, context.settings))
    yield from guarded("agent_paid_in", pay_in_differences(snapshot, context.settings))
    yield from guarded("batch", seal_differences(snapshot, context))
    yield from guarded("release_signature", release_differences(snapshot, context))
    yield from guarded("instruction", payout_differences(snapshot, context))
    yield from guarded("batch", manifest_chain_differences(snapshot, context))
    yield from guarded("batch_file", file_differences(snapshot, context))
    yield from guarded("batch_settlement", settlement_differences(snapshot, context))
    yield from guarded("month_close", month_differences(snapshot, context))


def _by_table(snapshot: Snapshot, context: Context) -> Iterator[Difference]:
    """What single statements over whole tables find."""
    yield from guarded("ledger_transfer", ledger_differences(snapshot))
    yield from guarded("ledger_account", quota_differences(snapshot, context.policies, context.linkages))
    yield from guarded("registry_key", registry_differences(snapshot))
    yield from guarded("support_record", chunk_differences(snapshot, context.clients))
    yield from guarded("registry_probe", probe_table_differences(snapshot))
    yield from guarded("similar_pair", other_side_differences(snapshot))
    yield from guarded("duplicate_case", similar_case_differences(snapshot))
    yield from guarded("number_series", number_differences(snapshot))
    yield from guarded("bank_submission", sent_file_differences(snapshot))
    yield from guarded("bank_line", bank_line_differences(snapshot))
    yield from guarded("bank_statement_part", bank_file_differences(snapshot, context.secrets))
    yield from guarded("instruction_outcome", outcome_differences(snapshot))
    yield from guarded("outbox", payout_notice_differences(snapshot))
    yield from guarded("suspense_part", suspense_bound_differences(snapshot))
    yield from guarded("reissue", link_differences(snapshot))
    yield from guarded("clawback", clawback_bound_differences(snapshot))
    for row in snapshot.rows(_USED_ONCE):
        place = f"reservation/{row.tenant}/{row.reservation_no}/state"
        yield differs("reservation.used", place, f"{row.claims} claims use it", row.state)
