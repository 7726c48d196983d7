-- +goose Up

-- Events are sealed in one order, in a Merkle tree. salt is random and is hashed with the actor and the
-- detail. erased is both digests of a text that was erased; null: none was. What is not sealed stands first
-- in the unique index of the positions.
alter table events add column salt blob;
alter table events add column erased blob;

drop trigger if exists events_keep_seal;
-- +goose StatementBegin
create trigger events_keep_seal
    before update of position, hash, salt, erased on events
    when old.position is not null and new.position is not old.position
        or old.hash is not null and new.hash is not old.hash
        or old.salt is not null and new.salt is not old.salt
        or new.erased is not old.erased
        or new.position is not old.position and exists (select 1 from events where position = new.position)
begin
    select raise(abort, 'events are sealed once');
end;
-- +goose StatementEnd

-- What belongs to no request: starts, policies, freezes, and segments of the log. subject is a rule, a
-- policy's digest, a version, an order's or a segment's number.
create table deployment_events (
    number   integer primary key,
    at       integer not null,
    kind     text not null,
    actor    text not null,
    subject  text not null,
    detail   text not null,
    position integer unique,
    hash     blob,
    salt     blob,
    erased   blob
) strict;
create index deployment_events_unsealed on deployment_events (number) where position is null;
create index deployment_events_kind on deployment_events (kind, number);

-- +goose StatementBegin
create trigger deployment_events_keep_content
    before update of number, at, kind, actor, subject, detail on deployment_events
begin
    select raise(abort, 'events are never changed');
end;
-- +goose StatementEnd
-- +goose StatementBegin
create trigger deployment_events_keep_rows before delete on deployment_events
begin
    select raise(abort, 'events are never deleted');
end;
-- +goose StatementEnd
-- +goose StatementBegin
create trigger deployment_events_keep_others
    before insert on deployment_events
    when exists (select 1 from deployment_events where number = new.number or position = new.position)
begin
    select raise(abort, 'events are never replaced');
end;
-- +goose StatementEnd
-- +goose StatementBegin
create trigger deployment_events_keep_seal
    before update of position, hash, salt, erased on deployment_events
    when old.position is not null and new.position is not old.position
        or old.hash is not null and new.hash is not old.hash
        or old.salt is not null and new.salt is not old.salt
        or new.erased is not old.erased
        or new.position is not old.position and exists (select 1 from deployment_events where position = new.position)
begin
    select raise(abort, 'events are sealed once');
end;
-- +goose StatementEnd

-- One row: the tree as it is. segment 0: nothing is sealed yet. frontier is the roots of its complete
-- subtrees. begins is why the next sealing begins a segment. deployment counts deployment_events.
create table audit_log (
    only_row       integer primary key check (only_row = 1),
    version        integer not null,
    segment        integer not null,
    first_position integer not null,
    size           integer not null,
    frontier       blob not null,
    begins         text not null,
    deployment     integer not null
) strict;
insert into audit_log (only_row, version, segment, first_position, size, frontier, begins, deployment)
    values (1, 1, 0, 1, 0, x'', '', 0);

create table audit_segments (
    number         integer primary key,
    first_position integer not null,
    at             integer not null,
    why            text not null
) strict;

-- Each time that events were sealed: the last position, and the segment's root then. complete: all that
-- was recorded until then is sealed; null: more was waiting.
create table audit_sealings (
    position integer primary key,
    segment  integer not null,
    root     blob not null,
    at       integer not null,
    complete integer
) strict;

-- Each order about filing is an event too, whichever build records it.
insert into deployment_events (number, at, kind, actor, subject, detail)
    select row_number() over (order by at, rowid), at,
        case frozen when 1 then 'freeze' else 'unfreeze' end || case refused when '' then '' else '-refused' end,
        actor, case refused when '' then cast(number as text) else refused end, why
    from filing_orders;
update audit_log set deployment = (select count(*) from deployment_events);

-- +goose StatementBegin
create trigger filing_orders_recorded after insert on filing_orders
begin
    update audit_log set deployment = deployment + 1;
    insert into deployment_events (number, at, kind, actor, subject, detail)
        select deployment, new.at,
            case new.frozen when 1 then 'freeze' else 'unfreeze' end || case new.refused when '' then '' else '-refused' end,
            new.actor, case new.refused when '' then cast(new.number as text) else new.refused end, new.why
        from audit_log;
end;
-- +goose StatementEnd
