-- +goose Up

-- nonce is random and part of the segment's origin, so that two copies of a database that were restored from
-- one backup begin segments of different origins; '' if an older build began it.
alter table audit_segments add column nonce text not null default '';

-- The log's records are kept as its events are.
-- +goose StatementBegin
create function audit_records_stay() returns trigger language plpgsql as $$
begin
    raise exception 'segments and sealings are never changed or deleted';
end;
$$;
-- +goose StatementEnd
create trigger audit_segments_stay before update or delete on audit_segments
    for each row execute function audit_records_stay();
create trigger audit_segments_stay_whole before truncate on audit_segments
    for each statement execute function audit_records_stay();
create trigger audit_sealings_stay before update or delete on audit_sealings
    for each row execute function audit_records_stay();
create trigger audit_sealings_stay_whole before truncate on audit_sealings
    for each statement execute function audit_records_stay();

-- The log's row only goes on.
-- +goose StatementBegin
create function audit_log_stays() returns trigger language plpgsql as $$
begin
    if tg_op <> 'UPDATE' then
        raise exception 'the audit log is never deleted';
    end if;
    if new.version < old.version or new.segment < old.segment
        or new.segment = old.segment and (new.first_position <> old.first_position or new.size < old.size) then
        raise exception 'the audit log never goes back';
    end if;
    return new;
end;
$$;
-- +goose StatementEnd
create trigger audit_log_stays before update or delete on audit_log
    for each row execute function audit_log_stays();
create trigger audit_log_stays_whole before truncate on audit_log
    for each statement execute function audit_log_stays();
