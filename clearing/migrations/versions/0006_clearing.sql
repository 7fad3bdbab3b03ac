-- Clearing between tenants: how money gets across (agreements), what one owes another (debts), the windows in which debts
-- are netted (cycles), positions, orders, and exposure limits. What two tenants share names the first as `tenant` and is
-- seen by both; what all share has no `tenant`.

-- ------------------------------------------------------------------------------------------------------- agreements

create table agreement (
    tenant              text not null references tenant,
    id                  uuid not null,
    counterparty        text not null check (counterparty <> tenant and counterparty ~ '^([a-z][a-z0-9-]{1,30}|[1-9][0-9]{5})$'),
    form                text not null check (form in ('direct', 'agent', 'home_region')),
    netting             text not null check (netting in ('gross', 'bilateral', 'multilateral')),
    agreement_set       text not null check (agreement_set ~ '^[a-z][a-z0-9-]{1,30}$'),
    effective_on        date not null,
    document            text not null,
    exposure_limit_fen  bigint check (exposure_limit_fen >= 0),
    exposure_approver   text,
    agent_name          text,
    agent_account_sealed bytea,
    agent_account_tail  text,
    agent_bank_name     text,
    agent_cnaps         text,
    state               text not null check (state in ('proposed', 'approved', 'refused')),
    proposed_by         text not null,
    proposed_at         timestamptz not null,
    approved_by         text,
    approved_at         timestamptz,
    accepted_by         text,
    accepted_at         timestamptz,
    refused_by          text,
    refused_at          timestamptz,
    refused_reason      text,
    partner             text generated always as (case when counterparty ~ '^[a-z]' then counterparty end) stored references tenant,
    primary key (tenant, id),
    check (num_nulls(approved_by, approved_at) in (0, 2)),
    check (num_nulls(accepted_by, accepted_at) in (0, 2)),
    check (num_nulls(refused_by, refused_at, refused_reason) in (0, 3)),
    check (num_nulls(exposure_limit_fen, exposure_approver) in (0, 2)),
    check (num_nulls(agent_name, agent_account_sealed, agent_account_tail, agent_bank_name, agent_cnaps)
           = case form when 'agent' then 0 else 5 end),
    check (exposure_limit_fen is null or form = 'home_region'),
    -- only a tenant can pay another's providers; an outside region consents on paper
    check (partner is not null or (form <> 'home_region' and accepted_by is null)),
    -- both sides, and three different people (I19)
    constraint agreement_people check (approved_by <> proposed_by and accepted_by <> proposed_by
                                       and accepted_by <> approved_by),
    constraint agreement_both_sides check (case state
        when 'approved' then approved_at is not null and (partner is null or accepted_at is not null) and refused_at is null
        when 'refused' then refused_at is not null
        else refused_at is null and (approved_at is null or (partner is not null and accepted_at is null)) end),
    constraint agreement_not_backwards check (state <> 'approved' or
        effective_on >= (greatest(approved_at, accepted_at) at time zone 'Asia/Shanghai')::date)
);
comment on column agreement.counterparty is 'another tenant, or the division of an outside region';
comment on column agreement.partner is 'the counterparty where it is a tenant';
-- what is in force is the latest of the pair not after the day, whichever side proposed it
create unique index agreement_in_force
    on agreement (least(tenant, counterparty), greatest(tenant, counterparty), effective_on) where state = 'approved';

create function keep_agreement() returns trigger language plpgsql as $$
declare
    later constant text[] := array['state', 'approved_by', 'approved_at', 'accepted_by', 'accepted_at', 'refused_by', 'refused_at',
                                   'refused_reason', 'partner']; -- a generated column is not worked out yet
begin
    if tg_op = 'DELETE' then
        raise exception 'an agreement is never deleted' using errcode = '42501';
    end if;
    if old.state <> 'proposed' or to_jsonb(new) - later is distinct from to_jsonb(old) - later
       or (old.approved_at is not null and (new.approved_by, new.approved_at) is distinct from (old.approved_by, old.approved_at))
       or (old.accepted_at is not null and (new.accepted_by, new.accepted_at) is distinct from (old.accepted_by, old.accepted_at))
    then
        raise exception 'what was agreed never changes' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger agreement_kept before update or delete on agreement for each row execute function keep_agreement();

-- --------------------------------------------------------------------------------------------- obligations, batches

alter table obligation
    add column kind text check (kind in ('home_region', 'matching', 'incentive', 'reissue')),
    add column funder text references tenant,
    add column origin_id uuid,
    add column due_on date,
    add column provider_division text;
