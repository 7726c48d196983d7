package softlayer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/fakesoftlayer"
	"cancel-server/internal/softlayer"
)

const cancelMethod = "SoftLayer_Ticket/createCancelServerTicket"

// fake is a strict SoftLayer account over real HTTP, and a client with its key.
type fake struct {
	*fakesoftlayer.Account
	*softlayer.Client
}

// newFake also holds, at the end of the test, that the client broke no rule of the vendor.
func newFake(t *testing.T, around ...func(http.Handler) http.Handler) fake {
	t.Helper()
	return newFakeAt(t, time.Time{}, around...)
}

// newFakeAt begins at a moment; a zero one is now.
func newFakeAt(t *testing.T, start time.Time, around ...func(http.Handler) http.Handler) fake {
	t.Helper()
	var mu sync.Mutex
	var broke []fakesoftlayer.Broken
	account := fakesoftlayer.New(fakesoftlayer.Options{Servers: 60, Seed: 7, Start: start, BooleanFlags: true, Observe: func(e fakesoftlayer.Exchange) {
		mu.Lock()
		defer mu.Unlock()
		broke = append(broke, e.Broke...)
	}})
	handler := account.Handler()
	for _, wrap := range around {
		handler = wrap(handler)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.Close()
		mu.Lock()
		defer mu.Unlock()
		assert.Empty(t, broke, "rules that the client broke")
	})
	c, err := softlayer.New(softlayer.Options{
		Endpoint: server.URL + "/rest/v3.1", Username: account.Username(), APIKey: account.APIKey(),
	})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return fake{account, c}
}

// steer changes the account behind the client's back.
func (f fake) steer(t *testing.T, path, body string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	f.Control().ServeHTTP(w, r)
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
}

// ticketsInTheBooks counts the tickets that are attached to a server, no matter who may see them.
func (f fake) ticketsInTheBooks(t *testing.T, server int64) int {
	t.Helper()
	w := httptest.NewRecorder()
	f.Control().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/tickets", nil))
	var tickets []struct {
		AttachedHardware []struct{ ID int64 } `json:"attachedHardware"`
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &tickets))
	count := 0
	for _, ticket := range tickets {
		if len(ticket.AttachedHardware) > 0 && ticket.AttachedHardware[0].ID == server {
			count++
		}
	}
	return count
}

func (f fake) order() cancellation.Order {
	o := order()
	o.Server = f.Cancelable()
	return o
}

func TestEveryFaultIsClassifiedAsTicketsShow(t *testing.T) {
	t.Parallel()
	type result struct {
		kind    cancellation.OutcomeKind
		tickets int
	}
	want := map[string]result{
		"slow":           {cancellation.AnswerLost, 0},
		"slow_after":     {cancellation.AnswerLost, 1},
		"hang":           {cancellation.AnswerLost, 0},
		"error_before":   {cancellation.AnswerLost, 0},
		"error_after":    {cancellation.AnswerLost, 1},
		"drop_before":    {cancellation.AnswerLost, 0},
		"drop_after":     {cancellation.AnswerLost, 1},
		"ok_error":       {cancellation.AnswerLost, 0},
		"ok_null":        {cancellation.AnswerLost, 0},
		"ok_empty":       {cancellation.AnswerLost, 0},
		"html":           {cancellation.AnswerLost, 0},
		"html_200":       {cancellation.AnswerLost, 0},
		"redirect":       {cancellation.AnswerLost, 0},
		"huge":           {cancellation.AnswerLost, 0},
		"truncated_json": {cancellation.AnswerLost, 1},
		"rate_limit":     {cancellation.NotMade, 0},
		"expired_token":  {cancellation.NotMade, 0},
		"unauthorized":   {cancellation.NotMade, 0},
		"no_permission":  {cancellation.Refused, 0},
		"not_found":      {cancellation.AnswerLost, 0},
		"short_list":     {cancellation.Made, 1}, // a ticket is no list
		"wrong_date":     {cancellation.Made, 1}, // only checks read a Date
	}
	for _, fault := range fakesoftlayer.New(fakesoftlayer.Options{Servers: 1}).FaultNames() {
		t.Run(fault.Name, func(t *testing.T) {
			t.Parallel()
			expected, known := want[fault.Name]
			require.True(t, known, "a fault that has no place in this table")
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			arrived := func() {}
			if slices.Contains([]string{"slow", "slow_after", "hang"}, fault.Name) {
				arrived = cancel // the client leaves as soon as its request is there
			}
			left := make(chan struct{}, 2)
			f := newFake(t, visits(arrived, left))
			o := f.order()
			require.NoError(t, f.Fault(cancelMethod, fault.Name, 1))
			outcome := softlayer.NewWriter(f.Client).RequestCancellation(ctx, o)
			<-left
			assert.Equal(t, expected.kind, outcome.Kind, outcome.Text)
			assert.Equal(t, expected.tickets, f.ticketsInTheBooks(t, o.Server), "tickets in the books")
			assert.NotContains(t, outcome.Text, f.APIKey())

			after, end := context.WithTimeout(t.Context(), time.Minute)
			defer end()
			again := softlayer.NewWriter(f.Client).RequestCancellation(after, o)
			if expected.tickets == 0 {
				assert.Equal(t, cancellation.Made, again.Kind, "the fault is over")
			} else {
				assert.Equal(t, cancellation.AlreadyOpen, again.Kind, "the ticket stands")
			}
			assert.Equal(t, 1, f.ticketsInTheBooks(t, o.Server), "one open ticket a server")
		})
	}
}

