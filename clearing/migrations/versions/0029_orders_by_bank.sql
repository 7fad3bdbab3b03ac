-- Orders between tenants go through the same banks as payouts: sent once, told of by the same statements. A cycle is settled by
-- their last word; what came back is ordered anew, or cancelled and owed again in the next window.

-- The end-to-end id by which a bank names a payment: the id's 128 bits in base32 without padding.
create function end_to_end_id(id uuid) returns text language sql immutable strict parallel safe as $$
    select string_agg(substr('ABCDEFGHIJKLMNOPQRSTUVWXYZ234567',
               (substring(('x' || replace(id::text, '-', '') || '0')::bit(132) from 5 * n + 1 for 5))::bit(5)::integer + 1, 1), ''
               order by n)
      from generate_series(0, 25) as n
$$;

-- ------------------------------------------------------------------------------------------------ orders and what ends them

alter table clearing_order
    add column replaces uuid,
    add column reference text generated always as (end_to_end_id(id)) stored,
    add constraint clearing_order_amount unique (tenant, id, amount_fen),
    add constraint clearing_order_reference unique (tenant, id, reference),
    add constraint clearing_order_replaces_once unique (tenant, replaces),
    add check (replaces <> id);
comment on column clearing_order.replaces is 'the order that came back, or that a cancelled one made smaller';
drop index clearing_order_once;
create unique index clearing_order_once on clearing_order (cycle_id, tenant, kind, counterparty) nulls not distinct
    where cycle_id is not null and replaces is null;
drop index clearing_order_batch_once;
create unique index clearing_order_batch_once on clearing_order (tenant, batch_id) where batch_id is not null and replaces is null;

-- What of the tenant's netted accounts an order brings back to zero: above zero what it pays, below what it receives.
create table clearing_order_part (
    tenant     text not null,
    order_id   uuid not null,
    scheme     text not null,
    quota_year integer not null,
    fen        bigint not null check (fen <> 0),
    primary key (tenant, order_id, scheme, quota_year),
    foreign key (tenant, order_id) references clearing_order (tenant, id)
);

-- orders that were made before have parts too: gross debts as they are, netted ones with both their sides
insert into clearing_order_part (tenant, order_id, scheme, quota_year, fen)
with debt as (
    select cycle_id, netting, tenant as side, creditor as other, scheme, quota_year, amount_fen as fen from clearing_debt
    union all
    select cycle_id, netting, creditor, tenant, scheme, quota_year, -amount_fen from clearing_debt where netting <> 'gross'),
net as (select cycle_id, side, other, sum(fen) as fen from debt where netting = 'bilateral' group by 1, 2, 3)
select o.tenant, o.id, d.scheme, d.quota_year, sum(d.fen)::bigint
  from clearing_order o
  join debt d on d.cycle_id = o.cycle_id and d.side = o.tenant
   and (case when o.kind = 'payment'
             then d.other = o.counterparty and (d.netting = 'gross' or (d.netting = 'bilateral' and exists (
                  select 1 from net n where n.cycle_id = o.cycle_id and n.side = o.tenant and n.other = o.counterparty
                     and n.fen > 0)))
             else d.netting = 'multilateral' end)
 group by 1, 2, 3, 4 having sum(d.fen) <> 0;

-- The payment file of one order, sealed since it holds account numbers: what goes to the bank, and nothing else does.
create table clearing_order_file (
    tenant     text not null,
    order_id   uuid not null,
    sha256     text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    size_bytes bigint not null check (size_bytes > 0),
    sealed     bytea not null,
    primary key (tenant, order_id),
    unique (tenant, order_id, sha256),
    foreign key (tenant, order_id) references clearing_order (tenant, id)
);

alter table bank_submission alter column batch_id drop not null, add column order_id uuid,
    add constraint bank_submission_of_one check (num_nulls(batch_id, order_id) = 1),
    add constraint bank_submission_order_once unique (tenant, order_id),
    add foreign key (tenant, order_id, file_sha256) references clearing_order_file (tenant, order_id, sha256);
alter table bank_statement alter column batch_id drop not null, add column order_id uuid,
    add constraint bank_statement_at_one check (num_nulls(batch_id, order_id) = 1),
    add foreign key (tenant, order_id) references clearing_order (tenant, id);
comment on column bank_statement.order_id is 'the order between tenants at which it was handed in, where that is no batch';

alter table bank_line add constraint bank_line_told unique (tenant, statement_id, line, reference, outcome);

