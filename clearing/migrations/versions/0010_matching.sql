-- Matching that is due, yearly rewards, two releasers; and the netting that each debt was agreed under.

-- A debt keeps its netting, so that both sides see the same running position: neither sees the other's batch.
alter table clearing_debt add column netting text check (netting in ('gross', 'bilateral', 'multilateral'));
alter table clearing_debt no force row level security;
alter table batch no force row level security;
alter table agreement no force row level security;
alter table clearing_debt disable trigger clearing_debt_append_only;
update clearing_debt d set netting = a.netting
  from batch b join agreement a on a.id = b.agreement_id where b.tenant = d.tenant and b.id = d.batch_id;
alter table clearing_debt enable trigger clearing_debt_append_only;
alter table clearing_debt force row level security;
alter table batch force row level security;
alter table agreement force row level security;
alter table clearing_debt alter column netting set not null;

-- I13, with the matrix by netting too
create or replace function check_cycle(cycle uuid) returns void language plpgsql as $$
declare
    wrong text;
begin
    select c.state into wrong from public.clearing_cycle c where c.id = cycle;
    if wrong = 'open' then
        if exists (select 1 from public.clearing_cell x where x.cycle_id = cycle)
           or exists (select 1 from public.clearing_position p where p.cycle_id = cycle) then
            raise exception 'an open window has no positions' using errcode = '23514', constraint = 'clearing_cycle_positions';
        end if;
        return;
    end if;
    select string_agg(format('%s owes %s', coalesce(d.tenant, x.tenant), coalesce(d.creditor, x.creditor)), ', ') into wrong
      from (select tenant, creditor, netting, count(*) as debts, sum(amount_fen) as fen from public.clearing_debt
             where cycle_id = cycle group by tenant, creditor, netting) d
      full join (select tenant, creditor, netting, debts, gross_fen as fen from public.clearing_cell
                  where cycle_id = cycle) x
        on x.tenant = d.tenant and x.creditor = d.creditor and x.netting = d.netting
     where (d.debts, d.fen) is distinct from (x.debts, x.fen);
    if wrong is not null then
        raise exception 'the matrix is not that of the debts: %', wrong
            using errcode = '23514', constraint = 'clearing_cycle_matrix';
    end if;
    select string_agg(coalesce(p.tenant, s.tenant), ', ') into wrong
      from (select tenant, sum(payable) as payable, sum(receivable) as receivable
              from (select tenant, gross_fen as payable, 0 as receivable from public.clearing_cell where cycle_id = cycle
                    union all select creditor, 0, gross_fen from public.clearing_cell where cycle_id = cycle) l
             group by tenant) s
      full join (select * from public.clearing_position where cycle_id = cycle) p on p.tenant = s.tenant
     where (s.payable, s.receivable) is distinct from (p.payable_fen, p.receivable_fen);
    if wrong is not null or (select coalesce(sum(net_fen), 0) from public.clearing_position where cycle_id = cycle) <> 0 then
        raise exception 'the positions are not those of the matrix: %', wrong
            using errcode = '23514', constraint = 'clearing_cycle_zero_sum';
    end if;
    -- what every tenant is ordered to pay and to receive is its position
    if exists (select 1 from public.clearing_order o where o.cycle_id = cycle)
       or exists (select 1 from public.clearing_cycle c where c.id = cycle and c.state in ('confirmed', 'settled')) then
        select string_agg(coalesce(p.tenant, s.tenant), ', ') into wrong
          from (select tenant, sum(fen) as fen
                  from (select tenant, case kind when 'pay_out' then amount_fen else -amount_fen end as fen
                          from public.clearing_order where cycle_id = cycle
                        union all select counterparty, amount_fen from public.clearing_order
                                   where cycle_id = cycle and counterparty is not null) l group by tenant) s
          full join (select * from public.clearing_position where cycle_id = cycle) p on p.tenant = s.tenant
         where coalesce(s.fen, 0) <> coalesce(p.net_fen, 0);
        if wrong is not null then
            raise exception 'the orders are not those of the positions: %', wrong
                using errcode = '23514', constraint = 'clearing_cycle_orders';
        end if;
    end if;
    if exists (select 1 from public.clearing_cycle c join public.clearing_position p on p.cycle_id = c.id
                where c.id = cycle and c.state in ('confirmed', 'settled') and p.confirmed_at is null) then
        raise exception 'a position is not confirmed' using errcode = '23514', constraint = 'clearing_cycle_confirmed';
    end if;
end $$;

-- ------------------------------------------------------------------------------------------------------- matching

