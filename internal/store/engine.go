package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/pressly/goose/v3"
)

// engine is how one of the two databases tells the time and what became of a write.
type engine interface {
	// now is the time that decides, to the millisecond.
	now(ctx context.Context) (time.Time, error)
	// moment is the time at which a transaction makes its changes, and the mark by
	// which its outcome can be asked for later.
	moment(ctx context.Context, tx *sql.Tx) (time.Time, mark, error)
	// surely makes sure of an absence: an ErrNoRequest of read's is returned only if the
	// server that was read from is the one that is written to.
	surely(ctx context.Context, read func() error) error
	// meaning says what an error means, of a statement or of the commit itself.
	meaning(err error, committing bool) meaning
	// outcome finds out what became of a commit that was not answered. An error means
	// that nobody can tell.
	outcome(ctx context.Context, of mark) (committed bool, err error)
}

// dialect is what else differs between them.
type dialect struct {
	folder    string // of the migrations
	goose     goose.Dialect
	readLock  string        // ends a select of what nobody may change before the commit
	rowLock   string        // ends a select whose row is taken by one of many at once
	timeLimit time.Duration // of one transaction; 0 for none
}

// mark names a transaction to the database; zero where it cannot be asked about.
type mark struct {
	transaction string
	history     string // of the database in which it began
	ended       func() // what to call when it has ended in whatever way; nil for nothing
}

func (m mark) end() {
	if m.ended != nil {
		m.ended()
	}
}

// meaning is what an error means for what was being written.
type meaning int

const (
	// definite: nothing was written.
	definite meaning = iota
	// again: nothing was written, and the same may succeed now.
	again
	// unanswered: the commit was sent, and what became of it can be asked.
	unanswered
	// ruinous: nobody knows what is on disk, until the database is opened anew.
	ruinous
)
