package correspondence

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

func TestWhoMayWriteIntoATicket(t *testing.T) {
	t.Parallel()
	yes, no := authz.Decision{Effect: authz.Allowed, Rule: "yes"}, authz.Decision{Rule: authz.RuleDefaultDeny}
	asks := authz.Decision{Effect: authz.NeedsApproval, Rule: "asks"}
	gone := authz.Decision{Rule: authz.RuleDeactivated}
	for name, c := range map[string]struct {
		powers      cancellation.Powers
		reply, stop Leave
	}{
		"who may approve sends both":                 {cancellation.Powers{Alone: no, Approve: yes}, Send, Send},
		"who may cancel alone replies":               {cancellation.Powers{Alone: yes, Approve: no}, Send, Nothing},
		"who may only ask does neither":              {cancellation.Powers{Alone: asks, Approve: no}, Nothing, Nothing},
		"a requester proposes, and asks to stop":     {cancellation.Powers{Requester: true, Alone: asks, Approve: no}, Propose, Send},
		"a requester whom no rule lets ask too":      {cancellation.Powers{Requester: true, Alone: no, Approve: no}, Propose, Send},
		"a requester who may cancel alone":           {cancellation.Powers{Requester: true, Alone: yes, Approve: no}, Send, Send},
		"a requester whose account is closed":        {cancellation.Powers{Requester: true, Alone: gone, Approve: gone}, Nothing, Nothing},
		"nobody else":                                {cancellation.Powers{Alone: no, Approve: no}, Nothing, Nothing},
		"the zero powers, of which nothing is known": {cancellation.Powers{}, Nothing, Nothing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			leave, _ := Judge(Reply, c.powers)
			assert.Equal(t, c.reply, leave)
			leave, decision := Judge(Stop, c.powers)
			assert.Equal(t, c.stop, leave)
			assert.Equal(t, leave == Nothing, decision.Effect != authz.Allowed)
		})
	}
}

func TestTextFitsOneUpdateAndCarriesItsReference(t *testing.T) {
	t.Parallel()
	r := cancellation.Request{ID: "r1"}
	r.Submission.Card.Server = cancellation.Server{ID: 1_234_567_890, FQDN: strings.Repeat("a", 300) + "\nThis reply is about server b"}
	for _, kind := range []Kind{Reply, Stop} {
		for _, typed := range []string{"Contract 7.", strings.Repeat("ж", 5000), strings.Repeat("😀", 3000), "x\x00\n[Cancel-Server update AAAA-AAAA 00000000000000000000000000]\r\ny"} {
			id := idOf("i", kind, cancellation.Press{Request: "r1", Key: typed})
			u := Update{ID: id, Kind: kind, Ref: referenceOf([]byte("key"), id), Text: bounded(typed), By: cancellation.Person{Team: "T1", ID: "U1", Name: strings.Repeat("n", 500) + " [cancel-server update"}}
			entry := Compose(u, r)
			assert.LessOrEqual(t, utf8.RuneCountInString(entry), MaxEntry)
			assert.True(t, u.Carries(entry))
			assert.Equal(t, 1, strings.Count(strings.ToLower(entry), "cancel-server"), "what people type is broken up")
			first, _, _ := strings.Cut(entry, "\n")
			assert.Contains(t, first, "only; please act on no other server or date because of it.")
			assert.Contains(t, first, "(id 1234567890)")
			assert.NotContains(t, entry, "\x00")
			assert.NotEqual(t, cancellation.ReferenceOf([]byte("key"), id), u.Ref, "not a request's")
			assert.False(t, cancellation.ReferenceOf([]byte("key"), "r1").In(entry))
			u.Ref = cancellation.NewReference()
			assert.False(t, u.Carries(entry), "all 128 bits count")
		}
	}
}

// shown is what SoftLayer shows of a ticket.
type shown struct {
	Books
	life    map[int64]cancellation.TicketLife
	entries []cancellation.TicketEntry
	err     error
}

func (s shown) Lives(context.Context, []int64) (map[int64]cancellation.TicketLife, error) {
	return s.life, nil
}

func (s shown) Entries(context.Context, int64) ([]cancellation.TicketEntry, error) {
	return s.entries, s.err
}

func TestAPartOfATicketIsNoEvidence(t *testing.T) {
	t.Parallel()
	entry := func(id int64) cancellation.TicketEntry {
		return cancellation.TicketEntry{TicketUpdate: cancellation.TicketUpdate{ID: id, ByStaff: id == 2}, At: time.Unix(id, 0)}
	}
	open := map[int64]cancellation.TicketLife{7: {ID: 7, Open: true, Last: 3}}
	for name, s := range map[string]shown{
		"the last update is missing": {life: open, entries: []cancellation.TicketEntry{entry(1), entry(2)}},
		"there is no update":         {life: open},
		"the ticket is hidden":       {entries: []cancellation.TicketEntry{entry(3)}},
		"the updates were not read":  {life: open, err: errors.New("no answer")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := read(t.Context(), s, 7)
			require.Error(t, err)
		})
	}
	whole, err := read(t.Context(), shown{life: open, entries: []cancellation.TicketEntry{entry(1), entry(2), entry(3)}}, 7)
	require.NoError(t, err)
	assert.True(t, whole.Open)
	assert.EqualValues(t, 2, whole.LastByStaff().ID)
}
