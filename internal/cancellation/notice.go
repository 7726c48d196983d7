package cancellation

import (
	"fmt"
	"slices"
	"strconv"
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

	early   bool  // of a batch: something of it is under way
	showing int64 // what Shown becomes when the delivery that is under way has succeeded
}

// Announcement claims a request's Result notice in the transaction of the change that it shows, and
// records "about to post" there.
type Announcement struct {
	Owner  string
	Lease  time.Duration
	LostIn time.Duration // when the notice is due again, if no answer is recorded until then
}

// Announced is what became of a change with an Announcement.
type Announced struct {
	Request Request // as stored
	Result  Notice  // claimed and announced; the zero Notice if its post cannot come next
	Rest    bool    // other notices may be due
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
	said           = "said:"
	endedFor       = "ended:"
	escalated      = "escalated:"
	escalatedHere  = "escalated-here:"
	written        = "update:"
	proposed       = "proposal:"
)

// Direct is the request's message to one person, by direct message.
func Direct(user string) NoticeKind { return NoticeKind(direct + user) }

// DirectReminder is the Reminder of one person who was asked by direct message.
func DirectReminder(user string) NoticeKind { return NoticeKind(directReminder + user) }

// EndedFor tells one person once, by direct message, that somebody else ended the request.
func EndedFor(user string) NoticeKind { return NoticeKind(endedFor + user) }

// toldEnd returns what the requester is owed of an end that somebody else caused. The message in the
// channel is only edited, which nobody notices. Of a batch its message says so.
func (r Request) toldEnd() []Notice {
	if r.Submission.By.ID == "" || r.Batch != "" {
		return nil
	}
	return []Notice{{RequestID: r.ID, Kind: EndedFor(r.Submission.By.ID)}}
}

// Line is something that became of a filed request. Its thread is told once.
type Line struct {
	What   LineKind
	Update int64  `json:",omitempty"` // LineStaff: id of the last update that staff wrote; else how many of the kind came before, or as it says
	Was    string `json:",omitempty"` // LineMoved: the date named so far, in RFC 3339
	Now    string `json:",omitempty"` // LineMoved: the date that SoftLayer shows, as given; or as the kind says
}

// LineKind is what a Line tells. The words are stored.
type LineKind string

// The kinds of lines.
const (
	LineStaff   LineKind = "staff"   // SoftLayer's staff wrote into the ticket
	LineMoved   LineKind = "moved"   // SoftLayer shows another end date
	LineUnclear LineKind = "unclear" // the ticket is closed, and the key cannot see what that means
	LineStands  LineKind = "stands"  // the cancellation stands, although SoftLayer was asked to stop it; Now: its date
	LineEnded   LineKind = "ended"   // it ended: its state and reason say how
	LineWaits   LineKind = "waits"   // SoftLayer waits for an answer
	LineEnds    LineKind = "ends"    // it is due to end, and SoftLayer may still be asked to stop until Now
	LineTaken   LineKind = "taken"   // a person sees to it: Was is their Slack user id, Now until when nobody is told again
	LineStill   LineKind = "still"   // the server is still there after the date Was; Update: how often this was told
)

// Said is the notice that tells a line. It carries the line, so that what is told is what was owed.
func Said(l Line) NoticeKind {
	return NoticeKind(fmt.Sprintf("%s%s|%d|%s|%s", said, l.What, l.Update, l.Was, l.Now))
}

// Line is the line that a notice of this kind tells; ok is false for the other kinds.
func (k NoticeKind) Line() (l Line, ok bool) {
	text, ok := strings.CutPrefix(string(k), said)
	parts := strings.Split(text, "|")
	if !ok || len(parts) != 4 {
		return Line{}, false
	}
	l = Line{What: LineKind(parts[0]), Was: parts[2], Now: parts[3]}
	l.Update, _ = strconv.ParseInt(parts[1], 10, 64) // 0 for what Said did not write
	return l, true
}

// Written is the notice, in the request's thread, that shows what became of a text that a person wrote
// for the ticket. If Slack refuses the thread, that person hears it directly.
func Written(number int64, by string) NoticeKind {
	return NoticeKind(fmt.Sprintf("%s%d:%s", written, number, by))
}

