-- Who may apply and who may be paid for: what one person enters, another decides. Each row is what the last entry of
-- the audit chain about it says; a decision by the person who entered the row cannot be stored.

-- from here on only sanctions are kept there: the others have tables of their own
alter table standing drop constraint standing_kind_check;
alter table standing add constraint standing_kind_check check (kind = 'sanction');
alter table standing drop column on_platform;

-- An enterprise's admission to a scheme for one quota year (申领资格), one row for each application. `at_once`: its type
-- needs no review, and nothing was withdrawn from it in the year.
create table qualification (
    tenant          text not null references tenant,
    id              uuid not null,
    scheme          text not null,
    year            integer not null check (year between 2000 and 2100),
    uscc            text not null,
    name            text not null,
    enterprise_type text not null,
    proof           text not null,
    policy_version  text not null,
    at_once         boolean not null,
    state           text not null check (state in ('applied', 'admitted', 'refused', 'withdrawn')),
    from_on         date not null,
    through_on      date not null check (through_on >= from_on - 1),
    entered_by      text not null,
    entered_at      timestamptz not null,
    decided_by      text,
    decided_at      timestamptz,
    reason          text,
    primary key (tenant, id),
    check (num_nulls(decided_by, decided_at) in (0, 2)),
    constraint qualification_decided check (case state
        when 'applied' then decided_by is null and not at_once
        when 'admitted' then (decided_by is null) = at_once
        else decided_by is not null and reason is not null end),
    constraint qualification_four_eyes check (decided_by <> entered_by)
);
create unique index qualification_waits_once on qualification (tenant, scheme, year, uscc) where state = 'applied';
create unique index qualification_stands_once on qualification (tenant, scheme, year, uscc) where state = 'admitted';
comment on column qualification.through_on is 'the last day on which it counts; the day before it began where it never did';
create index qualification_of on qualification (tenant, uscc);

-- A provider's admission to a scheme's directory (入库), one row for each application: a renewed certificate is a new
-- one, and the old stands until it ends. `direct`: its kind is admitted without review, and it never had to leave.
create table admission (
    tenant               text not null references tenant,
    id                   uuid not null,
    scheme               text not null,
    uscc                 text not null,
    name                 text not null,
    division             text not null check (division ~ '^[0-9]{6}$'),
    kind                 text not null,
    direct               boolean not null,
    established_on       date,
    on_platform          boolean,
    platform_number      text,
    proofs               text not null,
    policy_version       text not null,
    state                text not null check (state in ('applied', 'admitted', 'refused', 'exited')),
    from_on              date not null,
    through_on           date check (through_on >= from_on - 1),
    publicity_through_on date,
    calendar_version     text,
    exit_ground          text check (exit_ground in ('fraud', 'complaints', 'other')),
    entered_by           text not null,
    entered_at           timestamptz not null,
    decided_by           text,
    decided_at           timestamptz,
    reason               text,
    primary key (tenant, id),
    check (num_nulls(decided_by, decided_at) in (0, 2)),
    check (num_nulls(publicity_through_on, calendar_version) in (0, 2)),
    check ((exit_ground is not null) = (state = 'exited')),
    constraint admission_decided check (case state
        when 'applied' then decided_by is null and not direct
        when 'admitted' then (decided_by is null) = direct
        else decided_by is not null and reason is not null end),
    -- reviewed providers count from the day after their public notice
    constraint admission_after_publicity check (direct or state not in ('admitted', 'exited') or coalesce(
        from_on > publicity_through_on, false)),
    constraint admission_four_eyes check (decided_by <> entered_by)
);
create unique index admission_waits_once on admission (tenant, scheme, uscc) where state = 'applied';
comment on column admission.on_platform is 'whether orders go through the platform; null: not stated, the platform''s own word stands';
comment on column admission.through_on is 'the last day on which it counts; null: until the provider leaves';
create index admission_of on admission (tenant, uscc);

-- Providers whose own confirmation replaces review (服务承诺制): a whole list at a time, one version after the other.
create table trust_list (
    tenant      text not null references tenant,
    version     integer not null check (version > 0),
    cite        text not null,
    state       text not null check (state in ('proposed', 'approved', 'rejected', 'superseded')),
    proposed_by text not null,
    proposed_at timestamptz not null,
    decided_by  text,
    decided_at  timestamptz,
    reason      text,
    primary key (tenant, version),
    check (num_nulls(decided_by, decided_at) in (0, 2)),
    check ((decided_by is not null) = (state in ('approved', 'rejected'))),
    constraint trust_list_four_eyes check (decided_by <> proposed_by)
);
create unique index trust_list_proposed_once on trust_list (tenant) where state = 'proposed';

create table trust_listing (
    tenant     text not null,
    version    integer not null,
    uscc       text not null,
    name       text not null,
    from_on    date not null,
    through_on date not null check (through_on >= from_on),
    primary key (tenant, version, uscc),
    foreign key (tenant, version) references trust_list (tenant, version)
);
create index trust_listing_of on trust_listing (tenant, uscc);
create trigger trust_listing_append_only before update or delete on trust_listing
    for each row execute function refuse_change();
create trigger trust_listing_never_emptied before truncate on trust_listing
    for each statement execute function refuse_change();

-- ------------------------------------------------------------------------------------------------- who may do what

do $$
declare t text;
begin
    foreach t in array array['qualification', 'admission', 'trust_list', 'trust_listing'] loop
        execute format('alter table %I enable row level security, force row level security', t);
        execute format('create policy tenant_only on %I to clearing_app, clearing_owner using (tenant = any ((select bound_tenants())::text[]))', t);
        execute format('revoke all on %I from public', t);
        execute format('grant select, insert on %I to clearing_app', t);
        execute format('grant select on %I to clearing_auditor', t);
    end loop;
end $$;
grant update (name, enterprise_type, proof, policy_version, at_once, state, from_on, through_on, entered_by, entered_at,
              decided_by, decided_at, reason) on qualification to clearing_app;
grant update (name, division, kind, direct, established_on, on_platform, platform_number, proofs, policy_version, state,
              from_on, through_on, publicity_through_on, calendar_version, exit_ground, entered_by, entered_at,
              decided_by, decided_at, reason) on admission to clearing_app;
grant update (state, decided_by, decided_at, reason) on trust_list to clearing_app;
