-- A batch is settled once the bank has told of each instruction, and closed with a signed statement of what became of it.
-- What lies in suspense is explained by one person and booked by another.

-- ---------------------------------------------------------------------------------------------- settled, then closed

alter table batch add column settled_at timestamptz;
alter table batch drop constraint batch_state_check;
alter table batch add constraint batch_state_check check (state in (
    'cut', 'in_publicity', 'sealed', 'released', 'instructed', 'settled', 'closed', 'cancelled'));
alter table batch drop constraint batch_state_follows;
alter table batch add constraint batch_state_follows check (case state
    when 'cut' then published_on is null
    when 'in_publicity' then published_on is not null and sealed_at is null
    when 'sealed' then sealed_at is not null and released_at is null
    when 'released' then released_at is not null and instructed_at is null
    when 'instructed' then instructed_at is not null and settled_at is null
    when 'settled' then instructed_at is not null and settled_at is not null
    when 'cancelled' then sealed_at is null
    when 'closed' then item_count = 0 or (form = 'home_region' and released_at is not null) or settled_at is not null end);
alter table batch add constraint batch_settled_once_instructed check (settled_at is null or instructed_at is not null);

-- a sealed batch may still be settled: whatever else may be filled in, stays
do $$
declare said text := pg_get_functiondef('keep_sealed_batch()'::regprocedure);
begin
    if position('array[''state'', ' in said) = 0 then
        raise exception 'the function is not as expected: %', said;
    end if;
    execute replace(said, 'array[''state'', ', 'array[''settled_at'', ''state'', ');
end $$;

create function check_settled_batch() returns trigger language plpgsql security definer as $$
begin
    if old.settled_at is not null and new.settled_at is distinct from old.settled_at then
        raise exception 'a settled batch stays settled' using errcode = '42501';
    end if;
    if old.settled_at is null and new.settled_at is not null and exists (
        select 1 from public.instruction i where i.tenant = new.tenant and i.batch_id = new.id and not exists (
               select 1 from public.instruction_outcome o where o.tenant = i.tenant and o.instruction_id = i.id
                  and o.outcome in ('paid', 'rejected'))) then
        raise exception 'the bank has not told of each instruction' using errcode = '23514', constraint = 'batch_settled';
    end if;
    return new;
end $$;
create trigger batch_settled before update on batch
    for each row when (old.settled_at is distinct from new.settled_at) execute function check_settled_batch();

-- The statement of a batch (结算单): what its instructions came to, signed; the next ones where something comes back later.
create table batch_settlement (
    tenant          text not null,
    batch_id        uuid not null,
    number          integer not null check (number > 0),
    item_count      integer not null,
    total_fen       bigint not null,
    paid_count      integer not null check (paid_count >= 0),
    paid_fen        bigint not null check (paid_fen >= 0),
    returned_count  integer not null check (returned_count >= 0),
    returned_fen    bigint not null check (returned_fen >= 0),
    rejected_count  integer not null check (rejected_count >= 0),
    rejected_fen    bigint not null check (rejected_fen >= 0),
    reissued_count  integer not null check (reissued_count >= 0),
    reissued_fen    bigint not null check (reissued_fen >= 0),
    lines_sha256    text not null check (lines_sha256 ~ '^[0-9a-f]{64}$'),
    previous_sha256 text not null check (previous_sha256 ~ '^[0-9a-f]{64}$'),
    jws             text not null,
    sha256          text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    reason          text,
    made_by         text not null,
    made_at         timestamptz not null,
    primary key (tenant, batch_id, number),
    foreign key (tenant, batch_id) references batch (tenant, id),
    constraint batch_settlement_adds_up check (paid_fen + returned_fen + rejected_fen = total_fen),
    -- what came back is issued again, or somebody says why not
    constraint batch_settlement_reissued check (
        reissued_fen <= returned_fen + rejected_fen
        and (reason is not null or (reissued_count, reissued_fen)
                                   = (returned_count + rejected_count, returned_fen + rejected_fen)))
);
comment on column batch_settlement.returned_count is 'instructions; reissued_* are those of them that are owed again';

