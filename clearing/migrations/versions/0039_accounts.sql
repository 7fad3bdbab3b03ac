-- Roles are taken and given after an account was made: never by the person whose they are.

alter table console_account add column roles_set_by text;
alter table console_account disable trigger console_account_kept;
update console_account set roles_set_by = 'operator';
alter table console_account enable trigger console_account_kept;
alter table console_account
    alter column roles_set_by set not null,
    add constraint console_account_roles_by_another check (roles_set_by <> '' and roles_set_by <> person);
comment on column console_account.roles_set_by is 'who last said which roles it has; never the person itself, by whichever account';
grant update (roles, roles_set_by) on console_account to clearing_app;
