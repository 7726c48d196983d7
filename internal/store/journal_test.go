package store

import (
	"testing"
	"time"
)

// promise is one thing that every Journal keeps, whatever database it is on.
type promise struct {
	says  string
	holds func(t *testing.T, j journal, clock *hands)
}

// testJournal holds a Journal to its promises, each on a database of its own.
func testJournal(t *testing.T, open func(t testing.TB, clock func() time.Time) journal) {
	for _, promises := range [][]promise{recordPromises(), stepPromises(), leasePromises(), noticePromises(), sharedPromises(), limitPromises(), keyPromises()} {
		for _, promise := range promises {
			t.Run(promise.says, func(t *testing.T) {
				t.Parallel()
				clock := newHands()
				promise.holds(t, open(t, clock.time), clock)
			})
		}
	}
}

func TestSQLiteKeepsTheJournalsPromises(t *testing.T) {
	t.Parallel()
	testJournal(t, func(t testing.TB, clock func() time.Time) journal {
		return open(t, Options{Path: migratedFile(t), Clock: clock, Serve: true})
	})
}
