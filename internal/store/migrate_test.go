package store

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

// Migrations that a build after this one might bring. The second says that
// builds of the first version go wrong beside it.
const (
	additional = `-- +goose Up
alter table requests add column reviews integer not null default 0;
create table reviews (request_id text not null references requests (id), actor text not null);
create index requests_updated on requests (updated_at);`
	breaking = `-- +goose Up
update schema_support set oldest = 1000;`
)

// newerBuild brings a database to the migrations of this build and more, as a newer
// build does when it starts.
func newerBuild(ctx context.Context, s *Store, more ...string) error {
	steps := fstest.MapFS{}
	own := "migrations/" + s.dialect.folder
	names, err := fs.Glob(migrations, own+"/*.sql")
	if err != nil {
		return err
	}
	for _, name := range names {
		text, err := fs.ReadFile(migrations, name)
		if err != nil {
			return err
		}
		steps[filepath.Base(name)] = &fstest.MapFile{Data: text}
	}
	for i, text := range more {
		steps[fmt.Sprintf("%05d_more.sql", 900+i)] = &fstest.MapFile{Data: []byte(text)}
	}
	provider, err := goose.NewProvider(s.dialect.goose, s.write, steps, goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

func TestMigrationRunsAlongsideAReplicaOfThisBuild(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, o Options) {
		old, newer := open(t, o), open(t, o)
		require.NoError(t, old.Bind(t.Context(), sandbox))
		before := filed(t, old, 1)

		working(t, old, func() { require.NoError(t, newerBuild(t.Context(), newer, additional)) })
		read, err := old.Request(t.Context(), before.ID)
		require.NoError(t, err)
		assert.Equal(t, before, read)
		filed(t, open(t, o), 2) // another one of this build starts

		working(t, old, func() { require.NoError(t, newerBuild(t.Context(), newer, additional, breaking)) })
		_, err = Open(t.Context(), o)
		require.ErrorIs(t, err, ErrNewer, "the newer build has said that this one goes wrong beside it")
	})
}

// TestOlderBuildsRowKnowsItsPostTime takes the column of that moment away, as
// in the database of a build that has none, and opens it.
func TestOlderBuildsRowKnowsItsPostTime(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, o Options) {
		clock := newHands()
		o.Clock = clock.time
		old := open(t, o)
		require.NoError(t, old.Bind(t.Context(), sandbox))
		filing := func(r cancellation.Request) cancellation.Request {
			change := moved(r, cancellation.Filing)
			change.To.Posts++
			return applied(t, old, change)
		}
		sent := clock.time()
		once := filing(recorded(t, old, 1))
		twice := filing(recorded(t, old, 2))
		clock.pass(time.Hour)
		applied(t, old, moved(once, cancellation.Filed))
		applied(t, old, moved(filing(applied(t, old, moved(twice, cancellation.Scheduled))), cancellation.Filed))
		for _, back := range append(backBeforeReasons(o), `alter table requests drop column sent_at`, `delete from goose_db_version where version_id >= 8`) {
			_, err := old.write.Exec(back)
			require.NoError(t, err)
		}

		newer := open(t, o)
		read, err := newer.Request(t.Context(), once.ID)
		require.NoError(t, err)
		assert.Equal(t, sent, read.SentAt, "as its history says")
		read, err = newer.Request(t.Context(), twice.ID)
		require.NoError(t, err)
		assert.Zero(t, read.SentAt, "of two POSTs nobody knows which made the ticket")
	})
}

// backBeforeReasons also takes away the sealed log, whose triggers each kind of database drops in its own way.
func backBeforeReasons(o Options) []string {
	triggers := []string{`drop trigger filing_orders_recorded`, `drop trigger events_keep_seal`}
	if o.URL != "" {
		triggers = []string{
			`drop function filing_orders_recorded cascade`, `drop table deployment_events`, `drop function deployment_events_stay`,
			`alter table binding drop column cluster`,
			`drop function audit_records_stay cascade`, `drop function audit_log_stays cascade`,
		}
	}
	return slices.Concat(triggers, beforeBatches, beforeSealing, beforeInquiries, beforeReasons)
}

