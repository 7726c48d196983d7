//go:build linux

package crash

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver named "sqlite"
)

// database is the bot's, as the harness reads it from outside: with SQL of its own.
type database struct {
	address string // DATABASE_URL
	db      *sql.DB
	remove  func() // takes it away; nil where it goes with its folder
}

// newDatabase makes an empty database for a schedule.
func newDatabase(s schedule, dir string) (database, error) {
	if s.database != sqlite {
		return database{}, fmt.Errorf("database %q is none that the harness knows", s.database)
	}
	path := filepath.Join(dir, "requests.db")
	db, err := sql.Open("sqlite", "file:"+path+"?mode=rw&_pragma=busy_timeout(5000)&_pragma=query_only(1)")
	return database{address: "sqlite:" + path, db: db}, err
}

func (d database) url() string { return d.address }

// drop takes the database away.
func (d database) drop() {
	if d.db != nil {
		_ = d.db.Close() // it was only read
	}
	if d.remove != nil {
		d.remove()
	}
}

// row is a request as it is stored.
type row struct {
	id, ref, long, state, why string
	server                    int64
	content, channel, user    string
	created                   time.Time
	ticket                    int64
	notice                    *notice
	events                    []event
}

// notice is what is owed to people about a request.
type notice struct {
	channel, ts, way string
	due              bool
	owed, shown      int64
}

// event is a line of a request's history.
type event struct{ kind, actor, from, to, detail string }

func (r row) working() bool {
	return r.state == "scheduled" || r.state == "filing" || r.state == "unknown"
}

// owing reports whether something is still to be told.
func (r row) owing() bool {
	return r.notice != nil && (r.notice.due || r.notice.shown < r.notice.owed)
}

// rows reads every request with its history and its notice.
func (d database) rows(ctx context.Context) ([]row, error) {
	var all []row
	err := d.each(ctx, `select id, short_ref, ref, state, why, server_id, submission, created_at, ticket_id from requests order by created_at, id`,
		func(from *sql.Rows) error {
			var r row
			var submission string
			var created int64
			if err := from.Scan(&r.id, &r.ref, &r.long, &r.state, &r.why, &r.server, &submission, &created, &r.ticket); err != nil {
				return err
			}
			var said struct {
				Content string
				By      struct{ ID string }
				Place   struct{ Channel string }
			}
			if err := json.Unmarshal([]byte(submission), &said); err != nil {
				return err
			}
			r.created = time.UnixMilli(created)
			r.content, r.user, r.channel = said.Content, said.By.ID, said.Place.Channel
			all = append(all, r)
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("reading the requests: %w", err)
	}
	byID := map[string]*row{}
	for i := range all {
		byID[all[i].id] = &all[i]
	}
	if err := d.readNotices(ctx, byID); err != nil {
		return nil, fmt.Errorf("reading the notices: %w", err)
	}
	return all, d.readEvents(ctx, byID)
}

func (d database) readNotices(ctx context.Context, byID map[string]*row) error {
	return d.each(ctx, `select request_id, channel, ts, way, due, owed, shown from notices`, func(from *sql.Rows) error {
		var id string
		var n notice
		var due sql.NullInt64
		if err := from.Scan(&id, &n.channel, &n.ts, &n.way, &due, &n.owed, &n.shown); err != nil {
			return err
		}
		n.due = due.Valid
		if r := byID[id]; r != nil { // or recorded since the requests were read
			r.notice = &n
		}
		return nil
	})
}

func (d database) readEvents(ctx context.Context, byID map[string]*row) error {
	err := d.each(ctx, `select request_id, kind, actor, from_state, to_state, detail from events order by request_id, seq`, func(from *sql.Rows) error {
		var id string
		var e event
		if err := from.Scan(&id, &e.kind, &e.actor, &e.from, &e.to, &e.detail); err != nil {
			return err
		}
		if r := byID[id]; r != nil {
			r.events = append(r.events, e)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the events: %w", err)
	}
	return nil
}

func (d database) each(ctx context.Context, query string, visit func(*sql.Rows) error) error {
	found, err := d.db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer found.Close()
	for found.Next() {
		if err := visit(found); err != nil {
			return err
		}
	}
	return found.Err()
}
