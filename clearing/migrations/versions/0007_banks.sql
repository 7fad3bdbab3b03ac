-- What passes between the service and the banks. Nothing here ever changes: a state is what the rows add up to.

-- --------------------------------------------------------------------------------------------------------- sending

-- A batch's payment file on its way to the bank: one for ever, and exactly the file that is kept.
alter table batch_file add constraint batch_file_content unique (tenant, batch_id, name, sha256);

create table bank_submission (
    tenant      text not null,
    id          uuid not null,
    batch_id    uuid not null,
    message_id  text not null,
    method      text not null check (method in ('folder', 'http')),
    file_name   text not null,
    file_sha256 text not null,
    ordered_by  text not null,
    ordered_at  timestamptz not null,
    primary key (tenant, id),
    constraint bank_submission_once unique (tenant, batch_id),
    unique (tenant, message_id),
    unique (tenant, file_sha256),
    foreign key (tenant, batch_id) references batch (tenant, id),
    foreign key (tenant, batch_id, file_name, file_sha256) references batch_file (tenant, batch_id, name, sha256)
);
comment on column bank_submission.message_id is 'the batch''s number, by which the bank knows the same message again';

-- One call of the bank, written before it is made. A call to which the bank was silent is the unknown outcome.
create table bank_call (
    tenant        text not null,
    id            uuid not null,
    submission_id uuid not null,
    seq           integer not null check (seq > 0),
    kind          text not null check (kind in ('submit', 'inquiry')),
    cleared_by    uuid check (cleared_by is null or kind = 'submit'),
    of_absent     text generated always as (case when cleared_by is not null then 'absent' end) stored,
    made_at       timestamptz not null,
    primary key (tenant, id),
    unique (tenant, submission_id, seq),
    unique (tenant, submission_id, id, kind),
    unique (tenant, cleared_by),
    foreign key (tenant, submission_id) references bank_submission (tenant, id)
);
create unique index bank_call_submits_once on bank_call (tenant, submission_id) where kind = 'submit' and cleared_by is null;
comment on column bank_call.cleared_by is 'the inquiry to which the bank answered that it has nothing: only then is sent again';

create table bank_answer (
    tenant        text not null,
    call_id       uuid not null,
    submission_id uuid not null,
    kind          text not null,
    outcome       text not null check (outcome in ('accepted', 'rejected', 'delivered', 'pending', 'absent', 'silent')),
    detail        text not null check (length(detail) <= 500),
    answered_at   timestamptz not null,
    primary key (tenant, call_id),
    unique (tenant, submission_id, call_id, outcome),
    foreign key (tenant, submission_id, call_id, kind) references bank_call (tenant, submission_id, id, kind),
    check (outcome not in ('pending', 'absent') or kind = 'inquiry')
);
create unique index bank_answer_final on bank_answer (tenant, submission_id)
    where outcome in ('accepted', 'rejected', 'delivered');
alter table bank_call add constraint bank_call_cleared
    foreign key (tenant, submission_id, cleared_by, of_absent)
    references bank_answer (tenant, submission_id, call_id, outcome);

-- ------------------------------------------------------------------------------------ never changed, and who may what

do $$
declare t text;
begin
    foreach t in array array['bank_submission', 'bank_call', 'bank_answer'] loop
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

-- --------------------------------------------------------------------------------------------------- reconciliation

-- A bank's answer as it was imported: the same file is one row for ever; its parts hold account numbers, so are sealed.
create table bank_statement (
    tenant       text not null,
    id           uuid not null,
    batch_id     uuid not null,
    format       text not null check (format in ('pain.002', 'camt.053', 'camt.054', 'mt940', 'csv', 'xlsx')),
    sha256       text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    size_bytes   bigint not null check (size_bytes > 0),
    line_count   integer not null check (line_count >= 0),
    lines_sha256 text not null,
    imported_by  text not null,
    imported_at  timestamptz not null,
    primary key (tenant, id),
    constraint bank_statement_once unique (tenant, sha256),
    foreign key (tenant, batch_id) references batch (tenant, id)
);
comment on column bank_statement.batch_id is 'the batch at which it was handed in; its lines may be about others';
comment on column bank_statement.lines_sha256 is 'over the lines as they were read and classed; the audit chain says it too';

