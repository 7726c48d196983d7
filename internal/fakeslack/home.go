package fakeslack

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// The tabs of an app's space that app_home_opened tells apart.
const (
	tabHome     = "home"
	tabMessages = "messages"
)

const publishSource = "https://docs.slack.dev/reference/methods/views.publish#errors"

// viewsPublish is https://docs.slack.dev/reference/methods/views.publish. It needs no
// trigger_id and no scope. The page's example of a refusal is that of a user_id.
func (w *Workspace) viewsPublish(c call) (response, *apiError) {
	view, err := w.readView(c, kindHome)
	if err != nil {
		return nil, err
	}
	if !w.opts.Manifest.HomeTab {
		return nil, fail("not_enabled").broke("a home view is published where the app's Home tab is enabled", publishSource)
	}
	u := w.findUser(c.text("user_id"))
	if u == nil || u.IsBot || u.IsStranger || u.Deleted {
		refused := fail("invalid_arguments")
		refused.messages = []string{"invalid `user_id`"}
		return nil, refused
	}
	home := w.homes[u.ID]
	if hash := c.text("hash"); hash != "" && (home == nil || hash != home.hash) {
		return nil, fail("hash_conflict")
	}
	if err := w.externalIDFree(view, home); err != nil {
		return nil, err
	}
	if home == nil {
		home = &modal{id: "V" + letters(w.random, 10), user: u.ID}
		home.root = home.id
		w.homes[u.ID] = home
	}
	delete(w.opened, u.ID)
	w.fill(home, view)
	return response{"view": w.viewObject(home)}, nil
}

// isHome reports whether a view is what a person sees in the app's Home tab.
func (m *modal) isHome() bool { return m.view["type"] == kindHome }

// Opening is a person's opening of one of the tabs of the app's space.
type Opening struct {
	User string `json:"user"`
	Tab  string `json:"tab,omitempty"` // "home", which is the default, or "messages"
}

// OpenHome delivers app_home_opened, if the app subscribes to it, and returns how the
// bot acknowledged it: an app that does not subscribe hears nothing, and the Ack is
// empty with status 200. It returns an error if the app has no such tab.
func (w *Workspace) OpenHome(ctx context.Context, o Opening) (Ack, error) {
	if o.Tab == "" {
		o.Tab = tabHome
	}
	w.mu.Lock()
	event, err := w.homeOpened(o)
	told := err == nil && w.subscribed(event)
	if told && o.Tab == tabHome {
		w.opened[o.User] = w.now().Add(w.triggerLife())
	}
	w.mu.Unlock()
	switch {
	case err != nil:
		return Ack{}, fmt.Errorf("opening a tab of the app: %w", err)
	case !told:
		return Ack{Status: http.StatusOK, Body: bodyJSON(nil)}, nil
	}
	ack := w.deliverEvent(ctx, event)
	if ack.Error != "" {
		w.mu.Lock()
		delete(w.opened, o.User)
		w.touch()
		w.mu.Unlock()
	}
	return ack, nil
}

// homeOpened is https://docs.slack.dev/reference/events/app_home_opened: the view stands
// in it only if one was published before.
func (w *Workspace) homeOpened(o Opening) (response, error) {
	u := w.findUser(o.User)
	switch {
	case u == nil:
		return nil, unknownID("user", o.User)
	case o.Tab != tabHome && o.Tab != tabMessages:
		return nil, fmt.Errorf("a tab is %q or %q, not %q", tabHome, tabMessages, o.Tab)
	case o.Tab == tabHome && !w.opts.Manifest.HomeTab:
		return nil, fmt.Errorf("the app has no Home tab: its manifest does not enable it")
	}
	event := response{"type": eventHomeOpened, "user": u.ID, "channel": u.directMessages, "tab": o.Tab, "event_ts": w.timestamp()}
	if home := w.homes[u.ID]; home != nil && o.Tab == tabHome {
		event["view"] = w.viewObject(home)
	}
	return event, nil
}

// Home returns the view last published in a person's Home tab, one without an id if there
// is none. After the person opened the tab or acted in it, it waits until the bot publishes
// or opens a form, or 3 seconds have passed. With wait > 0 it returns at the next view
// that is published instead, or when the time is over.
func (w *Workspace) Home(ctx context.Context, user string, wait time.Duration) (View, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.findUser(user) == nil {
		return View{}, unknownID("user", user)
	}
	if wait > 0 {
		before := w.home(user).Hash
		w.awaitWhile(ctx, wait, func() bool { return w.home(user).Hash == before })
	} else {
		w.awaitAnswer(w.opened, user)
	}
	return w.home(user), nil
}

// home is what Home returns, now; the lock is held.
func (w *Workspace) home(user string) View {
	m := w.homes[user]
	if m == nil {
		return View{View: json.RawMessage("null")}
	}
	return View{ID: m.id, Hash: m.hash, View: w.viewObject(m)}
}

// getHome reads wait: 0 asks for what stands now.
func getHome(w *Workspace, r *http.Request) (any, error) {
	wait, err := readWait(r, "wait")
	if err != nil {
		return nil, err
	}
	user := r.FormValue("user")
	if r.FormValue("wait") == "" || wait > 0 {
		return w.Home(r.Context(), user, wait)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.findUser(user) == nil {
		return nil, unknownID("user", user)
	}
	return w.home(user), nil
}
