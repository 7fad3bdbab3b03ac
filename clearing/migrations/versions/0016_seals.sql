-- A seal is signed by two sides: with the tenant's key for its maker, and with a key of their own by each releaser.

-- ------------------------------------------------------------------------------------------- a person's release key

alter table signing_key drop constraint signing_key_purpose_check;
alter table signing_key add constraint signing_key_purpose_check check (purpose in ('payout', 'checkpoint', 'release'));
alter table signing_key add column holder text;
alter table signing_key add constraint signing_key_holder check ((purpose = 'release') = (holder is not null));
comment on column signing_key.holder is 'the person whose key it is; null: the tenant''s';
drop index signing_key_active;
create unique index signing_key_active on signing_key (tenant, purpose, coalesce(holder, ''))
    where retired_at is null and revoked_at is null;

-- --------------------------------------------------------------------------------------------- releasers' signatures

-- `number` of `needed`: above the tenant's limit two people sign.
create table release_signature (
    tenant      text not null,
    batch_id    uuid not null,
    number      integer not null check (number between 1 and needed),
    needed      integer not null check (needed in (1, 2)),
    released_by text not null,
    released_at timestamptz not null,
    jws         text not null,
    primary key (tenant, batch_id, number),
    constraint release_signature_other_person unique (tenant, batch_id, released_by),
    foreign key (tenant, batch_id) references batch (tenant, id)
);

create function check_release_signature() returns trigger language plpgsql security definer as $$
declare
    of public.batch;
begin
    select b.* into of from public.batch b where b.tenant = new.tenant and b.id = new.batch_id;
    if of.state <> 'sealed' or new.released_by in (of.cut_by, of.published_by, of.sealed_by) then
        raise exception 'a sealed batch is signed by who did not make it'
            using errcode = '23514', constraint = 'release_signature_four_eyes';
    end if;
    return new;
end $$;
create trigger release_signature_four_eyes before insert on release_signature
    for each row execute function check_release_signature();

create function check_release_signed() returns trigger language plpgsql security definer as $$
declare
    signed integer;
    required integer;
    first text;
begin
    select f.released_by into first from public.first_release f where f.tenant = new.tenant and f.batch_id = new.id;
    required := 1 + (first is not null)::integer;
    select count(*) into signed from public.release_signature s
     where s.tenant = new.tenant and s.batch_id = new.id and s.needed = required
       and (s.number < s.needed and s.released_by = first
            or s.number = s.needed and s.released_by = new.released_by and s.released_at = new.released_at);
    if signed <> required then
        raise exception 'each releaser signs what is released' using errcode = '23514', constraint = 'batch_release_signed';
    end if;
    return new;
end $$;
create trigger batch_release_signed after update on batch
    for each row when (old.released_at is null and new.released_at is not null) execute function check_release_signed();

-- ------------------------------------------------------------------------------------------------- who may do what

alter table release_signature enable row level security, force row level security;
create policy tenant_only on release_signature to clearing_app, clearing_owner
    using (tenant = any ((select bound_tenants())::text[]));
create trigger release_signature_append_only before update or delete on release_signature
    for each row execute function refuse_change();
create trigger release_signature_never_emptied before truncate on release_signature
    for each statement execute function refuse_change();

revoke all on release_signature from public;
revoke all on function check_release_signature(), check_release_signed() from public;
grant select, insert on release_signature to clearing_app;
grant select on release_signature to clearing_auditor;
