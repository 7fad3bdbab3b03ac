-- What a linked region (联动地区) commits itself to for a year (联动承诺书, 苏科统发〔2021〕1号 四): which types of enterprise it
-- matches, at which ratio, up to which amount an enterprise; from a day on, once the province has approved it (经核准).
-- Where the division is a tenant's, that tenant proposes (`linked`).
create table linkage (
    tenant              text not null references tenant,
    id                  uuid not null,
    scheme              text not null,
    year                integer not null check (year between 2000 and 2100),
    division            text not null check (division ~ '^[1-9][0-9]{5}$'),
    types               text[] not null check (cardinality(types) > 0),
    provincial_to_local text not null,
    cap_fen             bigint not null check (cap_fen > 0),
    from_on             date not null,
    cite                text not null,
    linked              text references tenant check (linked <> tenant),
    state               text not null check (state in ('proposed', 'approved', 'rejected')),
    proposed_by         text not null,
    proposed_at         timestamptz not null,
    decided_by          text,
    decided_at          timestamptz,
    reason              text,
    primary key (tenant, id),
    check (num_nulls(decided_by, decided_at) in (0, 2)),
    check ((decided_by is null) = (state = 'proposed')),
    check (state <> 'rejected' or reason is not null),
    constraint linkage_four_eyes check (decided_by <> proposed_by),
    constraint linkage_not_backwards check (
        state <> 'approved' or (decided_at at time zone 'Asia/Shanghai')::date <= from_on)
);
comment on column linkage.tenant is 'the province whose awards are matched';
comment on column linkage.linked is 'the tenant that governs the division, where one does';
-- what is in force is the latest of the year not after the day
create unique index linkage_in_force on linkage (tenant, scheme, year, division, from_on) where state = 'approved';
create index linkage_of_linked on linkage (linked, id) where linked is not null;

create function check_linkage() returns trigger language plpgsql security definer as $$
declare
    governing text;
begin
    select t.tenant into governing from public.tenant t, unnest(t.divisions) d
     where t.tenant <> new.tenant and starts_with(new.division, d) order by length(d) desc limit 1;
    if new.state <> 'proposed' or new.linked is distinct from governing then
        raise exception 'a linkage is proposed by who governs the division'
            using errcode = '23514', constraint = 'linkage_proposed_by_governing';
    end if;
    return new;
end $$;
create trigger linkage_proposed before insert on linkage for each row execute function check_linkage();

create function keep_linkage() returns trigger language plpgsql as $$
declare
    later constant text[] := array['state', 'decided_by', 'decided_at', 'reason'];
begin
    if tg_op = 'DELETE' or old.state <> 'proposed'
       or to_jsonb(new) - later is distinct from to_jsonb(old) - later then
        raise exception 'a linkage is decided once and never changes' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger linkage_kept before update or delete on linkage for each row execute function keep_linkage();

alter table linkage enable row level security, force row level security;
create policy either_side on linkage to clearing_app using (tenant = any ((select bound_tenants())::text[])
                                                            or linked = any ((select bound_tenants())::text[]));
revoke all on linkage from public;
revoke all on function check_linkage(), keep_linkage() from public;
grant select, insert on linkage to clearing_app;
grant update (state, decided_by, decided_at, reason) on linkage to clearing_app;
grant select on linkage to clearing_auditor;

-- ------------------------------------------------------------------------------------------ matching follows its award

-- Matching follows its award: it waits while the payout has come back, is reduced when the award is asked back, and what
-- was paid of it by then is to be recovered by the linked region.
alter table matching_due
    add column waiting_fen bigint not null default 0 check (waiting_fen >= 0),
    add column freed_fen bigint not null default 0 check (freed_fen >= 0),
    add column recover_fen bigint not null default 0 check (recover_fen >= 0),
    add column changed_by text,
    add column changed_at timestamptz,
    add check (num_nulls(changed_by, changed_at) in (0, 2)),
    add constraint matching_due_within check (waiting_fen + freed_fen + recover_fen <= amount_fen),
    add constraint matching_due_paid_what_is_owed check (paid_on is null or (waiting_fen = 0 and freed_fen < amount_fen));
comment on column matching_due.waiting_fen is 'not owed while the payout that it follows waits to be issued again';
comment on column matching_due.freed_fen is 'no longer owed: the award was asked back before this was paid';
comment on column matching_due.recover_fen is 'paid, or being paid, on an award that was asked back since';

create or replace function keep_matching() returns trigger language plpgsql as $$
declare
    paid    constant text[] := array['recover_fen', 'changed_by', 'changed_at'];
    unpaid  constant text[] := paid || array['paid_on', 'paid_document', 'paid_by', 'paid_at', 'due_on', 'obligation_id',
                                             'waiting_fen', 'freed_fen'];
    later   constant text[] := case when tg_op = 'UPDATE' and old.paid_on is null then unpaid else paid end;
begin
    if tg_op = 'DELETE' or to_jsonb(new) - later is distinct from to_jsonb(old) - later then
        raise exception 'what is due is paid once and never changes' using errcode = '42501';
    end if;
    if new.freed_fen < old.freed_fen or new.recover_fen < old.recover_fen then
        raise exception 'what was taken back of a matching stays taken back' using errcode = '42501';
    end if;
    return new;
end $$;
grant update (due_on, obligation_id, waiting_fen, freed_fen, recover_fen, changed_by, changed_at) on matching_due
    to clearing_app;
