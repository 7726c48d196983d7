package audit

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// ledger is a store that counts what is asked of it.
type ledger struct {
	log     Log
	waiting []Event
	reads   int
	steps   int
	lost    bool  // another process is always faster
	err     error // of a read
}

func (l *ledger) Unsealed(_ context.Context, most int) (Batch, error) {
	l.reads++
	events := l.waiting[:min(len(l.waiting), most)]
	return Batch{Log: l.log, Now: time.Now(), Events: append([]Event(nil), events...), All: len(events) < most}, l.err
}

func (l *ledger) Seal(_ context.Context, step Step) (bool, error) {
	l.steps++
	if l.lost {
		return false, nil
	}
	l.log, l.waiting = step.To, l.waiting[len(step.Events):]
	return true, nil
}

// record adds so many events.
func (l *ledger) record(count int) {
	for range count {
		l.waiting = append(l.waiting, Event{Source: OfRequest, Request: "r", Number: int64(len(l.waiting) + 1), At: time.Now()})
	}
}

// sealing runs a sealer for a while.
func sealing(l *ledger, d time.Duration) {
	ctx, stop := context.WithTimeout(context.Background(), d)
	defer stop()
	NewSealer(SealerOptions{Ledger: l, Name: "log", Log: slog.New(slog.DiscardHandler)}).Run(ctx)
}

func TestAnIdleSealerWritesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{}
		sealing(l, time.Hour)
		assert.Zero(t, l.steps)
		assert.LessOrEqual(t, l.reads, 1202)
	})
}

func TestABusySealerIsLateBySeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{log: Log{First: 1}}
		l.record(10 * sealMost)
		sealing(l, 2*time.Second)
		assert.Empty(t, l.waiting, "a backlog is worked off at once, in pieces")
		assert.EqualValues(t, 10*sealMost+1, l.log.Last())
		assert.Equal(t, 10, l.steps)
		l.record(1)
		sealing(l, time.Millisecond)
		assert.Empty(t, l.waiting, "and what is left at the end of the process")
	})
}

func TestASealerThatIsNotFirstWaitsLonger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{lost: true}
		l.record(1)
		sealing(l, time.Hour)
		assert.LessOrEqual(t, l.steps, 3600/15+2)
		l = &ledger{err: errors.New("away")}
		sealing(l, time.Minute)
		assert.LessOrEqual(t, l.reads, 60/3+2, "nor does a failure make it hurry")
	})
}
