//go:build linux

package crash

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// fate is what SoftLayer's records say has become of a server, or of the cancellation that a ticket
// asks for.
type fate string

const (
	stands fate = ""     // the server is there; the ticket is open, or what it asked for is scheduled
	isGone fate = "gone" // of a server: it is gone, or its billing item has ended
	isVoid fate = "void" // of a ticket: it is closed, and no cancellation of its server stands
)

// turn is a change of fate, made between two moments. of names the server or the ticket.
type turn struct {
	of          string
	from, until time.Time
	now         fate
}

func ofServer(id int64) string { return "server " + strconv.FormatInt(id, 10) }

func ofTicket(id int64) string { return "ticket " + strconv.FormatInt(id, 10) }

// alter changes SoftLayer's records, and records the fates that change by it. One change is made at
// a time.
func (w *world) alter(change func() error) error {
	w.altering.Lock()
	defer w.altering.Unlock()
	from := time.Now()
	err := change()
	w.account.Advance(0) // what is due by now happens now
	until := time.Now()
	for of, now := range w.fates() {
		if w.known[of] == now {
			continue
		}
		w.known[of] = now
		w.note("%s: %q", of, now)
		w.tally(func(e *evidence) { e.turns = append(e.turns, turn{of, from, until, now}) })
	}
	return err
}

// fates reads what has become of each server of the world, and of each cancellation ticket.
func (w *world) fates() map[string]fate {
	var servers []struct {
		ID          int64
		BillingItem *struct {
			Pending any `json:"pendingCancellationFlag"`
			Date    any `json:"cancellationDate"`
		}
	}
	w.could("reading SoftLayer's servers", w.steer(http.MethodGet, "/servers", nil, &servers))
	found, scheduled := map[string]fate{}, map[int64]bool{}
	for _, id := range w.servers {
		found[ofServer(id)] = isGone
	}
	for _, s := range servers {
		if s.BillingItem == nil || !slices.Contains(w.servers, s.ID) {
			continue
		}
		found[ofServer(s.ID)] = stands
		scheduled[s.ID] = s.BillingItem.Pending == true || s.BillingItem.Date != nil
	}
	for _, k := range w.tickets() {
		if found[ofTicket(k.id)] = stands; !k.open && k.voided && !scheduled[k.server] {
			found[ofTicket(k.id)] = isVoid
		}
	}
	return found
}

// staffsWord stands in everything that SoftLayer's staff write, and nowhere else.
const staffsWord = "STAFFSAY"

// staffWrite returns a text of staff, which no channel may show.
func (w *world) staffWrite() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers++
	return fmt.Sprintf("%s-%d: your contract runs until May. Call +1 555 0100, or write to <!channel> about db-001.", staffsWord, w.answers)
}

// staffDo has staff do something to the open ticket of a server, and returns its id; 0 if there is none.
func (w *world) staffDo(server int64, do, text string, waits bool) (id int64, err error) {
	err = w.alter(func() error {
		id = openTicket(w.tickets(), server)
		if id == 0 {
			return nil
		}
		return w.staffOrder(id, do, text, waits)
	})
	return id, err
}

func (w *world) staffOrder(ticket int64, do, text string, waits bool) error {
	order := map[string]any{"ticket": ticket, "do": do, "text": text, "waits_for_customer": waits}
	return w.steer(http.MethodPost, "/staff", order, nil)
}

// openTicket returns the open cancellation ticket of a server; 0 if there is none.
func openTicket(tickets []ticket, server int64) int64 {
	for _, t := range tickets {
		if t.server == server && t.open {
			return t.id
		}
	}
	return 0
}

// blink is how long something is odd that must end nothing: shorter than the time between two reads.
const blink = sightingGap / 2

// closeAndReopen has staff close a ticket, and open it again before it can be read twice, unless
// the server has another one by then.
func (w *world) closeAndReopen(server int64) error {
	closed, err := w.staffDo(server, "close", w.staffWrite(), false)
	if err != nil || closed == 0 {
		return err
	}
	pause(context.Background(), blink)
	return w.alter(func() error {
		if openTicket(w.tickets(), server) != 0 {
			return nil
		}
		return w.staffOrder(closed, "reopen", "", false)
	})
}

// remove lets a server be gone, or brings it back.
func (w *world) remove(server int64, gone bool) error {
	return w.alter(func() error {
		return w.steer(http.MethodPost, "/server", map[string]any{"id": server, "remove": gone}, nil)
	})
}

// approveAndEnd has staff approve a server's cancellation, and lets its bill date pass.
func (w *world) approveAndEnd(server int64) error {
	if _, err := w.staffDo(server, "approve", "", false); err != nil {
		return err
	}
	return w.alter(func() error {
		w.account.Advance(40 * 24 * time.Hour)
		return nil
	})
}

// hideForAWhile takes the key's right to all hardware, and hides a server from it.
func (w *world) hideForAWhile(server int64) error {
	w.later(3*sightingGap, "showing a server again", func() error {
		return w.steer(http.MethodPost, "/key", map[string]any{"hide_servers": []int64{}, "grant": []string{"ACCESS_ALL_HARDWARE"}}, nil)
	})
	return w.steer(http.MethodPost, "/key", map[string]any{"hide_servers": []int64{server}}, nil)
}

// hideTicketsForAWhile hides a server's tickets from the key.
func (w *world) hideTicketsForAWhile(server int64) error {
	for _, t := range w.tickets() {
		if t.server != server {
			continue
		}
		hide := func(is bool) error {
			return w.steer(http.MethodPost, "/ticket", map[string]any{"id": t.id, "hide": is}, nil)
		}
		w.later(3*sightingGap, "showing a ticket again", func() error { return hide(false) })
		if err := hide(true); err != nil {
			return err
		}
	}
	return nil
}

// later does something after a while, whatever happens to the schedule.
func (w *world) later(after time.Duration, doing string, do func() error) {
	w.running.Go(func() {
		pause(context.Background(), after)
		w.could(doing, do())
	})
}

// fateOf is the fate of a server or a ticket as it was after the last change.
func (w *world) fateOf(of string) fate {
	w.altering.Lock()
	defer w.altering.Unlock()
	return w.known[of]
}

// behind says what the followers have not recorded yet of the requests that are filed.
func behind(rows []row, tickets []ticket, now func(of string) fate) []string {
	var found []string
	for _, r := range rows {
		if r.state != "filed" {
			continue
		}
		if now(ofServer(r.server)) == isGone {
			found = append(found, fmt.Sprintf("request %s is filed, and its server %d is gone", r.ref, r.server))
		}
		others := false
		for _, k := range tickets {
			others = others || k.server == r.server && k.id != r.ticket && k.open
		}
		if now(ofTicket(r.ticket)) == isVoid && !others {
			found = append(found, fmt.Sprintf("request %s is filed, and its ticket %d was closed with no cancellation", r.ref, r.ticket))
		}
		for _, k := range tickets {
			told := r.owes(fmt.Sprintf("said:staff|%d||", k.staff)) || r.owes(fmt.Sprintf("said:waits|%d||", k.staff)) ||
				r.private() && r.hears(fmt.Sprintf("staff %d", k.staff), fmt.Sprintf("waits %d", k.staff))
			if k.id == r.ticket && k.staff != 0 && !told {
				found = append(found, fmt.Sprintf("request %s: nobody is told of staff's update %d", r.ref, k.staff))
			}
		}
	}
	return found
}