// visits tells when a request is there whole, and when it was worked.
func visits(arrived func(), left chan<- struct{}) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() { left <- struct{}{} }()
			body, err := io.ReadAll(r.Body)
			if err == nil {
				r.Body = io.NopCloser(bytes.NewReader(body))
				arrived()
			}
			next.ServeHTTP(w, r)
		})
	}
}

func TestAShortListOfTicketsIsNoAnswer(t *testing.T) {
	t.Parallel()
	for _, list := range []string{"SoftLayer_Hardware_Server/getActiveTickets", "SoftLayer_Account/getTickets"} {
		f, start := newFake(t), time.Now()
		o := f.order()
		require.Equal(t, cancellation.Made, softlayer.NewWriter(f.Client).RequestCancellation(t.Context(), o).Kind)
		require.NoError(t, f.Fault(list, "short_list", 1))
		_, err := f.TicketsOf(t.Context(), o.Server, start)
		require.ErrorContains(t, err, "0 tickets of 1", list)
		tickets, err := f.TicketsOf(t.Context(), o.Server, start)
		require.NoError(t, err)
		assert.Len(t, tickets, 1)
	}
}

func TestATicketIsFiledAndFoundAgain(t *testing.T) {
	t.Parallel()
	f, start := newFake(t), time.Now()
	o := f.order()
	o.Content, o.Associated = "Ref 7F3K-2QXD\n<!channel> & \"quotes\"\nRef 7F3K-2QXD", true

	made := softlayer.NewWriter(f.Client).RequestCancellation(t.Context(), o)
	require.Equal(t, cancellation.Made, made.Kind, made.Text)
	require.Positive(t, made.Ticket.ID)

	ticket, err := f.Ticket(t.Context(), made.Ticket.ID)
	require.NoError(t, err)
	assert.Equal(t, made.Ticket, ticket.TicketID)
	assert.True(t, ticket.Open && ticket.About(o.Server) && ticket.FirstRead)
	assert.Contains(t, ticket.First, o.Content)
	assert.WithinDuration(t, start, ticket.CreatedAt, time.Minute)

	open, err := f.OpenCancellationTicket(t.Context(), o.Server)
	require.NoError(t, err)
	assert.Equal(t, made.Ticket, *open)
	server, err := f.Server(t.Context(), o.Server)
	require.NoError(t, err)
	assert.Equal(t, []cancellation.Blocker{cancellation.BlockedByTicket}, server.Blockers())

	for _, steps := range []string{"", `{"id":%d,"answer":"Working on it."}`, `{"id":%d,"close":true}`} {
		if steps != "" {
			f.steer(t, "/ticket", fmt.Sprintf(steps, made.Ticket.ID))
		}
		tickets, err := f.TicketsOf(t.Context(), o.Server, start)
		require.NoError(t, err)
		require.Len(t, tickets, 1)
		assert.Equal(t, made.Ticket, tickets[0].TicketID)
		assert.Contains(t, tickets[0].First, o.Content)
	}
	later, err := f.TicketsOf(t.Context(), o.Server, start.Add(time.Hour))
	require.NoError(t, err)
	assert.Empty(t, later, "closed before")

	f.steer(t, "/ticket", fmt.Sprintf(`{"id":%d,"hide":true}`, made.Ticket.ID))
	_, err = f.Ticket(t.Context(), made.Ticket.ID)
	require.ErrorIs(t, err, cancellation.ErrTicketHidden)
}

