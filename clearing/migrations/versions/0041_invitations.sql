-- Accounts under four eyes: one person proposes an account, further roles or new proofs, another approves. Whoever gave
-- rights alone could be maker and releaser in two names.

create table account_proposal (
    tenant       text not null references tenant,
    id           uuid not null,
    kind         text not null check (kind in ('account', 'roles', 'reset')),
    login        text not null check (login ~ '^[a-z][a-z0-9._-]{1,39}$'),
    person       text not null check (person <> ''),
    display_name text not null check (display_name <> ''),
    roles        text[] not null check (roles <@ array[
        'center_reviewer', 'authority_approver', 'tenant_admin', 'policy_approver', 'finance_maker', 'finance_releaser',
        'auditor']),
    ground       text not null check (ground <> ''),
    state        text not null check (state in ('proposed', 'approved', 'rejected')),
    proposed_by  text not null check (proposed_by <> ''),
    proposed_at  timestamptz not null,
    decided_by   text check (decided_by <> ''),
    decided_at   timestamptz check (decided_at >= proposed_at),
    reason       text check (reason <> ''),
    primary key (tenant, id),
    check ((cardinality(roles) = 0) = (kind = 'reset')),
    check (num_nulls(decided_by, decided_at) = case state when 'proposed' then 2 else 0 end),
    check (state <> 'rejected' or reason is not null),
    constraint account_proposal_for_another check (proposed_by <> person),
    constraint account_proposal_by_a_person check (proposed_by <> 'operator' and person <> 'operator'),
    constraint account_proposal_four_eyes check (state <> 'approved' or decided_by <> proposed_by),
    constraint account_proposal_decided_by_another check (decided_by <> person)
);
comment on column account_proposal.roles is 'those that the account gets, or gets besides; never the operator''s';
comment on column account_proposal.person is 'the natural person, as four-eyes compares it: it neither proposes nor decides';
create index account_proposal_state on account_proposal (tenant, state, id);
create unique index account_proposal_open on account_proposal (tenant, login) where state = 'proposed';

create function keep_account_proposal() returns trigger language plpgsql as $$
declare
    later constant text[] := array['state', 'decided_by', 'decided_at', 'reason'];
begin
    if tg_op = 'DELETE' or old.state <> 'proposed'
       or to_jsonb(new) - later is distinct from to_jsonb(old) - later then
        raise exception 'a proposal is decided once and never changes' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger account_proposal_kept before update or delete on account_proposal
    for each row execute function keep_account_proposal();

-- Rights that an account gains were approved in this very act, unless the operator beside the database gave them.
create function check_given_rights() returns trigger language plpgsql as $$
declare
    before constant text[] := case when tg_op = 'UPDATE' then old.roles else '{}' end;
    gained constant text[] := array(select unnest(new.roles) except select unnest(before));
begin
    if new.roles_set_by <> 'operator' and cardinality(gained) > 0 and not exists (
        select 1 from public.account_proposal p
         where p.tenant = any (new.tenants) and p.state = 'approved' and p.decided_by = new.roles_set_by
           and p.decided_at = new.changed_at and p.login = new.login and p.person = new.person
           and p.kind = case tg_op when 'INSERT' then 'account' else 'roles' end and gained <@ p.roles
           and (tg_op = 'UPDATE' or new.tenants = array[p.tenant])) then
        raise exception 'nobody gives rights alone' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger console_account_given before insert or update on console_account
    for each row execute function check_given_rights();

-- An invitation lets one person set a password and an authenticator, once. Only the latest of an account opens.
create table account_invitation (
    id            uuid primary key,
    account_id    uuid not null references console_account,
    secret_sha256 bytea not null unique check (length(secret_sha256) = 32),
    totp_sealed   bytea not null,
    issued_by     text not null check (issued_by <> ''),
    issued_at     timestamptz not null,
    expires_at    timestamptz not null check (expires_at > issued_at and expires_at <= issued_at + interval '3 days')
);
create index account_invitation_account on account_invitation (account_id, id desc);
comment on column account_invitation.secret_sha256 is 'of the secret in the link, which is shown once and kept nowhere';
comment on column account_invitation.totp_sealed is 'the authenticator''s secret that the page shows; the account''s once it is taken up';

create table account_enrolment (
    invitation_id uuid primary key references account_invitation,
    enrolled_at   timestamptz not null
);

create trigger account_invitation_append_only before update or delete on account_invitation
    for each row execute function refuse_change();
create trigger account_invitation_never_emptied before truncate on account_invitation
    for each statement execute function refuse_change();
create trigger account_enrolment_append_only before update or delete on account_enrolment
    for each row execute function refuse_change();
create trigger account_enrolment_never_emptied before truncate on account_enrolment
    for each statement execute function refuse_change();

alter table account_proposal enable row level security, force row level security;
create policy tenant_only on account_proposal to clearing_app, clearing_owner using (tenant = any ((select bound_tenants())::text[]));
revoke all on account_proposal, account_invitation, account_enrolment from public;
revoke all on function keep_account_proposal(), check_given_rights() from public;
grant select, insert on account_proposal, account_invitation, account_enrolment to clearing_app;
grant update (state, decided_by, decided_at, reason) on account_proposal to clearing_app;
grant select on account_proposal, account_invitation, account_enrolment to clearing_auditor;
