package fakeslack

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

const (
	maxStack    = 3       // https://docs.slack.dev/surfaces/modals#updating_views
	maxViewSize = 250_000 // https://docs.slack.dev/reference/methods/views.open#errors
	maxModals   = 1000    // of this fake; the oldest close
)

// The types of view.
const (
	kindModal = "modal"
	kindHome  = "home"
)

// modal is one view that a person has open, or sees in the app's Home tab.
type modal struct {
	id, root, previous string
	user               string
	hash               string
	view               map[string]any // as the bot gave it, each block and element with an id
	state              viewState
}

// viewsOpen is https://docs.slack.dev/reference/methods/views.open
func (w *Workspace) viewsOpen(c call) (response, *apiError) {
	view, err := w.readView(c, kindModal)
	if err != nil {
		return nil, err
	}
	t, err := w.useTrigger(c.trigger())
	if err != nil {
		return nil, err
	}
	m, err := w.show(view, t.user, nil)
	if err != nil {
		return nil, err
	}
	return response{"view": w.viewObject(m)}, nil
}

// viewsPush is https://docs.slack.dev/reference/methods/views.push
func (w *Workspace) viewsPush(c call) (response, *apiError) {
	view, err := w.readView(c, kindModal)
	if err != nil {
		return nil, err
	}
	t, err := w.useTrigger(c.trigger())
	if err != nil {
		return nil, err
	}
	under := w.findModal(t.view)
	if under == nil {
		return nil, fail("invalid_trigger_id").broke("views.push is called with the trigger_id of an open view", "https://docs.slack.dev/reference/methods/views.push")
	}
	m, err := w.show(view, t.user, under)
	if err != nil {
		return nil, err
	}
	return response{"view": w.viewObject(m)}, nil
}

// trigger returns the trigger_id, which Slack also takes as interactivity_pointer.
func (c call) trigger() string {
	if id := c.text("trigger_id"); id != "" {
		return id
	}
	return c.text("interactivity_pointer")
}

// viewsUpdate is https://docs.slack.dev/reference/methods/views.update
func (w *Workspace) viewsUpdate(c call) (response, *apiError) {
	view, err := w.readView(c, kindModal)
	if err != nil {
		return nil, err
	}
	m := w.findModal(c.text("view_id"))
	if id := c.text("external_id"); m == nil && id != "" {
		m = w.findModalBy(func(m *modal) bool { return m.view["external_id"] == id })
	}
	if m == nil {
		return nil, fail("not_found")
	}
	if hash := c.text("hash"); hash != "" && hash != m.hash {
		return nil, fail("hash_conflict")
	}
	if err := w.change(m, view); err != nil {
		return nil, err
	}
	return response{"view": w.viewObject(m)}, nil
}

// readView reads and checks the view argument, which is of this type.
func (w *Workspace) readView(c call, kind string) (map[string]any, *apiError) {
	value, known, err := c.value("view")
	view, ok := value.(map[string]any)
	if err != nil || !known || !ok {
		return nil, fail("invalid_arguments").because("[ERROR] missing required field: view [json-pointer:]")
	}
	if len(encode(view)) > maxViewSize {
		return nil, fail("view_too_large").broke("a view has at most 250 kB", "https://docs.slack.dev/reference/methods/views.open#errors")
	}
	if problems := checkView("/view", view, kind); len(problems) > 0 {
		return nil, fail("invalid_arguments").because(problems...)
	}
	return view, nil
}

// show opens a view, alone or on top of another one; the lock is held.
func (w *Workspace) show(view map[string]any, user string, under *modal) (*modal, *apiError) {
	if err := w.externalIDFree(view, nil); err != nil {
		return nil, err
	}
	m := &modal{id: "V" + letters(w.random, 10), user: user}
	m.root = m.id
	if under != nil {
		if len(w.stack(under.root)) >= maxStack {
			return nil, fail("push_limit_reached").broke("at most three views are stacked", "https://docs.slack.dev/surfaces/modals")
		}
		m.root, m.previous = under.root, w.top(under.root).id
	}
	w.fill(m, view)
	w.modals = append(w.modals, m)
	if len(w.modals) > maxModals {
		w.closeStack(w.modals[0].root)
	}
	return m, nil
}

