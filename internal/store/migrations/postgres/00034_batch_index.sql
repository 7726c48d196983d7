-- +goose NO TRANSACTION
-- +goose Up

-- The requests of a batch, where version 33 did not make this index. As in version 28, one that was cut off halfway is
-- made again, and making it holds up nobody.
reset lock_timeout; -- a try before this one may have failed below
-- +goose StatementBegin
do $$
begin
    if exists (select from pg_index where indexrelid = to_regclass('requests_batch') and not indisvalid) then
        drop index requests_batch;
    end if;
end;
$$;
-- +goose StatementEnd
set lock_timeout = 0;
create index concurrently if not exists requests_batch on requests (batch, batch_row) where batch <> '';
reset lock_timeout;
