-- +goose Up

-- Requests whose due time may be ahead of the clock are found by when they were last changed, and
-- those of which a POST may be under way by when it ends, not among all that wait. Both are only
-- indexes: an older build goes on as it was.
create index requests_changed on requests (updated_at)
    where state in ('pending', 'scheduled');
create index requests_under_way on requests (not_after)
    where not_after is not null and state not in ('filed', 'denied', 'declined', 'expired', 'withdrawn', 'rejected', 'duplicate', 'reverted', 'reclaimed');
