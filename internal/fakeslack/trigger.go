package fakeslack

import (
	"fmt"
	"time"
)

// triggerLife is how long a trigger_id opens a view, once.
// https://docs.slack.dev/interactivity/handling-user-interaction#modal_responses
const triggerLife = 3 * time.Second

type trigger struct {
	user   string
	view   string // the view that the person was in, or ""
	issued time.Time
	used   bool
}

// newTrigger makes a trigger_id; the lock is held.
func (w *Workspace) newTrigger(user, view string) string {
	id := fmt.Sprintf("%d.%d.%s", 1e12+w.random.Int64N(9e12), 1e10+w.random.Int64N(9e10), letters(w.random, 32))
	w.triggers.put(id, &trigger{user: user, view: view, issued: w.now()})
	return id
}

// useTrigger spends a trigger_id, whatever comes of the call; the lock is held.
func (w *Workspace) useTrigger(id string) (*trigger, *apiError) {
	const source = "https://docs.slack.dev/reference/methods/views.open#errors"
	t := w.triggers.get(id)
	switch {
	case t == nil:
		return nil, fail("invalid_trigger_id").broke("a trigger_id is one that Slack gave", source)
	case t.used:
		return nil, fail("exchanged_trigger_id").broke("a trigger_id is used once", source)
	case w.now().Sub(t.issued) > max(triggerLife, w.opts.AckTimeout):
		return nil, fail("expired_trigger_id").broke("a trigger_id is used within 3 seconds", source)
	}
	t.used = true
	return t, nil
}
