-- A session may be begun by the word of an OpenID provider instead of a password. Which provider, and by which name of
-- its own, is kept: a login that the provider gives to somebody else later opens nothing.

alter table console_session
    add column method  text not null default 'password'
        check (method in ('password', 'provider', 'provider_and_code')),
    add column issuer  text check (issuer <> ''),
    add column subject text check (subject <> '' and length(subject) <= 255),
    add constraint console_session_vouched check (num_nulls(issuer, subject) = case method when 'password' then 2 else 0 end);
alter table console_session alter column method drop default;
comment on column console_session.method is 'what opened the door: password and code, a provider alone, or a provider and our code';
comment on column console_session.subject is 'the provider''s own unchanging name of the person (sub)';
create index console_session_subject on console_session (account_id, issuer, started_at) where issuer is not null;

create or replace function keep_console_session() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or old.ended_at is not null or
       (new.id, new.token_sha256, new.account_id, new.started_at, new.expires_at, new.method, new.issuer, new.subject)
       is distinct from
       (old.id, old.token_sha256, old.account_id, old.started_at, old.expires_at, old.method, old.issuer, old.subject)
    then
        raise exception 'a session only goes on or ends' using errcode = '42501';
    end if;
    return new;
end $$;
revoke all on function keep_console_session() from public;

alter table console_account add column credentials_at timestamptz;
alter table console_account disable trigger console_account_kept;
update console_account set credentials_at = changed_at;
alter table console_account enable trigger console_account_kept;
alter table console_account
    alter column credentials_at set not null,
    add constraint console_account_credentials check (credentials_at between created_at and changed_at);
comment on column console_account.credentials_at is 'when password or authenticator were last set; a provider''s subject binds from then on anew';
grant update (credentials_at) on console_account to clearing_app;
