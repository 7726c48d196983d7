package report

import (
	"fmt"
	"time"
)

// Month is a calendar month in UTC.
type Month struct{ number int } // since the year 0

// MonthOf returns the month in which a moment lies.
func MonthOf(at time.Time) Month {
	at = at.UTC()
	return Month{at.Year()*12 + int(at.Month()) - 1}
}

// MonthNumbered returns the month that has this [Month.Number].
func MonthNumbered(number int64) Month { return Month{int(number)} }

// ParseMonth reads a month such as 2026-11.
func ParseMonth(text string) (Month, error) {
	at, err := time.Parse("2006-01", text)
	if err != nil {
		return Month{}, fmt.Errorf("%q is not a month such as 2026-11", text)
	}
	return MonthOf(at), nil
}

// Number counts months: that of the next month is one more.
func (m Month) Number() int64 { return int64(m.number) }

// Before returns the month before.
func (m Month) Before() Month { return Month{m.number - 1} }

// Begins returns the first moment of the month.
func (m Month) Begins() time.Time {
	return time.Date(m.number/12, time.Month(m.number%12+1), 1, 0, 0, 0, 0, time.UTC)
}

// Ends returns the first moment after the month.
func (m Month) Ends() time.Time { return Month{m.number + 1}.Begins() }

// YearBegins returns the first moment of the month's year.
func (m Month) YearBegins() time.Time { return Month{m.number / 12 * 12}.Begins() }

// String returns the month as 2026-11.
func (m Month) String() string { return m.Begins().Format("2006-01") }
