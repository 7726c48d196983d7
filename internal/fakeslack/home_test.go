package fakeslack_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"cancel-server/internal/fakeslack"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// withHome is an app that has a Home tab and hears of its opening.
func withHome(opts fakeslack.Options) fakeslack.Options {
	opts.Manifest = &fakeslack.Manifest{HomeTab: true, BotEvents: []string{"app_home_opened"}}
	return opts
}

func home(blocks ...any) map[string]any { return map[string]any{"type": "home", "blocks": blocks} }

// refreshButton is an actions block with one button.
func refreshButton() map[string]any {
	return map[string]any{"type": "actions", "block_id": "top", "elements": []any{map[string]any{"type": "button", "action_id": "refresh", "text": plain("Refresh"), "value": "v"}}}
}

func publish(s *stage, user string, view any, hash string) result {
	s.t.Helper()
	args := map[string]any{"user_id": user, "view": view}
	if hash != "" {
		args["hash"] = hash
	}
	return s.call("views.publish", args)
}

// https://docs.slack.dev/reference/methods/views.publish
func TestAHomeViewIsPublishedWithoutATrigger(t *testing.T) {
	t.Parallel()
	s := newStage(t, withHome(fakeslack.Options{Scopes: []string{}}))
	none, err := s.Home(t.Context(), s.Cast().User, 0)
	require.NoError(t, err)
	assert.Empty(t, none.ID)
	assert.JSONEq(t, "null", string(none.View))
	request := slack.HomeTabViewRequest{
		Type: slack.VTHomeTab, PrivateMetadata: "mine", CallbackID: "home",
		Blocks: slack.Blocks{BlockSet: []slack.Block{slack.NewSectionBlock(slack.NewTextBlockObject("mrkdwn", "hello", false, false), nil, nil)}},
	}
	first, err := s.client().PublishView(s.Cast().User, request, "")
	require.NoError(t, err)
	assert.Equal(t, slack.VTHomeTab, first.Type)
	assert.Equal(t, "mine", first.PrivateMetadata)
	assert.Equal(t, first.ID, first.RootViewID)
	second, err := s.client().PublishView(s.Cast().User, request, first.Hash)
	require.NoError(t, err)
	assert.NotEqual(t, first.Hash, second.Hash)
	_, err = s.client().PublishView(s.Cast().User, request, first.Hash)
	require.ErrorContains(t, err, "hash_conflict")
	got, err := s.Home(t.Context(), s.Cast().User, 0)
	require.NoError(t, err)
	assert.Equal(t, second.Hash, got.Hash, "what was refused changes nothing")
	open, err := s.Views(s.Cast().User)
	require.NoError(t, err)
	assert.Empty(t, open, "a Home tab is no open modal")
}

