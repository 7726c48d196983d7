-- +goose Up

-- The requests that were filed, by when; those whose server is gone, by when; and whose a ticket is.
-- An older build goes on as it was.
create index requests_sent on requests (coalesce(sent_at, created_at), id)
    where ticket_id <> 0 and state in ('filed', 'reverted', 'reclaimed', 'stuck');
create index requests_gone on requests (state_at, id) where state = 'reclaimed';
create index requests_ticket on requests (ticket_id)
    where ticket_id <> 0 and state in ('filed', 'reverted', 'reclaimed', 'stuck');

-- One row: whose turn it is to post in REPORT_CHANNEL. months_from is the first month whose report is
-- posted, counted from the year 0; null until a bot serves with that channel. elsewhere_from is since
-- when cancellations by others are posted: since the first bot reconcile; null before it.
create table bulletin_turn (
    only_row       integer primary key check (only_row = 1),
    months_from    integer,
    elsewhere_from integer,
    looked_at      integer, -- when SoftLayer's cancellations were last read for it
    lease_owner    text,
    lease_until    integer
) strict;
insert into bulletin_turn (only_row) values (1);

-- What was posted there: at most one a day. A row without ts is a post that was announced and whose
-- answer is not recorded, or one that nobody can find.
create table bulletins (
    day          integer primary key, -- since 1970 UTC
    month        integer unique,      -- whose report it has; null for none
    channel      text not null,
    ts           text not null,
    announced_at integer not null,
    settled      integer not null -- 0 while its answer is not recorded
) strict;
create index bulletins_unsettled on bulletins (day) where settled = 0;

-- Cancellations at SoftLayer that this bot did not ask for, since elsewhere_from.
create table elsewhere (
    cancellation_id integer primary key,
    told            text not null, -- JSON
    day             integer -- whose bulletin tells it; 0 for none, because it stood at the first bot reconcile; null if it is owed
) strict;
create index elsewhere_owed on elsewhere (cancellation_id) where day is null;
create index elsewhere_told on elsewhere (day) where day is not null;
