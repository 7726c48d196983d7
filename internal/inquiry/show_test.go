package inquiry_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/correspondence"
	"cancel-server/internal/inquiry"
	"cancel-server/internal/policytool"
	"cancel-server/internal/slackui/slacktest"
	"cancel-server/internal/store"
	"cancel-server/internal/storetest"
)

const policyText = "@id(\"ops-ask\")\npermit (principal, action, resource);\n"

var digest = func() string {
	sum := sha256.Sum256([]byte(policyText))
	return hex.EncodeToString(sum[:])
}()

// book is a store with a clock of the test's, in which steps are recorded as the bot does.
type book struct {
	t *testing.T
	*store.Store
	now time.Time
}

func newBook(t *testing.T) *book {
	t.Helper()
	b := &book{t: t, now: slacktest.Noon}
	var err error
	b.Store, err = store.Open(t.Context(), store.Options{Path: storetest.File(t), Clock: func() time.Time { return b.now }})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, b.Close()) })
	return b
}

func (b *book) record(r cancellation.Request) cancellation.Request {
	b.t.Helper()
	kind := cancellation.EventSubmitted
	if r.State == cancellation.Denied {
		kind = cancellation.EventDenied
	}
	by := r.Submission.By
	recorded, err := b.Record(b.t.Context(), cancellation.Record{
		Request: r, Event: cancellation.Event{Kind: kind, Actor: by.Team + "/" + by.ID, Detail: detail(b.t, cancellation.EventDetail{Rule: r.Decision.Rule, Policy: r.Decision.PolicyDigest})},
		Notices: []cancellation.Notice{{RequestID: r.ID, Kind: cancellation.Result, Place: r.Submission.Place, Due: b.now}},
		Quota:   cancellation.Quota{Requester: by.Team + "/" + by.ID, Day: 1, Slot: 1, Most: 9},
	})
	require.NoError(b.t, err)
	require.True(b.t, recorded.Fresh)
	return recorded.Request
}

func (b *book) step(r cancellation.Request, kind, actor string, said cancellation.EventDetail, change func(*cancellation.Request)) cancellation.Request {
	b.t.Helper()
	b.now = b.now.Add(time.Second)
	next := r
	change(&next)
	stored, err := b.Apply(b.t.Context(), cancellation.Change{From: r, To: next, Event: cancellation.Event{Kind: kind, Actor: actor, Detail: detail(b.t, said)}})
	require.NoError(b.t, err)
	return stored
}

func detail(t *testing.T, d cancellation.EventDetail) string {
	t.Helper()
	text, err := json.Marshal(d)
	require.NoError(t, err)
	return string(text)
}

func into(s cancellation.State) func(*cancellation.Request) {
	return func(r *cancellation.Request) { r.State = s }
}

// approvedAndFiled is a request with all that can be on record of one.
func (b *book) approvedAndFiled() cancellation.Request {
	b.t.Helper()
	require.NoError(b.t, b.KeepPolicy(b.t.Context(), digest, policyText))
	r := slacktest.Request(cancellation.Pending, func(r *cancellation.Request) {
		r.NotAfter, r.SentAt = time.Time{}, time.Time{}
		r.Decision = authz.Decision{Effect: authz.NeedsApproval, Rule: "ops-ask", Rules: []string{"ops-ask"}, Approvals: 1, PolicyDigest: digest}
		r.Submission.Confirmation, r.Submission.By.Name = "db-042", "Ana\x1b[2J"
	})
	r = b.record(r)
	require.NoError(b.t, b.Note(b.t.Context(), r.ID, cancellation.Event{Kind: cancellation.EventRefused, Actor: "T1/U9", Detail: detail(b.t, cancellation.EventDetail{Rule: "builtin-default-deny", Policy: digest})}))
	r = b.step(r, cancellation.EventApproved, "T1/U2", cancellation.EventDetail{Rule: "leads-approve", Policy: digest}, func(r *cancellation.Request) {
		r.State, r.Approvals = cancellation.Scheduled, []cancellation.Approval{{By: cancellation.Person{Team: "T1", ID: "U2", Name: "Raj"}, At: b.now, Rule: "leads-approve", Policy: digest}}
	})
	order := cancellation.Order{Server: r.Submission.Card.Server.ID, Reason: r.Submission.Reason, Content: cancellation.TicketContent(r)}
	r = b.step(r, cancellation.EventMoved, "host/1", cancellation.EventDetail{Why: "ops-ask", Rule: "ops-ask", Policy: digest, People: b.now, Server: b.now, Sent: &order}, into(cancellation.Filing))
	r = b.step(r, cancellation.EventMoved, "host/1", cancellation.EventDetail{Why: "ticket-unread", Answer: &cancellation.Answered{Kind: cancellation.AnswerLost, Text: "connection reset"}}, into(cancellation.Unknown))
	r = b.step(r, cancellation.EventMoved, "host/1", cancellation.EventDetail{Rule: "ops-ask", Policy: "0000000000000000", Clean: b.now, Sent: &order}, into(cancellation.Filing))
	r = b.step(r, cancellation.EventMoved, "host/1", cancellation.EventDetail{Answer: &cancellation.Answered{Kind: cancellation.Made, Ticket: 153572280, Raw: `HTTP 200 {"id":153572280}`}}, func(r *cancellation.Request) {
		r.State, r.Ticket = cancellation.Filed, cancellation.TicketID{ID: 153572280, Number: "CS1234567"}
	})
	require.NoError(b.t, b.OweNews(b.t.Context(), r.ID, []cancellation.News{{To: "U7", Kind: cancellation.NewsStaff, Detail: "12"}}))
	b.replied(r)
	return r
}