// https://docs.slack.dev/reference/methods/views.publish#errors
func TestWhatViewsPublishRefuses(t *testing.T) {
	t.Parallel()
	s := newStage(t, withHome(fakeslack.Options{}))
	c := s.Cast()
	section := map[string]any{"type": "section", "text": plain("hello")}
	assert.True(t, publish(s, c.Requester, with(home(section), map[string]any{"external_id": "x"}), "").OK)
	for _, refused := range []struct {
		says, user  string
		view        any
		hash, error string
		because     string
	}{
		{"nobody's id", "U0NOBODY", home(section), "", "invalid_arguments", "invalid `user_id`"},
		{"no id", "", home(section), "", "invalid_arguments", "invalid `user_id`"},
		{"a person of another workspace", c.Stranger, home(section), "", "invalid_arguments", "invalid `user_id`"},
		{"a deactivated person", c.Deactivated, home(section), "", "invalid_arguments", "invalid `user_id`"},
		{"a bot", c.BotUser, home(section), "", "invalid_arguments", "invalid `user_id`"},
		{"a hash of nothing", c.User, home(section), "1.x", "hash_conflict", ""},
		{"the external_id of another person's view", c.User, with(home(section), map[string]any{"external_id": "x"}), "", "duplicate_external_id", ""},
		{"no view", c.User, nil, "", "invalid_arguments", "[ERROR] missing required field: view [json-pointer:]"},
		{"a modal", c.User, modal(section), "", "invalid_arguments", "[ERROR] must be a valid enum value: this method takes a view of type home [json-pointer:/view/type]"},
		{"a title", c.User, with(home(section), map[string]any{"title": plain("x")}), "", "invalid_arguments", "[ERROR] invalid additional property: title [json-pointer:/view]"},
		{"101 blocks", c.User, home(times(101, map[string]any{"type": "divider"})...), "", "invalid_arguments", "[ERROR] no more than 100 items allowed [json-pointer:/view/blocks]"},
		{"long private_metadata", c.User, with(home(section), map[string]any{"private_metadata": x(3001)}), "", "invalid_arguments", "[ERROR] must be less than 3001 characters [json-pointer:/view/private_metadata]"},
		{"a long callback_id", c.User, with(home(section), map[string]any{"callback_id": x(256)}), "", "invalid_arguments", "[ERROR] must be less than 256 characters [json-pointer:/view/callback_id]"},
	} {
		got := publish(s, refused.user, refused.view, refused.hash)
		assert.Equal(t, refused.error, got.Error, refused.says)
		if refused.because != "" {
			assert.Equal(t, []string{refused.because}, got.Metadata.Messages, refused.says)
		}
	}
	assert.True(t, publish(s, c.Requester, with(home(section), map[string]any{"external_id": "x"}), "").OK, "one's own external_id stays free")
	assert.True(t, publish(s, c.Guest, home(times(100, map[string]any{"type": "divider"})...), "").OK)
	assert.True(t, publish(s, c.User, home(textInput("why", "text")), "").OK, "an input needs no submit here")
	s.SetManifest(fakeslack.Manifest{})
	assert.Equal(t, "not_enabled", publish(s, c.User, home(section), "").Error)
}

// https://docs.slack.dev/reference/methods/views.open, views.publish has the other type
func TestModalCallsRefuseAHomeView(t *testing.T) {
	t.Parallel()
	b := newBot(t, silent)
	s := newStage(t, withHome(fakeslack.Options{Endpoint: b.url}))
	section := map[string]any{"type": "section", "text": plain("hello")}
	assert.Equal(t, "invalid_arguments", s.call("views.open", map[string]any{"trigger_id": s.trigger(b, s.Cast().User), "view": home(section)}).Error)
	id := publish(s, s.Cast().User, home(section), "").View.ID
	assert.Equal(t, "not_found", s.call("views.update", map[string]any{"view_id": id, "view": modal(section)}).Error)
	_, err := s.Submit(t.Context(), fakeslack.Submission{User: s.Cast().User, View: id})
	require.ErrorContains(t, err, "neither submitted nor closed")
	_, err = s.CloseView(t.Context(), s.Cast().User, id)
	require.ErrorContains(t, err, "neither submitted nor closed")
}

// https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
func TestAHomeTabsButtonOpensAModal(t *testing.T) {
	t.Parallel()
	b := newBot(t, silent)
	s := newStage(t, withHome(fakeslack.Options{Endpoint: b.url}))
	published := publish(s, s.Cast().User, home(refreshButton(), textInput("why", "text")), "").View
	press := fakeslack.Action{
		User: s.Cast().User, View: published.ID, BlockID: "top", ActionID: "refresh",
		Values: fakeslack.Values{"why": {"text": {"value": "typed"}}},
	}
	_, err := s.Act(t.Context(), press)
	require.NoError(t, err)
	all := b.requests()
	got := all[len(all)-1]
	var callback slack.InteractionCallback
	values := formRequest(t, got.body)
	require.NoError(t, values.ParseForm())
	require.NoError(t, json.Unmarshal([]byte(values.PostForm.Get("payload")), &callback))
	assert.Equal(t, slack.InteractionTypeBlockActions, callback.Type)
	assert.Equal(t, slack.VTHomeTab, callback.View.Type)
	assert.Equal(t, published.Hash, callback.View.Hash)
	assert.Equal(t, "view", callback.Container.Type)
	assert.Equal(t, published.ID, callback.Container.ViewID)
	assert.Equal(t, "typed", callback.View.State.Values["why"]["text"].Value)
	for _, absent := range []string{"channel", "response_url", "message"} {
		assert.NotContains(t, got.payload, absent)
	}
	assert.Equal(t, "invalid_trigger_id", s.call("views.push", map[string]any{"trigger_id": callback.TriggerID, "view": modal(refreshButton())}).Error, "there is no modal to push on")

	_, err = s.Act(t.Context(), press)
	require.NoError(t, err)
	all = b.requests()
	trigger, _ := all[len(all)-1].payload["trigger_id"].(string)
	assert.True(t, s.call("views.open", map[string]any{"trigger_id": trigger, "view": modal(refreshButton())}).OK)
	press.User = s.Cast().Requester
	_, err = s.Act(t.Context(), press)
	require.Error(t, err, "nobody acts in another person's Home tab")
}

