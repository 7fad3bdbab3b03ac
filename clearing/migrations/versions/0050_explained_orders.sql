-- What a bank moved otherwise than it was ordered between tenants, and two people explain; and what the receiver's bank tells.

-- ------------------------------------------------------------------------------------------------------- explanations

alter table suspense_resolution
    add column order_tenant text,
    add column order_id uuid,
    add column charge_fen bigint not null default 0 check (charge_fen >= 0),
    add constraint suspense_resolution_order foreign key (order_tenant, order_id) references clearing_order (tenant, id),
    add constraint suspense_resolution_outcome unique (tenant, id, outcome),
    add check (num_nulls(order_tenant, order_id) in (0, 2)),
    add check (charge_fen = 0 or (kind = 'assign' and order_id is not null));
comment on column suspense_resolution.order_id is 'an order between tenants: the tenant''s own, or one that pays it';
comment on column suspense_resolution.charge_fen is 'what banks took for themselves: more than was ordered left, or less arrived';
do $$
declare name text;
begin
    for name in select conname from pg_constraint where conrelid = 'suspense_resolution'::regclass and contype = 'c'
                   and (pg_get_constraintdef(oid) like '%''unrelated''%' or pg_get_constraintdef(oid) like '%''returned''%'
                        or pg_get_constraintdef(oid) like '%num_nulls(instruction_id, outcome)%') loop
        execute format('alter table suspense_resolution drop constraint %I', name);
    end loop;
end $$;
alter table suspense_resolution
    add constraint suspense_resolution_kind check (kind in ('assign', 'carry', 'reversed', 'unrelated')),
    add constraint suspense_resolution_makes check (outcome in ('paid', 'returned', 'received')),
    add constraint suspense_resolution_of check (case kind
        when 'assign' then outcome is not null and num_nulls(instruction_id, order_id) = 1
                           and (outcome <> 'received' or order_tenant <> tenant)
        when 'carry' then outcome = 'paid' and instruction_id is null and order_tenant = tenant
        else outcome is null and instruction_id is null and order_id is null end);

create or replace function check_suspense_decision() returns trigger language plpgsql security definer as $$
declare
    said   public.suspense_resolution;
    debits bigint;
    credits bigint;
begin
    select * into said from public.suspense_resolution r where r.tenant = new.tenant and r.id = new.resolution_id;
    perform 1 from public.bank_line l join public.suspense_part p
       on p.tenant = l.tenant and p.statement_id = l.statement_id and p.line = l.line
     where p.tenant = new.tenant and p.resolution_id = new.resolution_id order by l.statement_id, l.line for no key update of l;
    if exists (
        select 1 from public.suspense_part p
          join public.bank_line l on l.tenant = p.tenant and l.statement_id = p.statement_id and l.line = p.line
         where p.tenant = new.tenant and p.resolution_id = new.resolution_id and l.amount_fen < p.amount_fen + (
               select coalesce(sum(q.amount_fen), 0) from public.suspense_part q
                 join public.suspense_decision d on d.tenant = q.tenant and d.resolution_id = q.resolution_id
                where q.tenant = p.tenant and q.statement_id = p.statement_id and q.line = p.line and d.outcome = 'approve')) then
        raise exception 'more is explained than moved' using errcode = '23514', constraint = 'suspense_within_line';
    end if;
    select coalesce(sum(p.amount_fen) filter (where p.kind = 'debit'), 0),
           coalesce(sum(p.amount_fen) filter (where p.kind = 'credit'), 0) into debits, credits
      from public.suspense_part p where p.tenant = new.tenant and p.resolution_id = new.resolution_id;
    -- charges come on top of what leaves an account, and are missing in what comes into it
    if (debits, credits) is distinct from (case
            when said.kind in ('assign', 'carry') and said.outcome = 'paid' and debits > 0 then (said.amount_fen + said.charge_fen, 0::bigint)
            when said.kind = 'assign' and (said.outcome <> 'paid' or said.order_id is not null)
                then (0::bigint, said.amount_fen - said.charge_fen)
            when said.kind = 'reversed' then (said.amount_fen, said.amount_fen)
            when said.kind = 'unrelated' then (debits, said.amount_fen - debits) end) then
        raise exception 'the parts are not what they explain' using errcode = '23514', constraint = 'suspense_adds_up';
    end if;
    if said.kind = 'assign' and said.order_id is not null and not exists (
        select 1 from public.clearing_order o where o.tenant = said.order_tenant and o.id = said.order_id
           and o.amount_fen = said.amount_fen and (o.tenant = said.tenant) = (said.outcome <> 'received')
           and (o.tenant = said.tenant or o.counterparty = said.tenant)) then
        raise exception 'what is assigned is an order''s whole amount' using errcode = '23514', constraint = 'suspense_whole_order';
    end if;
    return new;
