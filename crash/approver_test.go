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
	clicks := 0
	for pause(ctx, 150*time.Millisecond) {
		for _, place := range append(w.conversations()[:3:3], w.cast.Approver, w.cast.User) {
			messages, err := w.slack.Messages(ctx, place, 0)
			if err != nil {
				continue // ctx is over
			}
			for _, m := range messages {
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

func (w *world) clickApprove(ctx context.Context, m fakeslack.Message, lead string) {
	ack, err := w.slack.Act(ctx, fakeslack.Action{
		User: lead, Message: &fakeslack.MessageRef{Channel: m.Channel, TS: m.TS}, BlockID: "request", ActionID: "approve",
	})
	if err != nil || ack.Error != "" { // the button went meanwhile, or nobody answered: they press again
		w.note("approving: %v %s", err, ack.Error)
	}
}

func asksForApproval(m fakeslack.Message) bool {
	return slices.ContainsFunc(m.Blocks, func(b any) bool {
		block, _ := b.(map[string]any)
		elements, _ := block["elements"].([]any)
		return slices.ContainsFunc(elements, func(e any) bool {
			element, _ := e.(map[string]any)
			return element["action_id"] == "approve"
		})
	})
}
