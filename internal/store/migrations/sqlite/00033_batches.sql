-- +goose Up

-- A form with several servers. Each of its servers has a request of its own: requests.batch. Its notices are
-- kept under its lead, which is its first request. told counts the changes that people are told of.
create table batches (
    id         text primary key,
    digest     text not null, -- of its list
    size       integer not null,
    lead       text not null,
    told       integer not null,
    created_at integer not null
);

-- '' for a request that came alone. A request of a batch has row format 3, so that builds before this one
-- leave it alone.
alter table requests add column batch text not null default '';
alter table requests add column batch_row integer not null default 0; -- its place in the list, from 0
create index requests_batch on requests (batch, batch_row) where batch <> '';
