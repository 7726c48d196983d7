package receive

import (
	"encoding/json"
	"unicode/utf8"

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
	const begin, end = `{"options":[`, `]}`
	list := append(make([]byte, 0, len(begin)+len(end)+min(len(all)*optionRoom, MaxReply)), begin...)
	for n, one := range all {
		fits := list
		if n > 0 {
			list = append(list, ',')
		}
		if list = appendOption(list, one); len(list)+len(end) > MaxReply {
			list = fits
			break
		}
	}
	return append(list, end...)
}

// optionRoom is about what an option takes in JSON.
const optionRoom = 220

// appendOption writes an option of plain text. Encoding it by reflection costs more than finding it.
func appendOption(to []byte, o *slack.OptionBlockObject) []byte {
	to = append(to, `{"text":`...)
	to = appendPlainText(to, o.Text)
	to = append(to, `,"value":`...)
	to = appendString(to, o.Value)
	if o.Description != nil {
		to = append(to, `,"description":`...)
		to = appendPlainText(to, o.Description)
	}
	return append(to, '}')
}

func appendPlainText(to []byte, text *slack.TextBlockObject) []byte {
	to = append(to, `{"type":"plain_text","text":`...)
	to = appendString(to, text.Text)
	return append(to, `,"emoji":false}`...)
}

// appendString writes a string as json.Marshal does.
func appendString(to []byte, text string) []byte {
	if !bare(text) {
		quoted, _ := json.Marshal(text) // a string is always JSON
		return append(to, quoted...)
	}
	return append(append(append(to, '"'), text...), '"')
}

// bare reports whether a string stands in JSON as it is.
func bare(text string) bool {
	for _, r := range text {
		switch r {
		case '"', '\\', '<', '>', '&', '\u2028', '\u2029', utf8.RuneError:
			return false
		}
		if r < ' ' {
			return false
		}
	}
	return true
}

func reply(body any) Reply {
	data, _ := json.Marshal(body) // our own views, strings and numbers: always JSON
	return data
}
