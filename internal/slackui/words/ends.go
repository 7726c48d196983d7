package words

import (
	"time"

	"cancel-server/internal/cancellation"
)

// goneOn is the date on which a server goes, behind "due to end on" or "until": with what that
// depends on before it is filed, and both dates where nobody can tell. It is empty where
// the bill date is not visible.
func goneOn(e cancellation.End) line {
	switch {
	case e.Date.IsZero():
		return nil
	case !e.Cutoff.IsZero():
		return line{
			bold(day(e.Date)), plain(inZone(e.Date) + " if filed by "), bold(minute(e.Cutoff)), plain(inZone(e.Cutoff) + ", else on "), bold(day(e.Or)),
		}
	case !e.Or.IsZero():
		return line{bold(day(e.Date)), plain(" or "), bold(day(e.Or)), plain(inZone(e.Or) + ", depending on SoftLayer's cut-off")}
	}
	return line{bold(day(e.Date)), plain(inZone(e.Date))}
}

// goneLine is goneOn as a sentence; nothing where no date is known.
func goneLine(e cancellation.End) []line {
	if e.Date.IsZero() {
		return nil
	}
	return []line{append(append(line{plain("The server is due to end on ")}, goneOn(e)...), plain("."))}
}

// day is a date in SoftLayer's own offset, whatever the reader's offset is.
func day(at time.Time) string { return at.Format("Mon 2 Jan 2006") }

// minute is a moment of SoftLayer's: a cut-off at 00:00 is over when its day begins.
func minute(at time.Time) string { return at.Format("Mon 2 Jan 2006, 15:04") }

func inZone(at time.Time) string { return " (" + zoneOf(at) + ")" }

// zoneOf names the offset of a date as SoftLayer gave it. SoftLayer gives Dallas time, five or
// six hours behind UTC.
func zoneOf(at time.Time) string {
	switch _, offset := at.Zone(); offset {
	case -5 * 3600, -6 * 3600:
		return "US Central"
	case 0:
		return "UTC"
	}
	return at.Format("UTC-07:00")
}
