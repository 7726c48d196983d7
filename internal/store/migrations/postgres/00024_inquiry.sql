-- +goose Up

-- The text of every policy that was ever in force, by its digest. A row is written before the policy
-- decides anything, and stays as it is. Builds before this one keep no text.
create table policies (
    digest   text primary key, -- SHA-256 of text, in hexadecimal digits
    text     text not null,
    first_at bigint not null   -- when it first came into force
);

-- +goose StatementBegin
create or replace function policies_stay() returns trigger language plpgsql as $$
begin
    raise exception 'policies are never changed or deleted';
end;
$$;
-- +goose StatementEnd

create trigger policies_stay before update or delete on policies
    for each row execute function policies_stay();
create trigger policies_stay_whole before truncate on policies
    for each statement execute function policies_stay();

-- What people are told of orders about filing: a row for each order and place. target is a channel or
-- a user; '' until a bot that serves says who is told. ts: where Slack shows it; '' until then. due:
-- when it is worked on next; null: it is settled.
create table order_notices (
    number      bigint not null, -- of the order, as in filing_orders
    target      text not null,
    place       text not null,   -- JSON: where the order was given
    ends        bigint not null, -- the freeze that it ends; 0 for none
    version     bigint not null,
    channel     text not null,
    ts          text not null,
    posting     bigint not null, -- 1: about to be posted, and no answer is recorded
    posted_at   bigint,          -- when that was recorded last
    attempts    bigint not null,
    due         bigint,
    lease_owner text,
    lease_until bigint,
    primary key (number, target)
);
create index order_notices_due on order_notices (number) where due is not null;
create trigger order_notices_ring after insert on order_notices
    for each statement execute function ring();

-- What an inquiry looks for.
create index requests_created on requests (created_at, id);
create index news_request on news (request_id, number);
