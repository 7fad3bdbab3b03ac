-- The foundation's schema. Written in SQL because it leans on what SQL alone says: row-level security, triggers,
-- partial indexes, checks. Every tenant table has `tenant` first in its primary key and in its foreign keys, so that a
-- foreign tenant's parent can never be referenced. Amounts are whole fen; instants are timestamptz; days are date.

-- ------------------------------------------------------------------------------------------------ scope of a session

create table service_clock (
    only_row        boolean primary key default true check (only_row),
    demonstration_at timestamptz not null,
    set_at          timestamptz not null
);

-- Binds the transaction to the tenants (comma separated) and platform it may touch, once; answers the demonstration
-- clock, so that every transaction learns the business time in the same round trip.
create function bind_scope(tenants text, platform text,
                           out demonstration_at timestamptz, out set_at timestamptz)
language plpgsql security definer as $$
begin
    if coalesce(pg_catalog.current_setting('clearing.bound', true), '') <> '' then
        raise exception 'the scope of this transaction is already bound' using errcode = '42501';
    end if;
    perform pg_catalog.set_config('clearing.bound', 'yes', true);
    perform pg_catalog.set_config('clearing.tenants', tenants, true);
    perform pg_catalog.set_config('clearing.platform', coalesce(platform, ''), true);
    select c.demonstration_at, c.set_at into demonstration_at, set_at from public.service_clock c;
end $$;

create function bound_tenants() returns text[] language sql stable as
$$ select pg_catalog.string_to_array(nullif(pg_catalog.current_setting('clearing.tenants', true), ''), ',') $$;

create function bound_platform() returns text language sql stable as
$$ select nullif(pg_catalog.current_setting('clearing.platform', true), '') $$;

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name using errcode = '42501';
end $$;

-- ---------------------------------------------------------------------------------------------------------- tenants

create table tenant (
    tenant      text primary key check (tenant ~ '^[a-z][a-z0-9-]{1,30}$'),
    code        text not null unique check (code ~ '^[A-Z]{2,5}$'),
    name_zh     text not null,
    name_en     text not null,
    divisions   text[] not null,
    created_at  timestamptz not null
);

create table policy_version (
    tenant         text not null references tenant,
    scheme         text not null,
    version        text not null,
    effective_on   date not null,
    document       text not null,
    content_sha256 text not null check (content_sha256 ~ '^[0-9a-f]{64}$'),
    demonstration  boolean not null,
    state          text not null check (state in ('draft', 'submitted', 'approved', 'rejected')),
    author         text not null,
    approver       text,
    recorded_at    timestamptz not null,
    approved_at    timestamptz,
    primary key (tenant, scheme, version),
    check (author is distinct from approver),
    check ((state = 'approved') = (approved_at is not null))
);
create unique index policy_version_in_force on policy_version (tenant, scheme, effective_on, demonstration)
    where state = 'approved';

create table payout_account (
    tenant                text primary key references tenant,
    account_name          text not null,
    account_number_sealed bytea not null,
    account_number_tail   text not null,
    bank_name             text not null,
    cnaps                 text not null,
    demonstration         boolean not null,
    set_by                text not null,
    set_at                timestamptz not null
);

create table linked_region (
    tenant   text not null references tenant,
    year     integer not null check (year between 2000 and 2100),
    division text not null check (division ~ '^[0-9]{6}$'),
    types    text[] not null check (cardinality(types) > 0),
    set_by   text not null,
    set_at   timestamptz not null,
    primary key (tenant, year, division)
);

-- What is on record about an enterprise or provider for a time: qualification, admission, sanction, trust list.
create table standing (
    tenant     text not null references tenant,
    id         uuid not null,
    kind       text not null check (kind in ('qualification', 'admission', 'sanction', 'trust')),
    uscc       text not null,
    from_on    date not null,
    through_on date not null check (through_on >= from_on),
    on_platform boolean,
    cite       text not null,
    set_by     text not null,
    set_at     timestamptz not null,
    primary key (tenant, id)
);
create index standing_of on standing (tenant, uscc, kind);

create table calendar_year (
    tenant    text not null references tenant,
    year      integer not null,
    version   text not null,
    holidays  date[] not null,
    workdays  date[] not null,
    cite      text not null,
    set_by    text not null,
    set_at    timestamptz not null,
    primary key (tenant, year)
);

