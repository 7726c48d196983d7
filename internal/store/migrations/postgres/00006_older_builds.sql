-- +goose Up

-- Builds before version 4 know no freeze and count no filings: they do not start on this
-- database any more.
update schema_support set oldest = 4 where oldest < 4;

-- One that already runs begins no filing either while filing is frozen. Later builds have
-- asked before.
-- +goose StatementBegin
create function filing_thawed() returns trigger language plpgsql as $$
declare
    stands bigint;
begin
    select frozen into stands from filing_order for share;
    if stands <> 0 then
        raise exception 'filing is frozen';
    end if;
    return new;
end;
$$;
-- +goose StatementEnd

create trigger requests_thawed before update of state on requests
    for each row when (new.state = 'filing' and old.state <> 'filing') execute function filing_thawed();