create table bank_statement_part (
    tenant       text not null,
    statement_id uuid not null,
    part         integer not null check (part > 0),
    sealed       bytea not null,
    primary key (tenant, statement_id, part),
    foreign key (tenant, statement_id) references bank_statement (tenant, id) deferrable initially deferred
);

create table bank_line (
    tenant         text not null,
    statement_id   uuid not null,
    line           integer not null check (line > 0),
    kind           text not null check (kind in ('status', 'debit', 'credit')),
    line_class     text not null check (line_class in ('matched', 'differs', 'unknown', 'duplicate', 'returned')),
    status         text,
    reference      text,
    instruction_id uuid,
    amount_fen     bigint check (amount_fen > 0),
    payee          text,
    account_tail   text,
    booked_on      date,
    bank_reference text,
    reason         text,
    outcome        text check (outcome in ('accepted', 'rejected', 'paid', 'returned')),
    to_suspense    boolean not null check (not to_suspense or (kind <> 'status' and amount_fen is not null)),
    disagreements  text not null,
    primary key (tenant, statement_id, line),
    unique (tenant, statement_id, line, instruction_id, outcome),
    foreign key (tenant, statement_id) references bank_statement (tenant, id) deferrable initially deferred,
    foreign key (tenant, instruction_id) references instruction (tenant, id),
    check (outcome is null or line_class in ('matched', 'returned')),
    check ((line_class = 'differs') = (disagreements <> '[]')),
    check (not to_suspense or outcome is null)
);
create index bank_line_movement on bank_line (tenant, bank_reference) where bank_reference is not null;
create index bank_line_explain on bank_line (tenant, statement_id, line) where line_class <> 'matched';

-- What became of an instruction: each outcome once, paid or rejected and never both, returned only what was paid, and
-- always its whole amount.
alter table instruction add constraint instruction_amount unique (tenant, id, amount_fen);
create table instruction_outcome (
    tenant         text not null,
    instruction_id uuid not null,
    outcome        text not null check (outcome in ('accepted', 'rejected', 'paid', 'returned')),
    amount_fen     bigint not null,
    statement_id   uuid,
    line           integer,
    call_id        uuid,
    of_paid        text generated always as (case when outcome = 'returned' then 'paid' end) stored,
    at             timestamptz not null,
    primary key (tenant, instruction_id, outcome),
    foreign key (tenant, instruction_id, amount_fen) references instruction (tenant, id, amount_fen),
    foreign key (tenant, instruction_id, of_paid) references instruction_outcome (tenant, instruction_id, outcome),
    foreign key (tenant, statement_id) references bank_statement (tenant, id) deferrable initially deferred,
    foreign key (tenant, statement_id, line, instruction_id, outcome)
        references bank_line (tenant, statement_id, line, instruction_id, outcome),
    foreign key (tenant, call_id) references bank_answer (tenant, call_id),
    check (num_nulls(statement_id, call_id) = 1),
    check (line is null or statement_id is not null)
);
create unique index instruction_outcome_decided on instruction_outcome (tenant, instruction_id)
    where outcome in ('paid', 'rejected');
create index instruction_outcome_source on instruction_outcome (tenant, statement_id, line);
comment on column instruction_outcome.line is 'null where the bank rejected the whole message';

do $$
declare t text;
begin
    foreach t in array array['bank_statement', 'bank_statement_part', 'bank_line', 'instruction_outcome'] loop
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

-- ------------------------------------------------------------------------------------- returned, and issued again

-- Another account for an obligation whose payment came back: proposed by one, decided by another, and paid to only
-- after working days in which the payee and its region can object.
create table account_correction (
    tenant         text not null,
    id             uuid not null,
    obligation_id  uuid not null,
    instruction_id uuid not null,
    came_back      text not null check (came_back in ('returned', 'rejected')),
    account_name   text not null,
    account_sealed bytea not null,
    account_tail   text not null,
    payee_digest   bytea not null check (length(payee_digest) = 32),
    bank_name      text not null,
    cnaps          text not null,
    reason         text not null,
    proposed_by    text not null,
    proposed_at    timestamptz not null,
    primary key (tenant, id),
    unique (tenant, id, proposed_by),
    unique (tenant, id, obligation_id),
    foreign key (tenant, obligation_id) references obligation (tenant, id),
    foreign key (tenant, instruction_id, came_back) references instruction_outcome (tenant, instruction_id, outcome)
);
create index account_correction_of on account_correction (tenant, obligation_id);

