package fakeslack

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Submission is a press on a view's submit button. It is the hand of a hostile
// client: required fields, lengths and offered options are not enforced here.
type Submission struct {
	User   string `json:"user"`
	View   string `json:"view"`
	Values Values `json:"values"` // only what was touched
}

// View is a view that a person has open.
type View struct {
	ID   string          `json:"id"`
	Hash string          `json:"hash"`
	View json.RawMessage `json:"view"` // as payloads show it, with state.values
}

// Views returns the views that a person has open, the top one last. After a command or a shortcut of
// theirs that was acknowledged with nothing it waits until the bot opens a form or writes to them,
// or the trigger expires.
func (w *Workspace) Views(user string) ([]View, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.awaitAnswer(w.expected, user)
	if w.findUser(user) == nil {
		return nil, unknownID("user", user)
	}
	open := []View{}
	for _, m := range w.modals {
		if m.user == user {
			open = append(open, View{ID: m.id, Hash: m.hash, View: w.viewObject(m)})
		}
	}
	return open, nil
}

// awaitAnswer waits until nothing more is expected for a person. The lock is held, but not while it
// waits.
func (w *Workspace) awaitAnswer(expected map[string]time.Time, user string) {
	w.awaitWhile(context.Background(), max(0, expected[user].Sub(w.now())), func() bool { return expected[user].After(w.now()) })
}

// awaitWhile waits as long as something holds, for this real time at most. The lock is held, but not
// while it waits.
func (w *Workspace) awaitWhile(ctx context.Context, most time.Duration, holds func() bool) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	for holds() {
		changed := w.changed
		w.mu.Unlock()
		over := false
		select {
		case <-changed:
		case <-ctx.Done():
			over = true
		case <-w.done:
			over = true
		}
		w.mu.Lock()
		if over {
			return
		}
	}
}

// Submit delivers a view_submission and does what the bot answers: nothing closes
// the view, a response_action shows errors, updates, pushes or clears.
// https://docs.slack.dev/surfaces/modals#response_actions
func (w *Workspace) Submit(ctx context.Context, s Submission) (Ack, error) {
	w.mu.Lock()
	m, u, err := w.openModal(s.User, s.View)
	if err == nil {
		err = m.touchState(s.Values)
	}
	if err != nil {
		w.mu.Unlock()
		return Ack{}, fmt.Errorf("submitting: %w", err)
	}
	payload := w.interaction(methodSubmission, u)
	payload["trigger_id"] = w.newTrigger(u.ID, m.id)
	payload["view"] = w.viewObject(m)
	payload["response_urls"] = []response{}
	w.mu.Unlock()
	d := newInteraction(methodSubmission, payload, func(body []byte) *apiError { return w.respond(s.View, body) })
	return w.deliver(ctx, d), nil
}

func (w *Workspace) openView(user, view string) (*modal, *user, error) {
	u := w.findUser(user)
	if u == nil {
		return nil, nil, unknownID("user", user)
	}
	m, err := w.viewOf(user, view)
	return m, u, err
}

// openModal is openView for what only a modal has.
func (w *Workspace) openModal(user, view string) (*modal, *user, error) {
	m, u, err := w.openView(user, view)
	if err == nil && m.isHome() {
		err = fmt.Errorf("view %s is a Home tab, which is neither submitted nor closed", view)
	}
	return m, u, err
}

const modalSource = "https://docs.slack.dev/surfaces/modals#response_actions"

// respond does what the answer to a submission says; the lock is held.
func (w *Workspace) respond(view string, body []byte) *apiError {
	m := w.findModal(view)
	var said struct {
		Action string            `json:"response_action"`
		Errors map[string]string `json:"errors"`
		View   map[string]any    `json:"view"`
	}
	if len(body) > 0 && json.Unmarshal(body, &said) != nil {
		return fail(errTrouble).broke("a submission is answered with nothing or a response_action", modalSource)
	}
	switch {
	case m == nil:
		return nil // closed meanwhile
	case len(body) == 0:
		w.closeView(m)
		return nil
	case said.Action == "clear":
		w.closeStack(m.root)
		return nil
	case said.Action == "errors":
		return m.checkErrors(said.Errors)
	case said.Action == "update", said.Action == "push":
		return w.respondWithView(m, said.Action, said.View)
	}
	return fail(errTrouble).broke(fmt.Sprintf("response_action is errors, update, push or clear, not %q", said.Action), modalSource)
}

// checkErrors holds that errors stand at input blocks.
func (m *modal) checkErrors(errors map[string]string) *apiError {
	if len(errors) == 0 {
		return fail(errTrouble).broke("response_action errors names at least one block", modalSource)
	}
	found, _ := m.view["blocks"].([]any)
	for id := range errors {
		if !slices.ContainsFunc(found, func(b any) bool {
			block, _ := b.(map[string]any)
			return block["block_id"] == id && block["type"] == "input"
		}) {
			return fail(errTrouble).broke(fmt.Sprintf("errors are keyed by the block_id of an input block: %q is none", id), modalSource)
		}
	}
	return nil
}

func (w *Workspace) respondWithView(m *modal, action string, view map[string]any) *apiError {
	if problems := checkView("/view", view, kindModal); len(problems) > 0 {
		return fail(errTrouble).because(problems...)
	}
	if len(encode(view)) > maxViewSize {
		return fail(errTrouble).broke("a view has at most 250 kB", modalSource)
	}
	if action == "update" {
		return w.change(m, view)
	}
	_, err := w.show(view, m.user, m)
	return err
}

// CloseView closes a view, as its close button does; one with notify_on_close is
// reported by view_closed. Without it the Ack is empty with status 200.
// https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload#view_closed
func (w *Workspace) CloseView(ctx context.Context, user, view string) (Ack, error) {
	w.mu.Lock()
	m, u, err := w.openModal(user, view)
	if err != nil {
		w.mu.Unlock()
		return Ack{}, fmt.Errorf("closing: %w", err)
	}
	if w.top(m.root) != m {
		w.mu.Unlock()
		return Ack{}, fmt.Errorf("closing: view %s is not the top one of its stack", view)
	}
	payload := w.interaction(methodClosed, u)
	payload["view"], payload["is_cleared"] = w.viewObject(m), m.view["clear_on_close"] == true
	notify := m.view["notify_on_close"] == true
	if m.view["clear_on_close"] == true {
		w.closeStack(m.root)
	} else {
		w.closeView(m)
	}
	w.mu.Unlock()
	if !notify {
		return Ack{Status: 200, Body: bodyJSON(nil)}, nil
	}
	return w.deliver(ctx, newInteraction(methodClosed, payload, func([]byte) *apiError { return nil })), nil
}
