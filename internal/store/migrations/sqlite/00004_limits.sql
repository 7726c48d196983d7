-- +goose Up

-- Who asked, as "TEAM/USER", and which of that person's requests of its day (UTC) it is:
-- two at once cannot both be the last one that the limit lets. How often the same denial
-- was given again.
alter table requests add column requester text not null default '';
alter table requests add column quota_day integer;
alter table requests add column quota_slot integer;
alter table requests add column repeats integer not null default 0;
create unique index requests_quota on requests (requester, quota_day, quota_slot);

-- How many filings were begun in each hour since 1970 UTC.
create table filings (
    hour integer primary key,
    made integer not null
) strict;

-- One row: whether filing is frozen, which whoever begins one holds still; and what was
-- ordered when.
create table filing_order (
    only_row integer primary key check (only_row = 1),
    frozen   integer not null,
    actor    text not null,
    why      text not null,
    at       integer not null
) strict;
insert into filing_order (only_row, frozen, actor, why, at) values (1, 0, '', '', 0);

create table filing_orders (
    at     integer not null,
    frozen integer not null,
    actor  text not null,
    why    text not null
) strict;
