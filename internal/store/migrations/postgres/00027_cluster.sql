-- +goose Up

-- The cluster that the database was last seen in: its system identifier. '' until a build that asks for it has
-- written, and while the role may not ask. A dump brings it along into another cluster, so that the restore is
-- noticed. Builds before this one write identity alone.
alter table binding add column cluster text not null default '';