func TestASecondTicketIsNamedByTheFirst(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	first := softlayer.NewWriter(f.Client).RequestCancellation(t.Context(), f.order())
	o := order()
	o.Server = mustOpen(t, f, first.Ticket.ID)
	second := softlayer.NewWriter(f.Client).RequestCancellation(t.Context(), o)
	assert.Equal(t, cancellation.AlreadyOpen, second.Kind)
	assert.Equal(t, first.Ticket.ID, second.Ticket.ID)
	assert.Contains(t, second.Text, "already exists")
}

func mustOpen(t *testing.T, f fake, id int64) int64 {
	t.Helper()
	ticket, err := f.Ticket(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, ticket.Servers, 1)
	return ticket.Servers[0]
}

func TestKeyWithoutRightsIsRefusedOrSeesLess(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	o := f.order()
	rights, err := f.Rights(t.Context())
	require.NoError(t, err)
	assert.Equal(t, cancellation.Rights{Cancel: true, AddTickets: true, EditTickets: true, ViewTickets: true, AllHardware: true, Billing: true, Storage: true}, rights)

	f.steer(t, "/key", fmt.Sprintf(`{"revoke":["SERVER_CANCEL","TICKET_VIEW"],"hide_servers":[%d]}`, o.Server))
	rights, err = f.Rights(t.Context())
	require.NoError(t, err)
	assert.Equal(t, cancellation.Rights{AddTickets: true, EditTickets: true, Billing: true, Storage: true}, rights)
	outcome := softlayer.NewWriter(f.Client).RequestCancellation(t.Context(), o)
	assert.Equal(t, []any{cancellation.Refused, noRight}, []any{outcome.Kind, outcome.Text})
	_, err = f.Server(t.Context(), o.Server)
	require.ErrorIs(t, err, cancellation.ErrServerNotFound)

	f.steer(t, "/key", `{"master":true}`)
	rights, err = f.Rights(t.Context())
	require.NoError(t, err)
	assert.Equal(t, cancellation.Rights{Cancel: true, AddTickets: true, EditTickets: true, ViewTickets: true, AllHardware: true, Billing: true, Storage: true}, rights)
}

func TestEveryServerIsReadAndFound(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	w := httptest.NewRecorder()
	f.Control().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/servers?q=", nil))
	var all []struct {
		ID       int64  `json:"id"`
		Hostname string `json:"hostname"`
		FQDN     string `json:"fullyQualifiedDomainName"`
		Private  string `json:"primaryBackendIpAddress"`
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &all))
	require.Len(t, all, 60)
	names := map[string]int{}
	for _, one := range all {
		names[one.Hostname]++
	}
	blockers, partners := map[cancellation.Blocker]bool{}, 0
	for _, one := range all {
		server, err := f.Server(t.Context(), one.ID)
		require.NoError(t, err)
		assert.Equal(t, one.FQDN, server.FQDN)
		assert.True(t, server.TagsKnown)
		assert.Empty(t, server.Hidden, "this key sees everything")
		if server.Gateway {
			assert.True(t, server.PartnersKnown)
			assert.NotEmpty(t, server.GatewayName)
			partners += len(server.Partners)
		}
		for _, b := range server.Blockers() {
			blockers[b] = true
		}
		if server.Billing != nil {
			assert.NotEmpty(t, server.MonthlyFee(), "%+v", server.Billing)
			assert.Equal(t, 2, server.Billing.Drives)
		}
		namesakes, err := f.Namesakes(t.Context(), one.Hostname)
		require.NoError(t, err)
		assert.Equal(t, names[one.Hostname], namesakes, one.Hostname)
		for _, query := range []string{fmt.Sprint(one.ID), one.Hostname, strings.ToUpper(one.FQDN), one.Private} {
			found, err := f.Search(t.Context(), query, names[one.Hostname]) // no row more: what matches exactly is not crowded out
			require.NoError(t, err)
			assert.True(t, slices.ContainsFunc(found, func(s cancellation.Server) bool { return s.ID == one.ID }), "%q", query)
		}
	}
	assert.Equal(t, 4, partners, "two pairs; a third gateway has one member")
	assert.Len(t, blockers, 7, "kinds of blockers that were met: %v", blockers)
}

