-- +goose Up

-- INSERT OR REPLACE and UPDATE OR REPLACE delete the row that is in their way, and fire no
-- trigger of deleting (https://www.sqlite.org/lang_conflict.html).
-- +goose StatementBegin
create trigger events_keep_others
    before insert on events
    when exists (select 1 from events where request_id = new.request_id and seq = new.seq or position = new.position)
begin
    select raise(abort, 'events are never replaced');
end;
-- +goose StatementEnd

-- An event's place in the sealed order, and its hash, are filled in once.
-- +goose StatementBegin
create trigger events_keep_seal
    before update of position, hash on events
    when old.position is not null and new.position is not old.position
        or old.hash is not null and new.hash is not old.hash
        or new.position is not old.position and exists (select 1 from events where position = new.position)
begin
    select raise(abort, 'events are sealed once');
end;
-- +goose StatementEnd
