package audit

import (
	"fmt"
	"time"
)

const (
	// fullSealing is how many events a sealing has at least after which more was waiting. No build has
	// another number: verify would take its logs for forged.
	fullSealing = sealMost
	// setBack is how far the database's clock may be set back between two sealings before verify says so.
	setBack = 24 * time.Hour
)

// untimely returns what is wrong with the times of a sealing, which no hash covers: they have to fit the times
// of its events and of the sealing before it. It returns "" if nothing is.
func (v *verification) untimely(s Sealing) string {
	if wrong := v.againstEvents(s); wrong != "" {
		return wrong
	}
	sealed := s.Last - max(v.last.Last, v.firstOfSegment())
	switch {
	case !s.Complete.IsZero() && !s.Complete.Equal(s.At):
		return fmt.Sprintf("says %s, and that all was sealed that was recorded until %s: no build writes two times", utc(s.At), utc(s.Complete))
	case s.Complete.IsZero() && sealed < fullSealing:
		return fmt.Sprintf("says that more was waiting, and it sealed %d events only", sealed)
	case s.At.Before(v.last.At.Add(-setBack)):
		return fmt.Sprintf("says %s, and that of the one before says %s: one of them was changed, or the database's clock was set back", utc(s.At), utc(v.last.At))
	}
	return ""
}

// againstEvents returns what is wrong with the time of a sealing next to those of its events, "" if nothing is.
func (v *verification) againstEvents(s Sealing) string {
	if !v.began.IsZero() {
		if s.At.Equal(v.began) {
			return ""
		}
		return fmt.Sprintf("says %s, and the segment that it began says %s", utc(s.At), utc(v.began))
	}
	if newest := time.UnixMilli(v.newest); s.At.Before(newest.Add(-lateness)) {
		return fmt.Sprintf("says %s, and an event that it sealed says %s: it was changed, or the database's clock was set back", utc(s.At), utc(newest))
	}
	return ""
}

// firstOfSegment returns the first position of the segment that the walk is in, 0 before the first one.
func (v *verification) firstOfSegment() int64 {
	if n := len(v.Segments); n > 0 {
		return v.Segments[n-1].First
	}
	return 0
}
