package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"cancel-server/internal/billed"
)

// staysFormat is the format of what is kept of what stays billed. A build leaves newer ones unread.
const staysFormat = 1

const keepStaysSQL = `
	insert into stays_billed (request_id, format, stays, left_behind) values ($1, $2, $3, $4)
	on conflict (request_id) do update set format = excluded.format, stays = excluded.stays, left_behind = excluded.left_behind`

// staysPage is how many requests one query reads.
const staysPage = 100

func staysSQL(requests int) string {
	return `select request_id, stays, left_behind from stays_billed
		where request_id in ` + placeholders(1, requests) + fmt.Sprintf(` and format <= %d`, staysFormat)
}

// StaysOf reads what is kept of what stays billed of these requests, by their ids. Nothing is kept of
// those that it leaves out.
func (s *Store) StaysOf(ctx context.Context, requests []string) (map[string]billed.Record, error) {
	all := map[string]billed.Record{}
	for page := range slices.Chunk(requests, staysPage) {
		args := make([]any, len(page))
		for i, id := range page {
			args[i] = id
		}
		rows, err := readAll(ctx, s.read, "reading what stays billed", scanStays, staysSQL(len(page)), args...)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			all[row.id] = row.Record
		}
	}
	return all, nil
}

type staysRow struct {
	id string
	billed.Record
}

func scanStays(from row) (r staysRow, err error) {
	var stays, left sql.NullString
	if err := from.Scan(&r.id, &stays, &left); err != nil {
		return r, err
	}
	for text, into := range map[*sql.NullString]**billed.Stays{&stays: &r.Stays, &left: &r.Left} {
		if !text.Valid {
			continue
		}
		*into = new(billed.Stays)
		if err := json.Unmarshal([]byte(text.String), *into); err != nil {
			return r, fmt.Errorf("reading what stays billed of request %q: %w", r.id, err)
		}
	}
	return r, nil
}

// keepStays keeps what stays billed of a request; nil leaves it as it is.
func keepStays(ctx context.Context, tx *tx, requestID string, r *billed.Record) error {
	if r == nil {
		return nil
	}
	_, err := tx.ExecContext(ctx, keepStaysSQL, requestID, staysFormat, staysText(r.Stays), staysText(r.Left))
	return wrap("keeping what stays billed", err)
}

func staysText(s *billed.Stays) any {
	if s == nil {
		return nil
	}
	text, _ := json.Marshal(s) // texts and numbers
	return string(text)
}
