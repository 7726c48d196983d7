-- +goose Up

-- Builds before version 4 know no freeze and count no filings: they do not start on this
-- database any more.
update schema_support set oldest = 4 where oldest < 4;

-- One that already runs begins no filing either while filing is frozen. Later builds have
-- asked before.
-- +goose StatementBegin
create trigger requests_thawed
    before update of state on requests
    when new.state = 'filing' and old.state <> 'filing' and (select frozen from filing_order) <> 0
begin
    select raise(abort, 'filing is frozen');
end;
-- +goose StatementEnd