create table client (
    client_id     text primary key,
    secret_hash   text not null,
    platform      text,
    tenants       text[] not null check (cardinality(tenants) > 0),
    scopes        text[] not null check (cardinality(scopes) > 0),
    person        text,
    created_at    timestamptz not null,
    revoked_at    timestamptz
);

create table access_token (
    token_sha256 bytea primary key check (length(token_sha256) = 32),
    client_id    text not null references client,
    scopes       text[] not null,
    issued_at    timestamptz not null,
    expires_at   timestamptz not null check (expires_at <= issued_at + interval '1 hour')
);
create index access_token_expiry on access_token (expires_at);

-- --------------------------------------------------------------------------------------------------- audit, outbox

create table audit_head (
    tenant text primary key references tenant,
    seq    bigint not null check (seq >= 0),
    hash   bytea not null check (length(hash) = 32),
    at     timestamptz not null
);

create table audit_entry (
    tenant     text not null references tenant,
    seq        bigint not null check (seq > 0),
    at         timestamptz not null,
    action     text not null,
    subject_id uuid not null,
    body       text not null,
    hash       bytea not null check (length(hash) = 32),
    primary key (tenant, seq)
);
create index audit_entry_subject on audit_entry (tenant, subject_id, seq);

create table outbox (
    id              uuid primary key,
    tenant          text not null references tenant,
    kind            text not null,
    platform        text,
    subject_id      uuid not null,
    payload         text not null,
    created_at      timestamptz not null,
    next_attempt_at timestamptz not null,
    attempts        integer not null default 0,
    last_error      text,
    done_at         timestamptz
);
create index outbox_open on outbox (kind, next_attempt_at) where done_at is null;

create table platform_feed (
    platform  text not null,
    seq       bigint not null check (seq > 0),
    outbox_id uuid not null unique references outbox,
    tenant    text not null,
    type      text not null,
    payload   text not null,
    at        timestamptz not null,
    primary key (platform, seq)
);

create table idempotency_key (
    client_id      text not null references client,
    key            text not null,
    request_sha256 bytea not null,
    status         integer,
    headers        text,
    body           bytea,
    created_at     timestamptz not null,
    primary key (client_id, key)
);

-- ----------------------------------------------------------------------------------------------------------- ledger

-- A `counted` account keeps its sums beside it, maintained by the trigger below and never by the application; where it
-- has a limit, what was taken from it (pending included) can never pass the limit: I7 and I8.
create table ledger_account (
    tenant             text not null references tenant,
    code               text not null,
    counted            boolean not null,
    limit_fen          bigint,
    debits_pending_fen bigint not null default 0 check (debits_pending_fen >= 0),
    debits_posted_fen  bigint not null default 0 check (debits_posted_fen >= 0),
    credits_posted_fen bigint not null default 0 check (credits_posted_fen >= 0),
    primary key (tenant, code),
    check (limit_fen is null or counted),
    constraint ledger_account_within_limit check (
        limit_fen is null or debits_pending_fen + debits_posted_fen - credits_posted_fen <= limit_fen)
);

create table ledger_transfer (
    tenant       text not null,
    id           uuid not null,
    kind         text not null check (kind in ('pending', 'post', 'void', 'posted')),
    debit        text not null,
    credit       text not null check (credit <> debit),
    amount_fen   bigint not null check (amount_fen > 0),
    pending_id   uuid check ((pending_id is not null) = (kind in ('post', 'void'))),
    reverses     uuid check (reverses is null or kind = 'posted'),
    is_pending   boolean generated always as (kind = 'pending') stored,
    of_pending   boolean generated always as (case when kind in ('post', 'void') then true end) stored,
    of_moved     boolean generated always as (case when reverses is not null then false end) stored,
    reason       text not null,
    subject_id   uuid not null,
    at           timestamptz not null,
    primary key (tenant, id),
    unique (tenant, id, is_pending, debit, credit, amount_fen),
    foreign key (tenant, debit) references ledger_account (tenant, code),
    foreign key (tenant, credit) references ledger_account (tenant, code),
    -- a post or void repeats the accounts and the amount of a pending transfer, which it ends
    foreign key (tenant, pending_id, of_pending, debit, credit, amount_fen)
        references ledger_transfer (tenant, id, is_pending, debit, credit, amount_fen),
    -- a reversal mirrors the accounts of a transfer that moved its amount
    foreign key (tenant, reverses, of_moved, credit, debit, amount_fen)
        references ledger_transfer (tenant, id, is_pending, debit, credit, amount_fen)
);
create unique index ledger_transfer_ends_once on ledger_transfer (tenant, pending_id) where pending_id is not null;
create unique index ledger_transfer_reversed_once on ledger_transfer (tenant, reverses) where reverses is not null;
create index ledger_transfer_subject on ledger_transfer (tenant, subject_id);

