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