func TestServerIsReadDespitePassingInternalErrors(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	id := f.Cancelable()
	whole, err := f.Server(t.Context(), id)
	require.NoError(t, err)
	for _, fault := range []string{"error_before", "ok_error"} {
		require.NoError(t, f.Fault("SoftLayer_Hardware_Server/getObject", fault, 1))
		got, err := f.Server(t.Context(), id)
		require.NoError(t, err)
		assert.Equal(t, whole, got)
	}
}

func TestTheAccountIsReadByName(t *testing.T) {
	t.Parallel()
	account, err := newFake(t).Client.Account(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "Example Hosting (fake)", account.Name)
}

func TestTheCutoffIsReadOnAwkwardDays(t *testing.T) {
	t.Parallel()
	for day, c := range map[string]struct{ now, bill, cutoff string }{
		"an ordinary day":                          {"2026-11-10T12:00:00Z", "2026-12-01T00:00:00-06:00", "2026-11-28T00:00:00-06:00"},
		"the cut-off has passed":                   {"2026-11-28T18:00:00Z", "2026-12-01T00:00:00-06:00", "2026-12-29T00:00:00-06:00"},
		"the 1st in UTC, the day before in Dallas": {"2026-12-01T00:30:00Z", "2026-12-01T00:00:00-06:00", "2026-12-29T00:00:00-06:00"},
		"29 February":                              {"2028-02-29T12:00:00Z", "2028-03-01T00:00:00-06:00", "2028-03-28T23:00:00-06:00"},
		"the clocks go forward":                    {"2027-03-14T08:00:00Z", "2027-03-31T23:00:00-06:00", "2027-03-28T23:00:00-06:00"},
		"the clocks go back":                       {"2026-11-01T07:00:00Z", "2026-12-01T00:00:00-06:00", "2026-11-28T00:00:00-06:00"},
		"New Year's Eve":                           {"2026-12-31T23:59:00Z", "2027-01-01T00:00:00-06:00", "2027-01-29T00:00:00-06:00"},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		require.NoError(t, err)
		f := newFakeAt(t, now)
		cutoff, err := f.Cutoff(t.Context(), "307608")
		require.NoError(t, err)
		assert.Equal(t, c.cutoff, cutoff, day)
		server, err := f.Server(t.Context(), f.Cancelable())
		require.NoError(t, err)
		assert.Equal(t, c.bill, server.Billing.NextBillDate, day)
	}
}

func TestAWrongKeyIsToldAsSuch(t *testing.T) {
	t.Parallel()
	account := fakesoftlayer.New(fakesoftlayer.Options{Servers: 20})
	server := httptest.NewServer(account.Handler())
	t.Cleanup(server.Close)
	c := newClient(t, softlayer.Options{Endpoint: server.URL + "/rest/v3.1"})
	_, err := c.Account(t.Context())
	require.ErrorIs(t, err, softlayer.ErrUnauthorized)
	assert.Equal(t, cancellation.NotMade, softlayer.NewWriter(c).RequestCancellation(t.Context(), order()).Kind)
}

func TestFiftyFilingsAtOnceMakeOneTicket(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	o := f.order()
	outcomes := make([]cancellation.Outcome, 50)
	var all sync.WaitGroup
	for i := range outcomes {
		all.Go(func() { outcomes[i] = softlayer.NewWriter(f.Client).RequestCancellation(t.Context(), o) })
	}
	all.Wait()
	kinds := map[cancellation.OutcomeKind]int{}
	for _, outcome := range outcomes {
		kinds[outcome.Kind]++
		assert.Positive(t, outcome.Ticket.ID)
	}
	assert.Equal(t, map[cancellation.OutcomeKind]int{cancellation.Made: 1, cancellation.AlreadyOpen: 49}, kinds)
	assert.Equal(t, 1, f.ticketsInTheBooks(t, o.Server))
}
