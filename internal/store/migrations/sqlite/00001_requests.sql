-- Times are milliseconds since 1970 UTC; null is no time. Flags are 0 or 1.
-- +goose Up

-- One row: the oldest version of this schema whose builds can still work with it. A
-- migration raises it only when an older build running beside it would go wrong.
create table schema_support (
    only_row integer primary key check (only_row = 1),
    oldest   integer not null
) strict;
insert into schema_support (only_row, oldest) values (1, 1);

-- One row: what this database belongs to, and the installation's own secrets.
create table binding (
    only_row     integer primary key check (only_row = 1),
    app          text not null,
    team         text not null,
    account      text not null,
    endpoint     text not null,
    installation text not null,
    hmac_key     blob not null,
    identity     text not null, -- of the database server, its history and these tables; '' where a file has none
    made_at      integer not null
) strict;

create table requests (
    id            text primary key,
    short_ref     text not null unique,
    ref           text not null,
    format        integer not null,
    state         text not null,
    why           text not null,
    version       integer not null,
    events        integer not null, -- how many events there are, which is the last one's seq
    server_id     integer not null,
    submission    text not null,    -- JSON
    decision      text not null,    -- JSON
    due           integer,
    lease_owner   text,
    lease_until   integer,
    attempts      integer not null,
    posts         integer not null,
    lost_posts    integer not null,
    posts_allowed integer not null,
    not_after     integer,
    clean_since   integer,
    evidence      integer not null,
    recheck       integer not null, -- 1: read the books once before the next POST; 2: for a whole settle time
    ticket_id     integer not null,
    ticket_number text not null,
    created_at    integer not null,
    state_at      integer not null, -- since when it has been in its state
    updated_at    integer not null
) strict;

-- At most one live request a server.
create unique index requests_live on requests (server_id)
    where state in ('scheduled', 'filing', 'unknown', 'stuck', 'filed');

-- What the worker looks for.
create index requests_due on requests (due)
    where state in ('scheduled', 'filing', 'unknown');

-- What is not at rest, states of other builds among it.
create index requests_open on requests (state, format)
    where state not in ('filed', 'denied', 'withdrawn', 'rejected', 'duplicate', 'reverted', 'reclaimed');

create table events (
    request_id text not null references requests (id),
    seq        integer not null,
    at         integer not null,
    kind       text not null,
    actor      text not null,
    from_state text not null,
    to_state   text not null,
    detail     text not null,
    position   integer unique, -- in the sealed order; null until sealed
    hash       blob,           -- of this event and the one before it; null until sealed
    primary key (request_id, seq)
) strict, without rowid;

-- +goose StatementBegin
create trigger events_keep_content
    before update of request_id, seq, at, kind, actor, from_state, to_state, detail on events
begin
    select raise(abort, 'events are never changed');
end;
-- +goose StatementEnd

-- +goose StatementBegin
create trigger events_keep_rows before delete on events
begin
    select raise(abort, 'events are never deleted');
end;
-- +goose StatementEnd

-- What people are owed of a request: its result where it was asked for, and an alarm
-- to the operators' channel if it takes too long.
create table notices (
    request_id         text not null references requests (id),
    kind               text not null,
    version            integer not null,
    place              text not null, -- JSON
    response_url       text not null, -- a capability; '' once erased
    response_url_until integer,
    channel            text not null,
    ts                 text not null,
    shown              integer not null, -- the request's version that people see
    way                text not null,
    posting            integer not null,
    posts              integer not null,
    attempts           integer not null,
    due                integer,
    owed               integer not null, -- the request's version that people are to see at least
    owed_at            integer, -- since when something is owed; null for nothing
    lease_owner        text,
    lease_until        integer,
    primary key (request_id, kind)
) strict;

create index notices_due on notices (due) where due is not null;
create index notices_owed on notices (owed_at) where owed_at is not null;
create index notices_url on notices (response_url_until) where response_url_until is not null;

create table cards (
    digest  text primary key,
    data    blob not null,
    kept_at integer not null
) strict;

create index cards_kept on cards (kept_at);

-- When the next call to each vendor is free to go, by the whole deployment's rate:
-- microseconds since 1970 UTC.
create table rates (
    vendor  text primary key,
    free_at integer not null
) strict;

-- Who serves from this database, and when each was last heard of.
create table replicas (
    owner   text primary key,
    seen_at integer not null
) strict;
