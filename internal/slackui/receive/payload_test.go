package receive

import (
	"net/url"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const submissionPayload = `{
 "type": "view_submission", "team": {"id": "T1", "domain": "acme"}, "enterprise": null,
 "user": {"id": "U1", "username": "ana", "name": "ana", "team_id": "T1"}, "api_app_id": "A1", "token": "x", "trigger_id": "1.2.3",
 "view": {
  "id": "V1", "root_view_id": "V0", "hash": "h1", "callback_id": "cancel.v1", "private_metadata": "meta", "type": "modal",
  "blocks": [
   {"type": "input", "block_id": "server", "element": {"type": "external_select", "action_id": "a"}},
   {"type": "section", "block_id": "card"},
   {"type": "a_block_of_the_future", "block_id": "x", "element": 7},
   {"type": "input", "block_id": "content"}],
  "state": {"values": {
   "server": {"a": {"type": "external_select", "selected_option": {"text": {"type": "plain_text", "text": "db1"}, "value": "42"}}},
   "reason": {"a": {"type": "static_select", "selected_option": null}},
   "content": {"a": {"type": "plain_text_input", "value": "two\nlines"}},
   "confirm": {"a": {"type": "plain_text_input", "value": null}},
   "more": {"a": {"type": "checkboxes", "selected_options": [{"value": "associated"}, {"value": "x"}]}}
  }}}, "response_urls": [], "is_enterprise_install": false}`

func TestParseSubmission(t *testing.T) {
	t.Parallel()
	got, err := ParseInteraction([]byte(submissionPayload))
	require.NoError(t, err)
	assert.Equal(t, Interaction{
		Kind: ViewSubmission, Team: "T1", User: "U1", UserTeam: "T1", UserName: "ana", TriggerID: "1.2.3",
		View: &View{
			ID: "V1", Hash: "h1", CallbackID: "cancel.v1", PrivateMetadata: "meta",
			Blocks: []string{"server", "content"},
			Values: map[string]map[string]Value{
				"server":  {"a": {Selected: "42"}},
				"reason":  {"a": {}},
				"content": {"a": {Text: "two\nlines"}},
				"confirm": {"a": {}},
				"more":    {"a": {Checked: []string{"associated", "x"}}},
			},
		},
	}, got)
}

func TestParseOtherInteractions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		payload string
		want    Interaction
	}{
		"a choice in a select of a modal": {
			`{"type":"block_actions","team":{"id":"T1"},"user":{"id":"U1"},"trigger_id":"1","view":{"id":"V1","hash":"h","state":{"values":{}}},
			  "actions":[{"block_id":"b","action_id":"a","selected_option":{"value":"42"}},{"block_id":"c","action_id":"d"}]}`,
			Interaction{
				Kind: BlockActions, Team: "T1", User: "U1", TriggerID: "1", View: &View{ID: "V1", Hash: "h", Values: map[string]map[string]Value{}},
				Action: Action{BlockID: "b", ActionID: "a", Selected: "42"},
			},
		},
		"a button in a message": {
			`{"type":"block_actions","team":{"id":"T1"},"enterprise":{"id":"E1"},"user":{"id":"W1","name":"ana"},"response_url":"https://hooks.slack.com/x",
			  "channel":{"id":"C1"},"container":{"message_ts":"1.2"},"message":{"ts":"1.2"},"actions":[{"block_id":"b","action_id":"a","value":"v"}]}`,
			Interaction{
				Kind: BlockActions, Team: "T1", Enterprise: "E1", User: "W1", UserName: "ana", ResponseURL: "https://hooks.slack.com/x",
				Channel: "C1", MessageTS: "1.2", Action: Action{BlockID: "b", ActionID: "a", Value: "v"},
			},
		},
		"a look-up of options in an app of a whole organisation": {
			`{"type":"block_suggestion","team":null,"enterprise":{"id":"E1"},"user":{"id":"U1"},"block_id":"server","action_id":"a","value":"db",
			  "view":{"id":"V1","app_installed_team_id":"T9"}}`,
			Interaction{
				Kind: BlockSuggestion, Team: "T9", Enterprise: "E1", User: "U1", View: &View{ID: "V1", Values: map[string]map[string]Value{}},
				Action: Action{BlockID: "server", ActionID: "a", Value: "db"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseInteraction([]byte(c.payload))
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
}

func TestParseInteractionRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ payload, problem string }{
		"no payload":                    {``, `field "payload" is missing`},
		"null":                          {`null`, `field "type" is missing`},
		"an array":                      {`[]`, "the payload is not the JSON that was expected"},
		"half a payload":                {submissionPayload[:400], "the payload is not the JSON that was expected"},
		"nobody":                        {`{"type":"view_submission","view":{"id":"V1"}}`, `field "user.id" is missing`},
		"a submission of no view":       {`{"type":"view_submission","user":{"id":"U1"}}`, `field "view.id" is missing`},
		"an action of none":             {`{"type":"block_actions","user":{"id":"U1"},"actions":[]}`, `field "actions" is missing`},
		"a look-up for no field":        {`{"type":"block_suggestion","user":{"id":"U1"}}`, `field "action_id" is missing`},
		"a type that nobody knows":      {`{"type":"wish","user":{"id":"U1"}}`, `unknown type of interaction "wish"`},
		"a shortcut of no app":          {`{"type":"shortcut","user":{"id":"U1"},"trigger_id":"1"}`, `field "callback_id" is missing`},
		"a shortcut without a trigger":  {`{"type":"shortcut","user":{"id":"U1"},"callback_id":"c"}`, `field "trigger_id" is missing`},
		"a menu of no channel":          {`{"type":"message_action","user":{"id":"U1"},"callback_id":"c","trigger_id":"1","message":{"ts":"1.2"}}`, `field "channel.id" is missing`},
		"a menu of no message":          {`{"type":"message_action","user":{"id":"U1"},"callback_id":"c","trigger_id":"1","channel":{"id":"C1"}}`, `field "message.ts" is missing`},
		"a number in place of a string": {`{"type":"view_closed","user":{"id":7},"view":{"id":"V1"}}`, "the payload is not the JSON that was expected"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseInteraction([]byte(c.payload))
			require.EqualError(t, err, c.problem)
		})
	}
}

