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

func TestPracticeMarksAcknowledgementsAsViews(t *testing.T) {
	t.Parallel()
	for _, view := range everyView(t) {
		reply, err := json.Marshal(map[string]any{"response_action": "push", "view": view})
		require.NoError(t, err)
		want, err := json.Marshal(map[string]any{"response_action": "push", "view": PracticeView(view)})
		require.NoError(t, err)
		if !strings.Contains(string(want), `"confirm":`) { // no view with a dialog acknowledges anything
			assert.JSONEq(t, string(want), string(PracticeReply(reply)))
		}
	}
	text, blocks := PracticeMessage("Hello.", []slack.Block{block("", sentence("Hello."))})
	want, err := json.Marshal(map[string]any{"response_type": "ephemeral", "text": text, "blocks": blocks})
	require.NoError(t, err)
	assert.JSONEq(t, string(want), string(PracticeReply([]byte(`{"response_type": "ephemeral", "text": "Hello.", "blocks": [
		{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "Hello."}]}]}]}`))))
	for _, as := range []string{"", `{"options":[]}`, `{"response_action":"errors","errors":{"reason":"Choose one."}}`} {
		assert.Equal(t, as, string(PracticeReply([]byte(as))), "nothing to mark")
	}
}
