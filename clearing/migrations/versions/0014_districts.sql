-- A city bureau's reviewer sees and decides only claims of its city; the center confirms less than was computed; what a
-- sample finds unsound has its consequence.

-- ------------------------------------------------------------------------------------------------------- districts

-- Whom of a tenant's reviewers which divisions bind; without a row a person is bound to none. Set by another person.
create table reviewer_district (
    tenant     text not null references tenant,
    id         uuid not null,
    person     text not null,
    division   text not null check (division ~ '^[1-9][0-9]{5}$'),
    ground     text not null,
    set_by     text not null,
    set_at     timestamptz not null,
    ended_by   text,
    ended_at   timestamptz,
    end_reason text,
    primary key (tenant, id),
    check (num_nulls(ended_by, ended_at, end_reason) in (0, 3)),
    constraint reviewer_district_set_by_another check (set_by <> person),
    constraint reviewer_district_ended_by_another check (ended_by <> person)
);
create unique index reviewer_district_once on reviewer_district (tenant, person, division) where ended_at is null;

create function division_prefix(division text) returns text language sql immutable as
$$ select case when division like '%0000' then left(division, 2) when division like '%00' then left(division, 4)
               else division end $$;

create function bound_districts() returns text[] language sql stable as
$$ select pg_catalog.string_to_array(nullif(pg_catalog.current_setting('clearing.districts', true), ''), ',') $$;

create function in_district(of_tenant text, of_division text) returns boolean language sql stable as
$$ select coalesce(bool_or(starts_with(of_division, split_part(d, ':', 2))), true)
     from unnest(public.bound_districts()) d where split_part(d, ':', 1) = of_tenant $$;

-- As bind_scope(text, text), for a person whose districts bind it too.
create function bind_scope(tenants text, platform text, person text,
                           out demonstration_at timestamptz, out set_at timestamptz)
language plpgsql security definer as $$
begin
    select b.demonstration_at, b.set_at into demonstration_at, set_at from public.bind_scope(tenants, platform) b;
    perform pg_catalog.set_config('clearing.districts', coalesce((
        select string_agg(r.tenant || ':' || public.division_prefix(r.division), ',') from public.reviewer_district r
         where r.person = bind_scope.person and r.ended_at is null), ''), true);
end $$;

create function refuse_outside_district(of_tenant text, decider text, of_division text) returns void
language plpgsql security definer as $$
begin
    if not coalesce((select bool_or(starts_with(of_division, public.division_prefix(r.division)))
                       from public.reviewer_district r
                      where r.tenant = of_tenant and r.person = decider and r.ended_at is null), true) then
        raise exception 'the claim is not of the decider''s district'
            using errcode = '23514', constraint = 'decider_district';
    end if;
end $$;

create or replace function keep_reviewer_apart() returns trigger language plpgsql security definer as $$
begin
    perform public.refuse_interested(new.tenant, new.person, array[c.enterprise_uscc, c.provider_uscc]),
            public.refuse_outside_district(new.tenant, new.person, c.division)
       from public.claim c where c.tenant = new.tenant and c.id = new.claim_id;
    if exists (select 1 from public.claim_revision r join public.client c on c.client_id = r.client_id
                where r.tenant = new.tenant and r.claim_id = new.claim_id and c.person = new.person) then
        raise exception 'who submitted a claim does not review it'
            using errcode = '23514', constraint = 'decider_submitted';
    end if;
    return new;
end $$;

create or replace function keep_resolver_apart() returns trigger language plpgsql security definer as $$
begin
    perform public.refuse_interested(new.tenant, new.resolved_by, array[c.enterprise_uscc, c.provider_uscc]),
            public.refuse_outside_district(new.tenant, new.resolved_by, c.division)
       from public.claim c where c.tenant = new.tenant and c.id = new.claim_id;
    return new;
end $$;

alter table reviewer_district enable row level security, force row level security;
create policy tenant_only on reviewer_district to clearing_app, clearing_owner
    using (tenant = any ((select bound_tenants())::text[]));
