// Package workday says when people work: Monday to Friday, 09:00 to 18:00 where they live. It knows no
// holidays. Every function is of its arguments alone.
package workday

import (
	"time"
	_ "time/tzdata" // a person's day is the same on a machine that knows no time zones
)

// A working day lasts from Begins to Ends, by the clock of the person's zone.
const (
	Begins = 9
	Ends   = 18
)

// Zone returns the time zone of that name in the IANA database; UTC if there is none.
func Zone(name string) *time.Location {
	if name == "Local" { // the host's, which says nothing of a person
		return time.UTC
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	return zone
}

// NextWorkingTime returns t if it is in a working day, else when the next one begins. A day's end is no
// longer in it.
func NextWorkingTime(t time.Time, zone *time.Location) time.Time {
	t = t.In(zone)
	switch {
	case free(t), t.Hour() >= Ends:
		return step(t, 1, Begins, 0, 0, 0)
	case t.Hour() < Begins:
		return at(t, Begins, 0, 0, 0)
	}
	return t
}

// AddWorkingDays returns the time n working days after t, at the same time of day. A t outside a working
// day counts as the next one's begin. For a negative n it returns the time so many working days
// before t, and a t outside a working day counts as the end of the one before.
func AddWorkingDays(t time.Time, n int, zone *time.Location) time.Time {
	if n < 0 {
		t = lastWorkingTime(t, zone)
	} else {
		t = NextWorkingTime(t, zone)
	}
	hour, minute, second := t.Clock()
	for ; n > 0; n-- {
		t = step(t, 1, hour, minute, second, t.Nanosecond())
	}
	for ; n < 0; n++ {
		t = step(t, -1, hour, minute, second, t.Nanosecond())
	}
	return t
}

// lastWorkingTime returns t if it is in a working day, else when the last one ended.
func lastWorkingTime(t time.Time, zone *time.Location) time.Time {
	t = t.In(zone)
	switch {
	case free(t), t.Hour() < Begins:
		return step(t, -1, Ends, 0, 0, 0)
	case t.Hour() >= Ends:
		return at(t, Ends, 0, 0, 0)
	}
	return t
}

// step returns that time of day on the next weekday, or on the one before if days is -1.
func step(t time.Time, days, hour, minute, second, nanosecond int) time.Time {
	noon := at(t, 12, 0, 0, 0)
	for {
		if noon = noon.AddDate(0, 0, days); !free(noon) {
			return at(noon, hour, minute, second, nanosecond)
		}
	}
}

func at(t time.Time, hour, minute, second, nanosecond int) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), hour, minute, second, nanosecond, t.Location())
}

func free(t time.Time) bool { return t.Weekday() == time.Saturday || t.Weekday() == time.Sunday }
