-- A suspected duplicate (疑似重复): two holders of one spending, the one that came later and the one that was there.
-- One row for both sides, so that deciding for one side decides the other: each side's tenant sees it, and no other.
create table duplicate_case (
    id               uuid primary key,
    kind             text not null check (kind in ('hold', 'collision', 'red_letter')),
    code             text not null,
    opened_at        timestamptz not null,
    due_on           date not null,
    later_tenant     text not null references tenant,
    later_kind       text not null check (later_kind in ('claim', 'support')),
    later_id         uuid not null,
    later_platform   text not null,
    later_month      text not null,
    later_owner      text,
    earlier_tenant   text not null references tenant,
    earlier_kind     text not null check (earlier_kind in ('claim', 'support')),
    earlier_id       uuid not null,
    earlier_platform text not null,
    earlier_month    text not null,
    earlier_owner    text,
    resolved_at      timestamptz,
    resolved_by      text,
    resolved_for     text check (resolved_for in ('later', 'earlier')),
    outcome          text check (outcome in ('distinct', 'later_stands', 'earlier_stands', 'ended')),
    reason           text,
    check (later_id <> earlier_id),
    check (num_nulls(resolved_at, resolved_by, resolved_for, outcome) in (0, 4)),
    check (reason is null or resolved_at is not null),
    -- what was paid elsewhere can only be the earlier side of a hold, and collides only with a claim
    constraint duplicate_case_kinds check (case kind
        when 'hold' then later_kind = 'claim'
        when 'collision' then later_kind = 'support' and earlier_kind = 'claim'
        when 'red_letter' then later_kind = 'support' end)
);
create unique index duplicate_case_open_once on duplicate_case (later_id, earlier_id, code) where resolved_at is null;
comment on column duplicate_case.kind is 'hold: the later claim is held; collision: the earlier claim is held or was paid; red_letter: the earlier was paid';
comment on column duplicate_case.resolved_for is 'the side whose tenant decided';
create index duplicate_case_later on duplicate_case (later_tenant, id);
create index duplicate_case_earlier on duplicate_case (earlier_tenant, id);
create index duplicate_case_earlier_open on duplicate_case (earlier_id) where resolved_at is null;
create index duplicate_case_later_open on duplicate_case (later_id) where resolved_at is null;

-- A decided case stays decided, and what it was opened for never changes.
create function keep_duplicate_case() returns trigger language plpgsql as $$
begin
    if tg_op <> 'UPDATE' then
        raise exception 'a case is never deleted' using errcode = '42501';
    end if;
    if old.resolved_at is not null then
        raise exception 'a resolved case never changes' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger duplicate_case_kept before update or delete on duplicate_case
    for each row execute function keep_duplicate_case();
create trigger duplicate_case_never_emptied before truncate on duplicate_case
    for each statement execute function keep_duplicate_case();

alter table duplicate_case enable row level security, force row level security;
create policy either_side on duplicate_case to clearing_app, clearing_owner
    using (later_tenant = any ((select bound_tenants())::text[]) or earlier_tenant = any ((select bound_tenants())::text[]));

revoke all on duplicate_case from public;
revoke all on function keep_duplicate_case() from public;
grant select, insert on duplicate_case to clearing_app;
grant update (later_owner, earlier_owner, resolved_at, resolved_by, resolved_for, outcome, reason) on duplicate_case
    to clearing_app;
grant select on duplicate_case to clearing_auditor;
