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

// cutoff is the next cut-off: that of the following bill date once that of the next
// one has passed.
func (a *Account) cutoff() time.Time { return a.cutoffOf(a.cancellationDate()) }

// roll does what is due by now.
func (a *Account) roll() {
	if a.wake.IsZero() {
		a.plan()
	}
	if a.now().Before(a.wake) {
		return
	}
	for _, id := range a.serverIDs {
		a.reclaim(a.servers[id])
	}
	a.rollBills()
	a.plan()
}

// plan sets when something is due next.
func (a *Account) plan() {
	a.wake = a.nextBill()
	for _, id := range a.serverIDs {
		if next := a.nextStep(a.servers[id]); !next.IsZero() && next.Before(a.wake) {
			a.wake = next
		}
	}
}

// wakeBy has something be due at a moment at the latest.
func (a *Account) wakeBy(at time.Time) {
	if at.Before(a.wake) {
		a.wake = at
	}
}

// rollBills moves bill dates that have passed to the next month.
func (a *Account) rollBills() {
	passed := a.nextBill()
	if a.now().Before(passed) {
		return
	}
	for !a.now().Before(a.nextBill()) {
		a.billed++
	}
	for _, id := range a.serverIDs {
		billing, ok := a.servers[id].tree["billingItem"].(tree)
		if ok && a.servers[id].stage == running && billing["nextBillDate"] == date(passed) {
			billing["lastBillDate"], billing["nextBillDate"] = date(a.bill(a.billed-1)), date(a.nextBill())
		}
	}
}

// moment reads a date that SoftLayer wrote.
func moment(when any) (time.Time, bool) {
	text, _ := when.(string)
	at, err := time.Parse(time.RFC3339, text)
	return at, err == nil
}

// stage is how far the end of a server has come. A server's billing item ends at its
// cancellation date; the server is then "Pending reclaim: in a hold state in preparation of the
// reclaim process", then "Reclaiming", then gone.
// https://cloud.ibm.com/docs/bare-metal?topic=bare-metal-understanding-server-status
type stage int

const (
	running stage = iota
	pendingReclaim
	reclaiming
	gone
)

// stepsOf are the moments at which a server comes to each stage after running, nil if it does not end.
func (a *Account) stepsOf(s *server) []time.Time {
	ends := s.ends
	if s.stage == running {
		billing, _ := s.tree["billingItem"].(tree)
		var ok bool
		if ends, ok = moment(billing["cancellationDate"]); !ok {
			return nil
		}
	}
	hold := ends.Add(max(0, a.options.HoldTime))
	return []time.Time{ends, hold, hold.Add(max(0, a.options.ReclaimTime))}
}

// nextStep is when a server comes to its next stage; zero if it does not.
func (a *Account) nextStep(s *server) time.Time {
	steps := a.stepsOf(s)
	if s.stage == gone || steps == nil || s.removed {
		return time.Time{}
	}
	return steps[s.stage]
}

// reclaim takes a server through the stages that have come.
func (a *Account) reclaim(s *server) {
	for next := a.nextStep(s); !next.IsZero() && !a.now().Before(next); next = a.nextStep(s) {
		s.stage++
		switch s.stage {
		case pendingReclaim:
			s.ends = next
			a.endBilling(s)
			s.enters("Pending reclaim", next)
		case reclaiming:
			s.enters("Reclaiming", next)
		case gone:
			s.removed = true
			a.complete(s, next)
		}
	}
}

// endBilling ends a server's billing item and what is cancelled with it. A server whose billing
// item ended has none: "Cannot locate billing for the server. The server may already be
// cancelled."
// https://github.com/softlayer/softlayer-python/blob/master/SoftLayer/managers/hardware.py
func (a *Account) endBilling(s *server) {
	billing := s.tree["billingItem"].(tree)
	billing["pendingCancellationFlag"] = false
	s.ended = billing
	if !a.options.Unproven.EndedItemsStay {
		delete(s.tree, "billingItem")
	}
	for _, t := range s.tickets {
		if t.request()["statusId"] != requestApproved.id {
			continue
		}
		for _, item := range itemsOf(t.request()) {
			item["billingItem"].(tree)["pendingCancellationFlag"] = false
		}
	}
}

// enters shows a state in which a server is kept by a transaction. The names are those that the
// console shows; those of the API are unproven.
func (s *server) enters(state string, at time.Time) {
	id := 100 + int64(s.stage)
	s.tree["hardwareStatusId"], s.tree["hardwareStatus"] = id, tree{"id": id, "status": state}
	s.tree["activeTransaction"] = tree{
		"id": number(s.tree["id"]) + 6, "createDate": date(at), "modifyDate": date(at), "statusChangeDate": date(at),
		"transactionStatus": tree{"name": "RECLAIM", "friendlyName": state},
		"transactionGroup":  tree{"name": "Server Reclaim"},
	}
}

// complete ends the cancellation of a server that is gone: "It will be updated to Complete when
// all services are reclaimed", and stays Approved "when the reclaim is yet to complete"
// (https://github.com/softlayer/githubio_source/blob/master/content/release_notes/2022/20220909.md,
// about subnets). That its ticket is closed then, with a word of SoftLayer's
// systems, is unproven.
// https://sldn.softlayer.com/reference/datatypes/SoftLayer_Billing_Item_Cancellation_Request/
func (a *Account) complete(s *server, at time.Time) {
	for _, t := range s.tickets {
		if t.request()["statusId"] != requestApproved.id {
			continue
		}
		for _, item := range itemsOf(t.request()) {
			item["serviceReclaimStatusCode"] = "COMPLETED"
		}
		a.setRequest(t.request(), requestComplete)
		t.request()["modifyDate"] = date(at)
		if !t.closed.IsZero() {
			continue
		}
		_, full := a.addUpdates(t, "The server has been reclaimed.", editor{kind: bySystem}, date(at))
		if err := a.close(t, bySystem); err == nil && full == nil {
			t.closed = at
			t.edited(bySystem, date(at))
		}
	}
}