create trigger reviewer_district_never_deleted before delete on reviewer_district
    for each row execute function refuse_change();

-- What a bound person does not see: other cities' claims, and what hangs on them.
create policy own_district on claim as restrictive for select to clearing_app
    using ((select bound_districts()) is null or in_district(tenant, division));
do $$
declare t text;
begin
    foreach t in array array['claim_revision', 'assessment', 'hold', 'review', 'objection', 'clawback', 'sample_item'] loop
        execute format('create policy own_district on %I as restrictive for select to clearing_app using ('
                       '(select bound_districts()) is null or exists (select 1 from claim c '
                       'where c.tenant = %I.tenant and c.id = %I.claim_id))', t, t, t);
    end loop;
end $$;

revoke all on reviewer_district from public;
revoke all on function division_prefix(text), bound_districts(), in_district(text, text), bind_scope(text, text, text),
    refuse_outside_district(text, text, text) from public;
grant execute on function bind_scope(text, text, text), bound_districts(), in_district(text, text) to clearing_app;
grant select, insert on reviewer_district to clearing_app;
grant update (ended_by, ended_at, end_reason) on reviewer_district to clearing_app;
grant select on reviewer_district to clearing_auditor;

-- ----------------------------------------------------------------------------------------------------------- holds

-- a newcomer asks whether others wait for a value of their policy
create index hold_incomplete on hold (tenant, claim_id) where code = 'policy.incomplete' and resolved_at is null;

-- ------------------------------------------------------------------------------------------------------ reservations

-- `amount_fen` is what the voucher is worth; `computed_fen` what the policy gives for the contract, which stays.
alter table reservation
    add column computed_fen bigint,
    add column lowered_reason text;
alter table reservation no force row level security;
update reservation set computed_fen = amount_fen;
alter table reservation force row level security;
alter table reservation
    alter column computed_fen set not null,
    add constraint reservation_only_lowered check (amount_fen <= computed_fen),
    add constraint reservation_lowered_with_reason check ((amount_fen < computed_fen) = (lowered_reason is not null));
grant update (amount_fen, lowered_reason) on reservation to clearing_app;

-- ----------------------------------------------------------------------------------------------------------- samples

-- What follows from an unsound claim: it is stopped before it is paid, clawed back, or clawed back once it is paid.
alter table sample_item
    add column consequence text check (consequence in ('stopped', 'clawed_back', 'due')),
    add column clawback_id uuid,
    add column asked_fen bigint check (asked_fen >= 0),
    add column sanction_until date,
    add foreign key (tenant, clawback_id) references clawback (tenant, id);
alter table sample_item no force row level security;
alter table sample_item disable trigger sample_item_apart;
update sample_item set consequence = 'due' where outcome = 'unsound';
alter table sample_item enable trigger sample_item_apart;
alter table sample_item force row level security;
alter table sample_item
    add constraint sample_item_consequence check ((outcome is not distinct from 'unsound') = (consequence is not null)),
    add constraint sample_item_clawed_back check (
        (consequence is not distinct from 'clawed_back') = (clawback_id is not null));
comment on column sample_item.asked_fen is 'what is to be asked back of an unsound claim; null: all that was paid';
create index sample_item_due on sample_item (tenant, claim_id) where consequence = 'due';

create or replace function keep_sampler_apart() returns trigger language plpgsql security definer as $$
begin
    if old.outcome is not null then
        if old.consequence is distinct from 'due'
           or to_jsonb(new) - array['consequence', 'clawback_id'] is distinct from
              to_jsonb(old) - array['consequence', 'clawback_id'] then
            raise exception 'a decided sample never changes' using errcode = '42501';
        end if;
        return new;
    end if;
    perform public.refuse_interested(new.tenant, new.decided_by, array[c.enterprise_uscc, c.provider_uscc]),
            public.refuse_outside_district(new.tenant, new.decided_by, c.division)
       from public.claim c where c.tenant = new.tenant and c.id = new.claim_id;
    return new;
end $$;
grant update (consequence, clawback_id, asked_fen, sanction_until) on sample_item to clearing_app;