func TestBothTransportsReadTheSameCommand(t *testing.T) {
	t.Parallel()
	want := Command{
		Team: "T1", Enterprise: "E1", User: "U1", UserName: "ana", Channel: "C1", ChannelName: "ops", Command: "/cancel-server",
		Text: "db1 & co", ResponseURL: "https://hooks.slack.com/c", TriggerID: "1.2",
	}
	form, err := url.ParseQuery("token=x&team_id=T1&enterprise_id=E1&user_id=U1&user_name=ana&channel_id=C1&channel_name=ops" +
		"&command=%2Fcancel-server&text=db1+%26+co&response_url=https%3A%2F%2Fhooks.slack.com%2Fc&trigger_id=1.2&is_enterprise_install=false")
	require.NoError(t, err)
	fromForm, err := parseCommand(form)
	require.NoError(t, err)
	assert.Equal(t, want, fromForm)
	fromSocket, err := parseCommandJSON([]byte(`{"token":"x","team_id":"T1","enterprise_id":"E1","user_id":"U1","user_name":"ana","channel_id":"C1",
		"channel_name":"ops","command":"/cancel-server","text":"db1 & co","response_url":"https://hooks.slack.com/c","trigger_id":"1.2","is_enterprise_install":"false"}`))
	require.NoError(t, err)
	assert.Equal(t, want, fromSocket)
}

func TestParseCommandRefusesWhatItCannotAnswer(t *testing.T) {
	t.Parallel()
	for _, field := range []string{"command", "user_id", "team_id", "trigger_id"} {
		form := url.Values{"command": {"/c"}, "user_id": {"U"}, "team_id": {"T"}, "trigger_id": {"1"}}
		form.Del(field)
		_, err := parseCommand(form)
		require.EqualError(t, err, `field "`+field+`" is missing`)
	}
}

func FuzzParseInteraction(f *testing.F) {
	f.Add([]byte(submissionPayload))
	f.Add([]byte(`{"type":"block_actions","user":{"id":"U"},"actions":[{}]}`))
	f.Add([]byte(`{"type":"block_suggestion","user":{"id":"U"},"action_id":"a","value":"<!channel>"}`))
	f.Add([]byte(`{"type":"view_closed","user":{"id":"U"},"view":{"id":"V","state":{"values":{"":{"":null}}},"blocks":[null]}}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		i, err := ParseInteraction(payload)
		if err != nil {
			if !utf8.ValidString(err.Error()) {
				t.Fatalf("the refusal is not text: %q", err.Error())
			}
			return
		}
		if i.User == "" || i.Kind == "" || i.Kind == ViewSubmission && i.View.ID == "" {
			t.Fatalf("accepted a payload without what the flows rest on: %+v", i)
		}
	})
}

func FuzzParseCommand(f *testing.F) {
	f.Add([]byte(`{"command":"/c","user_id":"U","team_id":"T","trigger_id":"1"}`))
	f.Add([]byte(`{"command":1}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		c, err := parseCommandJSON(payload)
		if err == nil && (c.Command == "" || c.User == "" || c.Team == "" || c.TriggerID == "") {
			t.Fatalf("accepted a command without what the flows rest on: %+v", c)
		}
	})
}