// change replaces what a view shows; what was typed in blocks that stay is kept.
func (w *Workspace) change(m *modal, view map[string]any) *apiError {
	if err := w.externalIDFree(view, m); err != nil {
		return err
	}
	w.fill(m, view)
	return nil
}

func (w *Workspace) fill(m *modal, view map[string]any) {
	found, _ := view["blocks"].([]any)
	w.nameBlocks(found)
	m.view, m.state = view, newState(found, m.state)
	m.hash = fmt.Sprintf("%d.%s", w.now().Unix(), letters(w.random, 8))
	w.touch()
}

// nameBlocks gives ids to blocks and elements that have none, as Slack does.
func (w *Workspace) nameBlocks(found []any) {
	for _, b := range found {
		block, _ := b.(map[string]any)
		if str(block["block_id"]) == "" {
			block["block_id"] = letters(w.random, 5)
		}
		for _, e := range elementsOf(block) {
			if str(e["action_id"]) == "" {
				e["action_id"] = letters(w.random, 5)
			}
		}
	}
}

func (w *Workspace) externalIDFree(view map[string]any, self *modal) *apiError {
	id := str(view["external_id"])
	others := slices.AppendSeq(slices.Clone(w.modals), maps.Values(w.homes))
	if id != "" && slices.ContainsFunc(others, func(m *modal) bool { return m != self && m.view["external_id"] == id }) {
		return fail("duplicate_external_id").broke("an external_id is unique in its team", "https://docs.slack.dev/reference/methods/views.open#errors")
	}
	return nil
}

func (w *Workspace) findModalBy(is func(*modal) bool) *modal {
	i := slices.IndexFunc(w.modals, is)
	if i < 0 {
		return nil
	}
	return w.modals[i]
}

func (w *Workspace) findModal(id string) *modal {
	return w.findModalBy(func(m *modal) bool { return m.id == id })
}

// stack returns the views on one root, the top last; the lock is held.
func (w *Workspace) stack(root string) []*modal {
	var stack []*modal
	for _, m := range w.modals {
		if m.root == root {
			stack = append(stack, m)
		}
	}
	return stack
}

func (w *Workspace) top(root string) *modal {
	stack := w.stack(root)
	return stack[len(stack)-1]
}

// closeView takes one view away; the lock is held.
func (w *Workspace) closeView(gone *modal) {
	w.modals = slices.DeleteFunc(w.modals, func(m *modal) bool { return m == gone })
	w.touch()
}

// closeStack takes away a view with all that are stacked with it; the lock is held.
func (w *Workspace) closeStack(root string) {
	w.modals = slices.DeleteFunc(w.modals, func(m *modal) bool { return m.root == root })
	w.touch()
}

// viewObject is a view as answers and payloads show it: a copy that later changes
// leave alone. https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload
func (w *Workspace) viewObject(m *modal) json.RawMessage {
	object := response{
		"id": m.id, "team_id": w.identity.teamID, "type": "modal", "hash": m.hash,
		"root_view_id": m.root, "previous_view_id": nil, "app_id": w.identity.appID, "bot_id": w.identity.botID,
		"app_installed_team_id": w.identity.teamID, "state": response{"values": m.state},
		"title": nil, "submit": nil, "close": nil, "private_metadata": "", "callback_id": "", "external_id": "",
		"clear_on_close": false, "notify_on_close": false,
	}
	for field, value := range m.view {
		object[field] = value
	}
	if m.previous != "" {
		object["previous_view_id"] = m.previous
	}
	return encode(object)
}

// viewState is what people have typed and chosen, by block_id and action_id.
// https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload#view_submission_example
type viewState map[string]map[string]elementState

