-- +goose Up

-- One row: the light copy of all servers that answers the typeahead, and whose turn it is
-- to make a new one.
create table inventory (
    only_row    integer primary key check (only_row = 1),
    version     integer not null, -- of what is kept; 0 for nothing
    found_at    integer,          -- when it was last found to be so; null for never
    lease_owner text,
    lease_until integer
) strict;
insert into inventory (only_row, version) values (1, 0);

-- What is kept, in parts that keep no other commit waiting for long.
create table inventory_parts (
    version integer not null,
    part    integer not null,
    data    blob not null,
    primary key (version, part)
) strict;
