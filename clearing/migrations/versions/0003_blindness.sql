-- Rotation of the registry's key while the service runs, and the log of looks at what another tenant holds (I4, I24).

-- ------------------------------------------------------------------------------------------------- versions of the key

-- `filling`: written beside the one before it, whose holdings are still being copied; `current`: complete;
-- `retiring`: no longer written, its rows are being dropped; `retired`: none of its rows is left.
create table registry_key_version (
    version     smallint primary key check (version > 0),
    id          uuid not null unique,
    state       text not null check (state in ('filling', 'current', 'retiring', 'retired')),
    check_value bytea check (length(check_value) = 16),
    begun_at    timestamptz,
    filled_at   timestamptz,
    retiring_at timestamptz,
    retired_at  timestamptz,
    check ((version = 1) = (begun_at is null)),
    check (version = 1 or check_value is not null),
    check ((filled_at is not null) = (version > 1 and state <> 'filling')),
    check ((retiring_at is not null) = (state in ('retiring', 'retired'))),
    check ((retired_at is not null) = (state = 'retired'))
);
comment on table registry_key_version is 'the keys themselves are files outside the database';
comment on column registry_key_version.check_value is
    'what the key makes of a fixed text: tells a wrong file before it writes a digest';
insert into registry_key_version (version, id, state) values (1, '5b0e6d1c-3a55-4a5e-9d3e-6c1f4f1b0001', 'current');
create unique index registry_key_version_one_filling on registry_key_version ((true)) where state = 'filling';

-- Who writes to the registry holds this lock shared, and who changes the set of versions holds it alone: so that every
-- transaction sees one set of versions from its first key to its commit.
create function registry_lock_versions() returns trigger language plpgsql security definer as $$
begin
    if tg_table_name = 'registry_key_version' then
        perform pg_catalog.pg_advisory_xact_lock(4206, 3);
    else
        perform pg_catalog.pg_advisory_xact_lock_shared(4206, 3);
    end if;
    return null;
end $$;
create trigger registry_key_versions_stand before insert on registry_key
    for each statement execute function registry_lock_versions();
create trigger registry_holding_versions_stand before insert on registry_holding
    for each statement execute function registry_lock_versions();
create trigger registry_key_version_alone before insert or update on registry_key_version
    for each statement execute function registry_lock_versions();

-- A version goes forward only, and there are never more than two of which rows are written.
create function keep_registry_key_version() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        raise exception 'a version of the registry''s key is never deleted' using errcode = '42501';
    end if;
    if tg_op = 'INSERT' then
        if new.state <> 'filling' or new.version <> (select max(v.version) + 1 from public.registry_key_version v)
           or exists (select 1 from public.registry_key_version v where v.state in ('filling', 'retiring'))
           or (select count(*) from public.registry_key_version v where v.state = 'current') <> 1 then
            raise exception 'a new version follows one that is current and alone' using errcode = '42501';
        end if;
        return new;
    end if;
    if (new.version, new.id, new.begun_at) is distinct from (old.version, old.id, old.begun_at)
       or (old.check_value is not null and new.check_value is distinct from old.check_value)
       or (old.filled_at is not null and new.filled_at is distinct from old.filled_at)
       or (old.retiring_at is not null and new.retiring_at is distinct from old.retiring_at)
       or (old.retired_at is not null and new.retired_at is distinct from old.retired_at)
       or (old.state, new.state) not in (('filling', 'current'), ('current', 'retiring'), ('retiring', 'retired'))
          and old.state <> new.state then
        raise exception 'a version of the registry''s key only goes forward' using errcode = '42501';
    end if;
    if new.state = 'retiring' and not exists (
            select 1 from public.registry_key_version v where v.version > new.version and v.state = 'current') then
        raise exception 'a version retires only behind a newer one that is complete' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger registry_key_version_kept before insert or update or delete on registry_key_version
    for each row execute function keep_registry_key_version();

-- I24: whoever writes a holding writes it under every version that is written, and under no other. A process that
-- computed its keys before a version came or went is refused here, and looks again.
create function registry_heads_written() returns trigger language plpgsql security definer as $$
begin
    if exists (select 1 from made m where not exists (
            select 1 from public.registry_key_version v
             where v.version = m.key_version and v.state in ('filling', 'current'))) then
        raise exception 'the version of the registry''s key is not written'
            using errcode = '23514', constraint = 'registry_key_version_written';
    end if;
    return null;
end $$;
create trigger registry_key_of_a_written_version after insert on registry_key
    referencing new table as made for each statement execute function registry_heads_written();

create function registry_holdings_written() returns trigger language plpgsql security definer as $$
declare
    written smallint[];