create function check_batch_settlement() returns trigger language plpgsql security definer as $$
begin
    if not exists (select 1 from public.batch b where b.tenant = new.tenant and b.id = new.batch_id
                      and b.settled_at <= new.made_at and (b.item_count, b.total_fen) = (new.item_count, new.total_fen)) then
        raise exception 'the statement is not of a settled batch' using errcode = '23514',
            constraint = 'batch_settlement_of_settled';
    end if;
    if not exists (
        select 1 from (
            select count(*) filter (where s.is_paid and not s.is_back) as paid,
                   coalesce(sum(s.fen) filter (where s.is_paid and not s.is_back), 0) as paid_fen,
                   count(*) filter (where s.is_back) as back, coalesce(sum(s.fen) filter (where s.is_back), 0) as back_fen,
                   count(*) filter (where s.is_rejected) as rejected,
                   coalesce(sum(s.fen) filter (where s.is_rejected), 0) as rejected_fen
              from (select i.id, i.amount_fen as fen, bool_or(o.outcome = 'paid') as is_paid,
                           bool_or(o.outcome = 'returned') as is_back, bool_or(o.outcome = 'rejected') as is_rejected
                      from public.instruction i
                      left join public.instruction_outcome o on o.tenant = i.tenant and o.instruction_id = i.id
                     where i.tenant = new.tenant and i.batch_id = new.batch_id group by i.id, i.amount_fen) s) f
         where (f.paid, f.paid_fen, f.back, f.back_fen, f.rejected, f.rejected_fen)
             = (new.paid_count, new.paid_fen, new.returned_count, new.returned_fen, new.rejected_count, new.rejected_fen)) then
        raise exception 'the statement is not what the bank told' using errcode = '23514',
            constraint = 'batch_settlement_as_told';
    end if;
    return new;
end $$;
create trigger batch_settlement_true before insert on batch_settlement
    for each row execute function check_batch_settlement();

create function check_closed_batch() returns trigger language plpgsql security definer as $$
begin
    if not exists (select 1 from public.batch_settlement s where s.tenant = new.tenant and s.batch_id = new.id) then
        raise exception 'a batch is closed with its statement' using errcode = '23514', constraint = 'batch_closed_with_statement';
    end if;
    return null;
end $$;
create constraint trigger batch_closed_with_statement after update on batch
    deferrable initially deferred for each row when (old.state <> 'closed' and new.state = 'closed' and new.settled_at is not null)
    execute function check_closed_batch();

-- ------------------------------------------------------------------------------------------------- out of suspense

alter table bank_line add constraint bank_line_movement_kind unique (tenant, statement_id, line, kind, to_suspense);
create index bank_line_surplus on bank_line (tenant, instruction_id) where to_suspense;
create index bank_line_in_suspense on bank_line (tenant, statement_id, line) where to_suspense;

-- An explanation of movements that wait in suspense: they paid (or gave back) an instruction, they undo each other, or
-- they have nothing to do with what was ordered.
create table suspense_resolution (
    tenant         text not null references tenant,
    id             uuid not null,
    kind           text not null check (kind in ('assign', 'reversed', 'unrelated')),
    instruction_id uuid,
    outcome        text check (outcome in ('paid', 'returned')),
    amount_fen     bigint not null check (amount_fen > 0),
    reason         text not null,
    proposed_by    text not null,
    proposed_at    timestamptz not null,
    primary key (tenant, id),
    unique (tenant, id, proposed_by),
    unique (tenant, id, instruction_id, outcome),
    foreign key (tenant, instruction_id, amount_fen) references instruction (tenant, id, amount_fen),
    check (num_nulls(instruction_id, outcome) = case kind when 'assign' then 0 else 2 end)
);
comment on column suspense_resolution.amount_fen is 'the instruction''s amount; of what undoes itself one side; else all of it';
create index suspense_resolution_of on suspense_resolution (tenant, instruction_id) where instruction_id is not null;

create table suspense_part (
    tenant        text not null,
    resolution_id uuid not null,
    part          integer not null check (part > 0),
    statement_id  uuid not null,
    line          integer not null,
    kind          text not null check (kind in ('debit', 'credit')),
    of_suspense   boolean generated always as (true) stored,
    amount_fen    bigint not null check (amount_fen > 0),
    primary key (tenant, resolution_id, part),
    unique (tenant, resolution_id, statement_id, line),
    foreign key (tenant, resolution_id) references suspense_resolution (tenant, id),
    foreign key (tenant, statement_id, line, kind, of_suspense)
        references bank_line (tenant, statement_id, line, kind, to_suspense)
);
create index suspense_part_of on suspense_part (tenant, statement_id, line);

create table suspense_decision (
    tenant        text not null,
    resolution_id uuid not null,
    proposed_by   text not null,
    outcome       text not null check (outcome in ('approve', 'refuse')),
    reason        text,
    decided_by    text not null,
    decided_at    timestamptz not null,
    primary key (tenant, resolution_id),
    unique (tenant, resolution_id, outcome),
    foreign key (tenant, resolution_id, proposed_by) references suspense_resolution (tenant, id, proposed_by),
    constraint suspense_four_eyes check (decided_by <> proposed_by),
    check (outcome = 'approve' or reason is not null)
);

