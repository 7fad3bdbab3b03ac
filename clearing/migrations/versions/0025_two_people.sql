-- ----------------------------------------------------------------------------------------------------- linked regions

-- Which regions are linked (联动地区) in a year decides who is matched by how much: a whole list at a time, proposed by one
-- person, approved by another. What is in force is the latest that was approved. Version 0 was set before two were asked.
create table linked_region_list (
    tenant      text not null references tenant,
    year        integer not null check (year between 2000 and 2100),
    version     integer not null check (version >= 0),
    state       text not null check (state in ('proposed', 'approved', 'rejected', 'superseded')),
    proposed_by text not null,
    proposed_at timestamptz not null,
    decided_by  text,
    decided_at  timestamptz,
    reason      text,
    primary key (tenant, year, version),
    check (num_nulls(decided_by, decided_at) in (0, 2)),
    check ((decided_by is not null) = (version > 0 and state in ('approved', 'rejected'))),
    check (state <> 'rejected' or reason is not null),
    constraint linked_region_list_four_eyes check (decided_by <> proposed_by)
);
create unique index linked_region_list_proposed_once on linked_region_list (tenant, year) where state = 'proposed';

alter table linked_region no force row level security;
insert into linked_region_list (tenant, year, version, state, proposed_by, proposed_at)
    select tenant, year, 0, 'approved', min(set_by), max(set_at) from linked_region group by tenant, year;
alter table linked_region add column version integer not null default 0;
alter table linked_region
    alter column version drop default,
    drop column set_by,
    drop column set_at,
    drop constraint linked_region_pkey,
    add constraint linked_region_pkey primary key (tenant, year, version, division),
    add constraint linked_region_of_list foreign key (tenant, year, version)
        references linked_region_list (tenant, year, version);
alter table linked_region force row level security;

create function keep_linked_region_list() returns trigger language plpgsql as $$
declare
    later constant text[] := array['state', 'decided_by', 'decided_at', 'reason'];
begin
    if tg_op = 'INSERT' then
        if new.state <> 'proposed' or new.version = 0 then
            raise exception 'a list of linked regions is proposed before it is approved'
                using errcode = '23514', constraint = 'linked_region_list_proposed';
        end if;
        return new;
    end if;
    if tg_op = 'DELETE' or old.state <> 'proposed'
       or to_jsonb(new) - later is distinct from to_jsonb(old) - later then
        raise exception 'a list of linked regions is decided once and never changes' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger linked_region_list_kept before insert or update or delete on linked_region_list
    for each row execute function keep_linked_region_list();

-- nothing gets onto a list once somebody has decided it
create function keep_linked_region() returns trigger language plpgsql as $$
begin
    if not exists (select 1 from public.linked_region_list l where l.tenant = new.tenant and l.year = new.year
                    and l.version = new.version and l.state = 'proposed') then
        raise exception 'a linked region is of a list that is proposed'
            using errcode = '23514', constraint = 'linked_region_of_proposal';
    end if;
    return new;
end $$;
create trigger linked_region_proposed before insert on linked_region
    for each row execute function keep_linked_region();
create trigger linked_region_append_only before update or delete on linked_region
    for each row execute function refuse_change();
create trigger linked_region_never_emptied before truncate on linked_region
    for each statement execute function refuse_change();

alter table linked_region_list enable row level security, force row level security;
create policy tenant_only on linked_region_list to clearing_app, clearing_owner
    using (tenant = any ((select bound_tenants())::text[]));
revoke all on linked_region_list from public;
revoke all on function keep_linked_region_list(), keep_linked_region() from public;
revoke update, delete on linked_region from clearing_app;
grant select, insert on linked_region_list to clearing_app;
grant update (state, decided_by, decided_at, reason) on linked_region_list to clearing_app;
grant select on linked_region_list to clearing_auditor;

-- ------------------------------------------------------------------------------------- qualifications of a city's bureau

-- Where the enterprise is registered. A bureau's reviewer who is bound to divisions sees and decides these alone. What was
-- entered before tells it by the credit code, whose third to eighth characters are the registering authority's (GB 32100).
alter table qualification add column division text check (division ~ '^[0-9]{6}$');
alter table qualification no force row level security;
update qualification set division = substr(uscc, 3, 6);
alter table qualification force row level security;
alter table qualification alter column division set not null;
grant update (division) on qualification to clearing_app;

create function keep_qualifier_apart() returns trigger language plpgsql security definer as $$
begin
    perform public.refuse_interested(new.tenant, new.decided_by, array[new.uscc]),
            public.refuse_outside_district(new.tenant, new.decided_by, new.division);
    return new;
end $$;
drop trigger qualification_apart on qualification;
create trigger qualification_apart before update of decided_by on qualification for each row
    when (new.decided_by is not null) execute function keep_qualifier_apart();
create policy own_district on qualification as restrictive for select to clearing_app
    using ((select bound_districts()) is null or in_district(tenant, division));
revoke all on function keep_qualifier_apart() from public;
