//go:build linux

package crash

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver named "pgx"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // the driver named "sqlite"

	"cancel-server/internal/postgrestest"
)

// database is the bot's database, which the harness reads from outside with its own SQL.
type database struct {
	address string // DATABASE_URL
	*sql.DB
	pair *pair // nil where it cannot fail over
}

// pair is a primary and its standby, and the address that leads to one of them.
type pair struct {
	primary, standby *postgrestest.Cluster
	way              *postgrestest.Switch
}

// clusters are made by the first round that has failovers.
var clusters *postgrestest.Clusters

// newDatabase makes an empty database, which is removed with the test.
func newDatabase(t testing.TB, s schedule, dir string) database {
	t.Helper()
	var d database
	driver, name := "pgx", ""
	switch {
	case s.failover != nil:
		primary, standby := clusters.Pair(t)
		d.pair = &pair{primary, standby, postgrestest.NewSwitch(t, primary.Address())}
		d.address = postgrestest.ClusterURL(d.pair.way.Address())
		name = d.address
	case s.database == postgres:
		d.address = postgrestest.DatabaseFor(t, s.replicas)
		name = d.address
	default:
		path := filepath.Join(dir, "requests.db")
		driver, d.address, name = "sqlite", "sqlite:"+path, "file:"+path+"?mode=rw&_pragma=busy_timeout(5000)&_pragma=query_only(1)"
	}
	var err error
	d.DB, err = sql.Open(driver, name)
	require.NoError(t, err)
	d.SetMaxOpenConns(1)
	if d.pair != nil {
		d.SetMaxIdleConns(0) // each read goes where the way leads by then
	}
	t.Cleanup(func() { _ = d.Close() }) // nothing of it is kept
	return d
}

// failOver promotes the standby and points the address to it. A session that is not cut stays
// at its server.
func (p *pair) failOver(old oldPrimary) {
	p.way.Lead("")
	switch old {
	case killed:
		p.primary.Kill()
	case cutOff:
		p.way.Cut(1)
	case halfCut:
		p.way.Cut(2)
	}
	p.standby.Promote()
	p.way.Lead(p.standby.Address())
}

// hurry has what is told of a list's servers together be due, which otherwise waits for an hour, the evening or the morning.
func (d database) hurry(ctx context.Context) error {
	const now = `update notices set due = 1 where kind like 'gathered:%' and posting = 0 and lease_owner is null and due > 1`
	if !strings.HasPrefix(d.address, "sqlite:") {
		_, err := d.ExecContext(ctx, now)
		return err
	}
	_, err := d.ExecContext(ctx, "pragma query_only = 0; "+now)
	_, err2 := d.ExecContext(ctx, "pragma query_only = 1")
	return errors.Join(err, err2)
}

// cut ends every connection of the bot's to a PostgreSQL database.
func (d database) cut(ctx context.Context) error {
	_, err := d.ExecContext(ctx, `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`)
	return err
}

// row is a request as it is stored.
type row struct {
	id, ref, long, state, why string
	batch                     string // of a list: its id
	server                    int64
	content, channel, user    string
	created                   time.Time
	ticket                    int64
	notice                    *notice
	told                      []notice // in its thread
	gathers                   bool     // of a list's lead: a message about several of its servers is owed
	heard                     []string // of the news that its requester is owed, each kind alone and with its detail
	unheard                   []string // those of them that are told at once, and were not told yet
	events                    []event
}

// notice is what is owed to people about a request.
type notice struct {
	kind, channel, ts, way string
	due                    bool
	owed, shown            int64
}

// event is a line of a request's history.
type event struct {
	at                            time.Time
	kind, actor, from, to, detail string
}

func (r row) working() bool {
	return r.state == "pending" || r.state == "scheduled" || r.state == "filing" || r.state == "unknown"
}

// owing reports whether a message is still owed.
func (r row) owing() bool {
	return r.gathers || r.notice != nil && (r.notice.due || r.notice.shown < r.notice.owed) ||
		slices.ContainsFunc(r.told, func(n notice) bool { return n.due })
}

// unheardOf reports whether a letter that is told at once is still owed.
func (r row) unheardOf() bool { return len(r.unheard) > 0 }

// hears reports whether its requester is owed news of one of these kinds, or with such a detail, told or not.
func (r row) hears(kinds ...string) bool {
	return slices.ContainsFunc(kinds, func(kind string) bool { return slices.Contains(r.heard, kind) })
}

