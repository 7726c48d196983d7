-- +goose Up

-- Texts of people for the tickets of filed requests. entry is what is sent, whole.
create table ticket_updates (
    number      integer primary key,
    id          text not null unique,
    request_id  text not null references requests (id),
    kind        text not null,
    state       text not null,
    why         text not null,
    version     integer not null,
    ref         text not null,
    author      text not null,
    typed       text not null,
    entry       text not null,
    ticket_id   integer not null,
    created_at  integer not null,
    changed_at  integer not null,
    send_by     integer,
    not_after   integer,
    clean_since integer,
    due         integer,
    attempts    integer not null,
    lease_owner text,
    lease_until integer
) strict;
create index ticket_updates_due on ticket_updates (due) where due is not null;
create index ticket_updates_request on ticket_updates (request_id, number);

-- SoftLayer is asked once to stop a cancellation.
create unique index ticket_updates_stop on ticket_updates (request_id)
    where kind = 'stop' and state in ('recorded', 'sending', 'unknown', 'sent');

-- When SoftLayer was asked to stop; null: it was not.
alter table requests add column stop_asked_at integer;

-- Builds before this one show what became of a text as the request's result.
update schema_support set oldest = 13 where oldest < 13;
