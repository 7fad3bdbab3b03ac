-- A month that finance has closed: its figures stand, and nothing is posted to it any more.

create table month_close (
    tenant          text not null references tenant,
    month_on        date not null check (extract(day from month_on) = 1),
    id              uuid not null,
    ends_at         timestamptz not null,
    report          text not null,
    report_sha256   text not null check (report_sha256 ~ '^[0-9a-f]{64}$'),
    previous_sha256 text not null check (previous_sha256 ~ '^[0-9a-f]{64}$'),
    closed_by       text not null,
    closed_at       timestamptz not null,
    primary key (tenant, month_on),
    unique (tenant, id),
    check (ends_at = (month_on + interval '1 month') at time zone 'Asia/Shanghai'),
    -- no posting of the month can be under way any more: none takes an hour
    constraint month_close_over check (closed_at >= ends_at + interval '1 hour')
);
comment on column month_close.month_on is 'the first day of the month';

-- Months are closed one after the other, and the first for everything before it.
create function check_month_order() returns trigger language plpgsql security definer as $$
begin
    if exists (select 1 from public.month_close m where m.tenant = new.tenant)
       and not exists (select 1 from public.month_close m where m.tenant = new.tenant
                          and m.month_on = new.month_on - interval '1 month' and m.report_sha256 = new.previous_sha256) then
        raise exception 'the month before is not closed' using errcode = '23514', constraint = 'month_close_order';
    end if;
    return new;
end $$;
create trigger month_close_in_order before insert on month_close for each row execute function check_month_order();

create function keep_closed_month() returns trigger language plpgsql security definer as $$
begin
    if exists (select 1 from posted n join public.month_close m on m.tenant = n.tenant and m.ends_at > n.at) then
        raise exception 'the month is closed' using errcode = '23514', constraint = 'ledger_transfer_month_open';
    end if;
    return null;
end $$;
create trigger ledger_transfer_month_open after insert on ledger_transfer
    referencing new table as posted for each statement execute function keep_closed_month();

create trigger month_close_append_only before update or delete on month_close for each row execute function refuse_change();
create trigger month_close_never_emptied before truncate on month_close for each statement execute function refuse_change();
alter table month_close enable row level security, force row level security;
create policy tenant_only on month_close to clearing_app, clearing_owner using (tenant = any ((select bound_tenants())::text[]));
revoke all on month_close from public;
revoke all on function check_month_order(), keep_closed_month() from public;
grant select, insert on month_close to clearing_app;
grant select on month_close to clearing_auditor;
