package letters

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/workday"
)

// box is a claimed mailbox with what is known of its person.
type box struct {
	s     *Sender
	m     cancellation.Mailbox
	state state
	now   time.Time // the database's, at the claim or later
	zone  *time.Location
}

// state is what a mailbox remembers. Its JSON form is stored.
type state struct {
	AtOnce   letter `json:",omitzero"` // the last one that was told at once
	Digest   letter `json:",omitzero"` // the last digest
	Topics   topics `json:",omitempty"`
	Attempts int    `json:",omitempty"`
	Refused  int    `json:",omitempty"` // refusals and panics in a row
}

// letter is one direct message.
type letter struct {
	ID      string
	At      time.Time // when it was announced
	Posting bool      `json:",omitempty"` // "about to post" is recorded and no answer is
	Channel string    `json:",omitempty"`
	TS      string    `json:",omitempty"`
	News    []int64   `json:",omitempty"` // what it tells
}

func (s state) encode() []byte {
	text, _ := json.Marshal(s) // texts, numbers and times in this century
	return text
}

// work does what the mailbox needs now, and puts it back until it needs something again.
func (b *box) work(ctx context.Context) (err error) {
	if b.now, err = b.s.o.Ledger.Now(ctx); err != nil {
		return err
	}
	if len(b.m.Letters) > 0 {
		if err := json.Unmarshal(b.m.Letters, &b.state); err != nil { // what it was told is unknown: tell it what it is owed
			b.s.o.Log.Error("reading the last letters of a person", "err", err)
			b.state = state{}
		}
	}
	for _, l := range []*letter{&b.state.AtOnce, &b.state.Digest} {
		if !l.Posting {
			continue
		}
		if known := l.At.Add(lostPause); b.now.Before(known) && !l.At.After(b.now) {
			return b.keep(ctx, known, nil)
		}
		if err := b.findLost(ctx, l); err != nil {
			return err
		}
	}
	owed, err := b.s.o.Ledger.NewsFor(ctx, b.m.Person, mostNews)
	if err != nil {
		return err
	}
	if len(owed) == 0 {
		return b.keep(ctx, time.Time{}, nil)
	}
	name, gone, err := b.s.o.People.Whereabouts(ctx, b.m.Person)
	if err != nil {
		return fmt.Errorf("reading who gets a letter: %w", err)
	}
	if gone || b.state.Refused >= refusedMost {
		b.state.Refused = 0
		return b.passOn(ctx, owed)
	}
	b.zone = workday.Zone(name)
	return b.tell(ctx, owed)
}

// findLost looks for a letter whose post was announced and whose answer is not recorded. If it cannot
// be found it is posted again, and one orphan may stand.
func (b *box) findLost(ctx context.Context, l *letter) error {
	calling, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	at, found, known := b.s.o.Mail.FindLetter(calling, b.m.Person, l.ID, l.At)
	b.s.o.Log.Warn("Slack's answer to a letter was lost", "looked_up", known, "found", found)
	l.Posting = false
	if !found {
		b.state.Topics.forget(l.At)
		*l = letter{}
		return b.store(ctx, b.now, true, nil)
	}
	l.Channel, l.TS = at.Channel, at.TS
	return b.store(ctx, b.now, true, l.News)
}

// tell tells what has to be told now.
func (b *box) tell(ctx context.Context, owed []cancellation.OwedNews) error {
	sorted, err := b.room(ctx, owed)
	if err != nil {
		return err
	}
	if len(sorted.atOnce) > 0 {
		again, err := b.sendAtOnce(ctx, sorted)
		if err != nil || again {
			return err
		}
	}
	due := sorted.wait
	if len(sorted.digest) > 0 {
		when := b.digestAt(sorted)
		if !when.After(b.now) {
			return b.send(ctx, &b.state.Digest, sorted.digest, sorted, false)
		}
		due = earliest(due, when)
	}
	return b.keep(ctx, b.atLatest(due), sorted.over)
}

