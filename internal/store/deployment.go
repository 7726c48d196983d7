package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"cancel-server/internal/audit"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/store/seals"
)

// RateLimiter limits how often a whole deployment calls one vendor, by a row in the database.
// It takes a few turns at a time, so that not every call writes. Turns that are not used
// within a second are lost.
type RateLimiter struct {
	store     *Store
	vendor    string
	perSecond float64
	spent     atomic.Int64 // calls that went without waiting

	taking chan struct{} // held while turns are taken from the database
	mu     sync.Mutex
	left   int
	until  time.Time // when those that are left are lost, by this process's clock
}

// RateLimiter returns the limiter of a vendor: perSecond calls a second, above 0.
func (s *Store) RateLimiter(vendor string, perSecond float64) *RateLimiter {
	return &RateLimiter{store: s, vendor: vendor, perSecond: perSecond, taking: make(chan struct{}, 1)}
}

// atOnce returns how many turns are taken together: those of a fifth of a second.
func (t *RateLimiter) atOnce() int { return max(1, int(t.perSecond/5)) }

// Wait returns when one call may go. It returns [ErrCrowded] at once if that would be after
// ctx's deadline.
func (t *RateLimiter) Wait(ctx context.Context) error {
	if t.take() {
		return nil
	}
	select {
	case t.taking <- struct{}{}:
		defer func() { <-t.taking }()
	case <-ctx.Done():
		return fmt.Errorf("waiting for a turn to call %s: %w", t.vendor, ctx.Err())
	}
	if t.take() { // somebody took more meanwhile
		return nil
	}
	return t.fetch(ctx)
}

// Spend counts a call that did not wait. Later calls wait longer for it.
func (t *RateLimiter) Spend() { t.spent.Add(1) }

func (t *RateLimiter) take() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.left == 0 || time.Now().After(t.until) {
		return false
	}
	t.left--
	return true
}