-- What a linked region owes on top of an award that was paid, until when; `linked` where it is a tenant here.
create table matching_due (
    tenant        text not null,
    claim_id      uuid not null,
    batch_id      uuid not null,
    division      text not null check (division ~ '^[1-9][0-9]{5}$'),
    amount_fen    bigint not null check (amount_fen > 0),
    due_on        date not null,
    linked        text references tenant check (linked <> tenant),
    obligation_id uuid,
    made_at       timestamptz not null,
    paid_on       date,
    paid_document text,
    paid_by       text,
    paid_at       timestamptz,
    primary key (tenant, claim_id),
    foreign key (tenant, claim_id) references obligation (tenant, id),
    foreign key (tenant, batch_id) references batch (tenant, id),
    constraint matching_due_handed_on foreign key (linked, obligation_id) references obligation (tenant, id),
    check (num_nulls(linked, obligation_id) in (0, 2)),
    check (num_nulls(paid_on, paid_document, paid_by, paid_at) in (0, 4))
);
create index matching_due_open on matching_due (tenant, due_on, claim_id) where paid_on is null;
create unique index matching_due_handed_once on matching_due (linked, obligation_id) where linked is not null;

create function keep_matching() returns trigger language plpgsql as $$
declare
    later constant text[] := array['paid_on', 'paid_document', 'paid_by', 'paid_at'];
begin
    if tg_op = 'DELETE' or old.paid_on is not null or to_jsonb(new) - later is distinct from to_jsonb(old) - later then
        raise exception 'what is due is paid once and never changes' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger matching_due_kept before update or delete on matching_due for each row execute function keep_matching();

-- -------------------------------------------------------------------------------------------------------- rewards

-- A provider's reward of a year, once: within its ceiling, the policy's share of its services and the policy's cap.
create table provider_reward (
    tenant        text not null references tenant,
    scheme        text not null,
    year          integer not null,
    provider_uscc text not null,
    obligation_id uuid not null,
    services_fen  bigint not null check (services_fen > 0),
    ceiling_fen   bigint not null check (ceiling_fen <= services_fen),
    amount_fen    bigint not null check (amount_fen > 0),
    reason        text not null,
    granted_by    text not null,
    granted_at    timestamptz not null,
    primary key (tenant, scheme, year, provider_uscc),
    unique (tenant, obligation_id),
    foreign key (tenant, obligation_id) references obligation (tenant, id),
    constraint provider_reward_within_ceiling check (amount_fen <= ceiling_fen)
);

-- ------------------------------------------------------------------------------------------------ two releasers

-- Above the limit a batch is released by two people; the first release stands here, the second on the batch.
create table release_limit (
    tenant    text primary key references tenant,
    limit_fen bigint not null check (limit_fen >= 0),
    set_by    text not null,
    set_at    timestamptz not null
);

create table first_release (
    tenant      text not null,
    batch_id    uuid not null,
    released_by text not null,
    released_at timestamptz not null,
    primary key (tenant, batch_id),
    foreign key (tenant, batch_id) references batch (tenant, id)
);

create function check_two_releasers() returns trigger language plpgsql security definer as $$
declare
    first text;
begin
    select f.released_by into first from public.first_release f where f.tenant = new.tenant and f.batch_id = new.id;
    if first is null and exists (select 1 from public.release_limit l
                                  where l.tenant = new.tenant and new.total_fen > l.limit_fen) then
        raise exception 'above the limit a batch is released by two people'
            using errcode = '23514', constraint = 'batch_two_releasers';
    end if;
    if first in (new.released_by, new.cut_by, new.published_by, new.sealed_by) then
        raise exception 'the first release is another person''s' using errcode = '23514', constraint = 'batch_two_releasers';
    end if;
    return new;
end $$;
create trigger batch_two_releasers before update on batch
    for each row when (old.released_at is null and new.released_at is not null) execute function check_two_releasers();

-- ------------------------------------------------------------------------------------------------- who may do what

do $$
declare t text;
begin
    alter table matching_due enable row level security, force row level security;
    create policy either_side on matching_due to clearing_app using (tenant = any ((select bound_tenants())::text[])
                                                                     or linked = any ((select bound_tenants())::text[]));
    foreach t in array array['release_limit', 'first_release', 'provider_reward'] loop
        execute format('alter table %I enable row level security, force row level security', t);
        execute format('create policy tenant_only on %I to clearing_app, clearing_owner '
                       'using (tenant = any ((select bound_tenants())::text[]))', t);
    end loop;
    foreach t in array array['provider_reward', 'first_release'] loop
        execute format('create trigger %I before update or delete on %I for each row execute function refuse_change()',
                       t || '_append_only', t);
        execute format('create trigger %I before truncate on %I for each statement execute function refuse_change()',
                       t || '_never_emptied', t);
    end loop;
end $$;

revoke all on release_limit, first_release, matching_due, provider_reward from public;
revoke all on function check_two_releasers(), keep_matching() from public;
grant select, insert on release_limit, first_release, matching_due, provider_reward to clearing_app;
grant update (paid_on, paid_document, paid_by, paid_at) on matching_due to clearing_app;
grant update on release_limit to clearing_app;
grant select on release_limit, first_release, matching_due, provider_reward to clearing_auditor;