create function count_transfers() returns trigger language plpgsql security definer as $$
begin
    update public.ledger_account a
       set debits_pending_fen = a.debits_pending_fen + s.debits_pending,
           debits_posted_fen  = a.debits_posted_fen + s.debits_posted,
           credits_posted_fen = a.credits_posted_fen + s.credits_posted
      from (select x.tenant, x.code, sum(x.dp) as debits_pending, sum(x.d) as debits_posted, sum(x.c) as credits_posted
              from (select tenant, debit as code,
                           case kind when 'pending' then amount_fen when 'posted' then 0 else -amount_fen end as dp,
                           case when kind in ('post', 'posted') then amount_fen else 0 end as d, 0 as c
                      from inserted
                    union all
                    select tenant, credit, 0, 0, amount_fen from inserted where kind in ('post', 'posted')) x
             group by x.tenant, x.code) s
     where a.tenant = s.tenant and a.code = s.code and a.counted;
    return null;
end $$;
create trigger ledger_transfer_counts after insert on ledger_transfer
    referencing new table as inserted for each statement execute function count_transfers();

-- --------------------------------------------------------------------------------------------------------- registry

-- Blind: digests only. `total_fen` is the smallest face total that a taker stated; the fen taken by live holders can
-- never pass it: I4. Both are kept by the trigger below, from the holdings.
create table registry_key (
    digest          bytea not null check (length(digest) = 16),
    exclusion_group text not null,
    kind            text not null check (kind in ('invoice', 'contract', 'receipt', 'document')),
    key_version     smallint not null,
    total_fen       bigint check (total_fen > 0),
    taken_fen       bigint not null default 0 check (taken_fen >= 0),
    primary key (digest, exclusion_group),
    constraint registry_key_fen_once check (total_fen is null or taken_fen <= total_fen)
);

create table registry_holding (
    digest            bytea not null,
    exclusion_group   text not null,
    holder_id         uuid not null,
    holder_kind       text not null check (holder_kind in ('claim', 'support')),
    tenant            text not null,
    scheme            text not null,
    platform          text not null,
    enterprise_digest bytea not null,
    month             text not null,
    status            text not null check (status in ('taken', 'contending')),
    claimed_fen       bigint not null check (claimed_fen >= 0),
    stated_fen        bigint check (stated_fen > 0),
    primary key (digest, exclusion_group, holder_id),
    foreign key (digest, exclusion_group) references registry_key
);
create index registry_holding_holder on registry_holding (holder_id);

create function count_holdings() returns trigger language plpgsql security definer as $$
begin
    if tg_op <> 'INSERT' then -- the statement below then sees every total that others have stated until now
        perform 1 from public.registry_key k
          where (k.digest, k.exclusion_group) in (select r.digest, r.exclusion_group from removed r)
          order by k.digest, k.exclusion_group for no key update;
    end if;
    if tg_op = 'INSERT' then
        update public.registry_key k set taken_fen = k.taken_fen + s.fen, total_fen = least(k.total_fen, s.stated)
          from (select digest, exclusion_group, sum(claimed_fen) as fen, min(stated_fen) as stated
                  from added where status = 'taken' group by digest, exclusion_group) s
         where k.digest = s.digest and k.exclusion_group = s.exclusion_group;
    elsif tg_op = 'DELETE' then
        update public.registry_key k
           set taken_fen = k.taken_fen - s.fen,
               total_fen = (select min(h.stated_fen) from public.registry_holding h
                             where h.digest = k.digest and h.exclusion_group = k.exclusion_group and h.status = 'taken')
          from (select digest, exclusion_group, sum(claimed_fen) as fen from removed where status = 'taken'
                 group by digest, exclusion_group) s
         where k.digest = s.digest and k.exclusion_group = s.exclusion_group;
    else
        update public.registry_key k
           set taken_fen = k.taken_fen + s.fen,
               total_fen = (select min(h.stated_fen) from public.registry_holding h
                             where h.digest = k.digest and h.exclusion_group = k.exclusion_group and h.status = 'taken')
          from (select digest, exclusion_group, sum(fen) as fen from (
                    select digest, exclusion_group, case status when 'taken' then claimed_fen else 0 end as fen from added
                    union all
                    select digest, exclusion_group, case status when 'taken' then -claimed_fen else 0 end from removed) x
                 group by digest, exclusion_group) s
         where k.digest = s.digest and k.exclusion_group = s.exclusion_group;
    end if;
    return null;
