-- +goose NO TRANSACTION
-- +goose Up

-- What is not sealed, where version 22 did not make this index. One that was cut off halfway is of no use: it is made
-- again. Making it concurrently waits for others without holding them up, so that may take as long as it needs.
reset lock_timeout; -- a try before this one may have failed below
-- +goose StatementBegin
do $$
begin
    if exists (select from pg_index where indexrelid = to_regclass('events_unsealed') and not indisvalid) then
        drop index events_unsealed;
    end if;
end;
$$;
-- +goose StatementEnd
set lock_timeout = 0;
create index concurrently if not exists events_unsealed on events (at) where position is null;
reset lock_timeout;
