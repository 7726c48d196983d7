package inquiry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"cancel-server/internal/billed"
	"cancel-server/internal/cancellation"
)

// File is everything on record about one request. Its JSON form is what programs read. Times are UTC.
type File struct {
	Summary
	ID        string            `json:"id"`
	Asked     Asked             `json:"asked"`
	Saw       cancellation.Card `json:"saw"` // the card as the person saw it
	Decision  Decision          `json:"decision"`
	Approvals []Approval        `json:"approvals"`
	History   []Event           `json:"history"`
	Reads     []Read            `json:"reads"`
	Calls     []Call            `json:"calls"`
	Messages  []Message         `json:"messages"`
	News      []DirectNews      `json:"direct_messages"`
	Texts     []Text            `json:"texts"`
	Stays     *billed.Record    `json:"stays_billed,omitempty"`
	Policies  []PolicyText      `json:"policies"`
	unsettled map[int64]int     // by the text's number: the place of its call, whose answer is not on record yet
	texts     map[int64]string  // by number: what is sent, whole
}

// Asked is what a person asked for, and where.
type Asked struct {
	Channel      string `json:"channel,omitempty"`
	ChannelName  string `json:"channel_name,omitempty"`
	Thread       string `json:"thread,omitempty"`
	Reason       string `json:"reason"`
	Text         string `json:"text"`
	Associated   bool   `json:"associated_items"`
	Confirmation string `json:"typed_name"`
	Repeats      int    `json:"repeats,omitempty"` // of a denial: how often it was given again
}

// Decision is the policy's last decision.
type Decision struct {
	Effect    string   `json:"effect"`
	Rule      string   `json:"rule"`
	Rules     []string `json:"rules,omitempty"`
	Reason    string   `json:"reason,omitempty"`
	Unread    []string `json:"unread,omitempty"`
	Approvals int      `json:"approvals_needed"`
	Policy    string   `json:"policy"`
	Count     int64    `json:"count,omitempty"` // of a request of a list: the policy's context.count, servers in the form
	Today     int64    `json:"today,omitempty"` // and its context.today, servers of the requester's day with this form
}

// Approval is one person's yes that counts.
type Approval struct {
	At     time.Time `json:"at"`
	By     Person    `json:"by"`
	Rule   string    `json:"rule"`
	Policy string    `json:"policy,omitempty"`
}

// Event is one line of the history.
type Event struct {
	At     time.Time          `json:"at"`
	Kind   string             `json:"kind"`
	Actor  string             `json:"actor"`
	From   cancellation.State `json:"from"`
	To     cancellation.State `json:"to"`
	Why    string             `json:"why,omitempty"` // in words
	Rule   string             `json:"rule,omitempty"`
	Policy string             `json:"policy,omitempty"`
	Detail any                `json:"detail,omitempty"` // whole, where Why, Rule and Policy do not say it all
}

// Read is what was read before something was decided.
type Read struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
	Said string    `json:"said"`
}

// Call is one call to SoftLayer that cannot be undone.
type Call struct {
	At         time.Time      `json:"at"` // when it was announced: right before it was sent
	Method     string         `json:"method"`
	Sent       map[string]any `json:"sent"`
	AnsweredAt *time.Time     `json:"answered_at"` // null: no answer is on record
	Outcome    string         `json:"outcome,omitempty"`
	Ticket     int64          `json:"ticket,omitempty"`
	Answer     string         `json:"answer,omitempty"` // as it came, or why there was none
}

// Message is one message in Slack about the request.
type Message struct {
	Kind    string     `json:"kind"`
	Way     string     `json:"way"`
	Channel string     `json:"channel,omitempty"`
	TS      string     `json:"ts,omitempty"`
	Thread  string     `json:"thread,omitempty"`
	Status  string     `json:"status"` // shown, posting or owed
	Posts   int        `json:"posts"`
	DueAt   *time.Time `json:"due_at,omitempty"`
}

// DirectNews is what one person is told by direct message after the ticket.
type DirectNews struct {
	At      time.Time  `json:"at"`
	To      string     `json:"to"`
	Kind    string     `json:"kind"`
	Detail  string     `json:"detail,omitempty"`
	Settled *time.Time `json:"settled_at"` // when it was told, or no longer worth telling; null: it waits
}

// Text is what a person wrote for the ticket.
type Text struct {
	At    time.Time `json:"at"`
	By    Person    `json:"by"`
	Kind  string    `json:"kind"`
	State string    `json:"state"`
	Why   string    `json:"why,omitempty"`
	Since time.Time `json:"since"`
	Typed string    `json:"typed"`
	Entry string    `json:"entry"` // what is sent, whole
}

// PolicyText is a policy by which something was decided.
type PolicyText struct {
	Digest string     `json:"digest"`
	Text   *string    `json:"text"` // null: the text is not on record
	Since  *time.Time `json:"first_in_force,omitempty"`
	Gone   bool       `json:"text_is_gone,omitempty"`            // it was kept before the policy decided: somebody deleted it
	Forged bool       `json:"text_has_another_digest,omitempty"` // somebody changed the text in the database
}