end $$;
create trigger registry_holding_added after insert on registry_holding
    referencing new table as added for each statement execute function count_holdings();
create trigger registry_holding_removed after delete on registry_holding
    referencing old table as removed for each statement execute function count_holdings();
create trigger registry_holding_changed after update on registry_holding
    referencing old table as removed new table as added for each statement execute function count_holdings();

-- ----------------------------------------------------------------------------------------------------------- claims

create table number_series (
    tenant text not null references tenant,
    series text not null,
    year   integer not null,
    latest bigint not null check (latest >= 0),
    primary key (tenant, series, year)
);

create table reservation (
    tenant          text not null references tenant,
    id              uuid not null,
    reservation_no  text not null,
    platform        text not null,
    external_id     text not null,
    scheme          text not null,
    mode            text not null,
    state           text not null check (state in ('requested', 'confirmed', 'used', 'cancelled')),
    enterprise_uscc text not null,
    enterprise_name text not null,
    provider_uscc   text not null,
    provider_name   text not null,
    contract_number text not null,
    request         text not null,
    quota_year      integer not null,
    amount_fen      bigint not null check (amount_fen > 0),
    expires_on      date not null,
    requested_at    timestamptz not null,
    confirmed_at    timestamptz,
    confirmed_by    text,
    primary key (tenant, id),
    unique (platform, external_id),
    unique (tenant, reservation_no)
);

-- Spending that was subsidised and paid elsewhere: it blocks duplicates and nothing more.
create table support_record (
    tenant          text not null references tenant,
    id              uuid not null,
    platform        text not null,
    external_id     text not null,
    content_mac     bytea not null,
    supported_on    date not null,
    keys            integer not null check (keys > 0),
    client_id       text not null,
    received_at     timestamptz not null,
    primary key (tenant, id),
    constraint support_record_external_id unique (platform, external_id)
);

create table claim (
    tenant          text not null references tenant,
    id              uuid not null,
    claim_no        text not null,
    platform        text not null,
    external_id     text not null,
    scheme          text not null,
    mode            text not null,
    state           text not null check (state in ('rejected', 'needs_correction', 'on_hold', 'in_review', 'approved',
                                                   'withdrawn', 'clawed_back')),
    next_stage      text,
    revision        integer not null check (revision > 0),
    content_mac     bytea not null,
    policy_version  text,
    quota_year      integer,
    enterprise_uscc text not null,
    enterprise_name text not null,
    provider_uscc   text not null,
    provider_name   text not null,
    division        text not null,
    base_fen        bigint not null check (base_fen >= 0),
    computed_fen    bigint not null check (computed_fen >= 0),
    award_fen       bigint not null check (award_fen >= 0),
    matching_fen    bigint not null check (matching_fen >= 0),
    correction_due_on date,
    reservation_id  uuid,
    submitted_at    timestamptz not null,
    received_at     timestamptz not null,
    changed_at      timestamptz not null,
    primary key (tenant, id),
    constraint claim_external_id unique (platform, external_id),
    unique (tenant, claim_no),
    foreign key (tenant, reservation_id) references reservation (tenant, id),
    constraint claim_award_within_base check (award_fen <= computed_fen and computed_fen <= base_fen),
    check ((next_stage is not null) = (state = 'in_review'))
);
create index claim_open on claim (tenant, state, id) where state in ('on_hold', 'in_review', 'needs_correction');
create index claim_enterprise on claim (tenant, enterprise_uscc);

