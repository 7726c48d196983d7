package words

import (
	"encoding/json"

	"github.com/slack-go/slack"
)

// prepared is a block that was encoded once. It is the same in each form: nothing in it is about a
// person, a place, a freeze or the policy.
type prepared struct {
	slack.Block
	encoded json.RawMessage
}

// MarshalJSON returns the block as it was encoded.
func (p prepared) MarshalJSON() ([]byte, error) { return p.encoded, nil }

// The form's fields while nothing is in them.
var (
	emptyServer  = prepare(filledServer(nil))
	emptyReason  = prepare(filledReason(""))
	emptyContent = prepare(filledContent(""))
)

func prepare(b slack.Block) slack.Block {
	encoded, err := json.Marshal(b)
	if err != nil {
		return b // each use of it fails
	}
	return prepared{b, encoded}
}
