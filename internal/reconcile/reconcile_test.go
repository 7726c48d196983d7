package reconcile_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/reconcile"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// at is a cancellation with a ticket, of a server with the same number, at an hour.
func at(id int64, hours int, changes ...func(*reconcile.Cancellation)) reconcile.Cancellation {
	c := reconcile.Cancellation{
		ID: id, Made: noon.Add(time.Duration(hours) * time.Hour), Status: "PENDING", User: "jdoe",
		Ticket: cancellation.TicketID{ID: 900 + id}, Servers: []reconcile.Server{{ID: id, Name: "web"}}, Items: []int64{10 * id},
	}
	for _, change := range changes {
		change(&c)
	}
	return c
}

func noTicket(c *reconcile.Cancellation) { c.Ticket, c.Servers = cancellation.TicketID{}, nil }
func voided(c *reconcile.Cancellation)   { c.Voided = true }

// of is a request of ours for a server, with the ticket that the cancellation of the same number has.
func of(server int64) cancellation.Request {
	return cancellation.Request{
		Ticket: cancellation.TicketID{ID: 900 + server},
		Submission: cancellation.Submission{Card: cancellation.Card{Server: cancellation.Server{
			ID: server, Billing: &cancellation.Billing{ID: 10 * server},
		}}},
	}
}

func ids(all []reconcile.Cancellation) []int64 {
	found := []int64{}
	for _, c := range all {
		found = append(found, c.ID)
	}
	return found
}

func TestEachCancellationIsSortedByWhoseItIs(t *testing.T) {
	t.Parallel()
	for says, c := range map[string]struct {
		listed             []reconcile.Cancellation
		since              time.Time
		own                []int64
		unsettled          []cancellation.Request
		there, ours        int
		elsewhere, unclear []int64
	}{
		"nothing":                            {elsewhere: []int64{}, unclear: []int64{}},
		"ours":                               {listed: []reconcile.Cancellation{at(1, 0)}, own: []int64{901}, there: 1, ours: 1, elsewhere: []int64{}, unclear: []int64{}},
		"somebody else's":                    {listed: []reconcile.Cancellation{at(2, 1), at(1, 0)}, own: []int64{950}, there: 2, elsewhere: []int64{1, 2}, unclear: []int64{}},
		"its ticket is hidden":               {listed: []reconcile.Cancellation{at(1, 0, noTicket)}, own: []int64{0}, there: 1, elsewhere: []int64{}, unclear: []int64{1}},
		"a request knows no ticket yet":      {listed: []reconcile.Cancellation{at(1, 0)}, unsettled: []cancellation.Request{of(1)}, there: 1, elsewhere: []int64{}, unclear: []int64{1}},
		"of another server":                  {listed: []reconcile.Cancellation{at(1, 0)}, unsettled: []cancellation.Request{of(2)}, there: 1, elsewhere: []int64{1}, unclear: []int64{}},
		"made before":                        {listed: []reconcile.Cancellation{at(1, -1), at(2, 0)}, since: noon, there: 1, elsewhere: []int64{2}, unclear: []int64{}},
		"a request that cannot be read":      {listed: []reconcile.Cancellation{at(1, 0)}, unsettled: []cancellation.Request{{}}, there: 1, elsewhere: []int64{1}, unclear: []int64{}},
		"the server is hidden, its item not": {listed: []reconcile.Cancellation{at(1, 0, func(c *reconcile.Cancellation) { c.Servers = nil })}, unsettled: []cancellation.Request{of(1)}, there: 1, elsewhere: []int64{}, unclear: []int64{1}},
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			own := map[int64]bool{}
			for _, ticket := range c.own {
				own[ticket] = ticket != 0
			}
			r := reconcile.Compare(c.listed, c.since, own, c.unsettled)
			assert.Equal(t, c.there, r.AtSoftLayer)
			assert.Equal(t, c.ours, r.Ours)
			assert.Equal(t, c.elsewhere, ids(r.Elsewhere), "not by this bot")
			assert.Equal(t, c.unclear, ids(r.Unclear), "cannot tell")
		})
	}
}

