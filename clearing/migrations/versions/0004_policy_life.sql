-- The life of a policy version: draft → submitted → approved | rejected. Its kind says how it may come into force:
-- `shipped` with the product, `ordinary` never before its approval, `retroactive` as an act of its own.

alter table policy_version
    add column kind text not null default 'shipped' check (kind in ('shipped', 'ordinary', 'retroactive')),
    add column correction integer not null default 0 check (correction between 0 and 99),
    add column submitter text,
    add column submitted_at timestamptz,
    add column reason text,
    add constraint policy_version_content check (
        content_sha256 = encode(sha256(convert_to(document, 'UTF8')), 'hex')),
    add constraint policy_version_shipped check ((kind = 'shipped') = (author = 'shipped')),
    add constraint policy_version_submitted check (num_nulls(submitter, submitted_at) in (0, 2)
        and (submitter is null) = (state = 'draft' or kind = 'shipped')),
    add constraint policy_version_four_eyes check (approver is distinct from submitter or approver is null),
    add constraint policy_version_decided check ((approver is null) = (state in ('draft', 'submitted'))),
    add constraint policy_version_ahead check (state <> 'approved' or kind <> 'ordinary'
        or effective_on >= (approved_at at time zone 'Asia/Shanghai')::date),
    add constraint policy_version_back_with_reason check (kind <> 'retroactive' or reason is not null);
alter table policy_version alter column kind drop default, alter column correction drop default;
comment on column policy_version.kind is 'how it may come into force: with the product, ahead of time, or retroactively';
comment on column policy_version.correction is 'which correction of the version of that day it is; 0: the version itself';
comment on column policy_version.reason is 'why it is drafted; of a rejected version why it was rejected';

drop index policy_version_in_force;
create unique index policy_version_in_force
    on policy_version (tenant, scheme, effective_on, demonstration, correction) where state = 'approved';

-- A version begins as a draft, is changed only as a draft (or anew after a rejection), and never once it is approved.
create function keep_policy_version() returns trigger language plpgsql as $$
begin
    if tg_op in ('DELETE', 'TRUNCATE') then
        raise exception 'a policy version is never deleted' using errcode = '42501';
    end if;
    if tg_op = 'INSERT' then
        if new.kind <> 'shipped' and new.state <> 'draft' then
            raise exception 'a policy version begins as a draft' using errcode = '42501';
        end if;
        return new;
    end if;
    if old.state = 'approved' then
        raise exception 'an approved policy version never changes' using errcode = '42501';
    end if;
    if (old.state, new.state) not in (('draft', 'draft'), ('draft', 'submitted'), ('submitted', 'approved'),
                                      ('submitted', 'rejected'), ('rejected', 'draft')) then
        raise exception 'a policy version does not go from % to %', old.state, new.state using errcode = '42501';
    end if;
    if (new.tenant, new.scheme, new.version, new.effective_on, new.demonstration, new.kind, new.correction)
       is distinct from
       (old.tenant, old.scheme, old.version, old.effective_on, old.demonstration, old.kind, old.correction) then
        raise exception 'a policy version keeps its name, day and kind' using errcode = '42501';
    end if;
    if new.state <> 'draft' and (new.document, new.content_sha256, new.author, new.recorded_at)
       is distinct from (old.document, old.content_sha256, old.author, old.recorded_at) then
        raise exception 'only a draft is rewritten' using errcode = '42501';
    end if;
    if new.state in ('approved', 'rejected') and
       (new.submitter, new.submitted_at) is distinct from (old.submitter, old.submitted_at) then
        raise exception 'a decision leaves the submission as it was' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger policy_version_kept before insert or update or delete on policy_version
    for each row execute function keep_policy_version();
create trigger policy_version_never_emptied before truncate on policy_version
    for each statement execute function keep_policy_version();
revoke all on function keep_policy_version() from public;

grant update (state, document, content_sha256, author, approver, recorded_at, approved_at, submitter, submitted_at, reason)
    on policy_version to clearing_app;