comment on column obligation.kind is 'null: an approved claim of the tenant''s own';
comment on column obligation.funder is 'the tenant whose claim it is, where that is another';
comment on column obligation.origin_id is 'the claim behind it, in the funder''s books';
create index obligation_due on obligation (tenant, due_on) where due_on is not null;

drop trigger obligation_kept on obligation;

-- what was handed over before gets its provider's division as its claim's last revision states it; the owner is bound to
-- no tenant here and sees all rows only while row-level security is not forced upon it
alter table obligation no force row level security;
alter table claim no force row level security;
alter table claim_revision no force row level security;
update obligation o set provider_division = r.submission::json -> 'provider' ->> 'division'
  from claim c join claim_revision r on r.tenant = c.tenant and r.claim_id = c.id and r.revision = c.revision
 where c.tenant = o.tenant and c.id = o.id;
alter table obligation force row level security;
alter table claim force row level security;
alter table claim_revision force row level security;

create trigger obligation_kept before update on obligation for each row
    when (old.batch_id is not null or old.released_at is not null or new.batch_id is null or
          (old.tenant, old.id, old.claim_no, old.platform, old.scheme, old.mode, old.quota_year, old.enterprise_name,
           old.provider_name, old.provider_uscc, old.payee_name, old.account_name, old.account_sealed, old.payee_digest,
           old.bank_name, old.cnaps, old.amount_fen, old.approved_at, old.kind, old.funder, old.origin_id, old.due_on,
           old.provider_division) is distinct from
          (new.tenant, new.id, new.claim_no, new.platform, new.scheme, new.mode, new.quota_year, new.enterprise_name,
           new.provider_name, new.provider_uscc, new.payee_name, new.account_name, new.account_sealed, new.payee_digest,
           new.bank_name, new.cnaps, new.amount_fen, new.approved_at, new.kind, new.funder, new.origin_id, new.due_on,
           new.provider_division))
    execute function keep_obligation();

alter table batch
    add column form text check (form in ('agent', 'home_region')),
    add column counterparty text,
    add column agreement_id uuid,
    add check (num_nulls(form, counterparty, agreement_id) in (0, 3)),
    add check (form is null or mode = 'cross_redemption');
comment on column batch.form is 'null: the tenant pays the payees itself';

-- a kind of batch more, and an end for batches that the payees' home region pays: whatever else the checks say, stays
do $$
declare
    name text;
    said text;
