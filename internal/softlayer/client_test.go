package softlayer_test

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/softlayer"
)

func TestEachMethodCallsSoftLayerAsDocumented(t *testing.T) {
	t.Parallel()
	const ticketMask = "mask[id,serviceProviderResourceId,createDate,lastEditDate,statusId,status[name]," +
		"attachedHardware[id],firstUpdate[entry]]"
	const lightMask = "mask[id,fullyQualifiedDomainName,hostname,domain," +
		"primaryIpAddress,primaryBackendIpAddress,datacenter[name]]"
	const base = "/rest/v3.1/"
	since := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		ask     func(context.Context, *softlayer.Client) error
		answers []string
		want    []received
	}{
		"cancelling a server posts five positional parameters": {
			func(ctx context.Context, c *softlayer.Client) error {
				_, err := softlayer.NewWriter(c).CreateCancelServerTicket(ctx, 1234567, "Server / Upgrade Costs", "by <@U1> & \"co\"", true)
				return err
			},
			[]string{`{"id":153572280}`},
			[]received{{
				Method: "POST", Path: base + "SoftLayer_Ticket/createCancelServerTicket.json",
				Mask: "mask[id,serviceProviderResourceId]",
				Body: `{"parameters":[1234567,"Server / Upgrade Costs","by <@U1> & \"co\"",true,"HARDWARE"]}`,
			}},
		},
		"a ticket": {
			func(ctx context.Context, c *softlayer.Client) error { _, err := c.Ticket(ctx, 7); return err },
			[]string{`{"id":7,"statusId":1001}`},
			[]received{{Method: "GET", Path: base + "SoftLayer_Ticket/7/getObject.json", Mask: ticketMask}},
		},
		"the tickets of a server": {
			func(ctx context.Context, c *softlayer.Client) error { _, err := c.TicketsOf(ctx, 8, since); return err },
			[]string{`[]`, `[]`},
			[]received{
				{
					Method: "GET", Path: base + "SoftLayer_Hardware_Server/8/getActiveTickets.json", Mask: ticketMask, Limits: "0,10",
					Filter: `{"activeTickets":{"id":{"operation":"orderBy","options":[{"name":"sort","value":["DESC"]}]}}}`,
				},
				{
					Method: "GET", Path: base + "SoftLayer_Account/getTickets.json", Mask: ticketMask, Limits: "0,10",
					Filter: `{"tickets":{"attachedHardware":{"id":{"operation":8}},` +
						`"id":{"operation":"orderBy","options":[{"name":"sort","value":["DESC"]}]}}}`,
				},
			},
		},
		"the open cancellation ticket of a server": {
			func(ctx context.Context, c *softlayer.Client) error {
				_, err := c.OpenCancellationTicket(ctx, 8)
				return err
			},
			[]string{`{"id":8}`},
			[]received{{
				Method: "GET", Path: base + "SoftLayer_Hardware_Server/8/getObject.json",
				Mask: "mask[id,openCancellationTicket[id,serviceProviderResourceId]]",
			}},
		},
		"the namesakes of a server": {
			func(ctx context.Context, c *softlayer.Client) error { _, err := c.Namesakes(ctx, "db-042"); return err },
			[]string{`[{"id":8,"hostname":"DB-042"}]`},
			[]received{{
				Method: "GET", Path: base + "SoftLayer_Account/getHardware.json", Mask: lightMask, Limits: "0,10",
				Filter: `{"hardware":{"hostname":{"operation":"_= db-042"}}}`,
			}},
		},
		"the account": {
			func(ctx context.Context, c *softlayer.Client) error { _, err := c.Account(ctx); return err },
			[]string{`{"id":307608,"companyName":"acme-prod"}`},
			[]received{{Method: "GET", Path: base + "SoftLayer_Account/getObject.json", Mask: "mask[id,companyName]"}},
		},
		"what the key may do": {
			func(ctx context.Context, c *softlayer.Client) error { _, err := c.Rights(ctx); return err },
			[]string{`{"id":55}`, `[]`},
			[]received{
				{
					Method: "GET", Path: base + "SoftLayer_Account/getCurrentUser.json",
					Mask: "mask[id,isMasterUserFlag,hasFullHardwareAccessFlag]",
				},
				{Method: "GET", Path: base + "SoftLayer_User_Customer/55/getPermissions.json", Mask: "mask[keyName]"},
			},
		},
		"the cut-off date": {
			func(ctx context.Context, c *softlayer.Client) error { _, err := c.Cutoff(ctx, "307608"); return err },
			[]string{`"2026-11-28T23:59:59-06:00"`},
			[]received{{
				Method: "POST", Path: base + "SoftLayer_Billing_Item_Cancellation_Request/getCancellationCutoffDate.json",
				Body: `{"parameters":[307608,"server"]}`,
			}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVendor(t, inTurn(t, c.answers...))
			require.NoError(t, c.ask(t.Context(), v.client(t)))
			got := v.received()
			require.Len(t, got, len(c.want))
			for i, want := range c.want {
				assertHeader(t, got[i])
				if want.Body != "" {
					assert.JSONEq(t, want.Body, got[i].Body)
				}
				got[i].Header, got[i].Body, want.Body = nil, "", ""
				assert.Equal(t, want, got[i])
			}
		})
	}
}