create table account_correction_decision (
    tenant         text not null,
    correction_id  uuid not null,
    proposed_by    text not null,
    outcome        text not null check (outcome in ('approve', 'refuse')),
    reason         text,
    cooling_through_on date check ((cooling_through_on is not null) = (outcome = 'approve')),
    decided_by     text not null,
    decided_at     timestamptz not null,
    primary key (tenant, correction_id),
    unique (tenant, correction_id, outcome, cooling_through_on),
    foreign key (tenant, correction_id, proposed_by) references account_correction (tenant, id, proposed_by),
    constraint account_correction_four_eyes check (decided_by <> proposed_by),
    check (cooling_through_on > (decided_at at time zone 'Asia/Shanghai')::date),
    check (outcome = 'approve' or reason is not null)
);

-- The obligation that takes a returned one up again: one for each, so that there is one net subsidy.
create table reissue (
    tenant             text not null,
    obligation_id      uuid not null,
    of_obligation      uuid not null,
    correction_id      uuid not null,
    of_approved        text generated always as ('approve') stored,
    cooling_through_on date not null,
    made_by            text not null,
    made_at            timestamptz not null,
    primary key (tenant, obligation_id),
    constraint reissue_once unique (tenant, of_obligation),
    foreign key (tenant, obligation_id) references obligation (tenant, id),
    foreign key (tenant, correction_id, of_obligation) references account_correction (tenant, id, obligation_id),
    foreign key (tenant, correction_id, of_approved, cooling_through_on)
        references account_correction_decision (tenant, correction_id, outcome, cooling_through_on),
    check (obligation_id <> of_obligation),
    constraint reissue_cooled_off check ((made_at at time zone 'Asia/Shanghai')::date > cooling_through_on)
);

do $$
declare t text;
begin
    foreach t in array array['account_correction', 'account_correction_decision', 'reissue'] loop
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

-- What became of an obligation that is in a batch; one that came back and was issued again is what the later one is.
create function payout_state(wanted_tenant text, wanted_id uuid) returns text language sql stable as $$
    select case b.state
               when 'cut' then 'batched' when 'in_publicity' then 'in_publicity'
               when 'sealed' then 'payable' when 'released' then 'payable'
               when 'instructed' then
                   case when s.back then coalesce(public.payout_state(o.tenant, r.obligation_id), 'returned')
                        when s.paid then 'paid' else 'instructed' end
               when 'closed' then 'paid' end
      from public.obligation o
      join public.batch b on b.tenant = o.tenant and b.id = o.batch_id
      left join public.reissue r on r.tenant = o.tenant and r.of_obligation = o.id
      left join lateral (
           select bool_or(x.outcome in ('returned', 'rejected')) as back, bool_or(x.outcome = 'paid') as paid
             from public.instruction_claim i join public.instruction_outcome x
               on x.tenant = i.tenant and x.instruction_id = i.instruction_id
            where i.tenant = o.tenant and i.claim_id = o.id) s on b.state = 'instructed'
     where o.tenant = wanted_tenant and o.id = wanted_id and o.released_at is null
$$;
revoke all on function payout_state(text, uuid) from public;
grant execute on function payout_state(text, uuid) to clearing_app, clearing_auditor;

create or replace view claim_now with (security_invoker = true) as
select c.*, o.batch_id,
       case when c.state <> 'approved' or o.batch_id is null then c.state
            else case b.state when 'cut' then 'batched' when 'in_publicity' then 'in_publicity'
                              when 'sealed' then 'payable' when 'released' then 'payable'
                              else payout_state(c.tenant, c.id) end
       end as state_now
  from claim c
  left join obligation o on o.tenant = c.tenant and o.id = c.id and o.released_at is null
  left join batch b on b.tenant = o.tenant and b.id = o.batch_id;
