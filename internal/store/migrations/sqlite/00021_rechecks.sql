-- +goose Up

-- One row: how often the database may have been an older one than was written to, so that unfinished
-- requests are to read SoftLayer's tickets before their next POST. settled is the last of these times
-- after which they settle; not_after is until when a POST from before it may be under way; null: none.
create table rechecks (
    only_row  integer primary key check (only_row = 1),
    epoch     integer not null,
    settled   integer not null,
    not_after integer
) strict;
insert into rechecks (only_row, epoch, settled) values (1, 0, 0);

-- Up to which of these times a request's columns are written. Later ones are added when it is read.
alter table requests add column epoch integer not null default 0;

-- What is leased, which a start releases. Few rows are.
create index requests_leased on requests (server_id) where lease_until is not null;
create index notices_leased on notices (request_id) where lease_until is not null;

-- requests_ending has the same requests, with their ids.
drop index requests_filed;

-- Builds before this one read such a request as one that has nothing to read.
update schema_support set oldest = 21 where oldest < 21;