// elementState is the state of one element: {"type": …, "value"|"selected_option"|"selected_options": …}.
type elementState map[string]any

// stateField says where an element of this type keeps its state; "" if it has none.
func stateField(elementType string) string {
	return map[string]string{
		"plain_text_input": "value", "static_select": "selected_option",
		"external_select": "selected_option", "checkboxes": "selected_options",
	}[elementType]
}

// newState is the state of a view: what stood before under the same block_id,
// action_id and type, else what the element starts with.
func newState(found []any, before viewState) viewState {
	state := viewState{}
	for _, b := range found {
		block, _ := b.(map[string]any)
		id := str(block["block_id"])
		for _, e := range elementsOf(block) {
			if stateField(str(e["type"])) == "" {
				continue
			}
			if state[id] == nil {
				state[id] = map[string]elementState{}
			}
			action := str(e["action_id"])
			state[id][action] = initialState(e)
			if kept := before[id][action]; kept != nil && kept["type"] == e["type"] {
				state[id][action] = kept
			}
		}
	}
	return state
}

// initialState is what an untouched element sends.
func initialState(e map[string]any) elementState {
	state := elementState{"type": e["type"]}
	switch e["type"] {
	case "plain_text_input":
		state["value"] = e["initial_value"]
	case "checkboxes":
		state["selected_options"] = []any{}
		if chosen, ok := e["initial_options"].([]any); ok {
			state["selected_options"] = chosen
		}
	default:
		state["selected_option"] = e["initial_option"]
	}
	return state
}

// Values is what a person touched in a view: block_id, then action_id, then a
// state such as {"value": "text"} or {"selected_option": {…}}.
type Values map[string]map[string]map[string]any

// touchState takes over what a person touched. Options that were never offered
// are taken as they are: a forged request carries them too. The lock is held.
func (m *modal) touchState(values Values) error {
	for block, actions := range values {
		for action, given := range actions {
			old := m.state[block][action]
			if old == nil {
				return fmt.Errorf("filling view %s: no input %q in block %q: %w", m.id, action, block, errUnknownID)
			}
			field := stateField(str(old["type"]))
			value, ok := given[field]
			if !ok {
				return fmt.Errorf("filling view %s: block %q, input %q: a %s takes %q", m.id, block, action, old["type"], field)
			}
			if value == "" {
				value = nil // Slack sends null for an emptied text input
			}
			m.state[block][action] = elementState{"type": old["type"], field: value}
		}
	}
	return nil
}

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

// triggerLife is Slack's, or longer where acknowledgements may take longer.
func (w *Workspace) triggerLife() time.Duration { return max(triggerLife, w.opts.AckTimeout) }

// expectForm notes that somebody used a command or a shortcut, which may open a form after its
// acknowledgement; the lock is held.
func (w *Workspace) expectForm(user string) { w.expected[user] = w.now().Add(w.triggerLife()) }

// answered notes that the bot opened a form for somebody or wrote to them alone, or tried to; the
// lock is held.
func (w *Workspace) answered(user string) {
	if _, waited := w.expected[user]; waited {
		delete(w.expected, user)
		w.touch()
	}
}

// useTrigger spends a trigger_id, whatever comes of the call; the lock is held.
func (w *Workspace) useTrigger(id string) (*trigger, *apiError) {
	const source = "https://docs.slack.dev/reference/methods/views.open#errors"
	t := w.triggers.get(id)
	if t != nil {
		w.answered(t.user)
		delete(w.opened, t.user)
	}
	switch {
	case t == nil:
		return nil, fail("invalid_trigger_id").broke("a trigger_id is one that Slack gave", source)
	case t.used:
		return nil, fail("exchanged_trigger_id").broke("a trigger_id is used once", source)
	case w.now().Sub(t.issued) > w.triggerLife():
		return nil, fail("expired_trigger_id").broke("a trigger_id is used within 3 seconds", source)
	}
	t.used = true
	return t, nil
}
