package report

import "time"

// Turn is the answer to a process that asked to post in REPORT_CHANNEL.
type Turn struct {
	Mine          bool      // false: it is another process's turn
	Now           time.Time // the database's time
	Months        Month     // the first month whose report is posted
	Last          Month     // the last one whose report was posted; the zero Month for none
	ElsewhereFrom time.Time // since when cancellations by others are posted; zero before the first bot reconcile
	LookedAt      time.Time // when those were last looked for; zero for never
	Owed          bool      // some of them are owed
	Posted        bool      // today's bulletin was announced
	Unsettled     *Bulletin // one whose answer is not recorded; nil for none
	Quiet         time.Time // since when nothing was posted
}

// Due returns the month whose report is owed. ok is false for none.
func (t Turn) Due() (m Month, ok bool) {
	m = MonthOf(t.Now).Before()
	return m, t.Months != Month{} && m.number >= t.Months.number && m.number > t.Last.number
}

// Bulletin is one post in REPORT_CHANNEL. There is at most one a day.
type Bulletin struct {
	Day         int64 // since 1970 UTC
	Channel     string
	Month       Month    // whose report it has; the zero Month for none
	Elsewhere   [][]byte // cancellations by others, the first of them, as they were kept
	Count       int      // how many there are in all
	AnnouncedAt time.Time
	Checkpoint  string // of the audit log, as a note; "" for none
}

// Elsewhere is a cancellation at SoftLayer that this bot did not ask for.
type Elsewhere struct {
	ID   int64  // of SoftLayer's cancellation request
	Told []byte // JSON of what is told about it
}
