package fakeslack

import "unicode/utf8"

// The lengths of a message's text. https://docs.slack.dev/reference/methods/chat.postMessage,
// https://docs.slack.dev/reference/methods/chat.update
const (
	maxPostedText  = 40000
	maxUpdatedText = 4000
)

// content is what a message says, read from a call.
type content struct {
	text        string
	blocks      []any
	metadata    any
	hasBlocks   bool // the argument was there, maybe as an empty array
	hasMetadata bool
	unfurls     bool
	mentions    []string
}

// readContent reads and checks text, blocks and metadata.
func (c call) readContent() (content, *apiError) {
	said := content{text: c.text("text"), unfurls: c.text("unfurl_links") != "false" || c.text("unfurl_media") != "false"}
	value, known, err := c.value("blocks")
	if err != nil {
		return said, fail("invalid_blocks_format").because("[ERROR] blocks must be a JSON array [json-pointer:/blocks]")
	}
	if known {
		blocks, problems := checkMessageBlocks(value)
		if len(problems) > 0 {
			return said, fail("invalid_blocks").because(problems...)
		}
		said.blocks, said.hasBlocks = blocks, true
	}
	if said.metadata, said.hasMetadata, err = c.value("metadata"); err != nil || !validMetadata(said.metadata) {
		return said, fail("invalid_metadata_format").broke("metadata is an object with event_type and event_payload", "https://docs.slack.dev/messaging/message-metadata")
	}
	linkNames := c.flag("link_names") || c.text("parse") == "full"
	said.mentions = mentionsIn(said.text, said.blocks, linkNames)
	return said, nil
}

func validMetadata(v any) bool {
	if v == nil {
		return true
	}
	object, ok := v.(map[string]any)
	if !ok {
		return false
	}
	_, payload := object["event_payload"].(map[string]any)
	return len(object) == 0 || str(object["event_type"]) != "" && payload
}

func (said content) empty() bool { return said.text == "" && len(said.blocks) == 0 }

// chatPostMessage is https://docs.slack.dev/reference/methods/chat.postMessage
func (w *Workspace) chatPostMessage(c call) (response, *apiError) {
	channel, err := w.writable(c.text("channel"))
	if err != nil {
		return nil, err
	}
	said, err := c.readContent()
	if err != nil {
		return nil, err
	}
	if said.empty() {
		return nil, fail("no_text")
	}
	if utf8.RuneCountInString(said.text) > maxPostedText {
		said.text = string([]rune(said.text)[:maxPostedText])
	}
	m := w.post(message{channel: channel, threadTS: c.text("thread_ts")}.saying(said))
	return response{"channel": m.channel, "ts": m.ts, "message": m.object(w, true)}, nil
}

// saying fills a message with its content.
func (m message) saying(said content) message {
	m.text, m.blocks, m.metadata, m.mentions, m.unfurls = said.text, said.blocks, said.metadata, said.mentions, said.unfurls
	return m
}

// chatUpdate is https://docs.slack.dev/reference/methods/chat.update: blocks and
// metadata that are not given stay; an empty array of blocks takes them away.
func (w *Workspace) chatUpdate(c call) (response, *apiError) {
	channel := c.text("channel")
	if u := w.directMessagesWith(channel); u != nil {
		channel = u.directMessages
	} else if ch := w.findChannel(channel); ch == nil || ch.IsPrivate && !ch.BotIn {
		return nil, fail("channel_not_found")
	} else if ch.IsArchived {
		return nil, fail("is_archived")
	}
	m := w.findMessage(channel, c.text("ts"))
	switch {
	case m == nil || m.to != "":
		return nil, fail("message_not_found")
	case m.user != w.cast.BotUser:
		return nil, fail("cant_update_message")
	}
	said, err := c.readContent()
	if err != nil {
		return nil, err
	}
	if utf8.RuneCountInString(said.text) > maxUpdatedText {
		return nil, fail("msg_too_long").broke("chat.update takes 4000 characters of text", "https://docs.slack.dev/reference/methods/chat.update")
	}
	if said.text == "" && !said.hasBlocks {
		return nil, fail("no_text")
	}
	w.edit(m, said)
	return response{"channel": m.channel, "ts": m.ts, "text": m.text, "message": m.object(w, true)}, nil
}

// edit replaces what a message says; the lock is held.
func (w *Workspace) edit(m *message, said content) {
	if !said.hasBlocks {
		said.blocks = m.blocks
		said.mentions = mentionsIn(said.text, said.blocks, false)
	}
	if !said.hasMetadata {
		said.metadata = m.metadata
	}
	said.unfurls = m.unfurls
	w.nameBlocks(said.blocks)
	*m = m.saying(said)
	m.edited = true
	w.edits[m.channel]++
	w.touch()
}

// chatPostEphemeral is https://docs.slack.dev/reference/methods/chat.postEphemeral
func (w *Workspace) chatPostEphemeral(c call) (response, *apiError) {
	channel, err := w.writable(c.text("channel"))
	if err != nil {
		return nil, err
	}
	reader := c.text("user")
	if !w.sees(reader, channel) {
		return nil, fail("user_not_in_channel")
	}
	said, err := c.readContent()
	if err != nil {
		return nil, err
	}
	if said.empty() {
		return nil, fail("no_text")
	}
	m := w.post(message{channel: channel, to: reader, threadTS: c.text("thread_ts")}.saying(said))
	return response{"message_ts": m.ts}, nil
}