func (b *book) replied(r cancellation.Request) {
	b.t.Helper()
	receipt, err := b.RecordUpdate(b.t.Context(), correspondence.Record{Request: r, Rule: "leads-approve", Update: correspondence.Update{
		ID: "u1", RequestID: r.ID, Kind: correspondence.Reply, State: correspondence.Recorded, Ref: slacktest.Ref,
		By: cancellation.Person{Team: "T1", ID: "U7", Name: "Ana"}, Text: "Contract 7.", Entry: "About db-042\nContract 7.", Ticket: r.Ticket.ID,
	}})
	require.NoError(b.t, err)
	u := receipt.Update
	for _, to := range []correspondence.State{correspondence.Sending, correspondence.Sent} {
		b.now = b.now.Add(time.Second)
		next := u
		next.State = to
		u, err = b.ApplyUpdate(b.t.Context(), correspondence.Change{From: u, To: next, Request: r, Actor: "host/1", Detail: map[bool]string{true: `HTTP 200 [{"id":13}]`}[to == correspondence.Sent]})
		require.NoError(b.t, err)
	}
}

// golden compares a text with a file. After a change that is meant, run: go test ./internal/inquiry with
// GOLDEN=write, and read the difference.
func golden(t *testing.T, name, text string) {
	t.Helper()
	path := "testdata/" + name
	if os.Getenv("GOLDEN") == "write" {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), text)
}

func TestShowHasEverythingOnRecord(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	r := b.approvedAndFiled()
	file, err := inquiry.Show(t.Context(), b, r.Ref.Short())
	require.NoError(t, err)
	var text strings.Builder
	require.NoError(t, inquiry.NewPage(&text, policytool.Printable).File(file))
	golden(t, "show.txt", text.String())
	assert.NotContains(t, text.String(), "\x1b", "no name moves a cursor")

	line, err := inquiry.Line(file)
	require.NoError(t, err)
	var object struct {
		Calls []struct {
			Method, Outcome, Answer string
			Sent                    map[string]any
			AnsweredAt              *time.Time `json:"answered_at"`
		}
		Policies []struct {
			Digest string
			Text   *string
			Gone   bool `json:"text_is_gone"`
		}
	}
	require.NoError(t, json.Unmarshal(line, &object))
	require.Len(t, object.Calls, 3)
	assert.Equal(t, []string{"answer-lost", "made", "sent"}, []string{object.Calls[0].Outcome, object.Calls[1].Outcome, object.Calls[2].Outcome})
	assert.Equal(t, cancellation.TicketContent(r), object.Calls[0].Sent["content"], "word for word")
	assert.Equal(t, "About db-042\nContract 7.", object.Calls[2].Sent["entry"])
	require.Len(t, object.Policies, 2)
	assert.Equal(t, policyText, *object.Policies[0].Text)
	assert.Nil(t, object.Policies[1].Text)
	assert.True(t, object.Policies[1].Gone, "an event names it, so its text was kept")
	assert.Equal(t, 1, strings.Count(string(line), "\n"))
}

func TestShowSaysIfAPolicyWasChanged(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	require.NoError(t, b.KeepPolicy(t.Context(), digest, "permit (principal, action, resource);"))
	file, err := inquiry.Show(t.Context(), b, b.approvedAndFiled().Ref.Short())
	require.NoError(t, err)
	var text strings.Builder
	require.NoError(t, inquiry.NewPage(&text, policytool.Printable).File(file))
	assert.Contains(t, text.String(), "somebody changed it in the database")

	all, err := b.Policies(t.Context(), digest)
	require.NoError(t, err)
	text.Reset()
	require.NoError(t, inquiry.NewPage(&text, policytool.Printable).Policy(all[digest]))
	assert.Contains(t, text.String(), "somebody changed it in the database", "bot show DIGEST says so too")
}

