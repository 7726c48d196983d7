package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"cancel-server/internal/cancellation"
)

const (
	// commitTries bounds how often a transaction is tried after it found the database locked,
	// or lost its connection before the commit.
	commitTries = 3
	// outcomeTime is how long to ask what became of a commit without an answer. It is less than
	// the person who submitted waits.
	outcomeTime = 2 * time.Second
)

// work is the committer's goroutine.
func (c *committer) work() {
	defer close(c.ended)
	for {
		select {
		case first := <-c.queue:
			c.commitGroup(c.gather(first))
		case <-c.closing:
			for len(c.queue) > 0 {
				c.commitGroup(c.gather(<-c.queue))
			}
			return
		}
	}
}

// gather adds the writes that wait behind the first, and sorts all by batch and server, with claims at the end. Those
// whom the last commit has just answered get to their next write before, so that it shares this commit. Only
// the committer's goroutine takes from the queue, so what waits there stays.
func (c *committer) gather(first *write) []*write {
	runtime.Gosched()
	group := []*write{first}
	for len(group) < groupLength && len(c.queue) > 0 {
		group = append(group, <-c.queue)
	}
	slices.SortStableFunc(group, func(a, b *write) int {
		return cmp.Or(cmp.Compare(a.last(), b.last()), cmp.Compare(a.batch, b.batch), cmp.Compare(a.server, b.server))
	})
	return group
}

// last is 1 for a write that comes after all others of its group.
func (w *write) last() int {
	if w.claims {
		return 1
	}
	return 0
}

// commitGroup commits a group and answers each caller. A group that failed is repeated write by
// write, so that only the bad one fails.
func (c *committer) commitGroup(group []*write) {
	group = slices.DeleteFunc(group, func(w *write) bool { return !w.phase.begin() })
	var err error
	for range commitTries {
		if err = c.transact(group); c.meaning(err) != again {
			break
		}
	}
	if err == nil || len(group) == 1 || errors.Is(err, cancellation.ErrUnclear) {
		for _, w := range group {
			c.answer(w, err)
		}
		return
	}
	for _, one := range group {
		c.commitGroup([]*write{one})
	}
}

// transact runs the group in one transaction. The contexts of its callers do not end it.
func (c *committer) transact(group []*write) error {
	if err := c.ready(); err != nil {
		return err
	}
	ctx, cancel := c.bounded()
	defer cancel()
	began := time.Now()
	opened, err := c.db.BeginTx(ctx, nil)
	if err != nil {
		return c.failed(fmt.Errorf("beginning a transaction: %w", err))
	}
	begun, err := c.run(ctx, &tx{Tx: opened}, group)
	defer begun.end()
	if err != nil {
		_ = opened.Rollback() // err has the reason
		return c.failed(err)
	}
	err = c.commit(opened)
	begun.end()
	if err != nil {
		return c.uncommitted(begun, fmt.Errorf("committing: %w", err))
	}
	c.committed(time.Since(began))
	return nil
}

func (c *committer) bounded() (context.Context, context.CancelFunc) {
	if c.timeLimit == 0 {
		return context.Background(), func() {}
	}
	return context.WithTimeout(context.Background(), c.timeLimit)
}

// meaning returns what an error means before a commit. An unclear one is never tried again, nor is a refusal of
// this program's own: it would be the same.
func (c *committer) meaning(err error) meaning {
	_, taken := errors.AsType[*cancellation.SlotTakenError](err)
	if err == nil || taken || errors.Is(err, cancellation.ErrUnclear) || errors.Is(err, cancellation.ErrDayFull) || errors.Is(err, errBatchStopped) {
		return definite
	}
	return c.engine.meaning(err, false)
}

// failed returns the error of a transaction that was not committed.
func (c *committer) failed(err error) error {
	if c.engine.meaning(err, false) == ruinous {
		return c.breakOff(err)
	}
	return err
}

// uncommitted returns the error of a commit, or nil if it was done after all.
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
			return unclear(errors.Join(err, fmt.Errorf("asking whether it was committed: %w", unknown)))
		case committed:
			return nil
		}
	}
	return err
}

// run makes the changes of a group: new requests first, in one statement. A panic fails like
// an error.
func (c *committer) run(ctx context.Context, tx *tx, group []*write) (begun mark, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("writing: panic: %v", p)
		}
	}()
	now, begun, err := c.engine.moment(ctx, tx)
	if err != nil {
		return begun, fmt.Errorf("reading the database's time: %w", err)
	}
	return begun, c.writeAll(ctx, tx, now, group)
}

func (c *committer) writeAll(ctx context.Context, tx *tx, now time.Time, group []*write) error {
	var records []*recording
	var locks []string
	for _, w := range group {
		if w.record != nil {
			records = append(records, w.record)
		}
		locks = append(locks, w.locks...)
	}
	if c.shared {
		if err := lockBatches(ctx, tx, locks); err != nil {
			return err
		}
	}
	if err := insertRecords(ctx, tx, now, records); err != nil {
		return err
	}
	for _, w := range group {
		if w.record != nil {
			continue
		}
		if err := w.run(ctx, tx, now); err != nil {
			return err
		}
	}
	return nil
}

// breakOff refuses all further writes until the database is opened again.
func (c *committer) breakOff(err error) error {
	err = unclear(err)
	c.broken.CompareAndSwap(nil, &err)
	return err
}
