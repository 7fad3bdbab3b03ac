-- Each claim's payout is an event of its own from now on. What banks told before, and what was issued again, is told to
-- the platforms now, each with the instant of what it tells of, so that every payment has its events.

alter table instruction_outcome no force row level security;
alter table instruction_claim no force row level security;
alter table reissue no force row level security;
alter table obligation no force row level security;
alter table batch no force row level security;

with recursive told (tenant, event, obligation_id, at) as (
    select x.tenant, x.outcome, c.claim_id, x.at
      from instruction_outcome x
      join instruction_claim c on c.tenant = x.tenant and c.instruction_id = x.instruction_id
     where x.outcome in ('paid', 'returned', 'rejected')
    union all
    select r.tenant, 'reissued', r.obligation_id, r.made_at from reissue r),
up (tenant, event, obligation_id, at, id, payment) as (
    select t.tenant, t.event, t.obligation_id, t.at, t.obligation_id, 1 from told t
    union all
    select u.tenant, u.event, u.obligation_id, u.at, r.of_obligation, u.payment + 1
      from up u join reissue r on r.tenant = u.tenant and r.obligation_id = u.id),
said as (
    select u.tenant, u.event, u.at, o.platform, coalesce(first.origin_id, first.id) as claim_id,
           format('{"amount":"%s","batch_id":%s,"batch_no":%s,"claim_id":"%s","claim_no":"%s","instruction_id":%s,'
                  '"kind":"%s","payment":%s,"tenant":"%s"}',
                  o.amount_fen / 100 || '.' || lpad((o.amount_fen % 100)::text, 2, '0'),
                  coalesce('"' || b.id || '"', 'null'), coalesce('"' || b.batch_no || '"', 'null'),
                  coalesce(first.origin_id, first.id), o.claim_no, coalesce('"' || c.instruction_id || '"', 'null'),
                  coalesce(first.kind, first.mode), u.payment, o.tenant) as payload
      from up u
      join obligation first on first.tenant = u.tenant and first.id = u.id
      join obligation o on o.tenant = u.tenant and o.id = u.obligation_id
      left join instruction_claim c on u.event <> 'reissued' and c.tenant = o.tenant and c.claim_id = o.id
      left join batch b on c.claim_id is not null and b.tenant = o.tenant and b.id = o.batch_id
     where first.kind is distinct from 'incentive'
       and not exists (select 1 from reissue r where r.tenant = u.tenant and r.obligation_id = u.id)
     order by u.at, case u.event when 'paid' then 1 when 'rejected' then 1 else 2 end, claim_id)
insert into outbox (id, tenant, kind, platform, subject_id, payload, created_at, next_attempt_at)
select uuidv7(), tenant, 'payout.' || event, platform, claim_id, payload, at, at from said;

alter table instruction_outcome force row level security;
alter table instruction_claim force row level security;
alter table reissue force row level security;
alter table obligation force row level security;
alter table batch force row level security;

-- An outlet may hold requests for quota (额度申请) too.
alter table pull_source drop constraint pull_source_what_check;
alter table pull_source add constraint pull_source_what_check check (what in ('claims', 'reservations', 'support_records'));
