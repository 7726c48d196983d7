-- +goose Up

-- A form with several servers. Each of its servers has a request of its own: requests.batch. Its notices are
-- kept under its lead, which is its first request. told counts the changes that people are told of.
create table batches (
    id         text primary key,
    digest     text not null, -- of its list
    size       bigint not null,
    lead       text not null,
    told       bigint not null,
    created_at bigint not null
);

-- '' for a request that came alone. A request of a batch has row format 3, so that builds before this one
-- leave it alone.
alter table requests add column batch text not null default '';
alter table requests add column batch_row bigint not null default 0; -- its place in the list, from 0

-- Where there are many requests, version 34 makes this index, and holds up nobody.
-- +goose StatementBegin
do $$
begin
    if (select count(*) from (select 1 from requests limit 10001) as some_requests) <= 10000 then
        create index requests_batch on requests (batch, batch_row) where batch <> '';
    end if;
end;
$$;
-- +goose StatementEnd
