package store

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/audit"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/postgrestest"
	"cancel-server/internal/store/host"
)

func TestBackupHoldsAllThatWasRecordedBefore(t *testing.T) {
	t.Parallel()
	path, to := filepath.Join(t.TempDir(), "bot.db"), filepath.Join(t.TempDir(), "bot.backup")
	s := open(t, Options{Path: path, Mode: Serve})
	require.NoError(t, s.Bind(t.Context(), sandbox))
	var before []cancellation.Request
	for server := range int64(20) {
		before = append(before, recorded(t, s, server+1))
	}
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	more := 0
	load.Go(func() {
		for server := int64(1000); ctx.Err() == nil; server++ {
			recorded(t, s, server)
			more++
		}
	})
	made, err := BackUp(t.Context(), path, to)
	stop()
	load.Wait()
	require.NoError(t, err)
	assert.NotZero(t, more, "writes go on")

	info, err := os.Stat(to)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "it holds the installation's secret")
	assert.Equal(t, info.Size(), made.Bytes)
	assert.GreaterOrEqual(t, made.Requests, 20)
	assert.Equal(t, made.Requests, made.Unfinished)
	names, err := filepath.Glob(filepath.Join(filepath.Dir(to), "*"))
	require.NoError(t, err)
	assert.Equal(t, []string{to}, names, "nothing else is left")
	hidden, err := filepath.Glob(filepath.Join(filepath.Dir(to), ".*"))
	require.NoError(t, err)
	assert.Empty(t, hidden)

	_, err = BackUp(t.Context(), path, to)
	require.ErrorIs(t, err, fs.ErrExist)
	after, err := os.Stat(to)
	require.NoError(t, err)
	assert.Equal(t, info.ModTime(), after.ModTime(), "it is not written over")
	order, err := s.Frozen(t.Context())
	require.NoError(t, err)
	assert.False(t, order.Frozen, "the database itself goes on")

	restored := open(t, Options{Path: to, Mode: Serve})
	for _, r := range before {
		requirePresent(t, restored, r.ID)
	}
}

func TestDatabaseRestoredFromABackupStartsFrozen(t *testing.T) {
	t.Parallel()
	path, to, clock := filepath.Join(t.TempDir(), "bot.db"), filepath.Join(t.TempDir(), "bot.backup"), newHands()
	s := open(t, Options{Path: path, Clock: clock.time, Mode: Serve})
	require.NoError(t, s.Bind(t.Context(), sandbox))
	r := recorded(t, s, 42)
	require.NoError(t, s.Freeze(t.Context(), cancellation.Freeze{Frozen: true, Actor: "T1/U8", Why: "an outage"}))
	sealer := audit.NewSealer(audit.SealerOptions{Ledger: s, Name: s.AuditName(), Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, sealer.SealAll(t.Context()))
	_, err := BackUp(t.Context(), path, to)
	require.NoError(t, err)

	d, err := Inspect(t.Context(), Options{Path: to})
	require.NoError(t, err)
	assert.Regexp(t, `^\d{4}-\d\d-\d\dT.*Z$`, d.BackupOf)

	restored, err := Open(t.Context(), Options{Path: to, Clock: clock.time, Mode: Serve, PostTimeout: time.Minute})
	require.NoError(t, err)
	require.NoError(t, restored.Bind(t.Context(), sandbox))
	var begins string
	require.NoError(t, restored.read.QueryRowContext(t.Context(), `select begins from audit_log`).Scan(&begins))
	assert.Contains(t, begins, "restored from a backup of ", "the audit log begins a segment")
	order, err := restored.Frozen(t.Context())
	require.NoError(t, err)
	assert.True(t, order.Frozen)
	assert.Equal(t, cancellation.RestoreActor, order.Actor)
	assert.Contains(t, order.Why, "restored from a backup of ")
	assert.EqualValues(t, 2, order.Number, "no button that ended the freeze before ends this one")
	got := claimed(t, restored, "worker")
	assert.Equal(t, r.ID, got.ID)
	assert.Equal(t, cancellation.RecheckSettled, got.Recheck)
	assert.Equal(t, clock.time().Add(time.Minute), got.NotAfter, "a POST that the backup does not know may be under way")
	_, err = restored.Apply(t.Context(), moved(got, cancellation.Filing))
	require.ErrorIs(t, err, cancellation.ErrFrozen)
	require.Error(t, restored.Freeze(t.Context(), cancellation.Freeze{Actor: "T1/U8", Why: "go on"}), "nobody in Slack ends it")
	require.NoError(t, restored.Freeze(t.Context(), cancellation.Freeze{Actor: "operator:root", Why: "compared"}))
	applied(t, restored, moved(got, cancellation.Stuck))
	require.NoError(t, restored.Close())

	again := open(t, Options{Path: to, Clock: clock.time, Mode: Serve})
	d, err = Inspect(t.Context(), Options{Path: to})
	require.NoError(t, err)
	assert.Empty(t, d.BackupOf)
	order, err = again.Frozen(t.Context())
	require.NoError(t, err)
	assert.False(t, order.Frozen, "the next start is one like any other")
}

func TestOlderCopyOfTheFileStartsFrozen(t *testing.T) {
	t.Parallel()
	for name, older := range map[string]func(path, copied string) error{
		"a copy of its owner's":       func(path, copied string) error { return os.Rename(copied, path) },
		"a new one, after it is gone": func(string, string) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, copied, clock := filepath.Join(t.TempDir(), "bot.db"), filepath.Join(t.TempDir(), "copy.db"), newHands()
			o := Options{Path: path, Clock: clock.time, Mode: Serve, PostTimeout: time.Minute}
			sealed := func(s *Store) {
				sealer := audit.NewSealer(audit.SealerOptions{Ledger: s, Name: s.AuditName(), Log: slog.New(slog.DiscardHandler)})
				require.NoError(t, sealer.SealAll(t.Context()))
			}
			s := opened(t, o)
			recorded(t, s, 42)
			sealed(s)
			require.NoError(t, s.Close())
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(copied, data, 0o600))
			s = opened(t, o)
			order, err := s.Frozen(t.Context())
			require.NoError(t, err)
			require.False(t, order.Frozen, "a restart is none")
			filed(t, s, 43)
			sealed(s)
			require.NoError(t, s.Close())

			for _, of := range []string{"", "-wal", "-shm"} {
				_ = os.Remove(path + of)
			}
			require.NoError(t, older(path, copied))
			restored := opened(t, o)
			order, err = restored.Frozen(t.Context())
			require.NoError(t, err)
			assert.True(t, order.Frozen)
			assert.Equal(t, cancellation.RestoreActor, order.Actor)
			assert.Contains(t, order.Why, "restored from a backup or made again")
			if _, err := os.Stat(copied); err != nil { // it was moved
				got := claimed(t, restored, "worker")
				assert.Equal(t, cancellation.RecheckSettled, got.Recheck)
				assert.Equal(t, clock.time().Add(time.Minute), got.NotAfter)
				_, err = restored.Apply(t.Context(), moved(got, cancellation.Filing))
				require.ErrorIs(t, err, cancellation.ErrFrozen)
				var begins string
				require.NoError(t, restored.read.QueryRowContext(t.Context(), `select begins from audit_log`).Scan(&begins))
				assert.Contains(t, begins, "the file was replaced by an older copy")
			}
			require.NoError(t, restored.Freeze(t.Context(), cancellation.Freeze{Actor: "operator:root", Why: "compared"}))
			require.NoError(t, restored.Close())
			again := opened(t, o)
			order, err = again.Frozen(t.Context())
			require.NoError(t, err)
			assert.False(t, order.Frozen, "the next start is one like any other, also if nothing was sealed")
			require.NoError(t, again.Close())
		})
	}
}