// beforeBatches takes away what forms with several servers need.
var beforeBatches = []string{
	`drop index requests_batch`, `drop table batches`, `alter table requests drop column batch`, `alter table requests drop column batch_row`,
}

// beforeSealing takes the tables of the sealed log away.
var beforeSealing = []string{
	`drop table if exists deployment_events`, `drop table audit_log`, `drop table audit_segments`, `drop table audit_sealings`, `drop index if exists events_unsealed`,
	`alter table events drop column salt`, `alter table events drop column erased`, `alter table requests drop column salt`,
}

// beforeInquiries takes away what inquiries read, and whether the database is of practice.
var beforeInquiries = []string{
	`drop table policies`, `drop table order_notices`, `drop index requests_created`, `drop index news_request`,
	`alter table binding drop column practice`,
}

// beforeReasons takes the columns of reasons away, as in the database of a build before them.
var beforeReasons = []string{
	`drop index requests_pending`, `drop index requests_ending`, `drop index requests_server`, `drop index requests_server_name`,
	`drop table rechecks`, `alter table requests drop column epoch`, `drop index if exists requests_leased`, `drop index if exists notices_leased`,
	`alter table requests drop column server_name`, `alter table requests drop column ends_at`,
	`drop index requests_sent`, `drop index requests_gone`, `drop index requests_ticket`, `drop table bulletin_turn`, `drop table bulletins`, `drop table elsewhere`,
	`drop table mailboxes`,
	`drop table ticket_updates`, `alter table requests drop column stop_asked_at`,
	`drop table stays_billed`, `drop table news`, `drop table waits`, `drop table followed`, `drop table follow_turn`, `drop index if exists requests_filed`, `alter table requests drop column shows`,
	`drop index requests_changed`, `drop index requests_under_way`,
	`alter table requests drop column reason_code`, `alter table requests drop column reason_by`,
	`alter table requests rename column reason_detail to why`, `update schema_support set oldest = 4`, `delete from goose_db_version where version_id >= 9`,
}

// TestOlderBuildsReasonsAreReadInParts writes rows as a build wrote them that kept a reason
// in one text.
func TestOlderBuildsReasonsAreReadInParts(t *testing.T) {
	t.Parallel()
	was := []struct {
		state cancellation.State
		why   string
		want  cancellation.Reason
	}{
		{cancellation.Scheduled, "", cancellation.Reason{}},
		{cancellation.Rejected, "server-changed: name, tags", cancellation.Reason{Code: cancellation.WhyChanged, Detail: "name, tags"}},
		{cancellation.Rejected, "server-not-found", cancellation.Reason{Code: cancellation.WhyNotFound}},
		{cancellation.Rejected, "You may not: no right.", cancellation.Reason{Detail: "You may not: no right.", By: cancellation.BySoftLayer}},
		{cancellation.Denied, "waiting: is not yours", cancellation.Reason{Detail: "waiting: is not yours", By: cancellation.ByPolicy}},
		{cancellation.Denied, "not yours", cancellation.Reason{Detail: "not yours", By: cancellation.ByPolicy}},
		{cancellation.Scheduled, "waiting: calling X: a: b", cancellation.Reason{Code: cancellation.WhyWaiting, Detail: "calling X: a: b"}},
		{cancellation.Scheduled, "filing-frozen: operator:root: an outage: fra02", cancellation.Reason{Code: cancellation.WhyFrozen, Detail: "an outage: fra02", By: "operator:root"}},
		{cancellation.Scheduled, "filing-frozen: T1/U8: an outage", cancellation.Reason{Code: cancellation.WhyFrozen, Detail: "an outage", By: "T1/U8"}},
		{cancellation.Filed, "ticket-on-a-word: operator:root", cancellation.Reason{Code: cancellation.WhyUnseen, By: "operator:root"}},
		{cancellation.Stuck, "checks-failed-after-it: server-changed: name", cancellation.Reason{Code: cancellation.WhyChanged, Detail: "name"}},
		{cancellation.Stuck, "checks-failed-after-it: not any more", cancellation.Reason{Detail: "not any more"}},
		{cancellation.Declined, " waiting: for Godot", cancellation.Reason{Detail: "waiting: for Godot"}},
	}
	onBoth(t, func(t *testing.T, o Options) {
		old := open(t, o)
		require.NoError(t, old.Bind(t.Context(), sandbox))
		var ids []string
		for n := range was {
			ids = append(ids, recorded(t, old, int64(n+1)).ID)
		}
		for _, back := range backBeforeReasons(o) {
			_, err := old.write.Exec(back)
			require.NoError(t, err)
		}
		for n, row := range was {
			alter(t, old, `update requests set state = $1, why = $2, ended_by = $3 where id = $4`,
				string(row.state), row.why, `{"Team":"T1","ID":"U8","Name":"Raj"}`, ids[n])
		}
		newer := open(t, o)
		for n, row := range was {
			read, err := newer.Request(t.Context(), ids[n])
			require.NoError(t, err)
			assert.Equal(t, row.want, read.Why, "%s %q", row.state, row.why)
		}
	})
}

