package bulletin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/pace"
	"cancel-server/internal/reconcile"
	"cancel-server/internal/report"
)

// Times and bounds of a poster.
const (
	poll       = time.Minute
	lease      = 5 * time.Minute // a replica that has died leaves its turn so soon
	ledgerTime = 10 * time.Second
	callTime   = 10 * time.Second       // of one call to Slack
	lostPause  = callTime + time.Minute // by then Slack shows a post whose answer was lost, or never will
	patience   = 24 * time.Hour         // how long it is looked for while Slack gives no answer
	lookEvery  = 24 * time.Hour
	lookAgain  = 15 * time.Minute   // after a look that failed
	refusal    = time.Hour          // how long a channel that refuses is left alone
	weekly     = 7 * 24 * time.Hour // a checkpoint is posted after so long without a post
	mostListed = 10                 // cancellations elsewhere that one bulletin names
	// skew is how far SoftLayer's clock may be behind the database's.
	skew = 24 * time.Hour
	// farthest is how far back a look reads: what was unclear for longer is not posted any more.
	farthest = 35 * 24 * time.Hour
)

// errTurnLost says that another process posts now.
var errTurnLost = errors.New("another process has taken the turn")

// Poster posts in REPORT_CHANNEL, one replica at a time.
type Poster struct {
	o        Options
	pace     pace.Pace
	nextLook time.Time // not before this, by this process's clock
	nextPost time.Time
}

// New makes a poster. It makes no call.
func New(o Options) *Poster { return &Poster{o: o, pace: pace.Of(o.Rate)} }

// Run posts what is owed until ctx ends. Failures are logged, and tried again.
func (p *Poster) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := p.pass(ctx); err != nil && ctx.Err() == nil {
			p.o.Log.Warn("posting in the report channel", "err", err)
		}
		pace.Sleep(ctx, poll)
	}
}

// pass does what is due, if it is this process's turn.
func (p *Poster) pass(ctx context.Context) error {
	turn, err := p.turn(ctx)
	if err != nil || !turn.Mine {
		return err
	}
	if p.looks(turn) {
		if err := p.look(ctx, turn); err != nil {
			p.nextLook = time.Now().Add(lookAgain)
			p.o.Log.Warn("looking for cancellations that this bot did not ask for", "err", err)
		}
		if turn, err = p.turn(ctx); err != nil || !turn.Mine {
			return err
		}
	}
	if turn.Unsettled != nil {
		if settled, err := p.settle(ctx, *turn.Unsettled, turn.Now); err != nil || !settled {
			return err
		}
		if turn, err = p.turn(ctx); err != nil || !turn.Mine {
			return err
		}
	}
	return p.post(ctx, turn)
}

func (p *Poster) turn(ctx context.Context) (report.Turn, error) {
	asking, cancel := context.WithTimeout(ctx, ledgerTime)
	defer cancel()
	return p.o.Ledger.BulletinTurn(asking, p.o.Owner, lease)
}

// looks reports whether it is time to look for cancellations elsewhere: once a day, after the first
// bot reconcile.
func (p *Poster) looks(turn report.Turn) bool {
	age := turn.Now.Sub(turn.LookedAt)
	return !turn.ElsewhereFrom.IsZero() && (age >= lookEvery || age < 0) && !time.Now().Before(p.nextLook)
}

// look owes the cancellations elsewhere that are new. Each call renews the turn.
func (p *Poster) look(ctx context.Context, turn report.Turn) error {
	since := turn.ElsewhereFrom.Add(-skew)
	if far := turn.Now.Add(-farthest); far.After(since) {
		since = far
	}
	sides, err := reconcile.Read(ctx, p.o.Books, p.o.Ledger, since, func(ctx context.Context) error {
		if err := p.pace.Wait(ctx); err != nil {
			return err
		}
		turn, err := p.turn(ctx)
		if err == nil && !turn.Mine {
			err = errTurnLost
		}
		return err
	})
	if err != nil {
		return err
	}
	news, err := Kept(sides.Compare(since).News(since))
	if err != nil {
		return err
	}
	return p.o.Ledger.KeepElsewhere(ctx, p.o.Owner, news)
}

