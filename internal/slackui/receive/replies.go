package receive

import (
	"bytes"
	"encoding/json"

	"github.com/slack-go/slack"
)

// MaxReply is what an acknowledgement may hold in bytes; Socket Mode takes less than 20,480
// (https://github.com/slack-go/slack, socketmode).
const MaxReply = 18_000

// Ephemeral answers a command with a message that only the asker sees.
func Ephemeral(text string, blocks []slack.Block) Reply {
	return reply(struct {
		Type   string        `json:"response_type"`
		Text   string        `json:"text"`
		Blocks []slack.Block `json:"blocks"`
	}{"ephemeral", text, blocks})
}

// FieldErrors answers a submission with what is wrong at each block; the form stays.
func FieldErrors(at map[string]string) Reply { return reply(slack.NewErrorsViewSubmissionResponse(at)) }

// FieldError is FieldErrors with one error.
func FieldError(block, text string) Reply { return FieldErrors(map[string]string{block: text}) }

// UpdateView answers a submission with a view in the form's place.
func UpdateView(view slack.ModalViewRequest) Reply {
	return reply(slack.NewUpdateViewSubmissionResponse(&view))
}

// PushView answers a submission with a view over the form, which stays and can be corrected.
func PushView(view slack.ModalViewRequest) Reply {
	return reply(slack.NewPushViewSubmissionResponse(&view))
}

// SelectOptions answers the typeahead with as many options as fit. An empty list is written out:
// slack.OptionsResponse would leave it away.
func SelectOptions(all []*slack.OptionBlockObject) Reply {
	const frame = `{"options":[]}`
	var list bytes.Buffer
	list.WriteString(`{"options":[`)
	for n, one := range all {
		option, err := json.Marshal(one)
		if err != nil || list.Len()+len(option)+len(frame) > MaxReply {
			break
		}
		if n > 0 {
			list.WriteByte(',')
		}
		list.Write(option)
	}
	list.WriteString(`]}`)
	return Reply(list.Bytes())
}

func reply(body any) Reply {
	data, _ := json.Marshal(body) // our own views, strings and numbers: always JSON
	return data
}
