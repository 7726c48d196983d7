package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"cancel-server/internal/cancellation"
)

const (
	// commitTries bounds how often a transaction is tried that found the database locked,
	// or lost its connection before the commit.
	commitTries = 3
	// outcomeTime is how long to ask what became of a commit without an answer: less than
	// the person who submitted waits.
	outcomeTime = 2 * time.Second
)

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
	batch = slices.DeleteFunc(batch, func(w *write) bool { return !w.phase.begin() })
	var err error
	for range commitTries {
		if err = c.transact(batch); c.meaning(err) != again {
			break
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

// transact runs the batch in one transaction. The context of its waiters does not end
// it: what has begun is not broken off half-way.
func (c *committer) transact(batch []*write) error {
	if err := c.ready(); err != nil {
		return err
	}
	ctx, cancel := c.bounded()
	defer cancel()
	opened, err := c.db.BeginTx(ctx, nil)
	if err != nil {
		return c.failed(fmt.Errorf("beginning a transaction: %w", err))
	}
	begun, err := c.run(ctx, &tx{opened}, batch)
	defer begun.end()
	if err != nil {
		_ = opened.Rollback() // the reason why is in err
		return c.failed(err)
	}
	err = c.commit(opened)
	begun.end()
	if err != nil {
		return c.uncommitted(begun, fmt.Errorf("committing: %w", err))
	}
	return nil
}

func (c *committer) bounded() (context.Context, context.CancelFunc) {
	if c.timeLimit == 0 {
		return context.Background(), func() {}
	}
	return context.WithTimeout(context.Background(), c.timeLimit)
}

// meaning is an error's meaning before a commit; an unclear one is never tried again.
func (c *committer) meaning(err error) meaning {
	if err == nil || errors.Is(err, cancellation.ErrUnclear) {
		return definite
	}
	return c.engine.meaning(err, false)
}

// failed is the error of a transaction that was not committed.
func (c *committer) failed(err error) error {
	if c.engine.meaning(err, false) == ruinous {
		return c.breakOff(err)
	}
	return err
}

// uncommitted is the error of a commit, or nil where it was done after all.
func (c *committer) uncommitted(begun mark, err error) error {
	switch c.engine.meaning(err, true) {
	case ruinous:
		return c.breakOff(err)
	case unanswered:
		asking, cancel := context.WithTimeout(context.Background(), c.outcomeTime)
		defer cancel()
		committed, unknown := c.engine.outcome(asking, begun)
		switch {
		case unknown != nil:
			return unclear(errors.Join(err, fmt.Errorf("asking what became of it: %w", unknown)))
		case committed:
			return nil
		}
	}
	return err
}

// run makes the changes of a batch: new requests first, in one statement. A panic
// fails the batch like an error, and alone the one that made it.
func (c *committer) run(ctx context.Context, tx *tx, batch []*write) (begun mark, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("writing: panic: %v", p)
		}
	}()
	now, begun, err := c.engine.moment(ctx, tx.Tx)
	if err != nil {
		return begun, fmt.Errorf("reading the database's time: %w", err)
	}
	return begun, writeAll(ctx, tx, now, batch)
}

func writeAll(ctx context.Context, tx *tx, now time.Time, batch []*write) error {
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

// breakOff lets nothing more through until the database is opened anew.
func (c *committer) breakOff(err error) error {
	err = unclear(err)
	c.broken.CompareAndSwap(nil, &err)
	return err
}