// assertHeader holds that a request carries the credentials and no more than it needs.
func assertHeader(t *testing.T, got received) {
	t.Helper()
	request := http.Request{Header: got.Header}
	user, key, ok := request.BasicAuth()
	assert.True(t, ok, "HTTP Basic")
	assert.Equal(t, testUser, user)
	assert.Equal(t, testKey, key)
	assert.Equal(t, "cancel-server", got.Header.Get("User-Agent"))
	for name := range got.Header {
		assert.Contains(t, []string{
			"Authorization", "User-Agent", "Accept-Encoding", "Content-Type", "Content-Length", "Connection",
		}, name)
	}
	if got.Method == http.MethodPost {
		assert.Equal(t, "application/json", got.Header.Get("Content-Type"))
	}
}

func TestNewNeverSendsTheKeyUnencrypted(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]softlayer.Options{
		"http to another machine":        {Endpoint: "http://api.softlayer.com/rest/v3.1", APIKey: testKey},
		"credentials in the endpoint":    {Endpoint: "https://u:" + testKey + "@api.softlayer.com/", APIKey: testKey},
		"a query in the endpoint":        {Endpoint: "https://api.softlayer.com/?a=" + testKey, APIKey: testKey},
		"an endpoint that is no URL":     {Endpoint: "://" + testKey, APIKey: testKey},
		"an endpoint without a host":     {Endpoint: "https:///rest/v3.1", APIKey: testKey},
		"another scheme":                 {Endpoint: "ftp://localhost/", APIKey: testKey},
		"no key":                         {Endpoint: "https://api.softlayer.com/rest/v3.1"},
		"a user name that holds a colon": {Username: "a:" + testKey, APIKey: testKey},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := softlayer.New(o)
			require.Error(t, err)
			assert.NotContains(t, err.Error(), testKey)
		})
	}
	for _, endpoint := range []string{
		"", "https://api.service.softlayer.com/rest/v3.1/", "http://127.0.0.1:1/x", "http://[::1]:1", "http://localhost:1",
	} {
		_, err := softlayer.New(softlayer.Options{Endpoint: endpoint, APIKey: testKey})
		require.NoError(t, err, endpoint)
	}
}

func TestNothingPrintsTheKey(t *testing.T) {
	t.Parallel()
	o := softlayer.Options{Endpoint: "http://127.0.0.1:1", Username: testUser, APIKey: testKey}
	c, err := softlayer.New(o)
	require.NoError(t, err)
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		assert.NotContains(t, fmt.Sprintf(format, o), testKey)
		assert.NotContains(t, fmt.Sprintf(format, c), testKey)
	}
}

func TestReadEndsAtItsDeadline(t *testing.T) {
	t.Parallel()
	v := newVendor(t, func(http.ResponseWriter, received) { <-t.Context().Done() })
	c := newClient(t, softlayer.Options{Endpoint: v.URL, Timeout: time.Second})
	_, err := c.Account(context.Background())
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// turns lets so many calls go, and makes all others wait.
type turns struct {
	left  atomic.Int32
	spent atomic.Int32
	waits func() // called when a call begins to wait
}

func (s *turns) Wait(ctx context.Context) error {
	if s.left.Add(-1) >= 0 {
		return nil
	}
	s.waits()
	<-ctx.Done()
	return ctx.Err()
}

func (s *turns) Spend() { s.spent.Add(1) }

func TestWaitingForATurnCountsAgainstTheContext(t *testing.T) {
	t.Parallel()
	v, kept := newVendor(t, says(200, `{"id":1}`)), &turns{}
	kept.left.Store(1)
	c := newClient(t, softlayer.Options{Endpoint: v.URL}).WithRateLimiter(kept)
	_, err := c.Account(t.Context())
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	kept.waits = cancel
	_, err = c.Account(ctx)
	require.ErrorIs(t, err, softlayer.ErrNotSent)
	assert.Len(t, v.received(), 1, "calls that were made")
}

func TestFilingGoesAtOnceAndIsCounted(t *testing.T) {
	t.Parallel()
	v, kept := newVendor(t, says(200, `{"id":1}`)), &turns{}
	c := newClient(t, softlayer.Options{Endpoint: v.URL}).WithRateLimiter(kept)
	assert.Equal(t, cancellation.Made, softlayer.NewWriter(c).RequestCancellation(t.Context(), order()).Kind)
	assert.Len(t, v.received(), 1, "no turn is waited for: what was read for it grows old")
	assert.EqualValues(t, 1, kept.spent.Load())
}
