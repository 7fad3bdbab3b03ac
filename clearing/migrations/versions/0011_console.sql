-- People at the console. An account is found by its name before anybody is known, and may serve several tenants, so that
-- it has no tenant of its own; each change of it is an entry in the audit chain of every tenant that it serves.

create table console_account (
    id            uuid primary key,
    login         text not null unique check (login ~ '^[a-z][a-z0-9._-]{1,39}$'),
    person        text not null check (person <> ''),
    display_name  text not null check (display_name <> ''),
    tenants       text[] not null check (cardinality(tenants) > 0),
    roles         text[] not null check (cardinality(roles) > 0 and roles <@ array[
        'center_reviewer', 'authority_approver', 'tenant_admin', 'policy_approver', 'finance_maker', 'finance_releaser',
        'clearing_operator', 'auditor']),
    password_hash text not null check (password_hash like '$argon2id$%'),
    totp_sealed   bytea not null,
    created_at    timestamptz not null,
    changed_at    timestamptz not null check (changed_at >= created_at),
    revoked_at    timestamptz check (revoked_at >= created_at)
);
comment on column console_account.person is 'the natural person, as four-eyes compares it: one person may have several accounts';

-- What was tried at the door: a code opens once, and wrong tries in a row close the door for a while.
create table console_attempt (
    account_id     uuid primary key references console_account,
    sign_in_step   bigint not null default 0 check (sign_in_step >= 0),
    confirm_step   bigint not null default 0 check (confirm_step >= 0),
    failures       integer not null default 0 check (failures >= 0),
    last_failed_at timestamptz check (failures = 0 or last_failed_at is not null)
);
comment on column console_attempt.sign_in_step is 'the time step (RFC 6238) of the last code that signed in; never an earlier one again';
comment on column console_attempt.confirm_step is 'the same for the codes that confirmed a step';

create table console_session (
    id           uuid primary key,
    token_sha256 bytea not null unique check (length(token_sha256) = 32),
    account_id   uuid not null references console_account,
    started_at   timestamptz not null,
    seen_at      timestamptz not null check (seen_at >= started_at and seen_at <= expires_at),
    expires_at   timestamptz not null check (expires_at <= started_at + interval '10 hours'),
    ended_at     timestamptz check (ended_at >= started_at)
);
create index console_session_account on console_session (account_id) where ended_at is null;

-- An account is never deleted nor given to another person; a session that ended stays ended.
create function keep_console_account() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or (new.id, new.login, new.person, new.created_at) is distinct from
                           (old.id, old.login, old.person, old.created_at) then
        raise exception 'an account keeps its name and its person' using errcode = '42501';
    end if;
    if old.revoked_at is not null then
        raise exception 'a revoked account never changes' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger console_account_kept before update or delete on console_account
    for each row execute function keep_console_account();

create function keep_console_session() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or old.ended_at is not null or
       (new.id, new.token_sha256, new.account_id, new.started_at, new.expires_at) is distinct from
       (old.id, old.token_sha256, old.account_id, old.started_at, old.expires_at) then
        raise exception 'a session only goes on or ends' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger console_session_kept before update or delete on console_session
    for each row execute function keep_console_session();

revoke all on function keep_console_account(), keep_console_session() from public;
revoke all on console_account, console_attempt, console_session from public;
grant select, insert on console_account, console_attempt, console_session to clearing_app;
grant update (password_hash, totp_sealed, changed_at, revoked_at) on console_account to clearing_app;
grant update (sign_in_step, confirm_step, failures, last_failed_at) on console_attempt to clearing_app;
grant update (seen_at, ended_at) on console_session to clearing_app;
grant select on console_account, console_attempt, console_session to clearing_auditor;
