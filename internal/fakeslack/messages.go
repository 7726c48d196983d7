package fakeslack

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// maxMessages bounds what the workspace remembers; the oldest go first.
const maxMessages = 5000

// message is one message as it stands in a channel.
type message struct {
	channel  string // C… or D…
	ts       string
	threadTS string
	user     string
	to       string // the only reader of an ephemeral message
	text     string
	blocks   []any
	metadata any

	attachments []any // of a message that is not the bot's

	mentions []string
	edited   bool
	unfurls  bool
}

// Message is what people see, and what tests read. Channel is the person's id
// where it is a direct message between them and the bot.
type Message struct {
	Channel  string   `json:"channel"`
	TS       string   `json:"ts"`
	ThreadTS string   `json:"thread_ts,omitempty"`
	User     string   `json:"user"`
	Text     string   `json:"text"`
	Blocks   []any    `json:"blocks"`
	To       string   `json:"to,omitempty"` // set on an ephemeral message: its only reader
	Edited   bool     `json:"edited,omitempty"`
	Metadata any      `json:"metadata,omitempty"`
	Mentions []string `json:"mentions,omitempty"` // whom it would notify: "channel", "here", "everyone", "U…", "S…"
	Unfurls  bool     `json:"unfurls,omitempty"`  // links in it would be unfolded
}

// Messages returns a conversation from its oldest message on. channel is a
// channel's id, or for direct messages a person's. With wait > 0 it returns at
// the next change in that conversation, or when the time is over.
func (w *Workspace) Messages(ctx context.Context, channel string, wait time.Duration) ([]Message, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	id, err := w.conversation(channel)
	if err != nil {
		return nil, err
	}
	if wait > 0 {
		w.awaitChange(ctx, id, wait)
	}
	return w.seenIn(id, channel), nil
}

// seenIn returns a conversation, which people call channel; the lock is held.
func (w *Workspace) seenIn(id, channel string) []Message {
	if u := w.directMessagesWith(id); u != nil {
		channel = u.ID
	}
	seen := []Message{}
	for _, m := range w.messages {
		if m.channel == id {
			seen = append(seen, m.seen(channel))
		}
	}
	return seen
}

// awaitChange returns once a conversation differs. The lock is held at the call and
// at the return, and is free while it waits.
func (w *Workspace) awaitChange(ctx context.Context, id string, wait time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for before := w.edits[id]; before == w.edits[id]; {
		changed := w.changed
		w.mu.Unlock()
		over := false
		select {
		case <-changed:
		case <-ctx.Done():
			over = true
		case <-w.done:
			over = true
		}
		w.mu.Lock()
		if over {
			return
		}
	}
}

// conversation resolves the id that people use; the lock is held.
func (w *Workspace) conversation(id string) (string, error) {
	if w.findChannel(id) != nil {
		return id, nil
	}
	if u := w.directMessagesWith(id); u != nil {
		return u.directMessages, nil
	}
	return "", unknownID("channel", id)
}

// post adds a message and returns it; the lock is held.
func (w *Workspace) post(m message) *message { return w.postAs(w.cast.BotUser, m) }

// postAs adds a message of this person's.
func (w *Workspace) postAs(user string, m message) *message {
	m.ts, m.user = w.timestamp(), user
	w.nameBlocks(m.blocks)
	if len(w.messages) >= maxMessages {
		w.messages = slices.Delete(w.messages, 0, 1)
	}
	w.messages = append(w.messages, &m)
	w.edits[m.channel]++
	w.answered(m.to)
	w.touch()
	return &m
}

// findMessage returns a message by channel and ts, or nil; the lock is held.
func (w *Workspace) findMessage(channel, ts string) *message {
	i := slices.IndexFunc(w.messages, func(m *message) bool { return m.channel == channel && m.ts == ts })
	if i < 0 {
		return nil
	}
	return w.messages[i]
}

// remove takes a message away; the lock is held.
func (w *Workspace) remove(m *message) {
	w.messages = slices.DeleteFunc(w.messages, func(other *message) bool { return other == m })
	w.edits[m.channel]++
	w.touch()
}

