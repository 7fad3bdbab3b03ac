-- What a worker has written of a batch's files so far, section by section: whoever takes over goes on behind it.

create table batch_draft (
    tenant   text not null,
    batch_id uuid not null,
    section  integer not null check (section > 0),
    made_at  timestamptz not null,
    terms    bytea not null check (length(terms) = 32),
    mark     text not null,
    primary key (tenant, batch_id, section),
    foreign key (tenant, batch_id) references batch (tenant, id)
);
comment on table batch_draft is 'seen by workers alone; thrown away once the batch is instructed, or when its terms changed';
comment on column batch_draft.made_at is 'the instant that every instruction of the batch names';
comment on column batch_draft.terms is 'a digest of all that the bytes follow from but the instructions: totals, key, choices of the bank';

-- The pieces hold account numbers in clear, so they are sealed like the parts of the finished files.
create table batch_draft_part (
    tenant   text not null,
    batch_id uuid not null,
    section  integer not null,
    part     integer not null check (part > 0),
    name     text not null,
    sealed   bytea not null,
    primary key (tenant, batch_id, section, part),
    foreign key (tenant, batch_id, section) references batch_draft (tenant, batch_id, section)
);
alter table batch_draft_part alter column sealed set storage external;
alter table batch_file_part alter column sealed set storage external;

-- Only a batch that is released and not instructed has drafts.
create function check_draft() returns trigger language plpgsql security definer as $$
begin
    if not exists (select 1 from public.batch b where b.tenant = new.tenant and b.id = new.batch_id and b.state = 'released') then
        raise exception 'only a released batch is drafted' using errcode = '23514', constraint = 'batch_draft_released';
    end if;
    return new;
end $$;
create trigger batch_draft_released before insert or update on batch_draft for each row execute function check_draft();
create function check_no_draft() returns trigger language plpgsql security definer as $$
begin
    if exists (select 1 from public.batch_draft d where d.tenant = new.tenant and d.batch_id = new.id) then
        raise exception 'the batch still has drafts' using errcode = '23514', constraint = 'batch_without_drafts';
    end if;
    return null;
end $$;
create constraint trigger batch_without_drafts after update of state on batch deferrable initially deferred
    for each row when (old.state = 'released' and new.state <> 'released') execute function check_no_draft();

do $$
declare t text;
begin
    foreach t in array array['batch_draft', 'batch_draft_part'] loop
        execute format('alter table %I enable row level security, force row level security', t);
        execute format('create policy tenant_only on %I to clearing_app, clearing_owner '
                       'using (tenant = any ((select bound_tenants())::text[]))', t);
        execute format('revoke all on %I from public', t);
        execute format('grant select, insert, delete on %I to clearing_app', t);
        execute format('grant select on %I to clearing_auditor', t);
    end loop;
end $$;
revoke all on function check_draft(), check_no_draft() from public;
