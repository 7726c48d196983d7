-- +goose Up

-- 1 where the database is of practice: nothing that is asked for in it is ever filed. Such a database alone
-- is closed to builds before this one, when it is bound: schema_support.
alter table binding add column practice integer not null default 0;
