package fakeslack

import (
	"context"
	"fmt"
	"regexp"
	"strings"
)

// Said is what a person, or another app under a person's name, writes in a channel.
type Said struct {
	User        string `json:"user"`
	Channel     string `json:"channel"` // a channel's id, or the person's own for their direct messages with the bot
	Text        string `json:"text"`    // as typed
	ThreadTS    string `json:"thread_ts,omitempty"`
	Blocks      []any  `json:"blocks,omitempty"`      // unchecked: not the bot's
	Attachments []any  `json:"attachments,omitempty"` // the same
}

// Say posts a message that is not the bot's.
func (w *Workspace) Say(_ context.Context, s Said) (Message, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.findUser(s.User) == nil {
		return Message{}, unknownID("user", s.User)
	}
	channel, err := w.conversation(s.Channel)
	switch {
	case err != nil:
		return Message{}, err
	case s.Text == "" && len(s.Blocks)+len(s.Attachments) == 0:
		return Message{}, fmt.Errorf("saying something: it is empty")
	}
	text := sent(s.Text)
	m := w.postAs(s.User, message{channel: channel, threadTS: s.ThreadTS, text: text, blocks: s.Blocks, attachments: s.Attachments})
	return m.seen(s.Channel), nil
}

// domainLike finds what Slack makes a link of as somebody types it.
var domainLike = regexp.MustCompile(`\b(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+(?:com|net|org|io)\b`)

// sent is typed text as messages carry it: the three characters of markup escaped, and
// names that look like domains made into links.
// https://docs.slack.dev/messaging/formatting-message-text
func sent(typed string) string {
	escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(typed)
	return domainLike.ReplaceAllString(escaped, "<http://$0|$0>")
}