// Proposed is the direct message that asks one person to send a text that somebody proposed.
func Proposed(number int64, to string) NoticeKind {
	return NoticeKind(fmt.Sprintf("%s%d:%s", proposed, number, to))
}

// Letter returns which text a notice of the kinds Written and Proposed is about, and whose direct
// message it is or may become; asks says that it is Proposed. ok is false for the other kinds.
func (k NoticeKind) Letter() (number int64, user string, asks, ok bool) {
	rest, asks := strings.CutPrefix(string(k), proposed)
	if !asks {
		if rest, ok = strings.CutPrefix(string(k), written); !ok {
			return 0, "", false, false
		}
	}
	digits, user, ok := strings.Cut(rest, ":")
	number, err := strconv.ParseInt(digits, 10, 64)
	return number, user, asks, ok && err == nil
}

// Telling returns the notices to owe for lines: in the thread of the message that shows the result,
// else where the request was made.
func (r Request) Telling(lines []Line, notices []Notice) []Notice {
	var owed []Notice
	for _, l := range lines {
		owed = append(owed, r.InThread(Said(l), notices))
	}
	return owed
}

// InThread returns a notice to owe in the thread of the message that shows the result, else where the request was made.
// notices are the request's or, of a batch, those of its lead.
func (r Request) InThread(kind NoticeKind, notices []Notice) Notice {
	at := slices.IndexFunc(notices, func(n Notice) bool { return n.Kind == Result || n.Kind == BatchResult })
	if at >= 0 && notices[at].TS != "" {
		in := notices[at].reply(kind, time.Time{}).Place
		return Notice{RequestID: r.ID, Kind: kind, Place: in}
	}
	place := r.Submission.Place
	if at >= 0 {
		place = notices[at].Place
	}
	return Notice{RequestID: r.ID, Kind: kind, Place: Place{Channel: place.Channel, Thread: place.Thread}}
}

// Escalating returns the notice that tells news of a request to more people than its recipient: in the
// escalation channel or, if channel is "", in the request's thread and to at most five people who may
// approve it. notices are the request's.
func (r Request) Escalating(channel string, n News, notices []Notice) Notice {
	kind := n.To + "|" + string(n.Kind) + "|" + n.Detail
	if channel != "" {
		return Notice{RequestID: r.ID, Kind: NoticeKind(escalated + kind), Place: Place{Channel: channel}}
	}
	if r.Private(notices) { // its thread is its requester's alone
		return Notice{RequestID: r.ID, Kind: NoticeKind(escalatedHere + kind)}
	}
	return r.InThread(NoticeKind(escalatedHere+kind), notices)
}

// Private reports whether only its requester sees the message that shows the request's result.
func (r Request) Private(notices []Notice) bool {
	return r.Submission.Place.private() ||
		slices.ContainsFunc(notices, func(n Notice) bool { return n.Kind == Result && n.Way == ByDirect })
}

// Escalation is the news that a notice of this kind tells to more people; ok is false for the other
// kinds. here says that there is no escalation channel, or that Slack refuses it.
func (k NoticeKind) Escalation() (n News, here, ok bool) {
	text, ok := strings.CutPrefix(string(k), escalated)
	if !ok {
		text, here = strings.CutPrefix(string(k), escalatedHere)
	}
	parts := strings.SplitN(text, "|", 3)
	if !ok && !here || len(parts) != 3 {
		return News{}, false, false
	}
	return News{To: parts[0], Kind: NewsKind(parts[1]), Detail: parts[2]}, here, true
}

// Reminds reports whether a notice of this kind is a Reminder, in a channel or direct.
func (k NoticeKind) Reminds() bool {
	return k == Reminder || strings.HasPrefix(string(k), directReminder)
}

// Reminded is the Slack user whom a notice of this kind reminds by direct message; "" for the other kinds.
func (k NoticeKind) Reminded() string {
	user, _ := strings.CutPrefix(string(k), directReminder)
	if !k.Reminds() || k == Reminder {
		return ""
	}
	return user
}

// Recipient is the Slack user that a Direct or an EndedFor notice is for; "" for the other kinds.
func (k NoticeKind) Recipient() string {
	for _, prefix := range []string{direct, endedFor, batchDirect, batchEnded} {
		if user, found := strings.CutPrefix(string(k), prefix); found {
			return user
		}
	}
	return ""
}

