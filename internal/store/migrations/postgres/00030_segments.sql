-- +goose Up

-- nonce is random and part of the segment's origin, so that two copies of a database that were restored from
-- one backup begin segments of different origins; '' if an older build began it.
alter table audit_segments add column nonce text not null default '';