// room sorts what is owed. If so much of it must wait that a letter has room, it reads on: what comes after those may
// not have to wait.
func (b *box) room(ctx context.Context, owed []cancellation.OwedNews) (sorted, error) {
	s, err := b.sort(ctx, owed)
	if err != nil {
		return s, err
	}
	if s = b.onceADay(s); len(owed) < mostNews || len(s.atOnce)+len(s.digest) >= mostNews {
		return s, nil
	}
	if _, s, err = b.readOn(ctx); err != nil {
		return s, err
	}
	s = b.onceADay(s)
	s.atOnce, s.digest = s.atOnce[:min(len(s.atOnce), mostNews)], s.digest[:min(len(s.digest), mostNews)]
	return s, nil
}

// readOn sorts all that is owed, as far as one look takes it.
func (b *box) readOn(ctx context.Context) (owed []cancellation.OwedNews, s sorted, err error) {
	if owed, err = b.s.o.Ledger.NewsFor(ctx, b.m.Person, mostRead); err != nil {
		return nil, s, err
	}
	s, err = b.sort(ctx, owed)
	return owed, s, err
}

// digestAt returns when the next digest is sent: in working hours, not on the day of the last one, and
// not before there was time to collect. A reminder is told on its day.
func (b *box) digestAt(s sorted) time.Time {
	from := b.now
	if !s.dated && !s.oldest.After(b.now) { // else a clock was ahead
		from = latest(from, s.oldest.Add(collectTime))
	}
	when := workday.NextWorkingTime(from, b.zone)
	if last := b.state.Digest.At; !last.IsZero() && !last.After(b.now) && sameDay(when, last.In(b.zone)) {
		year, month, day := when.Date()
		when = workday.NextWorkingTime(time.Date(year, month, day+1, 0, 0, 0, 0, b.zone), b.zone)
	}
	return when
}

func sameDay(a, b time.Time) bool { return a.Format(time.DateOnly) == b.Format(time.DateOnly) }

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// earliest ignores zero times.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// sendAtOnce tells what needs somebody now. What was told within the last ten minutes stays in the same
// message. stop says that the mailbox was put back.
func (b *box) sendAtOnce(ctx context.Context, s sorted) (stop bool, err error) {
	last := &b.state.AtOnce
	since := b.now.Sub(last.At)
	if last.TS == "" || since < 0 || since >= together {
		return true, b.send(ctx, last, s.atOnce, s, true)
	}
	before, err := b.s.o.Ledger.NewsNumbered(ctx, b.m.Person, last.News)
	if err != nil {
		return false, err
	}
	shown, err := b.sort(ctx, before)
	if err != nil {
		return false, err
	}
	all := append(shown.atOnce, s.atOnce...)
	calling, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	at := cancellation.Posted{Channel: last.Channel, TS: last.TS}
	switch delivery, retry := b.s.o.Mail.UpdateLetter(calling, at, b.m.Person, last.ID, items(all), true); delivery {
	case cancellation.Delivered:
		last.News = numbers(all)
		b.state.Topics = b.state.Topics.note(s.atOnce, last.At)
		b.state.Attempts, b.state.Refused = 0, 0
		return false, b.store(ctx, b.now, true, append(numbers(s.atOnce), s.over...))
	case cancellation.Refusing: // the message is gone: post another
		return true, b.send(ctx, last, s.atOnce, s, true)
	default:
		return true, b.keep(ctx, b.now.Add(max(retry, b.backoff())), s.over)
	}
}