create table claim_revision (
    tenant      text not null,
    claim_id    uuid not null,
    revision    integer not null,
    submission  text not null,
    sealed      bytea not null,
    client_id   text not null,
    received_at timestamptz not null,
    primary key (tenant, claim_id, revision),
    foreign key (tenant, claim_id) references claim (tenant, id) deferrable initially deferred
);

create table assessment (
    tenant         text not null,
    claim_id       uuid not null,
    seq            integer not null,
    revision       integer not null,
    policy_version text,
    facts          text not null,
    result         text not null,
    result_sha256  bytea not null,
    reason         text not null,
    at             timestamptz not null,
    primary key (tenant, claim_id, seq),
    foreign key (tenant, claim_id) references claim (tenant, id) deferrable initially deferred
);

create table hold (
    tenant      text not null,
    id          uuid not null,
    claim_id    uuid not null,
    code        text not null,
    place       text not null,
    detail      text not null,
    opened_at   timestamptz not null,
    resolved_at timestamptz,
    resolved_by text,
    outcome     text check (outcome in ('clear', 'reject', 'withdrawn', 'superseded')),
    reason      text,
    primary key (tenant, id),
    foreign key (tenant, claim_id) references claim (tenant, id) deferrable initially deferred,
    check ((resolved_at is null) = (outcome is null))
);
create index hold_claim on hold (tenant, claim_id);

create table review (
    tenant    text not null,
    id        uuid not null,
    claim_id  uuid not null,
    revision  integer not null,
    stage     text not null,
    outcome   text not null check (outcome in ('approve', 'reject', 'correct')),
    award_fen bigint not null check (award_fen >= 0),
    reason    text,
    reviewer  text not null,
    person    text,
    at        timestamptz not null,
    primary key (tenant, id),
    foreign key (tenant, claim_id) references claim (tenant, id)
);
create index review_claim on review (tenant, claim_id);

-- ------------------------------------------------------------------------------------------------------- settlement

create table signing_key (
    kid            text primary key,
    tenant         text not null references tenant,
    purpose        text not null check (purpose in ('payout', 'checkpoint')),
    algorithm      text not null,
    public_jwk     text not null,
    private_sealed bytea not null,
    active_from    timestamptz not null,
    retired_at     timestamptz,
    revoked_at     timestamptz
);
create unique index signing_key_active on signing_key (tenant, purpose) where retired_at is null and revoked_at is null;

create table batch (
    tenant            text not null references tenant,
    id                uuid not null,
    batch_no          text not null,
    scheme            text not null,
    mode              text not null check (mode in ('common_use', 'cross_redemption')),
    kind              text not null check (kind in ('common_use', 'cross_redemption')),
    state             text not null check (state in ('cut', 'in_publicity', 'sealed', 'released', 'instructed',
                                                     'closed', 'cancelled')),
    cut_off_at        timestamptz not null,
    item_count        integer not null check (item_count >= 0),
    total_fen         bigint not null check (total_fen >= 0),
    cut_by            text not null,
    cut_at            timestamptz not null,
    state_by          text not null,
    published_by      text,
    published_on      date,
    publicity_through_on date,
    publicity_provisional boolean,
    calendar_version  text,
    working_days      integer,
    sealed_by         text,
    sealed_at         timestamptz,
    seal_no           bigint,
    merkle_root       text,
    previous_seal     text,
    seal_jws          text,
    seal_sha256       text,
    released_by       text,
    released_at       timestamptz,
    instructed_at     timestamptz,
    manifest_no       bigint,
    manifest_sha256   text,
    version           integer not null default 1,
    primary key (tenant, id),
    unique (tenant, batch_no),
    unique (tenant, seal_no),
    unique (tenant, manifest_no),
    check (num_nulls(published_by, published_on, publicity_through_on, publicity_provisional, calendar_version,
                     working_days) in (0, 6)),
    check (num_nulls(sealed_by, sealed_at, seal_no, merkle_root, previous_seal, seal_jws, seal_sha256) in (0, 7)),
    check (num_nulls(released_by, released_at) in (0, 2)),
    check (num_nulls(instructed_at, manifest_no, manifest_sha256) in (0, 3)),
    constraint batch_four_eyes check (released_by is null or (
        released_by <> cut_by and released_by is distinct from published_by and released_by is distinct from sealed_by)),
    -- I10: nothing is sealed before the publicity ended by a calendar that is not provisional
    constraint batch_publicity_over check (sealed_at is null or coalesce(
        not publicity_provisional and (sealed_at at time zone 'Asia/Shanghai')::date > publicity_through_on, false)),
    check (released_at is null or sealed_at is not null),
    check (instructed_at is null or released_at is not null),
    constraint batch_state_follows check (case state
        when 'cut' then published_on is null
        when 'in_publicity' then published_on is not null and sealed_at is null
        when 'sealed' then sealed_at is not null and released_at is null
        when 'released' then released_at is not null and instructed_at is null
        when 'instructed' then instructed_at is not null
        when 'cancelled' then sealed_at is null
        when 'closed' then instructed_at is not null or item_count = 0 end)
);
comment on column batch.state_by is 'who made the last change of state; the same step again by the same person changes nothing';
comment on column batch.seal_no is 'place in the chain of the tenant''s seals, from 1; previous_seal is the hash of the one before';

