-- A bulk of claims costs the database less: what a statement's revisions and assessments refer to is looked up together,
-- and keys that nobody holds are taken for claims as they are for support records.

-- ------------------------------------------------------------------------------------- references, by the statement

-- At the end of the statement, not of the transaction: a claim is always written before them or beside them. The plan is
-- made once, while the table may be empty and its twelve indexes are all the same: asked in this order and unsorted, only
-- the primary key can answer.
alter table claim_revision drop constraint claim_revision_tenant_claim_id_fkey;
alter table assessment drop constraint assessment_tenant_claim_id_fkey;
create function keep_claim_of() returns trigger language plpgsql security definer
    set enable_seqscan to off set enable_sort to off as $$
begin
    if exists (select 1 from added a
                where a.claim_id is distinct from (select c.id from public.claim c
                                                    where c.tenant = a.tenant and c.id >= a.claim_id
                                                    order by c.tenant, c.id limit 1)) then
        raise exception 'there is no such claim'
            using errcode = '23503', constraint = tg_table_name || '_tenant_claim_id_fkey', table = tg_table_name;
    end if;
    return null;
end $$;
create trigger claim_revision_of_a_claim after insert on claim_revision
    referencing new table as added for each statement execute function keep_claim_of();
create trigger assessment_of_a_claim after insert on assessment
    referencing new table as added for each statement execute function keep_claim_of();

-- A claim that they may name stays, under its id: nothing above looks again.
create function keep_claim() returns trigger language plpgsql as $$
begin
    raise exception 'a claim is never deleted or renamed' using errcode = '42501';
end $$;
create trigger claim_stays before delete or update of tenant, id on claim
    for each row execute function keep_claim();
create trigger claim_never_emptied before truncate on claim
    for each statement execute function keep_claim();
revoke execute on function keep_claim_of(), keep_claim() from public;

-- ---------------------------------------------------------------------------------------------------------- free keys

-- Locks the keys in the order in which they stand, which is that of the digests, and takes those that have a holder: keys
-- that nobody has ever held, all of the fen of each. Their heads come with the sums that the triggers would have given
-- them. One of these that is known already ends it: whoever calls begins again and takes that key the careful way.
create function take_keys(of_kind text, of_tenant text, of_platform text, digests bytea[], groups text[], kinds text[],
                          versions smallint[], holders uuid[], enterprises bytea[], schemes text[], months text[],
                          claimed bigint[], stated bigint[]) returns bigint
language plpgsql security definer as $$
declare
    written smallint[];
    stood bytea[];
    taken bigint;
begin
    if of_tenant <> all (public.bound_tenants()) then
        raise exception 'another tenant''s holders' using errcode = '42501';
    end if;
    perform pg_catalog.pg_advisory_xact_lock_shared(4206, 3);
    select array_agg(v.version) into written from public.registry_key_version v where v.state in ('filling', 'current');
    if exists (select 1 from unnest(versions) w(version) where w.version <> all (written))
       or cardinality(written) > 1 and exists (
            select 1 from unnest(holders, versions) w(holder, version) where w.holder is not null group by w.holder
            having count(*) filter (where w.version = written[1]) * cardinality(written) <> count(*)) then
        raise exception 'a holding is written under every version of the registry''s key'
            using errcode = '23514', constraint = 'registry_key_version_written';
    end if;
    with heads as (
        insert into public.registry_key as k (digest, exclusion_group, kind, key_version, total_fen, taken_fen)
        select w.digest, w.grp, w.kind, w.version, case when w.holder is not null then w.stated end,
               case when w.holder is null then 0 else w.claimed end
          from (select unnest(digests) as digest, unnest(groups) as grp, unnest(kinds) as kind,
                       unnest(versions) as version, unnest(holders) as holder, unnest(claimed) as claimed,
                       unnest(stated) as stated) w
        on conflict (digest, exclusion_group) do update set key_version = k.key_version
        returning old.digest as stood)
    select array_agg(h.stood) filter (where h.stood is not null) into stood from heads h;
    if stood is not null and exists (
            select 1 from unnest(digests, holders) w(digest, holder)
             where w.holder is not null and w.digest in (select s.digest from unnest(stood) s(digest))) then
        raise exception 'a key is known already'
            using errcode = '23505', constraint = 'registry_key_pkey', table = 'registry_key';
    end if;
    perform pg_catalog.set_config('clearing.taking', 'yes', true);
    insert into public.registry_holding (digest, exclusion_group, holder_id, holder_kind, tenant, scheme, platform,
                                         enterprise_digest, month, status, claimed_fen, stated_fen)
    select w.digest, w.grp, w.holder, of_kind, of_tenant, w.scheme, of_platform, w.enterprise, w.month, 'taken',
           w.claimed, w.stated
      from (select unnest(digests) as digest, unnest(groups) as grp, unnest(holders) as holder,
                   unnest(enterprises) as enterprise, unnest(schemes) as scheme, unnest(months) as month,
                   unnest(claimed) as claimed, unnest(stated) as stated) w
     where w.holder is not null;
    get diagnostics taken = row_count;
    perform pg_catalog.set_config('clearing.taking', '', true);
    return taken;
end $$;
revoke all on function take_keys(
    text, text, text, bytea[], text[], text[], smallint[], uuid[], bytea[], text[], text[], bigint[], bigint[]) from public;
grant execute on function take_keys(
    text, text, text, bytea[], text[], text[], smallint[], uuid[], bytea[], text[], text[], bigint[], bigint[]) to clearing_app;
