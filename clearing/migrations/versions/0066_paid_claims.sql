-- In a table that is new, every index of a tenant's rows looks alike to the planner: the instructions of a first release were
-- looked up among those of their batch, each among all, so that 10,000 took six seconds and 100,000 ten minutes. Here each is
-- the next one by its key, and nothing may be sorted: only an index in the order of that key can answer.

create or replace function check_instruction_claims() returns trigger language plpgsql security definer
    set enable_nestloop = on set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off
    set enable_sort = off set enable_incremental_sort = off set enable_bitmapscan = off as $$
begin
    if exists (select 1 from added n where n.instruction_id is distinct from (
            select i.id from public.instruction i where i.tenant = n.tenant and i.id >= n.instruction_id
             order by i.id limit 1)) then
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
