-- +goose Up

-- Since when a bot serves with REPORT_CHANNEL and seals events: a week later the channel gets its first
-- checkpoint of the audit log, unless a post had one before. null: none does yet.
alter table bulletin_turn add column checkpoints_from integer;
