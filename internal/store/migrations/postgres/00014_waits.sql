-- +goose Up

-- The answers that SoftLayer waits for, or waited for. asked: the update of the ticket that asks;
-- settled: the last one that needs no answer any more; told: the last one that people were told of.
-- next_at: when to remind of it; act_at: when to tell people anything; null: SoftLayer does not wait.
create table waits (
    request_id text primary key references requests (id),
    asked      bigint not null,
    settled    bigint not null default 0,
    told       bigint not null default 0,
    reminders  bigint not null default 0,
    next_at    bigint,
    act_at     bigint
);
create index waits_due on waits (act_at, request_id) where act_at is not null;

-- Builds before this one forget what they do not know of a followed request.
update schema_support set oldest = 14 where oldest < 14;
