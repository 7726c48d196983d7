package fakesoftlayer

import (
	"time"
	_ "time/tzdata" // the dates are the same on a machine that knows no time zones
)

// dallas is where SoftLayer's days begin and end: bill dates and cut-offs are
// midnights there.
var dallas = mustLoad("America/Chicago")

// written is the offset in which SoftLayer writes every moment, in summer too: a
// bill date is "2016-02-04T00:00:00-06:00" and "2022-05-03T23:00:00-06:00", which
// are both midnights in Dallas.
// https://github.com/softlayer/softlayer-cli/blob/master/plugin/testfixtures/SoftLayer_Account/getAllTopLevelBillingItems.json
var written = time.FixedZone("", -6*60*60)

func mustLoad(name string) *time.Location {
	zone, err := time.LoadLocation(name)
	if err != nil {
		panic("loading a time zone that is built in: " + err.Error())
	}
	return zone
}

// date writes a moment as SoftLayer does.
func date(t time.Time) string { return t.In(written).Format(time.RFC3339) }

// firstBill is the bill date that comes first after now: midnight in days, or the
// 1st of the next month if days is not positive.
func firstBill(now time.Time, days int) time.Time {
	today := now.In(dallas)
	if days > 0 {
		return time.Date(today.Year(), today.Month(), today.Day()+days, 0, 0, 0, 0, dallas)
	}
	return time.Date(today.Year(), today.Month()+1, 1, 0, 0, 0, 0, dallas)
}

// monthsAfter is the same day of a later month, or the last day of a month that has
// no such day.
func monthsAfter(t time.Time, months int) time.Time {
	first := time.Date(t.Year(), t.Month()+time.Month(months), 1, 0, 0, 0, 0, dallas)
	return first.AddDate(0, 0, min(t.Day(), first.AddDate(0, 1, -1).Day())-1)
}

// bill is the nth bill date of the account: the 0th is the first that the account
// had ahead of it when it was made.
func (a *Account) bill(n int) time.Time { return monthsAfter(a.firstBill, n) }

// nextBill is the bill date that comes next.
func (a *Account) nextBill() time.Time { return a.bill(a.billed) }

// cancellationDate is when a cancellation asked for now takes effect: the next bill
// date, or the one after once the cut-off has passed.
func (a *Account) cancellationDate() time.Time {
	if a.now().After(a.cutoffOf(a.nextBill())) {
		return a.bill(a.billed + 1)
	}
	return a.nextBill()
}

// cutoffOf is until when a cancellation must be in for that bill date.
func (a *Account) cutoffOf(bill time.Time) time.Time {
	return bill.AddDate(0, 0, -a.options.CutoffDays)
}

// cutoff returns the next cut-off. Once the cut-off of the next bill date has passed,
// that is the one of the bill date after it.
func (a *Account) cutoff() time.Time { return a.cutoffOf(a.cancellationDate()) }

// roll moves bill dates that have passed to the next month, and removes the servers
// whose cancellation date has come.
func (a *Account) roll() {
	if a.now().Before(a.nextBill()) {
		return
	}
	passed := a.nextBill()
	for !a.now().Before(a.nextBill()) {
		a.billed++
	}
	for _, id := range a.serverIDs {
		s := a.servers[id]
		billing, ok := s.tree["billingItem"].(tree)
		if !ok {
			continue
		}
		if due(billing["cancellationDate"], a.now()) {
			s.removed = true
		}
		if billing["nextBillDate"] == date(passed) {
			billing["lastBillDate"], billing["nextBillDate"] = date(a.bill(a.billed-1)), date(a.nextBill())
		}
	}
}

func due(when any, now time.Time) bool {
	text, _ := when.(string)
	at, err := time.Parse(time.RFC3339, text)
	return err == nil && !now.Before(at)
}