create table obligation (
    tenant          text not null,
    id              uuid not null,
    claim_no        text not null,
    platform        text not null,
    scheme          text not null,
    mode            text not null check (mode in ('common_use', 'cross_redemption')),
    quota_year      integer not null,
    enterprise_name text not null,
    provider_name   text not null,
    provider_uscc   text not null,
    payee_name      text not null,
    account_name    text not null,
    account_sealed  bytea not null,
    payee_digest    bytea not null check (length(payee_digest) = 32),
    bank_name       text not null,
    cnaps           text not null,
    amount_fen      bigint not null check (amount_fen > 0),
    approved_at     timestamptz not null,
    released_at     timestamptz,
    batch_id        uuid,
    primary key (tenant, id),
    foreign key (tenant, batch_id) references batch (tenant, id)
);
comment on column obligation.id is 'the id of the claim that was approved';
comment on column obligation.released_at is 'when it was taken back to its claim (objection, withdrawal)';
comment on column obligation.payee_digest is 'keyed digest of account number, account name and CNAPS: equal for claims paid to one account';
create index obligation_open on obligation (tenant, scheme, mode, approved_at) where batch_id is null and released_at is null;

create table batch_item (
    tenant     text not null,
    batch_id   uuid not null,
    line       integer not null check (line > 0),
    claim_id   uuid not null,
    amount_fen bigint not null check (amount_fen > 0),
    removed_at timestamptz,
    removed_reason text,
    primary key (tenant, batch_id, line),
    foreign key (tenant, batch_id) references batch (tenant, id),
    foreign key (tenant, claim_id) references obligation (tenant, id)
);
create unique index batch_item_claim_once on batch_item (tenant, claim_id) where removed_at is null;

-- A complaint during publicity: it takes its claim out of the batch. `source_digest` tells how often one sender wrote.
create table objection (
    tenant         text not null,
    id             uuid not null,
    batch_id       uuid not null,
    claim_id       uuid not null,
    made_by        text not null,
    made_at        timestamptz not null,
    reason         text not null,
    contact_sealed bytea,
    source_digest  bytea,
    primary key (tenant, id),
    foreign key (tenant, batch_id) references batch (tenant, id),
    foreign key (tenant, claim_id) references obligation (tenant, id)
);
create index objection_recent on objection (tenant, made_at) where source_digest is not null;

-- One payment, made at the release: its signed form is a line of the batch's payouts.jsonl.
create table instruction (
    tenant         text not null,
    id             uuid not null,
    batch_id       uuid not null,
    line           integer not null check (line > 0),
    payee_claim_id uuid not null,
    claim_count    integer not null check (claim_count > 0),
    amount_fen     bigint not null check (amount_fen > 0),
    created_at     timestamptz not null,
    primary key (tenant, id),
    unique (tenant, batch_id, line),
    foreign key (tenant, batch_id) references batch (tenant, id),
    foreign key (tenant, payee_claim_id) references obligation (tenant, id)
);
comment on table instruction is 'one for ever: the end-to-end id that travels to the bank is the id in base32';
comment on column instruction.payee_claim_id is 'the first of its claims: the account paid is that obligation''s';

