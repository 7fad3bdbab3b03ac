-- Support records that one transaction stores are a chunk: one audit entry, whose subject is the chunk, commits to all of
-- them by a Merkle root over their rows. Rows from before this have no chunk, and an entry each.

alter table support_record add column chunk_id uuid;
alter table support_record add column red_letter boolean;
alter table support_record add column seen text;
comment on column support_record.chunk_id is 'the subject of the audit entry that commits to this row';
comment on column support_record.red_letter is 'whether it tells of cancelled invoices, and of no support';
comment on column support_record.seen is 'the digest of the looks at what other tenants hold, where there were any';
-- not valid: it binds every row from now on, and not those that have an entry of their own
alter table support_record add constraint support_record_in_a_chunk
    check (chunk_id is not null and red_letter is not null) not valid;

-- ------------------------------------------------------------------------------------- references, by the statement

-- A foreign key asks for every row by itself, which costs as much as storing it. These ask the same once a statement.

alter table support_record drop constraint support_record_tenant_fkey;
create function support_records_of_tenants() returns trigger language plpgsql security definer as $$
begin
    if exists (select 1 from (select distinct a.tenant from added a) s
                where not exists (select 1 from public.tenant t where t.tenant = s.tenant)) then
        raise exception 'there is no such tenant'
            using errcode = '23503', constraint = 'support_record_tenant_fkey', table = 'support_record';
    end if;
    return null;
end $$;
create trigger support_record_of_a_tenant after insert on support_record
    referencing new table as added for each statement execute function support_records_of_tenants();

-- A tenant whose rows this looks for cannot go away: the entries of its audit chain refer to it.

alter table registry_holding drop constraint registry_holding_digest_exclusion_group_fkey;

-- Replaces what stood here: in the same look it asks whether every holding has its head.
create or replace function registry_holdings_written() returns trigger language plpgsql security definer as $$
declare
    written smallint[];
    headless boolean;
    uneven boolean;
begin
    select array_agg(v.version) into written from public.registry_key_version v where v.state in ('filling', 'current');
    select bool_or(s.headless), bool_or(s.uneven) into headless, uneven
      from (select bool_or(k.digest is null) as headless,
                   not every(k.key_version = any(written))
                   or count(*) filter (where k.key_version = written[1]) * cardinality(written) <> count(*) as uneven
              from added a
              left join public.registry_key k on k.digest = a.digest and k.exclusion_group = a.exclusion_group
             group by a.holder_id) s;
    if headless then
        raise exception 'a holding has no head'
            using errcode = '23503', constraint = 'registry_holding_of_a_head', table = 'registry_holding';
    end if;
    if uneven and coalesce(pg_catalog.current_setting('clearing.filling', true), '') <> 'yes' then
        raise exception 'a holding is written under every version of the registry''s key'
            using errcode = '23514', constraint = 'registry_key_version_written';
    end if;
    return null;
end $$;

-- Heads go only with the version that they are of, alone under its lock; never below a holding.
create function registry_heads_unheld() returns trigger language plpgsql security definer as $$
begin
    if exists (select 1 from removed r
                 join public.registry_holding h on h.digest = r.digest and h.exclusion_group = r.exclusion_group) then
        raise exception 'a head with holdings stays'
            using errcode = '23503', constraint = 'registry_holding_of_a_head', table = 'registry_key';
    end if;
    return null;
end $$;
create trigger registry_key_unheld after delete on registry_key
    referencing old table as removed for each statement execute function registry_heads_unheld();
create trigger registry_key_named_once before update of digest, exclusion_group on registry_key
    for each row execute function refuse_change();
create trigger registry_holding_named_once before update of digest, exclusion_group on registry_holding
    for each row execute function refuse_change();

-- ---------------------------------------------------------------------------------------------------------- free keys

-- Takes keys that nobody has ever held, all of the fen of each, for holders of one tenant: the heads come with the sums
-- that the triggers would have given them, so that nothing is counted again. One key that is known already, or stands
-- here twice, ends it: whoever calls begins again and takes that key the careful way. Everything comes in the order of
-- the digests, in which everybody locks.
create function take_free_keys(of_tenant text, of_platform text, of_group text, digests bytea[], kinds text[], versions smallint[],
                               holders uuid[], enterprises bytea[], schemes text[], months text[], claimed bigint[],
                               stated bigint[]) returns bigint
language plpgsql security definer as $$
declare
    written smallint[];
    made bigint;
