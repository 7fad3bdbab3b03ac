-- An invitation's link is with who approved, the code that opens it with who proposed: neither of them alone can enrol in
-- the person's place.
alter table account_proposal add column code_sealed bytea check (length(code_sealed) > 0);
comment on column account_proposal.code_sealed is 'what its proposer tells the person; absent where no proofs are set, and before it was asked for';
alter table account_proposal add constraint account_proposal_code_of_proofs check (kind <> 'roles' or code_sealed is null);

-- What was proposed before codes were asked for is decided without one.
create function require_opening_code() returns trigger language plpgsql as $$
begin
    if new.kind <> 'roles' and new.code_sealed is null then
        raise exception 'whoever is to set proofs needs a code of the proposer''s'
            using errcode = '23514', constraint = 'account_proposal_has_code';
    end if;
    return new;
end $$;
create trigger account_proposal_has_code before insert on account_proposal
    for each row execute function require_opening_code();
revoke all on function require_opening_code() from public;

alter table account_invitation
    add column proposal_tenant text,
    add column proposal_id uuid,
    add constraint account_invitation_proposal foreign key (proposal_tenant, proposal_id)
        references account_proposal (tenant, id),
    add constraint account_invitation_of_one_proposal check (num_nulls(proposal_tenant, proposal_id) in (0, 2));
comment on column account_invitation.proposal_id is 'whose code opens it; absent where the operator invited beside the database';
