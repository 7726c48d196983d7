package receive

import (
	"testing"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/assert"
)

func TestAnEphemeralReplyIsForTheAskerOnly(t *testing.T) {
	t.Parallel()
	reply := Ephemeral("Nothing was filed.", []slack.Block{slack.NewDividerBlock()})
	assert.JSONEq(t, `{"response_type":"ephemeral","text":"Nothing was filed.","blocks":[{"type":"divider"}]}`, string(reply))
}