// The file next to the database remembers that more was sealed than the copy has.
func TestOlderCopyOwesItsOwnFreezeAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bot.db")
	serves := func(sealed bool, frozen ...bool) {
		t.Helper()
		s, err := Open(t.Context(), Options{Path: path, Mode: Serve})
		require.NoError(t, err)
		require.NoError(t, s.Bind(t.Context(), sandbox))
		for _, is := range frozen {
			require.NoError(t, s.Freeze(t.Context(), cancellation.Freeze{Frozen: is, Actor: "T1/U8", Why: "an outage"}))
		}
		if sealed {
			sealer := audit.NewSealer(audit.SealerOptions{Ledger: s, Name: s.AuditName(), Log: slog.New(slog.DiscardHandler)})
			require.NoError(t, sealer.SealAll(t.Context()))
		}
		require.NoError(t, s.Close())
	}
	serves(false, true, false)
	older, err := os.ReadFile(path)
	require.NoError(t, err)
	serves(true, true)
	require.NoError(t, os.WriteFile(path, older, 0o600))
	restored := open(t, Options{Path: path, Mode: Serve})
	assert.Equal(t, []string{"3"}, texts(t, restored, `select cast(number as text) from order_notices where due is not null order by number`))
}

func TestABackupThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	served, unserved := filepath.Join(t.TempDir(), "bot.db"), filepath.Join(t.TempDir(), "new.db")
	require.NoError(t, open(t, Options{Path: served, Mode: Serve}).Bind(t.Context(), sandbox))
	open(t, Options{Path: unserved, Mode: Serve})
	text := filepath.Join(t.TempDir(), "text.db")
	require.NoError(t, os.WriteFile(text, []byte("Dear Sir or Madam, this is not a database at all."), 0o600))
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for name, of := range map[string]struct {
		ctx  context.Context
		path string
		into string
	}{
		"a folder that is not there":              {t.Context(), served, "absent/bot.backup"},
		"one that is stopped":                     {over, served, "bot.backup"},
		"a database that nobody ever served from": {t.Context(), unserved, "bot.backup"},
		"a file that is no database":              {t.Context(), text, "bot.backup"},
		"a database that is not there":            {t.Context(), unserved + "x", "bot.backup"},
	} {
		dir := t.TempDir()
		_, err := BackUp(of.ctx, of.path, filepath.Join(dir, of.into))
		require.Error(t, err, name)
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		assert.Empty(t, left, name)
	}
	assert.NoFileExists(t, unserved+"x")
}

