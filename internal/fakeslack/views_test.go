package fakeslack_test

import (
	"net/http"
	"testing"
	"time"

	"cancel-server/internal/fakeslack"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestATriggerOpensOneViewWithinThreeSeconds(t *testing.T) {
	t.Parallel()
	b := newBot(t, silent)
	s := newStage(t, fakeslack.Options{Endpoint: b.url, AckTimeout: 3 * time.Second})
	view := modal(textInput("content", "text"))
	open := func(trigger string) string {
		return s.call("views.open", map[string]any{"trigger_id": trigger, "view": view}).Error
	}
	trigger := s.trigger(b, s.Cast().User)
	s.Advance(3 * time.Second)
	assert.Equal(t, "", open(trigger))
	assert.Equal(t, "exchanged_trigger_id", open(trigger))
	late := s.trigger(b, s.Cast().User)
	s.Advance(3*time.Second + time.Millisecond)
	assert.Equal(t, "expired_trigger_id", open(late))
	assert.Equal(t, "invalid_trigger_id", open("1.2.x"))
}

func TestSlackGoOpensAndUpdatesAView(t *testing.T) {
	t.Parallel()
	s, b := onHTTP(t, silent)
	c := s.client()
	request := slack.ModalViewRequest{
		Type: slack.VTModal, Title: slack.NewTextBlockObject("plain_text", "Cancel a server", false, false),
		Submit: slack.NewTextBlockObject("plain_text", "Request", false, false),
		Blocks: slack.Blocks{BlockSet: []slack.Block{slack.NewInputBlock("content", slack.NewTextBlockObject("plain_text", "Why?", false, false), nil, slack.NewPlainTextInputBlockElement(nil, "text"))}},
	}
	opened, err := c.OpenView(s.trigger(b, s.Cast().User), request)
	require.NoError(t, err)
	assert.Equal(t, opened.ID, opened.RootViewID)
	updated, err := c.UpdateView(request, "", opened.Hash, opened.ID)
	require.NoError(t, err)
	assert.NotEqual(t, opened.Hash, updated.Hash)
	_, err = c.UpdateView(request, "", opened.Hash, opened.ID)
	require.ErrorContains(t, err, "hash_conflict")
	_, err = c.UpdateView(request, "", "", "V0GONE")
	require.ErrorContains(t, err, "not_found")
}

func TestUpdateKeepsTypedTextInRemainingBlocks(t *testing.T) {
	t.Parallel()
	s, b := onHTTP(t, func(method string, _ map[string]any) (int, string) {
		if method == "view_submission" {
			return http.StatusOK, `{"response_action":"errors","errors":{"kept":"look again"}}`
		}
		return http.StatusOK, ""
	})
	view := s.open(b, modal(textInput("kept", "text"), textInput("old", "text")))
	_, err := s.Submit(t.Context(), fakeslack.Submission{User: s.Cast().User, View: view.ID, Values: fakeslack.Values{
		"kept": {"text": {"value": "typed"}}, "old": {"text": {"value": "typed too"}},
	}})
	require.NoError(t, err)
	got := s.call("views.update", map[string]any{"view_id": view.ID, "view": modal(textInput("kept", "text"), textInput("new", "text"))})
	require.True(t, got.OK)
	assert.Equal(t, "typed", got.View.State.Values["kept"]["text"]["value"])
	assert.Nil(t, got.View.State.Values["new"]["text"]["value"])
	assert.NotContains(t, got.View.State.Values, "old")
}

func TestThreeViewsStack(t *testing.T) {
	t.Parallel()
	s, b := onHTTP(t, silent)
	button := map[string]any{"type": "actions", "block_id": "more", "elements": []any{map[string]any{"type": "button", "action_id": "go", "text": plain("More"), "value": "v"}}}
	view := modal(button)
	root := s.open(b, view)
	press := func(id string) string {
		_, err := s.Act(t.Context(), fakeslack.Action{User: s.Cast().User, View: id, BlockID: "more", ActionID: "go"})
		require.NoError(t, err)
		all := b.requests()
		trigger, _ := all[len(all)-1].payload["trigger_id"].(string)
		return trigger
	}
	second := s.call("views.push", map[string]any{"trigger_id": press(root.ID), "view": view}).View
	assert.Equal(t, root.ID, second.Root)
	assert.Equal(t, root.ID, second.Previous)
	third := s.call("views.push", map[string]any{"trigger_id": press(second.ID), "view": view}).View
	require.NotEmpty(t, third.ID)
	assert.Equal(t, "push_limit_reached", s.call("views.push", map[string]any{"trigger_id": press(third.ID), "view": view}).Error)
	assert.Equal(t, "invalid_trigger_id", s.call("views.push", map[string]any{"trigger_id": s.trigger(b, s.Cast().User), "view": view}).Error)

	_, err := s.CloseView(t.Context(), s.Cast().User, root.ID)
	require.Error(t, err, "only the top view can be closed")
	_, err = s.CloseView(t.Context(), s.Cast().User, third.ID)
	require.NoError(t, err)
	open, err := s.Views(s.Cast().User)
	require.NoError(t, err)
	require.Len(t, open, 2)
	assert.Equal(t, second.ID, open[1].ID, "the top view is the last")
}

func TestWhatTheBotAnswersToASubmission(t *testing.T) {
	t.Parallel()
	titled := func(title string) string {
		return `"view":{"type":"modal","title":{"type":"plain_text","text":"` + title + `"},"blocks":[{"type":"divider"}]}`
	}
	for _, c := range []struct {
		says, body string
		status     int
		titles     []string // of the views that stand afterwards
		wantError  string
		rules      int
	}{
		{"nothing closes the view", "", 200, nil, "", 0},
		{"errors at an input keep it", `{"response_action":"errors","errors":{"content":"no"}}`, 200, []string{"Cancel a server"}, "", 0},
		{"errors elsewhere are trouble", `{"response_action":"errors","errors":{"line":"no"}}`, 200, []string{"Cancel a server"}, "trouble_connecting", 1},
		{"errors at nothing are trouble", `{"response_action":"errors","errors":{}}`, 200, []string{"Cancel a server"}, "trouble_connecting", 1},
		{"update replaces it", `{"response_action":"update",` + titled("Done") + `}`, 200, []string{"Done"}, "", 0},
		{"push lies on top", `{"response_action":"push",` + titled("Sure?") + `}`, 200, []string{"Cancel a server", "Sure?"}, "", 0},
		{"clear closes all", `{"response_action":"clear"}`, 200, nil, "", 0},
		{"a pushed view keeps the limits", `{"response_action":"push",` + titled(x(25)) + `}`, 200, []string{"Cancel a server"}, "trouble_connecting", 1},
		{"another body is trouble", `ok`, 200, []string{"Cancel a server"}, "trouble_connecting", 1},
		{"a zero response is trouble", `{"response_action":""}`, 200, []string{"Cancel a server"}, "trouble_connecting", 1},
		{"another status is a failure", ``, 500, []string{"Cancel a server"}, "dispatch_failed", 1},
	} {
		t.Run(c.says, func(t *testing.T) {
			t.Parallel()
			s, b := onHTTP(t, func(method string, _ map[string]any) (int, string) {
				if method == "view_submission" {
					return c.status, c.body
				}
				return http.StatusOK, ""
			})
			line := map[string]any{"type": "divider", "block_id": "line"}
			view := s.open(b, modal(textInput("content", "text"), line))
			ack, err := s.Submit(t.Context(), fakeslack.Submission{User: s.Cast().User, View: view.ID})
			require.NoError(t, err)
			assert.Equal(t, c.status, ack.Status)
			assert.Equal(t, c.wantError, ack.Error)
			assert.Equal(t, c.titles, s.titles(s.Cast().User))
			assert.Len(t, s.broken(), c.rules)
		})
	}
}

// titles returns the titles of a person's views, the top one last.
func (s *stage) titles(user string) []string {
	s.t.Helper()
	open, err := s.Views(user)
	require.NoError(s.t, err)
	var titles []string
	for _, v := range open {
		titles = append(titles, decode[viewSeen](s.t, v.View).Title.Text)
	}
	return titles
}

func TestASubmissionCarriesEveryInput(t *testing.T) {
	t.Parallel()
	s, b := onHTTP(t, silent)
	view := s.open(b, modal(
		textInput("content", "text"),
		with(input(map[string]any{"type": "external_select", "action_id": "pick"}), map[string]any{"block_id": "server"}),
		with(input(map[string]any{"type": "checkboxes", "action_id": "tick", "options": []any{option("Too", "yes")}}), map[string]any{"block_id": "too"}),
		with(input(map[string]any{"type": "static_select", "action_id": "pick", "options": []any{option("A", "a")}, "initial_option": option("A", "a")}), map[string]any{"block_id": "reason"}),
	))
	never := map[string]any{"text": plain("Never offered"), "value": "999"}
	_, err := s.Submit(t.Context(), fakeslack.Submission{User: s.Cast().User, View: view.ID, Values: fakeslack.Values{"server": {"pick": {"selected_option": never}}}})
	require.NoError(t, err)
	all := b.requests()
	got := all[len(all)-1]
	assert.Equal(t, "/slack/interactions", got.path)
	state := got.payload["view"].(map[string]any)["state"].(map[string]any)["values"]
	assert.Equal(t, map[string]any{
		"content": map[string]any{"text": map[string]any{"type": "plain_text_input", "value": nil}},
		"server":  map[string]any{"pick": map[string]any{"type": "external_select", "selected_option": never}},
		"too":     map[string]any{"tick": map[string]any{"type": "checkboxes", "selected_options": []any{}}},
		"reason":  map[string]any{"pick": map[string]any{"type": "static_select", "selected_option": option("A", "a")}},
	}, state)

	parsed, err := slack.InteractionCallbackParse(formRequest(t, got.body))
	require.NoError(t, err)
	assert.Equal(t, slack.InteractionTypeViewSubmission, parsed.Type)
	assert.Equal(t, "999", parsed.View.State.Values["server"]["pick"].SelectedOption.Value)
	assert.Equal(t, s.TeamID(), parsed.User.TeamID)
}

func TestClosingIsReportedWhenRequested(t *testing.T) {
	t.Parallel()
	s, b := onHTTP(t, silent)
	quiet := s.open(b, modal(textInput("a", "b")))
	_, err := s.CloseView(t.Context(), s.Cast().User, quiet.ID)
	require.NoError(t, err)
	assert.Empty(t, s.seen("view_closed"))
	told := s.open(b, with(modal(textInput("a", "b")), map[string]any{"notify_on_close": true}))
	_, err = s.CloseView(t.Context(), s.Cast().User, told.ID)
	require.NoError(t, err)
	assert.Len(t, s.seen("view_closed"), 1)
	assert.Equal(t, "not_found", s.call("views.update", map[string]any{"view_id": told.ID, "view": modal(textInput("a", "b"))}).Error)
}

func TestAnExternalIDIsUnique(t *testing.T) {
	t.Parallel()
	s, b := onHTTP(t, silent)
	view := with(modal(textInput("a", "b")), map[string]any{"external_id": "one"})
	s.open(b, view)
	assert.Equal(t, "duplicate_external_id", s.call("views.open", map[string]any{"trigger_id": s.trigger(b, s.Cast().User), "view": view}).Error)
	assert.True(t, s.call("views.update", map[string]any{"external_id": "one", "view": view}).OK)
}