// https://docs.slack.dev/reference/views/home-tab-views
func TestPublishingKeepsTypedText(t *testing.T) {
	t.Parallel()
	b := newBot(t, silent)
	s := newStage(t, withHome(fakeslack.Options{Endpoint: b.url}))
	view := home(refreshButton(), textInput("why", "text"))
	id := publish(s, s.Cast().User, view, "").View.ID
	_, err := s.Act(t.Context(), fakeslack.Action{
		User: s.Cast().User, View: id, BlockID: "top", ActionID: "refresh", Values: fakeslack.Values{"why": {"text": {"value": "typed"}}},
	})
	require.NoError(t, err)
	again := publish(s, s.Cast().User, view, "").View
	assert.Equal(t, id, again.ID)
	assert.Equal(t, "typed", again.State.Values["why"]["text"]["value"])
}

func TestHomeIsReadOnceTheBotHasPublished(t *testing.T) {
	t.Parallel()
	b := newBot(t, listener(silent))
	s := newStage(t, withHome(fakeslack.Options{Endpoint: b.url, RateLimitsOff: true}))
	d := newDesk(s)
	section := map[string]any{"type": "section", "text": plain("hello")}
	_, err := s.OpenHome(t.Context(), fakeslack.Opening{User: s.Cast().User})
	require.NoError(t, err)
	assert.JSONEq(t, `{"id":"","hash":"","view":null}`, string(d.get("/home?wait=0&user="+s.Cast().User)), "at once")
	read := make(chan fakeslack.View)
	go func() {
		view, err := s.Home(t.Context(), s.Cast().User, 0)
		assert.NoError(t, err)
		read <- view
	}()
	hash := publish(s, s.Cast().User, home(section), "").View.Hash
	assert.Equal(t, hash, (<-read).Hash)

	go func() {
		view, err := s.Home(t.Context(), s.Cast().User, patience)
		assert.NoError(t, err)
		read <- view
	}()
	for next := (fakeslack.View{}); next.Hash == ""; {
		publish(s, s.Cast().User, home(section), "")
		select {
		case next = <-read:
			assert.NotEqual(t, hash, next.Hash, "with a wait, at the next one")
		case <-time.After(time.Millisecond):
		}
	}
}

// https://docs.slack.dev/reference/objects/user-object
func TestEachPersonHasTheirOwnTime(t *testing.T) {
	t.Parallel()
	s := newStage(t, fakeslack.Options{})
	d := newDesk(s)
	zone := func(user string) (string, int) {
		u, err := s.client().GetUserInfo(user)
		require.NoError(t, err)
		return u.TZ, u.TZOffset
	}
	name, offset := zone(s.Cast().User)
	assert.Equal(t, "Europe/Berlin", name)
	assert.Equal(t, 3600, offset)
	d.post("/user", map[string]any{"id": s.Cast().User, "patch": map[string]any{"tz": "America/Chicago"}})
	_, offset = zone(s.Cast().User)
	assert.Equal(t, -6*3600, offset)
	s.Advance(200 * 24 * time.Hour)
	_, offset = zone(s.Cast().User)
	assert.Equal(t, -5*3600, offset, "the one in force now")
	name, _ = zone(s.Cast().Deactivated)
	assert.Empty(t, name)
	status, _ := d.do("POST", "/user", `{"id":"`+s.Cast().User+`","patch":{"tz":"Nowhere/Atall"}}`)
	assert.Equal(t, http.StatusBadRequest, status)
}
