-- +goose Up

-- What is known of filed requests until they end. looked_at orders the looks; null: it is not
-- followed. again_at: when to look once more before its turn. known is JSON in a numbered format.
create table followed (
    request_id   text primary key references requests (id),
    revision     integer not null,
    looked_at    integer,
    again_at     integer,
    known_format integer not null,
    known        text not null
) strict;
create index followed_order on followed (looked_at, request_id) where looked_at is not null;
create index followed_again on followed (again_at, request_id) where again_at is not null;
create index requests_filed on requests (id) where state = 'filed';

-- One row: whose turn it is to look at them, and when the last pass over all of them began.
create table follow_turn (
    only_row    integer primary key check (only_row = 1),
    began_at    integer not null,
    lease_owner text,
    lease_until integer
) strict;
insert into follow_turn (only_row, began_at) values (1, 0);

-- What staff wrote before requests were followed is not told.
insert into followed (request_id, revision, looked_at, known_format, known)
    select id, 1, 0, 1, '{"Old":true}' from requests where state = 'filed';

-- The end date that SoftLayer's cancellation shows; '' where it was not read.
alter table requests add column shows text not null default '';

-- Builds before this one end a filed request by what cards alone read, and show a line of a thread
-- as a result.
update schema_support set oldest = 11 where oldest < 11;