// post posts today's bulletin, if something is owed and there was none today. Each has a checkpoint of the
// audit log, and after a quiet week one goes by itself, whether anything was sealed since or not.
func (p *Poster) post(ctx context.Context, turn report.Turn) error {
	month, due := turn.Due()
	if turn.Posted || time.Now().Before(p.nextPost) {
		return nil
	}
	quiet := turn.Now.Sub(turn.Quiet) >= weekly
	if !due && !turn.Owed && !quiet {
		return nil
	}
	checkpoint := p.checkpoint(ctx)
	if checkpoint == "" && !due && !turn.Owed {
		p.nextPost = time.Now().Add(lookAgain)
		return nil
	}
	var sums *report.Report
	if due {
		var err error
		if sums, err = report.Read(ctx, p.o.Ledger, month, turn.Now, false); err != nil {
			return fmt.Errorf("adding up %s: %w", month, err)
		}
		if turn, err = p.turn(ctx); err != nil || !turn.Mine {
			return err
		}
	} else {
		month = report.Month{}
	}
	// A stop waits for it, and a process that was suspended posts nothing late.
	calling, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTime)
	defer cancel()
	b, err := p.o.Ledger.AnnounceBulletin(calling, p.o.Owner, p.o.Channel, month, mostListed)
	if err != nil {
		return err
	}
	b.Checkpoint = checkpoint
	at, delivery, pause := p.o.Board.PostBulletin(calling, b, sums, p.told(b))
	return p.delivered(ctx, b, at, delivery, pause)
}

// checkpoint returns the audit log's, "" for none. A post does without one that cannot be read.
func (p *Poster) checkpoint(ctx context.Context) string {
	reading, cancel := context.WithTimeout(ctx, ledgerTime)
	defer cancel()
	text, err := p.o.Audit.Checkpoint(reading)
	if err != nil {
		p.o.Log.Error("making a checkpoint of the audit log for the report channel", "err", err)
	}
	return text
}

// told is the cancellations elsewhere that a bulletin names.
func (p *Poster) told(b report.Bulletin) []reconcile.Cancellation {
	var all []reconcile.Cancellation
	for _, text := range b.Elsewhere {
		var c reconcile.Cancellation
		if err := json.Unmarshal(text, &c); err != nil {
			p.o.Log.Error("reading a cancellation that this bot did not ask for", "err", err)
			continue
		}
		all = append(all, c)
	}
	return all
}

// delivered records what became of a post. After a lost answer it stays announced, and is looked for.
func (p *Poster) delivered(ctx context.Context, b report.Bulletin, at cancellation.Posted, delivery cancellation.Delivery, pause time.Duration) error {
	keeping, cancel := context.WithTimeout(context.WithoutCancel(ctx), ledgerTime)
	defer cancel()
	switch delivery {
	case cancellation.Delivered:
		return p.o.Ledger.SettleBulletin(keeping, b.Day, at.Channel, at.TS)
	case cancellation.Lost:
		return nil
	case cancellation.Refusing:
		pause = refusal
		p.o.Log.Error("Slack refuses the report channel", "channel", b.Channel)
	}
	p.nextPost = time.Now().Add(max(pause, poll))
	return p.o.Ledger.TakeBackBulletin(keeping, b.Day)
}

// settle finds out what became of a bulletin that was announced and whose answer is not recorded. If the
// bot may not read the channel's history, it is not posted again: two posts a day are one too many, and
// bot report and bot reconcile print the same.
//
// settled is false while that is not known yet.
func (p *Poster) settle(ctx context.Context, b report.Bulletin, now time.Time) (settled bool, err error) {
	if age := now.Sub(b.AnnouncedAt); age >= 0 && age < lostPause {
		return false, nil
	}
	calling, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	at, found, known, err := p.o.Board.FindBulletin(calling, b)
	keeping, cancelKeeping := context.WithTimeout(context.WithoutCancel(ctx), ledgerTime)
	defer cancelKeeping()
	switch {
	case err != nil && now.Sub(b.AnnouncedAt) < patience:
		return false, err
	case found:
		return true, p.o.Ledger.SettleBulletin(keeping, b.Day, at.Channel, at.TS)
	case known:
		return true, p.o.Ledger.TakeBackBulletin(keeping, b.Day)
	}
	p.o.Log.Error("it is not known whether a post in the report channel was made; it is not repeated: see bot report and bot reconcile",
		"channel", b.Channel)
	return true, p.o.Ledger.SettleBulletin(keeping, b.Day, "", "")
}
