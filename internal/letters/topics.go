package letters

import (
	"maps"
	"time"

	"cancel-server/internal/cancellation"
)

// topicLife is how long it is remembered when a person was last told of a topic.
const topicLife = 8 * 24 * time.Hour

// topics are when a person was last told of what needs somebody in a batch, by the topic. Of each they are
// told once a day.
type topics map[string]time.Time

// topic is what of a batch a person is told of at most once a day; "" for what the one digest a day tells
// anyway, and for a request that is of no batch.
func (t told) topic() string {
	batch := t.Request.Batch
	switch kind := t.Kind; {
	case batch == "":
		return ""
	case kind.Awaits():
		return batch + " " + string(cancellation.NewsWaits)
	case kind.AtOnce():
		return batch + " " + string(kind)
	}
	return ""
}

// note returns the topics with those that a letter of this moment tells of. A topic of which the letter told
// already keeps its moment.
func (t topics) note(what []told, at time.Time) topics {
	noted := topics{}
	maps.Copy(noted, t)
	maps.DeleteFunc(noted, func(_ string, last time.Time) bool { return at.Sub(last) >= topicLife })
	for _, item := range what {
		if topic := item.topic(); topic != "" {
			noted[topic] = at
		}
	}
	return noted
}

// forget forgets what a letter told that was not posted.
func (t topics) forget(at time.Time) {
	maps.DeleteFunc(t, func(_ string, last time.Time) bool { return last.Equal(at) })
}

// onceADay leaves what a person was told of today for tomorrow, unless it goes into the same message. What
// came on a day on which they were told of it waits for the next digest, or for the next message at once.
func (b *box) onceADay(s sorted) sorted {
	urgent := map[string]bool{} // topics that are told at once now
	for _, t := range s.atOnce {
		if topic := t.topic(); topic != "" && !b.today(topic) && !b.late(t) || b.joins(topic) {
			urgent[topic] = true
		}
	}
	kept := s
	kept.atOnce, kept.digest = nil, nil
	for _, t := range s.atOnce {
		switch topic := t.topic(); {
		case topic == "" || urgent[topic]:
			kept.atOnce = append(kept.atOnce, t)
		case b.today(topic):
			kept.wait = earliest(kept.wait, b.tomorrow())
		default:
			kept.digest = append(kept.digest, t)
			kept.oldest = earliest(kept.oldest, t.at)
		}
	}
	for _, t := range s.digest {
		if topic := t.topic(); topic != "" && (urgent[topic] || b.today(topic)) {
			kept.wait = earliest(kept.wait, b.tomorrow())
			continue
		}
		kept.digest = append(kept.digest, t)
	}
	return kept
}

// today reports whether the person was told of a topic today, where they live.
func (b *box) today(topic string) bool {
	last := b.state.Topics[topic]
	return !last.IsZero() && !last.After(b.now) && sameDay(last.In(b.zone), b.now.In(b.zone))
}

// joins reports whether a topic goes into the message that told of it first.
func (b *box) joins(topic string) bool {
	last, told := b.state.Topics[topic]
	return told && last.Equal(b.state.AtOnce.At) && b.state.AtOnce.TS != "" && b.now.Sub(last) < together && !last.After(b.now)
}

// late reports whether something came on a day on which the person had been told of its topic.
func (b *box) late(t told) bool {
	last := b.state.Topics[t.topic()]
	return !last.IsZero() && t.at.After(last) && sameDay(last.In(b.zone), t.at.In(b.zone))
}

// tomorrow is when the next day begins where the person lives.
func (b *box) tomorrow() time.Time { return b.dayOf(b.now.In(b.zone).AddDate(0, 0, 1)) }

// reminder is a reminder whose day is still to come.
type reminder struct {
	told
	from time.Time
}

type reminders []reminder

// end is what one reminder is about: the servers of a batch that end on one day. It is "" for others.
func (t told) end() string {
	if t.Request.Batch == "" || t.Kind != cancellation.NewsEnds {
		return ""
	}
	return t.Request.Batch + " " + t.Request.End().Date.Format(time.DateOnly)
}

// remind has reminders wait for their day. Those of a batch whose servers end on one day go with the first, each
// server once: a date that came again is one reminder.
func (s *sorted) remind(later reminders) {
	now, pulled := map[string]bool{}, map[string]int{} // by request: its place in the digest
	for _, t := range s.digest {
		now[t.end()] = true
	}
	for _, r := range later {
		if end := r.end(); end == "" || !now[end] {
			s.wait = earliest(s.wait, r.from)
			continue
		}
		if at, again := pulled[r.Request.ID]; again {
			s.digest[at].numbers = append(s.digest[at].numbers, r.numbers...)
			continue
		}
		pulled[r.Request.ID] = len(s.digest)
		s.digest = append(s.digest, r.told)
		s.oldest, s.dated = earliest(s.oldest, r.at), true
	}
}
