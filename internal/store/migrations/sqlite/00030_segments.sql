-- +goose Up

-- nonce is random and part of the segment's origin, so that two copies of a database that were restored from
-- one backup begin segments of different origins; '' if an older build began it.
alter table audit_segments add column nonce text not null default '';

-- The log's records are kept as its events are.
-- +goose StatementBegin
create trigger audit_segments_keep_content before update on audit_segments
begin
    select raise(abort, 'segments are never changed');
end;
-- +goose StatementEnd
-- +goose StatementBegin
create trigger audit_segments_keep_rows before delete on audit_segments
begin
    select raise(abort, 'segments are never deleted');
end;
-- +goose StatementEnd
-- +goose StatementBegin
create trigger audit_segments_keep_others before insert on audit_segments
    when exists (select 1 from audit_segments where number = new.number)
begin
    select raise(abort, 'segments are never replaced');
end;
-- +goose StatementEnd

-- +goose StatementBegin
create trigger audit_sealings_keep_content before update on audit_sealings
begin
    select raise(abort, 'sealings are never changed');
end;
-- +goose StatementEnd
-- +goose StatementBegin
create trigger audit_sealings_keep_rows before delete on audit_sealings
begin
    select raise(abort, 'sealings are never deleted');
end;
-- +goose StatementEnd
-- +goose StatementBegin
create trigger audit_sealings_keep_others before insert on audit_sealings
    when exists (select 1 from audit_sealings where position = new.position)
begin
    select raise(abort, 'sealings are never replaced');
end;
-- +goose StatementEnd

-- The log's row only goes on.
-- +goose StatementBegin
create trigger audit_log_keep_content before update on audit_log
    when new.version < old.version or new.segment < old.segment
        or new.segment = old.segment and (new.first_position <> old.first_position or new.size < old.size)
begin
    select raise(abort, 'the audit log never goes back');
end;
-- +goose StatementEnd
-- +goose StatementBegin
create trigger audit_log_keep_rows before delete on audit_log
begin
    select raise(abort, 'the audit log is never deleted');
end;
-- +goose StatementEnd
-- +goose StatementBegin
create trigger audit_log_keep_others before insert on audit_log
    when exists (select 1 from audit_log)
begin
    select raise(abort, 'the audit log is never replaced');
end;
-- +goose StatementEnd