begin
    if of_tenant <> all (public.bound_tenants()) then
        raise exception 'another tenant''s holders' using errcode = '42501';
    end if;
    perform pg_catalog.pg_advisory_xact_lock_shared(4206, 3);
    select array_agg(v.version) into written from public.registry_key_version v where v.state in ('filling', 'current');
    if exists (select 1 from unnest(versions) w(version) where w.version <> all (written))
       or cardinality(written) > 1 and exists (
            select 1 from unnest(holders, versions) w(holder, version) group by w.holder
            having count(*) filter (where w.version = written[1]) * cardinality(written) <> count(*)) then
        raise exception 'a holding is written under every version of the registry''s key'
            using errcode = '23514', constraint = 'registry_key_version_written';
    end if;
    insert into public.registry_key (digest, exclusion_group, kind, key_version, total_fen, taken_fen)
    select w.digest, of_group, w.kind, w.version, w.stated, w.claimed
      from unnest(digests, kinds, versions, claimed, stated) w(digest, kind, version, claimed, stated)
     order by w.digest
    on conflict (digest, exclusion_group) do nothing;
    get diagnostics made = row_count;
    if made <> cardinality(digests) then
        raise exception 'a key is known already' using errcode = '40001';
    end if;
    perform pg_catalog.set_config('clearing.taking', 'yes', true);
    insert into public.registry_holding (digest, exclusion_group, holder_id, holder_kind, tenant, scheme, platform,
                                         enterprise_digest, month, status, claimed_fen, stated_fen)
    select w.digest, of_group, w.holder, 'support', of_tenant, w.scheme, of_platform, w.enterprise, w.month, 'taken',
           w.claimed, w.stated
      from unnest(digests, holders, enterprises, schemes, months, claimed, stated)
           w(digest, holder, enterprise, scheme, month, claimed, stated);
    perform pg_catalog.set_config('clearing.taking', '', true);
    return made;
end $$;

-- The setting counts only for the schema's owner, as whom that function runs: the application cannot step past a trigger.
drop trigger registry_holding_added on registry_holding;
create trigger registry_holding_added after insert on registry_holding
    referencing new table as added for each statement
    when (current_user <> 'clearing_owner' or coalesce(current_setting('clearing.taking', true), '') <> 'yes')
    execute function count_holdings();
drop trigger registry_holding_in_every_version on registry_holding;
create trigger registry_holding_in_every_version after insert on registry_holding
    referencing new table as added for each statement
    when (current_user <> 'clearing_owner' or coalesce(current_setting('clearing.taking', true), '') <> 'yes')
    execute function registry_holdings_written();

-- As it stood, but deaf to that setting: it runs as the owner too, and what it copies is counted.
create or replace function fill_registry(filled smallint, old bytea[], new bytea[], groups text[],
                              old_enterprises bytea[], new_enterprises bytea[]) returns bigint
language plpgsql security definer as $$
declare
    copied bigint;
begin
    perform pg_catalog.pg_advisory_xact_lock_shared(4206, 3);
    if not exists (select 1 from public.registry_key_version v where v.version = filled and v.state = 'filling') then
        raise exception 'this version is not filling' using errcode = '42501';
    end if;
    insert into public.registry_key (digest, exclusion_group, kind, key_version)
    select heads.digest, heads.grp, heads.kind, heads.key_version from (
        select w.old as digest, w.grp, k.kind, k.key_version
          from unnest(old, groups) w(old, grp)
          join public.registry_key k on k.digest = w.old and k.exclusion_group = w.grp
        union
        select w.new, w.grp, k.kind, filled
          from unnest(old, new, groups) w(old, new, grp)
          join public.registry_key k on k.digest = w.old and k.exclusion_group = w.grp) heads
     order by heads.digest, heads.grp
    on conflict (digest, exclusion_group) do update set key_version = registry_key.key_version;
    perform pg_catalog.set_config('clearing.taking', '', true);
    perform pg_catalog.set_config('clearing.filling', 'yes', true);
    insert into public.registry_holding (digest, exclusion_group, holder_id, holder_kind, tenant, scheme, platform,
                                         enterprise_digest, month, status, claimed_fen, stated_fen)
    select w.new, h.exclusion_group, h.holder_id, h.holder_kind, h.tenant, h.scheme, h.platform, e.new, h.month,
           h.status, h.claimed_fen, h.stated_fen
      from unnest(old, new, groups) w(old, new, grp)
      join public.registry_holding h on h.digest = w.old and h.exclusion_group = w.grp
      join unnest(old_enterprises, new_enterprises) e(old, new) on e.old = h.enterprise_digest
    on conflict (digest, exclusion_group, holder_id) do nothing;
    get diagnostics copied = row_count;
    perform pg_catalog.set_config('clearing.filling', '', true);
    return copied;
end $$;

revoke all on function support_records_of_tenants(), registry_heads_unheld(),
    take_free_keys(text, text, text, bytea[], text[], smallint[], uuid[], bytea[], text[], text[], bigint[], bigint[])
    from public;
grant execute on function
    take_free_keys(text, text, text, bytea[], text[], smallint[], uuid[], bytea[], text[], text[], bigint[], bigint[])
    to clearing_app;
