//go:build linux

package crash

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"cancel-server/internal/fakeslack"
)

// pointOf is a replica's nth boundary, "" where it has none.
func (w *world) pointOf(replica, nth int) string {
	if w.wire.calm.Load() || nth >= len(w.points) || w.pointed >= 0 && w.pointed != replica {
		return ""
	}
	return w.points[nth]
}

// strike deals the blows that are set for a time.
func (w *world) strike(ctx context.Context) {
	if f := w.schedule.failover; f != nil && f.onCall == "" {
		w.running.Go(func() {
			if pause(ctx, f.at) {
				w.failOver()
			}
		})
	}
	for _, b := range w.blows {
		if b.onCall != "" {
			continue
		}
		w.running.Go(func() {
			if pause(ctx, b.at) && !w.wire.calm.Load() {
				w.deal(w.replicas[b.replica%len(w.replicas)], b)
			}
		})
	}
}

// strikeOn deals the blows that wait for a call. It strikes every process, because one of them
// made the call.
func (w *world) strikeOn(method string, n int) {
	if f := w.schedule.failover; f != nil && f.onCall == method && f.nth == n {
		w.running.Go(w.failOver)
	}
	for _, b := range w.blows {
		if b.onCall != method || b.nth != n {
			continue
		}
		for _, r := range w.replicas {
			w.deal(r, b)
		}
	}
}

// failOver makes PostgreSQL fail over, once.
func (w *world) failOver() {
	w.once.Do(func() {
		w.note("PostgreSQL fails over: %s", w.schedule.failover.old)
		from := time.Now()
		w.db.pair.failOver(w.schedule.failover.old)
		w.dealt(dealt{from: from, until: time.Now(), what: "failed over", where: string(w.schedule.failover.old)})
		w.note("the standby is the primary")
	})
}

func (w *world) deal(r *replica, b blow) {
	where := b.onCall
	if b.stop > 0 {
		r.stop(where, b.stop, false)
		return
	}
	r.kill(where)
}

// oneDied causes what the schedule wants while a process is down for the first time.
func (w *world) oneDied() {
	w.mu.Lock()
	what := w.onDeath
	w.onDeath = nothing
	w.mu.Unlock()
	w.happen(what, w.servers[0])
}

// meanwhile causes the upsets at their times.
func (w *world) meanwhile(ctx context.Context) {
	for _, u := range w.upsets {
		w.running.Go(func() {
			if pause(ctx, u.at) {
				w.happen(u.what, w.servers[u.server])
			}
		})
	}
}

// happen makes other people do something to a server.
func (w *world) happen(what upset, server int64) {
	if what == nothing {
		return
	}
	w.note("%s: %s", what, w.names[server])
	w.could(string(what), w.upsetting(what, server))
}

func (w *world) upsetting(what upset, server int64) error {
	switch what {
	case answerTicket, askCustomer:
		_, err := w.staffDo(server, "answer", w.staffWrite(), what == askCustomer)
		return err
	case closeWithWords:
		_, err := w.staffDo(server, "close", w.staffWrite(), false)
		return err
	case reopenTicket:
		return w.closeAndReopen(server)
	case endServer:
		return w.approveAndEnd(server)
	case closeTickets:
		return w.changeTicketsOf(server, map[string]any{"close": true})
	case closeAndBlock:
		return w.changeTicketsOf(server, map[string]any{"close": true, "blocks": true})
	case approveTickets:
		return w.changeTicketsOf(server, map[string]any{"approve": true})
	case openForeign:
		w.openForeign(server)
	case changeAddress:
		return w.steer(http.MethodPost, "/server", map[string]any{"id": server, "patch": map[string]any{"primaryIpAddress": "198.51.100.7"}}, nil)
	case removeServer:
		return w.remove(server, true)
	case blinkServer:
		w.later(blink, "bringing a server back", func() error { return w.remove(server, false) })
		return w.remove(server, true)
	case hideServer:
		return w.hideForAWhile(server)
	case hideTicket:
		return w.hideTicketsForAWhile(server)
	case hideBilling:
		return w.revokeForAWhile("ACCOUNT_SUMMARY_VIEW")
	case hideTickets:
		return w.revokeForAWhile("TICKET_VIEW")
	case hideForeign:
		return w.revokeForAWhile("TICKET_VIEW_ALL")
	case everybodyLeaves:
		return w.steerSlack("/group", map[string]any{"id": w.cast.RequestGroup, "remove": w.people})
	case cutDatabase:
		err := w.db.cut(context.Background())
		if w.db.pair != nil { // while it fails over there is nobody to ask
			return nil
		}
		return err
	case cutSockets:
		return w.slack.Socket(fakeslack.SocketDisconnect)
	case deafenSockets:
		return w.slack.Socket(fakeslack.SocketDeaf)
	case renewSockets:
		return w.slack.Socket(fakeslack.SocketRefresh)
	default:
		return fmt.Errorf("nobody knows how")
	}
	return nil
}

// revokeForAWhile takes a right from the key, and gives it back a second later.
func (w *world) revokeForAWhile(right string) error {
	w.later(time.Second, "granting "+right, func() error {
		return w.steer(http.MethodPost, "/key", map[string]any{"grant": []string{right}}, nil)
	})
	return w.steer(http.MethodPost, "/key", map[string]any{"revoke": []string{right}}, nil)
}

// changeTicketsOf makes staff change every open ticket of a server.
func (w *world) changeTicketsOf(server int64, change map[string]any) error {
	for _, t := range w.tickets() {
		if t.server != server || !t.open {
			continue
		}
		change["id"] = t.id
		if err := w.alter(func() error { return w.steer(http.MethodPost, "/ticket", change, nil) }); err != nil {
			return err
		}
	}
	return nil
}

// openForeign opens somebody else's ticket, unless one is open already.
func (w *world) openForeign(server int64) {
	err := w.steer(http.MethodPost, "/ticket", map[string]any{"server": server, "open": true, "entry": "Opened in the console by somebody else."}, nil)
	if err != nil {
		w.note("opening a foreign ticket: %v", err) // one stands
	}
}