func (t *RateLimiter) fetch(ctx context.Context) error {
	patience := time.Duration(0)
	if deadline, ok := ctx.Deadline(); ok {
		patience = max(time.Until(deadline), time.Millisecond)
	}
	calls, spent := t.atOnce(), t.spent.Swap(0)
	wait, err := t.store.reserve(ctx, t.vendor, calls+int(spent), t.perSecond, patience)
	if err != nil {
		t.spent.Add(spent)
		return err
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		return fmt.Errorf("waiting for a turn to call %s: %w", t.vendor, ctx.Err())
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.left, t.until = calls-1, time.Now().Add(time.Second)
	return nil
}

// ErrCrowded says that the deployment's rate has no turn left before the caller's deadline.
// Nothing was reserved.
var ErrCrowded = errors.New("too many calls already wait for their turn")

// burst is how far calls may run ahead of an even pace.
const burst = time.Second

const (
	// The next free turn moves on by $3, unless it would then be later than $4.
	reserveSQL = `
		insert into rates (vendor, free_at)
			select cast($1 as text), cast($2 as bigint) + cast($3 as bigint)
			where cast($2 as bigint) + cast($3 as bigint) <= cast($4 as bigint)
		on conflict (vendor) do update set
			free_at = case when rates.free_at > $2 then rates.free_at else cast($2 as bigint) end + cast($3 as bigint)
		where case when rates.free_at > $2 then rates.free_at else cast($2 as bigint) end + cast($3 as bigint) <= cast($4 as bigint)
		returning free_at`
	noDeadline = 365 * 24 * time.Hour
)

// reserve takes the next turns for calls to a vendor, which the whole deployment calls
// perSecond times a second, and returns how long the caller has to wait for them. It returns
// ErrCrowded if that would be longer than patience, unless patience is 0.
func (s *Store) reserve(ctx context.Context, vendor string, calls int, perSecond float64, patience time.Duration) (time.Duration, error) {
	if patience <= 0 {
		patience = noDeadline
	}
	taken := time.Duration(float64(calls) / perSecond * float64(time.Second))
	wait, err := change(ctx, s.committer, &write{}, func(ctx context.Context, tx *tx, now time.Time) (time.Duration, error) {
		var free int64
		err := tx.QueryRowContext(ctx, reserveSQL, vendor, now.UnixMicro(), taken.Microseconds(),
			now.Add(patience+burst).UnixMicro()).Scan(&free)
		if errors.Is(err, sql.ErrNoRows) {
			return -1, nil
		}
		return max(time.UnixMicro(free).Add(-burst).Sub(now), 0), err
	})
	if err == nil && wait < 0 {
		err = ErrCrowded
	}
	return max(wait, 0), wrap(fmt.Sprintf("taking a turn to call %s", vendor), err)
}

const (
	heartbeatSQL = `insert into replicas (owner, seen_at) values ($1, $2)
		on conflict (owner) do update set seen_at = excluded.seen_at`
	forgetSQL     = `delete from replicas where seen_at <= $1`
	unregisterSQL = `delete from replicas where owner = $1`
	replicasSQL   = `select count(*) from replicas where seen_at > $1`
)

// Heartbeat records that a process serves, and returns how many do: those with a heartbeat
// younger than silence.
func (s *Store) Heartbeat(ctx context.Context, owner string, silence time.Duration) (replicas int, err error) {
	replicas, err = change(ctx, s.committer, &write{}, func(ctx context.Context, tx *tx, now time.Time) (n int, err error) {
		if _, err := tx.ExecContext(ctx, heartbeatSQL, owner, stamp(now)); err != nil {
			return 0, err
		}
		if _, err := tx.ExecContext(ctx, forgetSQL, stamp(now.Add(-10*silence))); err != nil {
			return 0, err
		}
		return n, tx.QueryRowContext(ctx, replicasSQL, stamp(now.Add(-silence))).Scan(&n)
	})
	return replicas, wrap("recording that this process serves", err)
}

// Replicas counts the processes that serve, as [Store.Heartbeat] does.
func (s *Store) Replicas(ctx context.Context, silence time.Duration) (n int, err error) {
	now, err := s.Now(ctx)
	if err != nil {
		return 0, err
	}
	err = s.read.QueryRowContext(ctx, replicasSQL, stamp(now.Add(-silence))).Scan(&n)
	return n, wrap("counting the processes that serve", err)
}

// Unregister records that a process has stopped serving.
func (s *Store) Unregister(ctx context.Context, owner string) error {
	err := s.committer.do(ctx, &write{run: func(ctx context.Context, tx *tx, _ time.Time) error {
		_, err := tx.ExecContext(ctx, unregisterSQL, owner)
		return err
	}})
	return wrap("recording that this process has stopped serving", err)
}

// A recheck has every unfinished request read SoftLayer's tickets before its next POST, because the
// database may be a copy from yesterday that does not know of the last POSTs. It is counted in one row
// and written to no request, so that it takes no longer when many are unfinished. A request's epoch is
// the recheck up to which its row is written. What later ones change is added when the row is read, and
// written before its next step.

// How SoftLayer's tickets are read before the next POST.
const (
	readOnce    = cancellation.RecheckOnce
	readSettled = cancellation.RecheckSettled
)

const (
	recheckSQL = `
		update rechecks set epoch = epoch + 1, settled = case when $1 = 1 then epoch + 1 else settled end,
			not_after = coalesce($2, not_after) returning epoch`
	rechecksNow = `(select epoch from rechecks), (select settled from rechecks), (select not_after from rechecks)`
)

var (
	isUnfinished = fmt.Sprintf(`state in ('pending', 'scheduled', 'filing', 'unknown', 'stuck') and format <= %d`, cancellation.Format)

	// It finds no row that has changed since it was read.
	catchUpSQL = `
		update requests set epoch = $2, version = $3, recheck = $4, not_after = $5, clean_since = $6
		where id = $1 and epoch < $2 and version + $2 - epoch = $3 and ` + isUnfinished
)

// recheck begins a recheck, and returns its number. Until notAfter a POST that the database does not
// know of may be under way; zero if there can be none.
func recheck(ctx context.Context, tx *sql.Tx, how cancellation.Recheck, notAfter time.Time) (epoch int64, err error) {
	err = tx.QueryRowContext(ctx, recheckSQL, flag(how == readSettled), stamp(notAfter)).Scan(&epoch)
	if err == nil && how == readSettled {
		_, err = tx.ExecContext(ctx, doubtUpdatesSQL, stamp(notAfter))
	}
	return epoch, wrap("beginning a recheck of what is unfinished", err)
}

// rechecks are the last recheck, and the last one after which requests settle.
type rechecks struct {
	epoch, settled int64
	notAfter       time.Time // of the latter
}

// addTo adds to an unfinished request what its row does not have yet. The new version fences off a late
// writer, and a verb that read the row before. A newer build's request stays as it is.
func (last rechecks) addTo(r *requestRow) {
	unfinished := r.State == cancellation.Stuck || slices.Contains(cancellation.WorkStates(), r.State)
	if !unfinished || r.Format > cancellation.Format || r.epoch >= last.epoch {
		return
	}
	r.Version += last.epoch - r.epoch
	r.CleanSince, r.Recheck = time.Time{}, max(r.Recheck, readOnce)
	if r.epoch < last.settled {
		r.Recheck = readSettled
		if last.notAfter.After(r.NotAfter) {
			r.NotAfter = last.notAfter
		}
	}
}

// catchUp writes to a request's row what rechecks changed. It reports whether the row lacked any.
func (t *tx) catchUp(ctx context.Context, id string) (lacked bool, err error) {
	r, err := scanRequest(t.QueryRowContext(ctx, requestSQL, id))
	if err = readable(err); errors.Is(err, cancellation.ErrNoRequest) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return t.changes(ctx, catchUpSQL, id, t.epoch, r.Version, int(r.Recheck), stamp(r.NotAfter), stamp(r.CleanSince))
}

// Unsealed implements audit.Ledger.
func (s *Store) Unsealed(ctx context.Context, most int) (audit.Batch, error) {
	now, err := s.engine.now(ctx)
	if err != nil {
		return audit.Batch{}, fmt.Errorf("reading what is not sealed: %w", err)
	}
	return seals.Unsealed(ctx, s.read, s.dialect == postgresDialect, now, most)
}

// Seal implements audit.Ledger.
func (s *Store) Seal(ctx context.Context, step audit.Step) (won bool, err error) {
	won, err = change(ctx, s.committer, &write{}, func(ctx context.Context, tx *tx, _ time.Time) (bool, error) {
		return seals.Seal(ctx, tx, s.dialect == postgresDialect, step)
	})
	if err == nil && won && s.lock != nil {
		s.remember(&step.To)
	}
	return won, wrap("sealing events", err)
}

// remember writes next to the file what was sealed last.
func (s *Store) remember(log *audit.Log) {
	if err := seals.Remember(s.lock, log); err != nil {
		s.log.Warn("remembering outside the database what was sealed", "err", err)
	}
}

// NoteDeployment records an event of the deployment. recorded is false if n.Changes says that it is not
// new.
func (s *Store) NoteDeployment(ctx context.Context, n audit.Note) (recorded bool, err error) {
	recorded, err = change(ctx, s.committer, &write{}, func(ctx context.Context, tx *tx, now time.Time) (bool, error) {
		return seals.Note(ctx, tx, now, n)
	})
	return recorded, wrap("recording an event of the deployment", err)
}

// AuditLog reads the sealed log as it is.
func (s *Store) AuditLog(ctx context.Context) (audit.Log, error) { return seals.ReadLog(ctx, s.read) }

// AuditName is the sealed log's name in origins.
func (s *Store) AuditName() string { return auditName(s.Installation()) }

// auditName is a log's name for everybody: it tells nothing of the installation's id.
func auditName(installation string) string {
	sum := sha256.Sum256([]byte("audit " + installation))
	return "cancel-server/" + hex.EncodeToString(sum[:8])
}

// Audit is the sealed log of a database that was opened only to read it.
type Audit struct {
	seals.Records
	Name string // in origins
}

// auditVersion is the first version of the database whose sealed log this build reads.
const auditVersion = 33

// OpenAudit opens a database to read its sealed log. It makes, binds and migrates nothing.
func OpenAudit(ctx context.Context, o Options) (*Audit, error) {
	db, of, err := openToRead(o)
	if err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	a := &Audit{Records: seals.Records{DB: db, Postgres: of == postgresDialect}}
	if a.Name, err = a.learn(ctx, of); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the database: %w", err), db.Close())
	}
	return a, nil
}