-- No line explains more than moved on it, and what is assigned is an instruction's whole amount.
create function check_suspense_decision() returns trigger language plpgsql security definer as $$
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
    if (debits, credits) is distinct from (case said.kind
            when 'assign' then case said.outcome when 'paid' then (said.amount_fen, 0::bigint) else (0::bigint, said.amount_fen) end
            when 'reversed' then (said.amount_fen, said.amount_fen)
            else (debits, said.amount_fen - debits) end) then
        raise exception 'the parts are not what they explain' using errcode = '23514', constraint = 'suspense_adds_up';
    end if;
    return new;
end $$;
create trigger suspense_decision_true before insert on suspense_decision
    for each row when (new.outcome = 'approve') execute function check_suspense_decision();

-- ------------------------------------------------------------------------------------- outcomes that a person found

alter table instruction_outcome add column resolution_id uuid,
    add column of_approved text generated always as (case when resolution_id is not null then 'approve' end) stored;
do $$
declare name text;
begin
    select conname into strict name from pg_constraint
     where conrelid = 'instruction_outcome'::regclass and contype = 'c' and pg_get_constraintdef(oid) like '%num_nulls%';
    execute format('alter table instruction_outcome drop constraint %I', name);
end $$;
alter table instruction_outcome
    add constraint instruction_outcome_source_one check (num_nulls(statement_id, call_id, resolution_id) = 2),
    add constraint instruction_outcome_resolution foreign key (tenant, resolution_id, instruction_id, outcome)
        references suspense_resolution (tenant, id, instruction_id, outcome),
    add constraint instruction_outcome_approved foreign key (tenant, resolution_id, of_approved)
        references suspense_decision (tenant, resolution_id, outcome);
comment on column instruction_outcome.resolution_id is 'where two people found it in suspense';

-- What comes after a statement of its batch is later than the statement, which so stays true of its instant.
create function keep_stated_outcomes() returns trigger language plpgsql security definer as $$
begin
    if exists (select 1 from came n join public.instruction i on i.tenant = n.tenant and i.id = n.instruction_id
                 join public.batch_settlement s on s.tenant = i.tenant and s.batch_id = i.batch_id
                where n.at <= s.made_at) then
        raise exception 'the batch''s statement was made later' using errcode = '23514',
            constraint = 'instruction_outcome_after_statement';
    end if;
    return null;
end $$;
create trigger instruction_outcome_stated after insert on instruction_outcome
    referencing new table as came for each statement execute function keep_stated_outcomes();

-- ------------------------------------------------------------------------------------------ what a payment has become

create or replace function payout_state(wanted_tenant text, wanted_id uuid) returns text language sql stable as $$
    select case b.state
               when 'cut' then 'batched' when 'in_publicity' then 'in_publicity'
               when 'sealed' then 'payable' when 'released' then 'payable'
               else case when b.instructed_at is null then case b.state when 'closed' then 'paid' end
                         when s.back then coalesce(public.payout_state(o.tenant, r.obligation_id), 'returned')
                         when s.paid then 'paid' else 'instructed' end end
      from public.obligation o
      join public.batch b on b.tenant = o.tenant and b.id = o.batch_id
      left join public.reissue r on r.tenant = o.tenant and r.of_obligation = o.id
      left join lateral (
           select bool_or(x.outcome in ('returned', 'rejected')) as back, bool_or(x.outcome = 'paid') as paid
             from public.instruction_claim i join public.instruction_outcome x
               on x.tenant = i.tenant and x.instruction_id = i.instruction_id
            where i.tenant = o.tenant and i.claim_id = o.id) s on b.instructed_at is not null
     where o.tenant = wanted_tenant and o.id = wanted_id and o.released_at is null
$$;

-- ------------------------------------------------------------------------------------------------- who may do what

do $$
declare t text;
begin
    foreach t in array array['batch_settlement', 'suspense_resolution', 'suspense_part', 'suspense_decision'] loop
        execute format('create trigger %I before update or delete on %I for each row execute function refuse_change()',
                       t || '_append_only', t);
        execute format('create trigger %I before truncate on %I for each statement execute function refuse_change()',
                       t || '_never_emptied', t);
        execute format('alter table %I enable row level security, force row level security', t);
        execute format('create policy tenant_only on %I to clearing_app, clearing_owner using (tenant = any ((select bound_tenants())::text[]))', t);
        execute format('revoke all on %I from public', t);
        execute format('grant select, insert on %I to clearing_app', t);
        execute format('grant select on %I to clearing_auditor', t);
    end loop;
end $$;
revoke all on function check_settled_batch(), check_batch_settlement(), check_closed_batch(), check_suspense_decision(),
    keep_stated_outcomes() from public;
