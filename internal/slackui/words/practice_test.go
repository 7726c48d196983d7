package words

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/slacktest"
)

// goldenPractice is what a bot shows that only practises.
func goldenPractice() map[string]any {
	w := testWords()
	message := func(m Message) any {
		m.Text, m.Blocks = PracticeMessage(m.Text, m.Blocks)
		return sent(m)
	}
	return map[string]any{
		"form":     PracticeView(goldenForms()["card-filled"]),
		"decline":  PracticeView(DeclineForm(slacktest.Request(cancellation.Pending))),
		"recorded": PracticeView(Recorded(slacktest.Request(cancellation.Scheduled), cancellation.Freeze{})),
		"card":     message(w.Live(cancellation.ApprovalCard, slacktest.Request(cancellation.Pending, slacktest.WaitsForTwo))),
		"end": message(w.Live(cancellation.Result, slacktest.Request(cancellation.Rejected, slacktest.ApprovedBy("U8"),
			slacktest.Because(cancellation.WhyPractice, "")))),
		"home": PracticeView(goldenHomes()["full"]),
		"help": message(w.Help()),
	}
}

// everyView is every view that has a golden file.
func everyView(t *testing.T) (all []View) {
	t.Helper()
	for _, archive := range screens(t) {
		for _, shown := range archive {
			if view, is := shown.(View); is {
				all = append(all, view)
			}
		}
	}
	require.Greater(t, len(all), 40)
	return all
}

func TestPracticeLeavesRoomForEachTitle(t *testing.T) {
	t.Parallel()
	titles := map[string]bool{}
	for _, view := range everyView(t) {
		blocks := len(view.Blocks.BlockSet)
		marked := PracticeView(view)
		assert.Len(t, view.Blocks.BlockSet, blocks, "the view itself stays as it was")
		assert.LessOrEqual(t, len(marked.Blocks.BlockSet), 100, "https://docs.slack.dev/reference/views/")
		if view.Title == nil || strings.HasPrefix(view.Title.Text, practiceTitle) {
			continue
		}
		title := marked.Title.Text
		assert.True(t, strings.HasPrefix(title, "PRACTICE "), title)
		assert.LessOrEqual(t, len(utf16.Encode([]rune(title))), maxTitle, title)
		assert.NotContains(t, title, "…", "%q has a shorter title for practice", view.Title.Text)
		titles[view.Title.Text] = true
	}
	for long := range shortTitles {
		assert.Greater(t, len(practiceTitle+long), maxTitle, "%q has room", long)
		assert.True(t, titles[long], "%q is a title", long)
	}
}

// dialogs are those in which the buttons of a message or a view ask before they do anything.
func dialogs(t *testing.T, of any) (all []*slack.ConfirmationBlockObject) {
	t.Helper()
	encoded, err := json.Marshal(of)
	require.NoError(t, err)
	var walk func(part any)
	walk = func(part any) {
		switch is := part.(type) {
		case []any:
			for _, each := range is {
				walk(each)
			}
		case map[string]any:
			for name, each := range is {
				if name != "confirm" {
					walk(each)
					continue
				}
				one, err := json.Marshal(each)
				require.NoError(t, err)
				dialog := &slack.ConfirmationBlockObject{}
				require.NoError(t, json.Unmarshal(one, dialog))
				all = append(all, dialog)
			}
		}
	}
	var decoded any
	require.NoError(t, json.Unmarshal(encoded, &decoded))
	walk(decoded)
	return all
}

func TestPracticeMarksEachDialogWithinItsLimits(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, archive := range screens(t) {
		for name, shown := range archive {
			encoded, err := json.Marshal(shown)
			require.NoError(t, err)
			var message struct {
				Blocks slack.Blocks `json:"blocks"`
			}
			if json.Unmarshal(encoded, &message) != nil || strings.HasPrefix(name, "practice") {
				continue
			}
			_, marked := PracticeMessage("", message.Blocks.BlockSet)
			for _, dialog := range dialogs(t, marked) {
				seen++
				assert.True(t, strings.HasPrefix(dialog.Title.Text, "PRACTICE "), "%s: %s", name, dialog.Title.Text)
				assert.True(t, strings.HasPrefix(dialog.Text.Text, "PRACTICE: nothing is filed. "), "%s: %s", name, dialog.Text.Text)
				assert.LessOrEqual(t, len(utf16.Encode([]rune(dialog.Title.Text))), 100, name)
				assert.LessOrEqual(t, len(utf16.Encode([]rune(dialog.Text.Text))), 300, name)
				assert.LessOrEqual(t, len(utf16.Encode([]rune(dialog.Confirm.Text))), 30, name)
			}
		}
	}
	assert.Greater(t, seen, 5)
	w := testWords()
	long := slacktest.Request(cancellation.Pending)
	long.Submission.Card.Server.FQDN = strings.Repeat("very-long.", 25) + "example.com"
	_, marked := PracticeMessage("", w.Live(cancellation.ApprovalCard, long).Blocks)
	for _, dialog := range dialogs(t, marked) {
		assert.LessOrEqual(t, len(utf16.Encode([]rune(dialog.Text.Text))), 300)
	}
}

func TestPracticeMarksAcknowledgementsAsViews(t *testing.T) {
	t.Parallel()
	for _, view := range everyView(t) {
		reply, err := json.Marshal(map[string]any{"response_action": "push", "view": view})
		require.NoError(t, err)
		want, err := json.Marshal(map[string]any{"response_action": "push", "view": PracticeView(view)})
		require.NoError(t, err)
		assert.JSONEq(t, string(want), string(PracticeReply(reply)))
	}
	w := testWords()
	text, blocks := PracticeMessage("Hello.", []slack.Block{block("", sentence("Hello."))})
	want, err := json.Marshal(map[string]any{"response_type": "ephemeral", "text": text, "blocks": blocks})
	require.NoError(t, err)
	assert.JSONEq(t, string(want), string(PracticeReply([]byte(`{"response_type": "ephemeral", "text": "Hello.", "blocks": [
		{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "Hello."}]}]}]}`))))
	asks := w.Live(cancellation.ApprovalCard, slacktest.Request(cancellation.Pending)).Blocks
	_, blocks = PracticeMessage("", asks)
	reply, err := json.Marshal(map[string]any{"blocks": asks})
	require.NoError(t, err)
	want, err = json.Marshal(map[string]any{"blocks": blocks})
	require.NoError(t, err)
	assert.JSONEq(t, string(want), string(PracticeReply(reply)), "dialogs too")
	for _, as := range []string{"", `{"options":[]}`, `{"response_action":"errors","errors":{"reason":"Choose one."}}`} {
		assert.Equal(t, as, string(PracticeReply([]byte(as))), "nothing to mark")
	}
}
