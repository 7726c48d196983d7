package cancellation

import (
	"strings"
	"time"
)

// Notice is one message about a request: what is owed to people, and what they have been shown. A
// request has at most one of each kind.
type Notice struct {
	RequestID string
	Kind      NoticeKind
	Version   int64 // fencing token of the notice's row, not of the request's

	Place   Place  // where the message is owed
	Channel string // channel id in Slack's answer to the post; "" while there is none
	TS      string // Slack's ts of the message
	Shown   int64  // Request.Version that the message shows; 0 for none

	Way      Way       // how this request's results reach people
	Posting  bool      // "about to post" is written and no answer is recorded
	Posts    int       // chat.postMessage calls announced
	Attempts int       // tries in a row that failed, for the back-off
	Due      time.Time // when the Notifier works on it next; zero if nothing is owed

	// DueIn sets Due to this long after the commit of ApplyNotice; zero leaves Due as it is.
	DueIn time.Duration
}

// NoticeKind is what a notice is about. The words are stored.
type NoticeKind string

const (
	// Result is a request's root message in the place where it was asked for. It shows the
	// present state, and is edited when that changes.
	Result NoticeKind = "result"
	// ApprovalCard is the request's message in the operators' channel, where approvers are.
	ApprovalCard NoticeKind = "card"
	// Reminder tells approvers in a channel, once, that a request still waits for them.
	Reminder NoticeKind = "reminder"
	// Alarm tells the operators' channel, once, that a request takes too long.
	Alarm NoticeKind = "alarm"
)

const (
	direct         = "direct:"
	directReminder = "reminder:"
)

// Direct is the request's message to one person, by direct message.
func Direct(user string) NoticeKind { return NoticeKind(direct + user) }

// DirectReminder is the Reminder of one person who was asked by direct message.
func DirectReminder(user string) NoticeKind { return NoticeKind(directReminder + user) }

// Reminds reports whether a notice of this kind is a Reminder, in a channel or direct.
func (k NoticeKind) Reminds() bool {
	return k == Reminder || strings.HasPrefix(string(k), directReminder)
}

// Recipient is the Slack user that a Direct notice is for; "" for the other kinds.
func (k NoticeKind) Recipient() string {
	user, found := strings.CutPrefix(string(k), direct)
	if !found {
		return ""
	}
	return user
}

// Once reports whether a notice of this kind is posted once. The others show the request's present
// state, and are edited when that changes.
func (k NoticeKind) Once() bool { return k == Alarm || k.Reminds() }

// extra reports whether a notice of this kind only asks or tells people in addition to the result
// message. If Slack refuses such a notice, and it no longer asks for anything, it is given up.
func (k NoticeKind) extra() bool { return k != Result && k != Alarm }

// Way is how a notice is delivered: by the channel or, if that refuses, by the next best way.
type Way string

const (
	// ByChannel: the channel where the command was typed.
	ByChannel Way = ""
	// ByResponse: the command's response_url, which lives 30 minutes and leaves no
	// message that could be edited.
	ByResponse Way = "response_url"
	// ByDirect: a direct message to the requester.
	ByDirect Way = "direct"
)

// Posted identifies a posted message. Both fields are needed to edit it. A message sent by
// response_url has neither.
type Posted struct {
	Channel string
	TS      string
}

// Delivery is the outcome of a message to Slack.
type Delivery int

const (
	// Delivered: Slack answered ok, with a ts if a message was posted.
	Delivered Delivery = iota
	// Undelivered: certainly nothing was posted. Try again after the pause.
	Undelivered
	// Refusing: this place refuses for good (not in the channel, archived, ...), or Slack
	// refuses the bot's token. Try the next best place.
	Refusing
	// Lost: the call was made and its answer is lost. The message may have been posted.
	Lost
)
