package cancellation_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

// inDallas reads a time of SoftLayer's, such as "2026-11-24 10:00".
func inDallas(t *testing.T, text string) time.Time {
	t.Helper()
	zone, err := time.LoadLocation("America/Chicago")
	require.NoError(t, err)
	at, err := time.ParseInLocation("2006-01-02 15:04", text, zone)
	require.NoError(t, err)
	return at
}

func TestGatheringIsPostedOnceADay(t *testing.T) {
	t.Parallel()
	const day = "2026-11-24"
	for name, c := range map[string]struct {
		kind   cancellation.NoticeKind // of what is told
		last   string                  // the day of the last message; "" for none
		posted string                  // when that was posted; "" for not yet, or never
		now    string
		from   string // not before
		want   string // the day of the message
		due    string
	}{
		"the first one waits an hour":                 {kind: cancellation.Said(cancellation.Line{What: cancellation.LineStaff}), now: day + " 10:00", want: day, due: day + " 11:00"},
		"an hour later is tomorrow":                   {kind: cancellation.Said(cancellation.Line{What: cancellation.LineStaff}), now: day + " 23:30", want: "2026-11-25", due: "2026-11-25 00:30"},
		"the next one waits for the next morning":     {kind: cancellation.Said(cancellation.Line{What: cancellation.LineStaff}), last: day, now: day + " 12:00", want: "2026-11-25", due: "2026-11-25 09:00"},
		"days later it waits an hour":                 {kind: cancellation.Said(cancellation.Line{What: cancellation.LineStaff}), last: day, now: "2026-11-27 03:00", want: "2026-11-27", due: "2026-11-27 04:00"},
		"the day counts on which Slack took the last": {kind: cancellation.Said(cancellation.Line{What: cancellation.LineStaff}), last: day, posted: "2026-11-26 08:00", now: "2026-11-26 12:00", want: "2026-11-27", due: "2026-11-27 09:00"},
		"a clock that was set back":                   {kind: cancellation.Said(cancellation.Line{What: cancellation.LineStaff}), last: "2026-12-24", now: day + " 12:00", want: "2026-12-25", due: day + " 13:00"},
		"a reminder waits for its day":                {kind: cancellation.Said(cancellation.Line{What: cancellation.LineEnds, Was: "2026-12-01"}), now: day + " 12:00", from: "2026-11-27 09:00", want: "2026-11-27", due: "2026-11-27 09:00"},
		"what is urgent waits five minutes":           {kind: cancellation.Alarm, now: day + " 10:00", want: day, due: day + " 10:05"},
		"more of it waits for the evening":            {kind: cancellation.Alarm, last: day, posted: day + " 10:05", now: day + " 10:10", want: day + " more", due: day + " 17:00"},
		"it does not if the first may not stand":      {kind: cancellation.Alarm, last: day, now: day + " 10:06", want: day + " more", due: day + " 10:11"},
		"late in the evening it does not wait":        {kind: cancellation.Alarm, last: day, posted: day + " 10:05", now: day + " 20:00", want: day + " more", due: day + " 20:05"},
		"a third time a day it waits":                 {kind: cancellation.Alarm, last: day + " more", now: day + " 18:00", want: "2026-11-25", due: "2026-11-25 09:00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			class, gathers := c.kind.Gathers()
			require.True(t, gathers)
			var last cancellation.Notice
			if c.last != "" {
				last.Kind = cancellation.NoticeKind(class.Prefix() + c.last)
			}
			if c.posted != "" {
				last.TS = fmt.Sprintf("%d.000100", inDallas(t, c.posted).Unix())
			}
			now, from := inDallas(t, c.now).UTC(), time.Time{}
			if c.from != "" {
				from = inDallas(t, c.from)
			}
			kind, due := class.Next(last, now, from)
			_, on, is := kind.Gathering()
			assert.True(t, is)
			assert.Equal(t, c.want, on)
			assert.True(t, inDallas(t, c.due).Equal(due), "%v", due)
			assert.True(t, kind.Once())
		})
	}
}