create table instruction_claim (
    tenant         text not null,
    claim_id       uuid not null,
    instruction_id uuid not null,
    primary key (tenant, claim_id),
    foreign key (tenant, instruction_id) references instruction (tenant, id),
    foreign key (tenant, claim_id) references obligation (tenant, id)
);

create table batch_file (
    tenant     text not null,
    batch_id   uuid not null,
    name       text not null,
    media_type text not null,
    size_bytes bigint not null,
    sha256     text not null,
    sm3        text not null,
    primary key (tenant, batch_id, name),
    foreign key (tenant, batch_id) references batch (tenant, id)
);

-- The files hold account numbers in clear, so their parts are sealed like every account number.
create table batch_file_part (
    tenant   text not null,
    batch_id uuid not null,
    name     text not null,
    part     integer not null,
    sealed   bytea not null,
    primary key (tenant, batch_id, name, part),
    foreign key (tenant, batch_id, name) references batch_file (tenant, batch_id, name) deferrable initially deferred
);

-- a claim's state after approval is its batch's: one row per batch changes, never one per claim
create view claim_now with (security_invoker = true) as
select c.*, o.batch_id,
       case when c.state <> 'approved' or o.batch_id is null then c.state
            else case b.state when 'cut' then 'batched' when 'in_publicity' then 'in_publicity'
                              when 'sealed' then 'payable' when 'released' then 'payable'
                              when 'instructed' then 'instructed' when 'closed' then 'paid' end
       end as state_now
  from claim c
  left join obligation o on o.tenant = c.tenant and o.id = c.id and o.released_at is null
  left join batch b on b.tenant = o.tenant and b.id = o.batch_id;

-- ---------------------------------------------------------------------------------------------- what never changes

do $$
declare t text;
begin
    foreach t in array array['audit_entry', 'ledger_transfer', 'support_record', 'claim_revision', 'assessment', 'review',
                             'platform_feed', 'objection', 'instruction', 'instruction_claim', 'batch_file', 'batch_file_part'] loop
        execute format('create trigger %I before update or delete on %I for each row execute function refuse_change()',
                       t || '_append_only', t);
        execute format('create trigger %I before truncate on %I for each statement execute function refuse_change()',
                       t || '_never_emptied', t);
    end loop;
end $$;

-- A sealed batch keeps its items, totals, dates and seal (I11); only what comes after the seal may still be filled in.
create function keep_sealed_batch() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        raise exception 'a batch is never deleted' using errcode = '42501';
    end if;
    if old.sealed_at is not null and
       to_jsonb(new) - array['state', 'state_by', 'version', 'released_by', 'released_at', 'instructed_at', 'manifest_no',
                             'manifest_sha256']
       is distinct from
       to_jsonb(old) - array['state', 'state_by', 'version', 'released_by', 'released_at', 'instructed_at', 'manifest_no',
                             'manifest_sha256'] then
        raise exception 'a sealed batch never changes' using errcode = '42501';
    end if;
    if old.released_at is not null and (new.released_by, new.released_at) is distinct from (old.released_by, old.released_at) then
        raise exception 'a release never changes' using errcode = '42501';
    end if;
    if old.instructed_at is not null and (new.instructed_at, new.manifest_no, new.manifest_sha256)
       is distinct from (old.instructed_at, old.manifest_no, old.manifest_sha256) then
        raise exception 'what was instructed never changes' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger batch_kept before update or delete on batch for each row execute function keep_sealed_batch();