func (m *message) seen(channel string) Message {
	return Message{
		Channel: channel, TS: m.ts, ThreadTS: m.threadTS, User: m.user, Text: m.text, Blocks: orEmpty(m.blocks),
		To: m.to, Edited: m.edited, Metadata: m.metadata, Mentions: m.mentions, Unfurls: m.unfurls,
	}
}

// object is the message as the Web API and payloads show it.
// https://docs.slack.dev/reference/events/message
func (m *message) object(w *Workspace, metadata bool) response {
	object := response{
		"type": "message", "user": m.user, "team": w.identity.teamID, "ts": m.ts, "text": m.text, "blocks": orEmpty(m.blocks),
	}
	if m.user == w.cast.BotUser {
		object["bot_id"], object["app_id"] = w.identity.botID, w.identity.appID
	}
	if len(m.attachments) > 0 {
		object["attachments"] = m.attachments
	}
	if m.threadTS != "" {
		object["thread_ts"] = m.threadTS
	} else if w.hasReplies(m) { // a root has its own: https://docs.slack.dev/reference/methods/conversations.replies
		object["thread_ts"] = m.ts
	}
	if m.edited {
		object["edited"] = response{"user": m.user, "ts": m.ts}
	}
	if metadata && m.metadata != nil {
		object["metadata"] = m.metadata
	}
	return object
}

// hasReplies reports whether a message is the root of a thread; replies are younger.
func (w *Workspace) hasReplies(root *message) bool {
	for _, m := range slices.Backward(w.messages) {
		switch {
		case m == root:
			return false
		case m.channel == root.channel && m.threadTS == root.ts && m.to == "":
			return true
		}
	}
	return false
}

func orEmpty(blocks []any) []any {
	if blocks == nil {
		return []any{}
	}
	return blocks
}

// control matches the sequences of mrkdwn that notify somebody.
// https://docs.slack.dev/messaging/formatting-message-text#advanced
var control = regexp.MustCompile(`<!(channel|here|everyone)(?:\|[^>]*)?>|<!subteam\^(S[A-Z0-9]+)(?:\|[^>]*)?>|<@([UW][A-Z0-9]+)(?:\|[^>]*)?>`)

// bare matches what link_names or parse=full would make a mention.
var bare = regexp.MustCompile(`@(channel|here|everyone)\b`)

// mentionsIn returns whom a message would notify. Slack unescapes no entity
// before it looks, so escaped text is inert.
func mentionsIn(text string, blocks []any, linkNames bool) []string {
	var found []string
	collect := func(s string) {
		for _, match := range control.FindAllStringSubmatch(s, -1) {
			found = append(found, match[1]+match[2]+match[3])
		}
		if linkNames {
			for _, match := range bare.FindAllStringSubmatch(s, -1) {
				found = append(found, match[1])
			}
		}
	}
	collect(text)
	for _, b := range blocks {
		walkObjects(b, func(object map[string]any) {
			switch object["type"] {
			case "mrkdwn":
				collect(str(object["text"]))
			case "user":
				found = append(found, str(object["user_id"]))
			case "usergroup":
				found = append(found, str(object["usergroup_id"]))
			case "broadcast":
				found = append(found, str(object["range"]))
			}
		})
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// walkObjects visits each object in a JSON value, outer ones first.
func walkObjects(v any, visit func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		visit(v)
		for _, child := range v {
			walkObjects(child, visit)
		}
	case []any:
		for _, child := range v {
			walkObjects(child, visit)
		}
	}
}

// str returns a JSON value that is a string, or "".
func str(v any) string {
	s, _ := v.(string)
	return s
}

// Said is a message that a person, or another app in a person's name, writes in a channel.
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

// domainLike finds text that Slack turns into a link when a person types it.
var domainLike = regexp.MustCompile(`\b(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+(?:com|net|org|io)\b`)

// sent is typed text as messages carry it: the three characters of markup escaped, and
// names that look like domains made into links.
// https://docs.slack.dev/messaging/formatting-message-text
func sent(typed string) string {
	escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(typed)
	return domainLike.ReplaceAllString(escaped, "<http://$0|$0>")
}
