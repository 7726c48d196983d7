//go:build unix

package main

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
)

// What people do.

// command types /cancel-server with some text.
func (w *world) command(user, text string) fakeslack.Ack {
	w.t.Helper()
	return w.commandIn(w.cast.Channel, user, text)
}

func (w *world) commandIn(channel, user, text string) fakeslack.Ack {
	w.t.Helper()
	ack, err := w.slack.Command(w.t.Context(), fakeslack.Command{User: user, Channel: channel, Command: "/cancel-server", Text: text})
	require.NoError(w.t, err)
	return ack
}

// top is the view that a person has before them. It waits for one: a form opens after the acknowledgement of its
// command, and the fake cannot tell a message about something else from the answer that it waits for.
func (w *world) top(user string) modal {
	w.t.Helper()
	var views []fakeslack.View
	w.eventually("a modal is open", func() bool {
		var err error
		views, err = w.slack.Views(user)
		require.NoError(w.t, err)
		return len(views) > 0
	})
	return w.modal(views[len(views)-1])
}

func (w *world) modal(v fakeslack.View) modal {
	w.t.Helper()
	m := modal{ID: v.ID, Raw: string(v.View)}
	require.NoError(w.t, json.Unmarshal(v.View, &m))
	return m
}

// modal is a view as payloads show it.
type modal struct {
	ID    string
	Raw   string
	Title struct{ Text string }
	// Blocks are the view's, as far as the tests look.
	Blocks []struct {
		Type    string
		BlockID string `json:"block_id"`
		Element element
		// Elements are those of a block of buttons and boxes. In a context block they are texts.
		Elements []element
	}
	// State is what the person has typed and chosen, by block and action.
	State struct {
		Values map[string]map[string]struct {
			Value    string
			Selected struct{ Value string }   `json:"selected_option"`
			Checked  []struct{ Value string } `json:"selected_options"`
		}
	}
}

// element is what a person fills in or presses, as far as the tests look.
type element struct {
	ActionID string `json:"action_id"`
	Type     string
	Options  []struct {
		Text  struct{ Text string }
		Value string
	}
}

// field finds an input by the beginning of its block id.
func (m modal) field(prefix string) (block, action string, found bool) {
	for _, b := range m.Blocks {
		if b.Type == "input" && strings.HasPrefix(b.BlockID, prefix) {
			return b.BlockID, b.Element.ActionID, true
		}
	}
	return "", "", false
}

// asking waits until the form that asks for a server is before a person: an earlier form may be
// until then.
func (w *world) asking(user string) (m modal) {
	w.t.Helper()
	w.eventually("the form asks for the server", func() bool {
		m = w.top(user)
		_, _, found := m.field("server")
		return found
	})
	return m
}

// look types into the typeahead and returns the ids and the texts that are offered.
func (w *world) look(user, typed string) (ids []int64, options []map[string]any) {
	w.t.Helper()
	m := w.asking(user)
	block, action, _ := m.field("server")
	offered, err := w.slack.Options(w.t.Context(), fakeslack.Lookup{User: user, View: m.ID, BlockID: block, ActionID: action, Value: typed})
	require.NoError(w.t, err)
	require.Empty(w.t, offered.Error)
	for _, o := range offered.Options {
		var option map[string]any
		require.NoError(w.t, json.Unmarshal(o, &option))
		id, err := strconv.ParseInt(option["value"].(string), 10, 64)
		require.NoError(w.t, err)
		ids, options = append(ids, id), append(options, option)
	}
	return ids, options
}

// pick chooses an option of the typeahead, whether it was offered or not.
func (w *world) pick(user string, option map[string]any) {
	w.t.Helper()
	m := w.asking(user)
	block, action, _ := m.field("server")
	_, err := w.slack.Act(w.t.Context(), fakeslack.Action{User: user, View: m.ID, BlockID: block, ActionID: action, SelectedOption: option})
	require.NoError(w.t, err)
}

// choose looks a server up in the typeahead and picks it, as a person does.
func (w *world) choose(user string, server int64) {
	w.t.Helper()
	ids, options := w.look(user, strconv.FormatInt(server, 10))
	at := slices.Index(ids, server)
	require.GreaterOrEqual(w.t, at, 0, "the server is offered")
	w.pick(user, options[at])
}

// awaitCard waits until the form shows the card of a server.
func (w *world) awaitCard(user string, server int64) modal {
	w.t.Helper()
	var m modal
	w.eventually("the card is shown", func() bool {
		m = w.top(user)
		_, _, found := m.field("confirm:" + strconv.FormatInt(server, 10))
		return found
	})
	return m
}

