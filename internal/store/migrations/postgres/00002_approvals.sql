-- +goose Up

-- Who approved a request, who ended it, and until when people may.
alter table requests add column approvals text not null default 'null'; -- JSON
alter table requests add column ended_by text not null default '{}';  -- JSON
alter table requests add column expires_at bigint;
alter table requests add column undo_until bigint;
alter table requests add column reminded bigint not null default 0;

-- What waits for approval holds its server, and wears off.
drop index requests_live;
create unique index requests_live on requests (server_id)
    where state in ('pending', 'scheduled', 'filing', 'unknown', 'stuck', 'filed');

drop index requests_due;
create index requests_due on requests (due)
    where state in ('pending', 'scheduled', 'filing', 'unknown');

drop index requests_open;
create index requests_open on requests (state, format)
    where state not in ('filed', 'denied', 'declined', 'expired', 'withdrawn', 'rejected', 'duplicate', 'reverted', 'reclaimed');
