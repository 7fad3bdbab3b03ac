-- An objection takes any item out of its batch. What has no claim of its own (a reward, a payment issued again, matching money,
-- what is paid for another region) is held as it is, and goes into a later batch once a reviewer has decided.

alter table obligation add column held_at timestamptz,
    add constraint obligation_held_is_in_no_batch check (held_at is null or (batch_id is null and kind is not null));
comment on column obligation.held_at is 'since when an objection holds it; a claim is held itself, and its obligation taken back';

-- a standing obligation may be held and resumed: whatever else the trigger says, stays
do $$
declare said text := pg_get_functiondef('keep_obligation()'::regprocedure);
begin
    if position('array[''batch_id'', ''released_at'']' in said) = 0 then
        raise exception 'the function is not as expected: %', said;
    end if;
    execute replace(said, 'array[''batch_id'', ''released_at'']', 'array[''batch_id'', ''released_at'', ''held_at'']');
end $$;

alter table objection add constraint objection_of unique (tenant, id, claim_id);

create table objection_resolution (
    tenant        text not null,
    objection_id  uuid not null,
    obligation_id uuid not null,
    reason        text not null,
    resolved_by   text not null,
    resolved_at   timestamptz not null,
    primary key (tenant, objection_id),
    foreign key (tenant, objection_id, obligation_id) references objection (tenant, id, claim_id)
);
comment on table objection_resolution is 'the objection to an item without a claim of its own was looked into: it goes into a later batch';
create index objection_resolution_of on objection_resolution (tenant, obligation_id);

-- What is held has one objection that nobody has decided on, and what has one is held.
create function check_held_item() returns trigger language plpgsql security definer as $$
declare
    open_ones bigint;
begin
    select count(*) into open_ones from public.objection j where j.tenant = new.tenant and j.claim_id = new.id
       and not exists (select 1 from public.objection_resolution r where r.tenant = j.tenant and r.objection_id = j.id);
    if exists (select 1 from public.obligation o where o.tenant = new.tenant and o.id = new.id
                  and (o.held_at is not null)::integer <> open_ones) then
        raise exception 'what is held has one open objection' using errcode = '23514', constraint = 'obligation_held_by_objection';
    end if;
    return null;
end $$;
create constraint trigger obligation_held_by_objection after update of held_at on obligation
    deferrable initially deferred for each row when (old.held_at is distinct from new.held_at)
    execute function check_held_item();

do $$
declare t text := 'objection_resolution';
begin
    execute format('create trigger %I before update or delete on %I for each row execute function refuse_change()',
                   t || '_append_only', t);
    execute format('create trigger %I before truncate on %I for each statement execute function refuse_change()',
                   t || '_never_emptied', t);
    execute format('alter table %I enable row level security, force row level security', t);
    execute format('create policy tenant_only on %I to clearing_app, clearing_owner using (tenant = any ((select bound_tenants())::text[]))', t);
    execute format('revoke all on %I from public', t);
    execute format('grant select, insert on %I to clearing_app', t);
    execute format('grant select on %I to clearing_auditor', t);
end $$;
revoke all on function check_held_item() from public;
