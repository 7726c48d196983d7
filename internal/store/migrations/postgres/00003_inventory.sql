-- +goose Up

-- One row: the light copy of all servers that answers the typeahead, and whose turn it is
-- to make a new one.
create table inventory (
    only_row    bigint primary key check (only_row = 1),
    version     bigint not null, -- of what is kept; 0 for nothing
    found_at    bigint,          -- when it was last found to be so; null for never
    lease_owner text,
    lease_until bigint
);
insert into inventory (only_row, version) values (1, 0);

-- What is kept, in parts that keep no other commit waiting for long.
create table inventory_parts (
    version bigint not null,
    part    bigint not null,
    data    bytea not null,
    primary key (version, part)
);
