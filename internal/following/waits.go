package following

import (
	"slices"
	"time"

	"cancel-server/internal/cancellation"
)

// judgeWaits finds whether SoftLayer waits for an answer: its flag is set on an open ticket, and nobody
// but staff wrote after staff did. What was not read leaves that as it was.
func (v *Verdict) judgeWaits(f cancellation.Followed, e Evidence) {
	known, life := &v.Known, e.Ticket
	if life == nil || life.Awaits == nil || e.wantsUpdates(*known) && !e.Updates {
		v.Waits = f.Waits
		return
	}
	known.Awaits, known.Staff, known.Other = *life.Awaits, max(known.Staff, e.Staff), max(known.Other, e.Other)
	asks := known.asks(*life)
	if !known.Awaits || !life.Open || known.Other > asks || f.Settled >= asks {
		return
	}
	if asks != known.Asks {
		known.Asks = asks
		v.tell(cancellation.Line{What: cancellation.LineWaits, Update: asks})
	}
	if v.Waits = f.Waits; v.Waits.IsZero() {
		v.Waits = e.Ended.Truncate(time.Millisecond) // in the store's precision
		if life.Last == asks && !life.LastAt.IsZero() && life.LastAt.Before(e.Ended) {
			v.Waits = life.LastAt
		}
	}
}

// asks is the update that waits for an answer while the flag is set: staff's last one. If none of staff's
// is shown, it is the last one when the flag was first seen.
func (k Known) asks(life cancellation.TicketLife) int64 {
	switch {
	case k.Staff > 0:
		return k.Staff
	case k.Asks > 0:
		return k.Asks
	}
	return max(life.Last, 1) // that it waits is known, though the key sees nothing of what for
}

// asked reports whether people are told that this update waits for an answer.
func (v *Verdict) asked(update int64) bool {
	return slices.Contains(v.Lines, cancellation.Line{What: cancellation.LineWaits, Update: update})
}

// awaits reports whether SoftLayer's flag says that it waits for an answer.
func (e Evidence) awaits() bool { return e.Ticket != nil && e.Ticket.Awaits != nil && *e.Ticket.Awaits }

// wantsUpdates reports whether it has to be known who wrote into the ticket: its last update is new, or
// it waits for an answer to nobody knows what.
func (e Evidence) wantsUpdates(known Known) bool {
	return e.Ticket != nil && (e.Ticket.Last > known.Update || e.awaits() && !known.Awaits && known.Staff == 0)
}
