package audit

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"slices"
	"strconv"
	"time"
)

// Times and bounds of a sealer.
const (
	sealEvery  = 3 * time.Second
	sealMost   = 128                   // events in one transaction, which holds up others so long
	sealPause  = 20 * time.Millisecond // between two transactions
	sealTime   = 10 * time.Second      // of one pass
	lostPause  = 5                     // how many times longer a process waits that another one was faster than
	lastEffort = 2 * time.Second       // when the process ends
)

// SealerOptions say what a Sealer works with.
type SealerOptions struct {
	Ledger Ledger
	Name   string // of the log, in its origins
	Log    *slog.Logger
}

// Sealer seals what was recorded. Every replica has one; the log's row lets one at a time write.
type Sealer struct{ o SealerOptions }

// NewSealer makes a sealer. It reads nothing.
func NewSealer(o SealerOptions) *Sealer { return &Sealer{o} }

// Run seals until ctx ends, and then what is left. Failures are logged, and tried again.
func (s *Sealer) Run(ctx context.Context) {
	for ctx.Err() == nil {
		pause := sealEvery
		more, won, err := s.pass(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			s.o.Log.Warn("sealing events for the audit log", "err", err)
		case !won:
			pause *= lostPause
		case more:
			pause = sealPause
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastEffort)
	defer cancel()
	if err := s.SealAll(ending); err != nil {
		s.o.Log.Info("sealing the last events for the audit log", "err", err)
	}
}

// SealAll seals what was recorded, unless another process does.
func (s *Sealer) SealAll(ctx context.Context) error {
	for {
		if more, won, err := s.pass(ctx); err != nil || !won || !more {
			return err
		}
	}
}

// pass seals some events. won is false if another process was faster.
func (s *Sealer) pass(ctx context.Context) (more, won bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, sealTime)
	defer cancel()
	batch, err := s.o.Ledger.Unsealed(ctx, sealMost)
	if err != nil || len(batch.Events) == 0 && batch.Log.Begins == "" {
		return false, true, err
	}
	step := s.step(batch)
	won, err = s.o.Ledger.Seal(ctx, step)
	if err == nil && won && step.Begun != nil && step.Begun.Number > 1 {
		s.o.Log.Warn("the audit log begins a new segment: keep the checkpoints of the one before",
			"segment", step.Begun.Number, "why", step.Begun.Why, "size", step.From.Tree.Size)
	}
	return !batch.All, won, err
}

// opened is the detail of the event with which a segment begins: what is known of the one before.
type opened struct {
	Origin string  `json:"origin"`
	Why    string  `json:"why"`
	Before *before `json:"before,omitempty"`
}

type before struct {
	Origin string `json:"origin"`
	Size   int64  `json:"size"`
	Root   string `json:"root"`
}

// nonceSize is how many random bytes a segment's origin has.
const nonceSize = 8

// firstSegment is why the first segment begins.
const firstSegment = "first start"

// step makes the next sealing of what waits.
func (s *Sealer) step(b Batch) Step {
	step := Step{From: b.Log, To: b.Log, Events: chronological(b.Events)}
	step.To.Version++
	step.To.Begins = ""
	step.To.Tree = b.Log.Tree.clone()
	if b.Log.Segment == 0 || b.Log.Begins != "" {
		s.open(&step, b.Now)
	}
	for i := range step.Events {
		step.Events[i].seal(step.To.Last() + 1)
		step.To.Tree.Add(step.Events[i].Hash)
	}
	step.Sealing = Sealing{Segment: step.To.Segment, Last: step.To.Last(), Root: step.To.Tree.Root(), At: b.Now}
	if b.All {
		step.Sealing.Complete = b.Now
	}
	return step
}

// open begins a segment, whose first leaf names the one before as it ended.
func (s *Sealer) open(step *Step, now time.Time) {
	from, to := step.From, &step.To
	why := cmp.Or(from.Begins, firstSegment)
	to.Segment, to.Nonce, to.First, to.Tree = from.Segment+1, hex.EncodeToString(newSalt()[:nonceSize]), from.Last()+1, Frontier{}
	says := opened{Origin: Origin(s.o.Name, to.Segment, to.Nonce), Why: why}
	if from.Segment > 0 {
		says.Before = &before{Origin(s.o.Name, from.Segment, from.Nonce), from.Tree.Size, from.Tree.Root().String()}
	}
	detail, _ := json.Marshal(says) // texts and a number
	to.Deployment++
	step.Begun = &Segment{Number: to.Segment, First: to.First, At: now, Why: why, Nonce: to.Nonce}
	step.Opening = &Event{
		Source: OfDeployment, Number: to.Deployment, At: now, Kind: KindSegment,
		Subject: strconv.FormatInt(to.Segment, 10), Detail: string(detail),
	}
	step.Opening.seal(to.First)
	to.Tree.Add(step.Opening.Hash)
}

// chronological sorts events by their time. Those of one request, and those of the deployment, keep their
// order, even if the clock was set back between them.
func chronological(events []Event) []Event {
	type stream struct {
		source  Source
		request string
	}
	latest := map[stream]time.Time{}
	times := make(map[*Event]time.Time, len(events))
	sorted := make([]*Event, len(events))
	for i := range events {
		e := &events[i]
		of := stream{e.Source, e.Request}
		if e.At.After(latest[of]) {
			latest[of] = e.At
		}
		times[e], sorted[i] = latest[of], e
	}
	slices.SortStableFunc(sorted, func(a, b *Event) int { return times[a].Compare(times[b]) })
	all := make([]Event, len(events))
	for i, e := range sorted {
		all[i] = *e
	}
	return all
}