func TestGatheringThatDoesNotStandTakesMore(t *testing.T) {
	t.Parallel()
	const day = "2026-11-24"
	for name, c := range map[string]struct {
		kind    cancellation.NoticeKind // of what is told
		last    string                  // the day of the last message; "" for none
		due     string                  // when that is due; "" for not any more
		stands  bool
		posting bool
		now     string
		want    string // when it is due then; "" if it takes nothing more
		next    string // when the next one is due, if that is not left out here
	}{
		"there is none":                           {kind: cancellation.Alarm, now: day + " 10:00"},
		"it keeps its time":                       {kind: cancellation.Alarm, last: day, due: day + " 10:03", now: day + " 10:00", want: day + " 10:03"},
		"it may stand":                            {kind: cancellation.Alarm, last: day, due: day + " 10:03", posting: true, now: day + " 10:00", next: day + " 10:05"},
		"it stands":                               {kind: cancellation.Alarm, last: day, stands: true, now: day + " 10:00", next: day + " 17:00"},
		"it came to nothing, and more is urgent":  {kind: cancellation.Alarm, last: day, now: day + " 10:00", want: day + " 10:05"},
		"the second of its day came to nothing":   {kind: cancellation.Alarm, last: day + " more", now: day + " 18:00", want: day + " 18:05"},
		"it came to nothing, and more has time":   {kind: cancellation.Said(cancellation.Line{What: cancellation.LineStaff}), last: day, now: day + " 10:00", want: day + " 11:00"},
		"it came to nothing yesterday":            {kind: cancellation.Alarm, last: "2026-11-23", now: day + " 10:00"},
		"it failed yesterday, and is tried again": {kind: cancellation.Alarm, last: "2026-11-23", due: day + " 10:02", now: day + " 10:00", want: day + " 10:02"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			class, gathers := c.kind.Gathers()
			require.True(t, gathers)
			last := cancellation.Notice{Posting: c.posting}
			if c.last != "" {
				last.Kind = cancellation.NoticeKind(class.Prefix() + c.last)
			}
			if c.due != "" {
				last.Due = inDallas(t, c.due)
			}
			if c.stands {
				last.TS = fmt.Sprintf("%d.000100", inDallas(t, c.now).Unix())
			}
			due, more := class.More(last, inDallas(t, c.now).UTC(), time.Time{})
			require.Equal(t, c.want != "", more)
			if more {
				assert.True(t, inDallas(t, c.want).Equal(due), "%v", due)
			}
			if c.next != "" {
				_, due := class.Next(last, inDallas(t, c.now).UTC(), time.Time{})
				assert.True(t, inDallas(t, c.next).Equal(due), "%v", due)
			}
		})
	}
}