end $$;

-- ---------------------------------------------------------------------------------- what they make of an order

alter table clearing_order_outcome add column resolution_id uuid,
    add column of_approved text generated always as (case when resolution_id is not null then 'approve' end) stored;
do $$
declare name text;
begin
    select conname into strict name from pg_constraint
     where conrelid = 'clearing_order_outcome'::regclass and contype = 'c' and pg_get_constraintdef(oid) like '%num_nulls%';
    execute format('alter table clearing_order_outcome drop constraint %I', name);
end $$;
alter table clearing_order_outcome
    add constraint clearing_order_outcome_source_one check (num_nulls(statement_id, call_id, resolution_id) = 2),
    add constraint clearing_order_outcome_resolution foreign key (tenant, resolution_id, outcome)
        references suspense_resolution (tenant, id, outcome),
    add constraint clearing_order_outcome_approved foreign key (tenant, resolution_id, of_approved)
        references suspense_decision (tenant, resolution_id, outcome);
comment on column clearing_order_outcome.resolution_id is 'where two people found it in suspense';

-- It is the order that was explained, or the one that says what was really paid of it.
create function check_explained_order() returns trigger language plpgsql security definer as $$
begin
    if not exists (select 1 from public.suspense_resolution r join public.clearing_order o on o.tenant = new.tenant and o.id = new.order_id
                    where r.tenant = new.tenant and r.id = new.resolution_id and r.order_tenant = new.tenant
                      and r.amount_fen = o.amount_fen
                      and r.order_id = case r.kind when 'carry' then o.replaces else o.id end) then
        raise exception 'the explanation is of another order' using errcode = '23514', constraint = 'clearing_order_outcome_explained';
    end if;
    return new;
end $$;
create trigger clearing_order_outcome_explained before insert on clearing_order_outcome
    for each row when (new.resolution_id is not null) execute function check_explained_order();

-- An order that was paid otherwise ends, too: what was paid is a new one, and the rest is carried.
alter table clearing_order_end alter column remedy_tenant drop not null, alter column remedy_id drop not null,
    add column resolution_tenant text, add column resolution_id uuid,
    add constraint clearing_order_end_by_one check (
        num_nulls(remedy_tenant, remedy_id) in (0, 2) and num_nulls(resolution_tenant, resolution_id) in (0, 2)
        and num_nulls(remedy_id, resolution_id) = 1),
    add constraint clearing_order_end_explained foreign key (resolution_tenant, resolution_id, of_approved)
        references suspense_decision (tenant, resolution_id, outcome);

-- ------------------------------------------------------------------------------------------- what arrived

-- The receiver's own bank, or two of its people, tell that a payment between tenants has arrived.
create table clearing_order_receipt (
    tenant        text not null references tenant,
    order_tenant  text not null check (order_tenant <> tenant),
    order_id      uuid not null,
    reference     text not null,
    amount_fen    bigint not null,
    outcome       text generated always as ('received') stored,
    of_approved   text generated always as (case when resolution_id is not null then 'approve' end) stored,
    statement_id  uuid,
    line          integer,
    resolution_id uuid,
    received_at   timestamptz not null,
    primary key (tenant, order_id),
    constraint clearing_order_receipt_amount foreign key (order_tenant, order_id, amount_fen) references clearing_order (tenant, id, amount_fen),
    constraint clearing_order_receipt_named foreign key (order_tenant, order_id, reference) references clearing_order (tenant, id, reference),
    foreign key (tenant, statement_id) references bank_statement (tenant, id) deferrable initially deferred,
    foreign key (tenant, statement_id, line, reference, outcome)
        references bank_line (tenant, statement_id, line, reference, outcome),
    foreign key (tenant, resolution_id, outcome) references suspense_resolution (tenant, id, outcome),
    foreign key (tenant, resolution_id, of_approved) references suspense_decision (tenant, resolution_id, outcome),
    check (num_nulls(statement_id, resolution_id) = 1 and (line is null) = (statement_id is null))
);
create index clearing_order_receipt_of on clearing_order_receipt (order_tenant, order_id);

