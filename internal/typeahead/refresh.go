package typeahead

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cancel-server/internal/pace"
)

// Times of the passes.
const (
	passLease  = 30 * time.Second // a replica that has died leaves its turn so soon
	passRenew  = 10 * time.Second // and one that lives says so as often
	keptPoll   = time.Minute      // how often the others look for what one has kept
	passRetry  = 30 * time.Second // after a pass that failed; longer each time
	tryPause   = 3 * time.Second  // after one that did not add up
	passTries  = 3
	askTries   = 3
	keeperTime = 10 * time.Second
)

// errTurnLost says that another process makes the pass now.
var errTurnLost = errors.New("another process has taken the turn")

// Run keeps the copy up to date until ctx ends: first from the snapshot, then by a pass whenever
// the copy is older than the interval. Failures are logged and tried again.
func (i *Inventory) Run(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		due, err := i.catchUp(ctx)
		if err == nil && due <= 0 {
			due, err = i.refresh(ctx)
		}
		switch {
		case err == nil:
			failures = 0
		case ctx.Err() == nil:
			i.log.Warn("refreshing the typeahead's servers", "err", err)
			failures++
			due = min(time.Duration(failures)*passRetry, i.interval)
		}
		pace.Sleep(ctx, due)
	}
}

// catchUp takes the snapshot of another process, or of this one's last run, and returns how long
// until the next pass is due.
func (i *Inventory) catchUp(ctx context.Context) (due time.Duration, err error) {
	asking, cancel := context.WithTimeout(ctx, keeperTime)
	defer cancel()
	data, version, age, err := i.keeper.Inventory(asking, i.version)
	if err != nil || version == 0 {
		return 0, err
	}
	at := time.Now().Add(-age)
	if data != nil {
		defer i.grow()() // the snapshot is larger than what is kept of it
		kept, err := unpacked(data)
		if err != nil { // of another build, perhaps: the next pass makes a new one
			i.log.Warn("reading the typeahead's snapshot", "err", err)
			i.version, i.kept = version, fingerprint{}
			return 0, nil
		}
		i.kept = i.takeOver(kept).all
	}
	i.version = version
	if i.index.Load() != nil && i.kept != (fingerprint{}) { // else it confirms what nobody can read here
		i.confirmed.Store(&at)
		return min(i.interval-age, keptPoll), nil
	}
	return 0, nil
}

// refresh makes a pass, if it is this process's turn.
func (i *Inventory) refresh(ctx context.Context) (due time.Duration, err error) {
	mine, err := i.claim(ctx, i.age())
	if err != nil || !mine {
		return min(passLease, i.interval), err
	}
	defer i.grow()() // and little garbage follows for minutes
	began := time.Now()
	rows, err := i.steadyWalk(ctx)
	if err != nil {
		return 0, fmt.Errorf("reading all servers: %w", err)
	}
	older := i.index.Load()
	x := i.takeOver(listing{rows: rows, tags: older.carried(), untagged: older == nil || older.untagged}) // at once: tags may take as long again
	i.confirmed.Store(&began)
	if tags, err := i.carried(ctx); err == nil {
		x = x.with(tags, false)
		i.index.Store(x)
	} else if ctx.Err() != nil || errors.Is(err, errTurnLost) {
		return 0, err
	} else {
		i.log.Warn("reading the servers' tags; the typeahead keeps the tags that it has", "err", err)
	}
	i.log.Info("read all servers for the typeahead", "servers", x.size(), "tags", len(x.carriers),
		"changed", x.all != i.kept, "took", time.Since(began).Round(time.Millisecond))
	return min(i.interval, keptPoll), i.keep(ctx, x)
}

// age returns how old the kept copy must be before this process makes a pass. It is 0 if this
// process has no copy that it can use.
func (i *Inventory) age() time.Duration {
	if i.index.Load() == nil {
		return 0
	}
	return i.interval
}

// steadyWalk repeats the walk if servers came and went so that it does not add up.
func (i *Inventory) steadyWalk(ctx context.Context) (rows []row, err error) {
	for range passTries {
		if rows, err = i.walk(ctx); !errors.Is(err, errDoesNotAddUp) {
			break
		}
		pace.Sleep(ctx, tryPause)
	}
	return rows, err
}

// takeOver replaces the index with a listing.
func (i *Inventory) takeOver(l listing) *index {
	x := newIndex(l, i.index.Load())
	i.index.Store(x)
	return x
}

// turn waits until the rate allows the pass's next call. It prolongs this process's turn to make
// the pass.
func (i *Inventory) turn(ctx context.Context) error {
	if time.Since(i.claimed) > passRenew {
		if mine, err := i.claim(ctx, 0); err != nil || !mine {
			return errors.Join(errTurnLost, err)
		}
	}
	return i.pace.Wait(ctx)
}

func (i *Inventory) claim(ctx context.Context, age time.Duration) (bool, error) {
	asking, cancel := context.WithTimeout(ctx, keeperTime)
	defer cancel()
	mine, err := i.keeper.ClaimInventory(asking, i.owner, age, passLease)
	if mine {
		i.claimed = time.Now()
	}
	return mine, err
}

// keep stores the copy for the next start and the other replicas.
func (i *Inventory) keep(ctx context.Context, x *index) error {
	var data []byte
	if x.all != i.kept {
		var err error
		if data, err = packed(x); err != nil {
			return err
		}
	}
	asking, cancel := context.WithTimeout(ctx, keeperTime)
	defer cancel()
	version, err := i.keeper.KeepInventory(asking, i.owner, data)
	if err == nil {
		i.version, i.kept = version, x.all
	}
	return err
}
