-- +goose Up

-- Truncating fires no trigger of rows. An event's place in the sealed order, and its hash,
-- are filled in once.
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
        or old.hash is not null and new.hash is distinct from old.hash then
        raise exception 'events are sealed once';
    end if;
    return new;
end;
$$;
-- +goose StatementEnd

create trigger events_stay_whole before truncate on events
    for each statement execute function events_stay();