create function check_receipt() returns trigger language plpgsql security definer as $$
begin
    if not exists (select 1 from public.clearing_order o where o.tenant = new.order_tenant and o.id = new.order_id
                      and o.counterparty = new.tenant)
       or (new.resolution_id is not null and not exists (
           select 1 from public.suspense_resolution r where r.tenant = new.tenant and r.id = new.resolution_id
              and (r.order_tenant, r.order_id) = (new.order_tenant, new.order_id))) then
        raise exception 'this order does not pay the tenant' using errcode = '23514', constraint = 'clearing_order_receipt_own';
    end if;
    return new;
end $$;
create trigger clearing_order_receipt_own before insert on clearing_order_receipt
    for each row execute function check_receipt();

do $$
declare name text;
begin
    select conname into strict name from pg_constraint where conrelid = 'bank_line'::regclass and contype = 'c'
       and pg_get_constraintdef(oid) like '%''accepted''%';
    execute format('alter table bank_line drop constraint %I', name);
end $$;
alter table bank_line add constraint bank_line_outcome_check
    check (outcome in ('accepted', 'rejected', 'paid', 'returned', 'received'));

-- Orders that pay one of the bound tenants, whoever's they are: who asks is then bound to both sides.
create function orders_paid_to(of_tenant text, ids uuid[]) returns table (order_tenant text, order_id uuid)
language sql stable security definer as $$
    select o.tenant, o.id from public.clearing_order o
     where o.id = any(ids) and o.counterparty = of_tenant and of_tenant = any(public.bound_tenants())
$$;

-- The order that a line of a tenant's statement names: its own, or one that pays it.
create function order_named(of_tenant text, named text) returns table (order_tenant text, order_id uuid)
language sql stable security definer as $$
    select o.tenant, o.id from public.clearing_order o
     where o.reference = named and of_tenant in (o.tenant, o.counterparty) and of_tenant = any(public.bound_tenants())
$$;
create index clearing_order_named on clearing_order (reference);

-- Whether money left that names the order, or one that it replaces, and nobody has said what it was: nothing is sent before.
create function order_unexplained(of_tenant text, of_order uuid) returns boolean language sql stable as $$
    with recursive chain as (
        select o.tenant, o.reference, o.replaces from public.clearing_order o where o.tenant = of_tenant and o.id = of_order
        union all
        select o.tenant, o.reference, o.replaces from chain c join public.clearing_order o on o.tenant = c.tenant and o.id = c.replaces)
    select exists (
        select 1 from chain c join public.bank_line l on l.tenant = c.tenant and l.reference = c.reference
         where l.to_suspense and l.kind = 'debit' and l.amount_fen > coalesce((
               select sum(p.amount_fen) from public.suspense_part p
                 join public.suspense_decision d on d.tenant = p.tenant and d.resolution_id = p.resolution_id
                where p.tenant = l.tenant and p.statement_id = l.statement_id and p.line = l.line and d.outcome = 'approve'), 0))
$$;
create index bank_line_unexplained on bank_line (tenant, reference) where to_suspense;

create or replace function check_order_sent() returns trigger language plpgsql security definer as $$
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
    if public.order_unexplained(sent.tenant, sent.id) then
        raise exception 'money left for it, and nobody has said why' using errcode = '23514',
            constraint = 'bank_submission_explained_first';
    end if;
    return new;
end $$;

create trigger clearing_order_receipt_append_only before update or delete on clearing_order_receipt
    for each row execute function refuse_change();
create trigger clearing_order_receipt_never_emptied before truncate on clearing_order_receipt
    for each statement execute function refuse_change();
alter table clearing_order_receipt enable row level security, force row level security;
create policy either_side on clearing_order_receipt to clearing_app using (tenant = any ((select bound_tenants())::text[])
    or order_tenant = any ((select bound_tenants())::text[]));
create policy whole_cycle on clearing_order_receipt to clearing_owner using (true);
revoke all on clearing_order_receipt from public;
grant select, insert on clearing_order_receipt to clearing_app;
grant select on clearing_order_receipt to clearing_auditor;
revoke all on function check_explained_order(), check_receipt(), orders_paid_to(text, uuid[]), order_named(text, text), order_unexplained(text, uuid) from public;
grant execute on function orders_paid_to(text, uuid[]), order_named(text, text) to clearing_app;
grant execute on function order_unexplained(text, uuid) to clearing_app, clearing_owner;
