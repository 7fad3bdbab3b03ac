-- Free keys in bulk cost less: what is unique is told by the index itself, not asked before each row; arrays are read as
-- they lie; and the sums' triggers, of which the function does the work, are handed nothing.

-- As it stood, but for that. One key that is known already, or stands here twice, ends it with the primary key's name.
create or replace function take_free_keys(of_tenant text, of_platform text, of_group text, digests bytea[], kinds text[], versions smallint[],
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
      from (select unnest(digests) as digest, unnest(kinds) as kind, unnest(versions) as version,
                   unnest(claimed) as claimed, unnest(stated) as stated) w;
    get diagnostics made = row_count;
    perform pg_catalog.set_config('clearing.taking', 'yes', true);
    insert into public.registry_holding (digest, exclusion_group, holder_id, holder_kind, tenant, scheme, platform,
                                         enterprise_digest, month, status, claimed_fen, stated_fen)
    select w.digest, of_group, w.holder, 'support', of_tenant, w.scheme, of_platform, w.enterprise, w.month, 'taken',
           w.claimed, w.stated
      from (select unnest(digests) as digest, unnest(holders) as holder, unnest(enterprises) as enterprise,
                   unnest(schemes) as scheme, unnest(months) as month, unnest(claimed) as claimed,
                   unnest(stated) as stated) w;
    perform pg_catalog.set_config('clearing.taking', '', true);
    return made;
end $$;