// working does something while a store does whole jobs, at least one before it and one
// after it.
func working(t *testing.T, s *Store, something func()) {
	over, begun := make(chan struct{}), make(chan struct{})
	var worker sync.WaitGroup
	defer worker.Wait()
	defer close(over)
	worker.Go(func() {
		jobs := 0
		for last := false; !last; jobs++ {
			select {
			case <-over:
				last = true
			default:
			}
			assert.NoError(t, wholeJob(t.Context(), s), "the old replica goes on")
			if jobs == 0 {
				close(begun)
			}
		}
	})
	<-begun
	something()
}

// wholeJob records, claims, files and notes one request, and ends it.
func wholeJob(ctx context.Context, s *Store) error {
	rec := asking(1_000)
	if _, err := s.Record(ctx, rec); err != nil {
		return err
	}
	r, _, _, err := taken(s.Claim(ctx, "old", lease, 1))
	if err != nil {
		return err
	}
	for _, to := range []cancellation.State{cancellation.Filing, cancellation.Filed, cancellation.Reverted} {
		if r, err = s.Apply(ctx, moved(r, to)); err != nil {
			return err
		}
	}
	return s.Note(ctx, r.ID, cancellation.Event{Kind: cancellation.EventAskedAgain})
}

func TestOlderBuildsOrdersBecomeEvents(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, o Options) {
		old := open(t, o)
		for _, back := range backBeforeReasons(o)[:len(backBeforeReasons(o))-len(beforeReasons)] {
			_, err := old.write.Exec(back)
			require.NoError(t, err, back)
		}
		alter(t, old, `alter table bulletin_turn drop column checkpoints_from`)
		alter(t, old, `delete from goose_db_version where version_id >= 22`)
		alter(t, old, `insert into filing_orders (at, frozen, actor, why, number, refused) values (1, 1, 'operator:root', 'a', 1, ''), (2, 0, 'T0/U1', 'b', 0, 'leads'), (2, 0, 'operator:root', 'c', 2, '')`)
		newer := open(t, o)
		orders, err := readAll(t.Context(), newer.read, "", func(from row) (s string, err error) { return s, from.Scan(&s) },
			`select number || ' ' || at || ' ' || kind || ' ' || actor || ' ' || subject || ' ' || detail from deployment_events order by number`)
		require.NoError(t, err)
		assert.Equal(t, []string{"1 1 freeze operator:root 1 a", "2 2 unfreeze-refused T0/U1 leads b", "3 2 unfreeze operator:root 2 c"}, orders)
		log, err := newer.AuditLog(t.Context())
		require.NoError(t, err)
		assert.EqualValues(t, 3, log.Deployment)
	})
}