func TestShowKnowsOlderHistories(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	r := b.record(slacktest.Request(cancellation.Scheduled, func(r *cancellation.Request) { r.Decision.Rule = "ops" }))
	for _, to := range []cancellation.State{cancellation.Filing, cancellation.Filed} {
		next := r
		next.State = to
		next.Decision.PolicyDigest = "0000000000000000" // events named none
		var err error
		r, err = b.Apply(t.Context(), cancellation.Change{From: r, To: next, Event: cancellation.Event{Kind: cancellation.EventMoved, Actor: "host/1", Detail: "ops"}})
		require.NoError(t, err)
	}
	file, err := inquiry.Show(t.Context(), b, r.Ref.Short())
	require.NoError(t, err)
	require.Len(t, file.Calls, 1)
	assert.Equal(t, map[string]any{"not_recorded": true}, file.Calls[0].Sent)
	assert.Nil(t, file.Calls[0].AnsweredAt)
	assert.Equal(t, "ops", file.History[1].Why)
	assert.Equal(t, []inquiry.PolicyText{{Digest: "0000000000000000"}}, file.Policies, "no text was kept, and none is gone")

	_, err = inquiry.Show(t.Context(), b, "0000-0000")
	assert.ErrorIs(t, err, cancellation.ErrNoRequest)
}

func TestHistoryListsRequestsForOneServer(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	filed := b.approvedAndFiled()
	b.record(slacktest.Request(cancellation.Denied, func(r *cancellation.Request) {
		r.ID, r.Ref, r.Submission.By.ID, r.Submission.By.Name = "denied", cancellation.Reference("AAAABBBBCCCCDDDDEEEEFFFFGG"), "U8", "Kim"
		r.Decision, r.Why = authz.Decision{Rule: "no-competitors", PolicyDigest: digest}, cancellation.Reason{Detail: "nobody moves", By: cancellation.ByPolicy}
	}))
	for _, named := range []string{"1234567", "DB-042.stg.example.com", "db-042", " db-042.stg.example.com. "} {
		servers, err := inquiry.Servers(t.Context(), b, named)
		require.NoError(t, err)
		assert.Equal(t, []int64{filed.Submission.Card.Server.ID}, servers, named)
	}
	_, err := inquiry.Servers(t.Context(), b, "db-04")
	require.ErrorIs(t, err, inquiry.ErrNoServer)
	for _, named := range []string{"kim", "u8", "t1/U8", "@Kim"} {
		people, err := inquiry.Requesters(t.Context(), b, named)
		require.NoError(t, err, named)
		assert.Equal(t, []string{"T1/U8"}, people)
	}
	_, err = inquiry.Requesters(t.Context(), b, "ki")
	require.ErrorIs(t, err, inquiry.ErrNoPerson)

	entries, err := inquiry.History(t.Context(), b, []int64{filed.Submission.Card.Server.ID})
	require.NoError(t, err)
	var text strings.Builder
	require.NoError(t, inquiry.NewPage(&text, policytool.Printable).History(entries))
	golden(t, "history.txt", text.String())
	var none strings.Builder
	require.NoError(t, inquiry.NewPage(&none, policytool.Printable).History(nil))
	assert.Equal(t, "none\n", none.String())
}

func TestJSONLineMovesNoCursor(t *testing.T) {
	t.Parallel()
	line, err := inquiry.Line(map[string]string{"name": "a\u009b2J\u202e\x1b\U000E0001ä"})
	require.NoError(t, err)
	assert.Equal(t, `{"name":"a\u009b2J\u202e\u001b\udb40\udc01ä"}`+"\n", string(line))
	var read map[string]string
	require.NoError(t, json.Unmarshal(line, &read))
	assert.Equal(t, "a\u009b2J\u202e\x1b\U000E0001ä", read["name"])
}

func TestShowSaysWhatThePolicyCounted(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	listed := b.record(slacktest.Request(cancellation.Scheduled, func(r *cancellation.Request) { r.Submission.Count, r.Submission.Today = 40, 43 }))
	file, err := inquiry.Show(t.Context(), b, listed.Ref.Short())
	require.NoError(t, err)
	assert.Equal(t, []int64{40, 43}, []int64{file.Decision.Count, file.Decision.Today})
	var text strings.Builder
	require.NoError(t, inquiry.NewPage(&text, policytool.Printable).File(file))
	assert.Contains(t, text.String(), "context.count: 40 context.today: 43")
}