// send posts a letter. It is recorded before, as about to be posted, and settled after.
func (b *box) send(ctx context.Context, as *letter, what []told, s sorted, atOnce bool) error {
	*as = letter{ID: rand.Text(), At: b.now, Posting: true, News: numbers(what)}
	b.state.Topics = b.state.Topics.note(what, b.now)
	if err := b.store(ctx, b.now.Add(lostPause), true, s.over); err != nil {
		return err
	}
	calling, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	at, delivery, retry := b.s.o.Mail.PostLetter(calling, b.m.Person, as.ID, items(what), atOnce)
	switch delivery {
	case cancellation.Delivered:
		as.Posting, as.Channel, as.TS = false, at.Channel, at.TS
		b.state.Attempts, b.state.Refused = 0, 0
		return b.keep(ctx, b.now, as.News) // what is left is looked at again
	case cancellation.Lost:
		return b.keep(ctx, b.now.Add(lostPause), nil)
	case cancellation.Refusing:
		b.state.Topics.forget(as.At)
		*as = letter{}
		b.state.Refused++
		return b.keep(ctx, b.now.Add(refusedPause), nil)
	}
	b.state.Topics.forget(as.At)
	*as = letter{}
	return b.keep(ctx, b.now.Add(max(retry, b.backoff())), nil)
}

// passOn tells others what a person who has left cannot read: those who approved the request, else the
// escalation channel. What an approver cannot read goes to that channel.
func (b *box) passOn(ctx context.Context, owed []cancellation.OwedNews) error {
	b.zone = time.UTC
	s, err := b.sort(ctx, owed)
	if err == nil && len(owed) >= mostNews && len(s.atOnce)+len(s.digest)+len(s.over) == 0 { // all of it waits for its day
		owed, s, err = b.readOn(ctx)
	}
	if err != nil {
		return err
	}
	for _, t := range append(s.atOnce, s.digest...) {
		heirs, err := b.heirs(ctx, t.Request)
		if err == nil && len(heirs) > 0 {
			err = b.s.o.Ledger.OweNews(ctx, t.Request.ID, t.to(heirs))
		} else if err == nil {
			err = b.escalate(ctx, t.Request, t.News)
		}
		if err != nil {
			return err
		}
		s.over = append(s.over, t.numbers...)
	}
	b.s.o.Log.Info("passed on the news of a person who cannot be reached", "news", len(s.over))
	due := b.atLatest(s.wait)
	if len(owed) >= mostNews && len(s.over) > 0 { // there may be more
		due = b.now
	}
	return b.keep(ctx, due, s.over)
}

// to is the same news for others.
func (t told) to(users []string) (news []cancellation.News) {
	for _, user := range users {
		news = append(news, cancellation.News{To: user, Kind: t.Kind, Detail: t.Detail})
	}
	return news
}

// atLatest is when to look at what waits until due; zero if nothing waits.
func (b *box) atLatest(due time.Time) time.Time {
	if due.IsZero() {
		return due
	}
	return earliest(due, b.now.Add(nextLook))
}

// heirs are the people who approved a request of somebody who has left, without those who have left.
func (b *box) heirs(ctx context.Context, r cancellation.Request) (users []string, err error) {
	if r.Submission.By.ID != b.m.Person {
		return nil, nil
	}
	for _, a := range r.Approvals {
		user := a.User()
		_, gone, err := b.s.o.People.Whereabouts(ctx, user)
		if err != nil {
			return nil, fmt.Errorf("reading who approved: %w", err)
		}
		if !gone && user != b.m.Person {
			users = append(users, user)
		}
	}
	return users, nil
}

func (b *box) escalate(ctx context.Context, r cancellation.Request, n cancellation.News) error {
	notices, err := b.s.o.Ledger.Notices(ctx, r.ID)
	if err != nil {
		return err
	}
	notice := r.Escalating(b.s.o.Channel, n, notices)
	_, err = b.s.o.Ledger.Owe(ctx, r.ID, notice.Kind, notice.Place)
	b.s.o.Wake()
	return err
}

func items(all []told) []cancellation.Item {
	var of []cancellation.Item
	for _, t := range all {
		of = append(of, t.Item)
	}
	return of
}

func numbers(all []told) []int64 {
	var of []int64
	for _, t := range all {
		of = append(of, t.numbers...)
	}
	slices.Sort(of)
	return of
}
