-- Pulling: a platform's outlet that is asked for what is new, page by page. The cursor is the last page's: no other row
-- holds it, so that it moves with the claims of its page or not at all.

create table pull_source (
    tenant        text not null references tenant,
    id            uuid not null,
    platform      text not null,
    client_id     text not null references client,
    what          text not null check (what in ('claims', 'support_records')),
    url           text not null check (length(url) between 10 and 500),
    token_sealed  bytea not null,
    every_seconds integer not null check (every_seconds between 1 and 86400),
    registered_by text not null,
    registered_at timestamptz not null,
    disabled_by   text,
    disabled_at   timestamptz,
    primary key (tenant, id),
    check (num_nulls(disabled_by, disabled_at) in (0, 2))
);
comment on column pull_source.client_id is 'in whose name the records go in: revoked, it is asked no more';
comment on column pull_source.token_sealed is 'the bearer token by which the platform knows this service';
create index pull_source_live on pull_source (platform) where disabled_at is null;

-- When it is asked next, and how it went: times are the machine's.
create table pull_progress (
    tenant       text not null,
    source_id    uuid not null,
    next_poll_at timestamptz not null,
    polled_at    timestamptz,
    answered_at  timestamptz,
    failures     integer not null default 0 check (failures >= 0),
    last_error   text check (last_error is null or length(last_error) <= 1000),
    primary key (tenant, source_id),
    foreign key (tenant, source_id) references pull_source (tenant, id),
    check ((failures > 0) = (last_error is not null))
);
create index pull_progress_due on pull_progress (next_poll_at);

create table pull_page (
    tenant        text not null,
    source_id     uuid not null,
    seq           bigint not null check (seq > 0),
    cursor_before text check (length(cursor_before) between 1 and 500),
    cursor_after  text not null check (length(cursor_after) between 1 and 500),
    records       integer not null check (records >= 0),
    stored        integer not null check (stored >= 0),
    known         integer not null check (known >= 0),
    refused       integer not null check (refused >= 0),
    stored_at     timestamptz not null,
    primary key (tenant, source_id, seq),
    foreign key (tenant, source_id) references pull_source (tenant, id),
    check (records = stored + known + refused),
    check ((seq = 1) = (cursor_before is null)),
    check (cursor_before is distinct from cursor_after)
);
-- a cursor that was passed comes again: the platform goes in a circle
create unique index pull_page_forward on pull_page (tenant, source_id, cursor_after);

create function pull_page_follows() returns trigger language plpgsql as $$
begin
    if new.seq > 1 and not exists (
        select 1 from pull_page p where p.tenant = new.tenant and p.source_id = new.source_id
           and p.seq = new.seq - 1 and p.cursor_after = new.cursor_before) then
        raise exception 'page % does not begin where the one before it ended', new.seq using errcode = '23514';
    end if;
    return new;
end $$;
create trigger pull_page_in_order before insert on pull_page for each row execute function pull_page_follows();
create trigger pull_page_append_only before update or delete on pull_page for each row execute function refuse_change();
create trigger pull_page_never_emptied before truncate on pull_page for each statement execute function refuse_change();

create table dead_letter (
    tenant        text not null,
    id            uuid not null,
    source_id     uuid not null,
    page_seq      bigint not null,
    position      integer not null check (position > 0),
    code          text not null,
    problem       text not null,
    record_sealed bytea not null,
    record_mac    bytea not null check (length(record_mac) = 32),
    state         text not null check (state in ('open', 'taken', 'dismissed')),
    decided_by    text,
    decided_at    timestamptz,
    reason        text,
    primary key (tenant, id),
    unique (tenant, source_id, page_seq, position),
    foreign key (tenant, source_id, page_seq) references pull_page (tenant, source_id, seq),
    check ((state = 'open') = (decided_by is null) and (state = 'open') = (decided_at is null)),
    check ((state = 'dismissed') = (reason is not null))
);
comment on column dead_letter.record_sealed is 'the whole record as it came: it may hold account numbers';
comment on column dead_letter.problem is 'why it was not taken in when it came, in both languages';
create index dead_letter_open on dead_letter (tenant, source_id, id) where state = 'open';

create trigger pull_source_kept before update or delete on pull_source for each row
    execute function keep_all_but('token_sealed', 'disabled_by', 'disabled_at');
create trigger pull_progress_kept before update or delete on pull_progress for each row
    execute function keep_all_but('next_poll_at', 'polled_at', 'answered_at', 'failures', 'last_error');
create trigger dead_letter_kept before update or delete on dead_letter for each row
    execute function keep_all_but('state', 'decided_by', 'decided_at', 'reason');
-- once decided, it stays so
create function dead_letter_decided_once() returns trigger language plpgsql as $$
begin
    if old.state <> 'open' then
        raise exception 'the dead letter is decided' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger dead_letter_decided before update on dead_letter for each row execute function dead_letter_decided_once();

do $$
declare t text;
begin
    foreach t in array array['pull_source', 'pull_progress', 'pull_page', 'dead_letter'] loop
        execute format('alter table %I enable row level security, force row level security', t);
        execute format('create policy tenant_only on %I to clearing_app, clearing_owner using (tenant = any ((select bound_tenants())::text[]))', t);
    end loop;
end $$;
revoke all on function pull_page_follows(), dead_letter_decided_once() from public;
grant select, insert on pull_source, pull_progress, pull_page, dead_letter to clearing_app;
grant update (token_sealed, disabled_by, disabled_at) on pull_source to clearing_app;
grant update (next_poll_at, polled_at, answered_at, failures, last_error) on pull_progress to clearing_app;
grant update (state, decided_by, decided_at, reason) on dead_letter to clearing_app;
grant select on pull_source, pull_progress, pull_page, dead_letter to clearing_auditor;
