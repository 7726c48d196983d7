-- +goose Up

-- When the last POST was sent; of a filed request, when the one was that made its ticket,
-- null where nobody can tell. By it and the cut-off the date is known on which the server goes.
alter table requests add column sent_at integer;
update requests set sent_at = (
    select max(at) from events where request_id = requests.id and to_state = 'filing' and from_state <> 'filing')
    where posts = 1;
