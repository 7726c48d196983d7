-- +goose Up

-- Why a request is in its state, in three parts: the program's code, the detail, and whose words
-- the detail is. Older builds wrote one text, "code: detail", and read it back apart.
alter table requests rename column why to reason_detail;
alter table requests add column reason_code text not null default '';
alter table requests add column reason_by text not null default '';

update requests set reason_detail = substr(reason_detail, length('checks-failed-after-it: ') + 1)
    where reason_detail like 'checks-failed-after-it: %';
update requests set reason_code = case when instr(reason_detail, ': ') > 0
        then substr(reason_detail, 1, instr(reason_detail, ': ') - 1) else reason_detail end
    where reason_detail <> '' and state <> 'denied';
update requests set reason_code = '' where reason_code not in (
    'server-changed', 'server-blocked', 'new-warning', 'server-not-found', 'answers-lost',
    'books-unclear', 'ticket-unreadable', 'closed-ticket-blocks', 'cannot-be-worked',
    'needs-approval', 'waiting', 'filing-frozen', 'ticket-on-a-word', 'taken-over',
    'approvals-missing');
update requests set reason_detail = substr(reason_detail, length(reason_code) + 3) where reason_code <> '';

update requests set reason_by = substr(reason_detail, 1, instr(reason_detail, ': ') - 1),
        reason_detail = substr(reason_detail, instr(reason_detail, ': ') + 2)
    where reason_code = 'filing-frozen' and instr(reason_detail, ': ') > 0;
update requests set reason_by = reason_detail, reason_detail = '' where reason_code = 'ticket-on-a-word';

-- A person's words that read like a code had a space before them.
update requests set reason_detail = substr(reason_detail, 2)
    where reason_code = '' and state in ('withdrawn', 'declined') and substr(reason_detail, 1, 1) = ' ';

-- Who ended a request stands in ended_by already, and what SoftLayer or a person said of others
-- is not told apart any more.
update requests set reason_by = 'policy' where reason_code = '' and reason_detail <> '' and state = 'denied';
update requests set reason_by = 'SoftLayer' where reason_code = '' and reason_detail <> '' and state = 'rejected';

-- Builds before this one know no such columns.
update schema_support set oldest = 9 where oldest < 9;
