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

-- ---------------------------------------------------------------------------------------------------------- waitlist

create index hold_waitlist on hold (tenant, claim_id) where code = 'award.budget' and resolved_at is null;

-- ---------------------------------------------------------------------------------------------------------- calendar

-- every loading of a year is kept: a computed day names the version it was counted by
alter table calendar_year drop constraint calendar_year_pkey;
alter table calendar_year add constraint calendar_year_pkey primary key (tenant, year, version);
create trigger calendar_year_append_only before update or delete on calendar_year
    for each row execute function refuse_change();
create trigger calendar_year_never_emptied before truncate on calendar_year
    for each statement execute function refuse_change();

-- ----------------------------------------------------------------------------------------------------- reservations

-- a reservation that nobody used by the end of its quota year is expired, not cancelled (电子券当年有效，逾期自动作废)
alter table reservation drop constraint reservation_state_check;
alter table reservation add constraint reservation_state_check
    check (state in ('requested', 'confirmed', 'used', 'cancelled', 'expired'));
create index reservation_ending on reservation (expires_on) where state in ('requested', 'confirmed');

-- ------------------------------------------------------------------------------------------- who decides about whom

-- One natural person never decides two stages of one revision.
create unique index review_four_eyes on review (tenant, claim_id, revision, person) where person is not null;

-- Who may not decide about whom (回避): declared by anybody, ended by another person than the one concerned.
create table interest (
    tenant      text not null references tenant,
    id          uuid not null,
    person      text not null,
    uscc        text not null,
    ground      text not null,
    declared_by text not null,
    declared_at timestamptz not null,
    ended_by    text,
    ended_at    timestamptz,
    end_reason  text,
    primary key (tenant, id),
    check (num_nulls(ended_by, ended_at, end_reason) in (0, 3)),
    constraint interest_ended_by_another check (ended_by <> person)
);
create unique index interest_once on interest (tenant, person, uscc) where ended_at is null;

create function refuse_interested(of_tenant text, decider text, parties text[]) returns void
language plpgsql security definer as $$
begin
    if exists (select 1 from public.interest i where i.tenant = of_tenant and i.person = decider
                  and i.uscc = any (parties) and i.ended_at is null) then
        raise exception 'who decides has an interest in a party' using errcode = '23514', constraint = 'decider_interest';
    end if;
end $$;

create function keep_reviewer_apart() returns trigger language plpgsql security definer as $$
begin
    perform public.refuse_interested(new.tenant, new.person, array[c.enterprise_uscc, c.provider_uscc])
       from public.claim c where c.tenant = new.tenant and c.id = new.claim_id;
    if exists (select 1 from public.claim_revision r join public.client c on c.client_id = r.client_id
                where r.tenant = new.tenant and r.claim_id = new.claim_id and c.person = new.person) then
        raise exception 'who submitted a claim does not review it'
            using errcode = '23514', constraint = 'decider_submitted';
    end if;
    return new;
end $$;
create trigger review_apart before insert on review for each row when (new.person is not null)
    execute function keep_reviewer_apart();

create function keep_resolver_apart() returns trigger language plpgsql security definer as $$
begin
    perform public.refuse_interested(new.tenant, new.resolved_by, array[c.enterprise_uscc, c.provider_uscc])
       from public.claim c where c.tenant = new.tenant and c.id = new.claim_id;
    return new;
end $$;
create trigger hold_apart before update of resolved_by on hold for each row
    when (new.outcome in ('clear', 'reject')) execute function keep_resolver_apart();

create function keep_confirmer_apart() returns trigger language plpgsql security definer as $$
begin
    perform public.refuse_interested(new.tenant, new.confirmed_by, array[new.enterprise_uscc, new.provider_uscc]);
    return new;
end $$;
create trigger reservation_apart before update of confirmed_by on reservation for each row
    when (new.confirmed_by is not null) execute function keep_confirmer_apart();

create function keep_admitter_apart() returns trigger language plpgsql security definer as $$
begin
    perform public.refuse_interested(new.tenant, new.decided_by, array[new.uscc]);
    return new;
end $$;
create trigger qualification_apart before update of decided_by on qualification for each row
    when (new.decided_by is not null) execute function keep_admitter_apart();
create trigger admission_apart before update of decided_by on admission for each row
    when (new.decided_by is not null) execute function keep_admitter_apart();

-- Samples (抽查) of claims that a trust list let pass without review: by a seed that is kept, so that anybody can draw
-- them again. The claims with the smallest SHA-256 of seed and id are taken.
create table sample (
    tenant     text not null references tenant,
    id         uuid not null,
    scheme     text not null,
    from_on    date not null,
    through_on date not null check (through_on >= from_on),
    share      text not null,
    cite       text not null,
    seed       bytea not null check (length(seed) = 32),
    population integer not null check (population > 0),
    size       integer not null check (size between 1 and population),
    drawn_by   text not null,
    drawn_at   timestamptz not null,
    primary key (tenant, id),
    unique (tenant, scheme, from_on, through_on),
    check ((drawn_at at time zone 'Asia/Shanghai')::date > through_on)
);

create table sample_item (
    tenant     text not null,
    sample_id  uuid not null,
    line       integer not null check (line > 0),
    claim_id   uuid not null,
    outcome    text check (outcome in ('sound', 'unsound')),
    reason     text,
    decided_by text,
    decided_at timestamptz,
    primary key (tenant, sample_id, line),
    unique (tenant, sample_id, claim_id),
    foreign key (tenant, sample_id) references sample (tenant, id),
    foreign key (tenant, claim_id) references claim (tenant, id),
    check (num_nulls(outcome, decided_by, decided_at) in (0, 3)),
    check (outcome is distinct from 'unsound' or reason is not null)
);
create function keep_sampler_apart() returns trigger language plpgsql security definer as $$
begin
    if old.outcome is not null then
        raise exception 'a decided sample never changes' using errcode = '42501';
    end if;
    perform public.refuse_interested(new.tenant, new.decided_by, array[c.enterprise_uscc, c.provider_uscc])
       from public.claim c where c.tenant = new.tenant and c.id = new.claim_id;
    return new;
end $$;
create trigger sample_item_apart before update on sample_item for each row execute function keep_sampler_apart();
create trigger sample_append_only before update or delete on sample
    for each row execute function refuse_change();
create trigger sample_never_emptied before truncate on sample
    for each statement execute function refuse_change();

revoke all on function refuse_interested(text, text, text[]), keep_reviewer_apart(), keep_resolver_apart(),
    keep_confirmer_apart(), keep_admitter_apart(), keep_sampler_apart() from public;

-- ------------------------------------------------------------------------------------------------- who may do what

do $$
declare t text;
begin
    foreach t in array array['qualification', 'admission', 'trust_list', 'trust_listing', 'interest', 'sample', 'sample_item'] loop
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
grant update (ended_by, ended_at, end_reason) on interest to clearing_app;
grant update (outcome, reason, decided_by, decided_at) on sample_item to clearing_app;