-- What became of an order: each outcome once, paid or rejected and never both, returned only what was paid.
create table clearing_order_outcome (
    tenant       text not null,
    order_id     uuid not null,
    outcome      text not null check (outcome in ('accepted', 'rejected', 'paid', 'returned')),
    amount_fen   bigint not null,
    reference    text not null,
    statement_id uuid,
    line         integer,
    call_id      uuid,
    of_paid      text generated always as (case when outcome = 'returned' then 'paid' end) stored,
    at           timestamptz not null,
    primary key (tenant, order_id, outcome),
    foreign key (tenant, order_id, amount_fen) references clearing_order (tenant, id, amount_fen),
    foreign key (tenant, order_id, reference) references clearing_order (tenant, id, reference),
    foreign key (tenant, order_id, of_paid) references clearing_order_outcome (tenant, order_id, outcome),
    foreign key (tenant, statement_id) references bank_statement (tenant, id) deferrable initially deferred,
    foreign key (tenant, statement_id, line, reference, outcome)
        references bank_line (tenant, statement_id, line, reference, outcome),
    foreign key (tenant, call_id) references bank_answer (tenant, call_id),
    check (num_nulls(statement_id, call_id) = 1),
    check (line is null or statement_id is not null),
    check (call_id is null or outcome = 'rejected')
);
create unique index clearing_order_outcome_decided on clearing_order_outcome (tenant, order_id)
    where outcome in ('paid', 'rejected');
create index clearing_order_outcome_source on clearing_order_outcome (tenant, statement_id, line);
comment on column clearing_order_outcome.line is 'null where the bank rejected the whole message';

-- What is to become of an order that came back: paid again by a new one, or cancelled; said by one person, decided by another.
create table clearing_remedy (
    tenant      text not null,
    id          uuid not null,
    order_id    uuid not null,
    came_back   text not null check (came_back in ('returned', 'rejected')),
    kind        text not null check (kind in ('replace', 'cancel')),
    reason      text not null,
    proposed_by text not null,
    proposed_at timestamptz not null,
    primary key (tenant, id),
    unique (tenant, id, order_id, kind, proposed_by),
    foreign key (tenant, order_id, came_back) references clearing_order_outcome (tenant, order_id, outcome)
);
create index clearing_remedy_of on clearing_remedy (tenant, order_id);

create table clearing_remedy_decision (
    tenant      text not null,
    remedy_id   uuid not null,
    order_id    uuid not null,
    kind        text not null,
    proposed_by text not null,
    outcome     text not null check (outcome in ('approve', 'refuse')),
    reason      text,
    decided_by  text not null,
    decided_at  timestamptz not null,
    primary key (tenant, remedy_id),
    unique (tenant, remedy_id, outcome),
    foreign key (tenant, remedy_id, order_id, kind, proposed_by)
        references clearing_remedy (tenant, id, order_id, kind, proposed_by),
    constraint clearing_remedy_four_eyes check (decided_by <> proposed_by),
    check (outcome = 'approve' or reason is not null)
);
create unique index clearing_remedy_once on clearing_remedy_decision (tenant, order_id) where outcome = 'approve';

-- An order that is not to be paid any more, and why: itself remedied, or made smaller by the cancelled pay-in of another tenant.
create table clearing_order_end (
    tenant      text not null,
    order_id    uuid not null,
    remedy_tenant text not null,
    remedy_id   uuid not null,
    of_approved text generated always as ('approve') stored,
    ended_at    timestamptz not null,
    primary key (tenant, order_id),
    foreign key (tenant, order_id) references clearing_order (tenant, id),
    constraint clearing_order_end_remedied foreign key (remedy_tenant, remedy_id, of_approved)
        references clearing_remedy_decision (tenant, remedy_id, outcome)
);
alter table clearing_order add foreign key (tenant, replaces) references clearing_order_end (tenant, order_id);

-- What an order that was cancelled would have paid: owed again, in the window that was open when it was cancelled.
create table clearing_carry (
    tenant       text not null references tenant,
    id           uuid not null,
    creditor     text not null references tenant check (creditor <> tenant),
    cycle_id     uuid not null references clearing_cycle,
    netting      text not null check (netting in ('gross', 'bilateral', 'multilateral')),
    scheme       text not null,
    quota_year   integer not null,
    amount_fen   bigint not null check (amount_fen > 0),
    order_tenant text not null,
    order_id     uuid not null,
    posted_at    timestamptz not null,
    primary key (tenant, id),
    unique (order_tenant, order_id, tenant, creditor, scheme, quota_year),
    constraint clearing_carry_of_order foreign key (order_tenant, order_id) references clearing_order_end (tenant, order_id)
);
create index clearing_carry_cycle on clearing_carry (cycle_id, tenant, creditor, id);
create trigger clearing_carry_posted after insert on clearing_carry
    referencing new table as posted for each statement execute function keep_closed_cycle();

