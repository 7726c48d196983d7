package receive

import (
	"encoding/json"
	"testing"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAnEphemeralReplyIsForTheAskerOnly(t *testing.T) {
	t.Parallel()
	reply := Ephemeral("Nothing was filed.", []slack.Block{slack.NewDividerBlock()})
	assert.JSONEq(t, `{"response_type":"ephemeral","text":"Nothing was filed.","blocks":[{"type":"divider"}]}`, string(reply))
}

func TestOptionsAreWrittenAsSlackGoEncodesThem(t *testing.T) {
	t.Parallel()
	var all []*slack.OptionBlockObject
	for n, text := range []string{"db-042.example.com", "", `a "quoted" \ name`, "a<b>&c", "é😀\u2028\x00\x7f\xff", "a\tb", "\ufffd", "\u2028", "é · x"} {
		option := slack.NewOptionBlockObject("id "+text, plainText(text), plainText("about "+text))
		if n == 0 {
			option.Description = nil
		}
		all = append(all, option)
	}
	theirs, err := json.Marshal(map[string]any{"options": all})
	require.NoError(t, err)
	assert.Equal(t, string(theirs), string(SelectOptions(all)), "and so takes no more room in Socket Mode")
}

func plainText(text string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, text, false, false)
}