// TellsEnd reports whether a notice of this kind tells the requester of an end that somebody else caused.
func (k NoticeKind) TellsEnd() bool { return strings.HasPrefix(string(k), endedFor) }

// Once reports whether a notice of this kind is posted once. The others show the request's present
// state, and are edited when that changes.
func (k NoticeKind) Once() bool {
	_, _, escalates := k.Escalation()
	_, _, gathers := k.Gathering()
	return k == Alarm || k.Reminds() || k.TellsEnd() || escalates || gathers || k.EndsBatch() || strings.HasPrefix(string(k), said)
}

// extra reports whether a notice of this kind only asks or tells people in addition to the result
// message. If Slack refuses such a notice, and it no longer asks for anything, it is given up.
func (k NoticeKind) extra() bool {
	class, _, _ := k.Gathering()
	return k != Result && k != BatchResult && k != Alarm && class != string(Alarm)
}

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

// News is what a person reads in a direct message about a request that was filed. Each of its kind
// and detail is told once to a person.
type News struct {
	To     string // Slack user id
	Kind   NewsKind
	Detail string // what it says in addition, in the form of its kind; it decides whether this was told before
}

// OwedNews is news that somebody is owed.
type OwedNews struct {
	News
	Number  int64 // counts all news
	Request string
	At      time.Time // when it became known
}

// Item is news of a request as it is now.
type Item struct {
	News
	Request Request
	At      Posted // of NewsStuck: the request's message; zero if there is none that others see
	Said    string // what SoftLayer's staff wrote last, for direct messages alone; "" if it was not read
}

// Mailbox is what one person is owed by direct message. One process works on it at a time.
type Mailbox struct {
	Person  string
	Version int64     // fencing token
	Owed    int64     // how much news the person was ever owed when this was read
	Due     time.Time // when it is worked on next; zero if nothing is owed
	Letters []byte    // the last letters, as their sender wrote them; nil for none
}

// NewsKind is what a News tells. The words are stored.
type NewsKind string

// The kinds of news. What is told at once needs an answer; the rest is collected, so that a person gets
// at most one direct message a working day.
const (
	NewsWaits        NewsKind = "waits"         // SoftLayer waits for an answer; Detail: id of the update that asks
	NewsStillWaits   NewsKind = "still_waits"   // it still does; Detail: as Wait writes it
	NewsUnanswered   NewsKind = "unanswered"    // nobody answered for long, for people who can; Detail: as Wait writes it
	NewsNotCancelled NewsKind = "not_cancelled" // the ticket is closed and no cancellation stands
	NewsStopped      NewsKind = "stopped"       // the same, after SoftLayer was asked to stop
	NewsMoved        NewsKind = "moved"         // SoftLayer shows another end date; Detail: the Line, as Said writes it
	NewsEnds         NewsKind = "ends"          // the last days in which SoftLayer may still be asked to stop; Detail: as EndsDetail writes it
	NewsEnded        NewsKind = "ended"         // the server is gone
	NewsBilled       NewsKind = "billed"        // the server is gone, and something of it stays billed
	NewsStill        NewsKind = "still"         // the server is still there after its date; Detail: that date, and how often this was told
	NewsStaff        NewsKind = "staff"         // SoftLayer's staff answered, and no thread says so; Detail: id of the update
	NewsStuck        NewsKind = "stuck"         // the request needs a person, for people who can say what they found; Detail: its version before
	NewsUnclear      NewsKind = "unclear"       // the ticket is closed, the key cannot see what that means, and no thread says so
)

// AtOnce reports whether news of this kind is told without waiting for the next digest.
func (k NewsKind) AtOnce() bool { return k == NewsWaits || k == NewsNotCancelled || k == NewsStuck }

// Line is the line of a [NewsMoved]; the zero Line for what [Line.Detail] did not write.
func (n News) Line() Line {
	l, _ := NoticeKind(said + n.Detail).Line()
	return l
}

// Detail is the line in the form of [NewsMoved]'s detail.
func (l Line) Detail() string { return strings.TrimPrefix(string(Said(l)), said) }
