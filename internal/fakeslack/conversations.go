package fakeslack

import (
	"slices"
	"strconv"
	"strings"
)

// channel is one public or private channel. Direct messages with the bot are
// kept with the person, not here.
type channel struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	IsPrivate   bool     `json:"is_private"`
	IsArchived  bool     `json:"is_archived"`
	IsExtShared bool     `json:"is_ext_shared"` // with another company
	BotIn       bool     `json:"bot_in"`
	Members     []string `json:"members"`
}

// findChannel returns the channel of this id, or nil; the lock is held.
func (w *Workspace) findChannel(id string) *channel {
	i := slices.IndexFunc(w.channels, func(c *channel) bool { return c.ID == id })
	if i < 0 {
		return nil
	}
	return w.channels[i]
}

// directMessagesWith returns whom the bot talks to under this id: a person's own
// id or that of the channel between the two.
func (w *Workspace) directMessagesWith(id string) *user {
	i := slices.IndexFunc(w.users, func(u *user) bool { return u.ID == id || u.directMessages == id })
	if i < 0 {
		return nil
	}
	return w.users[i]
}

// writable resolves where the bot may post: a channel it is in, a person it may
// write to, or with chat:write.public any public channel.
// Errors as in https://docs.slack.dev/reference/methods/chat.postMessage
func (w *Workspace) writable(id string) (string, *apiError) {
	if u := w.directMessagesWith(id); u != nil {
		w.answered(u.ID)
		if u.IsBot || u.IsStranger || u.Deleted {
			return "", fail("channel_not_found")
		}
		return u.directMessages, nil
	}
	c := w.findChannel(id)
	switch {
	case c == nil, c.IsPrivate && !c.BotIn:
		return "", fail("channel_not_found")
	case c.IsArchived:
		return "", fail("is_archived")
	case !c.BotIn && !slices.Contains(w.opts.Scopes, "chat:write.public"):
		return "", fail("not_in_channel")
	}
	return c.ID, nil
}

// conversationsOpen is https://docs.slack.dev/reference/methods/conversations.open,
// for a direct message with one person.
func (w *Workspace) conversationsOpen(c call) (response, *apiError) {
	ids := strings.Split(c.text("users"), ",")
	if c.text("users") == "" || len(ids) > 1 {
		return nil, fail("invalid_arguments").because("[ERROR] this workspace opens direct messages with exactly one of `users` [json-pointer:/users]")
	}
	u := w.findUser(strings.TrimSpace(ids[0]))
	switch {
	case u == nil:
		return nil, fail("user_not_found")
	case u.Deleted:
		w.answered(u.ID)
		return nil, fail("user_disabled")
	case u.IsBot || u.IsStranger:
		w.answered(u.ID)
		return nil, fail("cannot_dm_bot")
	}
	return response{"channel": response{"id": u.directMessages}}, nil
}

// conversationsInfo is https://docs.slack.dev/reference/methods/conversations.info, of a channel.
// A private channel is not found unless the bot is in it.
func (w *Workspace) conversationsInfo(c call) (response, *apiError) {
	found := w.findChannel(c.text("channel"))
	if found == nil || found.IsPrivate && !found.BotIn {
		return nil, fail("channel_not_found")
	}
	scope := "channels:read"
	if found.IsPrivate {
		scope = "groups:read"
	}
	if !slices.Contains(w.opts.Scopes, scope) {
		return nil, w.missingScope(scope)
	}
	return response{"channel": response{ // https://docs.slack.dev/reference/objects/conversation-object
		"id": found.ID, "name": found.Name, "name_normalized": found.Name, "is_channel": true, "is_group": false, "is_im": false,
		"is_mpim": false, "is_private": found.IsPrivate, "is_archived": found.IsArchived, "is_general": false,
		"is_shared": found.IsExtShared, "is_ext_shared": found.IsExtShared, "is_org_shared": false, "is_pending_ext_shared": false,
		"is_member": found.BotIn, "created": 1700000000, "creator": w.cast.User, "unlinked": 0,
	}}, nil
}

// conversationsHistory is https://docs.slack.dev/reference/methods/conversations.history
// without cursors: the newest messages first, at most `limit`.
func (w *Workspace) conversationsHistory(c call) (response, *apiError) {
	id := c.text("channel")
	if err := w.readable(id); err != nil {
		return nil, err
	}
	if u := w.directMessagesWith(id); u != nil {
		id = u.directMessages
	}
	limit, err := strconv.Atoi(c.text("limit"))
	if err != nil || limit < 1 || limit > 999 {
		limit = 100
	}
	found := []response{}
	for _, m := range slices.Backward(w.messages) {
		if m.channel == id && m.to == "" && m.threadTS == "" && inWindow(m.ts, c) && len(found) <= limit {
			found = append(found, m.object(w, c.flag("include_all_metadata")))
		}
	}
	more := len(found) > limit
	return response{"messages": found[:min(limit, len(found))], "has_more": more}, nil
}

// conversationsReplies is https://docs.slack.dev/reference/methods/conversations.replies
// without cursors: the thread's root first, then at most `limit` messages in their order.
func (w *Workspace) conversationsReplies(c call) (response, *apiError) {
	id, root := c.text("channel"), c.text("ts")
	if err := w.readable(id); err != nil {
		return nil, err
	}
	if u := w.directMessagesWith(id); u != nil {
		id = u.directMessages
	}
	if w.findMessage(id, root) == nil {
		return nil, fail("thread_not_found")
	}
	limit, err := strconv.Atoi(c.text("limit"))
	if err != nil || limit < 1 || limit > 999 {
		limit = 1000
	}
	found := []response{}
	for _, m := range w.messages {
		inThread := m.ts == root || m.threadTS == root && inWindow(m.ts, c)
		if m.channel == id && m.to == "" && inThread && len(found) <= limit {
			found = append(found, m.object(w, c.flag("include_all_metadata")))
		}
	}
	return response{"messages": found[:min(limit, len(found))], "has_more": len(found) > limit}, nil
}

// readable says why the bot may not read a conversation's history, or nil.
func (w *Workspace) readable(id string) *apiError {
	scope, member := "im:history", true
	if w.directMessagesWith(id) == nil {
		c := w.findChannel(id)
		if c == nil || c.IsPrivate && !c.BotIn {
			return fail("channel_not_found")
		}
		scope, member = "channels:history", c.BotIn
		if c.IsPrivate {
			scope = "groups:history"
		}
	}
	if !slices.Contains(w.opts.Scopes, scope) {
		return w.missingScope(scope)
	}
	if !member {
		return fail("not_in_channel")
	}
	return nil
}

// inWindow reports whether a message time lies between `oldest` and `latest`, which
// compare as text because both have ten digits before the point.
func inWindow(ts string, c call) bool {
	oldest, latest := c.text("oldest"), c.text("latest")
	if c.flag("inclusive") && (ts == oldest || ts == latest) {
		return true
	}
	return ts > oldest && (latest == "" || ts < latest)
}

// sees reports whether a person is in a conversation; the lock is held.
func (w *Workspace) sees(userID, id string) bool {
	if u := w.directMessagesWith(id); u != nil {
		return u.ID == userID
	}
	c := w.findChannel(id)
	return c != nil && slices.Contains(c.Members, userID)
}