// Close closes the database.
func (a *Audit) Close() error { return a.DB.Close() }

func openToRead(o Options) (*sql.DB, dialect, error) {
	connections := runtime.GOMAXPROCS(0) + 2
	if o.Path != "" {
		db, err := openPool(o.Path, connections, url.Values{
			"mode": {"rw"}, "_query_only": {"1"}, "_pragma": {"mmap_size(2147483648)", "cache_size(-16384)"},
		})
		return db, sqliteDialect, err
	}
	config, err := sessionsOf(o.URL)
	if err != nil {
		return nil, postgresDialect, err
	}
	maps.Copy(config.RuntimeParams, unhurried)
	readOnly := stdlib.OptionAfterConnect(func(ctx context.Context, session *pgx.Conn) error {
		_, err := session.Exec(ctx, readOnlySQL)
		return err
	})
	return bounded(stdlib.OpenDB(*config, readOnly), connections), postgresDialect, nil
}

// unhurried are the settings of sessions that read a whole log: it is verified or exported in one transaction, which
// may take minutes, and waits while its output does. They count from the first statement on, whatever the server,
// the database or the role say: https://www.postgresql.org/docs/current/config-setting.html. With the memory, a million
// events are sorted and counted without a file.
var unhurried = map[string]string{"statement_timeout": "0", "idle_in_transaction_session_timeout": "0", "work_mem": "64MB"}

// readOnlySQL also lifts the limit that only PostgreSQL 17 and later have.
const readOnlySQL = `set default_transaction_read_only = on;
	select set_config(name, '0', false) from pg_settings where name = 'transaction_timeout'`

// learn checks that this build can read the log, and returns its name.
func (a *Audit) learn(ctx context.Context, of dialect) (name string, err error) {
	version, err := versionOf(ctx, a.DB)
	if err != nil {
		return "", fmt.Errorf("reading the database's version: %w", err)
	}
	ours, err := newest(of)
	switch {
	case err != nil:
		return "", err
	case version > ours:
		if err := supported(ctx, a.DB, version, ours); err != nil {
			return "", err
		}
	case version == 0:
		return "", ErrUnserved
	case version < auditVersion:
		return "", fmt.Errorf("it is of version %d, whose log an older build reads: run that one, or start bot serve of this build once", version)
	}
	stored, err := scanBound(a.DB.QueryRowContext(ctx, boundSQL))
	if errors.Is(err, sql.ErrNoRows) {
		return "", ErrUnserved
	}
	return auditName(stored.installation), err
}