func TestBackupWhoseNameIsNotSyncedIsRemoved(t *testing.T) {
	path, to := filepath.Join(t.TempDir(), "bot.db"), filepath.Join(t.TempDir(), "bot.backup")
	require.NoError(t, open(t, Options{Path: path, Mode: Serve}).Bind(t.Context(), sandbox))
	failed := errors.New("the disk is gone")
	syncFolder = func(string) error {
		assert.FileExists(t, to)
		return failed
	}
	defer func() { syncFolder = host.SyncFolder }()
	_, err := BackUp(t.Context(), path, to)
	require.ErrorIs(t, err, failed)
	left, err := os.ReadDir(filepath.Dir(to))
	require.NoError(t, err)
	assert.Empty(t, left)
}

// Orders had no numbers before version 7, which counts them for the one that stands alone.
func TestBackupOfAnOldBuildTellsItsFreeze(t *testing.T) {
	t.Parallel()
	path, to := filepath.Join(t.TempDir(), "bot.db"), filepath.Join(t.TempDir(), "bot.backup")
	s := open(t, Options{Path: path, Mode: Serve})
	require.NoError(t, s.Bind(t.Context(), sandbox))
	require.NoError(t, s.Freeze(t.Context(), cancellation.Freeze{Frozen: true, Actor: "T1/U8", Why: "an outage"}))
	_, err := BackUp(t.Context(), path, to)
	require.NoError(t, err)
	file, err := openPool(to, 1, url.Values{})
	require.NoError(t, err)
	for _, change := range []string{`update filing_orders set number = 0`, `delete from order_notices`} {
		_, err = file.ExecContext(t.Context(), change)
		require.NoError(t, err)
	}
	require.NoError(t, file.Close())

	restored := open(t, Options{Path: to, Mode: Serve})
	n, _, ok, err := restored.ClaimOrder(t.Context(), "one", time.Minute)
	require.NoError(t, err)
	require.True(t, ok)
	assert.EqualValues(t, 2, n.Order.Number)
	assert.Equal(t, cancellation.RestoreActor, n.Order.Actor)
	assert.Contains(t, n.Order.Why, "restored from a backup of ")
}

func TestOrderThatCannotBeReadHoldsUpNone(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, o Options) {
		s := open(t, o)
		require.NoError(t, s.Freeze(t.Context(), cancellation.Freeze{Frozen: true, Actor: "T1/U8", Why: "an outage"}))
		require.NoError(t, s.Freeze(t.Context(), cancellation.Freeze{Actor: "T1/U8", Why: "it is over"}))
		alter(t, s, `update filing_orders set number = 0 where number = 1`)
		n, _, ok, err := s.ClaimOrder(t.Context(), "one", time.Minute)
		require.NoError(t, err)
		require.True(t, ok)
		assert.EqualValues(t, 2, n.Order.Number)
		assert.Equal(t, []string{"1"}, texts(t, s, `select cast(number as text) from order_notices where due is null`), "it stays on record")
		_, _, ok, err = s.ClaimOrder(t.Context(), "one", time.Minute)
		require.NoError(t, err)
		assert.False(t, ok)
	})
}

func TestUnfreezeEndsNoFreezeThatNobodySaw(t *testing.T) {
	t.Parallel()
	s := open(t, Options{URL: postgrestest.Schema(t), Mode: Serve, PostTimeout: time.Minute})
	require.NoError(t, s.Bind(t.Context(), sandbox))
	alter(t, s, `update binding set identity = substr(identity, 1, 8) || '/1 0'`) // restored from a dump
	unfreeze := cancellation.Freeze{Actor: "operator:root", Why: "compared"}
	err := s.Freeze(t.Context(), unfreeze)
	other, is := errors.AsType[*cancellation.OtherFreezeError](err)
	require.True(t, is, "%v", err)
	assert.Equal(t, cancellation.RestoreActor, other.Order.Actor)
	order, err := s.Frozen(t.Context())
	require.NoError(t, err)
	assert.True(t, order.Frozen)
	assert.Equal(t, cancellation.RestoreActor, order.Actor)
	require.NoError(t, s.Freeze(t.Context(), unfreeze), "it has been seen")
}

func TestOlderCopyNotRememberedDoesNotStart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bot.db")
	s := opened(t, Options{Path: path, Mode: Serve})
	require.NoError(t, s.Close())
	older, err := os.ReadFile(path)
	require.NoError(t, err)
	s = opened(t, Options{Path: path, Mode: Serve})
	filed(t, s, 43)
	sealer := audit.NewSealer(audit.SealerOptions{Ledger: s, Name: s.AuditName(), Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, sealer.SealAll(t.Context()))
	require.NoError(t, s.Close())
	require.NoError(t, os.WriteFile(path, older, 0o600))

	s = open(t, Options{Path: path, Mode: Beside})
	s.lock, err = os.Open(path + ".lock") // nothing can be written to it
	require.NoError(t, err)
	require.ErrorContains(t, s.resume(t.Context(), time.Minute), "resuming: write ")
}
