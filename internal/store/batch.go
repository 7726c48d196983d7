package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"cancel-server/internal/cancellation"
)

// commitTries bounds how often a commit that found the database locked is repeated.
const commitTries = 3

// work is the committer's goroutine.
func (c *committer) work() {
	defer close(c.ended)
	for {
		select {
		case first := <-c.queue:
			c.settle(c.gather(first))
		case <-c.closing:
			c.drain()
			return
		}
	}
}

func (c *committer) drain() {
	for {
		select {
		case first := <-c.queue:
			c.settle(c.gather(first))
		default:
			return
		}
	}
}

// gather takes what waits behind the first, in the order of servers.
func (c *committer) gather(first *write) []*write {
	batch := []*write{first}
	for len(batch) < batchLength {
		select {
		case next := <-c.queue:
			batch = append(batch, next)
			continue
		default:
		}
		break
	}
	slices.SortStableFunc(batch, func(a, b *write) int { return cmp.Compare(a.server, b.server) })
	return batch
}

// settle commits a batch and answers each waiter. A batch that failed is repeated
// one by one, so that only what is bad fails.
func (c *committer) settle(batch []*write) {
	tx, err := c.begin()
	if err != nil {
		c.answerAll(batch, err)
		return
	}
	batch = slices.DeleteFunc(batch, func(w *write) bool { return !w.phase.begin() })
	err = c.transact(tx, batch)
	for try := 1; try < commitTries && isBusy(err); try++ {
		if tx, err = c.begin(); err == nil {
			err = c.transact(tx, batch)
		}
	}
	if err == nil || len(batch) == 1 || errors.Is(err, cancellation.ErrUnclear) {
		c.answerAll(batch, err)
		return
	}
	for _, one := range batch {
		c.settle([]*write{one})
	}
}

func (c *committer) answerAll(batch []*write, err error) {
	for _, w := range batch {
		c.answer(w, err)
	}
}

// begin opens a transaction that holds the write lock. The context never ends:
// what has begun is not broken off half-way.
func (c *committer) begin() (*tx, error) {
	if err := c.ready(); err != nil {
		return nil, err
	}
	opened, err := c.db.BeginTx(context.Background(), nil)
	if err != nil {
		return nil, c.judge(fmt.Errorf("beginning a transaction: %w", err))
	}
	return &tx{Tx: opened, prepared: c.prepared}, nil
}

// transact runs the batch and commits it. Before the commit an error undoes the
// batch. An error of the commit itself says nothing about what is on disk, unless
// the database was only locked.
func (c *committer) transact(tx *tx, batch []*write) error {
	if err := run(tx, c.now(), batch); err != nil {
		_ = tx.Rollback() // the reason why is in err
		return c.judge(err)
	}
	err := c.commit(tx.Tx)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("committing: %w", err)
	if isBusy(err) {
		return err
	}
	return c.breakOff(err)
}

// run makes the changes of a batch: new requests first, in one statement. A panic
// fails the batch like an error, and alone the one that made it.
func run(tx *tx, now time.Time, batch []*write) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("writing: panic: %v", p)
		}
	}()
	ctx := context.Background()
	var records []*recording
	for _, w := range batch {
		if w.record != nil {
			records = append(records, w.record)
		}
	}
	if err := insertRecords(ctx, tx, now, records); err != nil {
		return err
	}
	for _, w := range batch {
		if w.record != nil {
			continue
		}
		if err := w.run(ctx, tx, now); err != nil {
			return err
		}
	}
	return nil
}

// judge breaks the store off after an error of the disk or the file: what it held
// back may still come to light, and what was written may not
// (https://www.sqlite.org/rescode.html#ioerr).
func (c *committer) judge(err error) error {
	switch code(err) {
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return c.breakOff(err)
	}
	return err
}

// breakOff lets nothing more through until the database is opened anew.
func (c *committer) breakOff(err error) error {
	err = unclear(err)
	c.broken.CompareAndSwap(nil, &err)
	return err
}

func isBusy(err error) bool { return code(err) == sqlite3.SQLITE_BUSY }

// code is SQLite's primary result code, or 0 where the error is not SQLite's.
func code(err error) int {
	if failure, ok := errors.AsType[*sqlite.Error](err); ok {
		return failure.Code() & 0xff
	}
	return 0
}
