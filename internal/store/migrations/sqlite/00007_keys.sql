-- +goose Up

-- Keys of the commands and clicks that changed something, so that none changes it twice.
create table used_keys (
    key text primary key,
    at  integer not null
) strict;
create index used_keys_at on used_keys (at);

-- Which order about filing stands, so that an old "unfreeze" ends no newer freeze; and the
-- orders that were refused, with the rule that refused them.
alter table filing_order add column number integer not null default 0;
alter table filing_orders add column number integer not null default 0;
alter table filing_orders add column refused text not null default '';
create index filing_orders_actor on filing_orders (actor, at);
update filing_order set number = (select count(*) from filing_orders);

-- A build before this one would carry out a command or a click a second time.
update schema_support set oldest = 7;
