-- Webhooks: where a platform wants to be told of one tenant's claims, and what has been told there. A message is one row
-- of the platform's feed on its way to one endpoint: made from the feed, tried until it is answered, never lost.

create table webhook_endpoint (
    tenant           text not null references tenant,
    id               uuid not null,
    platform         text not null,
    url              text not null check (length(url) between 10 and 500),
    secret_sealed    bytea not null,
    starts_after_seq bigint not null check (starts_after_seq >= 0),
    fed_through_seq  bigint not null check (fed_through_seq >= starts_after_seq),
    registered_by    text not null,
    registered_at    timestamptz not null,
    disabled_by      text,
    disabled_at      timestamptz,
    primary key (tenant, id),
    check (num_nulls(disabled_by, disabled_at) in (0, 2))
);
comment on column webhook_endpoint.starts_after_seq is 'the platform''s last event when this was registered: only later ones are told';
comment on column webhook_endpoint.fed_through_seq is 'the last event of the feed that was looked at for this endpoint';
create index webhook_endpoint_live on webhook_endpoint (platform) where disabled_at is null;

create table webhook_message (
    tenant          text not null,
    endpoint_id     uuid not null,
    seq             bigint not null check (seq > 0),
    subject_id      uuid not null,
    queued_at       timestamptz not null,
    next_attempt_at timestamptz not null check (next_attempt_at >= queued_at),
    attempts        integer not null default 0 check (attempts >= 0),
    last_answer     text check (last_answer is null or length(last_answer) <= 200),
    done_at         timestamptz check (done_at >= queued_at),
    gave_up         boolean not null default false,
    primary key (tenant, endpoint_id, seq),
    foreign key (tenant, endpoint_id) references webhook_endpoint (tenant, id),
    check (done_at is null or attempts > 0),
    -- three days are tried before a message is given up
    constraint webhook_message_tried_long check (not gave_up or coalesce(done_at >= queued_at + interval '3 days', false))
);
create index webhook_message_due on webhook_message (tenant, endpoint_id, next_attempt_at) where done_at is null;
-- what is told of one subject is told in its order: the oldest that is open goes first
create index webhook_message_open on webhook_message (tenant, endpoint_id, subject_id, seq) where done_at is null;

-- the trigger's arguments are the columns that may change
create function keep_webhook() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        raise exception '% is never deleted', tg_table_name using errcode = '42501';
    end if;
    if to_jsonb(new) - tg_argv is distinct from to_jsonb(old) - tg_argv then
        raise exception 'what % says never changes', tg_table_name using errcode = '42501';
    end if;
    return new;
end $$;
create trigger webhook_endpoint_kept before update or delete on webhook_endpoint for each row
    execute function keep_webhook('fed_through_seq', 'disabled_by', 'disabled_at');
create trigger webhook_message_kept before update or delete on webhook_message for each row
    execute function keep_webhook('queued_at', 'next_attempt_at', 'attempts', 'last_answer', 'done_at', 'gave_up');

do $$
declare t text;
begin
    foreach t in array array['webhook_endpoint', 'webhook_message'] loop
        execute format('alter table %I enable row level security, force row level security', t);
        execute format('create policy tenant_only on %I to clearing_app, clearing_owner using (tenant = any ((select bound_tenants())::text[]))', t);
    end loop;
end $$;
revoke all on function keep_webhook() from public;
grant select, insert on webhook_endpoint, webhook_message to clearing_app;
grant update (fed_through_seq, disabled_by, disabled_at) on webhook_endpoint to clearing_app;
grant update (queued_at, next_attempt_at, attempts, last_answer, done_at, gave_up) on webhook_message to clearing_app;
grant select on webhook_endpoint, webhook_message to clearing_auditor;