-- Waits for a seal that is just being made (`for share` against the sealer's lock), then looks.
create function keep_sealed_items() returns trigger language plpgsql security definer as $$
begin
    perform 1 from public.batch b where (b.tenant, b.id) in (select distinct n.tenant, n.batch_id from changed n) for share;
    if exists (select 1 from public.batch b
                where (b.tenant, b.id) in (select distinct n.tenant, n.batch_id from changed n) and b.sealed_at is not null) then
        raise exception 'the items of a sealed batch never change' using errcode = '42501';
    end if;
    return null;
end $$;
create trigger batch_item_added after insert on batch_item
    referencing new table as changed for each statement execute function keep_sealed_items();
create trigger batch_item_changed after update on batch_item
    referencing new table as changed for each statement execute function keep_sealed_items();
create trigger batch_item_kept before delete on batch_item for each row execute function refuse_change();

-- What an obligation says changes only while it is back with its claim; it leaves no sealed batch.
create function keep_obligation() returns trigger language plpgsql security definer as $$
begin
    if tg_op = 'DELETE' then
        raise exception 'an obligation is never deleted' using errcode = '42501';
    end if;
    if old.released_at is null and
       to_jsonb(new) - array['batch_id', 'released_at'] is distinct from to_jsonb(old) - array['batch_id', 'released_at'] then
        raise exception 'a standing obligation never changes' using errcode = '42501';
    end if;
    if exists (select 1 from public.batch b where b.tenant = old.tenant and b.id = old.batch_id and b.sealed_at is not null) then
        raise exception 'an obligation of a sealed batch never changes' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger obligation_deleted before delete on obligation for each row execute function keep_obligation();
-- taking an open obligation into a batch is the common case and needs no look
create trigger obligation_kept before update on obligation for each row
    when (old.batch_id is not null or old.released_at is not null or new.batch_id is null or
          (old.tenant, old.id, old.claim_no, old.platform, old.scheme, old.mode, old.quota_year, old.enterprise_name,
           old.provider_name, old.provider_uscc, old.payee_name, old.account_name, old.account_sealed, old.payee_digest,
           old.bank_name, old.cnaps, old.amount_fen, old.approved_at) is distinct from
          (new.tenant, new.id, new.claim_no, new.platform, new.scheme, new.mode, new.quota_year, new.enterprise_name,
           new.provider_name, new.provider_uscc, new.payee_name, new.account_name, new.account_sealed, new.payee_digest,
           new.bank_name, new.cnaps, new.amount_fen, new.approved_at))
    execute function keep_obligation();

-- ------------------------------------------------------------------------------------------------- who may do what

do $$
declare t text;
begin
    foreach t in array array['policy_version', 'payout_account', 'linked_region', 'standing', 'calendar_year',
                             'audit_head', 'audit_entry', 'ledger_account', 'ledger_transfer', 'number_series',
                             'reservation', 'support_record', 'claim_revision', 'assessment', 'hold', 'review', 'batch', 'obligation',
                             'batch_item', 'objection', 'instruction', 'instruction_claim', 'batch_file',
                             'batch_file_part'] loop
        execute format('alter table %I enable row level security, force row level security', t);
        -- the owner too: the functions above run as the owner and stay within the bound tenants
        execute format('create policy tenant_only on %I to clearing_app, clearing_owner using (tenant = any ((select bound_tenants())::text[]))', t);
    end loop;
end $$;
alter table claim enable row level security, force row level security;
create policy tenant_only on claim to clearing_app, clearing_owner
    using (tenant = any ((select bound_tenants())::text[])
           and ((select bound_platform()) is null or platform = (select bound_platform())));

revoke all on all tables in schema public from public;
revoke all on all functions in schema public from public;
grant execute on function bind_scope(text, text), bound_tenants(), bound_platform() to clearing_app;
grant select, insert on all tables in schema public to clearing_app;
grant update on service_clock to clearing_app;
grant update (state, approver, approved_at) on policy_version to clearing_app;
grant update on payout_account to clearing_app;
grant update, delete on linked_region to clearing_app;
grant update (revoked_at) on client to clearing_app;
grant delete on access_token to clearing_app;
grant update on audit_head, idempotency_key, number_series to clearing_app;
grant update (next_attempt_at, attempts, last_error, done_at) on outbox to clearing_app;
grant update (limit_fen) on ledger_account to clearing_app;
grant update (key_version) on registry_key to clearing_app; -- what an upsert needs to lock a row
grant update (status, claimed_fen), delete on registry_holding to clearing_app;
grant update (state, confirmed_at, confirmed_by) on reservation to clearing_app;
grant update on claim, batch to clearing_app;
grant update (resolved_at, resolved_by, outcome, reason) on hold to clearing_app;
grant update (retired_at, revoked_at) on signing_key to clearing_app;
grant update on obligation to clearing_app;
grant update (removed_at, removed_reason) on batch_item to clearing_app;
grant select on all tables in schema public to clearing_auditor;
