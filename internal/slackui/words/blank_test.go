package words

import (
	"encoding/json"
	"testing"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

// TestPreparedFieldsHoldNothingOfACommand has blank forms of other people, places, freezes and
// accounts end with the same fields, which are those of a form that was made anew.
func TestPreparedFieldsHoldNothingOfACommand(t *testing.T) {
	t.Parallel()
	anew, err := json.Marshal([]slack.Block{serverInput(Form{}), reasonInput(""), contentInput("")})
	require.NoError(t, err)
	for sealed, f := range map[string]Form{
		"sealed-of-ana": {Place: cancellation.Place{Channel: "C1", ChannelName: "ops"}},
		"sealed-of-raj": {
			Account: cancellation.Account{ID: "123456", Name: "Acme"}, Place: cancellation.Place{Channel: "D2"},
			Frozen: cancellation.Freeze{Frozen: true, Actor: "T1/U1", Why: "a reason of its own"}, Note: "a note of its own",
		},
	} {
		view := Writer{}.Modal(f, sealed)
		assert.Equal(t, sealed, view.PrivateMetadata)
		blocks := view.Blocks.BlockSet
		last, err := json.Marshal(blocks[len(blocks)-3:])
		require.NoError(t, err)
		assert.JSONEq(t, string(anew), string(last))
		first, err := json.Marshal(blocks[:len(blocks)-3])
		require.NoError(t, err)
		assert.Contains(t, string(first), f.Frozen.Why, "the freeze is of each command")
		assert.Contains(t, string(first), f.Note)
		assert.Contains(t, string(first), f.Account.ID)
	}
}