func TestGatheringTellsWhatStands(t *testing.T) {
	t.Parallel()
	const first, second, third = "2026-12-01T00:00:00-06:00", "2027-01-01T00:00:00-06:00", "2027-02-01T00:00:00-06:00"
	said := func(l cancellation.Line) cancellation.NoticeKind { return cancellation.Said(l) }
	escalated := func(kind cancellation.NewsKind) cancellation.NoticeKind {
		return cancellation.Request{}.Escalating("C9", cancellation.News{To: "U1", Kind: kind}, nil).Kind
	}
	moved := func(update int64, was, now string) cancellation.NoticeKind {
		return said(cancellation.Line{What: cancellation.LineMoved, Update: update, Was: was, Now: now})
	}
	for name, c := range map[string]struct {
		kinds []cancellation.NoticeKind // of one request
		state cancellation.State
		shows string
		waits bool
		stop  bool
		late  bool
		tells cancellation.NewsKind // "" for nothing
		was   string                // of a move
	}{
		"gone":                             {kinds: []cancellation.NoticeKind{said(cancellation.Line{What: cancellation.LineEnded})}, state: cancellation.Reclaimed, tells: cancellation.NewsEnded},
		"not cancelled":                    {kinds: []cancellation.NoticeKind{said(cancellation.Line{What: cancellation.LineEnded})}, state: cancellation.Reverted, tells: cancellation.NewsNotCancelled},
		"stopped":                          {kinds: []cancellation.NoticeKind{said(cancellation.Line{What: cancellation.LineEnded})}, state: cancellation.Reverted, stop: true, tells: cancellation.NewsStopped},
		"waits":                            {kinds: []cancellation.NoticeKind{said(cancellation.Line{What: cancellation.LineWaits, Update: 3})}, state: cancellation.Filed, waits: true, tells: cancellation.NewsWaits},
		"answered meanwhile":               {kinds: []cancellation.NoticeKind{said(cancellation.Line{What: cancellation.LineWaits, Update: 3})}, state: cancellation.Filed},
		"unanswered":                       {kinds: []cancellation.NoticeKind{escalated(cancellation.NewsUnanswered)}, state: cancellation.Filed, waits: true, tells: cancellation.NewsUnanswered},
		"a stuck one that was resolved":    {kinds: []cancellation.NoticeKind{escalated(cancellation.NewsStuck)}, state: cancellation.Filed},
		"still there, and gone meanwhile":  {kinds: []cancellation.NoticeKind{said(cancellation.Line{What: cancellation.LineStill, Update: 1})}, state: cancellation.Reclaimed},
		"two moves are one":                {kinds: []cancellation.NoticeKind{moved(10, second, third), moved(9, first, second)}, state: cancellation.Filed, shows: third, tells: cancellation.NewsMoved, was: first},
		"there and back is none":           {kinds: []cancellation.NoticeKind{moved(1, first, second), moved(2, second, first)}, state: cancellation.Filed, shows: first},
		"a date that moved again is none":  {kinds: []cancellation.NoticeKind{moved(1, first, second)}, state: cancellation.Filed, shows: third},
		"staff who wrote twice wrote":      {kinds: []cancellation.NoticeKind{said(cancellation.Line{What: cancellation.LineStaff, Update: 1}), said(cancellation.Line{What: cancellation.LineStaff, Update: 2})}, state: cancellation.Filed, tells: cancellation.NewsStaff},
		"a stop that did not help":         {kinds: []cancellation.NoticeKind{said(cancellation.Line{What: cancellation.LineStands, Now: first})}, state: cancellation.Filed, tells: cancellation.NewsStands},
		"an alarm":                         {kinds: []cancellation.NoticeKind{cancellation.Alarm}, state: cancellation.Filing, tells: cancellation.NewsOverdue},
		"an alarm about a stuck one":       {kinds: []cancellation.NoticeKind{cancellation.Alarm}, state: cancellation.Stuck, tells: cancellation.NewsOverdue},
		"an alarm about one sent again":    {kinds: []cancellation.NoticeKind{cancellation.Alarm}, state: cancellation.Scheduled},
		"an alarm about one that waits":    {kinds: []cancellation.NoticeKind{cancellation.Alarm}, state: cancellation.Pending},
		"an alarm about what was filed":    {kinds: []cancellation.NoticeKind{cancellation.Alarm}, state: cancellation.Filed},
		"an alarm about what was rejected": {kinds: []cancellation.NoticeKind{cancellation.Alarm}, state: cancellation.Rejected},
		"an alarm about an owed result":    {kinds: []cancellation.NoticeKind{cancellation.Alarm}, state: cancellation.Filed, late: true, tells: cancellation.NewsOverdue},
		"a reminder of a date that is not": {kinds: []cancellation.NoticeKind{said(cancellation.Line{What: cancellation.LineEnds, Was: "2026-12-01", Now: second})}, state: cancellation.Filed, shows: first},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := cancellation.Request{ID: "r", State: c.state, Shows: c.shows}
			var waits time.Time
			if c.waits {
				waits = inDallas(t, "2026-11-24 10:00")
			}
			if c.stop {
				r.StopAsked = inDallas(t, "2026-11-24 10:00")
			}
			var all []cancellation.Gathered
			for _, kind := range c.kinds {
				_, gathers := kind.Gathers()
				require.True(t, gathers)
				all = append(all, cancellation.Gathered{Request: r, Kind: kind, Waits: waits, Late: c.late})
			}
			standing := cancellation.StillTrue(all, inDallas(t, "2026-11-25 10:00"))
			if c.tells == "" {
				assert.Empty(t, standing)
				return
			}
			require.Len(t, standing, 1, "each server is told once")
			n := standing[0].News()
			assert.Equal(t, c.tells, n.Kind)
			assert.Equal(t, c.was, n.Line().Was)
		})
	}
}