-- Everything that is owed in a window: what claims made, and what was carried into it.
create view clearing_due with (security_invoker = true) as
select tenant, claim_id as id, creditor, cycle_id, netting, scheme, quota_year, amount_fen, posted_at from clearing_debt
union all
select tenant, id, creditor, cycle_id, netting, scheme, quota_year, amount_fen, posted_at from clearing_carry;

-- I13, with what was carried: the orders that stand, and what was cancelled of them, are the positions
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
      from (select tenant, creditor, netting, count(*) as debts, sum(amount_fen) as fen from public.clearing_due
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
    if exists (select 1 from public.clearing_order o where o.cycle_id = cycle)
       or exists (select 1 from public.clearing_cycle c where c.id = cycle and c.state in ('confirmed', 'settled')) then
        select string_agg(coalesce(p.tenant, s.tenant), ', ') into wrong
          from (select tenant, sum(fen) as fen
                  from (select o.tenant, case o.kind when 'pay_out' then o.amount_fen else -o.amount_fen end as fen
                          from public.clearing_order o where o.cycle_id = cycle and not exists (
                               select 1 from public.clearing_order_end e where e.tenant = o.tenant and e.order_id = o.id)
                        union all
                        select o.counterparty, o.amount_fen from public.clearing_order o
                         where o.cycle_id = cycle and o.counterparty is not null and not exists (
                               select 1 from public.clearing_order_end e where e.tenant = o.tenant and e.order_id = o.id)
                        union all
                        select s.side, s.fen from public.clearing_carry k
                          join public.clearing_order o on o.tenant = k.order_tenant and o.id = k.order_id
                         cross join lateral (values (k.tenant, -k.amount_fen), (k.creditor, k.amount_fen)) s (side, fen)
                         where o.cycle_id = cycle) l group by tenant) s
          full join (select * from public.clearing_position where cycle_id = cycle) p on p.tenant = s.tenant
         where coalesce(s.fen, 0) <> coalesce(p.net_fen, 0);
        if wrong is not null then
            raise exception 'the orders are not those of the positions: %', wrong
                using errcode = '23514', constraint = 'clearing_cycle_orders';
        end if;
        select string_agg(o.id::text, ', ') into wrong
          from public.clearing_order o
          left join (select tenant, order_id, sum(fen) as fen from public.clearing_order_part group by 1, 2) p
            on p.tenant = o.tenant and p.order_id = o.id
         where o.cycle_id = cycle
           and coalesce(p.fen, 0) <> case o.kind when 'pay_out' then -o.amount_fen else o.amount_fen end;
        if wrong is not null then
            raise exception 'the parts are not those of the orders: %', wrong
                using errcode = '23514', constraint = 'clearing_order_parts';
        end if;
    end if;
    if exists (select 1 from public.clearing_cycle c join public.clearing_position p on p.cycle_id = c.id
                where c.id = cycle and c.state in ('confirmed', 'settled') and p.confirmed_at is null) then
        raise exception 'a position is not confirmed' using errcode = '23514', constraint = 'clearing_cycle_confirmed';
    end if;
end $$;

create function check_cycle_of_order() returns trigger language plpgsql security definer as $$
begin
    perform public.check_cycle(o.cycle_id) from public.clearing_order o
      where o.tenant = new.tenant and o.id = new.order_id and o.cycle_id is not null;
    return null;
end $$;
create constraint trigger clearing_order_part_sums after insert on clearing_order_part
    deferrable initially deferred for each row execute function check_cycle_of_order();
create constraint trigger clearing_order_end_sums after insert on clearing_order_end
    deferrable initially deferred for each row execute function check_cycle_of_order();
create function check_cycle_of_carry() returns trigger language plpgsql security definer as $$
begin
    perform public.check_cycle(new.cycle_id);
    perform public.check_cycle(o.cycle_id) from public.clearing_order o
      where o.tenant = new.order_tenant and o.id = new.order_id;
    return null;
end $$;
create constraint trigger clearing_carry_sums after insert on clearing_carry
    deferrable initially deferred for each row execute function check_cycle_of_carry();

-- Once a bank has been called or has spoken about a cycle's orders, every one that stands has to be paid, and still be.
create function check_settled_cycle() returns trigger language plpgsql security definer as $$
begin
    if exists (select 1 from public.clearing_order o where o.cycle_id = new.id and (
               exists (select 1 from public.bank_submission s where s.tenant = o.tenant and s.order_id = o.id)
               or exists (select 1 from public.clearing_order_outcome x where x.tenant = o.tenant and x.order_id = o.id)))
       and exists (select 1 from public.clearing_order o where o.cycle_id = new.id
               and not exists (select 1 from public.clearing_order_end e where e.tenant = o.tenant and e.order_id = o.id)
               and not (exists (select 1 from public.clearing_order_outcome x where x.tenant = o.tenant and x.order_id = o.id
                                   and x.outcome = 'paid')
                        and not exists (select 1 from public.clearing_order_outcome x where x.tenant = o.tenant
                                   and x.order_id = o.id and x.outcome = 'returned'))) then
        raise exception 'the bank has not told that each order is paid'
            using errcode = '23514', constraint = 'clearing_cycle_by_bank';
    end if;
    return new;
end $$;
create trigger clearing_cycle_by_bank before update on clearing_cycle
    for each row when (old.state = 'confirmed' and new.state = 'settled') execute function check_settled_cycle();

-- How many pay-ins of a cycle stand and are not paid, whoever asks: the settlement agent pays out nothing before.
create function not_paid_in(cycle uuid) returns bigint language sql stable security definer as $$
    select count(*) from public.clearing_order o where o.cycle_id = cycle and o.kind = 'pay_in'
       and not exists (select 1 from public.clearing_order_end e where e.tenant = o.tenant and e.order_id = o.id)
       and not (exists (select 1 from public.clearing_order_outcome x where x.tenant = o.tenant and x.order_id = o.id
                           and x.outcome = 'paid')
                and not exists (select 1 from public.clearing_order_outcome x where x.tenant = o.tenant
                           and x.order_id = o.id and x.outcome = 'returned'))
$$;

create function check_order_sent() returns trigger language plpgsql security definer as $$
declare
    sent public.clearing_order;
begin
    select * into sent from public.clearing_order o where o.tenant = new.tenant and o.id = new.order_id for no key update;
    if exists (select 1 from public.clearing_order_end e where e.tenant = sent.tenant and e.order_id = sent.id) then
        raise exception 'the order has ended' using errcode = '23514', constraint = 'bank_submission_order_stands';
    end if;
    if sent.kind = 'pay_out' and public.not_paid_in(sent.cycle_id) > 0 then
        raise exception 'not everything is paid in' using errcode = '23514', constraint = 'bank_submission_paid_in_first';
    end if;
    return new;
end $$;
create trigger bank_submission_of_order before insert on bank_submission
    for each row when (new.order_id is not null) execute function check_order_sent();

-- ------------------------------------------------------------------------------------------------- who may do what

do $$
declare t text;
begin
    foreach t in array array['clearing_order_part', 'clearing_order_file', 'clearing_order_outcome', 'clearing_remedy',
                             'clearing_remedy_decision', 'clearing_order_end', 'clearing_carry'] loop
        execute format('create trigger %I before update or delete on %I for each row execute function refuse_change()',
                       t || '_append_only', t);
        execute format('create trigger %I before truncate on %I for each statement execute function refuse_change()',
                       t || '_never_emptied', t);
        execute format('alter table %I enable row level security, force row level security', t);
        -- the sums of a whole window are checked by the owner's functions, whoever is bound
        execute format('create policy whole_cycle on %I to clearing_owner using (true)', t);
        execute format('revoke all on %I from public', t);
        execute format('grant select, insert on %I to clearing_app', t);
        execute format('grant select on %I to clearing_auditor', t);
    end loop;
    foreach t in array array['clearing_order_part', 'clearing_order_file', 'clearing_order_outcome', 'clearing_remedy',
                             'clearing_remedy_decision', 'clearing_order_end'] loop
        execute format('create policy tenant_only on %I to clearing_app using (tenant = any ((select bound_tenants())::text[]))', t);
    end loop;
end $$;
create policy either_side on clearing_carry to clearing_app using (tenant = any ((select bound_tenants())::text[])
    or creditor = any ((select bound_tenants())::text[]));
-- the checks of whole windows look at what was sent of them, too
create policy whole_cycle on bank_submission to clearing_owner using (true);
revoke all on clearing_due from public;
grant select on clearing_due to clearing_app, clearing_auditor;
revoke all on function end_to_end_id(uuid), not_paid_in(uuid), check_cycle_of_order(), check_cycle_of_carry(), check_settled_cycle(),
    check_order_sent() from public;
grant execute on function end_to_end_id(uuid) to clearing_app, clearing_owner, clearing_auditor;
grant execute on function not_paid_in(uuid) to clearing_app;
