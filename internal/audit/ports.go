package audit

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// Segment is a part of the log with a tree of its own. A restored or failed-over database may lack what was
// sealed last, so a new one begins there.
type Segment struct {
	Number int64 // from 1
	First  int64 // its first position
	At     time.Time
	Why    string // why it began
	Nonce  string // random; "" if an older build began it
}

// Log is the log's own row.
type Log struct {
	Version    int64  // counts its changes
	Segment    int64  // the last segment; 0 before the first
	Nonce      string // that segment's
	First      int64  // that segment's first position
	Tree       Frontier
	Begins     string // why the next sealing begins a segment; "" if it does not
	Deployment int64  // how many events of the deployment there are
}

// mostPosition is more than any log has: what a forged row counts beyond it is not worked out.
const mostPosition = int64(1) << 62

// Last returns the last position that was given.
func (l *Log) Last() int64 {
	if l.Tree.Size > mostPosition-l.First {
		return mostPosition
	}
	return l.First + l.Tree.Size - 1
}

// Sealing is one time that events were sealed: the tree after it.
type Sealing struct {
	Segment  int64
	Last     int64 // the last position
	Root     tlog.Hash
	At       time.Time
	Complete time.Time // all that was recorded until then is sealed; zero if more was waiting
}

// Batch is what waits to be sealed, and the log as it was before.
type Batch struct {
	Log    Log
	Now    time.Time // the database's time before the events were read
	Events []Event   // those of one request, and those of the deployment, in their order
	All    bool      // no more waited
}

// Step is one sealing as it is written.
type Step struct {
	From    Log // nothing is written unless the log is still this one
	To      Log
	Events  []Event
	Opening *Event   // the event with which a segment begins, which is inserted; nil for none
	Begun   *Segment // that segment
	Sealing Sealing
}

// Ledger is the store of a process that seals.
type Ledger interface {
	// Unsealed reads events that are not sealed, at most so many of requests and so many of the
	// deployment, each with all earlier ones of its request.
	Unsealed(ctx context.Context, most int) (Batch, error)
	// Seal writes a step in one transaction. won is false, and nothing is written, if another
	// process was faster.
	Seal(ctx context.Context, step Step) (won bool, err error)
}

// Origin names a segment's tree: the first line of its checkpoints. The nonce tells apart the segments of one
// number that begin where one backup is restored twice.
func Origin(log string, segment int64, nonce string) string {
	if nonce == "" {
		return fmt.Sprintf("%s/%d", log, segment)
	}
	return fmt.Sprintf("%s/%d-%s", log, segment, nonce)
}

func (s Segment) origin(log string) string { return Origin(log, s.Number, s.Nonce) }

// Note is an event of the deployment that is to be recorded.
type Note struct {
	Kind, Actor, Subject, Detail string
	// Changes are kinds that this one is one of. It is recorded only if the last event of these
	// kinds says something else.
	Changes []string
}
