-- +goose Up

-- What people look for in Slack. server_name is the server's full name in lower case; '' where an
-- older build recorded the request. ends_at is the first date on which a filed request's server may
-- end; 0 where that is not known, or an older build wrote the row. An older build goes on as it was.
alter table requests add column server_name text collate "C" not null default '';
alter table requests add column ends_at bigint not null default 0;

create index requests_pending on requests (created_at, id) where state = 'pending';
create index requests_ending on requests (ends_at, id) where state = 'filed';
create index requests_server on requests (server_id, created_at);
create index requests_server_name on requests (server_name, created_at);
