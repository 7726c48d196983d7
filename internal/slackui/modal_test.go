package slackui

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/slacktest"
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
func randomForm(r *rand.Rand) form {
	any := func() string { return slacktest.Hostile()[r.IntN(len(slacktest.Hostile()))] }
	server := slacktest.DBServer()
	server.ID = 1 + r.Int64N(1<<40)
	server.FQDN, server.OS, server.Tags = any(), any(), []string{any(), any()}
	server.Gateway, server.LastTransaction = r.IntN(2) == 0, any()
	server.GatewayName, server.Partners, server.PartnersKnown = any(), []string{any(), ""}[:r.IntN(3)], r.IntN(2) == 0
	server.Billing.MonthlyTotal, server.Billing.NextBillDate = any(), []string{"2026-12-01T00:00:00-06:00", "", any()}[r.IntN(3)]
	server.Billing.Associated[0].Description = any()
	f := form{
		account: cancellation.Account{ID: "123456", Name: any()},
		place:   cancellation.Place{Channel: "C1", ChannelName: any()},
		card:    &cancellation.Card{Server: server, ReadAt: slacktest.Noon},
		typed: typed{
			Server: server.ID, Reason: cancellation.Reasons()[r.IntN(10)], Content: strings.ToValidUTF8(any(), "?"),
			Associated: r.IntN(2) == 0, Confirmation: strings.ToValidUTF8(any(), "?"),
		},
		note: shown(any()),
	}
	for _, warning := range warnings(*f.card) {
		if r.IntN(2) == 0 {
			f.typed.Warnings = append(f.typed.Warnings, warning)
		}
	}
	switch r.IntN(4) {
	case 0: // nothing chosen: nothing can be filled in that belongs to a server
		f.card, f.typed = nil, typed{Reason: f.typed.Reason, Content: f.typed.Content}
	case 1:
		f.card.Server.OpenTicket = &cancellation.TicketID{ID: 1, Number: any()}
		f.card.Server.Transaction, f.typed.Associated, f.typed.Confirmation = any(), false, ""
		f.typed.Warnings = nil
	}
	return f
}

func TestTheFormAndItsParsingAreEachOthersInverse(t *testing.T) {
	t.Parallel()
	judge := slacktest.NewJudge(t)
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		for range 2 {
			f := randomForm(random)
			raw, err := judge.Open(testWords().modal(f, "sealed"))
			require.NoError(t, err, "Slack takes %+v", f)
			card := int64(0)
			if f.card != nil {
				card = f.card.Server.ID
			}
			read, err := parse(*viewOf(t, raw), card)
			require.NoError(t, err)
			require.Equal(t, f.typed, read)
			slacktest.AssertInert(t, raw)
		}
	})
}

func TestFieldsThatBelongToAServerCarryItsID(t *testing.T) {
	t.Parallel()
	card := &cancellation.Card{Server: slacktest.DBServer(), ReadAt: slacktest.Noon}
	ids := func(f form) map[string]bool {
		found := make(map[string]bool)
		for _, b := range testWords().modal(f, "").Blocks.BlockSet {
			found[b.ID()] = true
		}
		return found
	}
	one := ids(form{card: card})
	other := *card
	other.Server.ID++
	for id := range ids(form{card: &other}) {
		if one[id] {
			assert.Contains(t, []string{"place", serverBlock, reasonBlock, contentBlock}, id, "another choice resets what belongs to a server")
		}
	}
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
	delete(values, belongs(confirmBlock, db))
	values[contentBlock] = map[string]map[string]any{contentAction: {"value": strings.Repeat("<>&", 1000)}}
	ack, err := json.Marshal(s.submit(s.cast.User, values))
	require.NoError(t, err)
	assert.Less(t, len(ack), 20_480)
	assert.Contains(t, string(s.top(s.cast.User).View), `\u003c\u003e`, "what was typed is kept")
}

func FuzzSubmission(f *testing.F) {
	sealer := sealer{key: []byte("key")}
	sealed, err := sealer.seal(f.Context(), metadata{By: cancellation.Person{ID: "U1"}, Card: &cancellation.Card{Server: slacktest.DBServer()}})
	require.NoError(f, err)
	view, err := json.Marshal(testWords().modal(form{card: &cancellation.Card{Server: slacktest.DBServer()}}, sealed))
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

func TestCutCountsAsSlackMight(t *testing.T) {
	t.Parallel()
	for _, text := range append(slacktest.Hostile(), "", "a", "ab", "abc") {
		for _, limit := range []int{1, 2, 24, 75, 3000} {
			short := cut(text, limit)
			assert.LessOrEqual(t, len(utf16.Encode([]rune(short))), limit, "%.20q to %d", text, limit)
			if short != text {
				assert.True(t, strings.HasSuffix(short, "…"))
				assert.True(t, strings.HasPrefix(text, strings.TrimSuffix(short, "…")), "no character is split")
			}
		}
	}
	assert.Equal(t, "ab", cut("ab", 2))
	assert.Equal(t, "a…", cut("abc", 2))
}

func TestTextThatIsCutHasNoPartOfALinkOrAnEntityAtItsEnd(t *testing.T) {
	t.Parallel()
	for before := range 60 {
		text := flat(line{
			plain(strings.Repeat("x", maxText-before)), labelled("https://cloud.ibm.com/?a&b", "Ticket <1>"), plain(" & "), person("U7", "Ana"),
		})
		short := fitting(text)
		assert.LessOrEqual(t, len(utf16.Encode([]rune(short))), maxText)
		assert.Regexp(t, `^x+(<https://cloud\.ibm\.com/\?a&amp;b\|Ticket &lt;1&gt;>( (&amp;)? ?(<@U7>\.?)?)?)?…?$`, short, "%d before the end", before)
	}
}

func TestDatesAreSoftLayersOwn(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"2026-12-01T00:00:00-06:00": "Tue 1 Dec 2026 (US Central)",
		"2026-07-01T00:00:00-05:00": "Wed 1 Jul 2026 (US Central)",
		"2026-06-30T23:00:00-06:00": "Wed 1 Jul 2026 (US Central)", // as SoftLayer writes it in summer
		"2026-12-01T00:00:00+05:30": "Tue 1 Dec 2026 (UTC+05:30)",
		"2026-12-01T00:00:00Z":      "Tue 1 Dec 2026 (UTC)",
	} {
		at, err := cancellation.ParseMoment(given)
		require.NoError(t, err)
		assert.Equal(t, want, day(at)+inZone(at))
		assert.Equal(t, day(at), calendar(given))
	}
	assert.Empty(t, calendar("soon"))
	assert.Equal(t, "<!date^1795348800^{date_short} {time}|22 Nov 2026 12:00 UTC>", moment(slacktest.Noon))
}

func TestMoneyIsAddedExactlyOrNotAtAll(t *testing.T) {
	t.Parallel()
	fee := func(fees ...string) string {
		items := make([]cancellation.AssociatedItem, len(fees))
		for i, f := range fees {
			items[i].Fee = f
		}
		return sum(items)
	}
	assert.Equal(t, "0.30", fee("0.1", "0.2"))
	assert.Equal(t, "98.00", fee("8.00", "90"))
	assert.Empty(t, fee("8.00", ""), "unknown is not 0")
	assert.Empty(t, fee("1e999999999"))
}
