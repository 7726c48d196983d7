package words

import (
	"encoding/json"
	"testing"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/slacktest"
)

func TestPreparedFieldsAreTheSameInEachForm(t *testing.T) {
	t.Parallel()
	const foreign = "of-one-form-alone"
	place := cancellation.Place{Channel: foreign, ChannelName: foreign, ResponseURL: foreign}
	frozen := cancellation.Freeze{Frozen: true, Actor: foreign, Why: foreign, At: slacktest.Noon}
	view := testWords().Modal(Form{Account: cancellation.Account{ID: foreign, Name: foreign}, Place: place, Frozen: frozen, Note: foreign}, foreign)
	count := 0
	for _, b := range view.Blocks.BlockSet {
		if p, is := b.(prepared); is {
			count++
			encoded, err := json.Marshal(p)
			require.NoError(t, err)
			assert.NotContains(t, string(encoded), foreign, "nothing of a person, a place, a freeze or a policy")
			fresh, err := json.Marshal(p.Block)
			require.NoError(t, err)
			assert.Equal(t, string(fresh), string(encoded), "nobody changed the block after it was prepared")
		}
	}
	assert.Equal(t, 4, count)
	for name, b := range map[string]slack.Block{ServerBlock: filledServer(nil), ReasonBlock: filledReason(""), ContentBlock: filledContent("")} {
		assert.Equal(t, name, b.ID())
	}
}
