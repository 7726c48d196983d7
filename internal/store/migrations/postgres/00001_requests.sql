-- Times are milliseconds since 1970 UTC; null is no time. Flags are 0 or 1.
-- +goose Up

-- One row: the oldest version of this schema whose builds can still work with it. A
-- migration raises it only when an older build running beside it would go wrong.
create table schema_support (
    only_row bigint primary key check (only_row = 1),
    oldest   bigint not null
);
insert into schema_support (only_row, oldest) values (1, 1);

-- One row: what this database belongs to, and the installation's own secrets.
create table binding (
    only_row     bigint primary key check (only_row = 1),
    app          text not null,
    team         text not null,
    account      text not null,
    endpoint     text not null,
    installation text not null,
    hmac_key     bytea not null,
    identity     text not null, -- of the database server, its history and these tables; '' where a file has none
    made_at      bigint not null
);

create table requests (
    id            text primary key,
    short_ref     text not null unique,
    ref           text not null,
    format        bigint not null,
    state         text not null,
    why           text not null,
    version       bigint not null,
    events        bigint not null, -- how many events there are, which is the last one's seq
    server_id     bigint not null,
    submission    text not null,    -- JSON
    decision      text not null,    -- JSON
    due           bigint,
    lease_owner   text,
    lease_until   bigint,
    attempts      bigint not null,
    posts         bigint not null,
    lost_posts    bigint not null,
    posts_allowed bigint not null,
    not_after     bigint,
    clean_since   bigint,
    evidence      bigint not null,
    recheck       bigint not null, -- 1: read the books once before the next POST; 2: for a whole settle time
    ticket_id     bigint not null,
    ticket_number text not null,
    created_at    bigint not null,
    state_at      bigint not null, -- since when it has been in its state
    updated_at    bigint not null
);

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
    seq        bigint not null,
    at         bigint not null,
    kind       text not null,
    actor      text not null,
    from_state text not null,
    to_state   text not null,
    detail     text not null,
    position   bigint unique, -- in the sealed order; null until sealed
    hash       bytea,          -- of this event and the one before it; null until sealed
    primary key (request_id, seq)
);

-- +goose StatementBegin
create function events_stay() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        raise exception 'events are never deleted';
    end if;
    if (new.request_id, new.seq, new.at, new.kind, new.actor, new.from_state, new.to_state, new.detail)
        is distinct from (old.request_id, old.seq, old.at, old.kind, old.actor, old.from_state, old.to_state, old.detail) then
        raise exception 'events are never changed';
    end if;
    return new;
end;
$$;
-- +goose StatementEnd

create trigger events_stay before update or delete on events
    for each row execute function events_stay();

-- What people are owed of a request: its result where it was asked for, and an alarm
-- to the operators' channel if it takes too long.
create table notices (
    request_id         text not null references requests (id),
    kind               text not null,
    version            bigint not null,
    place              text not null, -- JSON
    response_url       text not null, -- a capability; '' once erased
    response_url_until bigint,
    channel            text not null,
    ts                 text not null,
    shown              bigint not null, -- the request's version that people see
    way                text not null,
    posting            bigint not null,
    posts              bigint not null,
    attempts           bigint not null,
    due                bigint,
    owed               bigint not null, -- the request's version that people are to see at least
    owed_at            bigint, -- since when something is owed; null for nothing
    lease_owner        text,
    lease_until        bigint,
    primary key (request_id, kind)
);

create index notices_due on notices (due) where due is not null;
create index notices_owed on notices (owed_at) where owed_at is not null;
create index notices_url on notices (response_url_until) where response_url_until is not null;

create table cards (
    digest  text primary key,
    data    bytea not null,
    kept_at bigint not null
);

create index cards_kept on cards (kept_at);

-- When the next call to each vendor is free to go, by the whole deployment's rate:
-- microseconds since 1970 UTC.
create table rates (
    vendor  text primary key,
    free_at bigint not null
);

-- Who serves from this database, and when each was last heard of.
create table replicas (
    owner   text primary key,
    seen_at bigint not null
);

-- +goose StatementBegin
create function ring() returns trigger language plpgsql as $$
begin
    perform pg_notify('cancel_server', '');
    return null;
end;
$$;
-- +goose StatementEnd

-- Whoever waits for work hears of each statement that may have made some.
create trigger requests_ring after insert or update of due on requests
    for each statement execute function ring();
create trigger notices_ring after insert or update of due on notices
    for each statement execute function ring();
