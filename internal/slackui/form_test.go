package slackui

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/serverlist"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/slacktest"
	"cancel-server/internal/slackui/words"
)

// viewOf decodes a view as it stands in a payload, by the code that decodes payloads.
func viewOf(t rapid.TB, raw json.RawMessage) *receive.View {
	t.Helper()
	payload, err := json.Marshal(map[string]any{"type": "view_submission", "user": map[string]any{"id": "U1"}, "view": raw})
	require.NoError(t, err)
	i, err := receive.ParseInteraction(payload)
	require.NoError(t, err)
	return i.View
}

// randomForm draws a form, with hostile text in every place where text can be.
func randomForm(r *rand.Rand) words.Form {
	any := func() string { return slacktest.Hostile()[r.IntN(len(slacktest.Hostile()))] }
	server := slacktest.DBServer()
	server.ID = 1 + r.Int64N(1<<40)
	server.FQDN, server.OS, server.Tags = any(), any(), []string{any(), any()}
	server.Gateway, server.LastTransaction = r.IntN(2) == 0, any()
	server.GatewayName, server.Partners, server.PartnersKnown = any(), []string{any(), ""}[:r.IntN(3)], r.IntN(2) == 0
	server.Billing.MonthlyTotal, server.Billing.NextBillDate = any(), []string{"2026-12-01T00:00:00-06:00", "", any()}[r.IntN(3)]
	server.Billing.Associated[0].Description = any()
	f := words.Form{
		Account: cancellation.Account{ID: "123456", Name: any()},
		Place:   cancellation.Place{Channel: "C1", ChannelName: any()},
		Card:    &cancellation.Card{Server: server, ReadAt: slacktest.Noon},
		Typed: words.Typed{
			Server: server.ID, Reason: cancellation.Reasons()[r.IntN(10)], Content: strings.ToValidUTF8(any(), "?"),
			Associated: r.IntN(2) == 0, Confirmation: strings.ToValidUTF8(any(), "?"),
		},
		Note: words.NameUnread(any()),
	}
	warnings, _ := server.Warnings(slacktest.Noon)
	for _, warning := range warnings {
		if r.IntN(2) == 0 {
			f.Typed.Warnings = append(f.Typed.Warnings, warning)
		}
	}
	switch r.IntN(4) {
	case 0: // nothing chosen: nothing can be filled in that belongs to a server
		f.Card, f.Typed = nil, words.Typed{Reason: f.Typed.Reason, Content: f.Typed.Content}
	case 1:
		f.Card.Server.OpenTicket = &cancellation.TicketID{ID: 1, Number: any()}
		f.Card.Server.Transaction, f.Typed.Associated, f.Typed.Confirmation = any(), false, ""
		f.Typed.Warnings = nil
	}
	return f
}

func TestParsingIsTheInverseOfTheForm(t *testing.T) {
	t.Parallel()
	judge := slacktest.NewJudge(t)
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		for range 2 {
			f := randomForm(random)
			raw, err := judge.Open(testWords().Modal(f, "sealed"))
			require.NoError(t, err, "Slack takes %+v", f)
			card := int64(0)
			if f.Card != nil {
				card = f.Card.Server.ID
			}
			read, err := parse(*viewOf(t, raw), card)
			require.NoError(t, err)
			require.Equal(t, f.Typed, read)
			slacktest.AssertInert(t, raw)
		}
	})
}

func TestOnlyIDsAreServers(t *testing.T) {
	t.Parallel()
	assert.Equal(t, int64(1234567), serverID("1234567"))
	for _, value := range []string{"", "0", "-1", "+1", "01", " 1", "1 ", "1e3", "0x10", "9223372036854775808", "db-042"} {
		assert.Zero(t, serverID(value), "%q", value)
	}
}

func TestAnAnswerFitsSocketMode(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.command(s.cast.User, "")
	values := filled(db, "")
	delete(values, words.BlockOf(words.ConfirmBlock, db))
	values[words.ContentBlock] = map[string]map[string]any{words.ContentAction: {"value": strings.Repeat("<>&", 1000)}}
	ack, err := json.Marshal(s.submit(s.cast.User, values))
	require.NoError(t, err)
	assert.Less(t, len(ack), 20_480)
	assert.Contains(t, string(s.top(s.cast.User).View), `\u003c\u003e`, "what was typed is kept")
}