// private reports whether its thread is its requester's alone, who then hears by letter.
func (r row) private() bool {
	return r.notice != nil && (r.notice.way == "direct" || strings.HasPrefix(r.notice.channel, "D"))
}

// owes reports whether there is a notice of this kind, delivered or not.
func (r row) owes(kind string) bool {
	return slices.ContainsFunc(r.told, func(n notice) bool { return n.kind == kind })
}

// filingSince returns when the POST that came at a moment was committed. From then on it may
// be written for POST_TIMEOUT.
func (r row) filingSince(came time.Time) time.Time {
	since := came
	for _, e := range r.events {
		if e.to == "filing" && !e.at.After(came) {
			since = e.at
		}
	}
	return since
}

// rows reads every request with its history and its notice.
func (d database) rows(ctx context.Context) ([]row, error) {
	var all []row
	err := d.each(ctx, `select id, short_ref, ref, state, reason_code, server_id, submission, created_at, ticket_id, batch from requests order by created_at, id`,
		func(from *sql.Rows) error {
			var r row
			var submission string
			var created int64
			if err := from.Scan(&r.id, &r.ref, &r.long, &r.state, &r.why, &r.server, &submission, &created, &r.ticket, &r.batch); err != nil {
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
	if err := d.readNews(ctx, byID); err != nil {
		return nil, fmt.Errorf("reading the news: %w", err)
	}
	if err := d.readNotices(ctx, byID); err != nil {
		return nil, fmt.Errorf("reading the notices: %w", err)
	}
	return all, d.readEvents(ctx, byID)
}

// rootMessage is the kind of a list's message where people asked. It is kept under the first request of the list.
const rootMessage = "batch:result"

// sizes reads of how many servers each list is, by its id.
func (d database) sizes(ctx context.Context) (map[string]int, error) {
	all := map[string]int{}
	err := d.each(ctx, `select id, size from batches`, func(from *sql.Rows) error {
		var id string
		var size int
		err := from.Scan(&id, &size)
		all[id] = size
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the lists: %w", err)
	}
	return all, nil
}

// unseen counts the filed requests at which no follower has looked.
func (d database) unseen(ctx context.Context) (count int, err error) {
	err = d.QueryRowContext(ctx, `select count(*) from requests where state = 'filed'
		and not exists (select 1 from followed where request_id = requests.id and looked_at > 0)`).Scan(&count)
	return count, err
}

func (d database) readNotices(ctx context.Context, byID map[string]*row) error {
	return d.each(ctx, `select request_id, kind, channel, ts, way, due, owed, shown from notices order by request_id, kind`, func(from *sql.Rows) error {
		var id string
		var n notice
		var due sql.NullInt64
		if err := from.Scan(&id, &n.kind, &n.channel, &n.ts, &n.way, &due, &n.owed, &n.shown); err != nil {
			return err
		}
		n.due = due.Valid
		switch r := byID[id]; {
		case r == nil: // recorded since the requests were read
		case n.kind == "result", n.kind == rootMessage:
			r.notice = &n
		case strings.HasPrefix(n.kind, "gathered:"):
			r.gathers = r.gathers || n.due
		case strings.HasPrefix(n.kind, "said:"), strings.HasPrefix(n.kind, "batch:ended:"), strings.HasPrefix(n.kind, "update:"), n.kind == "direct:"+r.user:
			r.told = append(r.told, n)
		}
		return nil
	})
}

func (d database) readNews(ctx context.Context, byID map[string]*row) error {
	return d.each(ctx, `select request_id, person, kind, detail, settled_at is not null from news order by number`, func(from *sql.Rows) error {
		var id, person, kind, detail string
		var settled bool
		if err := from.Scan(&id, &person, &kind, &detail, &settled); err != nil {
			return err
		}
		r := byID[id]
		if r == nil {
			return nil
		}
		if !settled && (kind == "waits" || kind == "not_cancelled") {
			r.unheard = append(r.unheard, kind)
		}
		if r.user == person {
			r.heard = append(r.heard, kind, kind+" "+detail)
		}
		return nil
	})
}

func (d database) readEvents(ctx context.Context, byID map[string]*row) error {
	err := d.each(ctx, `select request_id, at, kind, actor, from_state, to_state, detail from events order by request_id, seq`, func(from *sql.Rows) error {
		var id string
		var e event
		var at int64
		if err := from.Scan(&id, &at, &e.kind, &e.actor, &e.from, &e.to, &e.detail); err != nil {
			return err
		}
		e.at = time.UnixMilli(at)
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
	found, err := d.QueryContext(ctx, query)
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
