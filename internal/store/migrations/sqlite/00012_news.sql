-- +goose Up

-- Since when SoftLayer waits for an answer in the ticket of a followed request; null: it does not.
alter table followed add column waits_since integer;
create index followed_waits on followed (waits_since, request_id) where waits_since is not null;

-- What people read by direct message of requests that were filed, each once.
create table news (
    number     integer primary key,
    person     text not null,
    request_id text not null references requests (id),
    kind       text not null,
    detail     text not null,
    at         integer not null,
    unique (person, request_id, kind, detail)
) strict;

-- Builds before this one leave alone what this one knows of a request, so they would not follow it.
update schema_support set oldest = 12 where oldest < 12;
