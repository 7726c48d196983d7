-- +goose Up

-- The text of every policy that was ever in force, by its digest. A row is written before the policy
-- decides anything, and stays as it is. Builds before this one keep no text.
create table policies (
    digest   text primary key, -- SHA-256 of text, in hexadecimal digits
    text     text not null,
    first_at integer not null  -- when it first came into force
) strict;

-- +goose StatementBegin
create trigger policies_keep_content before update on policies
begin
    select raise(abort, 'policies are never changed');
end;
-- +goose StatementEnd

-- +goose StatementBegin
create trigger policies_keep_rows before delete on policies
begin
    select raise(abort, 'policies are never deleted');
end;
-- +goose StatementEnd

-- insert or replace fires no other trigger.
-- +goose StatementBegin
create trigger policies_keep_others before insert on policies
    when exists (select 1 from policies where digest = new.digest)
begin
    select raise(ignore);
end;
-- +goose StatementEnd

-- What people are told of orders about filing: a row for each order and place. target is a channel or
-- a user; '' until a bot that serves says who is told. ts: where Slack shows it; '' until then. due:
-- when it is worked on next; null: it is settled.
create table order_notices (
    number      integer not null, -- of the order, as in filing_orders
    target      text not null,
    place       text not null,    -- JSON: where the order was given
    ends        integer not null, -- the freeze that it ends; 0 for none
    version     integer not null,
    channel     text not null,
    ts          text not null,
    posting     integer not null, -- 1: about to be posted, and no answer is recorded
    posted_at   integer,          -- when that was recorded last
    attempts    integer not null,
    due         integer,
    lease_owner text,
    lease_until integer,
    primary key (number, target)
) strict;
create index order_notices_due on order_notices (number) where due is not null;

-- What an inquiry looks for.
create index requests_created on requests (created_at, id);
create index news_request on news (request_id, number);
