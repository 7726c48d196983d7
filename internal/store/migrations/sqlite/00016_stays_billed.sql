-- +goose Up

-- What stays billed of the servers of filed requests: stays as read while the server was there,
-- left_behind as read when it was gone. JSON; null: it was not read.
create table stays_billed (
    request_id  text primary key references requests (id),
    format      integer not null,
    stays       text,
    left_behind text
) strict;
