-- +goose Up

-- When news was told, or was no longer worth telling; null: it waits for a letter.
alter table news add column settled_at integer;
create index news_unsettled on news (person, number) where settled_at is null;

-- One row for each person who was ever owed news. owed counts what they were owed. letters is JSON:
-- the last direct messages, and which one is about to be posted.
create table mailboxes (
    person      text primary key,
    version     integer not null,
    owed        integer not null,
    due         integer,
    letters     text not null,
    lease_owner text,
    lease_until integer
) strict;
create index mailboxes_due on mailboxes (due) where due is not null;
insert into mailboxes (person, version, owed, due, letters)
    select person, 1, 1, 0, '' from news group by person;

-- Builds before this one owe news that nobody would be told, and show an escalation as a result.
update schema_support set oldest = 15 where oldest < 15;
