-- +goose Up

-- One row: how often the database may have been an older one than was written to, so that unfinished
-- requests are to read SoftLayer's tickets before their next POST. settled is the last of these times
-- after which they settle; not_after is until when a POST from before it may be under way; null: none.
create table rechecks (
    only_row  bigint primary key check (only_row = 1),
    epoch     bigint not null,
    settled   bigint not null,
    not_after bigint
);
insert into rechecks (only_row, epoch, settled) values (1, 0, 0);

-- Up to which of these times a request's columns are written. Later ones are added when it is read.
alter table requests add column epoch bigint not null default 0;

-- requests_ending has the same requests, with their ids.
drop index requests_filed;

-- Builds before this one read such a request as one that has nothing to read: they do not start on
-- this database any more. One that already runs begins no filing of it.
update schema_support set oldest = 21 where oldest < 21;

-- +goose StatementBegin
create or replace function filing_thawed() returns trigger language plpgsql as $$
declare
    stands bigint;
begin
    select frozen into stands from filing_order for share;
    if stands <> 0 then
        raise exception 'filing is frozen';
    end if;
    if new.epoch < (select epoch from rechecks) then
        raise exception 'the request has to be read again';
    end if;
    return new;
end;
$$;
-- +goose StatementEnd
