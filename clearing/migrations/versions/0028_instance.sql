-- What this database is: `real`, or a `sandbox` in which nothing is. Written by the owner when it is first migrated,
-- and never changed: the application can read it only, and nobody can update, delete or empty it.
create table instance (
    only_row boolean primary key default true check (only_row),
    mark     text not null check (mark in ('real', 'sandbox'))
);
comment on table instance is 'whether what is stored here is real; one row, for ever';
create trigger instance_append_only before update or delete on instance for each row execute function refuse_change();
create trigger instance_never_emptied before truncate on instance for each statement execute function refuse_change();

-- whatever was in use before there were sandboxes is real
insert into instance (mark) select 'real' from tenant limit 1;

-- A sandbox's payments go nowhere but into a folder of its own or to the simulated bank.
alter table bank_submission drop constraint bank_submission_method_check;
alter table bank_submission add constraint bank_submission_method_check
    check (method in ('folder', 'http', 'simulator'));
create function sandbox_sends_nowhere() returns trigger language plpgsql security definer as $$
begin
    if new.method not in ('folder', 'simulator') and (select mark from public.instance) = 'sandbox' then
        raise exception 'a sandbox sends no payment by %', new.method
            using errcode = '23514', constraint = 'bank_submission_of_sandbox';
    end if;
    if new.method = 'simulator' and (select mark from public.instance) <> 'sandbox' then
        raise exception 'the simulated bank is a sandbox''s'
            using errcode = '23514', constraint = 'bank_submission_of_sandbox';
    end if;
    return new;
end $$;
create trigger bank_submission_within_sandbox before insert on bank_submission
    for each row execute function sandbox_sends_nowhere();

revoke all on instance from public, clearing_app;
revoke all on function sandbox_sends_nowhere() from public;
grant select on instance to clearing_app, clearing_auditor;
