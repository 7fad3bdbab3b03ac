"""What must hold (the invariants), and for each the tests that prove it: no row without one, none that is not there."""

import ast
from pathlib import Path
from typing import Final

import pytest

TESTS: Final = Path(__file__).parents[1]
INVARIANTS: Final = tuple(f"I{number}" for number in range(1, 27))

INSTRUCTING: Final = "settlement_service/test_instructing_with_database.py::"
KINDS: Final = "settlement_service/test_kinds_with_database.py::"
UPHELD: Final = "settlement_service/test_upheld_with_database.py::"
RELEASERS: Final = "settlement_service/test_two_releasers_with_database.py::"
REISSUES: Final = "settlement_service/test_reissue_with_database.py::"
COMMITTED: Final = "verification/test_committed_changes.py::"
CYCLES: Final = "cycles/test_cycles_with_database.py::"
RECOMPUTED: Final = "claims/test_recomputation_campaign.py::"
SIGNATURES: Final = "verification/test_signatures.py::"

PROVEN: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "I1": ("money is conserved: one row a transfer, from one account to another, above zero", (
        "intake/test_what_the_database_refuses.py::test_a_transfer_moves_something_from_one_account_to_another",
        "ledger/test_ledger_with_database.py::test_nothing_and_less_than_nothing_cannot_be_moved",
        "ledger/test_journal_with_database.py::*",
        "year/test_year.py::test_two_months_of_two_tenants_end_with_every_claim_paid_once",
    )),
    "I2": ("whole fen everywhere, no float", (
        "migrations/test_rights_and_walls.py::test_every_amount_is_a_whole_number_of_fen_and_no_column_is_a_float",
        "kernel/test_strict_json.py::test_a_hostile_text_is_refused_with_its_code_and_place",
        "kernel/test_money.py::test_there_is_no_product_no_quotient_and_no_mixing_with_numbers",
        "style/test_house_rules.py::test_shipped_modules_keep_the_rule",
    )),
    "I3": ("a posted transfer never changes; it is taken back by a linked one, once", (
        "intake/test_what_the_database_refuses.py::test_history_is_never_changed",
        "intake/test_what_the_database_refuses.py::test_not_even_the_owner_changes_history",
        "ledger/test_ledger_with_database.py::test_a_posted_transfer_is_taken_back_once_only",
        "verification/test_structure.py::test_an_append_only_table_has_its_triggers_and_no_grant_to_change_it",
    )),
    "I4": ("no fen of an invoice in two live claims that exclude each other", (
        "intake/test_what_the_database_refuses.py::test_no_second_claim_takes_a_fen_that_is_taken",
        "races/test_many_ways_to_one_invoice.py::test_no_fen_is_awarded_twice_whatever_way_it_is_claimed",
        "races/test_many_ways_to_one_invoice.py::test_with_the_application_looking_away_the_database_alone_holds",
        "races/test_one_invoice_many_claims.py::test_one_invoice_claimed_by_32_threads_through_two_platforms_has_one_winner",
    )),
    "I5": ("a claim lies within its invoice; another total of the same invoice is a conflict", (
        "intake/test_what_the_database_refuses.py::test_a_claim_cannot_widen_its_holding_beyond_the_total",
        "intake/test_shared_spending_with_database.py::test_two_face_totals_of_one_invoice_conflict_and_the_smaller_counts",
        "intake/test_shared_spending_with_database.py::test_parts_above_the_invoice_by_one_fen_are_rejected",
    )),
    "I6": ("an award is within what was computed, with its matching within the base; that within ratio and cap", (
        "claims/test_award_rules.py::test_award_and_matching_together_are_never_more_than_the_base",
        "intake/test_what_the_database_refuses.py::test_award_and_matching_are_never_above_the_base_together",
        "intake/test_what_the_database_refuses.py::test_an_award_above_its_computation_is_refused",
        "intake/test_what_the_database_refuses.py::test_what_is_computed_is_never_above_the_base",
        "claims/test_award_rules.py::test_matching_is_the_award_times_local_over_provincial_rounded_down",
        "claims/test_award_rules.py::test_matching_stays_within_the_linked_region_s_cap",
    )),
    "I7": ("an enterprise's year stays within its cap, what is in flight included", (
        "intake/test_what_the_database_refuses.py::test_nothing_is_taken_beyond_an_enterprises_cap",
        "ledger/test_ledger_with_database.py::test_sixteen_threads_never_take_more_than_the_cap_and_never_deadlock",
        "races/test_last_yuan.py::test_the_last_yuan_of_a_quota_is_had_once_through_two_platforms",
    )),
    "I8": ("a budget is never below zero", (
        "ledger/test_ledger_with_database.py::test_the_limit_holds_to_the_fen_and_for_the_whole_of_one_statement",
        "intake/test_quota_with_database.py::test_a_budget_cannot_be_set_below_what_is_committed",
        "races/test_last_yuan.py::test_the_last_yuan_of_a_budget_is_had_once_and_cut_to_the_fen",
        "settlement_service/test_rewards_over_http.py::test_the_years_budget_bounds_the_rewards",
    )),
    "I9": ("a claim is paid at most once; an instruction has one id for ever", (
        "settlement_service/test_paid_once_with_database.py::test_the_database_pays_no_claim_by_two_instructions",
        "settlement_service/test_paid_once_with_database.py::test_the_database_gives_an_instruction_no_second_outcome",
        f"{INSTRUCTING}test_cuts_at_once_share_the_claims_without_taking_one_twice",
        "settlement_service/test_sending_with_database.py::test_the_database_itself_refuses_a_second_submission",
        f"{REISSUES}test_the_database_itself_refuses_a_second_issue_an_early_one_and_one_by_one_person",
        f"{UPHELD}test_the_database_itself_issues_nothing_again_twice_that_stands",
    )),
    "I10": ("nothing is paid before its notice ended, with an open objection, or without its approvals", (
        f"{INSTRUCTING}test_the_database_itself_refuses_a_seal_before_the_publicity_is_over",
        f"{KINDS}test_the_database_holds_nothing_without_an_open_objection_and_resumes_nothing_with_one",
        f"{KINDS}test_what_is_on_hold_is_in_no_later_batch_until_a_reviewer_has_decided",
        f"{UPHELD}test_an_upheld_objection_ends_the_item_whatever_it_is",
        f"{RELEASERS}test_the_database_refuses_a_release_without_two_different_people",
    )),
    "I11": ("a sealed batch never changes", (
        f"{INSTRUCTING}test_a_sealed_batch_never_changes_whatever_the_application_tries",
        f"{INSTRUCTING}test_rows_changed_by_the_schemas_owner_stop_the_instruction",
        f"{INSTRUCTING}test_seals_form_a_chain_signed_by_the_tenants_key",
    )),
    "I12": ("batch, instructions, ledger, files and manifest have one sum", (
        f"{INSTRUCTING}test_instructing_writes_files_that_verify_offline_and_form_a_chain",
        "settlement/offline/test_verify_batch.py::test_one_changed_byte_anywhere_is_found_in_its_file",
        f"{COMMITTED}test_a_transfer_made_by_hand_is_named_even_where_the_sums_were_made_to_fit",
    )),
    "I13": ("net positions add up to zero and are the debts of exactly their window", (
        f"{CYCLES}test_the_database_refuses_what_would_unbalance_a_window",
        f"{CYCLES}test_positions_that_do_not_add_up_to_zero_are_refused_even_with_a_true_matrix",
        "cycles/test_netting_by_networkx.py::*",
    )),
    "I14": ("each change of state has one audit entry, in its transaction, without gaps", (
        "kernel/test_change.py::test_entry_and_jobs_of_a_change_are_written_together",
        "kernel/test_change.py::test_eight_threads_write_one_chain_without_gap_or_fork",
        "kernel/test_change.py::test_what_is_rolled_back_leaves_neither_entry_nor_gap",
        "settlement_service/test_batch_life_with_database.py::test_each_change_of_state_is_one_entry_of_the_audit_chain",
        "verification/test_tampering.py::test_a_deleted_row_is_found_and_named",
    )),
    "I15": ("the chain agrees with every checkpoint ever signed; an old backup is seen", (
        "faults/test_checkpoints.py::test_an_old_backup_put_back_is_refused_with_what_is_missing",
        "faults/test_checkpoints.py::test_a_forged_checkpoint_is_refused",
        f"{COMMITTED}test_an_entry_rewritten_with_all_hashes_after_it_contradicts_the_signed_checkpoint",
    )),
    "I16": ("instructions, manifests and receipts verify with public keys alone", (
        "settlement/test_signing.py::test_a_signature_verifies_with_the_published_key_alone",
        "settlement/offline/test_verify_alone.py::*",
        "settlement_service/test_batches_over_http.py::test_a_batch_lives_from_its_cut_to_files_that_verify",
    )),
    "I17": ("the same input and version give the same decision and bytes", (
        f"{RECOMPUTED}test_a_slice_of_the_year_comes_out_the_same_here_and_in_another_process",
        "claims/test_worked_cases.py::test_a_worked_case_comes_out_as_written",
        "verification/test_own_readings.py::test_the_content_of_every_worked_case_has_the_same_bytes",
    )),
    "I18": ("no row of a tenant reaches another", (
        "scenarios/test_access_matrix.py::test_what_is_foreign_answers_like_what_is_absent_to_the_byte",
        "scenarios/test_access_matrix.py::test_lists_and_counts_hold_nothing_of_a_foreign_tenant",
        "migrations/test_rights_and_walls.py::test_every_tenant_table_hides_other_tenants_rows_even_from_its_owner",
        "intake/test_what_the_database_refuses.py::test_rows_of_a_foreign_tenant_do_not_exist",
    )),
    "I19": ("maker, checker and releaser are different people; who wrote a policy does not approve it", (
        f"{INSTRUCTING}test_the_database_itself_refuses_a_release_by_the_maker",
        "settlement_service/test_batches_over_http.py::test_the_person_who_made_a_batch_cannot_release_it_with_another_client",
        f"{UPHELD}test_the_database_itself_wants_two_people_and_an_end",
        "tenancy/test_policy_life.py::test_the_database_knows_four_eyes_and_the_day_of_approval",
        "intake/test_reviews_with_database.py::test_one_person_never_decides_two_stages",
    )),
    "I20": ("what was acknowledged is never lost; what was not is whole or not at all", (
        "faults/test_stopped_servers.py::test_no_acknowledged_claim_is_lost_while_the_database_is_killed_again_and_again",
        "faults/test_killed_parts.py::test_a_killed_part_is_replaced_and_the_service_goes_on",
        "embedded/test_refusals.py::*",
        "api/test_idempotency.py::test_a_crash_between_the_effect_and_the_commit_leaves_nothing",
    )),
    "I21": ("the same key has the same answer for ever; another body under it is a conflict", (
        "api/test_idempotency.py::test_the_first_answer_comes_again_with_its_headers_and_one_effect",
        "api/test_idempotency.py::test_the_same_key_for_another_request_is_refused_and_without_effect",
        "api/test_idempotency.py::test_sixteen_threads_with_one_key_have_one_effect_and_one_answer",
        "migrations/test_rights_and_walls.py::test_the_application_deletes_only_where_it_must",
    )),
    "I22": ("an empty, old or hostile queue changes no outcome", (
        "faults/test_stopped_servers.py::test_a_queue_emptied_in_mid_batch_loses_nothing",
        "faults/test_stopped_servers.py::test_a_hostile_queue_changes_no_outcome",
        "faults/test_stopped_servers.py::test_without_the_queue_intake_goes_on_and_what_waited_is_told_later",
    )),
    "I23": ("every job finishes, or shows as stuck", (
        "faults/test_outbox.py::test_what_nobody_can_do_is_stuck_and_seen_and_holds_nothing_up",
        "runtime/test_relay.py::test_a_failure_waits_twice_as_long_each_time_and_never_for_ever",
        "verification/test_payout_notices.py::*",
    )),
    "I24": ("the registry holds no plain numbers, and is equal under every active key", (
        "blindness/test_key_rotation.py::test_nothing_in_the_registry_can_be_computed_with_an_older_key_alone",
        "blindness/test_key_rotation.py::test_the_database_alone_refuses_who_does_not_write_every_version",
        "blindness/test_key_rotation.py::test_no_spending_of_any_moment_is_taken_twice",
    )),
    "I25": ("a revoked key's signature is refused from its revocation on", (
        "settlement/test_signing.py::test_a_key_is_refused_before_its_time_and_from_its_revocation_on",
        f"{INSTRUCTING}test_a_key_revoked_before_the_instruction_signs_nothing_until_it_is_rotated",
        f"{SIGNATURES}test_a_key_of_another_tenant_before_its_time_or_from_its_revocation_on_is_refused",
    )),
    "I26": ("every input is refused by a name or taken whole; never a fault of ours", (
        "fuzz/test_api_input.py::test_a_mutated_claim_is_stored_whole_or_refused_with_its_places",
        "fuzz/test_api_input.py::test_every_other_body_mutated_is_taken_or_refused",
        "settlement/statements/test_refused_files.py::test_bytes_changed_anywhere_give_lines_or_a_refusal",
        "settlement/statements/test_enormous_files.py::test_a_file_without_lines_is_refused_in_a_bounded_memory",
    )),
}  # fmt: skip
"""Each invariant in a few words, and its tests; ``*`` for every one of a module."""


def named_in(module: Path) -> set[str]:
    """The names of the module's tests."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_every_invariant_has_its_row_in_their_order() -> None:
    assert tuple(PROVEN) == INVARIANTS
    assert all(said and len(nodes) > 1 for said, nodes in PROVEN.values())


@pytest.mark.parametrize("invariant", INVARIANTS)
def test_the_tests_that_prove_an_invariant_are_there(invariant: str) -> None:
    _, nodes = PROVEN[invariant]
    assert len(set(nodes)) == len(nodes)
    for node in nodes:
        path, _, name = node.partition("::")
        known = named_in(TESTS / path)
        assert known if name == "*" else name in known, node
