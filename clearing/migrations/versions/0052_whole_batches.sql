-- A cut and a release write a row or two for each of up to a million claims. A foreign key looks up, and locks, what each row
-- names, one by one: two thirds of the time that a cut took. Here what the rows of a statement name is looked up in one go at
-- its end. That is enough where what is named is never deleted and never gets another key, which is refused below.

-- ------------------------------------------------------------------------------------- what is named stays what it is

create function keep_what_is_named() returns trigger language plpgsql as $$
begin
    raise exception 'what rows name stays, and keeps its key: %', tg_table_name using errcode = '42501';
end $$;
create trigger batch_keeps_its_key before update of tenant, id on batch for each row execute function keep_what_is_named();
create trigger batch_never_emptied before truncate on batch for each statement execute function keep_what_is_named();
create trigger obligation_keeps_its_key before update of tenant, id on obligation
    for each row execute function keep_what_is_named();
create trigger obligation_never_emptied before truncate on obligation for each statement execute function keep_what_is_named();
-- of instructions, batches and obligations none is ever deleted: instruction_append_only, batch_kept, obligation_deleted

-- ------------------------------------------------------------------------------------------------- items of a batch

alter table batch_item drop constraint batch_item_tenant_batch_id_fkey, drop constraint batch_item_tenant_claim_id_fkey;

-- Waits for a seal that is just being made (`for share` against the sealer's lock), then looks. The settings: a function's
-- plan is kept for all its calls, and looking a million rows up in an index is never slow, whatever was there at the first.
create or replace function keep_sealed_items() returns trigger language plpgsql security definer
    set enable_nestloop = on set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off as $$
declare
    named record;
    sealed boolean;
begin
    for named in select distinct n.tenant, n.batch_id from changed n order by n.tenant, n.batch_id loop
        select b.sealed_at is not null into sealed from public.batch b
         where b.tenant = named.tenant and b.id = named.batch_id for share;
        if not found then
            raise exception 'an item is in a batch that there is not' using errcode = '23503', constraint = 'batch_item_batch';
        end if;
        if sealed then
            raise exception 'the items of a sealed batch never change' using errcode = '42501';
        end if;
    end loop;
    if exists (select 1 from changed n where not exists (
            select 1 from public.obligation o where o.tenant = n.tenant and o.id = n.claim_id)) then
        raise exception 'an item is of a claim that is not owed' using errcode = '23503', constraint = 'batch_item_claim';
    end if;
    return null;
end $$;

-- ------------------------------------------------------------------------------------------- the batch of obligations

alter table obligation drop constraint obligation_tenant_batch_id_fkey;

create function check_batch_of_obligations() returns trigger language plpgsql security definer
    set enable_nestloop = on set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off as $$
begin
    if exists (select 1 from (select distinct n.tenant, n.batch_id from changed n where n.batch_id is not null) named
                where not exists (select 1 from public.batch b where b.tenant = named.tenant and b.id = named.batch_id)) then
        raise exception 'an obligation is in a batch that there is not'
            using errcode = '23503', constraint = 'obligation_batch';
    end if;
    return null;
end $$;
create trigger obligation_taken_in after update on obligation
    referencing new table as changed for each statement execute function check_batch_of_obligations();
-- what is new is in no batch; one that is all the same is looked at by itself
create function check_batch_of_obligation() returns trigger language plpgsql security definer as $$
begin
    if not exists (select 1 from public.batch b where b.tenant = new.tenant and b.id = new.batch_id) then
        raise exception 'an obligation is in a batch that there is not'
            using errcode = '23503', constraint = 'obligation_batch';
    end if;
    return null;
end $$;
create trigger obligation_begun_in after insert on obligation
    for each row when (new.batch_id is not null) execute function check_batch_of_obligation();

-- ------------------------------------------------------------------------------------------------------ instructions

alter table instruction drop constraint instruction_tenant_batch_id_fkey, drop constraint instruction_tenant_payee_claim_id_fkey;
alter table instruction_claim drop constraint instruction_claim_tenant_instruction_id_fkey,
    drop constraint instruction_claim_tenant_claim_id_fkey;

create function check_instructions() returns trigger language plpgsql security definer
    set enable_nestloop = on set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off as $$
begin
    if exists (select 1 from (select distinct n.tenant, n.batch_id from added n) named
                where not exists (select 1 from public.batch b where b.tenant = named.tenant and b.id = named.batch_id)) then
        raise exception 'an instruction is of a batch that there is not'
            using errcode = '23503', constraint = 'instruction_batch';
    end if;
    if exists (select 1 from added n where not exists (
            select 1 from public.obligation o where o.tenant = n.tenant and o.id = n.payee_claim_id)) then
        raise exception 'an instruction pays a claim that is not owed'
            using errcode = '23503', constraint = 'instruction_payee_claim';
    end if;
    return null;
end $$;
create trigger instruction_names after insert on instruction
    referencing new table as added for each statement execute function check_instructions();

create function check_instruction_claims() returns trigger language plpgsql security definer
    set enable_nestloop = on set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off as $$
begin
    if exists (select 1 from added n where not exists (
            select 1 from public.instruction i where i.tenant = n.tenant and i.id = n.instruction_id)) then
        raise exception 'a claim is paid by an instruction that there is not'
            using errcode = '23503', constraint = 'instruction_claim_instruction';
    end if;
    if exists (select 1 from added n where not exists (
            select 1 from public.obligation o where o.tenant = n.tenant and o.id = n.claim_id)) then
        raise exception 'an instruction pays a claim that is not owed'
            using errcode = '23503', constraint = 'instruction_claim_claim';
    end if;
    return null;
end $$;
create trigger instruction_claim_names after insert on instruction_claim
    referencing new table as added for each statement execute function check_instruction_claims();

revoke all on function keep_what_is_named(), check_batch_of_obligations(), check_batch_of_obligation(), check_instructions(),
    check_instruction_claims() from public;

-- ----------------------------------------------------------------------------------------------------- who is told

-- the platforms that have a claim in a batch are looked for once, at its cut
create index outbox_batch_cut on outbox (subject_id) where kind = 'batch.cut';
