//go:build linux

package crash

import (
	"context"
	"slices"
	"time"

	"cancel-server/internal/fakeslack"
)

// approve makes two leads approve everything that waits for them, wherever they see it, until
// ctx is over. Often both approve, and often twice.
func (w *world) approve(ctx context.Context) {
	pause(ctx, w.leads)
	clicks, decided := 0, map[string]time.Time{}
	for pause(ctx, 150*time.Millisecond) {
		for _, place := range append(w.conversations()[:3:3], w.cast.Approver, w.cast.User) {
			messages, err := w.slack.Messages(ctx, place, 0)
			if err != nil {
				continue // ctx is over
			}
			for _, m := range messages {
				for _, lead := range w.leadsOf(place) {
					w.decideOn(ctx, m, lead, decided)
				}
				if !asksForApproval(m) {
					continue
				}
				for _, lead := range []string{w.cast.Approver, w.cast.User}[:1+clicks%2] {
					clicks++
					w.clickApprove(ctx, m, lead)
				}
			}
		}
	}
}

// leadsOf are those who see what stands in a place: both, or whose direct messages these are.
func (w *world) leadsOf(place string) []string {
	leads := []string{w.cast.Approver, w.cast.User}
	if slices.Contains(leads, place) {
		return []string{place}
	}
	return leads
}

func (w *world) clickApprove(ctx context.Context, m fakeslack.Message, lead string) {
	ack, err := w.slack.Act(ctx, fakeslack.Action{
		User: lead, Message: &fakeslack.MessageRef{Channel: m.Channel, TS: m.TS}, BlockID: "request", ActionID: "approve",
	})
	if err != nil || ack.Error != "" { // the button went meanwhile, or nobody answered: they press again
		w.note("approving: %v %s", err, ack.Error)
	}
}

func asksForApproval(m fakeslack.Message) bool { return hasButton(m, "approve") }
