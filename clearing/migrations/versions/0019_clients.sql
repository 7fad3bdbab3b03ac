-- Clients: what a tenant asks of each, what each submitted in a day, and the requests that they signed.

-- Read by the client's name before anybody is known and any scope is bound, as the client itself is.
create table client_terms (
    tenant             text not null references tenant,
    client_id          text not null references client,
    signature_required boolean not null,
    networks           text[] not null check (networks::cidr[] is not null),
    ceiling_fen        bigint check (ceiling_fen >= 0),
    set_by             text not null,
    set_at             timestamptz not null,
    primary key (tenant, client_id)
);
create index client_terms_client on client_terms (client_id);
comment on column client_terms.networks is 'where the client may call from; anywhere where there is none';
comment on column client_terms.ceiling_fen is 'what the client may claim of this tenant in one day';
create trigger client_terms_kept before update or delete on client_terms for each row
    execute function keep_all_but('signature_required', 'networks', 'ceiling_fen', 'set_by', 'set_at');

-- A request that its client signed: `sealed` holds the signature and the exact body. Each is good for once.
create table signed_request (
    id          uuid primary key,
    client_id   text not null references client,
    kid         text not null,
    jti_sha256  bytea not null check (length(jti_sha256) = 32),
    tenants     text[] not null check (cardinality(tenants) > 0),
    sealed      bytea not null,
    received_at timestamptz not null,
    constraint signed_request_once unique (client_id, jti_sha256),
    foreign key (client_id, kid) references client_key (client_id, kid)
);
comment on column signed_request.tenants is 'whose chains tell of it; sealed for the first of them';
create trigger signed_request_append_only before update or delete on signed_request for each row execute function refuse_change();
create trigger signed_request_never_emptied before truncate on signed_request for each statement execute function refuse_change();

-- ------------------------------------------------------------------------------------------- what came in in a day

create function claimed_fen_of(submission text) returns bigint language sql immutable strict parallel safe as $$
    select coalesce(sum(round((i.value->>'claimed_amount')::numeric * 100)), 0)::bigint
      from json_array_elements(submission::json->'invoices') i
$$;
-- the owner sees every tenant's rows while the first days are counted
alter table claim_revision no force row level security;
alter table claim_revision add column claimed_fen bigint generated always as (claimed_fen_of(submission)) stored;

create table client_day (
    tenant      text not null references tenant,
    client_id   text not null,
    day_on      date not null,
    submissions bigint not null check (submissions > 0),
    claimed_fen bigint not null check (claimed_fen >= 0),
    primary key (tenant, client_id, day_on)
);
insert into client_day (tenant, client_id, day_on, submissions, claimed_fen)
select tenant, client_id, (received_at at time zone 'Asia/Shanghai')::date, count(*), sum(claimed_fen)
  from claim_revision group by 1, 2, 3;
alter table claim_revision force row level security;

create function count_client_day() returns trigger language plpgsql security definer as $$
begin
    insert into public.client_day as d (tenant, client_id, day_on, submissions, claimed_fen)
    select a.tenant, a.client_id, (a.received_at at time zone 'Asia/Shanghai')::date, count(*), sum(a.claimed_fen)
      from added a group by 1, 2, 3 order by 1, 2, 3
        on conflict (tenant, client_id, day_on) do update
       set submissions = d.submissions + excluded.submissions, claimed_fen = d.claimed_fen + excluded.claimed_fen;
    if exists (select 1 from public.client_day d join public.client_terms t using (tenant, client_id)
                where d.claimed_fen > t.ceiling_fen
                  and (d.tenant, d.client_id, d.day_on) in (
                      select a.tenant, a.client_id, (a.received_at at time zone 'Asia/Shanghai')::date from added a
                       where a.claimed_fen > 0)) then
        raise exception 'the client''s ceiling of the day is passed'
            using errcode = '23514', constraint = 'client_day_within_ceiling';
    end if;
    return null;
end $$;
create trigger claim_revision_counts after insert on claim_revision
    referencing new table as added for each statement execute function count_client_day();

-- -------------------------------------------------------------------------------------------------------- receipts

alter table receipt add column support_records bigint check (support_records >= 0);
comment on column receipt.support_records is 'none in receipts from before these were counted';
alter table receipt drop constraint receipt_submissions_check;
alter table receipt add constraint receipt_of_something
    check (submissions >= 0 and submissions + coalesce(support_records, 0) > 0);
create index support_record_received on support_record using brin (received_at);

-- ------------------------------------------------------------------------------------------------- who may do what

alter table client_day enable row level security, force row level security;
create policy tenant_only on client_day to clearing_app, clearing_owner using (tenant = any ((select bound_tenants())::text[]));

revoke all on client_terms, signed_request, client_day from public;
revoke all on function count_client_day(), claimed_fen_of(text) from public;
grant execute on function claimed_fen_of(text) to clearing_app;
grant select, insert on client_terms, signed_request to clearing_app;
grant update (signature_required, networks, ceiling_fen, set_by, set_at) on client_terms to clearing_app;
grant select on client_day to clearing_app;
grant select on client_terms, signed_request, client_day to clearing_auditor;
