package correspondence

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"cancel-server/internal/cancellation"
)

// send makes the one call of a text, or records why there is none. It reads the ticket first: a
// database that was restored, or has failed over, may not know that the text is there already.
func (s *Sender) send(ctx context.Context, h *hand) error {
	u := h.update()
	ticket, err := read(ctx, s.o.Books, u.Ticket)
	switch {
	case err == nil && ticket.has(u):
		return s.move(ctx, h, Sent, "", "")
	case h.late():
		return s.move(ctx, h, NotSent, WhyLate, "")
	case err != nil:
		return s.retry(ctx, h, err)
	case h.request.State != cancellation.Filed:
		return s.move(ctx, h, NotSent, WhyEnded, "")
	case !ticket.Open:
		return s.move(ctx, h, NotSent, WhyClosed, "")
	}
	began := time.Now()
	announce := func(c *Change) { c.Window, c.Keep = s.o.PostTimeout, true }
	if err := s.move(ctx, h, Sending, "", "", announce); err != nil {
		return err
	}
	until, ok := s.mayPost(ctx, h.update(), began)
	if !ok {
		return s.notMade(ctx, h, cancellation.Outcome{Text: "too late to write it"})
	}
	posting, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	return s.record(ctx, h, s.o.Writer.AddUpdate(posting, u.Ticket, u.Entry))
}

// has reports whether a ticket has a text.
func (t Ticket) has(u Update) bool {
	for _, entry := range t.Entries {
		if u.Carries(entry.Text) {
			return true
		}
	}
	return false
}

// mayPost checks the clocks for the last time before the call. The database's time must be before
// not-after. By the monotonic and by the wall clock this process must have asked for the commit less
// than PostTimeout ago: a suspended machine stops the monotonic clock, a stopped process stops
// neither. until is not-after by this process's clocks.
func (s *Sender) mayPost(ctx context.Context, u Update, began time.Time) (until time.Time, ok bool) {
	asked := time.Now()
	at, err := s.o.Ledger.Now(ctx)
	if err != nil {
		return time.Time{}, false
	}
	now, left := time.Now(), u.NotAfter.Sub(at)
	passed := max(now.Sub(began), now.Round(0).Sub(began.Round(0)))
	return asked.Add(left), left > 0 && passed < s.o.PostTimeout
}

// record stores the outcome of the call. Nobody else knows it, so if the database refuses it, record
// tries again until the step's time is over.
func (s *Sender) record(ctx context.Context, h *hand, o cancellation.Outcome) error {
	for try := 1; ; try++ {
		err := s.recordOnce(ctx, h, o)
		if err == nil || errors.Is(err, cancellation.ErrUnclear) || errors.Is(err, cancellation.ErrMoved) {
			return err // what another worker has now is found out from the ticket
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("recording the answer %q: %w", o.Kind, err)
		case <-time.After(backoff(try, time.Minute)):
		}
	}
}

func (s *Sender) recordOnce(ctx context.Context, h *hand, o cancellation.Outcome) error {
	switch o.Kind {
	case cancellation.Made:
		return s.move(ctx, h, Sent, "", answer(o))
	case cancellation.Refused:
		s.o.Refused()
		return s.move(ctx, h, Refused, WhyNoRight, answer(o))
	case cancellation.NotMade:
		return s.notMade(ctx, h, o)
	default:
		return s.move(ctx, h, Unknown, WhyLost, answer(o))
	}
}

// answer is SoftLayer's answer for the history: as it came, or why there was none.
func answer(o cancellation.Outcome) string { return cmp.Or(o.Raw, o.Text) }

// notMade puts a text back whose call certainly wrote nothing.
func (s *Sender) notMade(ctx context.Context, h *hand, o cancellation.Outcome) error {
	next := h.update()
	next.State, next.Why, next.Attempts = Recorded, WhyWaiting, next.Attempts+1
	s.o.Log.Warn("SoftLayer took no text; trying again", "ref", h.request.Ref.Short(), "update", next.Number, "answer", o.Text)
	return s.wait(ctx, h, next, max(o.Retry, backoff(next.Attempts, time.Minute)), func(c *Change) { c.Detail = answer(o) })
}

// settle finds out from the ticket what became of a call whose answer was lost. Only after a whole
// settle time of whole reads without the text, which began after not-after, was it not sent. It is
// never sent again: the person decides.
func (s *Sender) settle(ctx context.Context, h *hand) error {
	u := h.update()
	ticket, err := read(ctx, s.o.Books, u.Ticket)
	switch {
	case err != nil:
		return s.retry(ctx, h, err)
	case ticket.has(u):
		return s.move(ctx, h, Sent, "", "")
	}
	now, err := s.o.Ledger.Now(ctx)
	if err != nil {
		return err
	}
	next := u
	next.Attempts++
	switch {
	case !h.at.After(u.NotAfter):
		return s.wait(ctx, h, next, min(backoff(next.Attempts, time.Minute), u.NotAfter.Sub(now)+time.Millisecond))
	case u.CleanSince.IsZero():
		next.CleanSince, next.Attempts = now, 1
	case h.at.Sub(u.CleanSince) < s.o.SettleTime:
	case !ticket.Open:
		return s.move(ctx, h, NotSent, WhyClosed, "")
	default:
		return s.move(ctx, h, NotSent, WhyAbsent, "")
	}
	left := s.o.SettleTime - now.Sub(next.CleanSince)
	return s.wait(ctx, h, next, max(min(backoff(next.Attempts, time.Minute), left), 10*time.Millisecond))
}

// toldAt is where people are told of a text. The replies of one form are told in one message.
type toldAt struct {
	first   Update               // of its form
	request cancellation.Request // under which the message is kept: that of the first
	notices []cancellation.Notice
}

// tellsAt finds where people are told of a text. A batch's texts are told in the thread of the batch's message.
func (s *Sender) tellsAt(ctx context.Context, h *hand) (at toldAt, err error) {
	if h.told != nil {
		return *h.told, nil
	}
	at = toldAt{first: h.update(), request: h.request}
	shown := h.request.ID
	if batch := h.request.Batch; batch != "" {
		if shown, err = s.o.Journal.Lead(ctx, h.request.ID); err != nil {
			return at, err
		}
		form, err := s.o.Ledger.FormOf(ctx, batch, at.first.Number)
		if err != nil {
			return at, err
		}
		if len(form) > 0 {
			at.first, at.request.ID = form[0], form[0].RequestID
		}
	}
	if at.notices, err = s.o.Journal.Notices(ctx, shown); err == nil {
		h.told = &at
	}
	return at, err
}