func TestOnlyStandingCancellationsAreNews(t *testing.T) {
	t.Parallel()
	r := reconcile.Compare([]reconcile.Cancellation{at(1, -2), at(2, 1), at(3, 1, voided), at(4, 1, noTicket)}, time.Time{}, nil, nil)
	assert.Equal(t, []int64{2}, ids(r.News(noon)))
	assert.Len(t, r.Elsewhere, 3, "and the list has all")
}

func TestRecordedRequestsAreLookedForToo(t *testing.T) {
	t.Parallel()
	r := reconcile.Compare([]reconcile.Cancellation{at(1, 0), at(2, 0, noTicket), at(3, -5)}, noon, nil, nil)
	for _, recorded := range []cancellation.Request{of(1), of(2), of(3), of(4)} {
		r.Check(recorded)
	}
	require.Equal(t, 1, r.MissingAll)
	assert.EqualValues(t, 904, r.Missing[0].Ticket.ID, "neither one made earlier nor one whose ticket is hidden")
	for range reconcile.MaxMissing + 5 {
		r.Check(of(4))
	}
	assert.Len(t, r.Missing, reconcile.MaxMissing)
	assert.Equal(t, reconcile.MaxMissing+6, r.MissingAll)
}

// sides is SoftLayer and the records, which note in which order they were read.
type sides struct {
	listed    []reconcile.Cancellation
	unsettled int
	since     time.Time
	read      []string
	broken    string
}

func (s *sides) reads(what string) error {
	s.read = append(s.read, what)
	if s.broken == what {
		return errors.New("no answer")
	}
	return nil
}

func (s *sides) Cancellations(_ context.Context, since time.Time, _ func(context.Context) error) ([]reconcile.Cancellation, error) {
	s.since = since
	return s.listed, s.reads("SoftLayer")
}

func (s *sides) OwnTickets(context.Context, []int64) (map[int64]bool, error) {
	return nil, s.reads("tickets")
}

func (s *sides) MayBeOurs(_ context.Context, most int) ([]cancellation.Request, error) {
	return make([]cancellation.Request, min(most, s.unsettled)), s.reads("unsettled")
}

func (s *sides) EachFiled(_ context.Context, _, _ time.Time, each func(cancellation.Request) error) error {
	return errors.Join(each(of(7)), s.reads("filed"))
}

func TestRecordsAreReadAfterSoftLayer(t *testing.T) {
	t.Parallel()
	s := &sides{listed: []reconcile.Cancellation{at(1, 0)}}
	both, err := reconcile.Read(t.Context(), s, s, noon, nil)
	require.NoError(t, err)
	assert.Equal(t, []string{"SoftLayer", "unsettled", "tickets"}, s.read)
	assert.Equal(t, noon.Add(-24*time.Hour), s.since, "clocks may differ")
	r := both.Compare(noon)
	require.NoError(t, r.CheckRecords(t.Context(), s, noon, noon))
	assert.Equal(t, 1, r.MissingAll)
	for _, broken := range []string{"SoftLayer", "unsettled", "tickets"} {
		s.broken = broken
		_, err := reconcile.Read(t.Context(), s, s, noon, nil)
		assert.Error(t, err, broken)
	}
}

func TestTooManyUnsettledRequestsMakeAllUnclear(t *testing.T) {
	t.Parallel()
	s := &sides{listed: []reconcile.Cancellation{at(1, 0)}, unsettled: 1_000_000}
	both, err := reconcile.Read(t.Context(), s, s, noon, nil)
	require.NoError(t, err)
	r := both.Compare(noon)
	assert.Empty(t, r.Elsewhere)
	assert.Equal(t, []int64{1}, ids(r.Unclear))
}

func TestAnEmptyListProvesNothing(t *testing.T) {
	t.Parallel()
	s := &sides{}
	both, err := reconcile.Read(t.Context(), s, s, time.Time{}, nil)
	require.NoError(t, err)
	r := both.Compare(time.Time{})
	require.NoError(t, r.CheckRecords(t.Context(), s, time.Time{}, noon))
	assert.True(t, r.ShowsNothing())
	assert.Zero(t, r.MissingAll, "a key without the right may be shown nothing")
}