// fill is what a person types into the form for a server.
func (w *world) fill(m modal, reason, content, confirmation string) fakeslack.Values {
	w.t.Helper()
	values := fakeslack.Values{}
	set := func(prefix string, state map[string]any) {
		block, action, found := m.field(prefix)
		require.True(w.t, found, "the form asks for %s", prefix)
		values[block] = map[string]map[string]any{action: state}
	}
	option := map[string]any{"text": map[string]any{"type": "plain_text", "text": reason}, "value": reason}
	set("reason", map[string]any{"type": "static_select", "selected_option": option})
	set("content", map[string]any{"type": "plain_text_input", "value": content})
	if _, _, found := m.field("confirm:"); found {
		set("confirm:", map[string]any{"type": "plain_text_input", "value": confirmation})
	}
	return values
}

func (w *world) submit(user string, m modal, values fakeslack.Values) fakeslack.Ack {
	w.t.Helper()
	ack, err := w.slack.Submit(w.t.Context(), fakeslack.Submission{User: user, View: m.ID, Values: values})
	require.NoError(w.t, err)
	return ack
}

// form opens the form with a server's card.
func (w *world) form(channel, user string, server int64) modal {
	w.t.Helper()
	ack := w.commandIn(channel, user, strconv.FormatInt(server, 10))
	require.Empty(w.t, ack.Error, "the command is acknowledged")
	return w.awaitCard(user, server)
}

// usual is a submission that nothing is wrong with.
func (w *world) usual(m modal, server int64) fakeslack.Values {
	w.t.Helper()
	return w.fill(m, "No longer needed", "Replaced by db-060.", w.fqdn(server))
}

// request does the whole job as far as the submission for a server.
func (w *world) request(user string, server int64) fakeslack.Ack {
	w.t.Helper()
	w.command(user, "")
	w.choose(user, server)
	m := w.awaitCard(user, server)
	return w.submit(user, m, w.usual(m, server))
}

// accepted asks for a server in a channel, and holds the bot to accepting it.
func (w *world) accepted(channel, user string, server int64) {
	w.t.Helper()
	m := w.form(channel, user, server)
	ack := w.submit(user, m, w.usual(m, server))
	require.Empty(w.t, ack.Error, "the submission is acknowledged")
	require.Equal(w.t, "Recorded", w.top(user).Title.Text, "the submission is accepted: %s", ack.Body)
}

// close puts away the view that a person has before them.
func (w *world) close(user string) {
	w.t.Helper()
	_, err := w.slack.CloseView(w.t.Context(), user, w.top(user).ID)
	require.NoError(w.t, err)
}

// hasOpen is how many views a person has open.
func (w *world) hasOpen(user string) int {
	w.t.Helper()
	views, err := w.slack.Views(user)
	require.NoError(w.t, err)
	return len(views)
}

// fieldErrors are what an acknowledgement says at the fields of a form.
func (w *world) fieldErrors(ack fakeslack.Ack) map[string]string {
	w.t.Helper()
	require.Empty(w.t, ack.Error)
	var said struct {
		Action string `json:"response_action"`
		Errors map[string]string
	}
	require.NoError(w.t, json.Unmarshal(ack.Body, &said), "the answer is %s", ack.Body)
	require.Equal(w.t, "errors", said.Action, "the form stays, with its errors: %s", ack.Body)
	return said.Errors
}

// text is all that the view shows, as plain text.
func (m modal) text(w *world) string {
	w.t.Helper()
	var view map[string]any
	require.NoError(w.t, json.Unmarshal([]byte(m.Raw), &view))
	delete(view, "state")
	return shownIn(view)
}

// shownIn gathers the text, and the links, of everything in a view or a message.
func shownIn(v any) string {
	var all strings.Builder
	eachObject(v, func(object map[string]any) {
		for _, key := range []string{"text", "url", "user_id"} {
			if text, is := object[key].(string); is {
				all.WriteString(text)
			}
		}
	})
	return all.String()
}

// eachObject visits each object in a JSON value, in order of its keys.
func eachObject(v any, visit func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		visit(v)
		for _, key := range slices.Sorted(maps.Keys(v)) {
			eachObject(v[key], visit)
		}
	case []any:
		for _, item := range v {
			eachObject(item, visit)
		}
	}
}

// blockedForm opens the form for a server whose card says that it cannot be cancelled.
func (w *world) blockedForm(user string, server int64) modal {
	w.t.Helper()
	id := strconv.FormatInt(server, 10)
	require.Empty(w.t, w.command(user, id).Error)
	var m modal
	w.eventually("the card says what blocks", func() bool {
		m = w.top(user)
		return strings.Contains(m.Raw, "card:"+id+":blocked")
	})
	return m
}
