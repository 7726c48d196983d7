package waiting

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/workday"
)

// Times and bounds of the work.
const (
	poll       = 10 * time.Second
	pageRows   = 100
	stepTime   = 15 * time.Second // for one wait
	retryPause = 5 * time.Minute  // after one of which somebody could not be read
)

// People says who is there.
type People interface {
	// Whereabouts returns the name of a user's time zone, "" for not known, and whether they have left.
	Whereabouts(ctx context.Context, user string) (zone string, gone bool, err error)
}

// Options is what a Teller is made of.
type Options struct {
	Waits   cancellation.Waits
	Notices cancellation.Notices
	People  People
	Channel string // the escalation channel; "" for none
	Wake    func() // called when people are owed something
	Log     *slog.Logger
}

// Teller owes people what they are to be told of waits.
type Teller struct {
	o    Options
	bell chan struct{}
}

// New makes a teller. It does nothing before Run.
func New(o Options) *Teller { return &Teller{o: o, bell: make(chan struct{}, 1)} }

// Wake tells the Teller that there may be something to tell.
func (t *Teller) Wake() {
	select {
	case t.bell <- struct{}{}:
	default:
	}
}

// Run works until ctx ends. Failures are logged, and tried again.
func (t *Teller) Run(ctx context.Context) {
	for ctx.Err() == nil {
		t.round(ctx)
		select {
		case <-t.bell:
		case <-time.After(poll):
		case <-ctx.Done():
		}
	}
}

// round tells everything that is due.
func (t *Teller) round(ctx context.Context) {
	for ctx.Err() == nil {
		due, now, err := t.o.Waits.DueWaits(ctx, pageRows)
		if err != nil {
			if ctx.Err() == nil {
				t.o.Log.Warn("looking for answers that SoftLayer waits for", "err", err)
			}
			return
		}
		for _, w := range due {
			if err := t.tell(ctx, w, now); err != nil && ctx.Err() == nil {
				t.o.Log.Warn("telling people that SoftLayer waits", "ref", w.Request.Ref.Short(), "err", err)
				return
			}
		}
		if len(due) < pageRows {
			return
		}
	}
}

// tell records one step of a wait. If the people could not be read, the step is to try again.
func (t *Teller) tell(ctx context.Context, w cancellation.Wait, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	step, err := t.step(ctx, w, now)
	if err != nil {
		t.o.Log.Warn("finding whom to tell that SoftLayer waits: trying again", "ref", w.Request.Ref.Short(), "err", err)
		step = cancellation.WaitStep{Wait: w, Told: w.Told, Reminders: w.Reminders, Next: w.Next, Act: now.Add(retryPause)}
	}
	keeping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stepTime)
	defer cancel()
	err = t.o.Waits.KeepWait(keeping, step)
	if errors.Is(err, cancellation.ErrMoved) { // another replica told it, or it is over
		return nil
	}
	if err == nil && len(step.News)+len(step.Owe) > 0 {
		t.o.Wake()
	}
	return err
}

func (t *Teller) step(ctx context.Context, w cancellation.Wait, now time.Time) (cancellation.WaitStep, error) {
	who, err := t.audience(ctx, w.Request)
	if err != nil {
		return cancellation.WaitStep{}, err
	}
	step, escalates := Next(w, who, now)
	if escalates {
		err = t.escalate(ctx, &step)
	}
	return step, err
}

// audience finds who answers for a request.
func (t *Teller) audience(ctx context.Context, r cancellation.Request) (Audience, error) {
	who, err := t.present(ctx, []string{r.Submission.By.ID})
	if err != nil || len(who.Users) > 0 {
		return who, err
	}
	var approved []string
	for _, a := range r.Approvals {
		approved = append(approved, a.User())
	}
	return t.present(ctx, approved)
}

// present returns those of some users who have not left.
func (t *Teller) present(ctx context.Context, users []string) (Audience, error) {
	who := Audience{Zone: time.UTC}
	for _, user := range users {
		if user == "" { // of a request that cannot be read
			continue
		}
		zone, gone, err := t.o.People.Whereabouts(ctx, user)
		if err != nil {
			return who, err
		}
		if gone {
			continue
		}
		if len(who.Users) == 0 {
			who.Zone = workday.Zone(zone)
		}
		who.Users = append(who.Users, user)
	}
	return who, nil
}

// escalate owes the reminder to more people than the audience.
func (t *Teller) escalate(ctx context.Context, step *cancellation.WaitStep) error {
	w := step.Wait
	notices, err := t.o.Notices.Notices(ctx, w.Request.ID)
	if err != nil {
		return fmt.Errorf("reading where it is shown: %w", err)
	}
	n := cancellation.News{To: w.Request.Submission.By.ID, Kind: cancellation.NewsUnanswered, Detail: w.Detail()}
	step.Owe = []cancellation.Notice{w.Request.Escalating(t.o.Channel, n, notices)}
	return nil
}