begin
    if coalesce(pg_catalog.current_setting('clearing.filling', true), '') = 'yes' then
        return null;
    end if;
    select array_agg(v.version) into written from public.registry_key_version v where v.state in ('filling', 'current');
    if exists (select 1 from added a
                 join public.registry_key k on k.digest = a.digest and k.exclusion_group = a.exclusion_group
                group by a.holder_id
               having not every(k.key_version = any(written))
                   or count(*) filter (where k.key_version = written[1]) * cardinality(written) <> count(*)) then
        raise exception 'a holding is written under every version of the registry''s key'
            using errcode = '23514', constraint = 'registry_key_version_written';
    end if;
    return null;
end $$;
create trigger registry_holding_in_every_version after insert on registry_holding
    referencing new table as added for each statement execute function registry_holdings_written();

-- Copies what stands under the digests `old` to the digests `new`, which the service made of them under the version
-- that is filling; answers how many holdings were added. All heads are locked in the order that everybody keeps.
create function fill_registry(filled smallint, old bytea[], new bytea[], groups text[],
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

-- Drops rows of a version that is retiring, in the order of their digests; answers the last digest looked at.
create function drop_registry_version(dropped smallint, behind bytea, at_most integer) returns bytea
language plpgsql security definer as $$
declare
    last bytea;
begin
    if not exists (select 1 from public.registry_key_version v where v.version = dropped and v.state = 'retiring') then
        raise exception 'this version is not retiring' using errcode = '42501';
    end if;
    select max(s.digest) into last from (
        select k.digest from public.registry_key k where k.digest > behind order by k.digest limit at_most) s;
    if last is null then
        return null;
    end if;
    perform 1 from public.registry_key k where k.digest > behind and k.digest <= last and k.key_version = dropped
      order by k.digest, k.exclusion_group for no key update;
    delete from public.registry_holding h using public.registry_key k
     where k.digest > behind and k.digest <= last and k.key_version = dropped
       and h.digest = k.digest and h.exclusion_group = k.exclusion_group;
    delete from public.registry_key k where k.digest > behind and k.digest <= last and k.key_version = dropped;
    return last;
end $$;

-- ------------------------------------------------------------------------------------------------------------- looks

-- A submission of one tenant met what another tenant holds: the other tenant's log of it. The side that looks writes
-- it, and the side that was looked at reads it; of the seeker it tells platform, month and reference.
create table registry_probe (
    tenant    text not null references tenant,
    id        uuid not null,
    kind      text not null check (kind in ('invoice', 'contract', 'receipt', 'document')),
    holder_id uuid not null,
    seeker_id uuid not null,
    platform  text not null,
    month     text not null check (month ~ '^[0-9]{4}-[0-9]{2}$'),
    client_id text not null,
    at        timestamptz not null,
    primary key (tenant, id)
);
comment on column registry_probe.holder_id is 'the tenant''s own claim or support record that was met';
comment on column registry_probe.seeker_id is 'the reference of the other side';
create index registry_probe_client on registry_probe (client_id, at);

-- How often a client met other tenants' keys in each hour: what its limit counts.
create table client_probes (
    client_id text not null,
    hour_at   timestamptz not null check (extract(epoch from hour_at)::bigint % 3600 = 0),
    probes    bigint not null check (probes > 0),
    primary key (client_id, hour_at)
);

create trigger registry_probe_append_only before update or delete on registry_probe
    for each row execute function refuse_change();
create trigger registry_probe_never_emptied before truncate on registry_probe
    for each statement execute function refuse_change();

create function keep_client_probes() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or (new.client_id, new.hour_at) is distinct from (old.client_id, old.hour_at)
       or new.probes < old.probes then
        raise exception 'a count of looks only grows' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger client_probes_kept before update or delete on client_probes
    for each row execute function keep_client_probes();

alter table registry_probe enable row level security, force row level security;
create policy tenant_reads on registry_probe for select to clearing_app, clearing_owner
    using (tenant = any ((select bound_tenants())::text[]) and (select bound_platform()) is null);
create policy seeker_writes on registry_probe for insert to clearing_app, clearing_owner with check (true);

-- ----------------------------------------------------------------------------------------------------- who may do what

revoke all on registry_key_version, registry_probe, client_probes from public;
revoke all on function registry_lock_versions(), keep_registry_key_version(), registry_heads_written(),
    registry_holdings_written(), keep_client_probes(),
    fill_registry(smallint, bytea[], bytea[], text[], bytea[], bytea[]),
    drop_registry_version(smallint, bytea, integer) from public;
grant execute on function fill_registry(smallint, bytea[], bytea[], text[], bytea[], bytea[]),
    drop_registry_version(smallint, bytea, integer) to clearing_app;
grant select, insert on registry_key_version, registry_probe, client_probes to clearing_app;
grant update (state, check_value, filled_at, retiring_at, retired_at) on registry_key_version to clearing_app;
grant update (probes) on client_probes to clearing_app;
grant select on registry_key_version, registry_probe, client_probes to clearing_auditor;