func FuzzSubmission(f *testing.F) {
	sealer := sealer{key: []byte("key")}
	sealed, err := sealer.seal(f.Context(), metadata{By: cancellation.Person{ID: "U1"}, Card: &cancellation.Card{Server: slacktest.DBServer()}})
	require.NoError(f, err)
	view, err := json.Marshal(testWords().Modal(words.Form{Card: &cancellation.Card{Server: slacktest.DBServer()}}, sealed))
	require.NoError(f, err)
	f.Add([]byte(`{"type":"view_submission","user":{"id":"U1"},"view":`+string(view)+`}`), sealed)
	f.Add([]byte(`{"type":"view_submission","user":{"id":"U1"},"view":{"id":"V","callback_id":"cancel-server:form:1","state":{"values":{"server":{"choose":{"selected_option":{"value":"12"}}},"reason":{},"content":null}}}}`), "1z.AAAA.AAAA")
	f.Fuzz(func(t *testing.T, payload []byte, private string) {
		if m, err := sealer.open(t.Context(), private, "U1"); err == nil {
			assert.Equal(t, sealed, private, "only what was sealed here opens, not %+v", m)
		}
		i, err := receive.ParseInteraction(payload)
		if err != nil || i.View == nil {
			return
		}
		if read, err := parse(*i.View, 1234567); err == nil {
			s := cancellation.Submission{Reason: read.Reason, Content: read.Content, Confirmation: read.Confirmation}
			s.Problems()
			assert.GreaterOrEqual(t, read.Server, int64(0))
		}
	})
}

// FuzzReview holds that nothing that a form about several servers hands back makes reading it panic, and that of a
// list goes only what was ticked, each server once.
func FuzzReview(f *testing.F) {
	card := &cancellation.Card{Server: slacktest.DBServer()}
	kept, err := json.Marshal(draft{
		List:  serverlist.Resolved{Rows: []serverlist.Row{{State: serverlist.Found, Server: serverlist.Server{ID: card.Server.ID}}}, Groups: []serverlist.Group{{Name: "a", Servers: []serverlist.Server{{ID: 7}}}}},
		Reads: []draftRead{{Server: card.Server.ID, Card: card}, {Server: 7, Missing: true}},
	})
	require.NoError(f, err)
	f.Add([]byte(`{"type":"view_submission","user":{"id":"U1"},"view":{"id":"V","callback_id":"cancel-server:review:1","state":{"values":{"rows:0":{"rows":{"selected_options":[{"value":"1234567"},{"value":"7"},{"value":"07"}]}},"count:x":{"count":{"value":"2"}}}}}}`), kept)
	f.Add([]byte(`{"type":"view_submission","user":{"id":"U1"},"view":{"id":"V","callback_id":"cancel-server:batch-approve:1","private_metadata":"b@d@0,1","state":{"values":{"leave-out:0":{"leave-out":{"selected_options":[{"value":"r1"},{"value":null}]}}}}}}`), []byte(`{"Reads":[{},{"Card":{}}],"List":{"Groups":[{"Servers":[{}]}]}}`))
	f.Fuzz(func(t *testing.T, payload, kept []byte) {
		i, err := receive.ParseInteraction(payload)
		if err != nil || i.View == nil {
			return
		}
		leftOut(i.View)
		_, _, _ = typedIn(i.View)
		ticked := tickedIn(i.View)
		for n, id := range ticked {
			assert.Positive(t, id)
			assert.True(t, n == 0 || ticked[n-1] < id, "each server once: %v", ticked)
		}
		var d draft
		if json.Unmarshal(kept, &d) != nil {
			return
		}
		assert.Empty(t, d.cards(nil), "nothing goes that is not ticked")
		assert.LessOrEqual(t, len(d.cards(ticked)), len(d.Reads))
		all := append(d.named(), d.queried()...)
		for _, id := range append(d.chosen(metadata{Ticked: ticked}), d.chosen(metadata{Unticked: ticked})...) {
			assert.Contains(t, all, id, "nothing goes that the list does not have")
		}
		_, _ = d.wanted(), d.group("0")
	})
}