// Show reads everything on record about the request with a short reference.
func Show(ctx context.Context, records Records, short string) (*File, error) {
	r, err := records.ByRef(ctx, short)
	if err != nil {
		return nil, err
	}
	f := newFile(r)
	for _, step := range []func(context.Context, Records, cancellation.Request) error{
		f.readTexts, f.readHistory, f.readMessages, f.readNews, f.readStays, f.readPolicies,
	} {
		if err := step(ctx, records, r); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func newFile(r cancellation.Request) *File {
	s, d := r.Submission, r.Decision
	f := &File{
		Summary: SummaryOf(r), ID: r.ID, Saw: s.Card,
		Asked: Asked{
			Channel: s.Place.Channel, ChannelName: s.Place.ChannelName, Thread: s.Place.Thread, Reason: s.Reason, Text: s.Content,
			Associated: s.Associated, Confirmation: s.Confirmation, Repeats: r.Repeats,
		},
		Decision: Decision{
			Effect: d.Effect.String(), Rule: d.Rule, Rules: d.Rules, Reason: d.Reason, Unread: append(slices.Clone(d.Unread), d.Groups...),
			Approvals: d.Approvals, Policy: d.PolicyDigest,
		},
		Approvals: []Approval{}, History: []Event{}, Calls: []Call{}, Messages: []Message{}, News: []DirectNews{}, Texts: []Text{}, Policies: []PolicyText{},
		Reads:     []Read{{At: s.Card.ReadAt.UTC(), What: "server, for the card", Said: "what the person saw"}},
		unsettled: map[int64]int{}, texts: map[int64]string{},
	}
	if r.Batch != "" || s.Count > 1 {
		f.Decision.Count, f.Decision.Today = max(s.Count, 1), s.Today
	}
	for _, a := range r.Approvals {
		f.Approvals = append(f.Approvals, Approval{At: a.At.UTC(), By: personOf(a.By), Rule: a.Rule, Policy: a.Policy})
	}
	return f
}

func (f *File) readTexts(ctx context.Context, records Records, r cancellation.Request) error {
	texts, err := records.TextsOf(ctx, r.ID)
	for _, u := range texts {
		f.texts[u.Number] = u.Entry
		f.Texts = append(f.Texts, Text{
			At: u.CreatedAt.UTC(), By: personOf(u.By), Kind: string(u.Kind), State: string(u.State), Why: string(u.Why),
			Since: u.ChangedAt.UTC(), Typed: u.Text, Entry: u.Entry,
		})
	}
	return err
}

func (f *File) readHistory(ctx context.Context, records Records, r cancellation.Request) error {
	events, err := records.Events(ctx, r.ID)
	for _, e := range events {
		f.add(e)
	}
	return err
}

func (f *File) readMessages(ctx context.Context, records Records, r cancellation.Request) error {
	notices, err := records.Notices(ctx, r.ID)
	for _, n := range notices {
		f.Messages = append(f.Messages, messageOf(n))
	}
	return err
}

func messageOf(n cancellation.Notice) Message {
	m := Message{Kind: string(n.Kind), Way: "channel", Channel: n.Place.Channel, TS: n.TS, Thread: n.Place.Thread, Posts: n.Posts, DueAt: moment(n.Due)}
	if n.Channel != "" {
		m.Channel = n.Channel
	}
	if n.Way != cancellation.ByChannel {
		m.Way = string(n.Way)
	} else if m.Channel == "" {
		m.Way = string(cancellation.ByDirect)
	}
	switch {
	case n.Posting:
		m.Status = "posting" // announced, and no answer is on record
	case n.Due.IsZero() && n.Shown > 0:
		m.Status = "shown"
	default:
		m.Status = "owed"
	}
	return m
}

func (f *File) readNews(ctx context.Context, records Records, r cancellation.Request) error {
	news, err := records.NewsOf(ctx, r.ID)
	for _, n := range news {
		f.News = append(f.News, DirectNews{At: n.At.UTC(), To: n.To, Kind: string(n.Kind), Detail: n.Detail, Settled: moment(n.Settled)})
	}
	return err
}

func (f *File) readStays(ctx context.Context, records Records, r cancellation.Request) error {
	all, err := records.StaysOf(ctx, []string{r.ID})
	if kept, found := all[r.ID]; found {
		f.Stays = &kept
	}
	return err
}

// readPolicies reads the policies by which something was decided about the request. Builds that kept no texts named
// the policy in the request's decision alone.
func (f *File) readPolicies(ctx context.Context, records Records, _ cancellation.Request) error {
	var digests []string
	named := func(digest string) {
		if digest != "" && !slices.Contains(digests, digest) {
			digests = append(digests, digest)
		}
	}
	for _, e := range f.History {
		named(e.Policy)
	}
	for _, a := range f.Approvals {
		named(a.Policy)
	}
	wasKept := len(digests)
	named(f.Decision.Policy)
	if len(digests) == 0 {
		return nil
	}
	kept, err := records.Policies(ctx, digests...)
	for i, digest := range digests {
		p := PolicyText{Digest: digest}
		known, found := kept[digest]
		if p.Gone = !found && i < wasKept; found {
			p.Text, p.Since, p.Forged = &known.Text, moment(known.Since), known.forged()
		}
		f.Policies = append(f.Policies, p)
	}
	return err
}

// moment is a time for JSON; nil for the zero time.
func moment(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	at = at.UTC()
	return &at
}

// object reads a JSON object, else returns the text.
func object(text string) any {
	var members map[string]any
	if json.Unmarshal([]byte(text), &members) == nil {
		return members
	}
	return text
}

// forged reports whether the text is not the one that the digest is of.
func (p Policy) forged() bool {
	sum := sha256.Sum256([]byte(p.Text))
	return hex.EncodeToString(sum[:]) != p.Digest
}

// Line is the JSON form of a value on one line. What a terminal could take for a command is escaped.
func Line(value any) ([]byte, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("writing %T: %w", value, err)
	}
	var line bytes.Buffer
	for _, r := range string(text) {
		if r < utf8.RuneSelf || unicode.IsPrint(r) {
			line.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&line, `\u%04x`, unit)
		}
	}
	line.WriteByte('\n')
	return line.Bytes(), nil
}