begin
    select conname, pg_get_constraintdef(oid) into strict name, said
      from pg_constraint where conrelid = 'batch'::regclass and contype = 'c' and pg_get_constraintdef(oid) like 'CHECK ((kind = ANY%';
    execute format('alter table batch drop constraint %I', name);
    execute format('alter table batch add constraint %I %s', name,
                   replace(said, '''common_use''::text', '''common_use''::text, ''home_region''::text, ''matching''::text, '
                           '''incentive''::text, ''reissue''::text'));
    select pg_get_constraintdef(oid) into strict said from pg_constraint
     where conrelid = 'batch'::regclass and conname = 'batch_state_follows';
    if position('(item_count = 0)' in said) = 0 then
        raise exception 'the states of a batch are not as expected: %', said;
    end if;
    execute 'alter table batch drop constraint batch_state_follows';
    execute format('alter table batch add constraint batch_state_follows %s',
                   replace(said, '(item_count = 0)', '(item_count = 0) OR (form = ''home_region'' AND released_at IS NOT NULL)'));
end $$;

-- A batch goes by an agreement that is approved, in force at the cut, and its own tenant's.
create function check_batch_agreement() returns trigger language plpgsql security definer as $$
begin
    if not exists (
        select 1 from public.agreement a
         where a.id = new.agreement_id and a.state = 'approved' and a.form = new.form
           and (new.tenant, new.counterparty) in ((a.tenant, a.counterparty), (a.counterparty, a.tenant))
           and a.effective_on <= (new.cut_at at time zone 'Asia/Shanghai')::date) then
        raise exception 'the batch goes by no agreement in force' using errcode = '23503', constraint = 'batch_agreement';
    end if;
    return new;
end $$;
create trigger batch_agreement before insert or update of form, counterparty, agreement_id on batch
    for each row when (new.agreement_id is not null) execute function check_batch_agreement();

-- ----------------------------------------------------------------------------------------------------------- cycles

create table clearing_cycle (
    id            uuid primary key,
    agreement_set text not null,
    currency      text not null check (currency = 'CNY'),
    cycle_no      integer not null check (cycle_no > 0),
    state         text not null check (state in ('open', 'closed', 'confirmed', 'settled')),
    opened_by     text not null,
    opened_at     timestamptz not null,
    closed_by     text,
    closed_at     timestamptz,
    confirmed_at  timestamptz,
    settled_by    text,
    settled_at    timestamptz,
    unique (agreement_set, currency, cycle_no),
    check (num_nulls(closed_by, closed_at) in (0, 2)),
    check (num_nulls(settled_by, settled_at) in (0, 2)),
    constraint clearing_cycle_state_follows check (case state
        when 'open' then closed_at is null and confirmed_at is null and settled_at is null
        when 'closed' then closed_at is not null and confirmed_at is null and settled_at is null
        when 'confirmed' then closed_at is not null and confirmed_at is not null and settled_at is null
        when 'settled' then closed_at is not null and confirmed_at is not null and settled_at is not null end)
);
create unique index clearing_cycle_one_open on clearing_cycle (currency, agreement_set) where state = 'open';
comment on table clearing_cycle is 'a window: debts are posted to the open one of their set; closing opens the next';

create function keep_cycle() returns trigger language plpgsql as $$
declare
    later constant text[] := array['state', 'closed_by', 'closed_at', 'confirmed_at', 'settled_by', 'settled_at'];
begin
    if tg_op = 'DELETE' then
        raise exception 'a cycle is never deleted' using errcode = '42501';
    end if;
    if to_jsonb(new) - later is distinct from to_jsonb(old) - later
       or array_position(array['open', 'closed', 'confirmed', 'settled'], new.state)
          < array_position(array['open', 'closed', 'confirmed', 'settled'], old.state)
       or (old.closed_at is not null and (new.closed_by, new.closed_at) is distinct from (old.closed_by, old.closed_at))
       or (old.confirmed_at is not null and new.confirmed_at is distinct from old.confirmed_at)
       or (old.settled_at is not null and (new.settled_by, new.settled_at) is distinct from (old.settled_by, old.settled_at))
    then
        raise exception 'what a cycle has come through never changes' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger clearing_cycle_kept before update or delete on clearing_cycle for each row execute function keep_cycle();

-- What `tenant` owes `creditor`, because the creditor pays its own provider for the tenant's claim: exactly the transfer
-- in the one's books and its mirror in the other's.
create table clearing_debt (
    tenant               text not null,
    claim_id             uuid not null,
    creditor             text not null references tenant check (creditor <> tenant),
    obligation_id        uuid not null,
    batch_id             uuid not null,
    cycle_id             uuid not null references clearing_cycle,
    scheme               text not null,
    quota_year           integer not null,
    amount_fen           bigint not null check (amount_fen > 0),
    transfer_id          uuid not null,
    creditor_transfer_id uuid not null,
    posted_at            timestamptz not null,
    moved                boolean generated always as (false) stored,
    owed_account         text generated always as ('obligations/' || scheme || '/' || quota_year::text) stored,
    clearing_account     text generated always as ('clearing/' || scheme || '/' || quota_year::text || '/' || creditor) stored,
    mirror_account       text generated always as ('clearing/' || scheme || '/' || quota_year::text || '/' || tenant) stored,
    primary key (tenant, claim_id),
    unique (tenant, transfer_id),
    foreign key (tenant, claim_id) references obligation (tenant, id),
    foreign key (tenant, batch_id) references batch (tenant, id),
    foreign key (tenant, transfer_id, moved, owed_account, clearing_account, amount_fen)
        references ledger_transfer (tenant, id, is_pending, debit, credit, amount_fen),
    constraint clearing_debt_mirrored foreign key (creditor, creditor_transfer_id, moved, mirror_account, owed_account, amount_fen)
        references ledger_transfer (tenant, id, is_pending, debit, credit, amount_fen),
    constraint clearing_debt_handed_on foreign key (creditor, obligation_id) references obligation (tenant, id)
);
create index clearing_debt_cycle on clearing_debt (cycle_id, tenant, creditor, claim_id);
create unique index clearing_debt_mirror_once on clearing_debt (creditor, creditor_transfer_id);

-- Waits for a closing that is under way (`for share` against the closer's lock), then looks.
create function keep_closed_cycle() returns trigger language plpgsql security definer as $$
begin
    perform 1 from public.clearing_cycle c where c.id in (select n.cycle_id from posted n) order by c.id for share;
    if exists (select 1 from public.clearing_cycle c where c.id in (select n.cycle_id from posted n) and c.state <> 'open') then
        raise exception 'the window is closed' using errcode = '23514', constraint = 'clearing_debt_window_open';
    end if;
    return null;
end $$;
create trigger clearing_debt_posted after insert on clearing_debt
    referencing new table as posted for each statement execute function keep_closed_cycle();

-- The gross matrix of a closed window: `tenant` owes `creditor`, by the netting that their agreement chose.
create table clearing_cell (
    tenant     text not null,
    cycle_id   uuid not null references clearing_cycle,
    creditor   text not null references tenant check (creditor <> tenant),
    netting    text not null check (netting in ('gross', 'bilateral', 'multilateral')),
    debts      integer not null check (debts > 0),
    gross_fen  bigint not null check (gross_fen > 0),
    primary key (tenant, cycle_id, creditor, netting)
);

create table clearing_position (
    tenant         text not null references tenant,
    cycle_id       uuid not null references clearing_cycle,
    payable_fen    bigint not null check (payable_fen >= 0),
    receivable_fen bigint not null check (receivable_fen >= 0),
    net_fen        bigint generated always as (receivable_fen - payable_fen) stored,
    confirmed_by   text,
    confirmed_at   timestamptz,
    primary key (tenant, cycle_id),
    check (payable_fen + receivable_fen > 0),
    check (num_nulls(confirmed_by, confirmed_at) in (0, 2))
);

create function keep_position() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or old.confirmed_at is not null
       or (new.tenant, new.cycle_id, new.payable_fen, new.receivable_fen)
          is distinct from (old.tenant, old.cycle_id, old.payable_fen, old.receivable_fen) then
        raise exception 'a position never changes' using errcode = '42501';
    end if;
    if exists (select 1 from public.clearing_cycle c where c.id = new.cycle_id and c.closed_by = new.confirmed_by) then
        raise exception 'who closed the window confirms no position in it'
            using errcode = '23514', constraint = 'clearing_position_four_eyes';
    end if;
    return new;
end $$;
create trigger clearing_position_kept before update or delete on clearing_position
    for each row execute function keep_position();

-- One order to pay between institutions: after all have confirmed, to a counterparty or through the set's settlement
-- agent; or for one batch, in to the agent that pays its providers.
create table clearing_order (
    tenant       text not null,
    id           uuid not null,
    cycle_id     uuid references clearing_cycle,
    batch_id     uuid,
    kind         text not null check (kind in ('payment', 'pay_in', 'pay_out', 'agent_pay_in')),
    counterparty text references tenant check ((counterparty is not null) = (kind = 'payment')),
    amount_fen   bigint not null check (amount_fen > 0),
    jws_sealed   bytea not null,
    created_at   timestamptz not null,
    primary key (tenant, id),
    check ((cycle_id is null) = (kind = 'agent_pay_in') and (batch_id is not null) = (kind = 'agent_pay_in')),
    foreign key (tenant, cycle_id) references clearing_position (tenant, cycle_id),
    foreign key (tenant, batch_id) references batch (tenant, id)
);
create unique index clearing_order_once on clearing_order (cycle_id, tenant, kind, counterparty) nulls not distinct
    where cycle_id is not null;
create unique index clearing_order_batch_once on clearing_order (tenant, batch_id) where batch_id is not null;

-- A batch that would pass the limit of what its tenant may owe; only the agreement's named approver lifts it.
create table exposure_hold (
    tenant       text not null,
    batch_id     uuid not null,
    counterparty text not null,
    owed_fen     bigint not null check (owed_fen >= 0),
    limit_fen    bigint not null check (limit_fen >= 0),
    approver     text not null,
    held_by      text not null,
    held_at      timestamptz not null,
    lifted_by    text,
    lifted_at    timestamptz,
    reason       text,
    primary key (tenant, batch_id),
    foreign key (tenant, batch_id) references batch (tenant, id),
    check (num_nulls(lifted_by, lifted_at, reason) in (0, 3)),
    constraint exposure_hold_named_approver check (lifted_by = approver)
);

create function keep_exposure_hold() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or old.lifted_at is not null
       or to_jsonb(new) - array['lifted_by', 'lifted_at', 'reason'] is distinct from to_jsonb(old) - array['lifted_by', 'lifted_at', 'reason']
    then
        raise exception 'a hold is lifted once and never changes' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger exposure_hold_kept before update or delete on exposure_hold for each row execute function keep_exposure_hold();

-- I13: positions and matrix are the debts of exactly their window, positions add up to zero, and so do the orders.
create function check_cycle(cycle uuid) returns void language plpgsql as $$
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
      from (select tenant, creditor, count(*) as debts, sum(amount_fen) as fen from public.clearing_debt
             where cycle_id = cycle group by tenant, creditor) d
      full join (select tenant, creditor, sum(debts) as debts, sum(gross_fen) as fen from public.clearing_cell
                  where cycle_id = cycle group by tenant, creditor) x
        on x.tenant = d.tenant and x.creditor = d.creditor
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

create function check_cycle_of_row() returns trigger language plpgsql security definer as $$
begin
    perform public.check_cycle(new.cycle_id);
    return null;
end $$;
create function check_cycle_itself() returns trigger language plpgsql security definer as $$
begin
    perform public.check_cycle(new.id);
    return null;
end $$;
create constraint trigger clearing_cycle_sums after insert or update on clearing_cycle
    deferrable initially deferred for each row execute function check_cycle_itself();
create constraint trigger clearing_cell_sums after insert on clearing_cell
    deferrable initially deferred for each row execute function check_cycle_of_row();
create constraint trigger clearing_position_sums after insert or update on clearing_position
    deferrable initially deferred for each row execute function check_cycle_of_row();
create constraint trigger clearing_order_sums after insert on clearing_order
    deferrable initially deferred for each row when (new.cycle_id is not null) execute function check_cycle_of_row();

-- An agent's account holds what was paid in for one batch, and is back at zero once the batch is instructed.
create function check_agent_account() returns trigger language plpgsql security definer as $$
declare
    left_fen bigint;
begin
    select coalesce(sum(a.credits_posted_fen - a.debits_posted_fen), 0) into left_fen from public.ledger_account a
     where a.tenant = new.tenant and a.code like 'agent/%/' || new.batch_no;
    if left_fen <> 0 then
        raise exception 'the agent''s account of % is not back at zero', new.batch_no
            using errcode = '23514', constraint = 'batch_agent_account_zero';
    end if;
    return null;
end $$;
create constraint trigger batch_agent_account after update on batch
    deferrable initially deferred for each row when (new.form = 'agent' and new.instructed_at is not null)
    execute function check_agent_account();

-- ------------------------------------------------------------------------------------------------- who may do what

do $$
declare t text;
begin
    foreach t in array array['clearing_debt', 'clearing_cell', 'clearing_order'] loop
        execute format('create trigger %I before update or delete on %I for each row execute function refuse_change()',
                       t || '_append_only', t);
        execute format('create trigger %I before truncate on %I for each statement execute function refuse_change()',
                       t || '_never_emptied', t);
    end loop;
    foreach t in array array['agreement', 'clearing_debt', 'clearing_cell', 'clearing_position', 'clearing_order', 'exposure_hold'] loop
        execute format('alter table %I enable row level security, force row level security', t);
    end loop;
    foreach t in array array['clearing_position', 'clearing_order', 'exposure_hold'] loop
        execute format('create policy tenant_only on %I to clearing_app using (tenant = any ((select bound_tenants())::text[]))', t);
    end loop;
    -- what two tenants share, both see
    foreach t in array array['agreement.counterparty', 'clearing_debt.creditor', 'clearing_cell.creditor'] loop
        execute format('create policy either_side on %I to clearing_app using (tenant = any ((select bound_tenants())::text[]) '
                       'or %I = any ((select bound_tenants())::text[]))', split_part(t, '.', 1), split_part(t, '.', 2));
    end loop;
    -- the sums of a whole window are checked by the owner's functions, whoever is bound
    foreach t in array array['agreement', 'clearing_debt', 'clearing_cell', 'clearing_position', 'clearing_order', 'exposure_hold'] loop
        execute format('create policy whole_cycle on %I to clearing_owner using (true)', t);
    end loop;
end $$;

revoke all on agreement, clearing_cycle, clearing_debt, clearing_cell, clearing_position, clearing_order, exposure_hold from public;
revoke all on function keep_agreement(), check_batch_agreement(), keep_cycle(), keep_closed_cycle(), keep_position(),
    keep_exposure_hold(), check_cycle(uuid), check_cycle_of_row(), check_cycle_itself(), check_agent_account() from public;
grant select, insert on agreement, clearing_cycle, clearing_debt, clearing_cell, clearing_position, clearing_order, exposure_hold
    to clearing_app;
grant update (state, approved_by, approved_at, accepted_by, accepted_at, refused_by, refused_at, refused_reason)
    on agreement to clearing_app;
grant update (state, closed_by, closed_at, confirmed_at, settled_by, settled_at) on clearing_cycle to clearing_app;
grant update (confirmed_by, confirmed_at) on clearing_position to clearing_app;
grant update (lifted_by, lifted_at, reason) on exposure_hold to clearing_app;
grant select on agreement, clearing_cycle, clearing_debt, clearing_cell, clearing_position, clearing_order, exposure_hold
    to clearing_auditor;
