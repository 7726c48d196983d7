package letters

import (
	"context"
	"errors"
	"time"

	"cancel-server/internal/cancellation"
)

// told is an item with the numbers of the news that it tells.
type told struct {
	cancellation.Item
	numbers []int64
	at      time.Time // when it became known
}

// sorted is what a person is owed, as it is now.
type sorted struct {
	atOnce []told
	digest []told
	over   []int64   // no longer worth telling
	wait   time.Time // when what must wait for its day is looked at; zero if nothing waits
	oldest time.Time // since when the oldest of the digest is known
	dated  bool      // the digest has something that is told on its day
}

// sort looks at each piece of news again.
func (b *box) sort(ctx context.Context, owed []cancellation.OwedNews) (s sorted, err error) {
	moves := map[string]int{} // by request: its place in the digest
	ends := map[string]bool{} // by request: it is reminded of
	var later reminders
	for _, n := range owed {
		r, err := b.s.o.Ledger.Request(ctx, n.Request)
		if err != nil && !errors.Is(err, cancellation.ErrUnreadable) {
			return s, err
		}
		stands, from, err := b.stands(ctx, n, r)
		switch {
		case err != nil:
			return s, err
		case !stands, n.Kind == cancellation.NewsEnds && ends[n.Request]: // a date that came again is one reminder
			s.over = append(s.over, n.Number)
			continue
		}
		item := told{cancellation.Item{News: n.News, Request: r}, []int64{n.Number}, n.At}
		if from.After(b.now) {
			later = append(later, reminder{item, from})
			continue
		}
		ends[n.Request] = ends[n.Request] || n.Kind == cancellation.NewsEnds
		if n.Kind.AtOnce() {
			s.atOnce = append(s.atOnce, item)
			continue
		}
		if at, moved := moves[n.Request]; moved && n.Kind == cancellation.NewsMoved {
			s.digest[at].join(n)
			continue
		}
		if n.Kind == cancellation.NewsMoved {
			moves[n.Request] = len(s.digest)
		}
		s.digest = append(s.digest, item)
		s.oldest, s.dated = earliest(s.oldest, n.At), s.dated || !from.IsZero()
	}
	s.remind(later)
	s.dropStale()
	return s, nil
}

// join makes two moves of one date a single one.
func (t *told) join(n cancellation.OwedNews) {
	first, last := t.Line(), n.Line()
	t.Detail = cancellation.Line{What: cancellation.LineMoved, Update: last.Update, Was: first.Was, Now: last.Now}.Detail()
	t.numbers = append(t.numbers, n.Number)
}

// dropStale leaves out a date that moved back, or that is not the last one that SoftLayer showed.
func (s *sorted) dropStale() {
	var kept []told
	for _, t := range s.digest {
		if l := t.Line(); t.Kind == cancellation.NewsMoved && (l.Now == "" || l.Now != t.Request.Shows || sameMoment(l.Was, l.Now)) {
			s.over = append(s.over, t.numbers...)
			continue
		}
		kept = append(kept, t)
	}
	s.digest = kept
}

func sameMoment(a, b string) bool {
	first, err := cancellation.ParseMoment(a)
	second, alsoErr := cancellation.ParseMoment(b)
	return err == nil && alsoErr == nil && first.Equal(second)
}

// stands reports whether news is still worth telling, and from when; zero for now.
func (b *box) stands(ctx context.Context, n cancellation.OwedNews, r cancellation.Request) (stands bool, from time.Time, err error) {
	filed := r.State == cancellation.Filed
	switch n.Kind {
	case cancellation.NewsWaits, cancellation.NewsStillWaits, cancellation.NewsUnanswered:
		if !filed {
			return false, from, nil
		}
		since, err := b.s.o.Ledger.WaitsSince(ctx, r.ID)
		return !since.IsZero(), from, err
	case cancellation.NewsNotCancelled, cancellation.NewsStopped:
		return r.State == cancellation.Reverted, from, nil
	case cancellation.NewsStuck:
		return r.State == cancellation.Stuck, from, nil
	case cancellation.NewsEnded:
		return r.State == cancellation.Reclaimed, from, nil
	case cancellation.NewsBilled:
		return true, from, nil
	case cancellation.NewsEnds:
		last, _ := r.LastCall()
		if !filed || last.IsZero() || last.Format(time.RFC3339) != n.EndsAt() || !b.now.Before(last) {
			return false, from, nil
		}
		return true, b.dayOf(b.s.o.RemindAt(r, b.zone)), nil
	}
	return filed, from, nil
}

// dayOf returns when the working day of a time begins.
func (b *box) dayOf(at time.Time) time.Time {
	year, month, day := at.In(b.zone).Date()
	return time.Date(year, month, day, 0, 0, 0, 0, b.zone)
}
