-- +goose Up

-- Replicas of an earlier build may write meanwhile. They add no order until it is committed, so that each becomes an
-- event once; the table of events is locked last, and for a moment.
lock table filing_orders in share row exclusive mode;

-- What belongs to no request: starts, policies, freezes, and segments of the log. subject is a rule, a
-- policy's digest, a version, an order's or a segment's number.
create table deployment_events (
    number   bigint primary key,
    at       bigint not null,
    kind     text not null,
    actor    text not null,
    subject  text not null,
    detail   text not null,
    position bigint unique,
    hash     bytea,
    salt     bytea,
    erased   bytea
);
create index deployment_events_unsealed on deployment_events (number) where position is null;
create index deployment_events_kind on deployment_events (kind, number);

-- +goose StatementBegin
create function deployment_events_stay() returns trigger language plpgsql as $$
begin
    if tg_op <> 'UPDATE' then
        raise exception 'events are never deleted';
    end if;
    if (new.number, new.at, new.kind, new.actor, new.subject, new.detail)
        is distinct from (old.number, old.at, old.kind, old.actor, old.subject, old.detail) then
        raise exception 'events are never changed';
    end if;
    if old.position is not null and new.position is distinct from old.position
        or old.hash is not null and new.hash is distinct from old.hash
        or old.salt is not null and new.salt is distinct from old.salt
        or new.erased is distinct from old.erased then
        raise exception 'events are sealed once';
    end if;
    return new;
end;
$$;
-- +goose StatementEnd

create trigger deployment_events_stay before update or delete on deployment_events
    for each row execute function deployment_events_stay();
create trigger deployment_events_stay_whole before truncate on deployment_events
    for each statement execute function deployment_events_stay();

-- One row: the tree as it is. segment 0: nothing is sealed yet. frontier is the roots of its complete
-- subtrees. begins is why the next sealing begins a segment. deployment counts deployment_events.
create table audit_log (
    only_row       bigint primary key check (only_row = 1),
    version        bigint not null,
    segment        bigint not null,
    first_position bigint not null,
    size           bigint not null,
    frontier       bytea not null,
    begins         text not null,
    deployment     bigint not null
);
insert into audit_log (only_row, version, segment, first_position, size, frontier, begins, deployment)
    values (1, 1, 0, 1, 0, '', '', 0);

create table audit_segments (
    number         bigint primary key,
    first_position bigint not null,
    at             bigint not null,
    why            text not null
);

-- Each time that events were sealed: the last position, and the segment's root then. complete: all that
-- was recorded until then is sealed; null: more was waiting.
create table audit_sealings (
    position bigint primary key,
    segment  bigint not null,
    root     bytea not null,
    at       bigint not null,
    complete bigint
);

-- Each order about filing is an event too, whichever build records it.
insert into deployment_events (number, at, kind, actor, subject, detail)
    select row_number() over (order by at, ctid), at,
        case frozen when 1 then 'freeze' else 'unfreeze' end || case refused when '' then '' else '-refused' end,
        actor, case refused when '' then cast(number as text) else refused end, why
    from filing_orders;
update audit_log set deployment = (select count(*) from deployment_events);

-- +goose StatementBegin
create function filing_orders_recorded() returns trigger language plpgsql as $$
begin
    update audit_log set deployment = deployment + 1;
    insert into deployment_events (number, at, kind, actor, subject, detail)
        select deployment, new.at,
            case new.frozen when 1 then 'freeze' else 'unfreeze' end || case new.refused when '' then '' else '-refused' end,
            new.actor, case new.refused when '' then cast(new.number as text) else new.refused end, new.why
        from audit_log;
    return null;
end;
$$;
-- +goose StatementEnd
create trigger filing_orders_recorded after insert on filing_orders
    for each row execute function filing_orders_recorded();

-- Events are sealed in one order, in a Merkle tree. salt is random and is hashed with the actor and the
-- detail. erased is both digests of a text that was erased; null: none was.
alter table events add column salt bytea;
alter table events add column erased bytea;

-- +goose StatementBegin
create or replace function events_stay() returns trigger language plpgsql as $$
begin
    if tg_op <> 'UPDATE' then
        raise exception 'events are never deleted';
    end if;
    if (new.request_id, new.seq, new.at, new.kind, new.actor, new.from_state, new.to_state, new.detail)
        is distinct from (old.request_id, old.seq, old.at, old.kind, old.actor, old.from_state, old.to_state, old.detail) then
        raise exception 'events are never changed';
    end if;
    if old.position is not null and new.position is distinct from old.position
        or old.hash is not null and new.hash is distinct from old.hash
        or old.salt is not null and new.salt is distinct from old.salt
        or new.erased is distinct from old.erased then
        raise exception 'events are sealed once';
    end if;
    return new;
end;
$$;
-- +goose StatementEnd

-- What is not sealed. Where there are many events, version 28 makes this index, and holds up nobody.
-- +goose StatementBegin
do $$
begin
    if (select count(*) from (select 1 from events limit 10001) as some_events) <= 10000 then
        create index events_unsealed on events (at) where position is null;
    end if;
end;
$$;
-- +goose StatementEnd
